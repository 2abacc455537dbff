"""`storyreel reproduce svd`: what a small model is asked, and small trainings compared; measured, kept and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reproductions import svd_comparisons
from reproductions.settings import Settings
from reproductions.svd import run
from reproductions.svd_identity import characters as walking
from reproductions.svd_training import Nets, beats, gap
from reproductions.svd_turnaround import characters
from storyreel import recipes
from storyreel.data.folder import write_world
from storyreel.model import save_model
from storyreel.systems.svd import SvdConfig
from storyreel.worlds.digits import Digits


def test_the_motion_bucket_is_measured_kept_and_told(tmp_path: Path):
    recipe, out = recipes.get("svd_tiny"), tmp_path / "out"
    torch.manual_seed(0)
    model = save_model(tmp_path / "svd", recipe.system.build(), recipe=recipe, card="# tiny\n", training={})
    said: list[str] = []
    settings = Settings(out=out, count=2, paper="svd", models={"digits": str(model)}, tell=said.append)
    parts = run(settings, "motion")["parts"]
    assert set(parts) == {"motion-text", "motion-picture", "motion-alone"}
    for part in parts.values():
        assert part["n"] == 2
        assert list(part["speeds"]) == ["0", "64", "127", "191", "255"]
        assert part["holds"] == ((part["rho"]["value"] or 0) >= 0.8)
        assert (out / part["pictures"][0]).is_file()
    assert "| 255 |" in (out / "results.md").read_text()
    assert not said
    assert run(settings, "motion")["parts"] == parts
    assert [line.partition(":")[0] for line in said] == ["motion-text", "motion-picture", "motion-alone"]


def test_a_model_that_reads_no_motion_is_refused(tmp_path: Path):
    settings = Settings(out=tmp_path, paper="svd", models={"digits": "godiva-digits"})
    with pytest.raises(ValueError, match="expected a model of Stable Video Diffusion"):
        run(settings)


def tiny(out: Path, **more: Any) -> Settings:
    return Settings(
        out=out, count=2, steps=1, quick=True, paper="svd", recipe="svd_tiny", tell=lambda line: None, **more
    )


@pytest.mark.parametrize(
    ("claim", "rows", "gaps"),
    [
        ("pretrained", 3, ("pretrained less scratch", "pretrained less longer")),
        ("curated", 4, ("before", "after")),
        ("noise", 4, ("noisier at 16 pixels", "noisier at 32 pixels", "gained more at the larger size")),
    ],
)
def test_trainings_are_compared_at_equal_steps(
    claim: str, rows: int, gaps: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def two_sets(settings: Settings, nets: Nets) -> None:
        for name, digits in (("curated", "1"), ("random", "2")):
            nets.put(name, 16, write_world(tmp_path / name, Digits(size=16, frames=8, digits=digits), 8, 1, plan={}))

    monkeypatch.setattr(svd_comparisons, "add_sets", two_sets)
    settings = tiny(tmp_path / "out")
    part = run(settings, claim)["parts"][claim]
    assert (part["n"], part["steps"], part["recipe"]) == (2, 1, "svd_tiny")
    assert len(part["rows"]) == rows
    assert tuple(part["gaps"]) == gaps
    assert all(set(gap) == {"value", "interval", "n"} for gap in part["gaps"].values())
    text = (settings.out / "results.md").read_text()
    assert f"| {gaps[0]} |" in text
    assert "| Guidance that rises with the frames beats one that is constant | -- |" in text
    arms = [path.parent.name for path in (settings.out / "nets").glob("*/recipe.json")]
    assert len([name for name in arms if not name.startswith("base-")]) == (rows if claim != "curated" else 2)
    base = next((settings.out / "nets").glob("base-16-*/autoencoder/final.safetensors")).read_bytes()
    for arm in (settings.out / "nets").glob("*/autoencoder/final.safetensors"):
        if "32" not in arm.parts[-3]:
            assert arm.read_bytes() == base, "arms share an autoencoder"


def test_a_difference_holds_where_its_whole_interval_lies_above_nothing():
    rng = np.random.default_rng(0)
    worse = rng.random(50)
    assert beats(gap((worse + 0.2 + 0.1 * rng.random(50)).tolist(), worse.tolist()))
    assert not beats(gap(rng.random(50).tolist(), worse.tolist()))
    assert not beats(gap([1.0], [0.0])), "one prompt has no interval"


def test_guidance_by_frame_is_compared_and_the_model_stays_as_it_is(tmp_path: Path):
    recipe = recipes.get("svd_tiny")
    torch.manual_seed(0)
    system = recipe.system.build()
    with torch.no_grad():
        for weight in system.parameters():  # a fresh network makes nothing yet, however it is guided
            weight += 0.05 * torch.randn_like(weight)
    model = save_model(tmp_path / "svd", system, recipe=recipe, card="# tiny\n", training={})
    part = run(tiny(tmp_path / "out", models={"digits": str(model)}), "guidance")["parts"]["guidance"]
    assert set(part["rows"]) == set(part["psnr"]) == {"linear", "constant"}
    assert part["psnr"]["linear"]["value"] != part["psnr"]["constant"]["value"]
    assert part["gaps"]["linear less constant"]["n"] == 2


def test_what_reuse_between_steps_costs_is_measured(tmp_path: Path):
    recipe = recipes.get("svd_tiny")
    torch.manual_seed(0)
    model = save_model(tmp_path / "svd", recipe.system.build(), recipe=recipe, card="# tiny\n", training={})
    settings = replace(tiny(tmp_path / "out", models={"digits": str(model)}), count=4)
    part = run(settings, "reuse")["parts"]["reuse"]
    assert part["n"] == 4
    assert list(part["rows"]) == ["1", "2", "3", "4"]
    assert all((row["gap"] is None) == (every == "1") for every, row in part["rows"].items())
    assert all(row["seconds"]["value"] > 0 for row in part["rows"].values())
    assert "| 1 of 4 steps |" in (settings.out / "results.md").read_text()
    assert (settings.out / "reuse.png").is_file()


def test_a_character_of_a_picture_is_compared_with_its_last_frame(tmp_path: Path, lpc: Path):
    recipe = recipes.get("svd_tiny")
    torch.manual_seed(0)
    model = save_model(tmp_path / "svd", recipe.system.build(), recipe=recipe, card="# tiny\n", training={})
    settings = tiny(tmp_path / "out", models={"sprites": str(model)})
    assert "--source" in run(settings, "identity")["parts"]["identity"]["missing"]
    part = run(replace(settings, source=lpc), "identity")["parts"]["identity"]
    assert part["n"] == 2
    assert "action" not in part["kept"]["attributes"]
    assert list(part["moves"]["attributes"]) == ["action", "facing"]
    assert part["real_moves"]["mean"]["accuracy"] > part["moves"]["mean"]["accuracy"]
    assert part["real"]["mean"]["accuracy"] > part["kept"]["mean"]["accuracy"], "it is not trained"
    assert not part["holds"]
    assert "| that of the real drawings |" in (tmp_path / "out" / "results.md").read_text()
    for who, action in walking(3, 5):
        assert action in who.weapons


def test_a_turnaround_is_judged_by_the_views_that_were_not_given(tmp_path: Path, lpc: Path):
    recipe = recipes.get("svd_tiny")
    assert isinstance(recipe.system, SvdConfig)
    system = replace(recipe.system, turnaround=recipe.system.image_to_video)
    stages = {"turnaround": recipe.stages["image_to_video"]}
    recipe = replace(recipe, system=system, stages=stages)
    torch.manual_seed(0)
    model = save_model(tmp_path / "turn", system.build(), recipe=recipe, card="# tiny\n", training={})
    settings = tiny(tmp_path / "out", models={"sprites": str(model)})
    assert "--source" in run(settings, "turnaround")["parts"]["turnaround"]["missing"]
    part = run(replace(settings, source=lpc), "turnaround")["parts"]["turnaround"]
    assert part["n"] == 2
    assert "action" not in part["made"]["attributes"]
    assert part["real"]["attributes"]["facing"]["n"] == 6, "three views each"
    assert part["real"]["mean"]["accuracy"] > 0.7
    assert not part["holds"], "it is not trained"
    for who, _ in characters(3, 5):
        assert who.attributes["facing"] in ("left", "right")
