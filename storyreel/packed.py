"""Weights in half of the bytes of float16: int8, with one scale a row.

A tensor `w` of two or more axes becomes `w`, int8, and `w::scale`, float32, one for each place along the first axis
(the output channels of a linear or convolutional layer): row i is `w[i] * w::scale[i]`, and no weight is off by more
than 1/254 of the largest of its row. What is small or has one axis stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from storyreel.tensor_file import read_tensors
from storyreel.tensor_header import TensorInfo

SCALE = "::scale"  # no parameter of a module can have such a name
SMALL = 1024  # values, below which a tensor stays as it is


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """name -> tensor, large floating ones as int8 and a scale. ValueError for what is not finite."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.ndim < 2 or tensor.numel() < SMALL:
            found[name] = tensor
            continue
        rows = tensor.detach().float().flatten(1)
        if not bool(rows.isfinite().all()):
            raise ValueError(f"{name} is not finite; the model was not written")
        scale = rows.abs().amax(1) / 127
        scale = torch.where(scale > 0, scale, 1.0)
        found[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(tensor)
        found[name + SCALE] = scale
    return found


def read_weights(path: Path, digest: str | None = None) -> dict[str, Tensor]:
    """The weights of a component of a model, packed or not. ValueError as `read_tensors` and `unpacked`."""
    return unpacked(read_tensors(path, digest), str(path))


def unpacked_header(header: Mapping[str, TensorInfo], where: str) -> dict[str, TensorInfo]:
    """What `unpacked` would give, by type and shape. ValueError as there."""
    found = {name: info for name, info in header.items() if not name.endswith(SCALE)}
    for name, scale in header.items():
        if name.endswith(SCALE):
            whole = found.get(name.removesuffix(SCALE))
            if whole is None or whole.dtype != "I8" or len(whole.shape) < 2 or scale.shape != whole.shape[:1]:
                raise ValueError(f"{where}: {name} does not fit the tensor that it is the scale of")
            found[name.removesuffix(SCALE)] = TensorInfo("F32", whole.shape)
    return found


def unpacked(tensors: Mapping[str, Tensor], where: str = "weights") -> dict[str, Tensor]:
    """name -> tensor, those that were packed in float32. ValueError where a scale does not fit its tensor."""
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
    for name, scale in tensors.items():
        if not name.endswith(SCALE):
            continue
        whole = found.get(name.removesuffix(SCALE))
        if whole is None or whole.dtype != torch.int8 or whole.ndim < 2 or scale.shape != whole.shape[:1]:
            raise ValueError(f"{where}: {name} does not fit the tensor that it is the scale of")
        found[name.removesuffix(SCALE)] = (whole.flatten(1).float() * scale.float()[:, None]).view_as(whole)
    return found
