"""ClipList as they play in a notebook: HTML with the animation inside, one clip or a grid of several."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storyreel.clip import Clip

MAX_SIDE = 256  # pixels of a clip as it is shown
MAX_FRAMES = 240  # of a clip that are shown; a notebook keeps them
MAX_CLIPS = 24  # of a grid


class ClipList(list["Clip"]):
    """A list of clips that a notebook shows as a grid."""

    def _repr_html_(self) -> str:
        return grid(self)


def figure(clip: Clip) -> str:
    """HTML of one playing clip with its caption, and no script; text is escaped.

    Small clips are enlarged by whole factors without blur, large ones shrunk. Frames after the 240th are left out.
    """
    height, width = clip.size
    factor = max(1, MAX_SIDE // max(height, width))
    shown = f"image-rendering: pixelated; width: {width * factor}px; max-width: 100%"
    caption = html.escape(clip.caption)
    more = f" ({MAX_FRAMES} of {len(clip)} frames)" if len(clip) > MAX_FRAMES else ""
    picture = f'<img alt="{caption}" style="{shown}" src="data:image/webp;base64,{_webp(clip)}">'
    words = f"<figcaption>{caption}{more}</figcaption>" if caption or more else ""
    return f'<figure style="display: inline-block; margin: 4px; max-width: {MAX_SIDE}px">{picture}{words}</figure>'


def grid(clips: Sequence[Clip]) -> str:
    """HTML of several playing clips side by side; of more than 24, how many are left out."""
    more = f"<p>{MAX_CLIPS} of {len(clips)} clips</p>" if len(clips) > MAX_CLIPS else ""
    return f"<div>{''.join(map(figure, clips[:MAX_CLIPS]))}{more}</div>"


def _webp(clip: Clip) -> str:
    """Base64 of a lossless animated WebP that plays without end."""
    from PIL import Image

    frames = clip.frames[:MAX_FRAMES]
    height, width = clip.size
    pictures = [Image.fromarray(frame) for frame in frames]
    if max(height, width) > MAX_SIDE:
        size = (max(1, width * MAX_SIDE // max(height, width)), max(1, height * MAX_SIDE // max(height, width)))
        pictures = [picture.resize(size, Image.Resampling.BOX) for picture in pictures]
    file = io.BytesIO()
    lasts = max(1, round(1000 / clip.fps))
    pictures[0].save(
        file, "WEBP", save_all=True, append_images=pictures[1:], duration=lasts, loop=0, lossless=True, method=0
    )
    return base64.b64encode(file.getvalue()).decode("ascii")
