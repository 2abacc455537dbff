"""Skirts, and those of dresses and robes, drawn over what a model draws (`sprites_mends`).

Those of the sheets are slit and cut askew, which looks torn in motion. Here a dress falls from the hips to the ankles,
a robe to the ground, a skirt to the knees, and all sway with the steps. A robe is closed in front.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from storyreel.worlds.garment_dye import LUMINANCE, RGB, rgb
from storyreel.worlds.sprites_cloth import KNEELS, Drape, hang, sunk, sway_at
from storyreel.worlds.sprites_figures import figures, side_of

KINDS = (" dress", " robe", " skirt")
CUTS = {  # without its hem
    "down": Drape(45, 7.0, 10.5, 31.5), "up": Drape(45, 7.0, 10.5, 31.5), "right": Drape(48, 6.5, 9.5, 31.0),
}  # fmt: skip
HEMS = {"dress": 58, "robe": 60, "skirt": 55}  # the lowest row
FACE = (slice(30, 35), slice(28, 36))  # where skin is seen, in all views but from behind
CHEST = (slice(37, 45), slice(26, 38))  # and where a robe would be open
SKIN_PIXELS, SKIN_NEAR = 2, 6  # that a color of skin has at least, and how far pixels are from it
LIGHTEST = 30  # by how much a pixel of a robe may be lighter than its lightest color
ROBE = "070d02 111d06 1f370b 2b4b0f"  # of a robe that is dyed
RAMPS = {  # outline, dark to light; of a color that is dyed, those that are found for it
    "green": "013023 08462a 0f5b2d 016b47",
    "blue": "81b7b1 8bbcb7 a4cbc7 bdd7d4",
    "red": "2a0404 5c0808 930c0c b81616",
    "black": "050505 121212 232323 343434",
    "white": "5d5d68 a5a5b0 d5d5dc f2f2f5",
    "brown": "3e2613 62351c 744b30 996b4a",
}


def with_skirt(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with a whole skirt on who wears one."""
    worn = next((attributes[n] for n in ("torso", "legs") if attributes.get(n, "").endswith(KINDS)), "")
    kind, ramp = worn.rpartition(" ")[2], skirt_colors(worn)
    action, side = attributes.get("action", "walk"), side_of(attributes)
    if not ramp:
        return frames
    out, falls = frames.copy(), action == "hurt"
    for view, drawing, moved in figures(out, attributes, "female"):
        if falls and drawing >= KNEELS:
            break
        if kind == "robe" and side != "up":
            _close(view, ramp, moved)
        cut = replace(CUTS[side], hem=HEMS[kind])
        hang(view, sunk(cut, moved[0]) if falls else cut, ramp, moved[1], sway_at(action, drawing))
    return out


def skirt_colors(worn: str) -> tuple[RGB, ...]:
    """Outline, dark to light, of a skirt, dress or robe that is drawn; () of what is not."""
    color, _, kind = worn.partition(" ")
    if kind == "robe" or not worn.endswith(KINDS):
        return rgb(ROBE) if worn == "green robe" else ()
    return rgb(RAMPS.get(color, ""))


def _close(frame: np.ndarray, ramp: tuple[RGB, ...], moved: tuple[int, int]) -> None:
    """No skin is seen on the chest: colors of the face, and all that is lighter than the cloth, become that of the
    cloth, with a seam."""
    down, right = moved
    rows, columns = FACE
    face = frame[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right, :3].reshape(-1, 3)
    colors, counts = np.unique(face, axis=0, return_counts=True)
    skin = colors[counts >= SKIN_PIXELS].astype(int)
    rows, columns = CHEST
    there = frame[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right]
    bare = (np.abs(there[..., None, :3].astype(int) - skin).max(-1) <= SKIN_NEAR).any(-1)
    bare |= there[..., :3] @ LUMINANCE > LIGHTEST + max(np.array(ramp) @ LUMINANCE)
    shade = np.full(bare.shape, 2)
    shade[:, bare.shape[1] // 2] = 1
    there[bare, :3] = np.array(ramp, np.uint8)[shade[bare]]
