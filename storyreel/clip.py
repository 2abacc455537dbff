"""The value that everybody speaks: a few frames, an exact frame rate and a caption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storyreel.numbers import MAX_FPS, rational

if TYPE_CHECKING:
    import torch


GREY = (128, 128, 128)  # what a clip with alpha is seen over where nothing else is asked for


@dataclass(frozen=True, eq=False)
class Clip:
    """An immutable short video.

    frames: uint8 array (t, h, w, c), c = 3 (RGB) or 4 (RGBA, straight alpha); made read-only.
    fps: exact frame rate, frames a second.
    caption: what is to be seen.
    meta: what made the clip (JSON-serialisable), written into every file.
    """

    frames: np.ndarray
    fps: Fraction = Fraction(8)
    caption: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = np.ascontiguousarray(self.frames)
        if frames.ndim != 4 or frames.shape[-1] not in (3, 4) or 0 in frames.shape:
            raise ValueError(f"frames: expected a non-empty (t, h, w, 3 or 4) array, got shape {frames.shape}")
        if frames.dtype != np.uint8:
            raise ValueError(f"frames: expected uint8, got {frames.dtype}")
        fps = rational(self.fps, "fps", 0, MAX_FPS, above=True).limit_denominator(1_001_000)
        if fps <= 0:
            raise ValueError(f"fps: expected more than 0, got {float(self.fps)}")
        if frames is self.frames and frames.flags.writeable:
            frames = frames.copy()
        frames.flags.writeable = False
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "fps", fps)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        t, h, w, c = self.frames.shape
        return f"Clip({t} frames, {w}x{h} {'RGBA' if c == 4 else 'RGB'}, {self.fps} fps, {self.caption!r})"

    def _repr_html_(self) -> str:
        """The clip as it plays in a notebook."""
        from storyreel.notebook import figure

        return figure(self)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.frames.shape[1], self.frames.shape[2]

    @property
    def has_alpha(self) -> bool:
        return self.frames.shape[-1] == 4

    @property
    def seconds(self) -> float:
        return float(len(self) / self.fps)

    def replace(self, **changes: Any) -> Clip:
        """A copy with some fields changed."""
        return replace(self, **changes)

    @classmethod
    def open(cls, path: str | Path) -> Clip:
        """Read any supported file. See `storyreel.video_io.read`."""
        from storyreel.video_io import read

        return read(path)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write to the format that the suffix names. See `storyreel.video_io.write`."""
        from storyreel.video_io import write

        return write(self, path, **options)

    def to_tensor(self) -> torch.Tensor:
        """Float32 (c, t, h, w) in [-1, 1]."""
        import torch

        return torch.from_numpy(self.frames.transpose(3, 0, 1, 2).astype(np.float32) / 127.5 - 1.0)

    @classmethod
    def from_tensor(cls, video: torch.Tensor, fps: Fraction | int = 8, caption: str = "", **meta: Any) -> Clip:
        """From a float (c, t, h, w) tensor in [-1, 1]; values outside are clamped.

        Raises ValueError when the tensor holds NaN or infinity: a black file never hides a broken model.
        """
        if not bool(video.isfinite().all()):
            raise ValueError("video: the tensor holds NaN or infinity; no clip was made")
        frames = ((video.detach().float().clamp(-1, 1) + 1) * 127.5).round().byte()
        return cls(frames.permute(1, 2, 3, 0).cpu().numpy(), Fraction(fps), caption, dict(meta))

    def resize(self, height: int, width: int) -> Clip:
        """Nearest-neighbour when growing by whole factors, area-averaged (box) otherwise."""
        from PIL import Image

        h, w = self.size
        if height % h == 0 and width % w == 0:
            frames = self.frames.repeat(height // h, axis=1).repeat(width // w, axis=2)
        else:
            how = Image.Resampling.BOX if height <= h and width <= w else Image.Resampling.BICUBIC
            frames = np.stack([np.asarray(Image.fromarray(f).resize((width, height), how)) for f in self.frames])
        return self.replace(frames=frames)

    def resample(self, num_frames: int) -> Clip:
        """`num_frames` frames over the same duration, each the nearest in time."""
        if num_frames < 1:
            raise ValueError(f"num_frames: expected at least 1, got {num_frames}")
        t = len(self)
        index = [min(t - 1, ((2 * i + 1) * t) // (2 * num_frames)) for i in range(num_frames)]
        return self.replace(frames=self.frames[index], fps=self.fps * num_frames / t)

    def over(self, background: tuple[int, int, int] = GREY) -> Clip:
        """RGB clip: this one composed over a flat colour. RGB clips are returned as they are."""
        if not self.has_alpha:
            return self
        rgb = self.frames[..., :3].astype(np.uint16)
        alpha = self.frames[..., 3:].astype(np.uint16)
        mixed = (rgb * alpha + np.array(background, np.uint16) * (255 - alpha) + 127) // 255
        return self.replace(frames=mixed.astype(np.uint8))


@dataclass(frozen=True, eq=False)
class ClipStream:
    """A clip that is made part after part while it is written, so that its length costs no memory.

    parts: gives uint8 arrays (t, h, w, 3), in order, anew at each call; together `num_frames` frames of `size` (height,
    width). The rest as of a `Clip`.
    """

    parts: Callable[[], Iterator[np.ndarray]]
    num_frames: int
    size: tuple[int, int]
    fps: Fraction
    caption: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    has_alpha: bool = False

    def __len__(self) -> int:
        return self.num_frames

    @property
    def seconds(self) -> float:
        return float(self.num_frames / self.fps)

    def replace(self, **changes: Any) -> ClipStream:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def gathered(self) -> Clip:
        """All of it, as a clip."""
        return Clip(np.concatenate(list(self.parts())), self.fps, self.caption, self.meta)
