"""Clips read once for all metrics: decoded ahead in threads, cut as the protocol says, given out in batches.

Decoding lets go of Python's lock, so that it happens while the networks compute. No more than a few batches are ever in
memory. A file that cannot be read is told and counted; above one in a hundred the run ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from storyreel.clip import Clip
from storyreel.data.parallel import in_threads
from storyreel.evaluate.protocols import Protocol as Rules
from storyreel.read_errors import BROKEN, persevering
from storyreel.wording import counted

UNREADABLE = 0.01  # share of the files
AHEAD = 3  # batches that are decoded ahead


@dataclass(frozen=True)
class ClipSource:
    """A file, and what is known of it without opening it."""

    file: Path
    prompt: str | None = None
    expected: dict[str, Any] | None = None


@dataclass(frozen=True)
class DecodedClip:
    """A clip that counts: `frames` uint8 (t, h, w, 3) as the protocol cuts it, `clip` as it was read."""

    row: int  # among the clips that count, from 0 on
    source: ClipSource
    frames: Tensor
    clip: Clip

    @property
    def prompt(self) -> str:
        meta = self.clip.meta
        return self.source.prompt or str(meta.get("prompt") or self.clip.caption or meta.get("caption") or "")

    @property
    def seed(self) -> int | None:
        seed = self.clip.meta.get("seed")
        return seed if isinstance(seed, int) else None


class Consumer(Protocol):
    """What wants to see clips. Batches come in order; each clip comes once."""

    def take(self, batch: Sequence[DecodedClip]) -> None: ...


@dataclass
class Cut:
    """How a clip becomes what is measured. `real`: its start may be drawn, by the protocol, from its place."""

    rules: Rules
    frames: int | None
    real: bool = False

    def __call__(self, clip: Clip, place: int) -> Tensor | str:
        """uint8 (t, h, w, 3), or in words why the clip does not count. ValueError where the protocol refuses it."""
        from storyreel.data.pack import fit

        rules, num_frames = self.rules, self.frames
        span = len(clip) if num_frames is None else (num_frames - 1) * rules.stride + 1
        if rules.short == "resample":
            clip = clip if num_frames in (None, len(clip)) else clip.resample(num_frames)
        elif len(clip) < span:
            message = f"has {counted(len(clip), 'frame')}, {rules.name} needs {span}"
            if rules.short == "refuse":
                raise ValueError(message)
            return message
        else:
            first = 0
            if self.real and rules.start == "random":
                first = int(np.random.default_rng([rules.seed, place]).integers(len(clip) - span + 1))
            clip = clip.replace(frames=clip.frames[first : first + span : rules.stride])
        pixels = clip.over().frames if rules.size is None else fit(clip, rules.size, 3)
        return torch.tensor(pixels)


@dataclass
class Counted:
    """What became of the files of a pass."""

    found: int
    n: int = 0
    unreadable: list[dict[str, str]] = field(default_factory=list)
    dropped: list[dict[str, str]] = field(default_factory=list)


def one_pass(
    sources: Sequence[ClipSource],
    cut: Cut,
    consumers: Sequence[Consumer],
    *,
    batch: int = 16,
    workers: int = 2,
    most: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Counted:
    """Read each file once and show it to everybody; stop after `most` clips that count.

    ValueError when more than 1 % of the files cannot be read.
    """
    counted, waiting = Counted(len(sources)), []
    for source, outcome in _decoded(sources, cut, batch * AHEAD, workers):
        advance(1)
        if isinstance(outcome, tuple):
            waiting.append(DecodedClip(counted.n, source, *outcome))
            counted.n += 1
        elif isinstance(outcome, Exception):
            counted.unreadable.append({"file": str(source.file), "error": _line(outcome)})
            _check_readable(counted)
        else:
            counted.dropped.append({"file": str(source.file), "error": outcome})
        if len(waiting) == batch:
            _show(consumers, waiting)
            waiting = []
        if counted.n == most:
            break
    if waiting:
        _show(consumers, waiting)
    return counted


def _show(consumers: Sequence[Consumer], batch: list[DecodedClip]) -> None:
    for consumer in consumers:
        consumer.take(batch)


def _decoded(
    sources: Sequence[ClipSource], cut: Cut, ahead: int, workers: int
) -> Iterator[tuple[ClipSource, tuple[Tensor, Clip] | str | Exception]]:
    """In order, at most `ahead` decoded and not yet taken."""

    def decode(place: int) -> tuple[Tensor, Clip] | str | Exception:
        from storyreel.data.folder import read_clip

        try:
            clip = persevering(lambda: read_clip(sources[place].file))
            frames = cut(clip, place)
        except (ValueError, OSError, MemoryError, *BROKEN) as error:
            return error
        return frames if isinstance(frames, str) else (frames, clip)

    places = range(len(sources))
    yield from zip(
        sources, in_threads(decode, places, workers, ahead=ahead) if workers else map(decode, places), strict=True
    )


def _check_readable(counted: Counted) -> None:
    if len(counted.unreadable) > UNREADABLE * counted.found:
        examples = "; ".join(f"{Path(u['file']).name}: {u['error']}" for u in counted.unreadable[:3])
        raise ValueError(
            f"{len(counted.unreadable)} of {counted.found} clips cannot be read, at most 1 % may be: {examples}"
        )


def _line(error: Exception) -> str:
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((message or type(error).__name__).split())[:200]
