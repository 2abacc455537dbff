"""What a training step costs, counted without doing it.

The stage is built on torch's `meta` device, where tensors have shapes and no contents, and its own loss and backward
pass run there under PyTorch's FLOP counter: nothing is modelled by hand, so new stages need no formula. Kernels are
counted there as well: operators, of which a GPU fuses a few that a CPU does not. Memory is the most that lies there at
any time of a step, blocks that are recomputed included, with attention that never writes down its weights. Two things
are upper bounds: a boolean mask is taken to keep everything (a masked transformer scores only what was masked), and
images are counted as clips.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental import _config as shapes  # pyright: ignore[reportPrivateImportUsage]
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any_only, tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from storyreel.model import inner_stages, own_tensors
from storyreel.recipe import Recipe, StageRecipe
from storyreel.systems.base import Batch, Stage, System, Tick
from storyreel.train.muon import ITERATIONS, matrices

TEXT_TOKENS = 32  # assumed length of a caption
ITEMS = 2  # clips that are counted; the rest is proportion
TENSORS_A_KERNEL = 64  # of a list that an operator goes through at once, about
ALLOCATIONS = {torch.ops.aten.empty.memory_format, torch.ops.aten.empty_like.default, torch.ops.aten.detach.default}
STATE_BYTES = 4 * 5  # float32 weight, gradient, two moments, average


@dataclass(frozen=True, kw_only=True)
class Cost:
    """parameters: of the stage itself, `trained` those that learn, `parts` by its top-level modules.
    forward, step: FLOPs (a multiply-add is two) of one clip's forward pass, and of a whole optimizer step of all turns.
    prepared: FLOPs a clip, once, for what the frozen stages before it make of the clip.
    state, activations: bytes for weights and their optimizer, and for all else that lies there for a micro-batch of one
    clip.
    launches: kernels of an optimizer step, about; a small network waits for the host to launch them.
    """

    parameters: int
    trained: int
    parts: dict[str, int]
    forward: float
    step: float
    prepared: float
    state: int
    activations: int
    launches: int = 0

    def memory(self, recipe: StageRecipe, gpus: int = 1, *, sharded: bool = False) -> float:
        """Bytes on each device: an estimate, without the framework's own.

        sharded: weights and gradients are whole during a step all the same, unless the stage has `shard_units`.
        """
        micro = max(1, recipe.data.batch // (gpus * recipe.accumulate))
        here = self.state / gpus + self.trained * 8 * (gpus > 1) if sharded else self.state
        return here + self.activations * micro


def costs(recipe: Recipe) -> dict[str, Cost]:
    """Stage -> cost. ValueError names a stage whose loss cannot run without contents."""
    with torch.device("meta"):
        system: System = recipe.system.build()
    return {name: cost_of(system, name, settings) for name, settings in recipe.stages.items()}


def cost_of(system: System, name: str, recipe: StageRecipe) -> Cost:
    stage = system.stages[name]
    stage.requires_grad_(True)
    for inner in inner_stages(stage):
        inner.requires_grad_(False)
    if hasattr(stage, "gradient_checkpointing"):
        setattr(stage, "gradient_checkpointing", recipe.gradient_checkpointing)  # noqa: B010
    stage.train()
    batch = imagined_batch(recipe, system.text_dim if stage.needs_text else None)
    try:
        with imagined(), torch.device("meta"):
            prepared, batch = _prepare(stage, batch)
            runs = [_run(stage, batch, turn) for turn in stage.turns]
            weights = [*system.parameters(), *system.buffers(), *batch.values()]
            retained = max(_bytes(stage, batch, turn, weights) for turn in stage.turns)
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(f"stage {name!r}: its cost cannot be counted: {error}") from error
    own = own_tensors(stage)
    learning = {id(p) for turn in stage.turns for p in stage.parameters_for(turn) if p.requires_grad}
    whole = sum(t.numel() for t in own.values())
    trained = sum(t.numel() for t in own.values() if id(t) in learning)
    held = sum(p.numel() for other in system.stages.values() if other is not stage for p in other.parameters())
    half = 1.0 if recipe.precision == "fp32" else 0.5  # auto is bf16 on the GPUs that are planned for
    return Cost(
        parameters=whole,
        trained=trained,
        parts=_parts(own),
        forward=runs[0][0] / ITEMS,
        step=sum(total for _, total, _ in runs) / ITEMS * recipe.data.batch,
        prepared=prepared / ITEMS,
        state=trained * STATE_BYTES + (whole - trained + held) * 4,
        activations=int(retained / ITEMS * half),
        launches=sum(kernels for *_, kernels in runs) * recipe.accumulate + _optimizer_launches(stage, recipe),
    )


def imagined_batch(recipe: StageRecipe, text_dim: int | None, items: int = ITEMS) -> Batch:
    """Videos and texts without contents; the small whole numbers beside them are real."""
    data = recipe.data
    video = torch.empty(items, data.channels, data.frames, data.size, data.size, device="meta")
    length, context = torch.full((items,), data.frames), torch.zeros(items, dtype=torch.int64)
    batch: Batch = {"video": video, "length": length, "context": context}
    if text_dim is not None:
        batch["text"] = torch.empty(items, TEXT_TOKENS, text_dim, device="meta")
        batch["text_mask"] = torch.ones(items, TEXT_TOKENS, dtype=torch.bool)
    return batch


def _prepare(stage: Stage, batch: Batch) -> tuple[float, Batch]:
    if type(stage).prepare is Stage.prepare:
        return 0.0, batch
    with FlopCounterMode(display=False) as counter, Imagination(), torch.no_grad():
        made = stage.prepare(batch)
    rest = {k: v for k, v in batch.items() if k != "video"} if made else batch
    return counter.get_total_flops(), {**rest, **made}


def _run(stage: Stage, batch: Batch, turn: str) -> tuple[float, float, int]:
    """(FLOPs forward, FLOPs with backward, kernels of both) of one turn."""
    with _turn(stage, turn), FlopCounterMode(display=False) as counter, Imagination() as seen:
        loss = stage.loss(batch, Tick(0, turn, torch.Generator()))
        forward = counter.get_total_flops()
        loss.total.backward()
    return forward, counter.get_total_flops(), seen.kernels


def _bytes(stage: Stage, batch: Batch, turn: str, known: Iterable[Tensor]) -> int:
    """The most bytes at any time of one turn that are neither `known` nor gradients of weights."""
    with _turn(stage, turn) as learning, fused_attention(), Imagination(LiveBytes(known)) as seen:
        assert seen.live is not None
        for p in learning:
            p.register_post_accumulate_grad_hook(seen.live.forget_gradient)
        stage.loss(batch, Tick(0, turn, torch.Generator())).total.backward()
    return seen.live.peak


def peak_bytes(work: Callable[[], object], known: Iterable[Tensor]) -> int:
    """The most bytes at any time of some work without gradients that are not `known`, on the device `meta`."""
    with imagined(), torch.no_grad(), fused_attention(), Imagination(LiveBytes(known)) as seen:
        work()
    assert seen.live is not None
    return seen.live.peak


@contextmanager
def _turn(stage: Stage, turn: str) -> Iterator[list[Tensor]]:
    """The parameters of one turn, which alone learn in the block; no gradients are left."""
    mine = {id(p) for p in stage.parameters_for(turn)}
    learning = [p for p in stage.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(id(p) in mine)
    try:
        yield [p for p in learning if id(p) in mine]
    finally:
        for p in learning:
            p.requires_grad_(True)
            p.grad = None
            p._post_accumulate_grad_hooks = None  # pyright: ignore[reportAttributeAccessIssue]


def _optimizer_launches(stage: Stage, recipe: StageRecipe) -> int:
    """Kernels of clipping, AdamW, Muon and the average, each of which goes through all tensors at once."""
    learning = {id(p): p for turn in stage.turns for p in stage.parameters_for(turn) if p.requires_grad}
    chosen = matrices(stage) & learning.keys() if recipe.optim.muon else set()
    shapes = {tuple(sorted(learning[i].flatten(1).shape)) for i in chosen}
    lists = -(-len(learning) // TENSORS_A_KERNEL)
    return lists * 12 + 4 + len(shapes) * (3 * ITERATIONS + 9)


@contextmanager
def imagined() -> Iterator[None]:
    settings: Any = shapes
    with settings.patch(meta_nonzero_assume_all_nonzero=True):
        yield


class Imagination(TorchDispatchMode):
    """Lets tensors with and without contents meet: the result has none. A mask with contents selects as it says.

    kernels: how many operators ran that are more than another look at the same numbers. live: what follows the bytes of
    their results, if anybody asks.
    """

    def __init__(self, live: LiveBytes | None = None) -> None:
        super().__init__()
        self.kernels, self.live = 0, live

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.kernels += not func.is_view and func not in ALLOCATIONS
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            kind = args[0].dtype
            return True if kind is torch.bool else 1.0 if kind.is_floating_point else 1
        if func is torch.ops.aten._unique2.default and args[0].is_meta:
            flat = args[0].flatten()  # as if no two were equal
            return flat, flat.long(), flat.long()
        whole = (args, kwargs)
        if tree_any_only(Tensor, lambda t: t.is_meta, whole) and tree_any_only(Tensor, lambda t: not t.is_meta, whole):
            if func is torch.ops.aten.index.Tensor:
                args = (args[0], _as_numbers(args[1]), *args[2:])
            if func not in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default):
                args, kwargs = tree_map_only(Tensor, lambda t: t.to("meta"), (args, kwargs))
        result = func(*args, **kwargs)
        if self.live is not None:
            self.live.follow(result)
        return result


class LiveBytes:
    """Follows the storages of tensors: how many bytes of them lie there now, and the most at any time."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        """known: tensors that are not counted."""
        self.now = self.peak = 0
        self._there: dict[int, Any] = {t.untyped_storage()._cdata: None for t in known}

    def follow(self, result: Any) -> None:
        """Count what is new in the result of an operator, until nobody holds it any more."""
        for tensor in tree_leaves(result):
            if not isinstance(tensor, Tensor) or (key := (storage := tensor.untyped_storage())._cdata) in self._there:
                continue
            size = storage.nbytes()
            self._there[key] = weakref.ref(storage, lambda _, key=key, size=size: self._gone(key, size))
            self.now += size
            self.peak = max(self.peak, self.now)

    def forget_gradient(self, weight: Tensor) -> None:
        """The gradient of a weight, which is counted with the weight, is not counted here."""
        if weight.grad is not None and self._there.get(key := weight.grad.untyped_storage()._cdata) is not None:
            self._gone(key, weight.grad.untyped_storage().nbytes())
            self._there[key] = None

    def _gone(self, key: int, size: int) -> None:
        if self._there.pop(key, None) is not None:
            self.now -= size


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention as accelerators compute it: its weights, one for each pair of tokens, are never written down."""
    usual = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = lambda q, k, v, *args, **more: _Attention.apply(q, k, v)
    try:
        yield
    finally:
        F.scaled_dot_product_attention = usual


class _Attention(torch.autograd.Function):
    """Shapes alone."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        ctx.save_for_backward(q, k, v, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(t) for t in ctx.saved_tensors[:3])


def _as_numbers(index: list[Tensor | None]) -> list[Tensor | None]:
    """Masks with contents as the whole numbers that they select."""
    made: list[Tensor | None] = []
    for each in index:
        if each is not None and each.dtype is torch.bool and not each.is_meta:
            made += list(each.nonzero().unbind(1))
        else:
            made.append(each)
    return made


def _parts(own: dict[str, Tensor]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, tensor in own.items():
        head = name.partition(".")[0]
        found[head] = found.get(head, 0) + tensor.numel()
    return found
