"""What a picture is like at full size: bars, sharpness, exposure, blocks of the codec, combs of interlacing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_DARK = 30  # levels above which a line of pixels is lit; codecs ring around bars
_MOST = 300_000  # pixels of the middle that sharpness and exposure are taken from
_BRIGHT = 0.2  # mean brightness below which it is not sure where a picture ends
_SAME = 2  # lines by which the bars of a pair may differ
_STEP = 10  # levels by which the first line of the picture is brighter than a bar, at some moment


@dataclass(frozen=True)
class Quality:
    """rows, columns: the brightest of 64 parts of each line of pixels, uint8. The rest: see `quality_of`."""

    rows: np.ndarray
    columns: np.ndarray
    blur: float
    exposure: float
    clipped: float
    blocks: float
    combs: float


def quality_of(luma: np.ndarray, *, moving: bool = True) -> Quality:
    """Of one upright luma picture, uint8 (h, w), black at 0 and white at 255. moving: combs are looked for.

    blur: variance of the Laplacian over that of the picture: sharp pictures have more; exposure: mean brightness from
    0 to 1; clipped: share of pixels at black or white; blocks: how much larger steps are at borders of 8x8 blocks than
    elsewhere, 0 for no blocks; combs: share of lines that differ more from their neighbours than from the next but one.
    """
    height, width = luma.shape
    rows = cv2.resize(luma, (min(64, width), height), interpolation=cv2.INTER_AREA).max(1)
    columns = cv2.resize(luma, (width, min(64, height)), interpolation=cv2.INTER_AREA).max(0)
    lit = _inside(luma, rows, columns)
    part = _middle(lit, _MOST)
    spread = _variance(part)
    sharp = _variance(cv2.Laplacian(part, cv2.CV_16S)) / max(spread, 1.0) if min(part.shape) > 2 else 0.0
    counts = cv2.calcHist([part], [0], None, [256], [0, 256]).ravel() / part.size
    level = float(counts @ np.arange(256)) / 255
    clipped = float(counts[:4].sum() + counts[252:].sum())
    return Quality(rows, columns, sharp, level, clipped, _blocks(luma), _combs(part) if moving else 0.0)


def _variance(values: np.ndarray) -> float:
    return float(cv2.meanStdDev(values)[1][0, 0]) ** 2


def _inside(luma: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    lit_rows, lit_columns = np.flatnonzero(rows > _DARK), np.flatnonzero(columns > _DARK)
    if len(lit_rows) < 3 or len(lit_columns) < 3:
        return luma
    return luma[lit_rows[0] : lit_rows[-1] + 1, lit_columns[0] : lit_columns[-1] + 1]


def _middle(luma: np.ndarray, pixels: int) -> np.ndarray:
    """The middle part of a picture that is too large to look at whole."""
    scale = min(1.0, (pixels / luma.size) ** 0.5)
    height, width = max(1, int(luma.shape[0] * scale)), max(1, int(luma.shape[1] * scale))
    top, left = (luma.shape[0] - height) // 2, (luma.shape[1] - width) // 2
    return luma[top : top + height, left : left + width]


def _blocks(luma: np.ndarray) -> float:
    if luma.shape[1] < 32:
        return 0.0
    some = luma[:: max(1, luma.shape[0] // 64)]
    steps = cv2.reduce(cv2.absdiff(some[:, 1:], some[:, :-1]), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
    border = steps[7::8].mean()
    inner = np.delete(steps, np.s_[7::8]).mean()
    return float(max(0.0, border / max(inner, 0.25) - 1))


def _combs(luma: np.ndarray) -> float:
    """Interlaced pictures of things that move: each line is like the next but one, and unlike the next."""
    if luma.shape[0] < 8:
        return 0.0
    some = luma[:, :: max(1, luma.shape[1] // 64)].astype(np.int16)
    some = some[: len(some) // 2 * 2]
    near = np.abs(some[1:-1] - some[2:]) + np.abs(some[1:-1] - some[:-2])
    far = np.abs(some[2:] - some[:-2])
    return float(((near > 2 * far + 30) & (np.sign(some[1:-1] - some[2:]) == np.sign(some[1:-1] - some[:-2]))).mean())


def bars_of(rows: np.ndarray, columns: np.ndarray) -> list[int]:
    """[top, bottom, left, right] black pixels. rows, columns: uint8 (samples, lines), as in `Quality`.

    A line belongs to a bar when no sample lights it and the first line beyond is lit plainly; a dark picture whose
    brightness sets in slowly has no bars. Bars come in pairs of one width: where both sides are black, and one not
    more than twice as wide as the other, what it has on top is a dark part of the picture.
    """
    return [*_paired(*_sides(rows)), *_paired(*_sides(columns))]


def _paired(one: int, other: int) -> tuple[int, int]:
    less, more = sorted((one, other))
    return (less, less) if more - less > _SAME and more <= 2 * less else (one, other)


def dark_edges(rows: np.ndarray, columns: np.ndarray) -> list[int]:
    """[top, bottom, left, right] lines that no sample lights: bars are never wider."""
    edges = []
    for lines in (rows, columns):
        lit = np.flatnonzero(lines.max(0) > _DARK)
        edges += [int(lit[0]), lines.shape[1] - 1 - int(lit[-1])] if len(lit) else [lines.shape[1]] * 2
    return edges


def agreed_bars(found: Sequence[tuple[int, Sequence[int], Sequence[int], float]]) -> list[list[int]]:
    """Bars of all spans of a film. found: of each its frames, its own bars, its dark edges and its exposure.

    Most of a film has bars of one size, by frames. A span keeps others only when they are a pair around a picture
    that is bright enough to see where it ends, or when the film's would cut lit lines off.
    """
    out = [list(bars) for _, bars, _, _ in found]
    for side in (0, 2):
        weights: Counter[tuple[int, int]] = Counter()
        for frames, bars, _, exposure in found:
            weights[bars[side], bars[side + 1]] += frames if exposure >= _BRIGHT else 0
        if not weights or not max(weights.values()):
            continue
        usual = max(
            weights,
            key=lambda pair: sum(n for other, n in weights.items() if _beside(pair, other)) + 1e-6 * weights[pair],
        )
        for mine, (_, bars, edges, exposure) in zip(out, found, strict=True):
            pair = bars[side], bars[side + 1]
            sure = abs(pair[0] - pair[1]) <= _SAME and exposure >= _BRIGHT
            if not sure and not _beside(pair, usual) and usual[0] <= edges[side] and usual[1] <= edges[side + 1]:
                mine[side : side + 2] = usual
    return out


def _beside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= _SAME


def _sides(lines: np.ndarray) -> tuple[int, int]:
    brightest = lines.max(0).astype(int)
    lit = np.flatnonzero(brightest > _DARK)
    if not len(lit):
        return 0, 0
    return _side(brightest, int(lit[0])), _side(brightest[::-1], len(brightest) - 1 - int(lit[-1]))


def _side(brightest: np.ndarray, first: int) -> int:
    """Lines of black before the line `first`, the first that is lit."""
    if first == 0 or brightest[:first].max() > _DARK:
        return 0
    outer = float(np.median(brightest[:first]))
    inner = float(brightest[first : first + 3].max())
    # The last line of a bar may hold the first of the picture in part: codecs smear both ways.
    while first > 1 and brightest[first - 1] > outer + 0.5 * (inner - outer):
        first -= 1
    return first if outer <= 12 and inner > outer + _STEP and first >= 2 else 0
