"""Hands that hold what is drawn over them: a weapon of ours hides the hand that a model drew, so it is drawn again.

It has the colors of the face, and of what covers it: a closed helmet has gauntlets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb

FACES = {"down": (27, 35, 27, 37), "right": (27, 35, 31, 39)}  # rows and columns, in the first drawing of an action
DARK = 190  # sum of a color's channels up to which it is an outline, or an eye
METALS = {"metal gloves": "3d3748 5e5252 726b7e 867e7f", "golden gloves": "6b3d0c b8701c e8a83a ffe98a"}
SKINS = ("9e3e37 d28560 eaa377 fdd5b7", "6b2d1e 9a5a3c b5734a d99a66", "3b1a10 5a3020 7a452c 9a6040")
SAME = 18  # of a color's channels, to one of a skin
WARM = 20  # by how much the skin of people is redder than green
SHADES = np.array([[0.65], [0.85], [1.0]])  # of the commonest color of a face
BARE = {  # body -> the colors of its hands
    "light": "d28560 eaa377 fdd5b7", "tanned": "d28560 ea9f54 fdd082", "dark": "503734 785946 ba8454",
    "dark elf": "787c8f 9ca0b3 aeb3ca", "skeleton": "4d4a5d b19998 e5e6c7",
    "orc": "19541d 39aa4e 53bf71", "red orc": "283510 568b33 77a552",
}  # fmt: skip
CLOSED = ("metal helmet", "golden helmet")  # of which no face is seen
BELOW = 38  # row from which on no face is seen
FIST = ("122", "132", "112")  # of shades, 1 the darkest
OUTLINE = rgb("2b1318")[0]


def skin_of(attributes: Mapping[str, str]) -> str:
    """The colors of hands that are known without a look at a face, dark to light: of metal gloves, of bones, of who has
    a closed helmet; "" of others."""
    gloves = METALS.get(attributes.get("hands", ""))
    if gloves:
        return " ".join(gloves.split()[-3:])
    body = attributes.get("body", "")
    return BARE.get(body, "") if body == "skeleton" or attributes.get("head") in CLOSED else ""


def skin_in(frame: np.ndarray, side: str, mirrored: bool, known: str = "") -> np.ndarray | None:
    """uint8 (3, 3): colors for the hands of somebody, the darkest first: those that are known (`skin_of`), or the
    commonest of the face in the first frame, uint8 (h, w, 3 or 4), or shades of the commonest where it is no skin of
    people; None where no face is."""
    if side not in FACES:
        return None
    if known:
        return np.array(rgb(known), np.uint8)
    top, bottom, left, right = FACES[side]
    face = (frame[:, ::-1] if mirrored else frame)[top:bottom, left:right].reshape(-1, frame.shape[-1])
    solid = face[face[:, 3] >= 128] if frame.shape[-1] == 4 else face
    seen = Counter(tuple(color[:3].tolist()) for color in solid if int(color[:3].sum()) > DARK)
    common = [color for color, _ in seen.most_common()]
    warm = [color for color in common if color[0] >= color[1] + WARM and color[1] > color[2]]
    if len(warm) >= 3:  # gray hair is about a face
        return np.array(sorted(warm[:3], key=sum), np.uint8)
    return np.round(np.array(common[:1]) * SHADES).astype(np.uint8) if common else None


def with_gauntlets(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4) -> the same; bare hands of who wears gloves of metal are of metal."""
    metal = METALS.get(attributes.get("hands", ""))
    if metal is None or attributes.get("action") == "hurt":
        return frames
    out, ramp = frames.copy(), np.array(rgb(metal))
    for frame in out:
        for skins in SKINS:
            colors = np.array(rgb(skins))
            away = np.abs(frame[..., None, :3].astype(int) - colors).sum(-1)
            found = (away.min(-1) <= SAME) & (np.arange(len(frame)) >= BELOW)[:, None]
            frame[found, :3] = ramp[away.argmin(-1)[found]]
    return out


def put_fist(frame: np.ndarray, row: float, column: float, skin: np.ndarray) -> None:
    """Draw a hand about this place, with a line around it where there is somebody."""
    top, left = round(row) - 1, round(column) - 1
    height, width = frame.shape[:2]
    if not (1 <= top < height - 4 and 1 <= left < width - 4):
        return
    solid = frame[..., 3] >= 128 if frame.shape[-1] == 4 else np.ones(frame.shape[:2], bool)
    for dy in range(-1, 4):
        for dx in range(-1, 4):
            at = (top + dy, left + dx)
            if 0 <= dy < 3 and 0 <= dx < 3:
                frame[at][:3] = skin[int(FIST[dy][dx]) - 1]
            elif (0 <= dy < 3) != (0 <= dx < 3) and solid[at]:
                frame[at][:3] = OUTLINE
            else:
                continue
            frame[at][3:] = 255
