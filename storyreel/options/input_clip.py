"""A picture or a clip that a generation starts from: opened, checked, and written into metadata."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.names import is_bare
from storyreel.numbers import MAX_FPS, rational, whole
from storyreel.read_errors import BROKEN

EMBEDDED = 32_000  # bytes of PNG up to which the pixels themselves go into a file's metadata

IMAGES = ("image", "image_end")
INPUTS = (*IMAGES, "extend", "variation", "interpolate")
"""The settings that are input clips."""


@dataclass(frozen=True, eq=False, repr=False)
class InputClip(Clip):
    """A clip (of one frame for an image) and the path that it came from, which goes into no file."""

    path: str | None = None
    still: bool = False  # the first frame of its file

    @classmethod
    def read(cls, value: Any, name: str) -> InputClip:
        """From a clip or a file. ValueError for a file of another sort, OSError for one that cannot be read."""
        if isinstance(value, (str, Path)):
            path, still = str(Path(value).absolute()), name in IMAGES
            value = cls.of_clip(_read(path, still, _written(path))[0], path, still)
        elif not isinstance(value, Clip):
            raise ValueError(f"{name}: expected a Clip or the path of a file, got {type(value).__name__}")
        if name in IMAGES and len(value) != 1:
            raise ValueError(f"{name}: expected one frame, got a clip of {len(value)}; a clip goes to extend")
        return value if isinstance(value, cls) else cls.of_clip(value)

    @classmethod
    def of_clip(cls, clip: Clip, path: str | None = None, still: bool = False) -> InputClip:
        return cls(clip.frames, clip.fps, clip.caption, clip.meta, path, still)

    def let_go(self) -> None:
        """Hold the digest of a file's pixels instead of them: whoever asks for `frames` later has the file read again.

        That raises ValueError or OSError where the file is gone or has changed.
        """
        if self.path is not None and "frames" in self.__dict__:
            object.__setattr__(self, "digest", self.sha256)
            object.__delattr__(self, "frames")

    def __getattr__(self, name: str) -> Any:
        if name != "frames" or "digest" not in self.__dict__:
            raise AttributeError(name)
        path = self.__dict__["path"]
        clip, digest = _read(path, self.still, _written(path))
        if digest != self.__dict__["digest"]:
            raise ValueError(f"{path}: has changed since it was first read")
        return clip.frames

    def __getstate__(self) -> dict[str, Any]:
        """With the pixels: another machine may not have the file."""
        return {**self.__dict__, "frames": self.frames}

    @property
    def sha256(self) -> str:
        """Of the pixels and their shape."""
        return self.__dict__.get("digest") or _digest(self)

    def note(self) -> dict[str, Any]:
        """What a file's metadata says of it: digest, the name of its file, and a small one's pixels themselves.

        No path: a folder's name says more of its owner than whoever passes a clip on means to tell.
        """
        from PIL import Image

        frames = self.frames
        note: dict[str, Any] = {"sha256": self.sha256, "frames": len(frames), "fps": str(self.fps)}
        if self.path:
            note["name"] = Path(self.path).name
        t, h, w, c = frames.shape
        if t * h <= 65_535 and t * h * w * c <= 64 * EMBEDDED:
            buffer = io.BytesIO()
            Image.fromarray(frames.reshape(t * h, w, c)).save(buffer, "PNG", optimize=True)
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


def _written(path: str) -> tuple[int, int] | None:
    """What tells whether a file has been written since."""
    try:
        stat = os.stat(path)
    except OSError:  # whoever reads it says so
        return None
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1)
def _read(path: str, still: bool, written: tuple[int, int] | None) -> tuple[Clip, str]:
    """The clip of a file, and its digest; the last one is held, as it is asked for several times in a row."""
    from storyreel import video_io

    clip = video_io.open_image(path) if still else video_io.read(path)
    return clip, _digest(clip)


def _digest(clip: Clip) -> str:
    return hashlib.sha256(repr(clip.frames.shape).encode() + clip.frames.tobytes()).hexdigest()
