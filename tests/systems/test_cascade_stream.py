"""A video sampled in runs of frames is that of the whole; any size may be asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel import recipes
from storyreel.diffusion.samplers import ddim, dpm_solver
from storyreel.diffusion.schedules import Cosine, NoiseLevel, uniform_logsnr, uniform_time
from storyreel.diffusion.streaming import streamed
from storyreel.nn.video_unet_tiles import spans
from storyreel.systems.base import Request
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.imagen_video import ImagenVideo, ImagenVideoConfig, ImagenVideoStage
from storyreel.text import load_text_encoder

HALO = 2


def neighbours(z: Tensor, level: NoiseLevel) -> Tensor:
    """A denoiser that sees two frames on each side, with zeros beyond the ends."""
    weights = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=z.dtype).view(1, 1, 5, 1, 1)
    mixed = F.conv3d(z.flatten(0, 1)[:, None], weights, padding=(HALO, 0, 0)).view_as(z)
    return torch.tanh(mixed * (1 + 0.1 * level.alpha.to(z)))


@pytest.mark.parametrize("chunk", [1, 3, 4, 10])
@pytest.mark.parametrize("second_order", [False, True])
def test_runs_give_what_the_whole_gives(chunk: int, second_order: bool):
    levels = (uniform_logsnr if second_order else uniform_time)(Cosine(), 5)
    z = torch.randn(2, 3, 11, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sampler = dpm_solver if second_order else ddim
    whole = sampler(neighbours, z.clone(), levels)
    told: list[int] = []
    made = streamed(
        lambda part, level, seen: neighbours(part, level),
        z, levels, list(spans(11, chunk, HALO)), sampler=sampler, on_step=lambda i, n, x: told.append(i),
    )  # fmt: skip
    assert made is z, "in place"
    assert told == [1, 2, 3, 4, 5]
    torch.testing.assert_close(made, whole, atol=1e-9, rtol=1e-9)


def test_nan_names_the_step():
    def broken(part: Tensor, level: NoiseLevel, seen: slice) -> Tensor:
        return part * (torch.nan if float(level.alpha) > 0.5 and seen.stop == 4 else 1)

    z = torch.randn(1, 3, 4, 2, 2)
    with pytest.raises(ValueError, match="gave NaN or infinity in step 3 of 4"):
        streamed(broken, z, uniform_time(Cosine(), 4), list(spans(4, 2, 1)), sampler=ddim)


@pytest.fixture(scope="module")
def model() -> ImagenVideo:
    config = recipes.get("imagen_video_tiny").system
    assert isinstance(config, ImagenVideoConfig)
    torch.manual_seed(0)
    system = config.build().eval()
    with torch.no_grad():
        for p in system.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return system


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver"])
def test_a_stage_is_streamed(model: ImagenVideo, sampler: str, monkeypatch: pytest.MonkeyPatch):
    stage = model.stages["ssr3"]
    assert isinstance(stage, ImagenVideoStage)
    rng = torch.Generator().manual_seed(1)
    text: dict[str, Any] = {"text": torch.randn(1, 3, 32, generator=rng), "text_mask": torch.ones(1, 3).bool()}
    cond, shape = (
        text | {"low": torch.randn(1, 3, 24, 4, 4, generator=rng)},
        VideoShape(frames=24, height=8, width=8, fps=5),
    )
    made = {}
    for chunk in (0, 3):
        monkeypatch.setattr(stage, "sampling", replace(stage.sampling, sampler=sampler, chunk=chunk, guidance=2.0))
        assert len(stage.runs(shape)) == (8 if chunk else 0)
        made[chunk] = stage.sample(cond, rng=[torch.Generator().manual_seed(2)], steps=3, shape=shape)
    torch.testing.assert_close(made[3], made[0], atol=1e-4, rtol=1e-4)


def test_what_cannot_be_streamed_is_not(model: ImagenVideo):
    large = VideoShape(frames=128, height=768, width=1280, fps=24)
    base, ssr3 = model.stages["base"], model.stages["ssr3"]
    assert isinstance(base, ImagenVideoStage)
    assert isinstance(ssr3, ImagenVideoStage)
    assert not base.runs(large), "it attends to all frames"
    assert [made.stop - made.start for _, made in ssr3.runs(large)] == [32] * 4, "by itself, where it is large"
    assert not ssr3.runs(ssr3.shape)


def test_any_size_may_be_asked_for(model: ImagenVideo):
    shapes = model.shapes_of(Request.of(prompt="a cat", size=(40, 24), frames=13))
    told = {name: (s.frames, s.height, s.width, s.fps) for name, s in shapes.items()}
    assert told["base"] == (6, 4, 6, 2)
    assert told["ssr2"] == (8, 12, 20, 3)
    assert told["ssr3"] == (13, 24, 40, 5)
    clip = model.generate(Request.of(prompt="a cat", size=(40, 24), frames=13, steps=1), text(), lambda _: None)
    assert clip.frames.shape == (13, 24, 40, 3)


def text() -> Any:
    return load_text_encoder("hash:32")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"size": (41, 24)}, "size: expected multiples of 4, got 41x24"),
        ({"size": (8000, 24)}, "size: expected at most 4096 pixels a side, got 8000x24"),
        ({"size": (40, 24), "frames": 5000}, "frames: expected at most 1024, got 5000"),
        ({"frames": 13}, "frames: this model makes 1 to 5 frames, got 13"),
    ],
)
def test_sizes_that_cannot_be(model: ImagenVideo, wish: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        model.generate(Request.of(prompt="a cat", **wish), text(), lambda _: None)
