"""A network without memory: built on the `meta` device, and compared with the shapes of its weights before it is built
for real.

The sizes of a network stand in a JSON file that may come from anywhere. `num_codes: 1000000000` would ask for
gigabytes, `depth: 1000` for minutes, before the first look at the weights shows that neither is true.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from storyreel.tensor_header import TensorInfo, check_shapes

M = TypeVar("M", bound=nn.Module)

PARTS_A_TENSOR, FEW_PARTS = 4, 4_096  # modules and parameters that a network may have for each tensor of its weights
UNSAVED_SHARE, UNSAVED_BYTES = 4, 256 << 20  # of what no file holds: critics of the training, tables of positions
FILLS = {"uniform", "normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "trunc_normal"}
ELEMENTWISE = {
    "add", "sub", "mul", "div", "truediv", "floordiv", "floor_divide", "mod", "pow", "neg", "abs", "exp", "log", "sin",
    "cos", "sqrt", "rsqrt", "square", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "invert", "where", "clamp",
    "radd", "rsub", "rmul", "rdiv", "rtruediv", "rpow", "bitwise_and", "bitwise_or", "logical_and", "logical_or",
}  # fmt: skip


def build_to_fit(build: Callable[[], M], header: Mapping[str, TensorInfo], where: str) -> M:
    """What `build` gives, once its state dict is known to have the tensors of a header; its random parts are zeros."""
    network = outline(build, len(header), where)
    own = {name: t for name, t in network.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
    check_fit(own, header, where)
    check_memory(network, {id(t): t for t in own.values()}, where)
    with without_random_weights():
        return build()


def outline(build: Callable[[], M], tensors: int, where: str) -> M:
    """What `build` gives, on `meta`: every shape, and no memory.

    tensors: how many its weights have. ValueError that begins with `where`: far more parts than that, or sizes of which
    no network can be made.
    """
    most = PARTS_A_TENSOR * tensors + FEW_PARTS
    try:
        with _at_most(most), torch.random.fork_rng(devices=[]), torch.device("meta"), _ShapesAlone():
            return build()
    except _TooMany:
        raise ValueError(f"{where}: describes a network of more than {most} parts; its weights are {tensors}") from None
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{where}: no network can be made with these sizes ({why})") from None


def check_fit(own: Mapping[str, Tensor], found: Mapping[str, TensorInfo], where: str) -> None:
    """ValueError names the first tensor of the file `where` that is missing, unknown, misshapen or of another kind."""
    check_shapes({n: t.shape for n, t in own.items()}, {n: info.shape for n, info in found.items()}, where)
    for name, tensor in own.items():
        info = found[name]
        if tensor.is_floating_point() != info.is_floating_point:
            kind = "fractions" if tensor.is_floating_point() else "whole numbers"
            raise ValueError(f"{where}: {name} is {info.dtype}, expected {kind}")


def check_memory(network: nn.Module, saved: Mapping[int, Tensor], where: str) -> None:
    """ValueError where the network needs much that its weights do not hold, or more memory than this machine has.

    saved: the tensors that weights were found for, by id.
    """
    every = {id(t): t for t in (*network.parameters(), *network.buffers())}
    known = sum(t.numel() * t.element_size() for t in saved.values())
    rest = sum(t.numel() * t.element_size() for key, t in every.items() if key not in saved)
    if rest > UNSAVED_SHARE * known + UNSAVED_BYTES:
        raise ValueError(
            f"{where}: needs {rest / 1e6:,.0f} MB beside the {known / 1e6:,.0f} MB of its weights, too much to be true"
        )
    if (memory := _physical_memory()) and known + rest > memory:
        raise ValueError(f"{where}: needs {(known + rest) / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB")


@contextmanager
def without_random_weights() -> Iterator[None]:
    """Networks that are built within get zeros where they would draw numbers, which takes longer than all the rest.

    For those whose weights are about to be replaced. The global random state stays as it is.
    """
    with torch.random.fork_rng(devices=[]), _ZerosForRandom():
        yield


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


class _TooMany(Exception):
    pass


@contextmanager
def _at_most(count: int) -> Iterator[None]:
    """Stop the building of networks, in this thread, at so many modules, parameters and buffers."""
    thread, parts = threading.get_ident(), 0

    def counted(*_: Any) -> None:
        nonlocal parts
        if threading.get_ident() == thread:
            parts += 1
            if parts > count:
                raise _TooMany

    handles = [
        hooks.register_module_module_registration_hook(counted),
        hooks.register_module_parameter_registration_hook(counted),
        hooks.register_module_buffer_registration_hook(counted),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _ShapesAlone(TorchFunctionMode):
    """Arithmetic on `meta` gives the shape of the result. torch's own would first import its compiler, for seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "").strip("_")
        if name in FILLS:
            return args[0] if args else kwargs["tensor"]
        if name in ("randn", "rand"):
            kwargs.pop("generator", None)
            return torch.empty(*args, **kwargs)
        if name == "arange" and not set(kwargs) - {"dtype", "device"}:
            first, end, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
            return torch.empty(max(0, math.ceil((end - first) / step)), **{"dtype": torch.int64, **kwargs})
        if name in ("ones_like", "zeros_like", "empty_like", "full_like") and args[0].is_meta:
            return torch.empty(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype, device="meta")
        tensors = [each for each in args if isinstance(each, Tensor)]
        if name in ELEMENTWISE and tensors and all(t.is_meta for t in tensors):
            shape = _broadcast([tuple(t.shape) for t in tensors])
            return torch.empty(shape, dtype=tensors[-1].dtype, device="meta")
        if name in ("cat", "stack") and all(t.is_meta for t in args[0]):
            return _joined(list(args[0]), *args[1:], new=name == "stack", **kwargs)
        return func(*args, **kwargs)


def _broadcast(shapes: list[tuple[int, ...]]) -> list[int]:
    """As `torch.broadcast_shapes`, which imports sympy."""
    rows = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    found = []
    for sides in rows:
        large = set(sides) - {1}
        if len(large) > 1:
            raise ValueError(f"shapes {shapes} do not go together")
        found.append(next(iter(large), 1))
    return found[::-1]


def _joined(parts: list[Tensor], dim: int = 0, *, new: bool) -> Tensor:
    shape = list(parts[0].shape)
    if new:
        shape.insert(dim if dim >= 0 else dim + len(shape) + 1, len(parts))
    else:
        shape[dim] = sum(part.shape[dim] for part in parts)
    return torch.empty(shape, dtype=parts[0].dtype, device="meta")


class _ZerosForRandom(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "").strip("_")
        if name in FILLS:
            tensor = args[0] if args else kwargs["tensor"]
            return tensor.detach().zero_() if tensor.requires_grad else tensor.zero_()
        if name in ("randn", "rand"):
            kwargs.pop("generator", None)
            return torch.zeros(*args, **kwargs)
        return func(*args, **kwargs)
