"""One contender at one task, for `benchmarks/stylesv.py`: python FILE TASK WHO CHECKOUT PRECISION THREADS WARM-UPS.

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end".

The peer is the released code, run from a local checkout with its reference operations. What it needs to run here:
`omegaconf` is stood in for (settings are read as attributes, and its classes copied by pickle), and so is
`pkg_resources`, which setuptools no longer has. It can be built with 512 channels at the bottom alone, which is why
both are as wide.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from process import Inside, Work, serve, timed, training
from torch import Tensor, nn

if TYPE_CHECKING:
    from storyreel.systems.base import Tick
    from storyreel.systems.video_gan import VideoGanStage

SIZE, FRAMES, LAYERS, MARGIN = 64, 3, 8, 10
WIDE, BASE, MAX = 512, 2048, 512  # of codes and styles; channels at one pixel a side, and at most
DISTANCE, KERNEL, SPAN = 16, 11, 16
CHUNK = 16  # frames that are sampled at once
RATE, BETAS = 2.5e-3, (0.0, 0.99)


def turns(networks: dict[str, nn.Module], losses: dict[str, Callable[[], Tensor]], inside: Inside) -> Work:
    """A step of each network, while the other's weights are frozen, as both trainers do."""
    steps = {}
    for name, network in networks.items():
        steps[name] = training(losses[name], torch.optim.Adam(network.parameters(), lr=RATE, betas=BETAS), inside)

    def all_turns() -> None:
        for turn, step in steps.items():
            for name, network in networks.items():
                network.requires_grad_(name == turn)
            step()

    return timed(all_turns)


# -- ours --------------------------------------------------------------------------------------------------------


def ours(task: str, inside: Inside) -> tuple[nn.Module, Work]:
    from storyreel.systems.base import Tick
    from storyreel.systems.video_gan import VideoGanStage
    from storyreel.systems.video_gan_config import VideoGanConfig
    from storyreel.systems.video_gan_take import Take

    config = VideoGanConfig(
        size=SIZE, clip_frames=SPAN, z_dim=WIDE, w_dim=WIDE, motion_dim=WIDE, layers=LAYERS, margin=MARGIN,
        channel_base=BASE, channel_max=MAX, low_rank=0, anchor_distance=DISTANCE, anchor_kernel=KERNEL,
        periods=(DISTANCE, 1024), critic_base=BASE, critic_max=MAX, seen_frames=FRAMES, image_pretraining=False,
    )  # fmt: skip
    stage = VideoGanStage(config, None)
    if task == "sample":
        stage.eval()
        times = torch.arange(CHUNK, dtype=torch.float64)

        @torch.no_grad()
        def sample() -> float:
            with inside():
                Take(stage, torch.Generator().manual_seed(0)).frames(times)
            return CHUNK

        return stage, timed(sample)
    rng = torch.Generator().manual_seed(0)
    batch = {"video": torch.randn(1, 3, SPAN, SIZE, SIZE, generator=rng).clamp(-1, 1)}
    networks: dict[str, nn.Module] = {"generator": stage.generator, "critic": stage.critic}
    losses = {turn: partial(_loss, stage, batch, Tick(1, turn, rng)) for turn in networks}
    return stage, turns(networks, losses, inside)


def _loss(stage: VideoGanStage, batch: dict[str, Tensor], tick: Tick) -> Tensor:
    return stage.loss(batch, tick).total


# -- the released code -------------------------------------------------------------------------------------------


class Settings(dict[str, Any]):
    """The peer reads its settings as attributes and as a dict."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)


class OmegaConf:
    """What the peer takes of it."""

    create = to_container = staticmethod(dict)


def settings() -> Settings:
    return Settings(
        sampling=Settings(type="random", num_frames_per_video=FRAMES, max_num_frames=1024),
        motion=Settings(
            z_dim=WIDE, v_dim=WIDE, motion_z_distance=DISTANCE, gen_strategy="conv", kernel_size=KERNEL, fourier=True
        ),
        time_enc=Settings(dim=WIDE // 2, min_period_len=DISTANCE, max_period_len=1024),
        z_dim=WIDE, c_dim=0, bspline=False, bs_emb=False, fuse_w="concat", low_rank=-1, offset=0, freezemap=False,
        freezesyn=0, learnable_motion_mask=True, init_motion_mask="ones", tsm=True, tmean=True, concat_res=16,
        num_frames_div_factor=2, dummy_c=False, always_update=False,
    )  # fmt: skip


def peer(task: str, inside: Inside, checkout: Path) -> tuple[nn.Module, Work]:
    from packaging.version import parse

    needed = {
        "pkg_resources": {"parse_version": parse},
        "omegaconf": {"OmegaConf": OmegaConf, "DictConfig": Settings},
    }
    for name, what in needed.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(what)
    sys.path[:0] = [str(checkout), str(checkout / "src")]
    from src.training.networks import Discriminator, Generator  # type: ignore[import-not-found]

    made = {"channel_base": BASE, "channel_max": MAX, "num_layers": LAYERS, "margin_size": MARGIN, "num_fp16_res": 0}
    generator = Generator(0, WIDE, SIZE, 3, mapping_kwargs={}, synthesis_kwargs=made, cfg=settings())
    critic = Discriminator(
        0, SIZE, 3, channel_base=BASE, channel_max=MAX, mapping_kwargs={"num_layers": 2}, cfg=settings()
    )
    networks, nothing = nn.ModuleList([generator, critic]), torch.zeros(1, 0)
    if task == "sample":
        networks.eval()
        times = torch.arange(CHUNK, dtype=torch.float32)[None]

        @torch.no_grad()
        def sample() -> float:
            with inside():
                generator(torch.randn(1, WIDE), nothing, times)
            return CHUNK

        return networks, timed(sample)
    times, real = torch.tensor([[0.0, 3.0, 8.0]]), torch.randn(FRAMES, 3, SIZE, SIZE).clamp(-1, 1)

    def score(frames: Tensor) -> Tensor:
        return critic(frames, nothing, times)["image_logits"]

    def by_generator() -> Tensor:
        return F.softplus(-score(generator(torch.randn(1, WIDE), nothing, times))).mean()

    def by_critic() -> Tensor:
        with torch.no_grad():
            frames = generator(torch.randn(1, WIDE), nothing, times)
        return (F.softplus(score(frames)) + F.softplus(-score(real))).mean()

    by_name = {"generator": generator, "critic": critic}
    return networks, turns(by_name, {"generator": by_generator, "critic": by_critic}, inside)


def main() -> None:
    task, who, checkout, precision, threads, warm = sys.argv[1:]
    theirs = who == "peer"

    def build(inside: Inside) -> tuple[nn.Module, Work]:
        return peer(task, inside, Path(checkout)) if theirs else ours(task, inside)

    imports = () if theirs else ("storyreel.systems.video_gan",)
    serve(build, imports=imports, absent=() if theirs else None, precision=precision, threads=int(threads),
          warm=int(warm))  # fmt: skip


if __name__ == "__main__":
    main()
