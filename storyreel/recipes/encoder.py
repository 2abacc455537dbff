"""Recipes for the encoders that judge the worlds. `storyreel train encoder_sprites --data DIR -o RUN`.

| recipe          | parameters | clips      | trained on  | result                |
| --------------- | ---------- | ---------- | ----------- | --------------------- |
| encoder_tiny    | 0.1 M      | 5 x 16x16  | tests       | learns one by heart   |
| encoder_digits  | 2.7 M      | 10 x 64x64 | 2 CPU cores | see docs/encoders.md  |
| encoder_sprites | 2.7 M      | 8 x 64x64  | 2 CPU cores | see docs/encoders.md  |
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.nn.dual_encoder import DualEncoderConfig
from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.systems.encoder import EncoderConfig


def encoder_sprites() -> Recipe:
    """Ships as `encoder-sprites`, extractor `sprites-v1`. The matte is not looked at; reading it shares the cache."""
    return Recipe(
        name="encoder_sprites",
        system=EncoderConfig(dual=DualEncoderConfig(frames=8), channels=4),
        stages={
            "dual": StageRecipe(
                data=Data(frames=8, size=64, channels=4, batch=96),
                optim=Optim(lr=1e-3, muon=0.02, warmup=50, weight_decay=0.01),
                steps=600,
                ema=0.99,
                checkpoint_every=100,
                sample_every=0,
            )
        },
    )


def encoder_digits() -> Recipe:
    """Ships as `encoder-digits`, extractor `digits-v1`."""
    sprites = encoder_sprites()
    stage = sprites.stages["dual"]
    return replace(
        sprites,
        name="encoder_digits",
        system=EncoderConfig(dual=DualEncoderConfig(frames=10)),
        stages={"dual": replace(stage, data=replace(stage.data, frames=10, channels=3))},
    )


def encoder_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""
    return Recipe(
        name="encoder_tiny",
        system=EncoderConfig(
            dual=DualEncoderConfig(
                size=16, frames=5, patch=4, widths=(16, 32), dim=32, heads=2, mlp=64,
                time_depth=1, text_depth=1, text_dim=32, feature=32, embed=16,
            ),
        ),
        stages={
            "dual": StageRecipe(
                data=Data(frames=5, size=16, batch=8),
                optim=Optim(lr=3e-3, warmup=10),
                steps=100,
                precision="fp32",
                ema=0.9,
                checkpoint_every=50,
                sample_every=0,
            )
        },
        text="hash:32",
    )  # fmt: skip
