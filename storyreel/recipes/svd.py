"""Recipes for Stable Video Diffusion. `storyreel train svd_tiny --data DIR -o RUN` trains all stages.

| recipe                 | parameters | clips                 | trained on   | result                        |
| ---------------------- | ---------- | --------------------- | ------------ | ----------------------------- |
| svd_tiny               | 0.2 M      | 4 x 16x16             | tests        | learns a batch by heart       |
| svd_small              | 7 M        | 8 x 32x32             | digits, CPU  | see docs/results.md           |
| svd_sprites            | 7 M        | 8 x 64x64, matte      | sprites, CPU | 93.1 % of attributes right    |
| svd_turnaround         | 4 M        | 4 x 64x64, matte      | sprites, CPU | a sprite seen from all sides  |
| svd_turnaround_factors | 4 M        | 4 x 64x64, matte      | sprites, CPU | the same, as a small file     |
| svd_interpolation      | 4 M        | 5 of 8 x 64x64, matte | sprites, CPU | four times the frames         |
| svd_facing             | 4 M        | 8 x 64x64, matte      | sprites, CPU | all seen from one side        |
| svd_finetune           | of --init  | 14 x 1024x1024        | own footage  | not trained yet               |
| svd_lora               | of --init  | 14 x 1024x1024        | own footage  | not trained yet               |
| svd_paper              | 3.1 B      | 14 x 576x1024         | never        | checked for its size alone    |

`svd_finetune` and `svd_lora` go on from published weights, whose sizes they take. The parameters are those of a model:
an autoencoder, and two networks, for text and for a picture, or the one of the recipes that go on from such a model.
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.diffusion.sampling import Sampling
from storyreel.recipe import Data, Optim, Recipe, StageRecipe, tiny_stage
from storyreel.recipes._small import SMALL, sprites_refiner
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.svd import SvdConfig
from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_diffusion import DiffusionConfig
from storyreel.systems.svd_factors import FactorsConfig
from storyreel.systems.svd_picture import PictureConfig
from storyreel.systems.svd_reconstruction import ReconstructionLoss
from storyreel.systems.svd_unet import SvdUNetConfig

KARRAS = Sampling(
    steps=25, sampler="euler", grid="karras", sigma_min=0.002, sigma_max=700.0,
    guidance=3.0, frame_guidance="linear",
)  # fmt: skip


def svd_paper() -> Recipe:
    """Blattmann et al. 2023, Appendix D: sizes, noise laws, batches and learning rates as printed.

    Its autoencoder and its network for pictures are those of Stable Diffusion 2.1; here they have stages of their own.
    Frames of 576x1024 in all stages, where the paper begins at 256x384 and goes on at 320x576.
    """
    data = Data(frames=14, size=1024, batch=768)
    adam, ema = Optim(lr=1e-4), 0.9999
    size = VideoShape(frames=14, height=576, width=1024, fps=7)
    text = Sampling(steps=50, sampler="euler", grid="karras", sigma_min=0.002, sigma_max=700.0, guidance=7.0)
    row = DiffusionConfig
    return Recipe(
        name="svd_paper",
        system=SvdConfig(
            shape=size,
            images=row(noise="svd-images", sampling=text),
            videos=row(noise="svd-videos", slowed=0.2, sampling=text),
            text_to_video=row(noise="svd-text-to-video", slowed=0.2, sampling=text),
            image_to_video=row(noise="svd-image-to-video-large", slowed=0.2, sampling=KARRAS),
        ),
        text="clip:laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        stages={
            "autoencoder": StageRecipe(data=replace(data, frames=1, image_share=1.0), optim=adam, steps=100_000),
            "decoder": StageRecipe(data=replace(data, batch=64), optim=adam, steps=50_000),
            "images": StageRecipe(data=data, optim=adam, steps=31_000, ema=ema),
            "videos": StageRecipe(data=replace(data, batch=1536), optim=adam, steps=250_000, ema=ema),
            "text_to_video": StageRecipe(data=data, optim=Optim(lr=3e-5), steps=50_000, ema=ema),
            "image_to_video": StageRecipe(data=data, optim=Optim(lr=3e-5), steps=100_000, ema=ema),
        },
    )


def svd_sprites() -> Recipe:
    """Ships as `svd-sprites`: eight frames of 64x64 with a matte, in latents of 16x16.

    The network reads squares of 2x2 latents. Its noise laws are the paper's. One network serves pictures and texts,
    which halves what ships: half of the clips of the last stage have no picture.
    """
    data = Data(frames=8, size=64, channels=4, batch=32)
    few = Sampling(
        steps=16, sampler="dpm-solver", grid="karras", sigma_min=0.01, sigma_max=200.0, guidance=3.0,
    )  # fmt: skip
    ramp = replace(few, frame_guidance="linear", guidance=3.0)
    row = DiffusionConfig
    stage = StageRecipe(data=data, optim=SMALL, steps=3_000, ema=0.998, checkpoint_every=200)
    return Recipe(
        name="svd_sprites",
        system=SvdConfig(
            shape=VideoShape(frames=8, height=64, width=64, fps=8),
            autoencoder=AutoencoderConfig(
                channels=4, latent_channels=8, widths=(32, 64), blocks=1, groups=8, scale=0.0, cell=2
            ),
            reconstruction=ReconstructionLoss(l1=0.5, chroma=30.0, kl=3e-4),
            unet=SvdUNetConfig(
                widths=(48, 64), heads=(2, 2), blocks=1, context=384, condition_features=32, groups=8,
                expand=2, patch=2,
            ),
            images=row(noise="svd-images", sampling=few),
            videos=row(noise="svd-videos", slowed=0.15, max_fps=16, sampling=few),
            text_to_video=None,
            image_to_video=row(noise="svd-image-to-video", slowed=0.15, max_fps=16, pictureless=0.5, sampling=ramp),
            refiner=sprites_refiner(),
        ),
        stages={
            "autoencoder": replace(stage, data=replace(data, frames=1, batch=32, image_share=1.0), steps=2_000),
            "decoder": replace(stage, data=replace(data, batch=8), steps=600),
            "images": replace(stage, data=replace(data, batch=64), steps=1_500),
            "videos": replace(stage, steps=3_000),
            "image_to_video": replace(stage, optim=replace(SMALL, muon=0.01, lr=5e-4, warmup=50), steps=3_000),
            "refiner": replace(stage, data=replace(data, batch=64)),
        },
    )  # fmt: skip


def svd_turnaround() -> Recipe:
    """From a trained svd_sprites (`--init RUN/model`): the views of a character, from one of them (Appendix D.6), on
    clips of `sprites:LPC?turnaround=true&frames=4`."""
    recipe = svd_sprites()
    assert isinstance(recipe.system, SvdConfig)
    stage, row = recipe.stages["image_to_video"], recipe.system.image_to_video
    sampling = replace(row.sampling, frame_guidance="constant", guidance=1.0)
    turnaround = replace(row, slowed=0.0, pictureless=0.0, sampling=sampling)
    system = replace(recipe.system, shape=replace(recipe.system.shape, frames=4), turnaround=turnaround)
    stage = replace(stage, data=replace(stage.data, frames=4), steps=2_000)
    return Recipe(name="svd_turnaround", system=system, stages={"turnaround": stage})


def svd_turnaround_factors() -> Recipe:
    """Ships as `svd-turnaround-sprites`: the same by factors beside all layers of the trained network, which stays as
    it is, on the same clips."""
    recipe = svd_turnaround()
    assert isinstance(recipe.system, SvdConfig)
    optim = Optim(lr=5e-3, warmup=50, weight_decay=0.0, clip_norm=0.1)
    return Recipe(
        name="svd_turnaround_factors",
        system=replace(recipe.system, factors=FactorsConfig(rank=2, alpha=4, on="all")),
        stages={"turnaround": replace(recipe.stages["turnaround"], optim=optim, steps=1_400)},
    )


def svd_interpolation() -> Recipe:
    """From a trained svd_sprites (`--init RUN/model`): three frames between any two, whose rate is four times that of
    what is interpolated (Appendix D.5), on clips of the same data."""
    recipe = svd_sprites()
    assert isinstance(recipe.system, SvdConfig)
    row = replace(recipe.system.image_to_video, noise="svd-interpolation", slowed=0.0, pictureless=0.0)
    sampling = replace(row.sampling, guidance=1.0, frame_guidance="constant")
    system = replace(recipe.system, interpolation=replace(row, sampling=sampling), refiner=None)
    return Recipe(
        name="svd_interpolation", system=system,
        stages={"interpolation": replace(recipe.stages["image_to_video"], steps=2_000)},
    )  # fmt: skip


def svd_facing() -> Recipe:
    """From a trained svd_sprites (`--init RUN/model`): factors of rank 16 in its attention in time (Appendix D.4.2), on
    clips that are seen from one side, `sprites:LPC?facing=left`."""
    recipe = svd_sprites()
    assert isinstance(recipe.system, SvdConfig)
    stage = recipe.stages["image_to_video"]
    optim = Optim(lr=1e-3, warmup=50, weight_decay=0.0)
    return Recipe(
        name="svd_facing",
        system=replace(recipe.system, factors=FactorsConfig(rank=16)),
        stages={"factors": replace(stage, optim=optim, steps=500)},
    )


def svd_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""
    data = Data(frames=4, size=16, batch=8)
    few = Sampling(steps=6, sampler="euler", grid="karras", sigma_min=0.01, sigma_max=100.0, guidance=2.0)
    row = DiffusionConfig
    stage = tiny_stage(data)
    return Recipe(
        name="svd_tiny",
        system=SvdConfig(
            shape=VideoShape(frames=4, height=16, width=16, fps=8),
            autoencoder=AutoencoderConfig(latent_channels=4, widths=(16, 16), blocks=1, groups=8, scale=0.0, cell=2),
            reconstruction=ReconstructionLoss(chroma=1.0),
            unet=SvdUNetConfig(
                widths=(16, 24), heads=(1, 1), blocks=1, context=32, condition_features=8, groups=8, expand=2
            ),
            images=row(noise="svd-images", sampling=few),
            videos=row(noise="svd-videos", slowed=0.2, max_fps=16, sampling=few),
            text_to_video=row(noise="svd-text-to-video", sampling=few),
            image_to_video=row(noise="svd-image-to-video", sampling=replace(few, frame_guidance="linear")),
        ),
        stages={
            "autoencoder": replace(stage, data=replace(data, frames=1, image_share=1.0)),
            **dict.fromkeys(("decoder", "images", "videos", "text_to_video", "image_to_video"), stage),
        },
        text="hash:32",
    )


def svd_small() -> Recipe:
    """All of the paper's stages at 32 pixels, for comparisons in minutes of one core."""
    data = Data(frames=8, size=32, batch=32)
    few = Sampling(
        steps=16, sampler="dpm-solver", grid="karras", sigma_min=0.01, sigma_max=200.0, guidance=3.0,
    )  # fmt: skip
    row = DiffusionConfig
    stage = StageRecipe(data=data, optim=SMALL, steps=1_000, ema=0.995)
    return Recipe(
        name="svd_small",
        system=SvdConfig(
            shape=VideoShape(frames=8, height=32, width=32, fps=8),
            autoencoder=AutoencoderConfig(latent_channels=8, widths=(32, 64), blocks=1, groups=8, scale=0.0, cell=2),
            reconstruction=ReconstructionLoss(l1=0.5, kl=3e-4),
            unet=SvdUNetConfig(
                widths=(48, 64),
                heads=(2, 2),
                blocks=1,
                context=384,
                condition_features=32,
                groups=8,
                expand=2,
                patch=2,
            ),
            images=row(noise="svd-images", sampling=few),
            videos=row(noise="svd-videos", slowed=0.15, max_fps=16, sampling=few),
            text_to_video=row(noise="svd-text-to-video", sampling=few),
            image_to_video=row(noise="svd-image-to-video", sampling=replace(few, frame_guidance="linear")),
        ),
        stages={
            "autoencoder": replace(stage, data=replace(data, frames=1, image_share=1.0)),
            "decoder": replace(stage, data=replace(data, batch=8), steps=400),
            "images": replace(stage, data=replace(data, batch=64)),
            **dict.fromkeys(("videos", "text_to_video", "image_to_video"), stage),
        },
    )


