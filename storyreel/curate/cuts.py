"""Find the transitions of a film in windows of small frames: hard cuts, fades, dissolves and wipes, as intervals."""

from __future__ import annotations

import numpy as np

from storyreel.curate.cuts_evidence import REACH, Evidence, gather
from storyreel.curate.cuts_fade import fades
from storyreel.curate.cuts_gradual import CONTEXT, LENGTHS, Blends, Fit
from storyreel.curate.cuts_hard import alike, hard_cuts
from storyreel.curate.cuts_wipe import wipe_fit
from storyreel.curate.spans import Kind, Transition

MARGIN = REACH + 16
"""Frames on both sides of a window that are looked at, but whose transitions a neighbouring window tells."""


_BLEND = 0.79  # how well an interval must fit as a blend (1 is exactly)
_EDGE = 0.52  # how well as a wipe
_WIPES = {8, 10, 12, 15, 18, 22, 27, 33, 40, 48}  # frames of wipes that are tried first
_SHORTEST = 5  # frames of a dissolve
_STAYS = 24  # frames before and behind that must differ across it: something that goes by comes and goes
_HOLD = 12  # frames of plain colour between the slopes of one fade, at most
_STEP = 14.0  # levels between what stands before and behind
_BEYOND = 1.3  # times what changes within the shots in the same time
_CLEAR = 2.2  # from so many times on, the fit alone decides; below, it must be better by
_DOUBT = 0.45  # for each time that is missing
_MOST_DOUBT = 0.17
_STRICT = 14.0  # how fast a worse fit falls behind
_SAME = 0.85  # correlation, after a shift, of frames before and behind that show the same scene


def find_transitions(detail: np.ndarray, chroma: np.ndarray) -> list[Transition]:
    """All transitions in a window of frames. detail: uint8 (n, 36, 64) luma; chroma: uint8 (n, 2, 9, 16)."""
    if len(detail) < 2:
        return []
    evidence = gather(detail, chroma)
    found = [Transition(fade.start, fade.end, fade.kind, fade.strength) for fade in fades(evidence)]
    cuts = [Transition(k, k, "hard", strength) for k, strength in hard_cuts(evidence)]
    found += [cut for cut in cuts if not _touches(cut, found, 1)]
    for one in gradual(evidence):
        if not _touches(one, found, 1):
            found.append(one)
    return _joined(sorted(found, key=lambda one: one.start))


def _joined(found: list[Transition]) -> list[Transition]:
    """A slope to a colour and a blend out of it, with little between, are one fade."""
    out: list[Transition] = []
    for one in found:
        pair = {out[-1].kind, one.kind} if out else set()
        fade: Kind | None = "fade-black" if "fade-black" in pair else "fade-white" if "fade-white" in pair else None
        if fade is not None and "dissolve" in pair and one.start - out[-1].end <= _HOLD:
            out[-1] = Transition(out[-1].start, one.end, fade, min(out[-1].strength, one.strength))
        else:
            out.append(one)
    return out


def _touches(one: Transition, others: list[Transition], slack: int) -> bool:
    return any(one.start <= other.end + slack and other.start <= one.end + slack for other in others)


