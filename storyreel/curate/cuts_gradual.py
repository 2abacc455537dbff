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
class BlendFit:
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

    def fit(self, length: int, starts: np.ndarray | None = None) -> BlendFit:
        """Intervals of `length` frames whose first frames are `starts`, or every frame that leaves room."""
        n = self.count
        every = np.arange(CONTEXT, max(CONTEXT, n - length - CONTEXT + 1))
        starts = every if starts is None else starts[(starts >= CONTEXT) & (starts <= n - length - CONTEXT)]
        out = BlendFit(length, *(np.zeros(n, np.float32) for _ in range(4)))
        if not len(starts):
            return out
        inside = starts[:, None] + np.arange(length)
        ends = starts + length - 1
        weight = (np.arange(length, dtype=np.float32) + 1) / (length + 1)
        eased = weight * weight * (3 - 2 * weight)
        project, step, drift = self._passage(starts, ends, inside)
        rigid = (_explained(project, w, float(((w - 0.5) ** 2).sum())) for w in (weight, eased))
        drifting = (_explained(project, drift(w), float(((w - 0.5) ** 2).sum())) for w in (weight, eased))
        shifted, across, energies = self._energies(starts, ends, inside)
        dips = [self._dip(np.clip(project, 0, 1), shifted, energies)]
        dips += [self._dip(w[None], across, energies) for w in (weight, eased)]
        out.step[starts] = np.sqrt(np.maximum(step, 0))
        out.ramp[starts] = np.maximum.reduce([*rigid, *drifting])
        out.dip[starts] = dips[0][0]
        out.parabola[starts] = np.maximum.reduce([explained for _, explained in dips])
        return out

    def _passage(self, starts: np.ndarray, ends: np.ndarray, inside: np.ndarray):
        """Where frames stand between what is before (0) and behind (1), how far these are apart, squared, and what a
        blend of shots that drift would give for weights.

        How fast each shot drifts away from itself is seen outside of the interval, and taken to go on within.
        """
        matrix, before, behind = self.evidence.products, self._before[0], self._behind[0]
        length = inside.shape[1]
        recent, coming = starts[:, None] - 1 - np.arange(CONTEXT), ends[:, None] + 1 + np.arange(CONTEXT)
        aa = before[recent, starts[:, None]].mean(1)
        bb = behind[coming, ends[:, None]].mean(1)
        ab = before[coming, starts[:, None]].mean(1)
        step = aa + bb - 2 * ab
        scale = np.maximum(step, 1e-3)[:, None]
        project = (behind[inside, ends[:, None]] - before[inside, starts[:, None]] + (aa - ab)[:, None]) / scale
        away = np.arange(length) + 2
        own_a = matrix[starts[:, None] - 1, np.maximum(starts[:, None] - 1 - away, 0)]
        own_b = matrix[ends[:, None] + 1, np.minimum(ends[:, None] + 1 + away[::-1], self.count - 1)]

        def drift(w: np.ndarray) -> np.ndarray:
            to_a = (1 - w) * own_a + w * ab[:, None]
            to_b = (1 - w) * ab[:, None] + w * own_b
            return (to_b - to_a + (aa - ab)[:, None]) / scale

        return project, step, drift

    def _energies(self, starts: np.ndarray, ends: np.ndarray, inside: np.ndarray):
        """Squared distances of what is before and behind, of means of frames and of single frames; and energies.

        The energy of a mean of frames is less than that of a frame: the dip is against single frames.
        """
        matrix, before, behind = self.evidence.texture, self._before[1], self._behind[1]
        recent, coming = starts[:, None] - 1 - np.arange(CONTEXT), ends[:, None] + 1 + np.arange(CONTEXT)
        ab = before[coming, starts[:, None]].mean(1)
        shifted = before[recent, starts[:, None]].mean(1) + behind[coming, ends[:, None]].mean(1) - 2 * ab
        energy = np.diagonal(matrix)
        energies = energy[recent].mean(1), energy[coming].mean(1), energy[inside]
        return shifted, energies[0] + energies[1] - 2 * ab, energies

    def _dip(self, weight: np.ndarray, apart: np.ndarray, energies: tuple[np.ndarray, np.ndarray, np.ndarray]):
        """(depth as a share of what a blend would dip, share of that dip which is explained) for these weights."""
        before, behind, seen = energies
        expected = weight * (1 - weight) * apart[:, None]
        got = (1 - weight) * before[:, None] + weight * behind[:, None] - seen
        total = np.maximum((expected * expected).sum(1), 1e-6)
        return (expected * got).sum(1) / total, _explained(got, expected, total)


def _shifted_means(matrix: np.ndarray, side: int) -> np.ndarray:
    """[k, a]: mean of the products of frame k with the CONTEXT frames before a (side -1) or behind a (side 1)."""
    out = np.zeros_like(matrix)
    for offset in range(1, CONTEXT + 1):
        if side < 0:
            out[:, offset:] += matrix[:, :-offset]
        else:
            out[:, :-offset] += matrix[:, offset:]
    return out / CONTEXT


def _explained(seen: np.ndarray, expected: np.ndarray, spread: np.ndarray | float) -> np.ndarray:
    """1 minus the squared error of each row against `expected`, as a share of `spread`.

    The worst frames of a long interval are let go: a flash in the middle of a dissolve.
    """
    errors = (seen - expected) ** 2
    count = seen.shape[1] - int(seen.shape[1] * _LET_GO)
    if count < seen.shape[1]:
        errors = np.partition(errors, count - 1, 1)[:, :count]
    return 1 - errors.sum(1) / np.maximum(spread, 1e-6)
