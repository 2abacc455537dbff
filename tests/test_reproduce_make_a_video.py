"""`storyreel reproduce make-a-video` at toy size: every claim is measured, reported and kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny_model import make_tiny

from reproductions.interpolation_baselines import repeated, warped
from reproductions.make_a_video import CLAIMS, run
from reproductions.settings import Settings


def settings_for(out: Path, model: Path, said: list[str]) -> Settings:
    return Settings(
        out=out, quick=True, steps=2, paper="make-a-video", models={"sprites": str(model)}, tell=said.append
    )


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("make-a-video")
    model = make_tiny(folder / "model", "make_a_video_tiny")
    run(settings_for(folder / "out", model, []))
    return folder / "out", model


def test_every_claim_is_measured(reproduced: tuple[Path, Path]):
    parts = json.loads((reproduced[0] / "results.json").read_text())["parts"]
    assert list(parts) == list(CLAIMS)
    assert not [part for part in parts.values() if "missing" in part]
    assert set(parts["interpolation"]["psnr"]) == {"learned", "repeated", "optical flow"}
    identity, random = (parts["start"]["rows"][start]["curve"] for start in ("identity", "random"))
    assert [step for step, _ in identity] == [step for step, _ in random] == [0, 1, 2]
    assert parts["noise"]["flicker"]["same noise"]["value"] == pytest.approx(0, abs=0.01)
    assert set(parts["pairs"]["rows"]) == {"pictures", "captions"}


def test_the_report_says_it(reproduced: tuple[Path, Path]):
    text = (reproduced[0] / "results.md").read_text()
    assert "| optical flow |" in text
    assert "storyreel reproduce make-a-video -o" in text
    for picture in ("motion.png", "interpolation.png", "noise.png", "pairs.png"):
        assert picture in text
        assert (reproduced[0] / picture).stat().st_size > 500


def test_what_is_measured_is_kept_and_what_is_unknown_refused(reproduced: tuple[Path, Path]):
    out, model = reproduced
    said: list[str] = []
    run(settings_for(out, model, said))
    assert [line.split(":")[0] for line in said] == list(CLAIMS)
    with pytest.raises(ValueError, match="--only fame: expected one of motion, start"):
        run(settings_for(out, model, []), "fame")
    other = make_tiny(out / "phenaki")
    with pytest.raises(ValueError, match="expected a model of Make-A-Video"):
        run(settings_for(out, other, []))


def test_data_that_cannot_be_made_are_told_of(reproduced: tuple[Path, Path], tmp_path: Path):
    (made,) = reproduced[0].glob("data-train-*")
    (tmp_path / made.name).mkdir()
    shutil.copy(made / "metadata.parquet", tmp_path / made.name)
    said: list[str] = []
    part = run(settings_for(tmp_path, reproduced[1], said), "start")["parts"]["start"]
    assert "give another folder" in part["missing"]
    assert said == [f"start: not measured: {part['missing']}"]
    assert f"Not measured: {part['missing']}" in (tmp_path / "results.md").read_text()


def test_filling_without_a_network():
    ramp = torch.arange(12.0).view(1, 1, 1, 1, 12).expand(1, 3, 3, 12, 12).clone()
    places = torch.tensor([0, 2, 4])
    assert repeated(ramp, places, 6)[0, 0, :, 0, 0].shape == (6,)
    x = torch.stack([torch.roll(torch.sin(torch.arange(24.0) * 0.8), s).expand(24, 24) for s in (0, 2, 4)])
    known = x[None, None].expand(1, 3, 3, 24, 24)
    made = warped(known, places, 6)
    assert made.shape == (1, 3, 6, 24, 24)
    torch.testing.assert_close(made[:, :, places], known)
    inside = slice(6, 18)
    wanted = torch.roll(x[0], 1, -1)[inside, inside]
    assert (made[0, 0, 1, inside, inside] - wanted).abs().mean() < (x[0] - torch.roll(x[0], 1, -1)).abs().mean() / 2
