"""Sprite sheets: one PNG with every frame, and a JSON atlas in the "hash" form of TexturePacker and Aseprite.

Frames are named by their numbers, animations stand in `meta.frameTags` (Aseprite, Phaser), in `animations`
(TexturePacker, PixiJS) and, the same, in `meta.animations`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from storyreel import clip_metadata, timing
from storyreel.animation import LONGEST, MAX_FRAMES, check_size, gathered, open_image, png_text
from storyreel.clip import Clip
from storyreel.json_file import read_json
from storyreel.names import bare
from storyreel.numbers import rational, whole
from storyreel.storage import replacing

_ATLAS_LIMIT = 32 << 20  # bytes
_SHOWN = 100  # milliseconds for a frame whose duration the atlas does not say, as Aseprite does
_LARGEST = 32_767
_FARTHEST = 1 << 20  # pixels that a place or a side in an atlas may be


@dataclass(frozen=True)
class Tag:
    """An animation of a sheet: its frames from `first` to `last`. once: it does not go round. back: there and back."""

    name: str
    first: int
    last: int
    once: bool = False
    back: bool = False

    @property
    def order(self) -> list[int]:
        """The frames as they are shown, until they begin again."""
        there = list(range(self.first, self.last + 1))
        return there + there[-2:0:-1] if self.back else there


@dataclass(frozen=True)
class Grid:
    """How frames are laid out. columns: frames a row; None for a sheet that is nearly square.

    padding: transparent pixels between the frames and around them, of the enlarged sheet. pot: both sides grow to
    powers of two. cell: pixels of a square cell in whose middle a frame lies, before it is enlarged; None for its size.
    """

    columns: int | None = None
    padding: int = 0
    pot: bool = False
    cell: int | None = None

    def celled(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (n, h, w, c) -> (n, cell, cell, 4), or the same frames. ValueError: they are larger than a cell."""
        if self.cell is None or frames.shape[1:3] == (self.cell, self.cell):
            return frames
        count, height, width, channels = frames.shape
        if max(height, width) > self.cell:
            raise ValueError(f"cell: the frames are {width}x{height}; expected at least {max(height, width)}")
        top, left = (self.cell - height) // 2, (self.cell - width) // 2
        cells = np.zeros((count, self.cell, self.cell, 4), np.uint8)
        middle = cells[:, top : top + height, left : left + width]
        middle[..., 3] = 255
        middle[..., :channels] = frames
        return cells


