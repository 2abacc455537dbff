"""What a film is: its digest, its container, its size and when its frames are shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from storyreel.numbers import MAX_FPS, rational


@dataclass(frozen=True, kw_only=True)
class FilmInfo:
    """Facts of one file of footage, all of them found by decoding it.

    name: the file's own name, without its folder; digest: SHA-256 of the bytes, hexadecimal.
    width, height: pixels of an upright picture, that is after `rotation` (degrees, anticlockwise: 0, 90, 180 or 270).
    fps: average frames a second. times: when each frame is shown, seconds from the first, where the frame rate
    varies; None where frame k is shown at k / fps. frames: how many there are. seconds: until the last one goes away.
    audio: whether there is sound. damaged: frames that the decoder could not read or said to be damaged.
    seekable: the time stamps rise, none more than 0.45 frames from where `time_of` says, so that a frame can be found
    again by its time; where False, frames have to be counted from the beginning.
    """

    name: str
    digest: str
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    fps: Fraction
    times: tuple[float, ...] | None
    frames: int
    seconds: float
    audio: bool
    damaged: int = 0
    seekable: bool = True
    licence: str | None = None
    source: str | None = None

    def time_of(self, frame: int) -> float:
        """When a frame is first shown, seconds from the first one; the end of the film for `frame == frames`."""
        if frame >= self.frames:
            return self.seconds
        return float(frame / self.fps) if self.times is None else self.times[frame]

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON holds them; fps as "30000/1001"."""
        times = None if self.times is None else list(self.times)
        return {**vars(self), "fps": str(self.fps), "times": times}

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> FilmInfo:
        """The inverse of `as_json`."""
        times = None if doc["times"] is None else tuple(doc["times"])
        return cls(**{**doc, "fps": rational(doc["fps"], "fps", 0, MAX_FPS, above=True), "times": times})


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal. OSError when it cannot be read."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
