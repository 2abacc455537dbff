"""What a person may ask of a sheet of one character."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from storyreel.field_ranges import Range
from storyreel.names import expanded
from storyreel.numbers import shown
from storyreel.options.declare import Options, Setting, names

LAYOUT, RUNNING = "How a sheet is laid out", "How it is made"
MAX_COLUMNS, MAX_PADDING, MAX_SCALE, MAX_CELL = 1_024, 1_024, 64, 4_096


def _prompt(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: it is empty; expected a sentence")
    return " ".join(value.split())


def _scales(value: Any, name: str) -> tuple[int, ...]:
    """4, "4" or "1,2,4"."""
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    texts = [str(part).strip() for part in parts]
    found = tuple(dict.fromkeys(int(text) for text in texts if text.isdecimal() and text.isascii()))
    if len(found) != len(texts) or not found or not all(1 <= each <= MAX_SCALE for each in found):
        raise ValueError(f"{name}: expected whole numbers from 1 to {MAX_SCALE} such as 1,2,4, got {shown(value)}")
    return found


def _file(value: Any, name: str) -> Path:
    path = expanded(value)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{name}: expected a .png, got {shown(str(value))}")
    return path


@dataclass(frozen=True, kw_only=True)
class GridOptions(Options):
    """How the frames of a sprite sheet lie."""

    columns: Annotated[
        int | None,
        Range(1, MAX_COLUMNS),
        Setting("Frames a row; an animation that is longer goes on in the next row.", panel=LAYOUT),
    ] = None
    padding: Annotated[
        int, Range(0, MAX_PADDING), Setting("Transparent pixels between the frames and around them.", panel=LAYOUT)
    ] = 0
    pot: Annotated[bool, Setting("Sides that are powers of two.", panel=LAYOUT)] = False
    cell: Annotated[
        int | None,
        Range(1, MAX_CELL),
        Setting(
            "Pixels of a cell, such as 128 or 192 beside oversize sheets of LPC; frames lie in the middle. "
            "128 by default where a weapon goes beyond a frame.",
            panel=LAYOUT,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SheetOptions(GridOptions):
    """Who is drawn, in which animations, and how the sheet is laid out."""

    prompt: Annotated[str, Setting("Who the character is.", argument=True, read=_prompt)]
    actions: Annotated[
        tuple[str, ...],
        Setting(
            "Such as walk,slash: a row for each facing, in this order.  [default: all that the model's world has]",
            read=names,
            text=str,
            panel=LAYOUT,
        ),
    ] = ()
    loop: Annotated[
        bool, Setting("Animations that play once, such as a slash, go there and back, so that all of them loop.")
    ] = False
    scale: Annotated[
        tuple[int, ...],
        Setting(
            "Enlarge by a whole factor; several, such as 1,2,4, write a sheet each, NAME@4x.png.",
            read=_scales,
            text=str,
            panel=LAYOUT,
        ),
    ] = (1,)
    named: Annotated[
        bool,
        Setting("Frames called walk-down-0 in the atlas, for PixiJS; Phaser's createFromAseprite needs numbers.",
                panel=LAYOUT),
    ] = False  # fmt: skip
    icon: Annotated[bool, Setting("An .ico of the character beside it, 16 to 256 pixels.", panel=LAYOUT)] = False
    seed: Annotated[
        int, Range(0, 2**63 - 1), Setting("Another seed, another character of the same words.", panel=RUNNING)
    ] = 0
    candidates: Annotated[
        int, Range(1, 64), Setting("Make so many of each animation, and keep the one that fits best.", panel=RUNNING)
    ] = 4
    steps: Annotated[int | None, Range(1, 10_000), Setting("Sampling steps.", panel=RUNNING)] = None


@dataclass(frozen=True, kw_only=True)
class SheetFileOptions(Options):
    """Which model draws it, and where it goes."""

    out: Annotated[
        Path | None,
        Setting(
            "The .png; an atlas (.json) and the licence (.LICENSE.txt) are written beside it.",
            flags=("--out", "-o"),
            read=_file,
            text=str,
        ),
    ] = None
    model: Annotated[
        str | None, Setting("Name or folder; see storyreel models.", flags=("--model", "-m"), panel=RUNNING)
    ] = None
