"""Recipes for video GANs: images, then videos.

    storyreel train stylesv_skies --data "skies:?clips=5000&only=weather=dry" -o RUN

| recipe         | parameters | clips      | trained on        | result              |
| -------------- | ---------- | ---------- | ----------------- | ------------------- |
| video_gan_tiny | 0.1 M      | 4 x 16x16  | tests             | --                  |
| stylesv_skies  | 1.1 M      | 16 x 64x64 | skies, CPU        | FVD 31.1 (real 9.3) |
| stylesv_small  | 0.4 M      | 16 x 32x32 | skies, CPU        | see docs/results.md |
| stylesv        | 4 M        | 16 x 64x64 | a world           | not trained yet     |
| stylegan_v     | 4 M        | 16 x 64x64 | a world           | not trained yet     |
| mocogan        | 4 M        | 16 x 64x64 | a world           | not trained yet     |
| tfgan          | 4 M        | 16 x 64x64 | a world, captions | not trained yet     |
| ircgan         | 4 M        | 16 x 64x64 | a world, captions | not trained yet     |

| switches       | motion    | frames    | critic   | text   | loss             |
| -------------- | --------- | --------- | -------- | ------ | ---------------- |
| video_gan_tiny | bspline   | stylegan3 | tsm_mean | --     | nonsat+r1        |
| stylesv_skies  | bspline   | stylegan2 | tsm_mean | --     | nonsat+r1        |
| stylesv        | bspline   | stylegan3 | tsm_mean | --     | nonsat+r1        |
| stylegan_v     | linear    | stylegan2 | concat   | --     | nonsat+r1        |
| mocogan        | gru       | dcgan     | image+3d | --     | bce              |
| tfgan          | gru       | r3        | image+3d | filter | nonsat+r1, wrong |
| ircgan         | lstm_maps | dcgan     | image+3d | info   | bce, wrong       |

The last five are the papers' networks as switches of one system, at equal parameters (generator and critic), to be
compared at equal compute. `wrong`: real clips under a wrong text are negatives.
"""

from __future__ import annotations

from dataclasses import replace

from storyreel.recipe import Data, Optim, Recipe, StageRecipe, tiny_stage
from storyreel.systems.video_gan import VideoGanConfig

ADAM = Optim(lr=2.5e-3, betas=(0.0, 0.99), weight_decay=0.0, warmup=0, final_lr=0.2, clip_norm=100.0)
"""StyleGAN2's, whose equalised weights want a large rate. Gradients are bounded only where they explode."""
SMALL = VideoGanConfig(
    size=32, z_dim=64, w_dim=64, motion_dim=32, layers=5, margin=4, channel_base=512, channel_max=64, low_rank=4,
    anchor_kernel=5, periods=(16, 512), critic_base=512, critic_max=64, r1=2.0, augment=0.6,
)  # fmt: skip


def stylesv_skies() -> Recipe:
    """StyleSV at 64 pixels for the world `skies`, in an hour of one core, with the frames of StyleGAN2: three times the
    steps in the same hour, and a quarter of the distance. Rain and snow are left out of its data (`only=weather=dry`):
    generators make scribbles in their place."""
    system = replace(
        SMALL, size=64, layers=6, channel_base=768, channel_max=96, critic_base=1024, critic_max=96, r1=4.0,
        frames="stylegan2",
    )  # fmt: skip
    return _preset("stylesv_skies", system, steps=(7_061, 2_060))


def _preset(
    name: str, system: VideoGanConfig, text: str = "hash:32", steps: tuple[int, int] = (20_000, 20_000)
) -> Recipe:
    """16 frames of the system's size. steps: of images, where they are learned first, and of videos."""
    videos = StageRecipe(
        data=Data(frames=16, size=system.size, batch=8),
        optim=ADAM,
        steps=steps[1],
        ema=0.998,
        checkpoint_every=200,
        sample_every=0,
    )
    images = replace(videos, data=Data(frames=1, size=system.size, batch=16, image_share=1.0), steps=steps[0])
    stages = {"images": images, "videos": videos} if system.image_pretraining else {"videos": videos}
    return Recipe(name=name, system=system, stages=stages, text=text)


def stylesv() -> Recipe:
    """StyleSV (Zhang et al. 2022)."""
    system = VideoGanConfig(
        z_dim=256, w_dim=256, motion_dim=128, layers=6, margin=5, channel_base=2048, channel_max=192, low_rank=4,
        anchor_kernel=5, periods=(16, 512), critic_base=2048, critic_max=192, augment=0.6,
    )  # fmt: skip
    return _preset("stylesv", system)


def stylesv_small() -> Recipe:
    """StyleSV at 32 pixels, for comparisons in minutes of one core."""
    return _preset("stylesv_small", SMALL)


def stylegan_v() -> Recipe:
    """StyleGAN-V (Skorokhodov et al. 2022)."""
    system = VideoGanConfig(
        motion="linear", frames="stylegan2", critic="concat", image_pretraining=False, z_dim=256, w_dim=256,
        motion_dim=128, channel_base=2048, channel_max=136, anchor_kernel=5, periods=(16, 512), critic_base=2048,
        critic_max=168, augment=0.6,
    )  # fmt: skip
    return _preset("stylegan_v", system)


def mocogan() -> Recipe:
    """MoCoGAN (Tulyakov et al. 2018), without its categories."""
    system = VideoGanConfig(
        motion="gru", frames="dcgan", critic="image+3d", loss="bce", image_pretraining=False, seen_frames=16,
        z_dim=50, motion_dim=10, channel_base=2048, channel_max=232, critic_base=2048, critic_max=104,
    )  # fmt: skip
    return _preset("mocogan", system)


def tfgan() -> Recipe:
    """TFGAN (Balaji et al. 2019); its penalty of 10 times the gradient's square is r1 = 20."""
    system = VideoGanConfig(
        motion="gru", frames="r3", critic="image+3d", text="filter", negatives="wrong_text", r1=20.0, seen_frames=16,
        image_pretraining=False, z_dim=128, motion_dim=128, channel_base=2048, channel_max=208, critic_base=1536,
        critic_max=96, text_dim=384,
    )  # fmt: skip
    return _preset("tfgan", system, "minilm")


def ircgan() -> Recipe:
    """IRC-GAN (Deng et al. 2019)."""
    system = VideoGanConfig(
        motion="lstm_maps", frames="dcgan", critic="image+3d", loss="bce", text="info", negatives="wrong_text",
        image_pretraining=False, seen_frames=16, z_dim=64, motion_dim=32, channel_base=1536, channel_max=128,
        critic_base=2048, critic_max=92, text_dim=384,
    )  # fmt: skip
    return _preset("ircgan", system, "minilm")


def video_gan_tiny() -> Recipe:
    """The same code at toy size, for tests and for a first look."""
    tiny = tiny_stage(Data(frames=1, size=16, batch=8, image_share=1.0), steps=60, checkpoint_every=30)
    images = replace(tiny, optim=replace(ADAM, lr=5e-3))
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
