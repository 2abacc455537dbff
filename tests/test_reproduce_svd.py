"""`storyreel reproduce svd`: the motion bucket of a small model, measured, kept and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storyreel import recipes
from storyreel.cli import main
from storyreel.model import save_model


def test_the_motion_bucket_is_measured_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import torch

    recipe = recipes.get("svd_tiny")
    torch.manual_seed(0)
    model = save_model(tmp_path / "svd", recipe.system.build(), recipe=recipe, card="# tiny\n", training={})
    out = tmp_path / "out"
    command = ["reproduce", "svd", "-o", str(out), "--model", f"digits={model}", "--count", "2"]
    assert main(command) == 0
    parts = json.loads((out / "results.json").read_text())["parts"]
    assert set(parts) == {"motion-text", "motion-picture"}
    for part in parts.values():
        assert part["n"] == 2
        assert list(part["speeds"]) == ["0", "64", "127", "191", "255"]
        assert part["holds"] == ((part["rho"]["value"] or 0) >= 0.8)
        assert (out / part["pictures"][0]).is_file()
    assert "| 255 |" in (out / "results.md").read_text()
    capsys.readouterr()
    assert main(command) == 0
    assert "kept" in capsys.readouterr().err
    assert main(["reproduce", "svd", "-o", str(tmp_path / "bad"), "--model", "digits=godiva-digits"]) == 1
    assert "expected a model of Stable Video Diffusion" in capsys.readouterr().err
