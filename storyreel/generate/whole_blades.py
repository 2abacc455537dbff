"""Blades that the edge of a picture cuts: drawn to their tips, in a wider picture about the same middle.

    frames --runs of opaque pixels in the outermost columns--> each goes on as it came, narrower to a tip

The sheets that a world of sprites is drawn from have cells that are too small for a swing, so that a model has never
seen the end of one.
"""

from __future__ import annotations

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.crisp import BACKGROUND, figure
from storyreel.worlds import World

ROOM = 16  # columns that a picture gains on each side
TALLEST = 12  # rows: what is cut and is taller is no blade from the side
TOP = 1  # row: what reaches it is cut by the upper edge as well, and where it would go on is not known
BACK = 5  # columns by which it is seen where a blade goes


def with_whole_blades(clip: Clip, world: World | None, restated: str) -> Clip:
    """The clip with its blades whole, where it shows somebody with a weapon of `World.cut`; else as it is. `meta` has
    `widened`: by how many pixels on each side. restated: the prompt as the model saw it."""
    if world is None or not world.cut or world.read is None:
        return clip
    if world.read(restated).get("weapon") not in world.cut:
        return clip
    frames = whole(clip.frames)
    return clip if frames is None else clip.replace(frames=frames, meta={**clip.meta, "widened": ROOM})


def whole(frames: np.ndarray) -> np.ndarray | None:
    """uint8 (f, h, w, 3 or 4) -> (f, h, w + 2 ROOM, 3 or 4), where what the left or the right edge cuts is drawn to its
    end; None where nothing is cut, or no blade."""
    seen = figure(frames)
    beside = ((0, 0), (0, 0), (ROOM, ROOM), (0, 0))
    wide = np.pad(frames, beside, constant_values=0 if frames.shape[-1] == 4 else BACKGROUND)
    found = False
    for side in (1, -1):  # as it is, then mirrored
        for mask, frame in zip(seen[:, :, ::side], wide[:, :, ::side], strict=True):
            for first, last in _runs(mask[:, -1]):
                if first <= TOP:
                    continue
                if last - first > TALLEST:
                    return None
                found = True
                _extend(frame[:, ROOM:], mask, (first, last))
    return wide if found else None


def _extend(frame: np.ndarray, mask: np.ndarray, run: tuple[int, int]) -> None:
    """Draw what goes on from `run`, rows [a, b) of the last column of `mask`, into the columns of `frame` after it."""
    edge, (first, last) = mask.shape[1] - 1, run
    colors = frame[first:last, edge].copy()
    around = slice(max(first - 1, 0), last + 1), slice(edge - BACK, edge + 1)
    near = frame[around][mask[around]]
    outline = near[near[:, :3].astype(int).sum(1).argmin()]
    center, height = (first + last - 1) / 2, last - first
    slope = _slope(mask, run)
    length = min(ROOM, 2 + round(1.5 * height))
    for k in range(1, length + 1):
        half = (height - 1) / 2 * (1 - (k / length) ** 1.5)
        middle = center + slope * k
        top, bottom = round(middle - half), round(middle + half)
        for row in range(max(top, 0), min(bottom, len(frame) - 1) + 1):
            place = (row - top) / max(1, bottom - top)
            inside = top < row < bottom and k < length
            frame[row, edge + k] = colors[round(place * (height - 1))] if inside else outline


def _slope(mask: np.ndarray, run: tuple[int, int]) -> float:
    """Rows a column by which the middle of a run moves towards the edge."""
    edge, (first, last) = mask.shape[1] - 1, run
    center = middle = (first + last - 1) / 2
    back = 0
    for back in range(1, BACK + 1):
        near = [(a, b) for a, b in _runs(mask[:, edge - back]) if a < last and b > first]
        if len(near) != 1 or near[0][1] - near[0][0] > 2 * (last - first) + 2:
            back -= 1
            break
        first, last = near[0]
        middle = (first + last - 1) / 2
    return float(np.clip((center - middle) / back, -1, 1)) if back else 0.0


def _runs(column: np.ndarray) -> list[tuple[int, int]]:
    """Of True in a bool (n,): [first, last) of each."""
    steps = np.diff(np.concatenate([[0], column.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))
