"""Recipes for video GANs. `storyreel train stylesv_skies --data "skies:?clips=8000" -o RUN`: images, then videos.

| recipe         | parameters | clips            | trained on       | result                         |
| -------------- | ---------- | ---------------- | ---------------- | ------------------------------ |
| video_gan_tiny | 0.1 M      | 4 x 16x16        | tests            | learns a batch                 |
| stylesv_skies  | 1.4 M      | 16 x 64x64       | a CPU core       | see docs/systems/stylesv.md    |
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.systems.video_gan import VideoGanConfig

ADAM = Optim(lr=2.5e-3, betas=(0.0, 0.99), weight_decay=0.0, warmup=0, final_lr=0.2, clip_norm=100.0)
"""StyleGAN2's, whose equalised weights want a large rate. Gradients are bounded only where they explode."""


def stylesv_skies() -> Recipe:
    """StyleSV at 64 pixels for the world `skies`."""
    images = StageRecipe(
        data=Data(frames=1, size=64, batch=16, image_share=1.0),
        optim=ADAM,
        steps=8_000,
        ema=0.998,
        checkpoint_every=200,
        sample_every=0,
    )
    return Recipe(
        name="stylesv_skies",
        system=VideoGanConfig(
            z_dim=128, w_dim=128, motion_dim=64, layers=6, margin=5, channel_base=1024, channel_max=128, low_rank=4,
            anchor_kernel=5, periods=(16, 512), critic_base=1024, critic_max=128, r1=1.0, truncation=0.85,
        ),
        stages={
            "images": images,
            "videos": replace(images, data=Data(frames=16, size=64, batch=8), steps=4_000),
        },
        text="hash:32",
    )  # fmt: skip


def video_gan_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""
    images = StageRecipe(
        data=Data(frames=1, size=16, batch=8, image_share=1.0),
        optim=replace(ADAM, lr=5e-3),
        steps=60,
        precision="fp32",
        ema=0.9,
        checkpoint_every=30,
        sample_every=60,
    )
    return Recipe(
        name="video_gan_tiny",
        system=VideoGanConfig(
            size=16, clip_frames=4, z_dim=16, w_dim=16, motion_dim=8, layers=3, critical=1, margin=3, channel_base=64,
            channel_max=16, low_rank=2, anchor_distance=4, anchor_kernel=3, periods=(4, 32), critic_base=128,
            critic_max=16, r1_every=4, augment=0.6,
        ),
        stages={"images": images, "videos": replace(images, data=Data(frames=4, size=16, batch=4))},
        text="hash:32",
    )  # fmt: skip