@dataclass(frozen=True, eq=False)
class Sheet:
    """Frames in a grid. frames: uint8 (n, h, w, c); places: (column, row) of each; shown: milliseconds of each.

    named: whether the atlas calls frames by their animation, "walk-down-0", in place of numbers. Phaser's
    `createFromAseprite` needs numbers, and every reader takes them.
    """

    frames: np.ndarray
    places: Sequence[tuple[int, int]]
    shown: Sequence[int]
    tags: Sequence[Tag]
    named: bool = False

    def save(self, path: Path, factor: int = 1, grid: Grid = Grid(), doc: dict[str, Any] | None = None) -> Path:
        """The sheet at `path` and its atlas beside it with suffix .json; both appear or none. Returns `path`.

        factor: each pixel becomes factor x factor. grid: its padding, its powers of two and its cells; the places are
        those of this sheet. ValueError: a side above 32,767 pixels, or a cell that is too small.
        """
        return replace(self, frames=grid.celled(self.frames))._save(path, factor, grid, doc)

    def _save(self, path: Path, factor: int, grid: Grid, doc: dict[str, Any] | None) -> Path:
        at, (width, height) = self._spread(factor, grid)
        if max(width, height) > _LARGEST:
            h, w = (side * factor for side in self.frames.shape[1:3])
            raise ValueError(
                f"{path}: {len(self.frames)} frames of {w}x{h} make a sheet above {_LARGEST} pixels a side"
            )
        channels = 4 if grid.padding or grid.pot else self.frames.shape[-1]
        sheet = np.zeros((height, width, channels), np.uint8)
        for (x, y), frame in zip(at, self.frames, strict=True):
            pixels = frame.repeat(factor, axis=0).repeat(factor, axis=1)
            if channels > pixels.shape[-1]:
                pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)
            sheet[y : y + len(pixels), x : x + pixels.shape[1]] = pixels
        text = None if doc is None else clip_metadata.dump(doc)
        atlas = self._atlas(path, factor, at, sheet, doc)
        with replacing(path, path.with_suffix(".json")) as (made, made_atlas):
            Image.fromarray(sheet).save(made, format="PNG", pnginfo=png_text(text))
            made_atlas.write_text(json.dumps(atlas, indent=1, ensure_ascii=True), encoding="utf-8")
        return path

    def _spread(self, factor: int, grid: Grid) -> tuple[list[tuple[int, int]], tuple[int, int]]:
        """(x, y) of each frame in the sheet, and the width and height of the sheet, pixels."""
        padding = grid.padding
        height, width = (side * factor for side in self.frames.shape[1:3])
        at = [(padding + x * (width + padding), padding + y * (height + padding)) for x, y in self.places]
        sides = max(x for x, _ in at) + width + padding, max(y for _, y in at) + height + padding
        return at, tuple(1 << (side - 1).bit_length() for side in sides) if grid.pot else sides  # pyright: ignore

    def names(self) -> list[str]:
        """What the atlas calls each frame."""
        if not self.named:
            return [str(index) for index in range(len(self.frames))]
        of = {}
        for tag in reversed(self.tags):  # the first animation of a frame names it
            of |= {index: f"{tag.name}-{index - tag.first}" for index in range(tag.first, tag.last + 1)}
        return [of.get(index, str(index)) for index in range(len(self.frames))]

    def _atlas(
        self, path: Path, factor: int, at: Sequence[tuple[int, int]], sheet: np.ndarray, doc: dict[str, Any] | None
    ) -> dict[str, Any]:
        size = {"w": self.frames.shape[2] * factor, "h": self.frames.shape[1] * factor}
        names = self.names()
        frames = {
            name: {
                "frame": {"x": x, "y": y, **size},
                "rotated": False,
                "trimmed": False,
                "spriteSourceSize": {"x": 0, "y": 0, **size},
                "sourceSize": size,
                "duration": shown,
            }
            for name, (x, y), shown in zip(names, at, self.shown, strict=True)
        }
        meta: dict[str, Any] = {
            "app": "storyreel",
            "version": clip_metadata.made_by().partition(" ")[2],
            "image": path.name,
        }
        meta["format"] = "RGBA8888" if sheet.shape[-1] == 4 else "RGB888"
        meta |= {"size": {"w": sheet.shape[1], "h": sheet.shape[0]}, "scale": factor}
        meta["frameTags"] = [
            {"name": tag.name, "from": tag.first, "to": tag.last, "direction": "pingpong" if tag.back else "forward"}
            | ({"repeat": "1"} if tag.once else {})
            for tag in self.tags
        ]
        meta["animations"] = animations = {tag.name: [names[i] for i in tag.order] for tag in self.tags}
        meta |= {} if doc is None else {"storyreel": doc}
        return {"frames": frames, "animations": animations, "meta": meta}


