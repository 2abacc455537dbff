"""Recipes for Make-A-Video. `storyreel train make_a_video_tiny --data DIR -o RUN` trains all seven stages.

| recipe               | parameters | video            | trained on       | result                         |
| -------------------- | ---------- | ---------------- | ---------------- | ------------------------------ |
| make_a_video_tiny    | 0.1 M      | 6 x 16x16        | tests            | learns a batch by heart        |
| make_a_video_sprites | 0 M        | 8 x 64x64, matte | 2 CPU cores      | see docs/results.md            |
| make_a_video_small   | 0 B        | 31 x 256x256     | one GPU, not yet | --                             |
| make_a_video_paper   | 0 B        | 76 x 768x768     | never            | checked for its size on `meta` |

The stages `prior`, `decoder`, `sr_l` and `sr_h` are trained on single frames, `decoder_video`, `interpolation` and
`sr_l_video` on videos; only `prior` is given captions.
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.nn.dual_encoder import DualEncoderConfig
from storyreel.nn.video_unet import VideoUNetConfig
from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.systems.cascade import Sampling, Shape
from storyreel.systems.make_a_video import MakeAVideoConfig
from storyreel.systems.make_a_video_encoder import ImageTextConfig
from storyreel.systems.make_a_video_images import NetConfig
from storyreel.systems.make_a_video_prior import PriorConfig


def make_a_video_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""

    def net(frames: int, size: int, fps: int, patch: int = 1, *, temporal: str = "conv", crop: int = 0) -> NetConfig:
        decoder = temporal == "both"
        unet = VideoUNetConfig(
            widths=(16, 24), attention=(False, decoder), head_dim=8, mlp=1.0, middle=1, emb=32, temporal=(temporal,),
            patch=patch,
        )  # fmt: skip
        sampling = Sampling(steps=4, sampler="dpm-solver", guidance=2.0 if decoder else 1.0, snr=10.0)
        return NetConfig(shape=_square(frames, size, fps), unet=unet, sampling=sampling, crop=crop)

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
        most_skip=2,
        carry=2,
        text_dim=32,
    )  # fmt: skip
    train = StageRecipe(
        data=Data(frames=6, size=16, batch=8),
        optim=Optim(lr=3e-3, warmup=2),
        steps=20,
        precision="fp32",
        ema=0.9,
        checkpoint_every=20,
        sample_every=20,
    )
    return Recipe(name="make_a_video_tiny", system=system, stages=_stages(train, train), text="hash:32")


def _square(frames: int, size: int, fps: int) -> Shape:
    return Shape(frames=frames, height=size, width=size, fps=fps)


def _stages(images: StageRecipe, videos: StageRecipe) -> dict[str, StageRecipe]:
    """On single frames first, then on videos."""
    single = replace(images, data=replace(images.data, frames=1, image_share=1.0))
    first, then = ("prior", "decoder", "sr_l", "sr_h"), ("decoder_video", "interpolation", "sr_l_video")
    return dict.fromkeys(first, single) | dict.fromkeys(then, videos)
