"""A picture of a dataset: film strips with their captions."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from storyreel.animation import opened
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder
from storyreel.storage import replacing

FRAMES = 8  # a strip
FRAME = 128  # pixels that a frame is shown at, about
GAP, LINE = 6, 16
SOFTWARE, WRITER = 0x0131, "storyreel data preview"  # the field of EXIF that names a program


def contact_sheet(folder: DatasetFolder, clips: int = 12, split: str | None = None) -> Image.Image:
    """`clips` strips evenly spread over the rows (of one split); a clip that cannot be read says so in its place."""
    rows = [row for row, name in enumerate(folder.splits) if split in (None, name)]
    if not rows:
        raise ValueError(f"{folder.path}: no clips to show" + (f" in split {split!r}" if split else ""))
    count = min(clips, len(rows))
    strips = []
    for row in [rows[i * len(rows) // count] for i in range(count)]:
        title = f"{row}  {' | '.join(folder.captions(row)) or '(no caption)'}"
        try:
            strips.append(_strip(folder.clip(row), title))
        except (ValueError, OSError) as error:
            strips.append(_strip(Clip(np.full((1, FRAME, FRAME, 3), 60, np.uint8)), f"{row}  refused: {error}"))
    width = max(strip.width for strip in strips) + 2 * GAP
    sheet = Image.new("RGB", (width, sum(s.height + GAP for s in strips) + GAP), (24, 24, 27))
    top = GAP
    for strip in strips:
        sheet.paste(strip, (GAP, top))
        top += strip.height + GAP
    return sheet


def write_preview(sheet: Image.Image, path: Path) -> None:
    """Write the picture whole or not at all; it says that it was written here."""
    exif = Image.Exif()
    exif[SOFTWARE] = WRITER
    with replacing(path) as (made,):
        sheet.save(made, exif=exif)


def is_preview(path: Path) -> bool:
    """Whether a picture was written by `write_preview`."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with opened(path) as picture:
            return picture.getexif().get(SOFTWARE) == WRITER
    except (OSError, ValueError):
        return False


def _strip(clip: Clip, title: str) -> Image.Image:
    height, width = clip.size
    shown = clip.over().resample(min(FRAMES, len(clip)))
    factor = FRAME // max(height, width)
    if factor >= 1:
        shown = shown.resize(height * factor, width * factor)
    else:
        shrink = FRAME / max(height, width)
        shown = shown.resize(max(1, round(height * shrink)), max(1, round(width * shrink)))
    height, width = shown.size
    full = FRAMES * (FRAME + 2)
    lines = textwrap.wrap(title, full // 7)[:3]
    strip = Image.new("RGB", (full, height + 4 + LINE * len(lines)), (24, 24, 27))
    for number, frame in enumerate(shown.frames):
        strip.paste(Image.fromarray(frame), (number * (width + 2), 0))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=13)
    for number, line in enumerate(lines):
        draw.text((0, height + 3 + number * LINE), line, fill=(228, 228, 231), font=font)
    return strip
