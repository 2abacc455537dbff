"""Recipes for Imagen Video. `storyreel train imagen_video_tiny --data DIR -o RUN` trains all seven stages.

| recipe                 | parameters | the last video       | trained on   | result                     |
| ---------------------- | ---------- | -------------------- | ------------ | -------------------------- |
| imagen_video_tiny      | 0.7 M      | 5 x 16x16            | tests        | learns a batch by heart    |
| imagen_video_sprites   | 11.0 M     | 8 x 64x64, matte     | sprites, CPU | see docs/results.md        |
| imagen_video_four      | 14.3 M     | 8 x 64x64, matte     | sprites, CPU | not trained yet            |
| imagen_video_distilled | the same   | the same, in 8 steps | sprites, CPU | 92.7 % of attributes right |
| imagen_video_small     | 0.2 B      | 64 x 192x320         | one GPU      | not trained yet            |
| imagen_video_paper     | 11.6 B     | 128 x 768x1280       | never        | checked for its size alone |

`imagen_video_distilled` goes on from `imagen_video_sprites`: `storyreel train imagen_video_distilled --init RUN/model`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from storyreel.diffusion.sampling import Sampling
from storyreel.nn.video_unet import VideoUNetConfig
from storyreel.recipe import Data, Optim, Recipe, StageRecipe, tiny_stage
from storyreel.recipes._small import SMALL, sprites_refiner
from storyreel.systems.cascade import Kind
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.imagen_video import ImagenVideoConfig, StageConfig
from storyreel.systems.imagen_video_distill import Distillation


def imagen_video_paper() -> Recipe:
    """Ho et al. 2022, Figure 6: shapes and parameters as printed; widths and depths are ours, to meet them.

    Steps and batches are not printed either. Guidance and samplers: Sections 2.6 and 3.
    """

    def stage(kind: Kind, frames: int, size: tuple[int, int], fps: int, unet: VideoUNetConfig, **more: Any):
        shape = VideoShape(frames=frames, height=size[0], width=size[1], fps=fps)
        steps = 256 if kind == "base" else 128
        sampling = Sampling(steps=steps, sampler="ancestral", threshold=0.995, **more.pop("sampling", {}))
        return StageConfig(
            kind=kind, shape=shape, unet=unet, sampling=sampling, weight="eps", fill="blank", counted="first",
            augmentation_snr=4.0, **more,
        )  # fmt: skip

    def fine(*widths: int, blocks: tuple[int, ...], text: tuple[bool, ...], **more: Any) -> VideoUNetConfig:
        return VideoUNetConfig(widths=widths, blocks=blocks, text=text, temporal=("conv",), **more)

    tiny, small, middle, large = (24, 40), (48, 80), (192, 320), (768, 1280)
    guided = {"guidance": 15.0, "oscillate": 30}
    system = ImagenVideoConfig(
        base=stage(
            "base", 16, tiny, 3,
            VideoUNetConfig(
                widths=(768, 1536, 2304, 2560), blocks=(3, 3, 4, 4), attention=(False, True, True, True),
                text=(False, True, True, True), temporal=("attention",), head_dim=128,
            ),
            sampling=guided,
        ),
        tsr1=stage(
            "tsr", 32, tiny, 6,
            fine(640, 1152, 1792, blocks=(3, 3, 3), text=(False, True, True), attention=(False, False, True)),
            sampling=guided,
        ),
        ssr1=stage(
            "ssr", 32, small, 6,
            fine(384, 896, 1216, 1600, blocks=(2, 2, 3, 3), text=(False, False, True, True)),
            sampling=guided, shift=-1.4,
        ),
        ssr2=stage(
            "ssr", 32, middle, 6,
            fine(320, 640, 1152, 1600, blocks=(2, 3, 3, 3), text=(False, False, False, True)),
            sampling={"guidance": 5.0}, shift=-2.8, crop=128,
        ),
        tsr2=stage(
            "tsr", 64, middle, 12,
            fine(256, 512, 896, 1280, blocks=(2, 3, 3, 3), text=(False, False, False, True)),
            sampling={"guidance": 5.0}, shift=-2.8,
        ),
        tsr3=stage(
            "tsr", 128, middle, 24,
            fine(192, 448, 832, 1152, blocks=(2, 3, 3, 3), text=(False, False, False, True)),
            sampling={"guidance": 5.0}, shift=-2.8,
        ),
        ssr3=stage(
            "ssr", 128, large, 24,
            fine(192, 320, 640, 896, blocks=(2, 3, 3, 3), text=(False, False, False, False)),
            sampling={"tile": 256, "chunk": 32}, shift=-5.2, crop=256,
        ),
        text_dim=4096,
    )  # fmt: skip
    optim = Optim(lr=1e-4, warmup=10_000, clip_norm=1.0)

    def train(config: StageConfig, batch: int) -> StageRecipe:
        shape = config.shape
        data = Data(frames=system.frames, size=max(shape.height, shape.width), batch=batch, image_share=0.5)
        return StageRecipe(data=data, optim=optim, steps=1_000_000, ema=0.9999, gradient_checkpointing=True)

    batches = (2048, 1024, 1024, 512, 512, 512, 256)
    return Recipe(
        name="imagen_video_paper",
        system=system,
        text="t5:google/t5-v1_1-xxl",
        stages={name: train(c, n) for (name, c), n in zip(system.stages.items(), batches, strict=True)},
    )


def imagen_video_small() -> Recipe:
    """The paper's shapes up to its second ssr, and half of its seconds, at widths that one GPU trains in days."""
    paper = imagen_video_paper().system
    assert isinstance(paper, ImagenVideoConfig)
    sizes = {
        "base": ((8, 24, 40, 3), (128, 256, 384, 384), (2, 2, 2, 2)),
        "tsr1": ((16, 24, 40, 6), (96, 192, 288), (2, 2, 2)),
        "ssr1": ((16, 48, 80, 6), (96, 192, 256, 256), (1, 2, 2, 2)),
        "ssr2": ((16, 96, 160, 6), (64, 128, 192, 256), (1, 2, 2, 2)),
        "tsr2": ((32, 96, 160, 12), (64, 128, 192, 256), (1, 2, 2, 2)),
        "tsr3": ((64, 96, 160, 24), (64, 128, 192, 256), (1, 2, 2, 2)),
        "ssr3": ((64, 192, 320, 24), (48, 96, 192, 256), (1, 2, 2, 2)),
    }
    stages: dict[str, Any] = {}
    for name, ((frames, height, width, fps), widths, blocks) in sizes.items():
        old = paper.stages[name]
        unet = replace(old.unet, widths=widths, blocks=blocks, head_dim=32)
        shape = VideoShape(frames=frames, height=height, width=width, fps=fps)
        sampling = replace(old.sampling, steps=32, sampler="dpm-solver")
        stages[name] = replace(old, shape=shape, unet=unet, sampling=sampling, crop=min(old.crop, 128), weight="v")
    optim = Optim(lr=2e-4, warmup=2_000)

    def train(config: StageConfig) -> StageRecipe:
        shape = config.shape
        data = Data(frames=64, size=max(shape.height, shape.width), batch=64, image_share=0.25)
        return StageRecipe(data=data, optim=optim, steps=200_000, ema=0.9995, accumulate=4, gradient_checkpointing=True)

    return Recipe(
        name="imagen_video_small",
        system=ImagenVideoConfig(**stages, text_dim=384),
        text="minilm",
        stages={name: train(config) for name, config in stages.items()},
    )


