"""Files of tensors: what is told from a pickle by its first bytes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from storyreel.tensor_file import read_tensors, write_tensors


@pytest.mark.parametrize("start", [b"\x80", b"PK"])
def test_a_header_whose_length_begins_like_a_pickle(tmp_path: Path, start: bytes):
    """0x..80 and 0x4b50 ("PK") are lengths that a header may have."""
    path = tmp_path / "a.safetensors"
    for pad in range(40_000):
        name = f"weight{'x' * (8 * pad)}"
        save_file({name: torch.ones(3)}, path)
        if path.read_bytes().startswith(start):
            break
    else:
        pytest.fail("no length began so")
    assert torch.equal(read_tensors(path)[name], torch.ones(3))


@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_a_pickle_with_the_name_of_a_tensor_file(tmp_path: Path, kind: str):
    path = tmp_path / "a.safetensors"
    if kind == "zip":
        torch.save({"a": torch.ones(3)}, path)
    else:
        path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match="is a pickle with the name of a safetensors file"):
        read_tensors(path)


def test_whoever_may_read_other_new_files_may_read_weights(tmp_path: Path):
    (tmp_path / "a.json").write_text("{}")
    write_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(2)})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "a.json").stat().st_mode
