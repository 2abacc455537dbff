"""`storyreel reproduce svd-curation` at toy size: the footage's truth is true, jumps are seen, it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reproductions import curation
from reproductions.curation_footage import EDGE, WHOLE, Dirt, FilmTruth, make_footage
from reproductions.curation_jumps import JumpDetector, least_alike
from reproductions.curation_report import verdict
from reproductions.settings import Settings
from storyreel.clip import Clip


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[FilmTruth]]:
    folder = tmp_path_factory.mktemp("dirty") / "footage"
    return folder, make_footage(folder, 1, 10, 3, Dirt(static=0.4, text=0.4, caption=0.4, copy=0.4, dissolves=0.5))


def test_the_truth_is_what_the_film_shows(footage: tuple[Path, list[FilmTruth]]):
    folder, (film,) = footage
    frames = Clip.open(folder / film.name).frames.astype(np.int16)
    assert frames.shape == (film.frames, WHOLE, WHOLE, 3)
    assert len(film.shots) == 10
    assert len(film.cuts) + len(film.dissolves) == 9
    change = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))  # of frame i + 1 from frame i
    inside = np.concatenate([change[s.start : s.end - 1] for s in film.shots])
    for cut in film.cuts:
        assert change[cut - 1] > 3 * np.median(inside)
    for first, last in film.dissolves:  # between pure frames of both sides
        assert np.abs(frames[last + 1] - frames[first - 1]).mean() > 3 * np.median(inside)
    for shot in film.shots:
        mine = frames[shot.start : shot.end, EDGE:-EDGE, EDGE:-EDGE]
        still = np.abs(mine - mine[len(mine) // 2]).mean((1, 2, 3)).max() < 2
        assert still == ("static" in shot.faults), shot
        assert (shot.caption != shot.true_caption) <= ("caption" in shot.faults)
    spans = json.loads((folder / film.name).with_suffix(".json").read_text())["spans"]
    assert [s["text"] for s in spans] == [s.caption for s in film.shots]
    faults = {fault for shot in film.shots for fault in shot.faults}
    assert faults == {"static", "text", "caption", "copy"}


def test_footage_is_a_function_of_its_seed(footage: tuple[Path, list[FilmTruth]], tmp_path: Path):
    folder, truth = footage
    dirt = Dirt(static=0.4, text=0.4, caption=0.4, copy=0.4, dissolves=0.5)
    assert make_footage(folder, 1, 10, 3, dirt) == truth  # read, not drawn
    assert make_footage(tmp_path / "again", 1, 10, 3, dirt) == truth
    name = truth[0].name
    assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def moving(picture: np.ndarray, by: int) -> np.ndarray:
    return np.stack([np.roll(picture, by * i, axis=1) for i in range(6)])


def test_a_cut_is_what_no_shift_explains():
    rng = np.random.default_rng(0)
    pictures = np.zeros((12, 32, 32, 3), np.uint8)
    for picture in pictures:
        picture[10:22, 2:14] = (rng.random((12, 12, 1)) > 0.5) * 255
    whole = [Clip(moving(picture, by)) for picture in pictures for by in (0, 2, 3)]
    jumps = JumpDetector.of(whole)
    assert min(map(least_alike, whole)) > 0.9
    assert sum(map(jumps.has_cut, whole)) <= 1
    for one, other in zip(whole, whole[3:], strict=False):
        assert jumps.has_cut(Clip(np.concatenate([one.frames[:3], other.frames[3:]])))
    gone = np.concatenate([whole[0].frames[:3], 0 * whole[0].frames[3:]])
    assert least_alike(Clip(gone)) == 0
    assert least_alike(Clip(0 * gone)) == 1


def test_the_verdict_is_that_of_the_figures():
    def arm(mean: float, frechet: float, cut: float) -> dict[str, Any]:
        told = {"interval": [0, 1], "n": 9}
        scores = {"mean": {"accuracy": mean}, "frechet": {"value": frechet}, "cut": {"accuracy": cut}}
        return {"asked": {}} | {name: told | score for name, score in scores.items()}

    good, bad = arm(0.8, 2.0, 0.1), arm(0.5, 3.0, 0.4)
    assert verdict({"arm-curated": good, "arm-random": bad})["holds"] is True
    assert verdict({"arm-curated": bad, "arm-random": good})["holds"] is False
    mixed = verdict({"arm-curated": arm(0.8, 4.0, 0.1), "arm-random": bad})
    assert mixed["better"] == {"mean": True, "frechet": False, "cut": True}
    assert mixed["holds"] is False
    assert set(mixed["surely"].values()) == {False}
    assert verdict({"arm-curated": good})["holds"] is None


# -- the whole, at toy size ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny model, judge and encoder, all of which guess."""
    import torch
    from tiny_model import make_tiny

    from storyreel import recipes
    from storyreel.evaluate.locator import LocatorConfig
    from storyreel.model import save_model

    folder = tmp_path_factory.mktemp("shop")
    torch.manual_seed(0)
    LocatorConfig(frames=5, size=16, dim=8, dilations=(1,)).build().save(folder / "judge")
    recipe = recipes.get("encoder_tiny")
    save_model(folder / "encoder-tiny", recipe.system.build(), recipe=recipe, card="# Tiny\n", training={})
    return {
        "model": str(make_tiny(folder / "tiny")),
        "judge": str(folder / "judge"),
        "encoder": str(folder / "encoder-tiny"),
    }


