"""diffusers' `UNetSpatioTemporalConditionModel`, and ours: a latent video beside a given one, EDM, guidance by frame.

Latents of four channels, and four more that are given; width 64, multiples 1-2-4, one layer a block, attention in
space and time and to the condition at the two finer levels. Ours (`systems/svd_unet.py`) is the same network, with as
many parameters. Loss and Euler step, both halves of guidance in one batch, are ours on both sides: the peer's pipeline
needs an image encoder and a decoder, which nobody asks about here.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusion import BATCH, FRAMES, TEXT_DIM, WORDS, Contender, seeded
from torch import Tensor

IMPORTS = {
    True: ("diffusers.models.unets.unet_spatio_temporal_condition",),
    False: ("storyreel.systems.svd_unet", "storyreel.diffusion.denoiser"),
}


def peer(size: int) -> Contender:
    from diffusers.models.unets.unet_spatio_temporal_condition import (  # type: ignore[import-not-found]
        UNetSpatioTemporalConditionModel,
    )

    net: Any = UNetSpatioTemporalConditionModel(
        sample_size=size, in_channels=8, out_channels=4, block_out_channels=(64, 128, 256), layers_per_block=1,
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * 2 + ("DownBlockSpatioTemporal",),
        up_block_types=("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * 2,
        cross_attention_dim=TEXT_DIM, num_attention_heads=(1, 2, 4), num_frames=FRAMES,
    )  # fmt: skip

    def said(entered: Tensor, logsnr: Tensor, cond: tuple[Tensor, Tensor]) -> Tensor:
        text, given = cond
        ids = torch.tensor([[6.0, 127.0, 0.02]]).expand(len(entered), -1)
        x = torch.cat([entered, given], 1).transpose(1, 2)  # (b, t, c, h, w)
        return net(x, -logsnr / 8, text, ids, return_dict=False)[0].transpose(1, 2)

    return contender(net, size, said, lambda text: text)


def ours(size: int, *, deeper: bool) -> Contender:
    from storyreel.systems.svd_unet import SvdUNetConfig

    net = SvdUNetConfig(widths=(64, 128, 256), heads=(1, 2, 0), blocks=1, context=TEXT_DIM).build()

    def said(entered: Tensor, logsnr: Tensor, cond: tuple[Tensor, Tensor]) -> Tensor:
        text, given = cond
        ids = torch.tensor([[6.0, 127.0, 0.02]]).expand(len(entered), -1)
        return net(torch.cat([entered, given], 1), logsnr, text, ids)

    return contender(net, size, said, lambda text: text)


def contender(net: Any, size: int, said: Any, remember: Any) -> Contender:
    from storyreel.diffusion.denoiser import Denoiser
    from storyreel.diffusion.guidance import linear
    from storyreel.diffusion.parameterisation import diffuse, diffusion_loss, network_input
    from storyreel.diffusion.samplers import euler, starting_noise
    from storyreel.diffusion.schedules import LogNormal, draw_times, karras

    shape, rng = (BATCH, 4, FRAMES, size, size), torch.Generator().manual_seed(0)
    video, given, text = seeded(*shape), seeded(*shape, seed=1), seeded(BATCH, WORDS, TEXT_DIM, seed=2)

    def loss() -> Tensor:
        level, noise = LogNormal(0.7, 1.6).level(draw_times(BATCH, rng)), torch.randn(shape, generator=rng)
        entered = network_input(diffuse(video, noise, level), level)
        return diffusion_loss(said(entered, level.logsnr, (remember(text), given)), video, noise, level).mean()

    def sample() -> Tensor:
        levels = karras(LogNormal(), 25, sigma_max=700)[12:14]
        cond, uncond = (remember(text), given), (remember(0 * text), 0 * given)
        return euler(
            Denoiser(said, cond, uncond, linear(1.0, 3.0, FRAMES)), starting_noise(shape, levels, [rng] * BATCH), levels
        )

    return Contender(net, loss, sample)
