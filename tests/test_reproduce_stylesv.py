"""`storyreel reproduce stylesv` at toy size: equal compute, a table a claim; and it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reproductions import stylesv
from reproductions.settings import Settings
from reproductions.stylesv import CLAIMS, FULL, PRESETS, WITHOUT, arm, verdict

TINY = "video_gan_tiny"


def settings_for(out: Path) -> Settings:
    return Settings(out=out, quick=True, steps=2, recipe=TINY, paper="stylesv", tell=print)


def test_all_that_is_compared_costs_the_same():
    assert {FULL, *WITHOUT, *PRESETS} == {name for names in CLAIMS.values() for name in names}
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
