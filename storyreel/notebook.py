"""What a notebook shows: clips that play, alone or in a grid, bars of what is being done, and pages of reports."""

from __future__ import annotations

import base64
import html
import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which shows HTML."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Bar:
    """A progress bar in the output of a notebook's cell; it is drawn at most ten times a second."""

    def __init__(self, title: str, total: int | None) -> None:
        self.title, self.total, self._drawn = title, total, 0.0
        self._output: Any = None
        self.show(0)

    def show(self, done: int, text: str = "") -> None:
        now = time.monotonic()
        if self._output is not None and now - self._drawn < 0.1 and done != self.total:
            return
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        self._drawn = now
        size = "" if self.total is None else f' value="{done}" max="{self.total}"'
        count = f"{done:,}" if self.total is None else f"{done:,} of {self.total:,}"
        page = HTML(f"<div>{html.escape(self.title)} <progress{size}></progress> {count} {html.escape(text)}</div>")
        if self._output is None:
            self._output = display(page, display_id=True)
        else:
            self._output.update(page)

    def steps_of(self, number: int) -> Callable[[Any], None]:
        """An `on_progress` for the video of this number, from 0, of a bar of videos."""
        return lambda step: self.show(number, f"{step.what} {step.done} of {step.total}")


def shown_page(file: Path, height: int = 640) -> str:
    """HTML that shows a page, such as a report's, which has all that it needs inside."""
    text = html.escape(file.read_text(encoding="utf-8", errors="replace"))
    return f'<iframe style="width: 100%; height: {height}px; border: 0" srcdoc="{text}"></iframe>'
