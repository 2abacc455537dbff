"""Recipes for GODIVA. `storyreel train godiva_tiny --data DIR -o RUN` trains the tokenizer, then the generator.

| recipe                 | parameters | clips            | tokens a clip | trained on   | result                     |
| ---------------------- | ---------- | ---------------- | ------------- | ------------ | -------------------------- |
| godiva_tiny            | 0.1 M      | 5 x 16x16        | 80            | tests        | learns a batch by heart    |
| godiva_digits          | 7 M        | 10 x 32x32       | 160           | digits, CPU  | one digit right in 94 %    |
| godiva_digits_composed | 8 M        | 10 x 32x32       | 160           | digits, CPU  | see docs/log.md            |
| godiva_sprites         | 11 M       | 8 x 64x64, matte | 512           | sprites, CPU | 89.3 % of attributes right |
| godiva_small           | 0.1 B      | 10 x 128x128     | 2,560         | one GPU      | not trained yet            |
| godiva_paper           | 0.3 B      | 10 x 64x64       | 2,560         | never        | checked for its size alone |
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.recipe import Data, Optim, Recipe, StageRecipe, tiny_stage
from storyreel.recipes._small import SMALL, sprites_refiner
from storyreel.systems.godiva import GeneratorConfig, GodivaConfig
from storyreel.systems.godiva_tokenizer import FrameVQVAEConfig


def godiva_paper() -> Recipe:
    """Wu et al. 2021, Sections 3 and 4.1: the hyperparameters as printed. It prints no numbers of steps or words."""
    data = Data(frames=10, size=64, batch=32)
    return Recipe(
        name="godiva_paper",
        system=GodivaConfig(generator=GeneratorConfig(text_dim=2, words=32_768)),
        text="words:32768",
        stages={
            "tokenizer": StageRecipe(data=data, optim=Optim(lr=1e-3), steps=500_000),
            "generator": StageRecipe(data=data, optim=Optim(lr=5e-4), steps=500_000),
        },
    )


def godiva_small() -> Recipe:
    """The paper's shapes at a size that one GPU trains in days: 128 pixels, a residual tokenizer, MiniLM texts."""
    data = Data(frames=10, size=128, batch=64)
    return Recipe(
        name="godiva_small",
        system=GodivaConfig(
            tokenizer=FrameVQVAEConfig(
                size=128, patch=8, dim=128, num_codes=8_192, average=0.99, widths=(64, 128, 256, 128), blocks=2,
                frames=4,
            ),
            generator=GeneratorConfig(dim=640, heads=10, mlp=2560, layers="TRC" * 4, context="causal", guidance=2.0),
        ),
        stages={
            "tokenizer": StageRecipe(data=data, optim=Optim(lr=4e-4, warmup=5_000), steps=200_000),
            "generator": StageRecipe(data=data, optim=Optim(lr=5e-4, warmup=5_000), steps=200_000),
        },
    )  # fmt: skip


def godiva_digits() -> Recipe:
    """Ships as `godiva-digits`: ten frames of 32x32 in 160 tokens of two parts of 64 values.

    A data set of 64x64 is reduced; its digits are 14 pixels tall then, and the judge still reads all of them.
    """
    data = Data(frames=10, size=32, batch=48)
    return Recipe(
        name="godiva_digits",
        system=GodivaConfig(
            tokenizer=FrameVQVAEConfig(
                size=32, patch=8, dim=192, levels=(8, 8, 8, 8), widths=(96, 192), l1=0.5, frames=4,
            ),
            generator=GeneratorConfig(
                frames=10, dim=192, heads=6, mlp=768, layers="TRCTRC", context="causal", guidance=3.0, top_k=3,
            ),
        ),
        stages={
            "tokenizer": StageRecipe(data=data, optim=SMALL, steps=1_500),
            "generator": StageRecipe(data=data, optim=SMALL, steps=3_000),
        },
    )  # fmt: skip


def godiva_digits_composed() -> Recipe:
    """`godiva_digits` with words that learn with the generator, as in the paper, and a sentence for each of two digits:
    on captions that tell one of them (`data make digits --doubles 0.85 --captions 4 --alone 0.9`)."""
    recipe = godiva_digits()
    assert isinstance(recipe.system, GodivaConfig)
    generator = replace(recipe.system.generator, text_dim=2, words=2048, text_layers=2, composed=True)
    return replace(
        recipe, name="godiva_digits_composed", text="words:2048", system=replace(recipe.system, generator=generator)
    )


def godiva_sprites() -> Recipe:
    """Ships as `godiva-sprites`: eight frames of 64x64 with a matte, in 512 tokens of three parts of 64 values.

    First frames alone (`data.frames=1`, a batch of 64) teach looks at an eighth of the cost; clips go on from there
    (`--init`). Captions of the world have up to 77 tokens. What ships was trained with `text_tokens` 56.
    """
    data = Data(frames=8, size=64, channels=4, batch=16)
    return Recipe(
        name="godiva_sprites",
        system=GodivaConfig(
            tokenizer=FrameVQVAEConfig(
                size=64, channels=4, patch=8, dim=192, levels=(8,) * 6, widths=(96, 192), l1=0.5, chroma=30.0, frames=4,
            ),
            generator=GeneratorConfig(
                frames=8, dim=224, heads=7, mlp=896, layers="TRCTRC", context="causal", guidance=2.0, text_tokens=80,
            ),
            refiner=sprites_refiner(),
        ),
        stages={
            "tokenizer": StageRecipe(data=data, optim=SMALL, steps=4_000),
            "generator": StageRecipe(data=data, optim=SMALL, steps=5_000),
            "refiner": StageRecipe(data=replace(data, batch=64), optim=SMALL, steps=3_000),
        },
    )  # fmt: skip


def godiva_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""
    data = Data(frames=5, size=16, batch=8)
    stage = tiny_stage(data)
    return Recipe(
        name="godiva_tiny",
        system=GodivaConfig(
            tokenizer=FrameVQVAEConfig(size=16, patch=4, dim=16, num_codes=64, window=20),
            generator=GeneratorConfig(
                frames=5, dim=32, heads=2, mlp=64, layers="TRC", text_dim=32, text_tokens=35, guidance=2.0,
            ),
        ),
        stages={"tokenizer": stage, "generator": replace(stage, data=data)},
        text="hash:32",
    )  # fmt: skip
