"""Tensors on disk: safetensors only, written under a temporary name and renamed, read with the digest checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save_file
from torch import Tensor

from storyreel.numbers import is_digits
from storyreel.storage import replacing
from storyreel.tensor_header import check_shapes, current_name, damaged, read_header


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    """Write, flush to the disk, rename; returns the sha256. OSError names the path, and leaves no half file."""
    whole = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    with replacing(path) as (made,):
        made.touch()
        mode = made.stat().st_mode  # of any new file here; safetensors makes its own, for nobody else to read
        try:
            save_file(whole, made, metadata=metadata)
        except SafetensorError as error:
            raise _as_os_error(error, path) from None
        made.chmod(mode & 0o777)
        with made.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
    return digest


def _as_os_error(error: SafetensorError, path: Path) -> OSError:
    """safetensors puts the system's error number at the end of its own message: `... (os error 28)`."""
    words = str(error)
    number = words.rpartition("(os error ")[2].rstrip(")\"' ")
    if is_digits(number):
        return OSError(int(number), os.strerror(int(number)), str(path))
    return OSError(f"{path}: could not be written: {words}")


def read_tensors(path: Path, digest: str | None = None) -> dict[str, Tensor]:
    """Tensors on the CPU. ValueError when the file is no safetensors file, is cut short, or has another sha256."""
    read_header(path, digest)  # before as much memory is asked for as the file is long
    data = path.read_bytes()
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise damaged(path)
    try:
        return {current_name(name): tensor for name, tensor in load_bytes(data).items()}
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{path}: is not a whole safetensors file ({error})") from None


def copy_into(target: Mapping[str, Tensor], source: Mapping[str, Tensor], where: str) -> None:
    """Copy `source` into the tensors of `target`. ValueError names the first that is missing, unknown or misshapen."""
    check_shapes({n: t.shape for n, t in target.items()}, {n: t.shape for n, t in source.items()}, where)
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])
