"""A picture or a clip that a generation starts from: opened, checked, and written into metadata."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.names import is_bare
from storyreel.numbers import MAX_FPS, rational, whole
from storyreel.read_errors import BROKEN

EMBEDDED = 32_000  # bytes of PNG up to which the pixels themselves go into a file's metadata

IMAGES = ("image", "image_end")
INPUTS = (*IMAGES, "extend", "variation")
"""The settings that are input clips."""


@dataclass(frozen=True, eq=False, repr=False)
class InputClip(Clip):
    """A clip (of one frame for an image) and the path that it came from, which goes into no file."""

    path: str | None = None

    @classmethod
    def read(cls, value: Any, name: str) -> InputClip:
        """From a clip or a file. ValueError for a file of another sort, OSError for one that cannot be read."""
        if isinstance(value, (str, Path)):
            from storyreel import video_io

            opened = video_io.open_image(value) if name in IMAGES else video_io.read(value)
            value = cls.of_clip(opened, str(Path(value).absolute()))
        elif not isinstance(value, Clip):
            raise ValueError(f"{name}: expected a Clip or the path of a file, got {type(value).__name__}")
        if name in IMAGES and len(value) != 1:
            raise ValueError(f"{name}: expected one frame, got a clip of {len(value)}; a clip goes to extend")
        return value if isinstance(value, cls) else cls.of_clip(value)

    @classmethod
    def of_clip(cls, clip: Clip, path: str | None = None) -> InputClip:
        return cls(clip.frames, clip.fps, clip.caption, clip.meta, path)

    @property
    def sha256(self) -> str:
        """Of the pixels and their shape."""
        frames = self.frames
        return hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()

    def note(self) -> dict[str, Any]:
        """What a file's metadata says of it: digest, the name of its file, and a small one's pixels themselves.

        No path: a folder's name says more of its owner than whoever passes a clip on means to tell.
        """
        from PIL import Image

        note: dict[str, Any] = {"sha256": self.sha256, "frames": len(self), "fps": str(self.fps)}
        if self.path:
            note["name"] = Path(self.path).name
        t, h, w, c = self.frames.shape
        if t * h <= 65_535 and t * h * w * c <= 64 * EMBEDDED:
            buffer = io.BytesIO()
            Image.fromarray(self.frames.reshape(t * h, w, c)).save(buffer, "PNG", optimize=True)
            if buffer.tell() <= EMBEDDED:
                note["png"] = base64.b64encode(buffer.getvalue()).decode()
        return note

    @classmethod
    def from_note(cls, note: Any, name: str) -> InputClip:
        """The same pixels again, from the note alone. ValueError when it does not hold them.

        A note names files at most, and none is opened: the file may come from a stranger, and what lies on this
        machine would end up in the clip.
        """
        flag = f"--{name.replace('_', '-')}"
        if not isinstance(note, dict) or not isinstance(note.get("sha256"), str):
            raise ValueError(f"{name}: the metadata does not say what it was; give it with {flag}")
        found = cls._embedded(note) if "png" in note else None
        if found is None or found.sha256 != note["sha256"]:
            file = note.get("name")
            called = f" ({file})" if is_bare(file) else ""
            raise ValueError(
                f"{name}: the pixels that the file was made from{called} are not in its metadata; give them with {flag}"
            )
        return found

    @classmethod
    def _embedded(cls, note: dict[str, Any]) -> InputClip | None:
        from PIL import Image

        try:
            with Image.open(io.BytesIO(base64.b64decode(note["png"], validate=True)), formats=["PNG"]) as picture:
                if picture.width * picture.height > 64 * EMBEDDED:
                    return None
                strip = np.asarray(picture)
            frames = strip.reshape(whole(note["frames"], "frames", 1, 65_535), -1, *strip.shape[1:])
            name = note.get("name")
            fps = rational(note["fps"], "fps", 0, MAX_FPS, above=True)
            return cls(frames, fps, path=name if is_bare(name) else None)
        except (ValueError, OSError, Image.DecompressionBombError, *BROKEN):
            return None
