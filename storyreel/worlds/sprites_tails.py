"""Ponytails, pigtails, braids and buns, drawn over what a model draws (`sprites_mends`), in the colors of the head.

They go with the head and sway with the steps. Behind somebody they are seen on the ground alone. They are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from storyreel.worlds.garment_dye import RGB, rgb
from storyreel.worlds.sprites_beards import OWN
from storyreel.worlds.sprites_cloth import sway_at
from storyreel.worlds.sprites_completion import COVERED, HAIRLESS, MONSTERS
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import SIDE, figures, ground_of, is_ground, side_of
from storyreel.worlds.sprites_hair_colors import DYED, colors_of
from storyreel.worlds.sprites_hairdos import KINDS, Hairdo, hairdo_in, named_color
from storyreel.worlds.sprites_hats import HOODS, LYING, LYING_ASIDE, OPEN, head_moved, headgear_in

LENGTH, LONGER = 9, 15  # rows that are in the middle of a tail
TIES = {"red": rgb("143a3c 2c7c7a"), "": rgb("4a0a10 a82430")}  # by the color of hair, dark and light
PLAIT = ("142241", "134431", ".1331.")  # of a braid, over and over


@dataclass(frozen=True)
class Tail:
    """Rows of shades, 1 (dark) to 4 (light), t and T those of a tie: its first, those in its middle, over and over, and
    its last.

    top, left: of its first pixel beside a head that is not moved. before: the row from which on it is behind arms and
    all else. paired: there is one at the other side, too.
    """

    top: int
    left: int
    first: str
    middle: str = ""
    last: str = ""
    before: int = SIDE
    paired: bool = False

    def rows(self, length: int) -> list[str]:
        """All of them, of one width; length: how many are in the middle."""
        first, middle, last = (text.split() for text in (self.first, self.middle, self.last))
        rows = [*first, *(middle[i % len(middle)] for i in range(length if middle else 0)), *last]
        return [row.ljust(max(map(len, rows)), ".") for row in rows]


BRAIDED = " ".join(PLAIT)
PIGTAIL = """
    ....11...
    ..1133tt.
    .134432TT
    .1344321T
    1344321..