def settings_for(out: Path, shop: dict[str, str], said: list[str]) -> Settings:
    models, judges = {"digits": shop["model"]}, {"digits": shop["judge"]}
    how = {"models": models, "judges": judges, "encoder": shop["encoder"], "paper": "svd-curation"}
    return Settings(out=out, quick=True, steps=3, tell=said.append, **how)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def reproduced(shop: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("svd") / "results"
    curation.run(settings_for(out, shop, []))
    return out


def test_it_measures_filters_and_arms(reproduced: Path):
    results = json.loads((reproduced / "results.json").read_text())
    parts = results["parts"]
    assert set(parts) == {"filters", "real", "arm-curated", "arm-random"}
    filters = parts["filters"]
    assert filters["shots"] == 12
    assert filters["spans"] > 4
    assert filters["cuts"]["recall_hard"]["n"] + filters["cuts"]["recall_dissolve"]["n"] == 11
    assert filters["cuts"]["precision"]["accuracy"] > 0.7
    assert filters["motion"]["recall"]["right"] <= filters["motion"]["recall"]["n"]
    curated, random = parts["arm-curated"], parts["arm-random"]
    assert random["set"]["clips"] == 4 * curated["set"]["clips"] == 4 * filters["kept"] > 0
    assert random["set"]["cut"]["accuracy"] > curated["set"]["cut"]["accuracy"]
    for part in (curated, random, parts["real"]):
        assert part["mean"]["n"] == part["cut"]["n"] == 4
        assert part["frechet"]["value"] >= 0
    assert set(results["verdict"]["better"]) == {"mean", "frechet", "cut"}


def test_the_report_tells_all(reproduced: Path):
    text = (reproduced / "results.md").read_text()
    assert "| random windows, 4 times as many |" in text
    assert "| wrong captions (similarity) |" in text
    assert "--only training" in text
    for name in ("curated.png", "random.png"):
        assert f"]({name})" in text
        assert (reproduced / name).stat().st_size > 500


def test_what_is_measured_is_kept(reproduced: Path, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    def never(*args: object) -> None:
        raise AssertionError("measured again")

    for module, name in ((curation.filters, "curated"), (curation.training, "train")):
        monkeypatch.setattr(module, name, never)
    before = (reproduced / "results.json").read_text()
    said: list[str] = []
    curation.run(settings_for(reproduced, shop, said))
    assert {line.split(":")[0] for line in said} == {"filters", "real", "arm-curated", "arm-random"}
    assert (reproduced / "results.json").read_text() == before
    with pytest.raises(ValueError, match="--only ablation: expected one of filters, training"):
        curation.run(settings_for(reproduced, shop, said), "ablation")
