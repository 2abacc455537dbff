"""make-a-video-pytorch's `SpaceTimeUnet`, and ours: no text, eps-prediction.

The peer is a backbone alone, so that loss and DDIM step are ours on both sides, one pass a step. Width 64, multiples
1-2-4, `resnet_block_depths` 1 (two residual blocks a level, since it counts without the first), 8 heads of 64,
attention in space and time at the coarsest level and in the middle, no compression in time. Ours has temporal
convolution everywhere and attention in the same places: one block a level ("ours"), or two ("deeper").
"""

from __future__ import annotations

import torch
from diffusion import BATCH, FRAMES, Contender, seeded
from torch import Tensor

IMPORTS = {True: ("make_a_video_pytorch",), False: ("storyreel.nn.video_unet",)}


def peer(size: int) -> Contender:
    from make_a_video_pytorch import SpaceTimeUnet  # type: ignore[import-not-found]

    net = SpaceTimeUnet(
        dim=64, dim_mult=(1, 2, 4), self_attns=(False, False, True), temporal_compression=(False, False, False),
        resnet_block_depths=(1, 1, 1), attn_heads=8, attn_dim_head=64,
    )  # fmt: skip
    return contender(net, size, lambda z, logsnr: net(z, timestep=logsnr))


def ours(size: int, *, deeper: bool) -> Contender:
    from storyreel.nn.video_unet import VideoUNetConfig

    net = VideoUNetConfig(
        widths=(64, 128, 256), blocks=(2 if deeper else 1,), attention=(False, False, True), text=(False,),
        temporal=("conv", "conv", "both"),
    ).build()  # fmt: skip
    return contender(net, size, net)


def contender(net, size: int, said) -> Contender:
    from storyreel.diffusion.denoiser import Denoiser
    from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
    from storyreel.diffusion.samplers import ddim
    from storyreel.diffusion.schedules import Cosine, draw_times, uniform_time

    shape, rng = (BATCH, 3, FRAMES, size, size), torch.Generator().manual_seed(0)
    video = seeded(*shape).tanh()

    def loss() -> Tensor:
        level, noise = Cosine().level(draw_times(BATCH, rng)), torch.randn(shape, generator=rng)
        output = said(diffuse(video, noise, level), level.logsnr)
        return diffusion_loss(output, video, noise, level, kind="eps", weight="eps").mean()

    def sample() -> Tensor:
        denoise = Denoiser(lambda entered, logsnr, cond: said(entered, logsnr), predict="eps")
        return ddim(denoise, seeded(*shape, seed=2), uniform_time(Cosine(), 50)[24:26])

    return Contender(net, loss, sample)
