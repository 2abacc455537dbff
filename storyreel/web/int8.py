"""Stores the weights of an ONNX graph as int8 with a scale a row; what is computed stays float32.

A row is a place along the axis that loses least: the output channels of a linear layer, whichever way it lies. Weights
of a packed model (`storyreel.packed`) have int8 values already, and these are found again, so they lose nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SMALL = 1024  # values, below which a weight stays as it is
SEEN = 8  # values of a row that a scale is tried on


def quantized(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """float32 of two or more axes -> (int8 of the same shape, float32 scales along an axis, that axis)."""
    tried = [(*_along(weight, axis), axis) for axis in dict.fromkeys((0, weight.ndim - 1))]
    return min(tried, key=lambda one: float(np.square(restored(*one) - weight).sum()))


def restored(values: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    """The weight that these stand for, float32."""
    return values.astype(np.float32) * scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])


def _along(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    scale = _scales(rows)
    values = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8)
    moved = np.moveaxis(weight, axis, 0).shape
    return np.moveaxis(values.reshape(moved), 0, axis), scale


def _scales(rows: np.ndarray) -> np.ndarray:
    """The step of each row: the one that its values are multiples of, where there is one of at least 1/127 of the
    largest; otherwise that."""
    largest = np.abs(rows).max(1)
    largest = np.where(largest > 0, largest, 1.0)
    scale = (largest / 127).astype(np.float32)
    every = max(1, rows.shape[1] // SEEN)
    found = np.zeros(len(rows), bool)
    for steps in range(1, 128):
        one = largest / steps
        off = np.abs(rows[:, ::every] / one[:, None] - np.rint(rows[:, ::every] / one[:, None])).max(1)
        for row in np.flatnonzero((off < 1e-3) & ~found):
            ratio = rows[row] / one[row]
            if np.abs(ratio - np.rint(ratio)).max() < 1e-3:
                scale[row], found[row] = one[row], True
    return scale


def store_int8(model: Any) -> None:
    """Change the large float weights of an `onnx.ModelProto` in place.

    Each is restored once, when the graph is opened; of a table that rows are taken from, only those that are taken.
    """
    from onnx import numpy_helper

    graph = model.graph
    _name_constants(graph)
    for weight in [w for w in graph.initializer if w.data_type == 1 and len(w.dims) > 1 and np.prod(w.dims) >= SMALL]:
        users = [node for node in graph.node if weight.name in node.input]
        if not users or any(node.op_type not in ("Gather", "MatMul", "Gemm", "Conv") for node in users):
            continue
        values, scale, axis = quantized(numpy_helper.to_array(weight))
        scale = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        name = weight.name
        graph.initializer.remove(weight)
        for part, kind in ((values, "int8"), (scale, "scale")):
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(part), f"{name}::{kind}"))
        if axis == 0 and all(node.op_type == "Gather" and node.input[0] == name for node in users):
            for node in users:
                _insert(graph, node, name, node.output[0], node.input[1])
        else:
            _insert(graph, None, name, name)


def _name_constants(graph: Any) -> None:
    """Large constants, as the tracer leaves weights that are no parameters, become initializers."""
    for node in [n for n in graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]:
        tensor = node.attribute[0].t
        if np.prod(tensor.dims) >= SMALL:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)


def _insert(graph: Any, taker: Any, name: str, out: str, ids: str = "") -> None:
    """Nodes that restore the weight `name` as `out`, at the beginning; or in place of `taker`, the rows `ids` of it."""
    from onnx import helper

    place = list(graph.node).index(taker) if taker is not None else 0
    values, scale, new = f"{name}::int8", f"{name}::scale", []
    if taker is not None:
        graph.node.remove(taker)
        new = [helper.make_node("Gather", [each, ids], [f"{out}{each}"], axis=0) for each in (values, scale)]
        values, scale = f"{out}{values}", f"{out}{scale}"
    new += [
        helper.make_node("Cast", [values], [f"{out}::float"], to=1),
        helper.make_node("Mul", [f"{out}::float", scale], [out]),
    ]
    for step, each in enumerate(new):
        graph.node.insert(place + step, each)
