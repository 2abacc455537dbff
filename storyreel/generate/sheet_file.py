"""Writes the sheet of a character: the picture, its atlas, the licence of what it was learnt from, and an icon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from storyreel import clip_metadata, timing
from storyreel.atlas import Grid, Sheet, Tag
from storyreel.clip import Clip
from storyreel.generate.character import Animation, DrawnCharacter
from storyreel.generate.licence_file import check_licence, licence_path, write_licence
from storyreel.generate.weapons import with_weapon
from storyreel.generate.whole_blades import with_whole_blades
from storyreel.options.sheet import SheetOptions
from storyreel.own_clips import check_place
from storyreel.ownership import check_file
from storyreel.storage import replacing
from storyreel.video_io import read_meta
from storyreel.worlds import World

ICON_SIDES = (16, 24, 32, 48, 64, 128, 256)
FRONT = ("down", "right", "left", "up")  # which facing an icon shows, where there are several

OVERSIZE = 128  # pixels of a cell for a weapon that goes beyond a frame, as the oversize sheets of LPC have


def write_character(character: DrawnCharacter, path: Path) -> list[Path]:
    """NAME.png and NAME.json for each scale, NAME.LICENSE.txt where the world has a licence, NAME.ico if asked for.

    Returns them. ValueError: a file of somebody else's is in the way, or a side would be above 32,767 pixels.
    """
    options = character.options
    scales, licence, icon = files_of(path, options, character.world)
    check_places(path, options, character.world)
    laid = laid_out(character)
    wider = laid.frames.shape[2] > laid.frames.shape[1]
    grid = Grid(options.columns, options.padding, options.pot, options.cell or (OVERSIZE if wider else None))
    beside = [file.name for file in (licence, icon) if file is not None]
    clip = Clip(laid.frames, caption=options.prompt, meta=_meta(character))
    written: list[Path] = []
    for factor, file in scales.items():
        doc = clip_metadata.document(clip, factor) | {"beside": beside}
        laid.save(file, factor, grid, doc)
        written += [file, file.with_suffix(".json")]
    if licence is not None:
        written.append(write_licence(character.world, licence, [file.name for file in written]))
    if icon is not None:
        with replacing(icon) as (made,):
            write_icon(_portrait(character), made)
        written.append(icon)
    return written


def files_of(
    path: Path, options: SheetOptions, world: World | None
) -> tuple[dict[int, Path], Path | None, Path | None]:
    """(scale -> its sheet, the licence, the icon) that go with a sheet at `path`; the first scale has its name."""
    first, *more = options.scale
    scales = {first: path, **{n: path.with_name(f"{path.stem}@{n}x{path.suffix}") for n in more}}
    return scales, licence_path(world, path), path.with_suffix(".ico") if options.icon else None


def check_places(path: Path, options: SheetOptions, world: World | None) -> None:
    """ValueError where a file in the way was not written here."""
    scales, licence, icon = files_of(path, options, world)
    for file in scales.values():
        check_place(file)
    if licence is not None:
        check_licence(world, licence)
    if icon is not None:
        check_file(icon, icon.name in _beside(path) or not (icon.exists() or icon.is_symlink()))


def _beside(path: Path) -> list[str]:
    """Names of the files that the sheet at `path` says were written beside it."""
    try:
        meta = read_meta(path) if path.is_file() and not path.is_symlink() else None
    except (ValueError, OSError):
        return []
    found = (meta or {}).get("beside")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def laid_out(character: DrawnCharacter) -> Sheet:
    """The frames of all animations, a row for each, or `columns` in a row.

    An animation has as many frames as its world draws. One that goes with a standing frame has it before its first. A
    facing that the world draws no frames for, as of a fall, has the animation of the facing that it does. Where the
    cells have room for it, weapons that the edge of a frame cuts are drawn to their ends.
    """
    frames: list[np.ndarray] = []
    places: list[tuple[int, int]] = []
    shown: list[int] = []
    tags: list[Tag] = []
    row = 0
    for (action, facing), clip in _with_weapons(character).items():
        more, lead, times = _drawn(character, (action, facing), clip)
        columns, first = character.options.columns or len(more), len(frames)
        places += [(i % columns, row + i // columns) for i in range(len(more))]
        row += -(-len(more) // columns)
        frames += more
        shown += times
        tags += _tags(character, action, facing, first, lead, len(more))
    tags.sort(key=lambda tag: tag.name.startswith("idle-"))
    return Sheet(np.stack(frames), places, shown, tags, character.options.named)


def _with_weapons(character: DrawnCharacter) -> Mapping[Animation, Clip]:
    """The clips with the weapon that is said, all of one size; wider where it goes on beyond their edge and a cell has
    room for it."""
    wider = {row: _with_weapon(character, row) for row in character.clips}
    width = max(clip.frames.shape[2] for clip in wider.values())
    own = next(iter(character.clips.values())).frames.shape[2]
    chosen = width if (character.options.cell or OVERSIZE) >= width else own
    return {row: clip.replace(frames=_about_middle(clip.frames, chosen)) for row, clip in wider.items()}


def _with_weapon(character: DrawnCharacter, row: Animation) -> Clip:
    clip, restated, world = character.clips[row], character.captions[row], character.world
    armed = with_weapon(clip, world, character.options.prompt, restated)
    if "armed" in armed.meta or (character.options.cell or 0) <= clip.frames.shape[2]:
        return armed
    return with_whole_blades(clip, world, restated)


def _about_middle(frames: np.ndarray, width: int) -> np.ndarray:
    """(f, h, w, c) -> (f, h, width, c): cut, or with nothing beside it."""
    beside = (width - frames.shape[2]) // 2
    if beside < 0:
        return frames[:, :, -beside : -beside + width]
    return np.pad(frames, ((0, 0), (0, 0), (beside, beside), (0, 0)))


def _drawn(character: DrawnCharacter, row: Animation, clip: Clip) -> tuple[list[np.ndarray], int, list[int]]:
    """(frames, how many of them stand still, milliseconds of each) of an animation."""
    layout = character.world.sheet
    assert layout is not None
    cycle = layout.actions[row[0]]
    still = [clip.frames[min(cycle.still[row[1]], len(clip) - 1)]] if cycle.still else []
    steps = cycle.frames_of(len(clip))
    times = timing.ticks(len(steps), clip.fps * len(steps) / len(clip), 1000)
    return [*still, *(clip.frames[i] for i in steps)], len(still), [*times[: len(still)], *times]


def _tags(character: DrawnCharacter, action: str, facing: str, first: int, lead: int, count: int) -> Iterator[Tag]:
    layout = character.world.sheet
    assert layout is not None
    cycle = layout.actions[action]
    same, loop = layout.facings if len(cycle.facings) == 1 else (facing,), character.options.loop
    for each in (facing, *(other for other in same if other != facing)):
        once, back = not (cycle.repeats or loop), loop and not cycle.repeats
        yield Tag(f"{action}-{each}", first + lead, first + count - 1, once, back)
    if lead:
        yield Tag(f"idle-{facing}", first, first + lead - 1)


def _meta(character: DrawnCharacter) -> dict[str, Any]:
    named = {f"{action}-{facing}": text for (action, facing), text in character.captions.items()}
    scores = {f"{a}-{f}": [round(score, 4) for score in found] for (a, f), found in character.scores.items()}
    about = {"attributes": dict(character.attributes), "drawn": dict(character.made), "captions": named}
    options = {name: list(value) if isinstance(value, tuple) else value
               for name, value in character.options.as_json().items()}  # fmt: skip
    prompt, seed = character.options.prompt, character.options.seed
    return {"prompt": prompt, "seed": seed, **character.facts, "sheet": {**about, "options": options, "scores": scores}}


def _portrait(character: DrawnCharacter) -> np.ndarray:
    """uint8 (h, w, 4): the character as it stands, towards the viewer where it does so in some animation."""
    layout = character.world.sheet
    assert layout is not None
    rows = sorted(character.clips, key=lambda row: (FRONT.index(row[1]), not layout.actions[row[0]].still))
    frames, *_ = _drawn(character, rows[0], character.clips[rows[0]])
    return frames[0]


def write_icon(frame: np.ndarray, path: Path) -> None:
    """An .ico of a figure (h, w, 4): the smallest square around it, 16 to 256 pixels a side.

    It is enlarged by whole factors without blur, and shrunk by averaging.
    """
    solid = frame[..., 3] > 0
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    box = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else frame
    height, width = box.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = box
    pictures = [_at_side(square, each) for each in ICON_SIDES]
    pictures[-1].save(path, format="ICO", sizes=[(n, n) for n in ICON_SIDES], append_images=pictures[:-1])


def _at_side(square: np.ndarray, side: int) -> Image.Image:
    factor = side // len(square)
    if factor < 1:
        return Image.fromarray(square).resize((side, side), Image.Resampling.BOX)
    picture = Image.fromarray(square.repeat(factor, 0).repeat(factor, 1))
    whole = Image.new("RGBA", (side, side))
    whole.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return whole
