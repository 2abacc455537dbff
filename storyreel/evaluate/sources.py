"""Which files are measured: a dataset folder's rows, or the clips of any folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from storyreel.evaluate.decode import ClipSource
from storyreel.layouts import clip_files
from storyreel.numbers import is_whole

LOOKED_AT = 32  # files whose length and rate are asked for, to say what is usual


@dataclass(frozen=True)
class ClipFolder:
    """A folder of clips: `sources` in a fixed order, `digest` of their names and sizes (or of the dataset folder)."""

    path: Path
    sources: tuple[ClipSource, ...]
    digest: str
    world: str = ""  # "sprites" or "digits" where the folder says so

    def usual(self) -> tuple[int | None, str]:
        """The commonest number of frames and frame rate among some files, evenly spaced; (None, "") if unreadable."""
        from storyreel import video_io
        from storyreel.video_io import MAX_FRAMES

        seen: list[tuple[int, str]] = []
        for source in self.sources[:: max(1, len(self.sources) // LOOKED_AT)]:
            try:
                facts = video_io.probe(source.file)
            except (ValueError, OSError):
                continue
            if is_whole(facts["frames"], 1, MAX_FRAMES):
                seen.append((int(facts["frames"]), str(facts["fps"] or "")))
        if not seen:
            return None, ""
        frames, rates = (Counter(column).most_common(1)[0][0] for column in zip(*seen, strict=True))
        return frames, rates


def find(path: str | Path, *, split: str = "", limit: int | None = None) -> ClipFolder:
    """The clips of a folder, at most `limit`, in the order of the dataset or of the sorted names.

    split: rows of a dataset folder of this split alone. ValueError or OSError, in one line, when there is none.
    """
    path = Path(path)
    if (path / "metadata.parquet").is_file():
        return _dataset(path, split, limit)
    if split:
        raise ValueError(f"{path}: --split {split} needs a dataset folder, with a metadata.parquet in it")
    files = clip_files(path)[:limit]
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.relative_to(path)}:{file.stat().st_size}\n".encode("utf-8", "surrogatepass"))
    return ClipFolder(path, tuple(ClipSource(file) for file in files), hashed.hexdigest(), "")


def _dataset(path: Path, split: str, limit: int | None) -> ClipFolder:
    from storyreel.data.folder import DatasetFolder

    folder = DatasetFolder.open(path)
    rows = [i for i in range(len(folder)) if split in ("", folder.splits[i])][:limit]
    if not rows:
        raise ValueError(f"{path}: no row{f' of the split {split!r}' if split else ''}")
    attributes = folder.attributes
    sources = (ClipSource(folder.file(i), (folder.captions(i) or [""])[0], attributes[i] or {}) for i in rows)
    digest = hashlib.sha256(f"{folder.digest}:{split}:{len(rows)}".encode()).hexdigest()
    return ClipFolder(path, tuple(sources), digest, folder.world)
