"""From shown times to a steady frame rate, and from a steady rate to whole ticks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

FASTEST = 60  # frames a second that a file of variable rate is read at, at most
_UNEVEN = Fraction(7, 5)  # a gap that is longer than the mean by more than this is no jitter


def ticks(count: int, fps: Fraction, per_second: int) -> list[int]:
    """How many ticks each of `count` frames is shown, at least 1; frame k starts within half a tick of k / fps."""
    starts = [round(index * per_second / fps) for index in range(count + 1)]
    return [max(1, after - before) for before, after in pairwise(starts)]


def steady(
    starts: Sequence[Fraction], end: Fraction, facts: dict[str, Any], rate: Fraction | None = None
) -> tuple[list[int], Fraction]:
    """(index of the frame to show, for each frame of the clip; fps).

    starts: when each decoded frame is first shown, seconds, rising; end: when the last one goes away.
    facts: what the file's own document says (`stamp.file_facts`); used when it agrees with the times, since a
    container rounds them (Matroska and WebP to 1 ms, GIF to 10 ms) and may have merged frames that are the same.
    rate: the container's own idea of the frame rate.
    Frames that are each within half a frame of a steady rate are taken one for one. Otherwise the clip runs at the
    rate of the usual gap, or of the shortest where that is much less, at most 60, and longer frames are repeated.
    """
    first, count = starts[0], len(starts)
    total = max(end - first, Fraction(1, 1000))
    if "fps" in facts and "frames" in facts and facts["frames"] >= count:
        promised = facts["frames"] / facts["fps"]
        slack = total / 100 + min(Fraction(1, 50), Fraction(1, 2) / facts["fps"])
        if facts["frames"] == 1 or abs(promised - total) <= slack:
            return _show(starts, facts["fps"], facts["frames"]), facts["fps"]
    mean = rate if rate and rate > 0 else count / total
    gaps = [after - before for before, after in pairwise([*starts, end])]
    on_time = all(abs(start - first - index / mean) <= Fraction(1, 2) / mean for index, start in enumerate(starts))
    if on_time and max(gaps) * mean <= _UNEVEN:
        return list(range(count)), mean
    usual, shortest = sorted(gaps)[count // 2], min(gap for gap in gaps if gap > 0)
    step = usual if shortest > usual * Fraction(3, 5) else shortest  # jitter alone should not raise the rate
    fps = min(Fraction(FASTEST), (1 / step).limit_denominator(1001))
    return _show(starts, fps, max(1, round(total * fps))), fps


def _show(starts: Sequence[Fraction], fps: Fraction, count: int) -> list[int]:
    """For each of `count` frames at `fps`, the decoded frame that is on the screen in the middle of it."""
    if count == len(starts):
        return list(range(count))
    middles = [starts[0] + Fraction(2 * index + 1, 2) / fps for index in range(count)]
    return [max(0, bisect_right(starts, middle) - 1) for middle in middles]
