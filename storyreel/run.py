"""A run folder: what is being trained, how far it has come, and everything needed to go on.

RUN/recipe.json                      the resolved recipe; another recipe is refused
RUN/<stage>/log.jsonl                one line an optimizer step; no wall-clock numbers, so that it can be compared
RUN/<stage>/timing.jsonl             clips/s and seconds
RUN/<stage>/checkpoint-<step>/       weights, ema, optimizer-<turn> (safetensors) and state.json with their digests
RUN/<stage>/final.safetensors        the averaged weights of a finished stage; final.json has its digest
RUN/<stage>/samples/                 contact sheets
RUN/model/                           the finished model folder
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from storyreel.field_ranges import current_names
from storyreel.names import bare
from storyreel.numbers import is_digits
from storyreel.ownership import claim, remove_names
from storyreel.precision import settled
from storyreel.recipe import Recipe, as_json
from storyreel.storage import (
    digest_of,
    not_through_a_link,
    read_json,
    sweep,
    sync_folder,
    take_lock,
    temporary_name,
    write_json,
)
from storyreel.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    from filelock import BaseFileLock

MAY_CHANGE = ("steps", "checkpoint_every", "sample_every", "accumulate")  # of a stage, between two calls of a run
MAY_BE_SET = ("precision",)  # the same, where nothing else differs; "auto" goes on with what the run was begun with
KEEP = 2


class Run:
    """A run folder that belongs to one recipe. `Run.open` begins or resumes it."""

    def __init__(self, path: Path, recipe: Recipe):
        self.path, self.recipe = path, recipe
        self._held: dict[str, BaseFileLock] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        recipe: Recipe,
        *,
        device: torch.device | None = None,
        inputs: Iterable[str | Path | None] = (),
        hold: Sequence[str] = (),
        write: bool = True,
    ) -> Run:
        """Begin a run, or go on with one. ValueError: somebody else's folder, or the fields that differ.

        device: where it is trained; a precision "auto" is settled for it and kept in the run, in which it stays.
        inputs: what is read meanwhile, and must lie apart. hold: stages whose folders are taken for this process until
        `close`, before anything is written. write: False where another process of the same training writes.
        """
        path = Path(path)
        with claim(path, "run", inputs=inputs, shared=True):
            return cls._open(path, recipe, device, hold, write)

    @classmethod
    def _open(cls, path: Path, recipe: Recipe, device: torch.device | None, hold: Sequence[str], write: bool) -> Run:
        file = path / "recipe.json"
        saved = read_json(file) if file.exists() else None
        recipe = with_precision(recipe, saved, device)
        now = json.loads(json.dumps(as_json(recipe)))
        if saved is not None:
            changed = differences(recipe, saved)
            wrong = [c for c in changed if not _may_change(c[0], MAY_CHANGE)]
            if any(not _may_change(c[0], MAY_BE_SET) for c in wrong):
                named = "; ".join(f"{name} was {_short(old)}, now {_short(new)}" for name, old, new in wrong[:5])
                more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
                raise ValueError(f"{path} was begun with another recipe: {named}{more}; give another run folder")
        elif any(path.glob("*/checkpoint-*")):
            raise ValueError(f"{path}: has checkpoints but no recipe.json; give another run folder")
        run = cls(path, recipe)
        try:
            for name in hold:
                run._held[name] = lock_stage(path / name)
            if write and saved != now:
                write_json(file, now)
        except BaseException:
            run.close()
            raise
        return run

    def set_steps(self, steps: Mapping[str, int]) -> None:
        """Give stages other numbers of steps, in the recipe of this run and on the disk; those of others stay there."""
        stages = {n: dataclasses.replace(s, steps=steps.get(n, s.steps)) for n, s in self.recipe.stages.items()}
        self.recipe = dataclasses.replace(self.recipe, stages=stages)
        with claim(self.path, "run", shared=True):
            saved = read_json(self.path / "recipe.json")
            for name, count in steps.items():
                saved["stages"][name]["steps"] = count
            write_json(self.path / "recipe.json", saved)

    def close(self) -> None:
        """Let go of the stages that are held."""
        for lock in self._held.values():
            lock.release()
        self._held = {}

    def stage(self, name: str) -> StageRun:
        return StageRun(self.path / name, name, self.recipe.seed, held=name in self._held)


def lock_stage(path: Path) -> BaseFileLock:
    """Take the folder of a stage for this process. ValueError when another process is training into it."""
    path.mkdir(parents=True, exist_ok=True)
    return take_lock(path / ".lock", f"{path}: another process is training into this folder")


@dataclass(frozen=True)
class Checkpoint:
    """What a stage needs to go on: `tensors[file][name]` on the CPU, and the numbers of state.json."""

    path: Path
    step: int
    state: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


class StageRun:
    """The part of a run folder that belongs to one stage."""

    def __init__(self, path: Path, name: str, seed: int = 0, *, held: bool = False):
        """held: its run holds the folder already."""
        self.path, self.name, self.seed, self.held = path, name, seed, held
        self._log: FileIO | None = None
        self._lock: BaseFileLock | None = None

    # -- one writer at a time ------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the folder for this process. ValueError when another process is training into it."""
        if not self.held:
            self._lock = lock_stage(self.path)
        for folder in (self.path, self.path / "samples"):
            sweep(folder)  # what a process that was killed had begun to write
        self._drop_old()

    def close(self) -> None:
        if self._log:
            self._log.close()
        if self._lock:
            self._lock.release()
        self._log = self._lock = None

    # -- log -----------------------------------------------------------------------------------------------

    def log(self, record: Mapping[str, Any]) -> None:
        file = self.path / "log.jsonl"
        try:
            if self._log is None:
                self._log = FileIO(file, "ab", opener=not_through_a_link)
            self._log.write((json.dumps(record) + "\n").encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(file)) from None

    def cut_log(self, length: int) -> None:
        """Forget what was logged after the checkpoint that training goes on from."""
        file = self.path / "log.jsonl"
        if self._log:
            self._log.close()
            self._log = None
        if file.exists():
            with open(file, "r+b", opener=not_through_a_link) as log:
                log.truncate(min(length, file.stat().st_size))

    # -- checkpoints ---------------------------------------------------------------------------------------

    def checkpoints(self) -> list[tuple[int, Path]]:
        """(step, folder), the newest first."""
        found = [(p.name.removeprefix("checkpoint-"), p) for p in self.path.glob("checkpoint-*") if p.is_dir()]
        return sorted(((int(step), p) for step, p in found if is_digits(step)), reverse=True)

    def save(self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], **state: Any) -> Path:
        """Write a checkpoint as a whole or not at all, and drop those before the last two.

        OSError when the disk is full or the folder cannot be written; what was there before stays.
        """
        final, made = self.path / f"checkpoint-{step}", temporary_name(self.path / f"checkpoint-{step}")
        try:
            made.mkdir(parents=True)
            digests = {name: write_tensors(made / f"{name}.safetensors", each) for name, each in tensors.items()}
            log = self.path / "log.jsonl"
            if self._log:
                os.fsync(self._log.fileno())
            length = log.stat().st_size if log.exists() else 0
            whole = {"checkpoint": 1, "step": step, "stage": self.name, "log_bytes": length, "sha256": digests, **state}
            write_json(made / "state.json", whole)
            _remove_checkpoint(final)
            if final.exists():  # somebody keeps something in it
                for name in sorted(os.listdir(made), key=lambda name: (name == "state.json", name)):
                    os.replace(made / name, final / name)
                made.rmdir()
            else:
                made.rename(final)
            sync_folder(self.path)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                where = self.checkpoints()
                intact = f"; {where[0][1].name} is whole" if where else ""
                raise OSError(f"{final}: no room to write the checkpoint ({error.strerror}){intact}") from None
            raise
        self._drop_old()
        return final

    def _drop_old(self) -> None:
        for _, old in self.checkpoints()[KEEP:]:
            _remove_checkpoint(old)

    def load(self, tell: Callable[[str], None] = lambda line: None) -> Checkpoint | None:
        """The newest whole checkpoint, or None where there is none. A damaged one is told about and passed over.

        ValueError when there are checkpoints and all of them are damaged.
        """
        found = self.checkpoints()
        for i, (step, path) in enumerate(found):
            try:
                return _read_checkpoint(path, step)
            except (ValueError, OSError) as error:
                after = found[i + 1][1].name if i + 1 < len(found) else None
                if after is None:
                    raise ValueError(f"{error}; no whole checkpoint is left in {self.path}") from None
                tell(f"{error}; going back to {after}")
        return None

    # -- the finished stage --------------------------------------------------------------------------------

    def finish(self, step: int, tensors: Mapping[str, Tensor], **state: Any) -> Path:
        path = self.path / "final.safetensors"
        digest = write_tensors(path, tensors)
        write_json(self.path / "final.json", {"step": step, "stage": self.name, "sha256": digest, **state})
        return path

    def final(self) -> dict[str, Any] | None:
        """What final.json says (`step`, `sha256`, `frozen`), or None when the stage is not finished."""
        file = self.path / "final.json"
        return read_json(file) if file.exists() else None

    def final_tensors(self) -> dict[str, Tensor]:
        """The averaged weights. ValueError when the stage is not finished or the file was changed."""
        final, path = self.final(), self.path / "final.safetensors"
        if final is None:
            raise ValueError(f"{self.path}: stage {self.name!r} is not finished; train it first")
        return read_tensors(path, final["sha256"])


