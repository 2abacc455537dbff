"""A training step as two CUDA graphs: hundreds of kernels launched by two calls, where a GPU waits for the host.

    batch --copied in--> [gradients of the loss, their norm] --numbers, for the host--> [clipping, optimizers]

For stages whose steps do the same work (`Stage.capturable`) on batches of the same shapes. What differs from step to
step is kept in tensors: the batch, the learning rates, and the seed of a generator that the graphs know. A step gives
the numbers that it gives one kernel at a time. What cannot be captured runs as without graphs, and that is said.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from storyreel.systems.base import Batch
from storyreel.train.randomness import seed_dropout

if TYPE_CHECKING:
    from storyreel.train.loop import Trainer

WARM_UP = 2  # steps that run without graphs, so that libraries are loaded and moments are there
MAX_GRAPHS = 16  # of different shapes; captions of other lengths have their own

Update: TypeAlias = Callable[[], None]
Key: TypeAlias = tuple[tuple[str, tuple[int, ...], torch.dtype], ...]


class Graphs:
    """The captured steps of a trainer, by the shapes of their batches."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.device = trainer, trainer.device
        self.pool = torch.cuda.graph_pool_handle()
        self.captured: dict[Key, Captured | None] = {}
        self.steps = 0
        [self.turn] = trainer.turns
        for optimizer in trainer.optimizers[self.turn]:
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(float(group["lr"]), device=self.device)
                group["capturable"] = True

    @classmethod
    def open(cls, trainer: Trainer) -> Graphs | None:
        """None, with a line that says why, where steps of this stage cannot be captured."""
        why = ""
        if trainer.device.type != "cuda":
            why = f"there are none on {trainer.device}"
        elif not trainer.stage.capturable:
            why = "its steps differ from one another"
        elif trainer.parallel.world > 1:
            why = "processes exchange gradients"
        elif trainer.recipe.accumulate > 1 or len(trainer.turns) > 1:
            why = "a step has several backward passes"
        if not why:
            return cls(trainer)
        trainer.tell(f"{trainer.run.name}: no CUDA graphs, since {why}; steps run kernel by kernel")
        return None

    def run(self, batch: Batch, seed: int) -> tuple[dict[str, Tensor], Update] | None:
        """The loss and its parts, their norm, and what takes the step; None where this one runs without a graph."""
        self.steps += 1
        if self.steps <= WARM_UP:
            return None
        key: Key = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in sorted(batch.items()))
        if key not in self.captured:
            if len(self.captured) >= MAX_GRAPHS:
                return None
            self.captured[key] = self._capture(batch)
        found = self.captured[key]
        if found is None:
            return None
        return found.replay(batch, seed)

    def _capture(self, batch: Batch) -> Captured | None:
        try:
            return Captured(self, batch)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            self.trainer.tell(
                f"{self.trainer.run.name}: a step could not be captured as a CUDA graph ({reason}); "
                "such steps run kernel by kernel"
            )
            with contextlib.suppress(RuntimeError), torch.cuda.graph(torch.cuda.CUDAGraph()):
                torch.zeros(1, device=self.device)  # leaves the default generator as it was
            return None


class Captured:
    """Two graphs for batches of one shape, with the tensors that they read and write."""

    def __init__(self, graphs: Graphs, batch: Batch) -> None:
        trainer, turn = graphs.trainer, graphs.turn
        params = list(trainer.turns[turn].values())
        self.batch = {name: tensor.clone() for name, tensor in batch.items()}
        for p in params:
            p.grad = None
        self.gradients, self.update = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        self.rng = torch.Generator(graphs.device)
        self.gradients.register_generator_state(self.rng)
        with torch.cuda.graph(self.gradients, pool=graphs.pool, capture_error_mode="thread_local"):
            self.values = trainer.gradients(self.batch, 0, turn, self.rng)
            self.values["norm"], clip = trainer.parallel.clip(params, trainer.recipe.optim.clip_norm)
        with torch.cuda.graph(self.update, pool=graphs.pool, capture_error_mode="thread_local"):
            clip()
            for optimizer in trainer.optimizers[turn]:
                optimizer.step()
        self.grads = [(p, p.grad) for p in params]

    def replay(self, batch: Batch, seed: int) -> tuple[dict[str, Tensor], Update]:
        self.rng.manual_seed(seed)
        seed_dropout(seed)
        for name, tensor in batch.items():
            self.batch[name].copy_(tensor)
        for p, grad in self.grads:
            p.grad = grad
        self.gradients.replay()
        return self.values, self.update.replay
