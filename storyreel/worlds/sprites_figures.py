"""Where somebody is in the frames of one action, from its beginning on: what is drawn over a clip goes by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from storyreel.worlds.sprites_beards import FALLEN
from storyreel.worlds.sprites_beards import MOVED as FACES_MOVED
from storyreel.worlds.sprites_parts import FRAMES, drawing_at

SIDE = 64  # pixels of a frame
STILL = (0, 0)
EYES = {"down": (slice(27, 33), slice(25, 39)), "right": (slice(27, 33), slice(30, 40))}  # in the first drawing
MOVED: dict[tuple[str, str, str], dict[int, tuple[int, int]]] = {  # (down, right), by drawing, of a head's first place
    **{("male", *seen): moved for seen, moved in FACES_MOVED.items()},
    ("male", "walk", "up"): {2: (1, 0), 6: (1, 0)},
    ("male", "spellcast", "up"): dict.fromkeys(range(7), (1, 0)),
    ("male", "thrust", "up"): {0: (1, 0), 1: (2, 0), **dict.fromkeys((2, 3, 7), (1, 1)),
                               **dict.fromkeys((4, 5, 6), (2, 2))},
    ("male", "slash", "up"): {0: (1, 0), 1: (2, 0), 2: (2, -1), 3: (1, 1), 4: (1, 2), 5: (1, 2)},
    ("male", "shoot", "down"): dict.fromkeys(range(13), (0, -1)),
    ("male", "shoot", "up"): dict.fromkeys(range(13), (1, -1)),
    ("male", "hurt", "down"): {1: (1, 2), 2: (8, 2), 3: (12, 2), 4: (18, 2)},
    ("female", "walk", "down"): {2: (1, 0), 6: (1, 0)},
    ("female", "walk", "right"): dict.fromkeys((0, 1, 4, 5), (1, 0)),
    ("female", "walk", "up"): {2: (1, 0), 6: (1, 0)},
    ("female", "thrust", "down"): dict.fromkeys((4, 5, 6), (1, 0)),
    ("female", "thrust", "right"): dict.fromkeys((4, 5, 6), (0, 2)),
    ("female", "thrust", "up"): {0: (1, 0), 1: (1, -1), **dict.fromkeys((2, 3, 7), (0, 1)),
                                 **dict.fromkeys((4, 5, 6), (1, 2))},
    ("female", "slash", "down"): {1: (2, 0), 2: (1, -1), 3: (0, 1), 4: (0, 2), 5: (0, 2)},
    ("female", "slash", "right"): {1: (2, 1), 2: (1, 2), 3: (0, 2), 4: (0, 2), 5: (0, 2)},
    ("female", "slash", "up"): {1: (0, -1), 2: (0, -2), 3: (-1, 1), 4: (-1, 2), 5: (-1, 2)},
    ("female", "shoot", "down"): dict.fromkeys(range(13), (0, -1)),
    ("female", "shoot", "right"): dict.fromkeys(range(13), (0, -1)),
    ("female", "shoot", "up"): dict.fromkeys(range(13), (0, -1)),
    ("female", "hurt", "down"): {0: (1, 0), 1: (1, 1), 2: (8, 1), 3: (12, 1), 4: (18, 2)},
}  # fmt: skip


def side_of(attributes: Mapping[str, str]) -> str:
    """From where somebody is drawn: who looks left is drawn from the right, and mirrored; who falls, from the front."""
    facing = attributes.get("facing", "down")
    return "down" if attributes.get("action") == "hurt" else {"left": "right"}.get(facing, facing)


def figures(
    frames: np.ndarray, attributes: Mapping[str, str], sex: str = "male"
) -> Iterator[tuple[np.ndarray, int, tuple[int, int]]]:
    """Of each frame, uint8 (64, 64, 3 or 4): itself, as seen from `side_of`, its drawing, and by how far (down, right)
    a head is moved in it. Who has fallen stays so. sex: of who is not said to have one."""
    action, side = attributes.get("action", "walk"), side_of(attributes)
    mirrored = attributes.get("facing") == "left" and action != "hurt"
    moves = MOVED.get((attributes.get("sex", sex), action, side), {})
    for i, frame in enumerate(frames):
        drawing = drawing_at(action, min(i, FRAMES - 1) if action == "hurt" else i % FRAMES, FRAMES)
        yield frame[:, ::-1] if mirrored else frame, drawing, moves.get(drawing, STILL)


def eyes(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """Where the eyes of somebody are, bool (f, h, w); nowhere of who is seen from behind, or lies."""
    found = np.zeros(frames.shape[:3], bool)
    if side_of(attributes) not in EYES or frames.shape[1:3] != (SIDE, SIDE):
        return found
    rows, columns = EYES[side_of(attributes)]
    for view, drawing, (down, right) in figures(found, attributes):
        if attributes.get("action") == "hurt" and drawing >= FALLEN:
            break
        view[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right] = True
    return found


def ground_of(frames: np.ndarray) -> np.ndarray:
    """The color behind somebody, uint8 (3,) or, of frames with a matte, (4,)."""
    return frames[0, 0, 0] if frames.shape[-1] == 3 else np.zeros(4, np.uint8)


def is_ground(pixels: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Which of these pixels, (..., 3 or 4), show nobody."""
    return (pixels == ground).all(-1) if len(ground) == 3 else pixels[..., 3] < 128