def _remove_checkpoint(path: Path) -> None:
    """What a checkpoint holds, state.json first, so that half of one is none; files of other names stay."""
    if path.is_dir():
        remove_names(path, ["state.json"])
        remove_names(path, [name for name in os.listdir(path) if name.endswith(".safetensors")])
        if not os.listdir(path):
            path.rmdir()


def _read_checkpoint(path: Path, step: int) -> Checkpoint:
    state = read_json(path / "state.json")
    if state.get("step") != step or not isinstance(state.get("sha256"), dict):
        raise ValueError(f"{path}/state.json: is not of this checkpoint")
    for name in state["sha256"]:
        bare(name, f"{path}/state.json: sha256")
    tensors = {name: read_tensors(path / f"{name}.safetensors", digest) for name, digest in state["sha256"].items()}
    return Checkpoint(path, step, state, tensors)


def differences(recipe: Any, saved: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(dotted field, saved value, value now) wherever they differ.

    A field that the saved recipe does not have, because it is younger than the run, is no difference while it has
    its default.
    """
    if is_dataclass(recipe) and isinstance(saved, dict):
        saved = current_names(type(recipe), saved)
        now = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
        default = {f.name: f for f in dataclasses.fields(recipe)}
        young = {n for n in now if n not in saved and _is_default(default[n], now[n])}
        now = {n: v for n, v in now.items() if n not in young}
    elif isinstance(recipe, Mapping) and isinstance(saved, dict):
        now = dict(recipe)
    else:
        value = json.loads(json.dumps(as_json(recipe)))
        return [] if value == saved else [(path, saved, value)]
    found: list[tuple[str, Any, Any]] = []
    for name in [*now, *(n for n in saved if n not in now)]:
        at = f"{path}.{name}" if path else str(name)
        if name not in saved or name not in now:
            old = saved.get(name, "absent")
            found.append((at, old, as_json(now[name]) if name in now else "absent"))
        else:
            found += differences(now[name], saved[name], at)
    return found


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(field.default == value)
    return field.default_factory is not dataclasses.MISSING and bool(field.default_factory() == value)


def _may_change(path: str, fields: tuple[str, ...]) -> bool:
    parts = path.split(".")
    return len(parts) == 3 and parts[0] == "stages" and parts[2] in fields


def with_precision(recipe: Recipe, saved: Any, device: torch.device | None) -> Recipe:
    """The recipe with a precision for each stage that says "auto": what the run in `saved` has, else what pays on
    `device`; "auto" stays where neither is known."""
    before = saved.get("stages") if isinstance(saved, dict) else None
    stages = {}
    for name, stage in recipe.stages.items():
        previous = before.get(name) if isinstance(before, dict) else None
        previous = previous.get("precision") if isinstance(previous, dict) else None
        if stage.precision == "auto" and previous in ("fp32", "bf16"):
            stage = dataclasses.replace(stage, precision=previous)
        elif stage.precision == "auto" and device is not None:
            stage = dataclasses.replace(stage, precision=settled(stage.precision, device))
        stages[name] = stage
    return dataclasses.replace(recipe, stages=stages)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["Checkpoint", "Run", "StageRun", "differences", "digest_of"]
