"""Makes generated pixel art exact: colors of the world's palette, edges that are hard, no specks.

A world that is drawn from sheets declares its palette (a file of colors, derived from the sheets, which users need
not have). A model of that world is made crisp by default; `crisp=False` leaves what it generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.open_attributes import trained_world
from storyreel.pieces import small_pieces
from storyreel.worlds import find, names

BACKGROUND = 128  # grey that a clip without alpha has behind the figure
SMALLEST = 4  # pixels; a piece with fewer that neither neighbor frame has is a speck


def palette_world(info: Mapping[str, Any]) -> str | None:
    """The world whose palette a model's clips have, from its `model.json`: the key `crisp`, else the world that it was
    trained on, as its recipe or its data say.

    None where there is none, or where `crisp` is "".
    """
    declared_world = info.get("crisp")
    trained = trained_world(info)
    world = (trained.name if trained else "") if declared_world is None else declared_world
    return world if world in names() and find(world).palette else None


def declared(world: str) -> tuple[Path, int]:
    """The file of a world's palette, and the side of its clips in pixels. ValueError where it has none."""
    found = find(world).palette
    if found is None:
        raise ValueError(f"crisp: the world {world} has no palette")
    return found


@lru_cache(maxsize=4)
def palette(world: str) -> np.ndarray:
    """uint8 (n, 3), the commonest color first."""
    file, _ = declared(world)
    text = file.read_text(encoding="ascii")
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3)


def crisp(clip: Clip, world: str) -> Clip:
    """The clip with colors of the palette, alpha 0 or 255, and without specks.

    A clip without alpha has what is not its flat grey background made crisp. Clips of another size are returned as
    they are: their pixels are not those of the world.
    """
    _, side = declared(world)
    if clip.size != (side, side):
        return clip
    frames = clip.frames.copy()
    solid = figure(frames)
    keep = solid & ~specks(solid)
    rgb = frames[..., :3]
    rgb[keep] = snapped(rgb[keep], palette(world))
    if clip.has_alpha:
        frames[..., 3] = np.where(keep, 255, 0)
    rgb[~keep] = 0 if clip.has_alpha else BACKGROUND
    return clip.replace(frames=frames)


def figure(frames: np.ndarray, least: int = 128) -> np.ndarray:
    """uint8 (t, h, w, 3 or 4) -> bool (t, h, w): what has an alpha of at least that, or is not the flat background."""
    return frames[..., 3] >= least if frames.shape[-1] == 4 else (frames != BACKGROUND).any(-1)


def snapped(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """uint8 (n, 3): the color of the palette that is nearest to each pixel, by distance in RGB."""
    if not len(pixels):
        return pixels
    each, back = np.unique(pixels, axis=0, return_inverse=True)
    c = colors.astype(np.float32)
    length = (c**2).sum(1)
    nearest = [
        (length - 2 * part.astype(np.float32) @ c.T).argmin(1) for part in np.array_split(each, len(each) // 4096 + 1)
    ]
    return colors[np.concatenate(nearest)][back.reshape(-1)]


def without_pieces(frames: np.ndarray, smallest: int) -> np.ndarray:
    """uint8 (t, h, w, 3 or 4) without the pieces of fewer than `smallest` pixels that do not touch the figure."""
    frames = frames.copy()
    for frame, solid in zip(frames, figure(frames, least=1), strict=True):
        for piece in small_pieces(solid, smallest):
            frame[piece] = 0 if frames.shape[-1] == 4 else BACKGROUND
    return frames


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
        for piece in small_pieces(frame, SMALLEST):
            if not near[piece].any():
                found[t][piece] = True
    return found
