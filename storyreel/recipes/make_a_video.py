"""Recipes for Make-A-Video. `storyreel train make_a_video_tiny --data DIR -o RUN` trains all seven stages.

| recipe               | parameters | video            | trained on   | result                     |
| -------------------- | ---------- | ---------------- | ------------ | -------------------------- |
| make_a_video_tiny    | 0.3 M      | 6 x 16x16        | tests        | learns a batch by heart    |
| make_a_video_sprites | 11.3 M     | 8 x 64x64, matte | sprites, CPU | 87.1 % of attributes right |
| make_a_video_small   | 0.3 B      | 29 x 256x256     | one GPU      | not trained yet            |
| make_a_video_paper   | 9.7 B      | 76 x 768x768     | never        | checked for its size alone |

The parameters of `small` and `paper` are without CLIP; of `paper`, each of the five networks is counted whole, as
later papers count it, though the decoder and the interpolation share their layers in space.

The stages `prior`, `decoder`, `sr_l`, `sr_h` and `refiner` are trained on single frames, `decoder_video`,
`interpolation` and `sr_l_video` on videos; only `prior` and `refiner` are given captions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from storyreel.diffusion.sampling import Sampling
from storyreel.nn.clip import ClipConfig, TowerConfig
from storyreel.nn.dual_encoder import DualEncoderConfig
from storyreel.nn.video_unet import VideoUNetConfig
from storyreel.recipe import Data, Optim, Recipe, StageRecipe, tiny_stage
from storyreel.recipes._small import SMALL, sprites_refiner
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.make_a_video import MakeAVideoConfig
from storyreel.systems.make_a_video_networks import NetConfig
from storyreel.systems.make_a_video_prior import ImageTextConfig, PriorConfig

CLIP_TEXT = "clip:openai/clip-vit-large-patch14"
_CLIP = ImageTextConfig(
    kind="clip",
    source="clip-vit-l-14",
    sha256="a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
    clip=ClipConfig(
        text=TowerConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12),
        vision=TowerConfig(
            hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14
        ),
        projection_dim=768,
    ),
)


def make_a_video_paper() -> Recipe:
    """Singer et al. 2022, Sections 3 and 4.1: the shapes as printed, clips of 30 frames a second. Widths and depths are
    ours; steps, batches and guidance are not printed."""

    def net(shape: VideoShape, unet: VideoUNetConfig, **more: Any) -> NetConfig:
        guidance = more.pop("guidance", 1.0)
        sampling = Sampling(steps=250, sampler="ancestral", threshold=0.995, guidance=guidance)
        return NetConfig(shape=shape, unet=unet, sampling=sampling, augmentation_snr=10.0, **more)

    def fine(*widths: int, temporal: str) -> VideoUNetConfig:
        return VideoUNetConfig(widths=widths, blocks=(2, 2, 3, 3), temporal=(temporal,))

    system = MakeAVideoConfig(
        encoder=_CLIP,
        prior=PriorConfig(depth=26),
        decoder=net(
            _square(16, 64, 6),
            VideoUNetConfig(
                widths=(576, 1216, 1792, 2432), blocks=(3, 3, 3, 3), attention=(False, True, True, True),
                temporal=("both",), head_dim=64, mlp=0.0,
            ),
            guidance=6.0,
        ),
        sr_l=net(_square(76, 256, 30), fine(384, 768, 1472, 1856, temporal="conv"), shift=-2.8, crop=64),
        sr_h=net(_square(76, 768, 30), fine(256, 512, 960, 1600, temporal="none"), shift=-5.0, crop=256),
    )  # fmt: skip
    optim = Optim(lr=1e-4, warmup=10_000, clip_norm=1.0)

    def train(size: int, batch: int, steps: int) -> StageRecipe:
        data = Data(frames=76, size=size, batch=batch)
        return StageRecipe(data=data, optim=optim, steps=steps, ema=0.9999, gradient_checkpointing=True)

    stages = {n: train(max(s), 512 if n.endswith(("video", "interpolation")) else 2048, 500_000)
              for n, s in system.clips.items()}  # fmt: skip
    stages["prior"] = replace(stages["prior"], data=replace(stages["prior"].data, batch=4096))
    return Recipe(name="make_a_video_paper", system=system, text=CLIP_TEXT, stages=_in_turn(stages))


def make_a_video_small() -> Recipe:
    """The paper's order of things at sizes that one GPU trains in days: 29 frames of 256x256."""
    unet = VideoUNetConfig(
        widths=(128, 256, 384, 512), blocks=(2,), attention=(False, False, True, True), temporal=("both",), head_dim=32,
        mlp=1.0,
    )  # fmt: skip
    fine = VideoUNetConfig(widths=(64, 128, 256, 384), blocks=(1, 2, 2, 2), temporal=("conv",))
    quick = Sampling(steps=32, sampler="dpm-solver")
    finer: dict[str, Any] = {"unet": fine, "sampling": quick, "augmentation_snr": 10.0}
    system = MakeAVideoConfig(
        encoder=_CLIP,
        prior=PriorConfig(dim=768, depth=12, heads=12, mlp=3072, sampling=Sampling(steps=32)),
        decoder=NetConfig(shape=_square(8, 64, 6), unet=unet, sampling=replace(quick, guidance=4.0)),
        sr_l=NetConfig(shape=_square(29, 128, 24), shift=-1.4, crop=64, **finer),
        sr_h=NetConfig(shape=_square(29, 256, 24), shift=-2.8, crop=128, **finer),
        skip=4,
        max_skip=4,
    )
    optim = Optim(lr=2e-4, warmup=2_000)

    def train(size: int, batch: int) -> StageRecipe:
        data = Data(frames=29, size=size, batch=batch)
        return StageRecipe(data=data, optim=optim, steps=200_000, ema=0.9995, gradient_checkpointing=True)

    stages = {n: train(max(s), 64 if n.endswith(("video", "interpolation")) else 256) for n, s in system.clips.items()}
    return Recipe(name="make_a_video_small", system=system, text=CLIP_TEXT, stages=_in_turn(stages))


