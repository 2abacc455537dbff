"""Many processes, one model: DDP (every rank holds all of it) and FSDP2 (every rank holds a share)."""

from __future__ import annotations

import contextlib
import os
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.train.parallel import Kind, LossOf, Single

T = TypeVar("T")


@contextlib.contextmanager
def processes(device: torch.device) -> Iterator[tuple[int, int, torch.device]]:
    """(rank, world, device of this rank). Joins the group that `torchrun` describes; alone where there is none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0, 1, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield dist.get_rank(), dist.get_world_size(), device
    finally:
        dist.destroy_process_group()


def first_alone(make: Callable[[], T], rank: int, world: int) -> T:
    """Let rank 0 make something, and fill the caches that it needs, before the others do."""
    if world == 1:
        return make()
    made = make() if rank == 0 else None
    dist.barrier()
    return made if made is not None else make()


def make_distributed(kind: Kind, stage: Stage) -> Single:
    """Before the optimizers are made: FSDP replaces the parameters of `stage` by their shards."""
    if not dist.is_initialized():
        raise ValueError(f"--parallel {kind}: expected a process group; start with torchrun")
    device = next(stage.parameters()).device
    with torch.no_grad():
        for tensor in [*stage.parameters(), *stage.buffers()]:
            dist.broadcast(tensor, 0)
    if kind == "ddp":
        return Replicated(device)
    if kind == "fsdp":
        shard(stage)
        return Sharded(device)
    raise ValueError(f"--parallel: expected ddp or fsdp, got {kind!r}")


class _Group(Single):
    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.rank, self.world = dist.get_rank(), dist.get_world_size()

    def mean(self, values: Tensor) -> Tensor:
        dist.all_reduce(values)
        return values / self.world

    def any(self, flag: bool) -> bool:
        flags = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def wait(self) -> None:
        dist.barrier()


class _TurnLoss(nn.Module):
    """One turn's loss as a forward, which is what DDP wraps."""

    def __init__(self, stage: Stage):
        super().__init__()
        self.stage = stage

    def forward(self, batch: Batch, tick: Tick) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.stage.loss(batch, tick)
        return loss.total, loss.parts


class Replicated(_Group):
    """DDP: one wrapper a turn, over the parameters of that turn alone."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.wrapped: dict[str, DistributedDataParallel] = {}

    def loss_of(self, stage: Stage, turn: str) -> LossOf:
        learning = [p for p in stage.parameters() if p.requires_grad]
        mine = {id(p) for p in stage.parameters_for(turn)}
        for p in learning:
            p.requires_grad_(id(p) in mine)
        # A turn may leave parameters out in some steps (an image has no motion), so unused ones are looked for.
        self.wrapped[turn] = DistributedDataParallel(_TurnLoss(stage), find_unused_parameters=True)
        for p in learning:
            p.requires_grad_(True)

        def loss(batch: Batch, tick: Tick) -> Loss:
            return Loss(*self.wrapped[turn](batch, tick))

        return loss

    def together(self, turn: str, last: bool) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if last else self.wrapped[turn].no_sync()


class Sharded(_Group):
    """FSDP2: parameters, gradients, moments and average are shards of the whole."""

    def loss_of(self, stage: Stage, turn: str) -> LossOf:
        sharded: Any = stage
        return lambda batch, tick: Loss(*sharded.sharded_loss(batch, tick))

    def clip(self, params: list[nn.Parameter], limit: float) -> tuple[Tensor, Callable[[], None]]:
        norm = nn.utils.get_total_norm([p.grad for p in params if p.grad is not None])
        whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
        return whole, lambda: nn.utils.clip_grads_with_norm_(params, limit, norm)

    def whole(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach()
        return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu()

    @torch.no_grad()
    def fill(self, tensor: Tensor, whole: Tensor) -> None:
        if isinstance(tensor, DTensor):
            whole = distribute_tensor(whole.to(self.device), tensor.device_mesh, tensor.placements)
        tensor.copy_(whole)

    def settle(self, stage: Stage) -> None:
        for module in stage.modules():
            if isinstance(module, FSDPModule):
                module.reshard()


def shard(stage: Stage) -> None:
    """Shard the stage as one unit: whole while a step runs, a share of weights, moments and average otherwise.

    A stage with `shard_units() -> Iterable[nn.Module]` names blocks that are used by calling them and in no other way;
    each of these is whole only while it runs. Frozen parameters stay whole on every rank.
    """
    frozen = {p for p in stage.parameters() if not p.requires_grad}
    units: Callable[[], Iterable[nn.Module]] = getattr(stage, "shard_units", tuple)
    for block in units():
        fully_shard(block, ignored_params=frozen & set(block.parameters()))
    fully_shard(stage, ignored_params=frozen)

    def sharded_loss(self: Stage, batch: Batch, tick: Tick) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.loss(batch, tick)  # a plain tuple, in which FSDP finds the tensors to hook
        return loss.total, loss.parts

    stage.sharded_loss = types.MethodType(sharded_loss, stage)  # pyright: ignore[reportArgumentType]
    register_fsdp_forward_method(stage, "sharded_loss")
    for name in ("samples", "prepare"):
        if hasattr(stage, name):
            register_fsdp_forward_method(stage, name)