def gradual(evidence: Evidence) -> list[Transition]:
    """Dissolves and wipes, best first and none over another."""
    blends = Blends(evidence)
    ideas: list[tuple[float, int, int, Kind, float]] = []  # rank, start, length, kind, fit
    for length in LENGTHS:
        fit = blends.fit(length)
        beyond = fit.step / np.maximum(_usual(evidence, length), 0.1)
        quality = _quality(evidence, fit, length)
        for start in np.flatnonzero(quality > _BLEND):
            ideas.append((float(_rank(fit)[start]), int(start), length, "dissolve", float(quality[start])))
        if length not in _WIPES:
            continue
        edges = (beyond > 1.2) & (fit.ramp > 0.45) & (fit.dip < 0.6) & (fit.step > 1.5 * _STEP)
        for start in np.flatnonzero(edges & _highest(fit.ramp * fit.step, max(1, length // 8))):
            edge = wipe_fit(evidence, int(start), length)
            if edge > _EDGE:
                ideas.append((edge**2 * float(fit.step[start]), int(start), length, "wipe", edge))
    found: list[Transition] = []
    for _, start, length, kind, good in sorted(ideas, reverse=True):
        if _touches(Transition(start, start + length - 1, kind, good), found, 0):
            continue
        start, length = _refined(evidence, blends, start, length, kind)
        if kind == "dissolve" and _quality(evidence, blends.fit(length, np.array([start])), length)[start] < _BLEND:
            continue
        one = Transition(start, start + length - 1, kind, good)
        if not _touches(one, found, 0) and _stays(evidence, start, length):
            found.append(one)
    return found


def _highest(values: np.ndarray, reach: int) -> np.ndarray:
    """Which values are the highest within `reach` on both sides, bool (n,)."""
    padded = np.pad(values, reach, constant_values=-np.inf)
    return values >= np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)


def _quality(evidence: Evidence, fit: Fit, length: int) -> np.ndarray:
    """How well intervals fit as a blend, less what is doubtful where the shots themselves change as much (n,)."""
    beyond = fit.step / np.maximum(_usual(evidence, length), 0.1)
    quality = np.minimum(fit.ramp, fit.parabola) - np.clip(_DOUBT * (_CLEAR - beyond), 0, _MOST_DOUBT)
    return np.where((fit.step > _STEP) & (beyond > _BEYOND), quality, 0.0)


def _rank(fit: Fit) -> np.ndarray:
    """Of intervals over one another the one with the largest step is wanted, as long as it fits nearly as well."""
    return fit.step * np.exp(-_STRICT * (1 - np.minimum(fit.ramp, fit.parabola)))


def _usual(evidence: Evidence, length: int) -> np.ndarray:
    """What changes within the shots on both sides of an interval, for each of its first frames, levels."""
    lag = min(length + 1, 10)
    change = evidence.distance(lag)
    before = np.r_[0.0, change[:-1]]  # up to the frame before the interval
    behind = np.zeros_like(change)
    shift = length + lag
    behind[: max(0, len(change) - shift)] = change[shift:]
    return np.maximum(before, behind)


def _stays(evidence: Evidence, start: int, length: int) -> bool:
    """Whether what stands behind an interval is another scene than what stands before, and stays so for a while."""
    before, behind = start - 1, start + length
    if alike(evidence.detail[before], evidence.detail[behind]) > _SAME:
        return False
    step = float(evidence.between(np.array([before]), np.array([behind]))[0])
    later = np.arange(behind, min(len(evidence), behind + _STAYS))
    earlier = np.arange(max(0, before - _STAYS), before + 1)
    back = min(evidence.between(np.array([before]), later).min(), evidence.between(earlier, np.array([behind])).min())
    return float(back) > 0.5 * step


def _refined(evidence: Evidence, blends: Blends, start: int, length: int, kind: Kind) -> tuple[int, int]:
    """The interval near the given one that fits best: to the frame for a blend, nearly so for a wipe."""
    best, answer = -1.0, (start, length)
    reach = max(2, length // 4)
    stride = 1 if kind == "dissolve" else max(1, length // 12)
    for longer in range(max(_SHORTEST, length - reach), length + reach + 1, stride):
        starts = np.arange(start - reach, start + reach + 1, stride)
        starts = starts[(starts >= CONTEXT) & (starts <= len(evidence) - longer - CONTEXT)]
        if not len(starts):
            continue
        if kind == "dissolve":
            fit = blends.fit(longer, starts)
            rank = _rank(fit)[starts]
        else:
            rank = np.array([wipe_fit(evidence, int(at), longer) for at in starts]) * longer**0.25
        at = int(rank.argmax())
        if rank[at] > best:
            best, answer = float(rank[at]), (int(starts[at]), longer)
    return answer
