"""A fully convolutional video network run piece by piece, so that memory does not grow with the video.

Each piece is seen with a halo of its surroundings, and only its inside is kept. Where the halo is as wide as what the
network sees around a pixel, the result is that of the whole, up to rounding: a piece that ends at the border of the
video is padded there as the whole is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from storyreel.nn.video_unet import VideoUNet


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """How a video is cut: `size` pixels a side and `frames` of it are kept of each piece (0: all), and so many more
    are seen on each side."""

    size: int = 0
    frames: int = 0
    halo: int
    halo_frames: int

    def __post_init__(self) -> None:
        for name in ("size", "frames", "halo", "halo_frames"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")

    def needed(self, frames: int, height: int, width: int) -> bool:
        return bool((self.size and max(height, width) > self.size) or (self.frames and frames > self.frames))


Piece = tuple[slice, slice, slice]


def in_tiles(net: Callable[[Tensor, Piece], Tensor], video: Tensor, tiles: Tiles, multiple: int) -> Tensor:
    """net(piece of the video, which piece) -> (b, c', t, h, w) of that piece; put together.

    multiple: what heights, widths and corners of pieces must be multiples of.
    """
    made: Tensor | None = None
    t, h, w = video.shape[2:]
    size, halo = (_up(n, multiple) for n in (tiles.size, tiles.halo))
    for frames in spans(t, tiles.frames, tiles.halo_frames):
        for rows in spans(h, size, halo):
            for columns in spans(w, size, halo):
                seen = (frames[0], rows[0], columns[0])
                piece = net(video[(slice(None), slice(None), *seen)], seen)
                inside = tuple(
                    slice(keep.start - see.start, keep.stop - see.start) for see, keep in (frames, rows, columns)
                )
                if made is None:
                    made = torch.empty(len(video), piece.shape[1], t, h, w, dtype=piece.dtype, device=piece.device)
                keep = (frames[1], rows[1], columns[1])
                made[(slice(None), slice(None), *keep)] = piece[(slice(None), slice(None), *inside)]
    assert made is not None
    return made


@dataclass(frozen=True)
class TiledNet:
    """A Video U-Net that is called as the whole is, and run piece by piece; `extra` is cut as the video is."""

    net: VideoUNet
    tiles: Tiles

    def __call__(self, z: Tensor, logsnr: Tensor, **inputs: Any) -> Tensor:
        extra = inputs.pop("extra", None)

        def piece(part: Tensor, seen: Piece) -> Tensor:
            beside = {} if extra is None else {"extra": extra[(slice(None), slice(None), *seen)]}
            return self.net(part, logsnr, **inputs, **beside)

        return in_tiles(piece, z, self.tiles, self.net.multiple)


def spans(length: int, size: int, halo: int) -> Iterator[tuple[slice, slice]]:
    """(what is seen, what is kept of it) along an axis."""
    size = size or length
    for start in range(0, length, size):
        stop = min(start + size, length)
        yield slice(max(0, start - halo), min(length, stop + halo)), slice(start, stop)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
