"""Weights in a third to half of the bytes of float16: int8, with one scale a row, deflated.

A tensor `w` of two or more axes becomes `w`, int8, and `w::scale`, float32, one for each place along the first axis
(the output channels of a linear or convolutional layer): row i is `w[i] * w::scale[i]`. What is small or has one axis
stays as it is. Deflated, `w` has no values: its shape gets a last axis of 0, and `w::deflated`, uint8, holds them as a
zlib stream of Huffman codes. With a step of a tenth of a row's root mean square a value takes 5.4 bits instead of 8
(the entropy of normal values is 5.37), and a row is off by 2.9 % of its root mean square.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from storyreel.tensor_file import read_tensors
from storyreel.tensor_header import TensorInfo

SCALE, DEFLATED = "::scale", "::deflated"  # no parameter of a module can have such a name
DENSEST = 1100  # values that a byte of a zlib stream can hold at most
SMALL = 1024  # values, below which a tensor stays as it is


def packed(tensors: Mapping[str, Tensor], step: float = 0.0) -> dict[str, Tensor]:
    """name -> tensor, large floating ones as int8 and a scale. ValueError for what is not finite.

    step: between two values, in root mean squares of the row; 1/127 of its largest value where that is more. Shipped
    models have 0.1: the loss of phenaki-sprites rises by 0.4 %.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.ndim < 2 or tensor.numel() < SMALL:
            found[name] = tensor
            continue
        rows = tensor.detach().float().flatten(1)
        if not bool(rows.isfinite().all()):
            raise ValueError(f"{name} is not finite; the model was not written")
        scale = torch.maximum(rows.abs().amax(1) / 127, rows.pow(2).mean(1).sqrt() * step)
        scale = torch.where(scale > 0, scale, 1.0)
        found[name] = (rows / scale[:, None]).round().to(torch.int8).view_as(tensor)
        found[name + SCALE] = scale
    return found


def deflated(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `packed` gave, with the int8 values as zlib streams."""
    found = dict(tensors)
    for name in [n.removesuffix(SCALE) for n in tensors if n.endswith(SCALE)]:
        coder = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
        stream = coder.compress(tensors[name].contiguous().numpy().tobytes()) + coder.flush()
        found[name] = torch.empty(*tensors[name].shape, 0, dtype=torch.int8)
        found[name + DEFLATED] = torch.from_numpy(np.frombuffer(stream, np.uint8).copy())
    return found


def inflated(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """What `deflated` was given. ValueError where a stream does not hold just as many values as the shape says."""
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(DEFLATED)}
    for name in [n.removesuffix(DEFLATED) for n in tensors if n.endswith(DEFLATED)]:
        stream, empty = tensors[name + DEFLATED], found.get(name)
        if stream.dtype != torch.uint8 or empty is None or empty.dtype != torch.int8 or empty.shape[-1:] != (0,):
            raise ValueError(f"{where}: {name}{DEFLATED} does not fit the tensor that it is the values of")
        shape = empty.shape[:-1]
        decoder = zlib.decompressobj()
        try:
            values = decoder.decompress(stream.numpy().tobytes(), shape.numel() + 1)
        except zlib.error as error:
            raise ValueError(f"{where}: {name}{DEFLATED} is damaged ({error})") from None
        if len(values) != shape.numel() or not decoder.eof:
            raise ValueError(f"{where}: {name}{DEFLATED} does not hold the {shape.numel()} values of its tensor")
        found[name] = torch.from_numpy(np.frombuffer(values, np.int8).copy()).view(shape)
    return found


def read_weights(path: Path, digest: str | None = None) -> dict[str, Tensor]:
    """The weights of a component of a model, packed or not. ValueError as `read_tensors` and `unpacked`."""
    return unpacked(read_tensors(path, digest), str(path))


def unpacked_header(header: Mapping[str, TensorInfo], where: str) -> dict[str, TensorInfo]:
    """What `unpacked` would give, by type and shape. ValueError as there."""
    found = {name: info for name, info in header.items() if not name.endswith((SCALE, DEFLATED))}
    for name in [n.removesuffix(DEFLATED) for n in header if n.endswith(DEFLATED)]:
        empty = found.get(name)
        most = DENSEST * header[name + DEFLATED].bytes
        if empty is None or empty.shape[-1:] != (0,) or math.prod(empty.shape[:-1]) > most:
            raise ValueError(f"{where}: {name}{DEFLATED} does not fit the tensor that it is the values of")
        found[name] = TensorInfo(empty.dtype, empty.shape[:-1])
    for name, scale in header.items():
        if name.endswith(SCALE):
            whole = found.get(name.removesuffix(SCALE))
            if whole is None or whole.dtype != "I8" or len(whole.shape) < 2 or scale.shape != whole.shape[:1]:
                raise ValueError(f"{where}: {name} does not fit the tensor that it is the scale of")
            found[name.removesuffix(SCALE)] = TensorInfo("F32", whole.shape)
    return found


def unpacked(tensors: Mapping[str, Tensor], where: str = "weights") -> dict[str, Tensor]:
    """name -> tensor, those that were packed in float32. ValueError where a scale does not fit its tensor."""
    tensors = inflated(tensors, where)
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
    for name, scale in tensors.items():
        if not name.endswith(SCALE):
            continue
        whole = found.get(name.removesuffix(SCALE))
        if whole is None or whole.dtype != torch.int8 or whole.ndim < 2 or scale.shape != whole.shape[:1]:
            raise ValueError(f"{where}: {name} does not fit the tensor that it is the scale of")
        found[name.removesuffix(SCALE)] = (whole.flatten(1).float() * scale.float()[:, None]).view_as(whole)
    return found
