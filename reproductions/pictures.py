"""Pictures of what was made: clips with their words, and a minute on one page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from storyreel.clip import Clip
from storyreel.storage import replacing

PAPER, INK = (24, 24, 27), (228, 228, 231)
LINE, GAP = 15, 4


def write_sheet(path: Path, rows: Sequence[tuple[str, Clip]], *, frames: int = 8, side: int = 96) -> Path:
    """One row a clip: its title, and under it `frames` frames evenly chosen, about `side` pixels each."""
    strips = [_strip(title, clip, frames, side) for title, clip in rows]
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height + GAP for s in strips)), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + GAP
    with replacing(path) as (made,):
        sheet.save(made)
    return path


def cut(clip: Clip, first: int, last: int) -> Clip:
    """Frames `first` to `last` - 1."""
    return clip.replace(frames=clip.frames[first:last])


def _strip(title: str, clip: Clip, frames: int, side: int) -> Image.Image:
    shown = clip.over()
    index = np.unique(np.linspace(0, len(shown) - 1, frames).round().astype(int))
    factor = max(1, side // max(shown.size))
    big = shown.frames[index].repeat(factor, 1).repeat(factor, 2)
    height, width = big.shape[1:3]
    wide = max(frames * (width + 2), 320)
    lines = textwrap.wrap(title, wide // 7)[:3] or [""]
    strip = Image.new("RGB", (wide, height + 4 + LINE * len(lines)), PAPER)
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=12)
    for number, line in enumerate(lines):
        draw.text((2, number * LINE), line, fill=INK, font=font)
    for number, frame in enumerate(big):
        strip.paste(Image.fromarray(frame), (number * (width + 2), LINE * len(lines) + 2))
    return strip
