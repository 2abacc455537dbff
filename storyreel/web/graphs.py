"""Writes a model's networks as ONNX graphs, and says how far they are from what PyTorch computes.

text      ids int64 (1, l) -> token states (1, l, d) of the text encoder
others    those that the system gives (`System.graphs`)

The dimension l, the tokens of a sentence, is free; all others are fixed.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

OPSET = 18


class TextGraph(nn.Module):
    """Token ids int64 (1, l) -> states (1, l, d)."""

    def __init__(self, bert: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor) -> Tensor:
        return self.bert(ids)


def to_onnx(network: nn.Module, arguments: Mapping[str, Tensor]) -> Any:
    """The network as an `onnx.ModelProto` with these inputs and the one output `out`; `ids` and `text` of any length.

    ImportError where onnx is missing.
    """
    import onnx

    lengths = {name: {1: "l"} for name in ("ids", "text") if name in arguments}
    if "ids" in arguments:
        lengths["out"] = {1: "l"}
    made = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer notes each shape that it takes for a constant, and its own age
        torch.onnx.export(
            network.eval(),
            tuple(arguments.values()),
            made,  # pyright: ignore[reportArgumentType]  the tracer writes into memory too
            input_names=list(arguments),
            output_names=["out"],
            dynamic_axes=lengths,
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(made.getvalue())


def run_onnx(model: Any, arguments: Mapping[str, Tensor]) -> np.ndarray:
    """What onnxruntime computes of a graph that `to_onnx` gave. ImportError where onnxruntime is missing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    read = [one.name for one in session.get_inputs()]  # a decoder without a palette reads no text
    return np.asarray(session.run(None, {name: arguments[name].numpy() for name in read})[0])


def difference(model: Any, network: nn.Module, arguments: Mapping[str, Tensor]) -> float:
    """The largest difference between a graph and its network; of uint8 pixels, the share that differs."""
    with torch.no_grad():
        expected = network.eval()(*arguments.values()).numpy()
    got = run_onnx(model, arguments)
    if expected.dtype == np.uint8:
        return float((expected != got).any(-1).mean())
    return float(np.abs(expected - got).max())
