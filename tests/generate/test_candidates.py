"""Several attempts at a video, ranked: which is kept, what is said of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_model import make_tiny
from typer.testing import CliRunner

import storyreel
from storyreel import Clip
from storyreel.generate import ranking

torch.set_num_threads(1)


class Bright:
    """Ranks by how bright a clip is."""

    name = "bright-v1"

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        assert prompt == "an orc"
        return [float(clip.frames.mean()) for clip in clips]


@pytest.fixture(params=["phenaki_tiny", "godiva_tiny"])
def model(request, tmp_path, monkeypatch):
    make_tiny(tmp_path / "shelf" / "tiny", request.param)
    monkeypatch.setenv("STORYREEL_MODELS", str(tmp_path / "shelf"))
    monkeypatch.setattr(ranking, "_load", lambda name: Bright())
    return storyreel.load("tiny")


def test_the_best_is_kept_and_its_encoder_named(model):
    (clip,) = model("an orc", seed=3, candidates=5, encoder="bright")
    told = clip.meta["candidates"]
    assert told["encoder"] == "bright-v1"
    assert len(told["scores"]) == 5
    assert told["scores"][told["chosen"]] == max(told["scores"])
    assert told["scores"][told["chosen"]] == round(float(clip.frames.mean()), 4)
    assert clip.meta["options"] == {"prompt": "an orc", "candidates": 5, "encoder": "bright"}


def test_a_candidate_depends_on_its_number_alone(model):
    five = model("an orc", seed=3, candidates=5)[0].meta["candidates"]["scores"]
    two = model("an orc", seed=3, candidates=2)[0].meta["candidates"]["scores"]
    assert five[:2] == two
    assert len(set(five)) > 1
    (alone,) = model("an orc", seed=3)
    assert round(float(alone.frames.mean()), 4) == five[0], "the first candidate is the video without ranking"
    assert "candidates" not in alone.meta


def test_progress_counts_all_candidates(model):
    seen = []
    model("an orc", candidates=3, on_progress=seen.append)
    assert seen[-1].done == seen[-1].total
    assert all(a.done < b.done for a, b in pairwise(seen))
    assert len({p.total for p in seen}) == 1


def test_an_encoder_without_candidates_is_refused(model):
    with pytest.raises(ValueError, match="encoder: there is nothing to rank; expected candidates as well"):
        model("an orc", encoder="bright")
    with pytest.raises(ValueError, match="candidates: expected a whole number from 1 to 1024, got 0"):
        model("an orc", candidates=0)


def test_the_world_of_a_model_chooses_the_encoder(monkeypatch):
    asked = []

    def load(name):
        asked.append(name)
        if name != "clip-vit-b-32":
            raise ValueError(f"no {name}")
        return Bright()

    monkeypatch.setattr(ranking, "_load", load)
    assert ranking.load_ranker(None, ["mine", "godiva_digits"]).name == "bright-v1"
    assert asked == ["digits", "clip-vit-l-14", "clip-vit-b-32"]
    asked.clear()
    with pytest.raises(ValueError, match="no other"):
        ranking.load_ranker("other", ["godiva-digits"])
    assert asked == ["other"]


def test_without_any_encoder_one_line_says_so(monkeypatch):
    def load(name):
        raise ValueError(f"{name} is not here")

    monkeypatch.setattr(ranking, "_load", load)
    with pytest.raises(ValueError, match=r"candidates: no text-video encoder to rank them with.*sprites is not here"):
        ranking.load_ranker(None, ["godiva-sprites"])


def test_of_equals_the_first_is_kept():
    class Same(Bright):
        def rank(self, prompt, clips):
            return [1.0, 2.0, 2.0]

    clip = Clip(np.zeros((2, 4, 4, 3), np.uint8))
    assert ranking.best(Same(), "an orc", [clip] * 3)[0] == 1


def test_the_command_line(model, tmp_path, monkeypatch):
    from storyreel.cli.generate import app

    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["an orc", "-m", "tiny", "--candidates", "3", "-o", "orc.mp4", "--json"])
    assert made.exit_code == 0, made.output
    (video,) = json.loads(made.stdout)["videos"]
    assert video["candidates"]["encoder"] == "bright-v1"
    assert len(video["candidates"]["scores"]) == 3
    assert "ranked by bright-v1" in made.stderr
    assert storyreel.read_meta("orc.mp4")["candidates"] == video["candidates"]