def _sprites_stage(steps: int, images: float = 0.0, batch: int = 16, **optim: float) -> StageRecipe:
    data = Data(frames=8, size=64, channels=4, image_share=images, batch=batch)
    return StageRecipe(data=data, optim=replace(SMALL, **optim), steps=steps, ema=0.998, checkpoint_every=250)


def imagen_video_sprites() -> Recipe:
    """Ships as `imagen-video-sprites`: one second in 3, 4, 6 and at last 8 frames; 16, 32, 48 and at last 64 pixels
    a side, with a matte. The world's clips have eight frames, so no stage can double as the paper's do.

    Where a patch holds about as many values as the network is wide, it says x: v is mostly noise where there is little
    of that, and cannot pass through so few channels. A path of full size (`fine`) keeps detail and noise apart. The
    stages read little of the text; the refiner paints the last video again, as the text says.
    """

    def stage(kind: Kind, frames: int, size: int, unet: VideoUNetConfig, **more: Any) -> StageConfig:
        shape = VideoShape(frames=frames, height=size, width=size, fps=frames)
        sampling = Sampling(steps=24, sampler="dpm-solver", guidance=more.pop("guidance", 1.5))
        return StageConfig(kind=kind, shape=shape, unet=unet, sampling=sampling, augmentation_snr=300.0, **more)

    def fine(patch: int, *widths: int) -> VideoUNetConfig:
        return VideoUNetConfig(
            widths=widths, text=(False,), temporal=("conv",), patch=patch, fine=0 if patch == 1 else 16,
            emb=96, middle=1, mlp=1.0,
        )  # fmt: skip

    base = VideoUNetConfig(
        widths=(64, 128), attention=(False, True), text=(False, True), temporal=("attention",),
        head_dim=32, emb=192, middle=1, mlp=1.0,
    )  # fmt: skip
    clean: dict[str, Any] = {"predict": "x", "weight": "x"}
    system = ImagenVideoConfig(
        base=stage("base", 3, 16, base, guidance=3.0),
        tsr1=stage("tsr", 4, 16, fine(1, 40, 72), max_augmentation_time=0.7),
        ssr1=stage("ssr", 4, 32, fine(2, 48, 80), max_augmentation_time=0.7, guidance=2.0, **clean),
        ssr2=stage("ssr", 4, 48, fine(2, 40, 72), max_augmentation_time=0.7, **clean),
        tsr2=stage("tsr", 6, 48, fine(4, 40, 72), max_augmentation_time=0.7, **clean),
        tsr3=stage("tsr", 8, 48, fine(4, 40, 72), max_augmentation_time=0.7, **clean),
        ssr3=stage("ssr", 8, 64, fine(4, 40, 72), max_augmentation_time=0.7, **clean),
        channels=4,
        text_dim=384,
        whole_clips=True,
        refiner=sprites_refiner(),
    )
    return Recipe(
        name="imagen_video_sprites",
        system=system,
        stages={
            "base": _sprites_stage(3_500, 0.125, batch=32),
            "tsr1": _sprites_stage(1_000),
            "ssr1": _sprites_stage(2_000, 0.125),
            "ssr2": _sprites_stage(1_000, 0.125),
            "tsr2": _sprites_stage(800),
            "tsr3": _sprites_stage(800),
            "ssr3": _sprites_stage(1_600, 0.125),
            "refiner": replace(_sprites_stage(3_000, batch=64), ema=0.995),
        },
    )


