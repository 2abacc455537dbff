"""From shown times to a steady frame rate, and from a steady rate to whole ticks.

Times are whole ticks of a clock (a container's time base), so that nothing is rounded and nothing grows: a file says
when each frame is shown, and a few bytes can claim that one of them is shown for a thousand years. The number of
frames that a steady rate asks for is therefore known, and can be refused, before any of them exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

FASTEST = 60  # frames a second that a file of variable rate is read at, at most
SLOWEST = Fraction(1, 1001)
FLICKS = 705_600_000  # a second in a clock that has whole ticks for all usual rates: 1 ms, 1/60 s, 1001/30000 s, ...
_UNEVEN = Fraction(7, 5)  # a gap that is longer than the mean by more than this is no jitter


def ticks(count: int, fps: Fraction, per_second: int) -> list[int]:
    """How many ticks each of `count` frames is shown, at least 1; frame k starts within half a tick of k / fps."""
    starts = [round(index * per_second / fps) for index in range(count + 1)]
    return [max(1, after - before) for before, after in pairwise(starts)]


def starts_of(shown: Sequence[Fraction]) -> tuple[list[int], int, Fraction]:
    """(when each frame starts, when the last one ends, seconds a tick) for frames that are shown for so many seconds.

    Exact where all are the same or whole flicks, as milliseconds are; else rounded to flicks.
    """
    if len(set(shown)) == 1 and shown[0] > 0:
        tick, lengths = shown[0], [1] * len(shown)
    else:
        tick = Fraction(1, FLICKS)
        lengths = [max(1, round(each * FLICKS)) for each in shown]
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    return starts[:-1], starts[-1], tick


def steady_rate(
    starts: Sequence[int], end: int | Fraction, tick: Fraction, facts: dict[str, Any], rate: Fraction | None = None
) -> tuple[int, Fraction]:
    """(number of frames, fps) of the clip at a steady rate.

    starts: when each decoded frame is first shown, in ticks, rising; end: when the last one goes away; tick: seconds.
    facts: what the file's own document says (`clip_metadata.file_facts`); used when it agrees with the times, since a
    container rounds them (Matroska and WebP to 1 ms, GIF to 10 ms) and may have merged frames that are the same.
    rate: the container's own idea of the frame rate.
    Frames that are each within half a frame of a steady rate are taken one for one. Otherwise the clip runs at the
    rate of the usual gap, or of the shortest where that is much less, at most 60, and longer frames are repeated.
    """
    first, count = starts[0], len(starts)
    total = max((end - first) * tick, Fraction(1, 1000))
    if "fps" in facts and "frames" in facts and facts["frames"] >= count:
        promised = facts["frames"] / facts["fps"]
        slack = total / 100 + min(Fraction(1, 50), Fraction(1, 2) / facts["fps"])
        if facts["frames"] == 1 or abs(promised - total) <= slack:
            return facts["frames"], facts["fps"]
    mean = rate if rate and rate > 0 else count / total
    gaps = [after - before for before, after in pairwise([*starts, end])]
    part = tick * mean  # of a frame that a tick is
    up, down = part.numerator, part.denominator
    on_time = all(2 * abs((start - first) * up - index * down) <= down for index, start in enumerate(starts))
    if on_time and max(gaps) * part <= _UNEVEN:
        return count, mean
    usual, shortest = sorted(gaps)[count // 2], min(gap for gap in gaps if gap > 0)
    step = usual if shortest > usual * Fraction(3, 5) else shortest  # jitter alone should not raise the rate
    fps = min(Fraction(FASTEST), max(SLOWEST, (1 / (step * tick)).limit_denominator(1001)))
    return max(1, round(total * fps)), fps


def on_screen(starts: Sequence[int], tick: Fraction, fps: Fraction, count: int) -> list[int]:
    """For each of `count` frames at `fps`, the decoded frame that is on the screen in the middle of it."""
    if count == len(starts):
        return list(range(count))
    half = 1 / (2 * fps * tick)  # of a frame's time, in ticks
    up, down = half.numerator, half.denominator
    shown, at = [], 0
    for index in range(count):
        while at + 1 < len(starts) and (starts[at + 1] - starts[0]) * down <= (2 * index + 1) * up:
            at += 1
        shown.append(at)
    return shown