def svd_finetune() -> Recipe:
    """From published weights (`--init FOLDER`), whose sizes it takes: the network, or its layers in time
    (`--set system.picture.tuned=temporal`), on clips without captions. Noise law of Appendix D.4."""
    data = Data(frames=14, size=1024, batch=8)
    stage = StageRecipe(
        data=data, optim=Optim(lr=1e-5, warmup=200), steps=10_000, accumulate=8, gradient_checkpointing=True, ema=0.999
    )
    return Recipe(
        name="svd_finetune", system=_from_picture(PictureConfig()), stages={"unet": stage}, text="hash:1"
    )  # fmt: skip


def svd_lora() -> Recipe:
    """From published weights (`--init FOLDER`), whose sizes it takes: factors of rank 16 in the attention in time
    (Appendix D.4.2), on clips without captions."""
    stage = StageRecipe(
        data=Data(frames=14, size=1024, batch=8), optim=Optim(lr=1e-4, warmup=100, weight_decay=0.0), steps=5_000,
        accumulate=8, gradient_checkpointing=True, ema=0.999,
    )  # fmt: skip
    return Recipe(
        name="svd_lora", system=_from_picture(PictureConfig(rank=16)), stages={"lora": stage}, text="hash:1"
    )  # fmt: skip


def _from_picture(picture: PictureConfig) -> SvdConfig:
    """The published model."""
    row = DiffusionConfig(noise="svd-image-to-video", drop=0.1, slowed=0.2, sampling=KARRAS)
    shape = VideoShape(frames=14, height=576, width=1024, fps=7)
    return SvdConfig(shape=shape, image_to_video=row, chunk=8, picture=picture)