def imagen_video_four() -> Recipe:
    """What is to follow `imagen_video_sprites`: the same video in four stages: four frames of 16x16, all eight of them,
    then 32x32 and 64x64 pixels. Frames are counted from the first, and those that are known pass through a tsr as they
    are. All stages read the text at all levels, through a small transformer that is trained with them.

    Where a patch holds about as many values as the network is wide, it says x: v is mostly noise where there is little
    of that, and cannot pass through so few channels. A path of full size (`fine`) keeps detail and noise apart, and
    adds to what it refines (`residual`). `max_augmentation_time` is little more than the noise of
    sampling (`augmentation_snr`).
    """

    def stage(kind: Kind, frames: int, size: int, unet: VideoUNetConfig, **more: Any) -> StageConfig:
        shape = VideoShape(frames=frames, height=size, width=size, fps=frames)
        sampling = Sampling(steps=8, sampler="dpm-solver", guidance=more.pop("guidance", 1.0))
        return StageConfig(
            kind=kind, shape=shape, unet=unet, sampling=sampling, counted="first", chroma=3.0, augmentation_snr=300.0,
            max_augmentation_time=0.1, **more,
        )  # fmt: skip

    def finer(*widths: int) -> VideoUNetConfig:
        """From the patches of 16x16 to all pixels."""
        return VideoUNetConfig(
            widths=widths, text=(True,), text_layers=1, text_width=128, temporal=("conv",), emb=128, middle=1, mlp=1.0,
            head_dim=16,
        )  # fmt: skip

    base = VideoUNetConfig(
        widths=(96, 160), attention=(False, True), text=(True,), text_layers=2, text_width=192,
        temporal=("attention",), head_dim=32, emb=192, middle=1, mlp=1.0,
    )  # fmt: skip
    clean: dict[str, Any] = {"predict": "x", "weight": "x"}
    system = ImagenVideoConfig(
        base=stage("base", 4, 16, base, guidance=3.0),
        tsr1=stage("tsr", 8, 16, finer(64, 96), fill="blank"),
        ssr1=stage("ssr", 8, 32, replace(finer(80, 96), patch=2, fine=24, residual=True), **clean),
        ssr2=stage("ssr", 8, 64, replace(finer(96, 112), patch=4, fine=24, residual=True), **clean),
        channels=4,
        text_dim=384,
        whole_clips=True,
        refiner=sprites_refiner(),
    )
    train = partial(_sprites_stage, final_lr=0.01)
    return Recipe(
        name="imagen_video_four",
        system=system,
        stages={
            "base": train(6_000, 0.125, batch=32),
            "tsr1": train(2_000),
            "ssr1": train(2_000),
            "ssr2": train(3_000),
            "refiner": replace(train(3_000, batch=64), ema=0.995),
        },
    )


