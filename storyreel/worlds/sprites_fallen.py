"""Who lies on the ground, drawn over the last drawing of a fall: of that models make a heap of clothes.

They lie on their face, head towards the viewer, in the colors that they have while they stand.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_beards import paint
from storyreel.worlds.sprites_bones import CHESTS, RIBS
from storyreel.worlds.sprites_capes import cape_in
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import SIDE, figures, ground_of
from storyreel.worlds.sprites_grips import CLOSED, METALS, skin_in
from storyreel.worlds.sprites_hair_colors import SEEN_UNDER
from storyreel.worlds.sprites_hats import HOODS, LYING_ASIDE, headgear_in
from storyreel.worlds.sprites_limbs import CLOTH, METAL, shades_in
from storyreel.worlds.sprites_lying import (
    COLUMNS,
    ROWS,
    LyingPart,
    bands,
    broad,
    locks,
    mail,
    paint_shape,
    polished,
    ragged,
    rounded,
    seam,
    strands,
)
from storyreel.worlds.sprites_skirts import skirt_colors

LYING = 5  # the drawing of `hurt` in which somebody lies
BOXES = {  # rows and columns of somebody who stands
    "head": (15, 22, 25, 39), "torso": (39, 46, 26, 38), "legs": (51, 56, 25, 39), "feet": (58, 62, 24, 40),
}  # fmt: skip
BARE_ARMS = (" dress", " corset", "bare chest", "leather armor")
SOFT, HARD = (" cap", " bandana"), ("helmet", " hat", " hood", " cap")  # below the former hair is seen
GOWNS = (" dress", " robe")  # which cover legs
PLATES = ("plate armor", "golden armor")
METALLIC = (*PLATES, "chain mail")  # which are over thighs where no more is worn
SKINS = {  # body -> its outline, and its colors, dark to light
    "light": "622219 9e3e37 d28560 eaa377 fdd5b7",
    "tanned": "5a2016 9e4f30 d28560 ecb06a fdd082",
    "dark": "2b1a18 503734 785946 9c663e ba8454",
    "dark elf": "16171b 50525f 787c8f 9ca0b3 c9d0ee",
    "skeleton": "1b1622 7d7676 b8b0a4 dedaca fbf8ee",
    "orc": "09320b 19541d 228236 39aa4e 53bf71",
    "red orc": "0f1c06 283510 355f21 568b33 77a552",
}
BELT = "1a0e08 2e1a0e 4b2b13 6a4524 9a6f37"
STEEL = np.array(rgb("1e1b24 " + METALS["metal gloves"]), np.uint8)  # of a brim
ROW, RADIUS = 53.4, 8.8  # the middle of a head
SHADOW = 2.4  # pixels of a back that are in the shadow of a head
LIMBS = {  # of the left side, by columns from the middle; the other one is its mirror image
    "thigh": ((39.0, -3.6), (33.5, -8.2), 2.9),
    "foot": ((31.0, -10.8), (33.0, -11.9), 2.7),
    "arm": ((45.0, -7.4), (52.0, -11.2), 2.3),
    "hand": ((53.6, -12.4), (55.6, -13.2), 2.2),
    "pauldron": ((44.6, -7.6), (45.4, -8.4), 3.1),
    "bone": ((37.5, -2.0), (33.0, -9.0), 1.2),
    "knee": ((35.0, -6.4), (35.2, -6.8), 1.7),
    "arm bone": ((45.5, -6.4), (52.5, -11.8), 1.1),
}
TORSO = ((36.0, 5.4), (38.0, 5.9), (43.0, 7.0), (47.0, 7.6), (50.0, 6.0))
GOWN = ((30.5, 10.6), (34.0, 8.6), (38.5, 6.0), (43.0, 6.8), (47.0, 7.4), (50.0, 6.0))
SKIRT = ((32.5, 9.4), (36.0, 7.2), (38.5, 5.8))
CAPE = ((30.0, 9.6), (36.0, 8.8), (46.0, 8.2), (50.0, 6.5))
TRESSES = {"very long": ((33.0, 3.0), (38.0, 6.0), (48.0, 8.0)), "long": ((38.0, 4.0), (41.0, 6.5), (48.0, 8.0))}
"""Hair over a back."""


def with_fallen(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who has fallen lies there whole."""
    if attributes.get("action") != "hurt" or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, ground = frames.copy(), ground_of(frames)
    ramps = _ramps(frames[0], ground, attributes)
    for view, drawing, _ in figures(out, attributes):
        if drawing >= LYING:
            view[:] = ground
            _lay(view, ramps, attributes, prompt)
    return out


