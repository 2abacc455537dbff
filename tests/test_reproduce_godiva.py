"""`storyreel reproduce godiva` at toy size: equal compute, a table beside the paper's, pictures; and it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproductions import ablation
from reproductions.ablation import NAMES, layers_of, variants
from reproductions.settings import Settings
from storyreel import recipes

TINY = "godiva_tiny"


def test_layers_of_the_five():
    assert {name: layers_of(name, "TRCTRC") for name in NAMES} == {
        "full": "TRCTRC",
        "no_row": "TCTCTC",
        "no_temporal": "RCRCRC",
        "no_column": "TRTRTR",
        "half": "TRC",
    }
    with pytest.raises(ValueError, match="nothing beside R"):
        layers_of("no_row", "RR")


def test_all_five_cost_the_same():
    five = variants(TINY, 1000, 50)
    whole = {name: one.flops * one.steps for name, one in five.items()}
    assert max(whole.values()) == pytest.approx(min(whole.values()), rel=0.01)
    assert five["full"].steps == 1000
    assert five["half"].steps > 1300
    for one in five.values():
        recipe = ablation.resolve(TINY, one.settings)
        assert recipe.system.generator.layers == one.layers  # pyright: ignore
        assert recipe.system.generator.context == "sparse"  # pyright: ignore
        assert recipe.stages["generator"].steps == one.steps
        assert f"layers={one.layers}" in one.command(TINY, Path("d"), Path("r"))
    with pytest.raises(ValueError, match="expected a recipe of GODIVA"):
        variants("phenaki_tiny", 10, 10)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny encoder that guesses."""
    import torch

    from storyreel.model import save_model

    recipe = recipes.get("encoder_tiny")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = recipe.system.build()
    folder = tmp_path_factory.mktemp("encoder") / "encoder-tiny"
    save_model(folder, system, recipe=recipe, card="# Tiny\n", training={})
    return str(folder)


def settings_for(out: Path, encoder: str, said: list[str] | None = None) -> Settings:
    tell = (said if said is not None else []).append
    return Settings(out=out, quick=True, steps=6, recipe=TINY, paper="godiva", encoder=encoder, tell=tell)


@pytest.fixture(scope="module")
def reproduced(encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from reproductions.godiva import run

    out = tmp_path_factory.mktemp("godiva")
    run(settings_for(out, encoder))
    return out


def test_it_measures_both_claims(reproduced: Path):
    parts = json.loads((reproduced / "results.json").read_text())["parts"]
    rows = parts["ablation"]["rows"]
    assert set(rows) == {*NAMES, "ranked"}
    for name, row in rows.items():
        assert row["right"]["n"] == 4
        assert set(row["groups"]) == {"single, seen", "single, held out", "double, seen", "double, held out"}
        assert row["rm"]["n"] + 0 <= 4
        if name != "ranked":
            assert 0 < row["loss_held_out"]["value"] < 10
    assert rows["half"]["steps"] > rows["full"]["steps"] == 6
    assert parts["ablation"]["holds"] is False  # nothing was learnt
    clips = parts["figure4"]["clips"]
    assert [clip["which"] for clip in clips] == ["first", "best"] * 2
    assert {clip["prompt"] for clip in clips} == {
        "Digit 9 is moving down then up.",
        "Digit 7 moves right then left while digit 3 moves down then up.",
    }


def test_the_tokenizer_is_trained_once(reproduced: Path):
    finals = [f.read_text() for f in sorted(reproduced.glob("ablation/*/tokenizer/final.json"))]
    assert len(finals) == len(NAMES)
    assert len(set(finals)) == 1


def test_the_report_has_the_papers_table_beside_ours(reproduced: Path):
    text = (reproduced / "results.md").read_text()
    assert "| full, best of 2 | 24.02 | 98.34 |" in text
    assert "| without row | 21.23 | 85.95 | 0.0 %" in text
    assert "storyreel train godiva_tiny --data" in text
    assert "storyreel reproduce godiva -o" in text
    for picture in ("ablation.png", "figure4.png"):
        assert picture in text
        assert (reproduced / picture).stat().st_size > 1000


def test_what_is_measured_is_kept(reproduced: Path, encoder: str, monkeypatch: pytest.MonkeyPatch):
    from reproductions import godiva

    before = (reproduced / "results.json").read_text()
    said: list[str] = []
    godiva.run(settings_for(reproduced, encoder, said))
    assert [line.split(",")[0].split(":")[0] for line in said] == ["ablation", "figure4"]
    assert (reproduced / "results.json").read_text() == before
    # and, measured again, nothing is trained or drawn again
    from storyreel.generate.model import Model

    monkeypatch.setattr("storyreel.train.command.Command.run", lambda self: pytest.fail("trained again"))
    monkeypatch.setattr(Model, "make", lambda *_: pytest.fail("drawn again"))
    again = godiva.measure_ablation(settings_for(reproduced, encoder))
    assert again["rows"] == json.loads(before)["parts"]["ablation"]["rows"]


def test_without_an_encoder_nothing_is_ranked(reproduced: Path, tmp_path: Path):
    from reproductions.godiva import measure_figure4

    said: list[str] = []
    found = measure_figure4(settings_for(reproduced, str(tmp_path / "nobody"), said))
    assert [clip["which"] for clip in found["clips"]] == ["first", "first"]
    assert any(line.startswith("candidates are not ranked: ") for line in said)
    assert not any("\n" in line for line in said)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from storyreel.cli import main

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.json").write_text('{"reproduces": "phenaki", "parts": {}}')
    for args, words in (
        (["--only", "fame", "-o", str(tmp_path / "r")], "expected one of ablation, figure4"),
        (["-o", str(tmp_path / "other")], "expected the results of storyreel reproduce godiva"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["reproduce", "godiva", *args])
        assert end.value.code == 1
        assert words in capsys.readouterr().err


def test_minutes_become_steps_and_stay(tmp_path: Path):
    file = tmp_path / "steps.txt"
    steps = ablation.steps_for(TINY, 0.5, file)
    assert 20 <= steps < 5000
    assert ablation.steps_for(TINY, 60.0, file) == steps  # measured once
