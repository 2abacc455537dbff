"""Decoded clips in a packed cache: decoded once in parallel, then read by memory map.

A cache folder holds shards of up to 256 clips: `00000.npy`, uint8 (frames of all clips one after another, size,
size, channels), and `00000.json`, how many frames each clip has and why some were refused. Its name is a digest of
the dataset, the size and the channels, so it is never stale and is shared by every recipe of that size.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.data.array_file import ArrayFile
from storyreel.data.dataset import ClipReader, Dataset, NotNow
from storyreel.data.parallel import Death, progress, run
from storyreel.json_file import read_object
from storyreel.read_errors import BROKEN, is_passing, one_line
from storyreel.storage import replacing

SHARD = 256
FORMAT = 1


def cache_folder(cache: Path | None) -> Path:
    """`cache`, or $STORYREEL_CACHE, or the user's cache folder of this platform."""
    if cache is not None:
        return Path(cache)
    if os.environ.get("STORYREEL_CACHE"):
        return Path(os.environ["STORYREEL_CACHE"])
    return user_cache()


def user_cache() -> Path:
    """The user's cache folder of this platform; `~/.cache/storyreel` where platformdirs is not installed."""
    try:
        import platformdirs
    except ImportError:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "storyreel"
    return Path(platformdirs.user_cache_dir("storyreel"))


def fit(clip: Clip, size: int, channels: int) -> np.ndarray:
    """uint8 (t, size, size, channels): the middle square of the clip, over mid grey; channel 3 is its alpha.

    Channels 0 to 2 are what one sees, so models of 3 and of 4 channels see the same picture.
    """
    height, width = clip.size
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    if height != width:
        clip = clip.replace(frames=clip.frames[:, top : top + side, left : left + side])
    seen = clip.over()
    if channels == 3:
        return (seen if side == size else seen.resize(size, size)).frames
    alpha = clip.frames[..., 3:] if clip.has_alpha else np.full((*clip.frames.shape[:3], 1), 255, np.uint8)
    if side != size:
        seen = seen.resize(size, size)
        alpha = Clip(alpha.repeat(3, axis=-1)).resize(size, size).frames[..., :1]
    return np.concatenate([seen.frames, alpha], axis=-1)


class Pack:
    """The clips of one dataset at one size, decoded or composed. `clip i` is row i of the dataset."""

    def __init__(self, path: Path, key: str, refused: dict[int, str], counts: np.ndarray) -> None:
        self.path = path
        self.key = key
        self.refused = refused  # row -> why it cannot be used
        self.counts = counts  # int64, frames of each row; 0 where refused
        self._shards: dict[int, np.ndarray] = {}
        starts = np.zeros(len(counts), np.int64)
        for first in range(0, len(counts), SHARD):
            span = counts[first : first + SHARD]
            starts[first : first + SHARD] = np.cumsum(span) - span
        self._starts = starts

    def frames(self, row: int) -> np.ndarray:
        """uint8 (t, size, size, channels), a view into the memory map."""
        start = int(self._starts[row])
        return self.shard(row // SHARD)[start : start + int(self.counts[row])]

    def shard(self, number: int) -> np.ndarray:
        """uint8 (frames, size, size, channels): those of SHARD clips in the order of their rows, memory-mapped."""
        if number not in self._shards:
            self._shards[number] = np.load(_shard(self.path, number), mmap_mode="r")
        return self._shards[number]

    @property
    def shards(self) -> range:
        return range(-(-len(self.counts) // SHARD))

    @classmethod
    def open(cls, folder: Dataset, size: int, channels: int, cache: Path | None) -> Pack:
        """Decode what is not yet in the cache, then map it. Clips that cannot be read are refused, with the reason.

        Interrupted, it goes on at the last whole shard. Several processes may call it at once: one works, the
        others wait. OSError when the disk is too small, before anything is written.
        """
        from filelock import FileLock

        key = hashlib.sha256(f"{FORMAT} {folder.digest} {size} {channels}".encode()).hexdigest()[:32]
        path = cache_folder(cache) / "clips" / key
        path.mkdir(parents=True, exist_ok=True)
        shards = range(-(-len(folder) // SHARD))
        if not all(_done(path, s) for s in shards):
            with FileLock(path / ".lock"):
                _build(folder, path, size, channels, [s for s in shards if not _done(path, s)])
        counts: list[int] = []
        refused: dict[int, str] = {}
        for shard in shards:
            notes = read_object(_notes(path, shard))
            counts += notes["counts"]
            refused |= {int(row): why for row, why in notes["refused"].items()}
        return cls(path, key, refused, np.array(counts, np.int64))


def _shard(path: Path, shard: int) -> Path:
    return path / f"{shard:05d}.npy"


def _notes(path: Path, shard: int) -> Path:
    return path / f"{shard:05d}.json"


def _done(path: Path, shard: int) -> bool:
    """Whether a shard is whole (its notes are written after the frames) and nothing in it is to be tried again."""
    return _notes(path, shard).exists() and "again" not in read_object(_notes(path, shard))


def _build(folder: Dataset, path: Path, size: int, channels: int, shards: list[int]) -> None:
    rows = len(folder)
    jobs = [(shard, range(shard * SHARD, min((shard + 1) * SHARD, rows))) for shard in shards]
    frames = folder.column("num_frames") or [1] * rows
    need_space(path, sum(frames[row] or 1 for _, span in jobs for row in span) * size * size * channels)
    workers = min(folder.max_workers, len(jobs))
    with progress(f"{folder.packing} {folder.name}", rows) as advance:
        advance(rows - sum(len(span) for _, span in jobs))
        todo = ((shard, span, folder.reader(span)) for shard, span in jobs)
        without = _without if folder.packing == "decoding" else None  # a world's own code has no bad file
        for count in run(partial(_pack_shard, path, size, channels), todo, workers=workers, without=without):
            advance(count)


def _without(job: tuple[int, range, Any], death: Death) -> tuple[int, range, Any]:
    shard, span, reader = job
    return shard, span, reader.without(death)


def need_space(path: Path, num_bytes: int) -> None:
    """OSError when fewer than `num_bytes` are free where `path` lies."""
    free = shutil.disk_usage(path).free
    if num_bytes > free:
        raise OSError(
            f"{path}: the cache needs {num_bytes / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "make room, or name another place with STORYREEL_CACHE"
        )


def _pack_shard(path: Path, size: int, channels: int, job: tuple[int, range, ClipReader]) -> int:
    """The clips of one shard. Only what is wrong with a file is noted; an error that may pass is raised."""
    shard, span, reader = job
    clips, counts, refused, again = [], [], {}, []
    for row, clip in zip(span, reader, strict=True):
        try:
            if isinstance(clip, str):
                again += [row] * isinstance(clip, NotNow)
                raise ValueError(clip)
            clips.append(fit(clip, size, channels))
            counts.append(len(clips[-1]))
        except (ValueError, OSError, MemoryError, *BROKEN) as error:
            if is_passing(error) and not isinstance(clip, str):
                raise OSError(
                    errno.ENOMEM, f"clip {row} could not be packed now: {one_line(error)}", str(path)
                ) from error
            counts.append(0)
            refused[row] = one_line(error)
    shape = (sum(counts), size, size, channels)
    with replacing(_shard(path, shard)) as (made,), ArrayFile(made, np.uint8, shape) as frames:
        for clip in clips:
            frames.write(clip)
    with replacing(_notes(path, shard)) as (made,):
        made.write_text(json.dumps({"counts": counts, "refused": refused} | ({"again": again} if again else {})))
    return len(span)
