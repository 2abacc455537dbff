"""Makes generated pixel art exact: colors of the world's palette, edges that are hard, no specks.

A world that is drawn from sheets declares its palette (`PALETTES`: a file of colors, derived from the sheets, which
users need not have). A model of that world is made crisp by default; `crisp=False` leaves what it generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip

BACKGROUND = 128  # grey that a clip without alpha has behind the figure
SMALLEST = 4  # pixels; a piece with fewer that neither neighbor frame has is a speck
COLORS = 96  # of one clip; real clips have fewer
PALETTES = {"sprites": (64, Path(__file__).parents[1] / "data" / "worlds" / "palette_sprites.txt")}
"""World -> the side of its clips in pixels, and the file of its colors, six hex digits each."""


def world_of(info: Mapping[str, Any]) -> str | None:
    """The world whose palette a model's clips have, from its `model.json`: the key `crisp`, else its recipe's name.

    None where there is none, or where `crisp` is "".
    """
    told = info.get("crisp")
    if told is not None:
        return told if told in PALETTES else None
    words = str((info.get("recipe") or {}).get("name", "")).replace("-", "_").split("_")
    return next((world for world in PALETTES if world in words), None)


@lru_cache(maxsize=4)
def palette(world: str) -> np.ndarray:
    """uint8 (n, 3), the commonest color first."""
    text = PALETTES[world][1].read_text(encoding="ascii")
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3)


def crisp(clip: Clip, world: str) -> Clip:
    """The clip with colors of the palette, alpha 0 or 255, and without specks.

    A clip without alpha has what is not its flat grey background made crisp. Clips of another size are returned as
    they are: their pixels are not those of the world.
    """
    side, _ = PALETTES[world]
    if clip.size != (side, side):
        return clip
    frames = clip.frames.copy()
    solid = frames[..., 3] >= 128 if clip.has_alpha else (frames[..., :3] != BACKGROUND).any(-1)
    keep = solid & ~specks(solid)
    rgb = frames[..., :3]
    rgb[keep] = snapped(rgb[keep], palette(world))
    if clip.has_alpha:
        frames[..., 3] = np.where(keep, 255, 0)
    rgb[~keep] = 0 if clip.has_alpha else BACKGROUND
    return clip.replace(frames=frames)


def snapped(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """uint8 (n, 3): each pixel's nearest of `colors`, of which at most COLORS are used: those that most pixels want."""
    if not len(pixels):
        return pixels
    each, back = np.unique(pixels, axis=0, return_inverse=True)
    back = back.reshape(-1)
    nearest = _nearest(each, colors)
    wanted = np.bincount(nearest, np.bincount(back), minlength=len(colors))
    used = np.flatnonzero(wanted)
    if len(used) > COLORS:
        used = np.sort(np.argsort(-wanted, kind="stable")[:COLORS])
        nearest = used[_nearest(each, colors[used])]
    return colors[nearest][back]


def _nearest(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """int (n,): the index of each pixel's nearest color, by squared distance with the eye's weights of the channels."""
    weights = np.sqrt(np.array([0.30, 0.59, 0.11], np.float32)) + 0.3
    c = colors.astype(np.float32) * weights
    found = []
    for start in range(0, len(pixels), 4096):
        p = pixels[start : start + 4096].astype(np.float32) * weights
        found.append(((c**2).sum(1) - 2 * p @ c.T).argmin(1))
    return np.concatenate(found)


def specks(solid: np.ndarray) -> np.ndarray:
    """bool (t, h, w) -> the pixels of pieces of fewer than SMALLEST pixels that neither neighbor frame has.

    Pieces hang together across edges and corners. A neighbor has a piece when it is solid at one of its pixels.
    """
    found = np.zeros_like(solid)
    for t, frame in enumerate(solid):
        near = np.zeros_like(frame)
        for other in (t - 1, t + 1):
            if 0 <= other < len(solid):
                near |= solid[other]
        for piece in _small_pieces(frame):
            if not near[piece].any():
                found[t][piece] = True
    return found


def _small_pieces(frame: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows, columns) of each piece of fewer than SMALLEST pixels."""
    padded = np.pad(frame, 1).astype(np.int16)
    h, w = frame.shape
    around = sum(padded[y : y + h, x : x + w] for y in range(3) for x in range(3))
    pieces, seen = [], np.zeros_like(frame)
    for start in zip(*np.nonzero(frame & (around <= SMALLEST - 1)), strict=True):  # itself and few neighbors
        if seen[start]:
            continue
        piece, rest = {start}, [start]
        while rest and len(piece) < SMALLEST:
            y, x = rest.pop()
            for near in ((y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)):
                if near not in piece and 0 <= near[0] < h and 0 <= near[1] < w and frame[near]:
                    piece.add(near)
                    rest.append(near)
        if len(piece) < SMALLEST:
            rows, columns = np.array(sorted(piece)).T
            pieces.append((rows, columns))
            seen[rows, columns] = True
    return pieces