"""
BUNCH = "1344321.. .134321.. .134321.. ..13321.. ..1321... ...11...."
BRAID_END = ".tTTt. .1331. .1321. ..11.."
TAILS = {
    ("ponytail", "right"): Tail(20, 14, """
        .....111....
        ...113341tt.
        ..13344431TT
        .134443331TT
        .134433321Tt
        134443321.t.
    """, "13443321", """
        .1344321 .1344321 .1344321 ..134321 ..134321 ..13321. ...1321. ...131.. ...11...
    """, before=37),
    ("ponytail", "up"): Tail(21, 27, """
        ...1111...
        ..1tTTt1..
        ..1tTTt1..
        .11333311.
        .13344331.
        .13444331.
    """, ".13444321.", """
        ..134321.. ..134321.. ..134321.. ..134321.. ..13321... ...1321... ...131.... ....1.....
    """),
    ("ponytail", "down"): Tail(25, 41, """
        ..11...
        11331..
        134431.
        1244431
        1344431
        1344431
        .124431
        .124431
        .13441.
        .13431.
        .1331..
        .131...
        .11....
    """, before=0),
    ("braid", "right"): Tail(22, 17, """
        ...111tt
        ..1333TT
        .13443Tt
        .134431t
    """, "142241.. 134431.. .1331...", ".tTTt... .tTTt... .1331... .1321... ..11....", before=37),
    ("braid", "up"): Tail(25, 28, """
        ..2..2..
        .223322.
        .234432.
        .242242.
        .234432.
        ..2332..
        .142241.
        .134431.
        ..1331..
    """, ".142241. .134431. ..1331..", "..tTTt.. ..tTTt.. ..1331.. ..1321.. ...11..."),
    ("braid", "down"): Tail(31, 37, "..1111 .13331 134431", BRAIDED, BRAID_END),
    ("pigtails", "down"): Tail(22, 14, PIGTAIL, "1344321..", BUNCH, paired=True),
    ("pigtails", "up"): Tail(22, 14, PIGTAIL, "1344321..", BUNCH, paired=True),
    ("pigtails", "right"): Tail(24, 18, PIGTAIL, "1344321..", BUNCH, before=44),
    ("braids", "down"): Tail(28, 19, ".1111. 133331 134431", BRAIDED, BRAID_END, paired=True),
    ("braids", "up"): Tail(28, 21, ".1111. 133331 134431", BRAIDED, BRAID_END, paired=True),
    ("braids", "right"): Tail(25, 22, ".1111. 133331 134431", BRAIDED, BRAID_END),
    ("bun", "right"): Tail(11, 16, """
        ...1111...
        .11334311.
        .13344431.
        1334444331
        1334443321
        1334433321
        .133333211
        .113322tt.
        ...111Tt..
    """),
    ("bun", "up"): Tail(11, 27, """
        ...1111...
        .11344311.
        .13444431.
        1334444331
        1334444321
        1333443321
        .133333321
        .113322211
        ..tTTTTt..
        ...tttt...
    """),
    ("bun", "down"): Tail(9, 27, """
        ...1111...
        .11344311.
        .13444431.
        1334444331
        1334444321
        1133333211
    """),
}  # fmt: skip


def with_tails(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the hairdo that the prompt says, or
    the attributes; not under a hood or a closed helmet."""
    hairdo, hat = hairdo_in(prompt), headgear_in(prompt)[0]
    if not hairdo.kind:
        hairdo = hairdo._replace(kind=KINDS.get(attributes.get("hair_style", ""), ""))
    orc = attributes.get("body") in MONSTERS and bool(hairdo_in(prompt).kind)  # who is said to have some
    hairless = attributes.get("body") in HAIRLESS and not orc
    hidden = attributes.get("head") in COVERED or hairless or hat in HOODS
    if not hairdo.kind or hidden or hat.endswith(" head") or (hairdo.kind == "bun" and hat and hat not in OPEN):
        return frames
    out, side = frames.copy(), side_of(attributes)
    action, color = attributes.get("action", "walk"), attributes.get("hair_color", "")
    seen = [*figures(out, attributes)]
    upright = np.stack([view for view, drawing, _ in seen if action != "hurt" or drawing == 0] or [seen[0][0]])
    if orc and attributes.get("hair_style", "bald") == "bald":
        ramp = rgb({**RAMPS, **OWN}[named_color(prompt)])
    else:
        lower = head_moved(attributes, 0)[0] if orc else 0
        ramp = DYED.get(color) or colors_of(np.roll(upright, -lower, axis=1), attributes, side)
    tie = TIES.get(color, TIES[""])
    ground = ground_of(frames)
    for view, drawing, _ in seen:
        if action == "hurt" and drawing >= LYING:  # upside down, seen from behind
            aside = LYING_ASIDE.get(attributes.get("sex", ""), 0)
            _put(view[::-1], tail_of(hairdo, "up"), hairdo, (-15, aside), 0.0, (*ramp, *tie), ground)
        else:
            place = head_moved(attributes, drawing)
            _put(view, tail_of(hairdo, side), hairdo, place, sway_at(action, drawing), (*ramp, *tie), ground)
    return out


def tail_of(hairdo: Hairdo, side: str) -> Tail:
    """What is drawn of a hairdo from this side."""
    braids = {"ponytail": "braid", "pigtails": "braids"} if hairdo.braided else {}
    return TAILS[braids.get(hairdo.kind, hairdo.kind), side]


def _put(
    frame: np.ndarray,
    tail: Tail,
    hairdo: Hairdo,
    moved: tuple[int, int],
    sway: float,
    colors: tuple[RGB, ...],
    ground: np.ndarray,
) -> None:
    """Draw it into a frame, uint8 (64, 64, 3 or 4), moved by (down, right). colors: four of hair, two of its tie."""
    rows = tail.rows(LONGER if hairdo.long else LENGTH)
    for i, row in enumerate(rows):
        y = tail.top + moved[0] + i
        swung = round(1.4 * sway * (i / len(rows)) ** 1.5) if tail.middle else 0
        for mirrored in (False, True)[: 1 + tail.paired]:
            for j, letter in enumerate(row):
                first = tail.left + j
                x = (SIDE - 1 - first if mirrored else first) + moved[1] + swung
                if letter == "." or not (0 <= y < SIDE and 0 <= x < SIDE):
                    continue
                if y >= tail.before + moved[0] and not is_ground(frame[y, x], ground):
                    continue
                frame[y, x, :3] = colors["1234tT".index(letter)]
                frame[y, x, 3:] = 255
