"""Published checkpoints into networks: read without pickle, every name and shape checked, one digest of the content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from storyreel.tensor_file import copy_into, read_tensors
from storyreel.weights_registry import refuse_pickle

N = TypeVar("N", bound=nn.Module)
UNUSED = ("num_batches_tracked", "position_ids")  # counters and ramps that some versions of a file have


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors or .npz file. ValueError for anything else, with the way to convert a pickle."""
    refuse_pickle(path)
    if path.suffix != ".npz":
        return read_tensors(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path}: is not a whole .npz of plain arrays ({error})") from None


def without_unused(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in tensors.items() if name.rpartition(".")[2] not in UNUSED}


def filled(build: Callable[[], N], tensors: dict[str, Tensor], where: str) -> N:
    """The network with exactly these tensors, frozen, in eval mode; draws no random numbers.

    ValueError names the first tensor that is missing, unknown or of another shape.
    """
    with torch.device("meta"):
        net = build()
    net = net.to_empty(device="cpu")
    copy_into(without_unused(net.state_dict()), without_unused(tensors), where)
    return net.requires_grad_(False).eval()


def seeded(build: Callable[[], N], seed: int) -> N:
    """The network with random weights that depend on `seed` alone, frozen, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build()
    return net.requires_grad_(False).eval()


def digest_of(net: nn.Module) -> str:
    """sha256 over names, shapes and float32 values in order of name: the same for every file format."""
    found = hashlib.sha256()
    for name, tensor in sorted(without_unused(net.state_dict()).items()):
        found.update(f"{name}:{list(tensor.shape)};".encode())
        found.update(tensor.detach().float().contiguous().numpy().tobytes())
    return found.hexdigest()


def in_parts(function: Callable[[Tensor], Tensor], inputs: Tensor, size: int) -> Tensor:
    """function(inputs), `size` rows at a time, so that memory stays small; float32."""
    parts: Iterable[Tensor] = inputs.split(size)
    return torch.cat([function(part).float() for part in parts])