def _lay(frame: np.ndarray, ramps: Mapping[str, np.ndarray], attributes: Mapping[str, str], prompt: str) -> None:
    torso, legs = attributes.get("torso", ""), attributes.get("legs", "")
    middle = 31.5 + LYING_ASIDE.get(attributes.get("sex", "male"), 3)
    bones = attributes.get("body") == "skeleton"
    gown, skirt = torso.endswith(GOWNS), legs.endswith(" skirt")
    mailed = mail() if torso == "chain mail" else 0.0
    plated = torso in PLATES

    def pair(name: str, ramp: str, texture: np.ndarray | float = 0.0) -> None:
        (top, left), (bottom, right), radius = LIMBS[name]
        for side in (1, -1):
            limb = rounded((top, middle + side * left), (bottom, middle + side * right), radius)
            paint_shape(frame, limb, ramps[ramp], texture)

    bare_legs = gown or skirt or not legs
    pair("foot", "feet", bands((31,), -0.2, 0.0))
    if bones and bare_legs and not gown:
        pair("bone", "skin")
        pair("knee", "skin")
    elif not gown:
        clad = "torso" if torso in METALLIC and not legs else "skin" if bare_legs else "legs"
        pair("thigh", clad, mailed if clad == "torso" else locks(middle) / 2)
        if legs.endswith("greaves"):
            pair("knee", "legs", 0.1)
    if skirt:
        paint_shape(frame, broad(SKIRT, middle), ramps["legs"], locks(middle))
    bare_arms = torso.endswith(BARE_ARMS) or not torso
    if bones and bare_arms:
        pair("arm bone", "skin")
    else:
        pair("arm", "skin" if bare_arms else "torso", mailed)
    pair("hand", "hands", bands((55,), -0.25, 0.0))
    if bones and not torso:
        _put_ribs(frame, middle)
    else:
        shadow = -0.3 * (np.hypot(ROWS - ROW, COLUMNS - middle) < RADIUS + SHADOW)
        shape = broad(GOWN if gown else TORSO, middle)
        paint_shape(frame, shape, ramps["torso"], _on_back(torso, middle) + shadow)
    if plated:
        pair("pauldron", "torso", 0.12)
    if torso in ("leather armor", "chain mail") or torso.endswith((" tabard", " tunic")):
        paint_shape(frame, broad(((37.0, 5.6), (38.0, 6.0)), middle), np.array(rgb(BELT), np.uint8))
    if color := cape_in(attributes, prompt):
        ramp = np.array(rgb(RAMPS[color]), np.uint8)
        paint_shape(frame, broad(CAPE, middle), np.concatenate([ramp[:1] // 2, ramp]), locks(middle))
    _put_head(frame, middle, ramps, attributes, prompt)


def _put_head(
    frame: np.ndarray, middle: float, ramps: Mapping[str, np.ndarray], attributes: Mapping[str, str], prompt: str
) -> None:
    body, head, style = (attributes.get(name, "") for name in ("body", "head", "hair_style"))
    ball, place = rounded((ROW, middle), (ROW, middle), RADIUS), (ROW, middle, RADIUS)
    haired = head in ("", *SEEN_UNDER) and style not in ("", "bald")
    hat = headgear_in(prompt)[0]
    if haired and hat not in HOODS and (tress := next((t for s, t in TRESSES.items() if style.startswith(s)), None)):
        paint_shape(frame, broad(tress, middle), ramps["head"], locks(middle))
    if body == "skeleton" and not head.endswith(HARD):
        paint_shape(frame, ball, ramps["skin"], 0.22 - 0.3 * (np.abs(COLUMNS - middle) < 0.6) * (ROWS < ROW - 3))
    elif haired:
        crown = (ROW + 2.0, middle, RADIUS)
        paint_shape(frame, ragged(ball, *place, style), ramps["head"], strands(*crown))
    elif "helmet" in head:
        paint_shape(frame, ball, ramps["head"], polished(*place))
    elif head == "kettle hat":
        paint_shape(frame, rounded(place[:2], place[:2], 9.0, 1.2), STEEL, -0.1)
        paint_shape(frame, rounded(place[:2], place[:2], 6.4), ramps["head"], polished(ROW, middle, 6.4))
    elif head.endswith(SOFT) and (hair := RAMPS.get(attributes.get("hair_color", ""))):
        paint_shape(frame, ball, np.array(rgb(hair), np.uint8)[[0, 0, 1, 2, 3]], strands(ROW + 2.0, middle, RADIUS))
        paint_shape(frame, LyingPart(ball.inside & (ROWS > ROW - 4), ball.lit), ramps["head"], bands((ROW // 1 - 2,)))
    else:
        paint_shape(frame, ball, ramps["head"], mail() if head == "chain hood" else 0.06)


def _on_back(torso: str, middle: float) -> np.ndarray | float:
    """The texture of a back that this is worn on."""
    if torso == "chain mail":
        return mail()
    if torso in PLATES:
        return seam(middle) + bands((38.0, 41.0))
    if torso.endswith(GOWNS):
        return locks(middle)
    if torso == "leather armor":
        return seam(middle) + bands((41.0,))
    return seam(middle, -0.16, 0.06) + bands((37.0,), -0.2, 0.1)


def _put_ribs(frame: np.ndarray, middle: float) -> None:
    """The back of a skeleton, upside down."""
    _, _, text = CHESTS["up"]
    pelvis = rounded((36.0, middle - 3.5), (36.0, middle + 3.5), 1.6)
    paint_shape(frame, pelvis, np.array(rgb(SKINS["skeleton"]), np.uint8))
    paint(frame, (36, round(middle - 7.5), "\n".join(text.split()[::-1])), RIBS, (0, 0))


def _ramps(frame: np.ndarray, ground: np.ndarray, attributes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Part -> its colors while somebody stands, uint8 (5, 3): of a line around it, and four from dark to light."""
    body, torso = attributes.get("body", ""), attributes.get("torso", "bare chest")
    skin = np.array(rgb(SKINS.get(body, SKINS["light"])), np.uint8)
    face = skin_in(frame, "down", mirrored=False) if attributes.get("head") not in CLOSED else None
    beside = skin[2:] if face is None else np.concatenate([skin[2:], face])
    beside = None if torso in METALLIC or torso == "bare chest" else beside
    ramps = {
        name: shades_in(
            frame,
            box,
            ground,
            beside if name in ("torso", "legs") else None,
            CLOTH if name == "torso" and torso not in METALLIC else METAL,
        )
        for name, box in BOXES.items()
    }
    metal = METALS.get(attributes.get("hands", ""))
    gloved = np.array(rgb(metal), np.uint8) if metal else None
    ramps |= {"skin": skin, "hands": skin if gloved is None else np.concatenate([gloved[:1] // 2, gloved])}
    if torso == "bare chest":
        ramps["torso"] = skin
    if attributes.get("feet", "bare feet") == "bare feet":
        ramps["feet"] = skin
    for name, value in (("torso", torso), ("legs", attributes.get("legs", ""))):
        if cloth := skirt_colors(value):
            ramps[name] = np.array(cloth, np.uint8)[[0, 0, 1, 2, 3]]
    bald = attributes.get("head", "bare head") in SEEN_UNDER and attributes.get("hair_style", "bald") == "bald"
    if bald and body in SKINS:
        ramps["head"] = skin
    return ramps
