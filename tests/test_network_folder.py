"""Settings of a network's folder, and of a LoRA file, ask no library for more than the weights hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from storyreel.hub.families import FAMILIES, PipelineLimits, limits_of
from storyreel.network_folder import check_network_folder
from storyreel.options.lora import Lora
from storyreel.tensor_header import sha256_once

HONEST = {
    "num_layers": 2, "block_out_channels": [320, 640, 1280], "rope_theta": 500_000_000, "vocab_size": 256_384,
    "max_position_embeddings": 1_010_000, "attn_implementation": "sdpa", "rope_max_seq_len": 1024, "dropout": 0.1,
    "vision_config": {"image_size": 448, "num_hidden_layers": 2, "_attn_implementation": {"": "eager"}},
    "id2label": {"0": "cat"}, "eos_token_id": [1, 106], "layer_types": ["full_attention"] * 2, "use_cache": True,
}  # fmt: skip


def network(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    save_file({f"layers.{n}.weight": np.zeros((2, 2), np.float32) for n in range(4)}, folder / "model.safetensors")
    return folder


def test_honest_settings_pass(tmp_path: Path):
    check_network_folder(network(tmp_path / "net", HONEST))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_layers": 5}, "num_layers: expected a whole number of at most 4, got 5"),
        ({"vision_config": {"num_hidden_layers": 10**6}}, "num_hidden_layers: expected a whole number of at most 4"),
        ({"rope_max_seq_len": 10**9}, "rope_max_seq_len: expected a whole number of at most 100000"),
        ({"sample_height": 10**12}, "sample_height: expected a whole number of at most 4096"),
        ({"hidden_size": -(10**9)}, "hidden_size: expected a whole number of at most 1000000, got -1000000000"),
        ({"block_out_channels": [8] * 5000}, "block_out_channels: expected a list of at most 1000, got 5000 entries"),
        ({"attn_implementation": "somebody/kernel"}, "expected eager or sdpa; another one is code from the hub"),
        ({"text_config": {"_attn_implementation": "flash_attention_2"}}, "expected eager or sdpa"),
        ({"attn_implementation": {"text_config": "somebody/kernel"}}, "expected eager or sdpa"),
        ({"experts_implementation": "somebody/kernel"}, "expected eager or sdpa"),
    ],
)
def test_settings_that_ask_for_too_much(change: dict[str, Any], said: str, tmp_path: Path):
    with pytest.raises(ValueError, match=said) as told:
        check_network_folder(network(tmp_path / "net", HONEST | change))
    assert "\n" not in str(told.value)


def endless(file: Path, way: str) -> None:
    """A pipe that nobody writes into, or a link to a file without an end."""
    file.unlink(missing_ok=True)
    if way == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")


@pytest.mark.parametrize("way", ["pipe", "device"])
@pytest.mark.parametrize("name", ["merges.txt", "config.json", "model.safetensors"])
def test_pipes_and_devices_are_no_files_of_a_network(tmp_path: Path, name: str, way: str):
    folder = network(tmp_path / "net", HONEST)
    endless(folder / name, way)
    with pytest.raises(ValueError, match=f"{name}: is not an ordinary file"):
        check_network_folder(folder)


@pytest.mark.parametrize("way", ["pipe", "device"])
def test_the_digest_of_what_has_no_end_is_not_taken(tmp_path: Path, way: str):
    """`models show hub:FOLDER` and `models push` read it for ever."""
    endless(tmp_path / "merges.txt", way)
    with pytest.raises(ValueError, match=r"merges\.txt: is not an ordinary file"):
        sha256_once(tmp_path / "merges.txt")


@pytest.mark.parametrize(
    ("vae", "network", "stride", "multiple"),
    [
        ({"scale_factor_spatial": 16, "scale_factor_temporal": 4}, {"patch_size": [1, 2, 2]}, 4, 32),
        ({"scale_factor_spatial": 1024, "scale_factor_temporal": 1024}, {"patch_size": 10**30}, 4, 16),
        ({"scale_factor_spatial": 8, "scale_factor_temporal": -4}, {"patch_size": 10**6}, 4, 16),
    ],
)
def test_what_a_pipeline_makes_is_no_multiple_of_millions(
    tmp_path: Path, vae: dict[str, Any], network: dict[str, Any], stride: int, multiple: int
):
    """A clip of 64x64 would have been made as one of 1,024,000,000 pixels a side, and cut."""
    for part, settings in (("vae", vae), ("transformer", network)):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps(settings))
    assert limits_of(tmp_path, FAMILIES["Wan"]) == PipelineLimits(stride, multiple)


def test_an_adapter_leads_to_no_other_model(tmp_path: Path):
    """transformers would read the base model that its settings name, from anywhere."""
    folder = network(tmp_path / "net", HONEST)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/somebody/model"}))
    with pytest.raises(ValueError, match=r"adapter_config\.json: is of an adapter, which names its model elsewhere"):
        check_network_folder(folder)


@pytest.mark.parametrize("part", ["transformer", "text_encoder", "scheduler"])
def test_every_component_of_a_pipeline_is_checked(part: str, tmp_path: Path):
    from storyreel.hub.reference import check_components

    parts = ("transformer", "text_encoder", "scheduler")
    for each in parts:
        network(tmp_path / each, HONEST | ({"num_train_timesteps": 10**10} if each == part else {}))
    index = {"_class_name": "WanPipeline", **{each: ["diffusers", "Kind"] for each in parts}}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=f"{part}/config.json: num_train_timesteps: expected a whole number of at"):
        check_components(tmp_path)


def through_a_text_encoder(folder: Path) -> Any:
    from storyreel.text.t5 import T5

    return T5(str(folder))


def through_a_captioner(folder: Path) -> Any:
    from storyreel.curate.captioners import load_captioner

    return load_captioner(folder)([np.zeros((1, 8, 8, 3), np.uint8)])


@pytest.mark.parametrize(
    ("kind", "open_it"),
    [("t5", through_a_text_encoder), ("git", through_a_captioner), ("blip", through_a_captioner),
     ("qwen2_vl", through_a_captioner)],
)  # fmt: skip
def test_encoders_and_captioners_are_checked_as_well(kind: str, open_it: Callable[[Path], Any], tmp_path: Path):
    folder = network(tmp_path / "net", {"model_type": kind, "num_layers": 10**6})
    with pytest.raises(ValueError, match="num_layers: expected a whole number"):
        open_it(folder)


# -- LoRA files ----------------------------------------------------------------------------------------------

PLAIN = {
    "transformer.r": 2, "transformer.lora_alpha": 4, "transformer.target_modules": ["to_q", "to_k"],
    "transformer.rank_pattern": {"^blocks.0.to_q": 1}, "transformer.alpha_pattern": {}, "transformer.bias": "none",
    "transformer.init_lora_weights": "gaussian", "transformer.peft_type": "LORA", "transformer.use_dora": False,
    "transformer.megatron_core": "megatron.core", "transformer.megatron_config": None, "transformer.loftq_config": {},
    "transformer.base_model_name_or_path": "/home/me/(a+)+", "transformer.lora_dropout": 0.1,
}  # fmt: skip


def factors(file: Path, settings: object, name: str = "transformer.blocks.0.to_q") -> Path:
    tensors = {
        f"{name}.lora_A.weight": np.zeros((2, 8), np.float32),
        f"{name}.lora_B.weight": np.zeros((8, 2), np.float32),
    }
    save_file(tensors, file, metadata=None if settings is None else {"lora_adapter_metadata": json.dumps(settings)})
    return file


@pytest.mark.parametrize("settings", [None, {}, PLAIN])
def test_settings_that_peft_writes_pass(settings: object, tmp_path: Path):
    assert Lora.read(factors(tmp_path / "a.safetensors", settings), "lora").weight == 1.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target_modules", "(.+)+X(.*)"),
        ("target_modules", ["(.+)+X(.*)"]),
        ("exclude_modules", "(.+)+X(.*)"),
        ("rank_pattern", {"(.+)+X": 1}),
        ("rank_pattern", {"a": 10**9}),
        ("r", 10**9),
        ("r", 3),
        ("r", "2"),
        ("r", -1),
        ("lora_alpha", 1e300),
        ("megatron_config", {"a": 1}),
        ("megatron_core", "antigravity"),
        ("layer_replication", [[0, 100_000]]),
        ("init_lora_weights", "pissa"),
        ("modules_to_save", ["blocks"]),
        ("layers_pattern", "(.+)+"),
        ("loftq_config", {"bits": 4}),
        ("layers_to_transform", [10**9]),
        ("bias", "all"),
    ],
)
def test_settings_that_peft_would_take_for_more(key: str, value: Any, tmp_path: Path):
    file = factors(tmp_path / "a.safetensors", PLAIN | {f"transformer.{key}": value})
    with pytest.raises(ValueError, match=rf"a\.safetensors: 'transformer\.{key}': expected a setting of plain") as told:
        Lora.read(file, "lora")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["transformer.(.+)+X", "transformer.a|b", "transformer.a\nb", "transformer.[a-z]"])
def test_names_of_tensors_are_no_regular_expressions(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match="expected tensors with names of letters, digits") as told:
        Lora.read(factors(tmp_path / "a.safetensors", None, name), "lora")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("settings", [[1], "x", {"a": "b" * 10}])
def test_other_documents_in_the_place_of_settings(settings: object, tmp_path: Path):
    with pytest.raises(ValueError, match=r"a\.safetensors: "):
        Lora.read(factors(tmp_path / "a.safetensors", settings), "lora")
