"""Similarity of text and frames by the dual encoder, aesthetics by a linear head: on tiny random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stub_films import measure_real
from test_export import ANY, encode, numbered
from test_pipeline import rows_in

from storyreel.curate.export import Export
from storyreel.curate.models import ModelSettings
from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.similarity import load_aesthetics


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from storyreel import recipes
    from storyreel.model import save_model

    recipe = recipes.get("encoder_tiny")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "encoder-tiny"
    return save_model(folder, recipe.system.build(), recipe=recipe, card="# Tiny\n", training={})


@pytest.fixture(scope="module")
def head_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("aesthetics")
    small: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = CLIPVisionConfig(**small, num_attention_heads=2, image_size=32, patch_size=16, projection_dim=8)
    CLIPVisionModelWithProjection(config).save_pretrained(str(folder / "clip"), safe_serialization=True)
    save_file({"weight": torch.randn(1, 8), "bias": torch.tensor([5.0])}, str(folder / "head.safetensors"))
    return folder


def run(tmp_path: Path, **models: Any) -> list[dict[str, Any]]:
    settings = CurationSettings(export=Export(format="virtual"), models=ModelSettings(**models))
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    return rows_in(tmp_path / "out")


def test_similarity_is_the_mean_cosine_over_three_frames(tmp_path: Path, encoder_folder: Path):
    from storyreel.data.folder import DatasetFolder
    from storyreel.encoder import load_encoder

    encode(tmp_path / "in" / "a.mp4", numbered(48))
    (tmp_path / "in" / "a.txt").write_text("stripes that count\n")
    rows = run(tmp_path, encoder=str(encoder_folder))
    encoder = load_encoder(encoder_folder)
    text = encoder.text_embeddings(["stripes that count"])[0]
    clip = DatasetFolder.open(tmp_path / "out").clip(0).frames[[0, 12, 23]]
    wanted = float((encoder.frame_embeddings(torch.from_numpy(clip.copy())[None])[0] @ text).mean())
    assert rows[0]["similarity"] == pytest.approx(wanted, abs=1e-5)
    assert len(list((tmp_path / "out/curation/answers").iterdir())) == 1
    (tmp_path / "in" / "a.txt").write_text("something else\n")
    assert run(tmp_path, encoder=str(encoder_folder))[0]["similarity"] != rows[0]["similarity"], "another caption"


def test_aesthetics_are_a_linear_function_of_unit_embeddings(tmp_path: Path, head_folder: Path):
    encode(tmp_path / "in" / "a.mp4", numbered(48))
    rows = run(tmp_path, aesthetics=str(head_folder))
    assert all(isinstance(row["aesthetics"], float) for row in rows)
    score, _ = load_aesthetics(head_folder)
    video = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    each = [score(video[i : i + 1]) for i in range(2)]
    assert score(video) == pytest.approx(sum(each) / 2, abs=1e-5)
    assert abs(each[0] - 5.0) < 10


def test_a_head_that_does_not_fit_is_refused(head_folder: Path, tmp_path: Path):
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match=r"expected clip/ .* and head\.safetensors"):
        load_aesthetics(tmp_path)
    (tmp_path / "clip").symlink_to(head_folder / "clip")
    save_file({"weight": torch.randn(1, 9), "bias": torch.zeros(1)}, str(tmp_path / "head.safetensors"))
    with pytest.raises(ValueError, match="takes 9 numbers, this CLIP gives 8"):
        load_aesthetics(tmp_path)
    (tmp_path / "head.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_aesthetics(tmp_path)
    assert json.loads((head_folder / "clip" / "config.json").read_text())["projection_dim"] == 8