def imagen_video_distilled() -> Recipe:
    """`imagen_video_sprites` in eight steps and one pass a step (Section 2.7); goes on from that model (`--init`).

    From 32 steps of the teacher, which pictures so small need no more of; each halving then gets a third of the steps.
    """
    whole = imagen_video_sprites()
    assert isinstance(whole.system, ImagenVideoConfig)
    distilled = {
        name: replace(c, distill=Distillation(guidance=c.sampling.guidance, steps=(16, 8)),
                      sampling=replace(c.sampling, sampler="ddim", steps=8))
        for name, c in whole.system.stages.items()
    }  # fmt: skip
    stages = {
        name: replace(
            stage,
            steps=stage.steps // 4,
            ema=0.98,  # of one phase alone
            optim=Optim(lr=2e-4, warmup=20, final_lr=0.2),
            data=replace(stage.data, image_share=0.0),
        )
        for name, stage in whole.stages.items()
        if name in distilled
    } | {"refiner": whole.stages["refiner"]}
    return replace(whole, name="imagen_video_distilled", system=replace(whole.system, **distilled), stages=stages)


def imagen_video_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""

    def stage(kind: Kind, frames: int, size: int, patch: int = 1, **more: Any) -> StageConfig:
        attention = kind == "base"
        unet = VideoUNetConfig(
            widths=(16, 24), attention=(False, attention), text=(False,), head_dim=8, mlp=1.0, middle=1, emb=32,
            temporal=("attention" if attention else "conv",), patch=patch,
        )  # fmt: skip
        shape = VideoShape(frames=frames, height=size, width=size, fps=frames)
        sampling = Sampling(steps=4, sampler="dpm-solver", guidance=2.0 if attention else 1.0)
        return StageConfig(kind=kind, shape=shape, unet=unet, sampling=sampling, augmentation_snr=10.0, **more)

    system = ImagenVideoConfig(
        base=stage("base", 2, 4),
        tsr1=stage("tsr", 3, 4, fill="blank"),
        ssr1=stage("ssr", 3, 8),
        ssr2=stage("ssr", 3, 12, 2),
        tsr2=stage("tsr", 4, 12, 2),
        tsr3=stage("tsr", 5, 12, 2),
        ssr3=stage("ssr", 5, 16, 2, crop=8),
        text_dim=32,
        whole_clips=True,
    )
    train = tiny_stage(Data(frames=5, size=16, batch=8), steps=20, warmup=2, checkpoint_every=20)
    return Recipe(name="imagen_video_tiny", system=system, stages=dict.fromkeys(system.stages, train), text="hash:32")