def write(clip: Clip, path: Path, factor: int, doc: dict[str, Any] | None, grid: Grid = Grid()) -> Path:
    """The sheet of a clip and its atlas. Returns `path`. Frames lie row by row, none rotated or trimmed."""
    count, (height, width) = len(clip), clip.size
    columns = min(count, grid.columns or max(1, math.ceil(math.sqrt(count * height / width))))
    places = [(index % columns, index // columns) for index in range(count)]
    shown = timing.ticks(count, clip.fps, 1000)
    return Sheet(clip.frames, places, shown, [Tag(path.stem, 0, count - 1)]).save(path, factor, grid, doc)


def atlas_of(path: Path) -> Path | None:
    """The atlas beside a PNG, when there is one that names it; None for a plain picture."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        atlas = _load(beside)
    except (ValueError, OSError):
        return None
    return beside if os.path.basename(str(atlas["meta"].get("image"))) == path.name else None


def is_own(path: Path) -> bool:
    """Whether the atlas beside a PNG says that it was written here, for a picture of that name. A link never is."""
    beside = atlas_of(path)
    return beside is not None and not beside.is_symlink() and _document(_load(beside)) is not None


def _load(path: Path) -> dict[str, Any]:
    atlas = read_json(path, max_bytes=_ATLAS_LIMIT)
    if not isinstance(atlas, dict) or not isinstance(atlas.get("meta"), dict) or not atlas.get("frames"):
        raise ValueError(f"{path}: is not an atlas, expected JSON with 'frames' and 'meta'")
    if isinstance(atlas["frames"], dict):
        atlas["frames"] = list(atlas["frames"].values())
    if not isinstance(atlas["frames"], list):
        raise ValueError(f"{path}: is not an atlas, expected an object or a list of 'frames'")
    return atlas


def read(path: Path, max_pixels: int, max_frames: int) -> Clip:
    """The clip of an atlas, ours or another program's: hash or array form, rotated and trimmed frames too."""
    atlas = _load(path)
    image = path.with_name(bare(os.path.basename(str(atlas["meta"].get("image"))), f"{path}: meta.image"))
    sheet = open_image(image, max(max_pixels, 40_000_000)).frames[0]
    entries = atlas["frames"]
    try:
        cuts = [_cut(entry) for entry in entries]
        lasts = [rational(entry.get("duration") or _SHOWN, "duration", 0, LONGEST) for entry in entries]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: has a frame without a proper {error}") from error
    shown = [each.limit_denominator(1000) / 1000 for each in lasts]
    height, width = max(cut["h"] for cut in cuts), max(cut["w"] for cut in cuts)
    check_size(path, height, width, len(cuts), max_pixels, max_frames)
    channels = 4 if any(cut["box"][2:] != (cut["w"], cut["h"]) for cut in cuts) else sheet.shape[-1]
    pictures = np.zeros((len(cuts), height, width, channels), np.uint8)
    for picture, cut in zip(pictures, cuts, strict=True):
        _paste(picture, sheet, cut, path)
    doc = _document(atlas)
    starts, end, tick = timing.starts_of(shown)
    count, fps = timing.steady_rate(starts, end, tick, clip_metadata.file_facts(doc))
    check_size(path, height, width, count, max_pixels, max_frames)
    return Clip(
        gathered(list(pictures), timing.on_screen(starts, tick, fps, count)), fps, **clip_metadata.clip_fields(doc)
    )


def _cut(entry: dict[str, Any]) -> dict[str, Any]:
    """Where a frame lies: `box` (x, y, w, h) on its own canvas, `at` (x, y) in the sheet, `w`, `h` of the canvas."""
    frame = {key: whole(entry["frame"][key], key, 0, _FARTHEST) for key in "xywh"}
    source = entry.get("spriteSourceSize") or {"x": 0, "y": 0}
    canvas = entry.get("sourceSize") or frame
    left, top = (whole(source[key], key, 0, _FARTHEST) for key in "xy")
    cut = {"box": (left, top, frame["w"], frame["h"]), "at": (frame["x"], frame["y"])}
    cut |= {key: whole(canvas[key], key, 1, _FARTHEST) for key in "wh"}
    return cut | {"rotated": bool(entry.get("rotated"))}


def _paste(picture: np.ndarray, sheet: np.ndarray, cut: dict[str, Any], path: Path) -> None:
    """A rotated frame stands in the sheet turned by 90 degrees clockwise, its w and h are those before turning."""
    left, top, width, height = cut["box"]
    x, y = cut["at"]
    across, down = (height, width) if cut["rotated"] else (width, height)
    pixels = sheet[y : y + down, x : x + across]
    pixels = np.rot90(pixels) if cut["rotated"] else pixels
    if pixels.shape[:2] != (height, width) or top + height > len(picture) or left + width > picture.shape[1]:
        raise ValueError(f"{path}: a frame of {width}x{height} at {x},{y} does not lie inside its sheet or canvas")
    picture[top : top + height, left : left + width, : pixels.shape[-1]] = pixels
    if pixels.shape[-1] < picture.shape[-1]:
        picture[top : top + height, left : left + width, 3] = 255


def _document(atlas: dict[str, Any]) -> dict[str, Any] | None:
    """The document inside the atlas, through the same checks as a comment."""
    try:
        return clip_metadata.parse(json.dumps(atlas["meta"].get("storyreel")))
    except ValueError:
        return None


def probe(path: Path) -> dict[str, Any]:
    """As `video_io.probe`."""
    clip = read(path, 40_000_000, MAX_FRAMES)
    height, width = clip.size
    facts: dict[str, Any] = {"format": "sprite sheet", "width": width, "height": height, "frames": len(clip)}
    facts |= {"fps": clip.fps, "seconds": clip.seconds, "alpha": clip.has_alpha}
    return {**facts, "made": _document(_load(path))}
