"""The colors of the hair in a clip, in which more of it is drawn: tails, long hair, beards."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import LUMINANCE, RGB, rgb
from storyreel.worlds.sprites_dyes import RAMPS

SEEN_UNDER = ("bare head", "tiara")  # heads on top of which hair is seen
CROWN = {  # rows and columns in which nothing but hair is
    "down": (slice(16, 23), slice(27, 37)), "up": (slice(16, 28), slice(26, 38)),
    "right": (slice(16, 23), slice(25, 34)),
}  # fmt: skip
SHARES = (0.1, 0.5, 0.5, 0.9)  # of a head's pixels that are darker than the colors that are taken
SHADES = (0.5, 0.75, 1.0, 1.0)  # of their brightness
DYED = {  # as `HAIR` finds
    "white": rgb("6fa6e8 98c2f0 bcddf5 e6f9fc"), "blonde": rgb("9b9200 c3b808 f3e62e f8ffaf"),
    "brown": rgb("340604 5f1f04 934002 b45a0a"),
}  # fmt: skip


def colors_of(views: np.ndarray, attributes: Mapping[str, str], side: str) -> tuple[RGB, ...]:
    """Four colors of the hair on top of a head, dark to light; below a cap those of its name. views: frames of somebody
    who does not look left."""
    named = RAMPS.get(attributes.get("hair_color", ""))
    if named and attributes.get("head", SEEN_UNDER[0]) not in SEEN_UNDER:
        return rgb(named)
    rows, columns = CROWN[side]
    seen = views[:, rows, columns, :3].reshape(-1, 3)
    order = seen[np.argsort(seen @ LUMINANCE, kind="stable")]
    picked = np.stack([order[int(share * len(order))] for share in SHARES]) * np.array(SHADES)[:, None]
    return tuple((r, g, b) for r, g, b in picked.astype(int).tolist())
