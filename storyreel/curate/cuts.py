"""Find the transitions of a film in windows of small frames: hard cuts, fades, dissolves and wipes, as intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from storyreel.curate.cuts_belief import BELIEVED, DOUBTED, belief_in, features_of, usual_change
from storyreel.curate.cuts_evidence import REACH, Evidence, gather
from storyreel.curate.cuts_fade import fades
from storyreel.curate.cuts_gradual import CONTEXT, LENGTHS, BlendFit, Blends
from storyreel.curate.cuts_hard import WIDE, hard_cuts, spread
from storyreel.curate.cuts_wipe import wipe_fit
from storyreel.curate.spans import Kind, Transition

MARGIN = REACH + 16
"""Frames on both sides of a window that are looked at, but whose transitions a neighbouring window tells."""


_BLEND = 0.6  # how well an interval must fit as a blend (1 is exactly) to be looked at closely
_EDGE = 0.25  # how well as a wipe
_NEARLY = 0.5  # overlap from which two intervals are taken for one
_WIPES = {8, 10, 12, 15, 18, 22, 27, 33, 40, 48}  # frames of wipes that are tried first
_SHORTEST = 5  # frames of a dissolve
_HOLD = 12  # frames of plain colour between the slopes of one fade, at most
_STEP = 11.0  # levels between what stands before and behind
_BEYOND = 1.15  # times what changes within the shots in the same time
_STRICT = 14.0  # how fast a worse fit falls behind
_HOPELESS = 0.01  # belief below which an interval is not refined
_STRICT_EDGE = 5.0  # the same for wipes, which moving shots spoil more


def find_all(detail: np.ndarray, chroma: np.ndarray) -> tuple[list[Transition], list[Transition]]:
    """The transitions of a window of frames, and what may be one but is not believed.

    detail: uint8 (n, 36, 64) luma; chroma: uint8 (n, 2, 9, 16).
    """
    if len(detail) < 2:
        return [], []
    evidence = gather(detail, chroma)
    faded = fades(evidence)
    found = [Transition(fade.start, fade.end, fade.kind, fade.strength) for fade in faded]
    cuts = [Transition(k, k, "hard", strength) for k, strength in hard_cuts(evidence)]
    found += [cut for cut in cuts if not _touches(cut, found, 1)]
    believed, doubted = gradual(evidence, found)
    found = _joined(sorted(found + believed, key=lambda one: one.start))
    for fade in faded:
        if fade.unsure is not None:
            doubted.append(Transition(max(0, fade.unsure[0]), min(len(detail) - 1, fade.unsure[1]), fade.kind, 0.0))
    return found, [one for one in doubted if not _touches(one, found, 0)]


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


def gradual(evidence: Evidence, found: list[Transition]) -> tuple[list[Transition], list[Transition]]:
    """Dissolves and wipes, none over another or over those already found: what is believed, and what is in doubt."""
    accepted = list(found)
    doubted: list[Transition] = []
    for start, length, kind, features in proposals(evidence, accepted):
        belief = belief_in(kind, features)
        one = Transition(start, start + length - 1, kind, belief)
        if belief >= BELIEVED:
            accepted.append(one)
        elif belief >= DOUBTED:
            doubted.append(one)
    return accepted[len(found) :], [one for one in doubted if not _touches(one, accepted, 0)]


def proposals(evidence: Evidence, accepted: list[Transition]) -> Iterator[tuple[int, int, Kind, np.ndarray]]:
    """(first frame, length, kind, features) of intervals that may be gradual transitions, best first.

    What lies over a transition that the caller has put into `accepted` is left out, and so is what is nearly the same
    as an interval that was given already, or not worth a closer look.
    """
    blends = Blends(evidence)
    proposed: list[tuple[int, int]] = []
    for _, start, length, kind in sorted(_ideas(evidence, blends), reverse=True):
        one = Transition(start, start + length - 1, kind, 0.0)
        if _touches(one, accepted, 1) or any(_overlap(start, start + length, *other) > _NEARLY for other in proposed):
            continue
        proposed.append((start, start + length))
        if spread(evidence, start - 1, start + length) < WIDE:
            continue  # something small came or went
        if belief_in(kind, features_of(evidence, blends, start, length)) < _HOPELESS:
            continue
        start, length = _refined(evidence, blends, start, length, kind)
        one = Transition(start, start + length - 1, kind, 0.0)
        if not _touches(one, accepted, 1):
            yield start, length, kind, features_of(evidence, blends, start, length)


def _ideas(evidence: Evidence, blends: Blends) -> list[tuple[float, int, int, Kind]]:
    """(rank, first frame, length, kind) of intervals that fit at all."""
    ideas: list[tuple[float, int, int, Kind]] = []
    for length in LENGTHS:
        fit = blends.fit(length)
        beyond = fit.step / np.maximum(usual_change(evidence, length), 0.1)
        rank = _rank(fit)
        fits = np.minimum(fit.ramp, fit.parabola) > _BLEND
        for start in np.flatnonzero(
            fits & (fit.step > _STEP) & (beyond > _BEYOND) & _highest(rank, max(1, length // 8))
        ):
            ideas.append((float(rank[start]), int(start), length, "dissolve"))
        if length not in _WIPES:
            continue
        edges = (beyond > 1.2) & (fit.ramp > 0.45) & (fit.dip < 0.6) & (fit.step > 1.5 * _STEP)
        for start in np.flatnonzero(edges & _highest(fit.ramp * fit.step, max(1, length // 6))):
            edge = wipe_fit(evidence, int(start), length)
            if edge > _EDGE:
                ideas.append((_wipe_rank(edge, float(fit.step[start])), int(start), length, "wipe"))
    return ideas


def _highest(values: np.ndarray, reach: int) -> np.ndarray:
    """Which values are the highest within `reach` on both sides, bool (n,)."""
    padded = np.pad(values, reach, constant_values=-np.inf)
    return values >= np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)


def _rank(fit: BlendFit) -> np.ndarray:
    """Of intervals over one another the one with the largest step is wanted, as long as it fits nearly as well."""
    return fit.step * np.exp(-_STRICT * (1 - np.minimum(fit.ramp, fit.parabola)))


def _wipe_rank(edge: float, step: float) -> float:
    return step * float(np.exp(-_STRICT_EDGE * (1 - edge)))


def _overlap(start: int, stop: int, other_start: int, other_stop: int) -> float:
    shared = max(0, min(stop, other_stop) - max(start, other_start))
    return shared / (max(stop, other_stop) - min(start, other_start))


def _refined(evidence: Evidence, blends: Blends, start: int, length: int, kind: Kind) -> tuple[int, int]:
    """The interval near the given one that fits best, to a tenth of its length."""
    best, answer = -1.0, (start, length)
    reach = max(2, length // 4)
    stride = max(1, length // 10)
    for longer in range(max(_SHORTEST, length - reach), length + reach + 1, stride):
        starts = np.arange(start - reach, start + reach + 1, stride)
        starts = starts[(starts >= CONTEXT) & (starts <= len(evidence) - longer - CONTEXT)]
        if not len(starts):
            continue
        if kind == "dissolve":
            fit = blends.fit(longer, starts)
            rank = _rank(fit)[starts]
        else:
            steps = blends.fit(longer, starts).step[starts]
            edges = [wipe_fit(evidence, int(at), longer) for at in starts]
            rank = np.array([_wipe_rank(edge, float(step)) for edge, step in zip(edges, steps, strict=True)])
        at = int(rank.argmax())
        if rank[at] > best:
            best, answer = float(rank[at]), (int(starts[at]), longer)
    return answer
