"""Gives all animations of one character the same few colors: those that enough of them agree on.

A color that one animation has alone is a stain of the tokenizer more often than a part of the character. It becomes the
nearest color, in Oklab, of those that are kept. What few animations have much of stays: a bow, a face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CHROMA = 2.25  # how much a difference of hue counts beside one of lightness
RADIUS = 0.05  # Oklab; how near colors are counted together


CONES = np.array(
    [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
)  # linear RGB -> cones
OKLAB = np.array(
    [[0.21045426, 0.79361779, -0.00407205], [1.9779985, -2.42859221, 0.45059371], [0.02590404, 0.78277177, -0.80867577]]
)  # cube roots of these -> lightness, two of chroma


@dataclass(frozen=True)
class Strength:
    """apart: the least distance of kept colors. share: of an animation's pixels that a color must have there, in a
    `part` of all animations; or `much` of the pixels in three of them."""

    apart: float
    share: float
    part: float
    much: float = 0.02


STRENGTHS = (Strength(0.055, 0.006, 0.4), Strength(0.045, 0.003, 0.33), Strength(0.03, 0.003, 0.25))
"""The strongest first."""


def oklab(rgb: np.ndarray) -> np.ndarray:
    """uint8 (n, 3) -> float64 (n, 3): lightness and two of chroma (Ottosson 2020)."""
    x = rgb.astype(np.float64) / 255
    x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return np.cbrt(x @ CONES.T) @ OKLAB.T


def harmonised(
    animations: Sequence[np.ndarray], fits: Callable[[Sequence[np.ndarray]], float], loss: float = 0.01
) -> list[np.ndarray]:
    """uint8 (t, h, w, 4) each -> the same in shared colors, by the strongest of `STRENGTHS` that keeps the character.

    fits: how well animations show the character; a strength that costs more than `loss` of it is not taken.
    """
    before = fits(animations)
    for strength in STRENGTHS:
        changed = _in_colors(animations, strength)
        if fits(changed) >= before - loss:
            return changed
    return list(animations)


def _in_colors(animations: Sequence[np.ndarray], strength: Strength) -> list[np.ndarray]:
    found = [np.unique(each[each[..., 3] > 0][:, :3], axis=0, return_counts=True) for each in animations]
    colors = np.unique(np.concatenate([each for each, _ in found]), axis=0)
    if not len(colors):
        return list(animations)
    share = np.zeros((len(animations), len(colors)))
    for row, (each, counts) in zip(share, found, strict=True):
        row[np.searchsorted(_code(colors), _code(each))] = counts / max(1, counts.sum())
    indices, apart = _select_colors(colors, share, strength)
    nearest = colors[indices[apart[:, indices].argmin(1)]]
    changed = []
    for each in animations:
        solid, new = each[..., 3] > 0, each.copy()
        new[solid, :3] = nearest[np.searchsorted(_code(colors), _code(each[solid][:, :3]))]
        changed.append(new)
    return changed


def _select_colors(colors: np.ndarray, share: np.ndarray, strength: Strength) -> tuple[np.ndarray, np.ndarray]:
    """(places of the colors that are kept, the commonest first; distances of all colors)."""
    at = oklab(colors) * (1, CHROMA, CHROMA)
    square = (at**2).sum(1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * at @ at.T, 0))
    around = share @ (apart < RADIUS)
    often = (around >= strength.share).mean(0) >= strength.part
    candidates = often | ((around >= strength.much).sum(0) >= min(3, len(share)))
    indices: list[int] = []
    for place in np.argsort(-share.sum(0), kind="stable"):
        if candidates[place] and (not indices or apart[place, indices].min() > strength.apart):
            indices.append(int(place))
    return np.array(indices or [int(share.sum(0).argmax())]), apart


def _code(colors: np.ndarray) -> np.ndarray:
    """One number a color, which sorts as `np.unique` does."""
    c = colors.astype(np.int64)
    return (c[..., 0] << 16) | (c[..., 1] << 8) | c[..., 2]
