"""Stages that stand alone, trained side by side: a process each, into one run."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from storyreel.data.child_process import process

if TYPE_CHECKING:
    from storyreel.train.budget import Budget
    from storyreel.train.command import Command, Folders


def train_side_by_side(command: Command, device: torch.device, folders: Folders, budget: Budget | None) -> None:
    """Train all unfinished stages at the same time, until each is finished. They share the device, or its threads.

    ValueError when a stage builds on another, or when one failed (which it has said itself). After Ctrl-C each writes
    a checkpoint, and KeyboardInterrupt is raised.
    """
    from storyreel.train.command import begin_run

    with torch.device("meta"):
        stages = command.recipe.system.build().stages
    names = command.unfinished()
    if built := [name for name in names if not stages[name].stands_alone]:
        raise ValueError(
            f"--stages-at-once: stage {built[0]!r} of {command.recipe.name} does not stand alone; only the stages of a "
            "cascade, which do not build on one another, can train side by side"
        )
    if len(names) < 2:
        return
    begin_run(command, folders, device).close()
    threads = max(1, torch.get_num_threads() // len(names)) if device.type == "cpu" else command.options.threads
    ends = None if budget is None else time.time() + budget.minutes * 60 - (budget.clock() - budget.began)
    options = replace(command.options, stages_at_once=False, minutes=None, threads=threads)
    alone = replace(command, beside=True, ends=ends)
    running = {name: process(train_one, replace(alone, options=replace(options, stage=name))) for name in names}
    try:
        for each in running.values():
            each.join()
    except KeyboardInterrupt:
        for each in running.values():
            each.terminate()  # SIGTERM: they write a checkpoint first
        for each in running.values():
            each.join()
        raise
    if failed := [name for name, each in running.items() if each.exitcode]:
        raise ValueError(f"--stages-at-once: {', '.join(failed)} failed; what is above says why")


def train_one(command: Command) -> None:
    """In a process of its own: one stage."""
    try:
        command.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"storyreel: {command.options.stage}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        sys.exit(1)
