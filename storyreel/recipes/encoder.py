"""Recipes for the encoders that judge the worlds. `storyreel train encoder_sprites --data DIR -o RUN`.

| recipe          | parameters | clips                      | trained on     | result                                  |
| --------------- | ---------- | -------------------------- | -------------- | --------------------------------------- |
| encoder_tiny    | 0.1 M      | 5 x 16x16                  | tests          | learns one by heart                     |
| encoder_digits  | 1.4 M      | 10 x 64x64                 | digits, CPU    | R-precision 83 % (two digits, held out) |
| encoder_<world> | 2.7 M      | the world's frames x 64x64 | the world, CPU | see docs/encoders.md                    |

Every world has one, whether or not a trained one ships.
"""

from __future__ import annotations

from dataclasses import replace

from storyreel import worlds
from storyreel.nn.dual_encoder import DualEncoderConfig
from storyreel.recipe import Data, Recipe, StageRecipe, tiny_stage
from storyreel.recipes._small import SMALL
from storyreel.systems.encoder import EncoderConfig

OWN_WORDS = {
    "digits": DualEncoderConfig(
        widths=(32, 64, 128), dim=128, heads=4, mlp=256, text_depth=1, text_dim=2, words=1024, text_tokens=40
    )
}
"""Worlds whose few words are learned with the encoder: MiniLM's states of "left and right" and "right and left" are
nearly the same, and half of the clips found another's caption."""


def of_world(name: str) -> Recipe:
    """The encoder of a world, such as `encoder-sprites`, extractor `sprites-v1`: of its clips as they are made by
    default, at 64 pixels. A matte is not looked at; reading it shares the cache."""
    world = worlds.find(name)
    frames = int(world.settings["frames"].default)  # pyright: ignore[reportArgumentType]
    own = OWN_WORDS.get(name)
    dual = replace(own, frames=frames) if own else DualEncoderConfig(frames=frames)
    return Recipe(
        name=f"encoder_{name}",
        system=EncoderConfig(dual=dual, channels=world.channels),
        stages={
            "dual": StageRecipe(
                data=Data(frames=frames, size=64, channels=world.channels, batch=96),
                optim=replace(SMALL, warmup=50),
                steps=600,
                ema=0.99,
                checkpoint_every=100,
                sample_every=0,
            )
        },
        text=f"words:{dual.words}" if dual.words else "minilm",
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
        stages={"dual": replace(tiny_stage(Data(frames=5, size=16, batch=8)), sample_every=0)},
        text="hash:32",
    )  # fmt: skip
