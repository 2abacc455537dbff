"""A GPU without a GPU: tensors that say they are on `cuda:0` and hold their numbers on the CPU.

    with fake_cuda() as seen:
        system.to("cuda")
        ...
    seen.kernels, seen.waits, seen.copies

Real code runs with real numbers. What a GPU would refuse is refused here, by RuntimeError with the line of the package
that asked for it: a tensor of the CPU among those of the GPU, or a generator of the wrong device. What makes a GPU slow
is counted: operators that run as kernels, places that wait for the device, and places that copy from the host.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda", 0)
PACKAGE = str(Path(__file__).parents[1] / "storyreel")

VIEWS = {  # operators that run no kernel
    "view", "_unsafe_view", "t", "transpose", "permute", "expand", "detach", "alias", "slice", "select", "unsqueeze",
    "squeeze", "as_strided", "split", "split_with_sizes", "unbind", "_reshape_alias", "unfold", "diagonal",
    "lift_fresh", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "is_pinned",
}  # fmt: skip
WAITS = {  # operators whose result, or its shape, the host has to know
    "_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "unique_consecutive", "masked_select", "equal",
    "bincount",
}  # fmt: skip
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}


class Seen:
    """What a GPU would have been asked for. `places` of the package, and how often each."""

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()

        self.launches = 0  # of graphs

    def clear(self) -> None:
        self.launches = 0
        for counter in (self.kernels, self.waits, self.copies):
            counter.clear()


_PlainGenerator = torch.Generator
SEEN: list[Seen] = []  # of the fake devices that are in use, the innermost last


class _Graph:
    """What was captured: operators with the tensors that they read and write. Replaying runs them again."""

    def __init__(self) -> None:
        self.tape: list[tuple[Any, Any, Any, Any]] = []

    def register_generator_state(self, generator: Any) -> None:
        assert generator.device.type == "cuda"

    def replay(self) -> None:
        SEEN[-1].launches += 1
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for func, args, kwargs, out in self.tape:
                made = func(*args, **kwargs)
                for old, new in zip(tree_leaves(out), tree_leaves(made), strict=True):
                    if isinstance(old, Tensor) and old is not new:
                        old.copy_(new)


CAPTURING: list[tuple[_Graph, dict[int, tuple[Tensor, Tensor]]]] = []  # the graph, and what to put back after it


@contextlib.contextmanager
def _capture(graph: _Graph, **_: Any) -> Iterator[None]:
    """As `torch.cuda.graph`. A GPU runs nothing while it captures, so that what was changed is put back."""
    before: dict[int, tuple[Tensor, Tensor]] = {}
    CAPTURING.append((graph, before))
    try:
        yield
    finally:
        CAPTURING.pop()
        for tensor, old in before.values():
            tensor.copy_(old)


def _record(func: Any, args: Any, kwargs: Any, out: Any) -> None:
    CAPTURING[-1][0].tape.append((func, args, kwargs, out))


def _keep(leaves: list[Any]) -> None:
    for each in leaves:
        if isinstance(each, OnCard) and each.held.data_ptr() not in CAPTURING[-1][1]:
            CAPTURING[-1][1][each.held.data_ptr()] = (each.held, each.held.clone())


def _seen(counter: str) -> None:
    """Something for which the host waits, or copies. RuntimeError where a graph is being captured."""
    getattr(SEEN[-1], counter)[_place()] += 1
    if CAPTURING:
        _refuse("operation not permitted when stream is capturing")


def _place() -> str:
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE):
            return f"{name[len(PACKAGE) + 1 :]}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return "outside of the package"


def _refuse(what: str) -> None:
    raise RuntimeError(f"{what} ({_place()})")


class OnCard(Tensor):
    """A tensor that says it is on the GPU. `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        made = Tensor._make_wrapper_subclass(  # pyright: ignore[reportAttributeAccessIssue]
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            layout=held.layout, device=held.device, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"OnCard({self.held!r})"

    device = property(lambda self: CUDA)  # pyright: ignore
    is_cuda = property(lambda self: True)  # pyright: ignore
    is_cpu = property(lambda self: False)  # pyright: ignore

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def untyped_storage(self) -> Any:
        return self.held.untyped_storage()

    def tolist(self) -> Any:
        _seen("waits")
        return self.held.detach().tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        _refuse("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, *_: Any, **__: Any) -> Any:
        _refuse("can't convert cuda:0 device type tensor to numpy")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.__name__.split(".")[0]
        leaves = tree_leaves((args, kwargs))
        if name not in VIEWS:
            SEEN[-1].kernels[name] += 1
        on_card = _checked(name, args, kwargs, leaves)
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        with torch._C.DisableTorchFunctionSubclass():
            inside = tree_map_only(OnCard, lambda t: t.held, (args, kwargs))
            if CAPTURING and func._schema.is_mutable:
                _keep(leaves)
            out = func(*inside[0], **inside[1])
            if CAPTURING and name not in VIEWS:
                _record(func, inside[0], inside[1], out)
        if func._schema.is_mutable:
            return _the_same(out, args, leaves)
        return tree_map_only(Tensor, OnCard, out) if on_card else out


def _checked(name: str, args: Any, kwargs: dict[str, Any], leaves: list[Any]) -> bool:
    """Whether the result is on the GPU. RuntimeError for devices that do not go together."""
    for each in leaves:
        if isinstance(each, _PlainGenerator) and each.device.type != "cuda":
            _refuse(f"{name}: Expected a 'cuda' device type for generator but found 'cpu'")
    if name in WAITS:
        _seen("waits")
    if name == "_to_copy":
        target = kwargs.get("device")
        return target is None or torch.device(target).type == "cuda"
    if name == "copy_":
        mine, theirs = (isinstance(t, OnCard) for t in args[:2])
        if mine != theirs and (theirs or args[1].ndim):
            _seen("copies" if mine else "waits")
        return mine
    plain = [t for t in leaves if isinstance(t, Tensor) and not isinstance(t, OnCard) and t.ndim]
    if name in INDEXING:
        index = [t for t in args[1] or [] if isinstance(t, Tensor)]
        if any(t.dtype in (torch.bool, torch.uint8) for t in index):
            _seen("waits")
        if any(not isinstance(t, OnCard) for t in index):
            _seen("copies")
        if not isinstance(args[0], OnCard):
            _refuse(f"{name}: indices should be on the same device as the indexed tensor (cpu)")
        plain = [t for t in plain if not any(t is i for i in index)]
    if plain and not name.startswith("_fused"):
        _refuse(
            f"{name}: Expected all tensors to be on the same device, but found cpu {[tuple(t.shape) for t in plain]} "
            f"beside cuda:0 {[tuple(t.shape) for t in leaves if isinstance(t, OnCard)][:3]}"
        )
    return True


def _the_same(out: Any, args: Any, leaves: list[Any]) -> Any:
    """The very tensors that an operator in place was given."""
    held = {id(t.held): t for t in leaves if isinstance(t, OnCard)}
    if isinstance(out, (list, tuple)):
        return type(out)(held.get(id(each), each) for each in out)
    return None if out is None else held.get(id(out), args[0] if isinstance(args[0], OnCard) else out)


class _Generator(_PlainGenerator):
    """A generator of the GPU whose numbers are those of the CPU's."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        return _PlainGenerator.__new__(cls, "cpu")  # pyright: ignore[reportCallIssue]

    def __init__(self, device: Any = "cpu") -> None:
        self._device = torch.device(device)

    @property
    def device(self) -> torch.device:  # pyright: ignore[reportIncompatibleVariableOverride]
        return CUDA if self._device.type == "cuda" else self._device


def _is_cuda(device: Any) -> bool:
    if isinstance(device, (str, torch.device)):
        return torch.device(device).type == "cuda"
    return False


class _Functions(TorchFunctionMode):
    """Sees to what makes a tensor on the GPU, or takes one from it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "to" and args and isinstance(args[0], Tensor):
            return _moved(func, args[0], list(args[1:]), kwargs)
        if name == "cpu" and args and isinstance(args[0], OnCard):
            return _moved(func, args[0], ["cpu"], {})
        cards = any(isinstance(t, OnCard) for t in tree_leaves(args))
        if name == "rms_norm" and cards:  # one kernel there, a chain of them here
            return torch.ops.aten._fused_rms_norm(args[0], list(args[1]), None, kwargs["eps"])[0]
        generator = kwargs.get("generator")
        if isinstance(generator, _PlainGenerator) and not cards:
            asked = "cuda" if _is_cuda(kwargs.get("device")) else "cpu"
            if generator.device.type != asked:
                _refuse(f"{name}: Expected a {asked!r} device type for generator but found {generator.device.type!r}")
        if _is_cuda(kwargs.get("device")):
            if not cards:
                return _made(func, name, args, kwargs)
            del kwargs["device"]
        return func(*args, **kwargs)


def _made(func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """The tensor of a factory, on the GPU."""
    if name in ("tensor", "as_tensor"):
        _seen("copies")
    if name not in VIEWS:
        SEEN[-1].kernels[name] += 1
    learns = kwargs.pop("requires_grad", False)
    kwargs["device"] = torch.device("cpu")
    plain = func(*args, **kwargs)
    out = tree_map_only(Tensor, OnCard, plain)
    if CAPTURING and name not in VIEWS:
        _record(func, args, dict(kwargs), plain)
    return out.requires_grad_() if learns else out


def _moved(func: Any, tensor: Tensor, rest: list[Any], kwargs: dict[str, Any]) -> Tensor:
    """tensor.to(...)."""
    device = kwargs.pop("device", None)
    kwargs.pop("non_blocking", None)
    copied = kwargs.pop("copy", False)
    if rest and isinstance(rest[0], Tensor):  # as another tensor is
        device, rest = rest[0].device, [rest[0].dtype, *rest[1:]]
    elif rest and not isinstance(rest[0], (torch.dtype, bool)):
        device, rest = rest[0], rest[1:]
    if isinstance(tensor, OnCard) and device is not None and not _is_cuda(device):
        _seen("waits")
        tensor = _Fetch.apply(tensor)  # pyright: ignore[reportAssignmentType]
    elif not isinstance(tensor, OnCard) and _is_cuda(device):
        _seen("copies")
        tensor = put(tensor)
    elif copied:
        tensor = tensor.clone()
    rest = [r for r in rest if r is not None]
    return func(tensor, *rest, **kwargs) if rest or kwargs else tensor


class _Fetch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return x.held.detach().clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return OnCard(grad)


def put(tensor: Tensor) -> Tensor:
    """A copy on the GPU, without its history."""
    return tensor if isinstance(tensor, OnCard) else OnCard(tensor.detach().clone())


def _move_module(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    device = kwargs.get("device", args[0] if args else None)
    if isinstance(device, torch.dtype) or device is None:
        return _PLAIN_TO(module, *args, **kwargs)
    moved: dict[int, tuple[Tensor, Tensor]] = {}  # shared parameters stay shared
    for part in module.modules():
        for group in (part._parameters, part._buffers):
            for name, tensor in group.items():
                if tensor is not None and isinstance(tensor, OnCard) != _is_cuda(device):
                    made = moved.get(id(tensor), (_as_parameter(tensor, device),))[0]
                    moved[id(tensor)] = made, tensor
                    group[name] = made  # pyright: ignore[reportArgumentType]
    return module


def _as_parameter(tensor: Tensor, device: Any) -> Tensor:
    learns = tensor.requires_grad
    if _is_cuda(device):
        made = put(tensor)
        if isinstance(tensor, nn.Parameter):
            made.requires_grad_(learns)._is_param = True  # pyright: ignore
        return made
    held = tensor.held.detach().clone()  # pyright: ignore[reportAttributeAccessIssue]
    return nn.Parameter(held, requires_grad=learns) if isinstance(tensor, nn.Parameter) else held


def _one_device(lists: list[list[Any]], with_indices: bool = False) -> dict[Any, Any]:
    """Optimizers sort their tensors by the devices that are underneath; here all are on the GPU, in float32."""
    assert len({t.dtype for t in lists[0]}) == 1
    return {(CUDA, lists[0][0].dtype): (lists, list(range(len(lists[0]))))}


_PLAIN_TO = nn.Module.to
_PlainAutocast = torch.autocast


class _Autocast(_PlainAutocast):  # pyright: ignore
    """That of the CPU, which knows the tensors underneath."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu", *args, **kwargs)


class _NoGradients(contextlib.ContextDecorator):
    """In place of inference mode, in which a tensor cannot wrap another."""

    def __init__(self, mode: bool = True) -> None:
        self.inside = torch.no_grad() if mode else contextlib.nullcontext()

    def __enter__(self) -> None:
        self.inside.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.inside.__exit__(*error)


@contextlib.contextmanager
def fake_cuda() -> Iterator[Seen]:
    """Inside, "cuda" is a device; gives what it is asked for."""
    seen = Seen()
    plain_enabled = torch.is_autocast_enabled
    with ExitStack() as stack:
        for owner, name, new in (
            (torch.cuda, "is_available", lambda: True),
            (torch.cuda, "is_bf16_supported", lambda *_, **__: False),
            (torch.cuda, "device_count", lambda: 1),
            (torch.cuda, "current_device", lambda: 0),
            (torch.cuda, "is_initialized", lambda: False),
            (torch.cuda, "synchronize", lambda *_: None),
            (torch.cuda, "mem_get_info", lambda *_: (2**33, 2**34)),
            (torch.cuda, "max_memory_allocated", lambda *_: 0),
            (torch.cuda, "reset_peak_memory_stats", lambda *_: None),
            (torch.cuda, "get_device_name", lambda *_: "a GPU that is not there"),
            (torch.cuda, "CUDAGraph", _Graph),
            (torch.cuda, "graph", _capture),
            (torch.cuda, "graph_pool_handle", lambda: None),
            (torch.cuda, "is_current_stream_capturing", lambda: bool(CAPTURING)),
            (torch.optim.Optimizer, "_group_tensors_by_device_and_dtype", staticmethod(_one_device)),
            (Tensor, "pin_memory", lambda tensor, *_: tensor),
            (torch, "Generator", _Generator),
            (torch, "autocast", _Autocast),
            (torch, "is_autocast_enabled", lambda *_: plain_enabled("cpu")),
            (torch, "inference_mode", _NoGradients),
            (nn.Module, "to", _move_module),
            (nn.Module, "cuda", lambda module: _move_module(module, "cuda")),
            (nn.Module, "cpu", lambda module: _move_module(module, "cpu")),
        ):
            stack.enter_context(mock.patch.object(owner, name, new))
        SEEN.append(seen)
        stack.callback(SEEN.pop)
        stack.enter_context(_Functions())
        yield seen
