"""Dissolves and wipes: intervals whose frames pass from what stands before to what stands behind.

In a linear blend x = (1 - w) A + w B the energy falls short of the line between the energies of A and B by exactly
w (1 - w) |A - B|^2, whatever moves in A and B meanwhile; a moving camera passes from A to B without that dip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storyreel.curate.cuts_evidence import Evidence

CONTEXT = 3
"""Frames before and behind an interval whose mean stands for the shots there."""
_LET_GO = 0.1
LENGTHS = (5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 48, 58, 70)


@dataclass(frozen=True)
class Fit:
    """How well intervals of one length fit, for each first frame. Arrays of (n,); zeros where nothing fits.

    step: root mean square difference of what stands before and behind, levels. ramp: share of a straight (or eased)
    passage from 0 to 1 that the projections on that difference follow, at most 1. dip: how deep the energy dips as a
    share of what a blend would do; parabola: share of the blend's dip that is explained, at most 1.
    """

    length: int
    step: np.ndarray
    ramp: np.ndarray
    dip: np.ndarray
    parabola: np.ndarray


class Blends:
    """Fits intervals of any length to a window."""

    def __init__(self, evidence: Evidence):
        self.evidence = evidence
        self.count = len(evidence)
        self._before = [_shifted_means(matrix, -1) for matrix in (evidence.products, evidence.texture)]
        self._behind = [_shifted_means(matrix, 1) for matrix in (evidence.products, evidence.texture)]

    def fit(self, length: int, starts: np.ndarray | None = None) -> Fit:
        """Intervals of `length` frames whose first frames are `starts`, or every frame that leaves room."""
        n = self.count
        every = np.arange(CONTEXT, max(CONTEXT, n - length - CONTEXT + 1))
        starts = every if starts is None else starts[(starts >= CONTEXT) & (starts <= n - length - CONTEXT)]
        out = Fit(length, *(np.zeros(n, np.float32) for _ in range(4)))
        if not len(starts):
            return out
        inside = starts[:, None] + np.arange(length)
        ends = starts + length - 1
        weight = (np.arange(length, dtype=np.float32) + 1) / (length + 1)
        project, step, _ = self._parts(0, starts, ends, inside)
        eased = weight * weight * (3 - 2 * weight)
        ramp = np.maximum(*(_explained(project, w, float(((w - 0.5) ** 2).sum())) for w in (weight, eased)))
        _, texture_step, energies = self._parts(1, starts, ends, inside)
        before, behind, seen = energies
        clipped = np.clip(project, 0, 1)
        line = (1 - clipped) * before[:, None] + clipped * behind[:, None]
        wanted = clipped * (1 - clipped) * texture_step[:, None]
        got = line - seen
        total = np.maximum((wanted * wanted).sum(1), 1e-6)
        out.step[starts] = np.sqrt(np.maximum(step, 0))
        out.ramp[starts] = ramp
        out.dip[starts] = (wanted * got).sum(1) / total
        out.parabola[starts] = _explained(got, wanted, total)
        return out

    def _parts(self, which: int, starts: np.ndarray, ends: np.ndarray, inside: np.ndarray):
        matrix = (self.evidence.products, self.evidence.texture)[which]
        before, behind = self._before[which], self._behind[which]
        recent, coming = starts[:, None] - 1 - np.arange(CONTEXT), ends[:, None] + 1 + np.arange(CONTEXT)
        aa = before[recent, starts[:, None]].mean(1)
        bb = behind[coming, ends[:, None]].mean(1)
        ab = before[coming, starts[:, None]].mean(1)
        step = aa + bb - 2 * ab
        to_a, to_b = before[inside, starts[:, None]], behind[inside, ends[:, None]]
        project = (to_b - to_a + (aa - ab)[:, None]) / np.maximum(step, 1e-3)[:, None]
        # The energy of a mean of frames is less than that of a frame: the dip is against single frames.
        energy = np.diagonal(matrix)
        return project, step, (energy[recent].mean(1), energy[coming].mean(1), energy[inside])


def _shifted_means(matrix: np.ndarray, side: int) -> np.ndarray:
    """[k, a]: mean of the products of frame k with the CONTEXT frames before a (side -1) or behind a (side 1)."""
    out = np.zeros_like(matrix)
    for offset in range(1, CONTEXT + 1):
        if side < 0:
            out[:, offset:] += matrix[:, :-offset]
        else:
            out[:, :-offset] += matrix[:, offset:]
    return out / CONTEXT


def _explained(seen: np.ndarray, wanted: np.ndarray, spread: np.ndarray | float) -> np.ndarray:
    """1 minus the squared error of each row against `wanted`, as a share of `spread`.

    The worst frames of a long interval are let go: a flash in the middle of a dissolve.
    """
    errors = (seen - wanted) ** 2
    kept = seen.shape[1] - int(seen.shape[1] * _LET_GO)
    if kept < seen.shape[1]:
        errors = np.partition(errors, kept - 1, 1)[:, :kept]
    return 1 - errors.sum(1) / np.maximum(spread, 1e-6)
