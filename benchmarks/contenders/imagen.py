"""imagen-pytorch's `Unet3D` in its `Imagen`, and ours: text, v-prediction, guidance, dynamic thresholding.

The peer is as published, at the settings of the fixed comparison: width 64, multiples 1-2-4, `num_resnet_blocks` 1 (two
residual blocks a level, since it counts without the first), 8 heads of 64, spatial attention in the middle, text
attention and temporal convolution everywhere, and temporal attention at every level. Its sampler is its own, ancestral,
with two passes a step. Ours has the same levels, text and temporal layers everywhere and spatial attention at the
coarsest level and in the middle: one block a level ("ours"), about as many parameters; or two ("deeper").
"""

from __future__ import annotations

from typing import Any

import torch
from diffusion import BATCH, FRAMES, GUIDANCE, TEXT_DIM, WORDS, Contender, seeded
from torch import Tensor

IMPORTS = {True: ("imagen_pytorch",), False: ("storyreel.nn.video_unet", "storyreel.diffusion.thresholding")}
DROPPED = 0.1  # share of the texts
STEPS = 2  # that are timed; a step's cost does not depend on which one it is


def peer(size: int) -> Contender:
    from imagen_pytorch import Imagen, Unet3D  # type: ignore[import-not-found]

    net = Unet3D(
        dim=64, text_embed_dim=TEXT_DIM, dim_mults=(1, 2, 4), num_resnet_blocks=1, attn_heads=8, attn_dim_head=64
    )
    imagen = Imagen(
        net, image_sizes=size, text_embed_dim=TEXT_DIM, pred_objectives="v", timesteps=STEPS, text_encoder_name="-"
    )
    video, text = seeded(BATCH, 3, FRAMES, size, size).sigmoid(), seeded(BATCH, WORDS, TEXT_DIM, seed=1)

    def sample() -> Tensor:
        return imagen.sample(
            text_embeds=text, batch_size=BATCH, video_frames=FRAMES, cond_scale=GUIDANCE, use_tqdm=False
        )

    unet = imagen.unets[0]  # which it takes out of itself when it runs
    return Contender(unet, lambda: imagen(video, text_embeds=text, unet_number=1), sample, STEPS)


def our_loss(net: Any, video: Tensor, text: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
    """Of v, min-SNR weighted, a tenth of the texts dropped; videos in [-1, 1]."""
    from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
    from storyreel.diffusion.schedules import Cosine, draw_times
    from storyreel.nn.null_text import drawn, without_text

    level, noise = Cosine().level(draw_times(len(video), rng)), torch.randn(video.shape, generator=rng)
    text, mask = without_text(text, mask, net.null_text, drawn(len(text), DROPPED, rng, text.device))
    output = net(diffuse(video, noise, level), level.logsnr, net.text_memory(text, mask))
    return diffusion_loss(output, video, noise, level, kind="v", weight="min-snr").mean()


def ours(size: int, *, deeper: bool) -> Contender:
    from storyreel.diffusion.denoiser import Denoiser
    from storyreel.diffusion.samplers import ancestral, starting_noise
    from storyreel.diffusion.schedules import Cosine, uniform_time
    from storyreel.nn.null_text import everywhere, without_text
    from storyreel.nn.video_unet import VideoUNetConfig

    net = VideoUNetConfig(
        widths=(64, 128, 256), blocks=(2 if deeper else 1,), attention=(False, False, True), text=(True,),
        temporal=("both",), text_dim=TEXT_DIM,
    ).build()  # fmt: skip
    shape, rng = (BATCH, 3, FRAMES, size, size), torch.Generator().manual_seed(0)
    video, text = seeded(*shape).tanh(), seeded(BATCH, WORDS, TEXT_DIM, seed=1)
    mask = torch.ones(BATCH, WORDS, dtype=torch.bool)

    def sample() -> Tensor:
        levels, each = uniform_time(Cosine(), STEPS), [torch.Generator().manual_seed(i) for i in range(BATCH)]
        cond = net.text_memory(text, mask)
        uncond = net.text_memory(*without_text(text, mask, net.null_text, everywhere(text)))
        denoiser = Denoiser(net, cond, uncond, GUIDANCE, batched=False, threshold=0.95)
        return ancestral(denoiser, starting_noise(shape, levels, each), levels, rng=each)

    return Contender(net, lambda: our_loss(net, video, text, mask, rng), sample, STEPS)
