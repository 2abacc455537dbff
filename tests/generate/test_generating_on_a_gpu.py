"""Every way to a video runs on a GPU: no tensor is on the wrong device. There is no GPU: `fake_cuda` stands for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_cuda import OnCard, fake_cuda
from tiny_model import make_tiny

import storyreel
from storyreel import recipes
from storyreel.clip import Clip
from storyreel.systems.base import Request
from storyreel.text import load_text_encoder

PROMPT = "an orc walks"


def clip(frames: int, size: int = 16) -> Clip:
    return Clip(np.random.default_rng(frames).integers(0, 255, (frames, size, size, 3), dtype=np.uint8), 6)


WAYS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "phenaki_tiny": [
        ("text", {"steps": 2}),
        ("image", {"steps": 2, "image": clip(1)}),
        ("extend", {"steps": 2, "extend": clip(6)}),
        ("story", {"steps": 2, "story": [(PROMPT, 0.5), ("a woman walks", 1.0)]}),
        ("long", {"steps": 2, "frames": 12}),
        ("unguided", {"steps": 2, "guidance": 0.0}),
    ],
    "godiva_tiny": [
        ("text", {}),
        ("image", {"image": clip(1)}),
        ("extend", {"extend": clip(6), "frames": 2}),
        ("guided", {"guidance": 2.0}),
    ],
    "imagen_video_tiny": [
        ("text", {"steps": 2}),
        ("guided", {"steps": 2, "guidance": 3.0}),
        ("size", {"steps": 1, "size": "32x16", "frames": 7}),
        ("stage", {"steps": 2, "stage": "tsr1"}),
    ],
    "make_a_video_tiny": [
        ("text", {"steps": 2}),
        ("image", {"steps": 2, "image": clip(1)}),
        ("extend", {"steps": 2, "extend": clip(6)}),
        ("backward", {"steps": 2, "extend": clip(6), "backward": True}),
        ("between", {"steps": 2, "image": clip(1), "image_end": clip(1)}),
        ("variation", {"steps": 2, "variation": clip(6)}),
        ("long", {"steps": 2, "frames": 12}),
    ],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {name: make_tiny(tmp_path_factory.mktemp(name) / "model", name) for name in WAYS}


@pytest.mark.parametrize(("name", "way"), [(name, way) for name, ways in WAYS.items() for way, _ in ways])
def test_every_way_to_a_video(folders, name, way):
    settings = dict(WAYS[name])[way]
    previews = []

    def look(progress) -> None:
        if progress.preview and not previews:
            previews.append(progress.preview())

    prompt = None if {"story", "variation"} & settings.keys() else PROMPT
    with fake_cuda() as seen:
        model = storyreel.load(folders[name], device="cuda")
        assert all(isinstance(p, OnCard) for p in model.system.parameters())
        [made] = model(prompt, seed=1, on_progress=look, **settings)
        assert seen.kernels.total() > 100
    plain = storyreel.load(folders[name], device="cpu")(prompt, seed=1, **settings)[0]
    assert made.frames.shape == plain.frames.shape
    assert previews
    if (
        "godiva" not in name and "phenaki" not in name
    ):  # which draw digits, and one that falls otherwise changes the rest
        assert np.abs(made.frames.astype(int) - plain.frames.astype(int)).mean() < 2


@pytest.mark.parametrize("name", list(WAYS))
def test_candidates(folders, name):
    settings = {} if name == "godiva_tiny" else {"steps": 1}
    with fake_cuda():
        model = storyreel.load(folders[name], device="cuda")
        made = model.system.candidates(Request.of(prompt=PROMPT, **settings), 2, model.text, lambda _: None)
    assert len(made) == 2
    assert made[0].frames.shape == made[1].frames.shape


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver", "ancestral", "heun", "stochastic"])
def test_every_sampler_whole_streamed_and_in_tiles(sampler):
    """The last stage of Imagen Video sees surroundings alone, so that large videos are made in runs and in tiles."""
    config = recipes.get("imagen_video_tiny").system
    sampling = replace(config.ssr3.sampling, sampler=sampler, chunk=2, tile=8, threshold=0.9 * (sampler == "heun"))
    system = replace(config, ssr3=replace(config.ssr3, sampling=sampling)).build().eval()
    with fake_cuda():
        stage = system.to("cuda").stages["ssr3"]
        states, mask = load_text_encoder("hash:32")([PROMPT])
        low = torch.zeros(1, 3, stage.shape.frames, stage.input_shape.height, stage.input_shape.width, device="cuda")
        cond = {"text": states.to("cuda"), "text_mask": mask.to("cuda"), "low": low}
        made = stage.sample(cond, rng=[torch.Generator().manual_seed(0)], steps=2, guidance=2.0)
    assert isinstance(made, OnCard)
    assert bool(stage.runs(stage.shape)) == (sampler in ("ddim", "dpm-solver"))


def test_a_reach_that_sees_all_earlier_tokens():
    config = recipes.get("godiva_tiny").system
    system = replace(config, generator=replace(config.generator, context="causal")).build().eval()
    with fake_cuda():
        system.to("cuda")
        made = system.generate(Request.of(prompt=PROMPT), on_card(load_text_encoder("hash:32")), lambda _: None)
    assert len(made) == config.frames


def on_card(encoder):
    def states(captions):
        text, mask = encoder(captions)
        return text.to("cuda"), mask.to("cuda")

    return states
