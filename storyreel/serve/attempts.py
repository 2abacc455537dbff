"""Makes the clip of one video: once, or with further seeds until a judge sees all that its prompt says."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from storyreel.options.generation import GenerateOptions
from storyreel.serve.ticks import Ticks, share_right, ticks_of

if TYPE_CHECKING:
    from storyreel.clip import Clip


class AttemptCallback(Protocol):
    """Called after each step. number, count: which try it is; best: of those that are made."""

    number: int
    count: int
    best: Attempt | None

    def __call__(self, step: Any) -> None: ...


@dataclass(frozen=True)
class Attempt:
    """A clip, the seed that made it, what a judge says of it, and what it cost."""

    clip: Clip
    seed: int
    ticks: Ticks
    new_frames: int
    seconds: float  # that it took
    tries: int  # that were made when it was kept or passed over

    def as_json(self) -> dict[str, Any]:
        """What the table keeps of it, besides the facts of its clip."""
        found: dict[str, Any] = {"seed": self.seed, "tries": self.tries, "new_frames": self.new_frames}
        if self.ticks:
            found |= {"ticks": self.ticks, "right": share_right(self.ticks)}
        return found


def attempt(
    make: Callable[[int], Clip], info: dict[str, Any], options: GenerateOptions, seed: int, steps: AttemptCallback
) -> Attempt:
    """The clip of the first of `steps.count` seeds that a judge finds all right, else the best. make: seed -> clip."""
    best = None
    for number in range(steps.count):
        steps.number = number
        began = time.monotonic()
        clip = make(seed + number)
        took = time.monotonic() - began
        made = _judged(clip, info, options, seed + number, took)
        if best is None or (share_right(made.ticks) or 0) > (share_right(best.ticks) or 0):
            best = steps.best = made
        if share_right(best.ticks) in (1, None):
            break
    assert best is not None
    return Attempt(best.clip, best.seed, best.ticks, best.new_frames, best.seconds, steps.number + 1)


def _judged(clip: Clip, info: dict[str, Any], options: GenerateOptions, seed: int, took: float) -> Attempt:
    """With ticks of what is new in the clip. A story has none: its parts follow prompts of their own."""
    before = len(options.extend) if options.extend is not None and not options.backward else 0
    new = clip.replace(frames=clip.frames[before:]) if 0 < before < len(clip) else clip
    try:
        ticks = [] if options.story else ticks_of(info, options.prompt, new)
    except (ValueError, OSError) as error:  # the clip is made; that nobody can judge it is no reason to lose it
        print(f"no judge: {error}", file=sys.stderr)
        ticks = []
    return Attempt(clip, seed, ticks, len(new), took, 1)


def peak_memory(device: Any) -> int:
    """Bytes that this process has held at most: of the card where the model is on one, else of the machine."""
    if device is not None and device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved(device))
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS says bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