def make_a_video_sprites() -> Recipe:
    """Ships as `make-a-video-sprites`: 4 frames of 32x32, filled in to 8, made 48 and then 64 pixels a side, with a
    matte. The embeddings are those of `encoder-sprites`, whose towers for pictures and sentences are in the model."""

    def net(frames: int, size: int, fps: int, patch: int, unet: VideoUNetConfig, guidance: float = 1.0) -> NetConfig:
        sampling = Sampling(steps=12, sampler="dpm-solver", guidance=guidance)
        clean: dict[str, Any] = {"predict": "x", "weight": "x"} if patch > 2 else {}  # see imagen_video_sprites
        return NetConfig(
            shape=_square(frames, size, fps),
            unet=replace(unet, patch=patch),
            sampling=sampling,
            augmentation_snr=300.0,
            max_augmentation_time=0.7,
            **clean,
        )

    decoder = VideoUNetConfig(
        widths=(72, 128), attention=(False, True), temporal=("both",), head_dim=32, emb=192, middle=1, mlp=1.0
    )
    fine = VideoUNetConfig(widths=(40, 72), temporal=("conv",), fine=16, emb=96, middle=1, mlp=1.0)
    system = MakeAVideoConfig(
        encoder=ImageTextConfig(
            source="encoder-sprites", sha256="ceb7b022e04ebc55f00647020ee4c1d6fb4dcfb4dc192771b4a2c4f4c29bc701"
        ),
        prior=PriorConfig(dim=160, depth=4, heads=5, mlp=448, sampling=Sampling(steps=16, guidance=1.5)),
        decoder=net(4, 32, 4, 2, decoder, 2.0),
        sr_l=net(8, 48, 8, 4, fine),
        sr_h=net(8, 64, 8, 4, fine),
        skip=2,
        max_skip=2,
        channels=4,
        text_dim=384,
        whole_clips=True,
        refiner=sprites_refiner(),
    )

    def train(steps: int, batch: int) -> StageRecipe:
        data = Data(frames=8, size=64, channels=4, batch=batch)
        return StageRecipe(data=data, optim=SMALL, steps=steps, ema=0.998, checkpoint_every=250)

    stages = {
        "prior": train(4_000, 192),
        "decoder": train(7_000, 64),
        "sr_l": train(1_500, 48),
        "sr_h": train(1_500, 48),
        "decoder_video": train(2_000, 24),
        "interpolation": train(1_500, 16),
        "sr_l_video": train(600, 16),
        "refiner": train(3_000, 64),
    }
    return Recipe(name="make_a_video_sprites", system=system, stages=_in_turn(stages))


def make_a_video_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""

    def net(frames: int, size: int, fps: int, patch: int = 1, *, temporal: str = "conv", crop: int = 0) -> NetConfig:
        decoder = temporal == "both"
        unet = VideoUNetConfig(
            widths=(16, 24), attention=(False, decoder), head_dim=8, mlp=1.0, middle=1, emb=32, temporal=(temporal,),
            patch=patch,
        )  # fmt: skip
        sampling = Sampling(steps=4, sampler="dpm-solver", guidance=2.0 if decoder else 1.0)
        shape = _square(frames, size, fps)
        return NetConfig(shape=shape, unet=unet, sampling=sampling, crop=crop, augmentation_snr=10.0)

    system = MakeAVideoConfig(
        encoder=ImageTextConfig(
            dual=DualEncoderConfig(
                size=16, frames=6, patch=4, widths=(16, 32), dim=32, heads=2, mlp=64, time_depth=1, text_depth=1,
                text_dim=32, feature=32, embed=16,
            ),
        ),
        prior=PriorConfig(dim=32, depth=1, heads=2, mlp=64, sampling=Sampling(steps=4)),
        decoder=net(3, 8, 3, temporal="both"),
        sr_l=net(6, 12, 6, 2),
        sr_h=net(6, 16, 6, 2, crop=8),
        skip=2,
        max_skip=2,
        carry=2,
        text_dim=32,
    )  # fmt: skip
    train = tiny_stage(Data(frames=6, size=16, batch=8), steps=20, warmup=2, checkpoint_every=20)
    seen = {name: replace(train, data=replace(train.data, size=max(size))) for name, size in system.clips.items()}
    stages = _in_turn(seen)
    return Recipe(name="make_a_video_tiny", system=system, stages=stages, text="hash:32")


def _square(frames: int, size: int, fps: int) -> VideoShape:
    return VideoShape(frames=frames, height=size, width=size, fps=fps)


def _in_turn(stages: dict[str, StageRecipe]) -> dict[str, StageRecipe]:
    """The networks for pictures on single frames, all others on whole clips."""
    pictures = ("prior", "decoder", "sr_l", "sr_h", "refiner")
    return {
        name: replace(s, data=replace(s.data, frames=1, image_share=1.0)) if name in pictures else s
        for name, s in stages.items()
    }
