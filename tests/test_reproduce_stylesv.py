"""`storyreel reproduce stylesv` at toy size: equal compute, a table a claim; and it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reproductions import stylesv
from reproductions.settings import Settings
from reproductions.stylesv import CLAIMS, TEXTS, verdict
from reproductions.stylesv_arms import FULL, PRESETS, TEXT_ARMS, WITHOUT, WRONG, arm, text_arm

TINY = "video_gan_tiny"


def settings_for(out: Path) -> Settings:
    return Settings(out=out, quick=True, steps=2, recipe=TINY, paper="stylesv", tell=print)


def test_all_that_is_compared_costs_the_same():
    assert {FULL, WRONG, *WITHOUT, *PRESETS} == {name for names in CLAIMS.values() for name in names}
    made = {name: arm(TINY, 1000, name, quick=True) for name in (FULL, "no_images", "mocogan")}
    costs = [one.flops for one in made.values()]
    assert max(costs) == pytest.approx(min(costs), rel=0.01)
    assert made[FULL].recipe.stages["images"].steps == 1000
    assert set(made["no_images"].recipe.stages) == {"videos"}
    with pytest.raises(ValueError, match="--recipe phenaki_tiny: expected a recipe of a video GAN"):
        arm("phenaki_tiny", 10, FULL)


def test_verdicts_are_by_the_claims_own_measure():
    def row(**values: float) -> dict[str, dict[str, float]]:
        return {name: {"value": value} for name, value in values.items()}

    assert verdict("sticking", {"full": row(sticking=0.3), "aliased": row(sticking=0.5)}) is True
    assert verdict("anchors", {"full": row(jolt=3.0), "linear": row(jolt=2.0)}) is False
    assert verdict("presets", {"full": row(fvd=3), "a": row(fvd=4), "b": row(fvd=2)}) is False
    assert verdict("periodicity", {"full": {"periodicity": None}, "no_low_rank": row(periodicity=1)}) is None


def test_a_claim_is_measured_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stylesv.run(settings_for(tmp_path), "anchors")
    part = json.loads((tmp_path / "results.json").read_text())["parts"]["anchors"]
    assert set(part["rows"]) == {"full", "linear", "real"}
    for name, row in part["rows"].items():
        assert name == "real" or row["jolt"]["value"] > 0
        assert row["fvd"]["value"] >= 0
        assert row["fvd16"]["value"] >= 0
    text = (tmp_path / "results.md").read_text()
    assert "| linear |" in text
    assert "storyreel reproduce stylesv -o" in text
    assert (tmp_path / "anchors.png").stat().st_size > 500
    monkeypatch.setattr(stylesv, "measure", lambda *_: pytest.fail("measured again"))
    stylesv.run(settings_for(tmp_path), "anchors")


def test_those_that_read_a_text_cost_the_same_and_are_told_by_one_encoder():
    made = {name: text_arm(TINY, 1000, name, 8) for name in TEXT_ARMS}
    costs = [one.flops for one in made.values()]
    assert max(costs) == pytest.approx(min(costs), rel=0.01)
    assert [one.recipe.system.text for one in made.values()] == ["projection"] * 3 + ["filter", "info"]
    assert {(one.recipe.text, one.recipe.system.text_dim) for one in made.values()} == {("minilm", 384)}


def test_texts_are_compared_by_what_a_judge_sees_in_sprites(tmp_path: Path, lpc: Path):
    stylesv.run(replace(settings_for(tmp_path), count=4, source=lpc), TEXTS)
    part = json.loads((tmp_path / "results.json").read_text())["parts"][TEXTS]
    assert set(part["rows"]) == {*TEXT_ARMS, "another's", "real"}
    shares = {name: row["attributes"]["mean"]["accuracy"] for name, row in part["rows"].items()}
    assert shares["real"] > 0.6, shares
    assert all(shares[name] < shares["real"] for name in TEXT_ARMS), "two steps have learned nothing yet"
    assert part["holds"] is False
    assert (tmp_path / "texts.png").stat().st_size > 500
    assert "| tfgan |" in (tmp_path / "results.md").read_text()


def test_texts_need_the_sheets_of_sprites(tmp_path: Path):
    stylesv.run(settings_for(tmp_path), TEXTS)
    part = json.loads((tmp_path / "results.json").read_text())["parts"][TEXTS]
    assert "--source" in part["missing"]
