"""`storyreel reproduce svd`: the motion bucket of a small model, measured, kept and told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reproductions.settings import Settings
from reproductions.svd import run
from storyreel import recipes
from storyreel.model import save_model


def test_the_motion_bucket_is_measured_kept_and_told(tmp_path: Path):
    recipe, out = recipes.get("svd_tiny"), tmp_path / "out"
    torch.manual_seed(0)
    model = save_model(tmp_path / "svd", recipe.system.build(), recipe=recipe, card="# tiny\n", training={})
    said: list[str] = []
    settings = Settings(out=out, count=2, paper="svd", models={"digits": str(model)}, tell=said.append)
    parts = run(settings)["parts"]
    assert set(parts) == {"motion-text", "motion-picture"}
    for part in parts.values():
        assert part["n"] == 2
        assert list(part["speeds"]) == ["0", "64", "127", "191", "255"]
        assert part["holds"] == ((part["rho"]["value"] or 0) >= 0.8)
        assert (out / part["pictures"][0]).is_file()
    assert "| 255 |" in (out / "results.md").read_text()
    assert not said
    assert run(settings)["parts"] == parts
    assert [line.partition(":")[0] for line in said] == ["motion-text", "motion-picture"]


def test_a_model_that_reads_no_motion_is_refused(tmp_path: Path):
    settings = Settings(out=tmp_path, paper="svd", models={"digits": "godiva-digits"})
    with pytest.raises(ValueError, match="expected a model of Stable Video Diffusion"):
        run(settings)
