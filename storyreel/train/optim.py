"""Optimizers, the learning-rate curve and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from storyreel.recipe import Optim, StageRecipe
from storyreel.systems.base import Stage
from storyreel.train.muon import Muon, foreach, local, matrices

Optimizers: TypeAlias = list[torch.optim.Optimizer]


def learning_rate(optim: Optim, step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to `final_lr * lr` at the last step."""
    if step < optim.warmup:
        return optim.lr * (step + 1) / optim.warmup
    share = (step - optim.warmup) / max(1, steps - optim.warmup)
    return optim.lr * (optim.final_lr + (1 - optim.final_lr) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def parameters_of(stage: Stage, where: str) -> dict[str, dict[str, nn.Parameter]]:
    """turn -> name -> parameter. ValueError when a turn has none, or a parameter has two turns."""
    names = {id(p): n for n, p in stage.named_parameters()}
    turn_of: dict[int, str] = {}
    found: dict[str, dict[str, nn.Parameter]] = {}
    for turn in stage.turns:
        mine = {id(p): p for p in stage.parameters_for(turn) if p.requires_grad}
        if not mine:
            raise ValueError(f"{where}: turn {turn!r} has no parameter that learns")
        for key in mine:
            if key not in names:
                raise ValueError(f"{where}: turn {turn!r} has a parameter that is not of the stage")
            if key in turn_of:
                raise ValueError(
                    f"{where}: {names[key]} belongs to the turns {turn_of[key]!r} and {turn!r}; expected one"
                )
            turn_of[key] = turn
        found[turn] = {names[key]: p for key, p in mine.items()}
    return found


def make_optimizers(
    stage: Stage, params: Mapping[str, nn.Parameter], recipe: StageRecipe, *, fused: bool, bf16: bool = False
) -> Optimizers:
    """AdamW for all, or Muon for the matrices, in bfloat16 where asked, and AdamW for the rest.

    Biases, norms and other one-dimensional parameters do not decay. A group's `share` times the learning rate of
    the step is its own learning rate.
    """
    optim, chosen = recipe.optim, matrices(stage) if recipe.optim.muon else set()
    rest = [p for p in params.values() if id(p) not in chosen]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    made: Optimizers = []
    if rest:
        groups = [g for g in groups if g["params"]]
        made.append(torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, fused=fused))
    if mine := [p for p in params.values() if id(p) in chosen]:
        dtype = torch.bfloat16 if bf16 else torch.float32
        made.append(Muon(mine, optim.muon, weight_decay=optim.weight_decay, dtype=dtype))
        made[-1].param_groups[0]["share"] = optim.muon / optim.lr
    return made


def set_rates(optimizers: Optimizers, lr: float) -> None:
    """The learning rate of a step, and the shares of it that groups have; into the tensor where there is one."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rate = lr * group.get("share", 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def optimizer_state(optimizers: Optimizers, params: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """`<parameter>.<moment>` -> tensor; the same tensors that the optimizers hold."""
    return {
        f"{n}.{key}": value for o in optimizers for n, p in params.items() for key, value in o.state.get(p, {}).items()
    }


def begin_optimizers(optimizers: Optimizers) -> None:
    """Make the moments now, as the first step would, so that a checkpoint of step 0 is like any other."""
    for optimizer in optimizers:
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            if isinstance(optimizer, Muon):
                optimizer.state[p] = {"momentum": torch.zeros_like(p)}
                continue
            step = torch.zeros((), dtype=torch.float32, device=p.device if optimizer.defaults["fused"] else "cpu")
            optimizer.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}


class Average:
    """An exponential moving average of the learning parameters in float32.

    The decay starts low, (1 + step) / (10 + step), so that a short run does not average its random start.
    """

    def __init__(self, params: Mapping[str, nn.Parameter], decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"ema: expected at least 0 and less than 1, got {decay}")
        self.params, self.decay = dict(params), decay
        self.tensors = {n: p.detach().clone().float() for n, p in self.params.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        here = [local(p) for p in self.params.values()]
        foreach._foreach_lerp_([local(t) for t in self.tensors.values()], here, self.weight(step))

    def weight(self, step: int) -> float:
        """How much the weights after this step count in the new average."""
        return 1 - min(self.decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the weights and their average; twice gives back the same bits."""
        here, average = [local(p) for p in self.params.values()], [local(t) for t in self.tensors.values()]
        saved = [p.clone() for p in here]
        foreach._foreach_copy_(here, average)
        foreach._foreach_copy_(average, saved)
