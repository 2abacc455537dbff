"""WebDataset shards as a dataset: .tar files in which a sample's files share a name, read where they lie.

    KEY.mp4 (.webm .mkv .mov .avi .m4v), or KEY.jpg (.jpeg .png .webp) for clips of one frame; KEY.txt: the caption;
    KEY.json: `caption` or `captions`, `split`, `context`, `attributes` as dataset folders have them.

These are what `storyreel data export`, img2dataset and video2dataset write. Samples without a picture or a video (what
img2dataset could not download) are no rows. Nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from storyreel.clip import Clip
from storyreel.data.dataset import Dataset
from storyreel.data.folder import METADATA, FileReader, decoded_clip
from storyreel.json_file import parse_json
from storyreel.tar_file import tar_members
from storyreel.whole_file import without_waiting

MEDIA = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".gif", ".jpg", ".jpeg", ".png", ".webp")
MAX_TEXT = 1 << 20  # bytes of a caption or a row


def is_shards(path: Path) -> bool:
    """Whether it is a .tar, or a folder of them that is no dataset folder."""
    if path.is_dir():
        return not (path / METADATA).exists() and any(path.glob("*.tar"))
    return path.suffix == ".tar" and path.is_file()


@dataclass(frozen=True)
class Member:
    """A file in a shard: where its bytes lie."""

    shard: Path
    name: str
    offset: int
    size: int

    def clip(self) -> Clip:
        """Decoded. ValueError or OSError names the shard and the file."""
        where = f"{self.shard}: {self.name}"
        with self.shard.open("rb") as opened:
            if self.offset + self.size > os.fstat(opened.fileno()).st_size:
                raise ValueError(f"{where}: the shard is cut short")
            opened.seek(self.offset)
            content = opened.read(self.size)
        return decoded_clip(content, Path(self.name).suffix.lower(), where)


class ShardReader(FileReader):
    """Decodes samples one after the other."""

    def read(self, file: Member) -> Clip:
        """The clip of a sample."""
        return file.clip()


class Shards(Dataset):
    """The samples of shards as a dataset."""

    caption_columns = ("captions", "text", "caption")

    def __init__(self, path: Path, samples: list[tuple[Member, dict[str, Any]]]) -> None:
        self.path = path
        self.samples = samples

    @classmethod
    def open(cls, path: str | Path) -> Shards:
        """Reads the headers, the captions and the rows. ValueError or OSError, in one line, for what is no shard."""
        path = Path(path)
        samples = [
            each for shard in (sorted(path.glob("*.tar")) if path.is_dir() else [path]) for each in _samples(shard)
        ]
        if not samples:
            raise ValueError(
                f"{path}: no clips in it; expected shards with KEY.mp4 or KEY.jpg, and KEY.txt or KEY.json"
            )
        return cls(path, samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(["file_name", "captions", *(name for _, row in self.samples for name in row)]))

    def column(self, name: str) -> list[Any] | None:
        """The values of one column; None where no sample has it."""
        if name == "file_name":
            return self.file_names
        return [row.get(name) for _, row in self.samples] if name in self.columns else None

    @cached_property
    def file_names(self) -> list[str]:
        return [f"{member.shard.name}/{member.name}" for member, _ in self.samples]

    def clip(self, index: int) -> Clip:
        captions = self.captions(index)
        return self.samples[index][0].clip().replace(caption=captions[0] if captions else "")

    def reader(self, rows: range) -> ShardReader:
        """Reads the clips of these rows; picklable."""
        return ShardReader(tuple(self.samples[row][0] for row in rows))

    @cached_property
    def digest(self) -> str:
        """Hex digest of the names, places and sizes of the files, their shards' times, and the captions."""
        hashed = hashlib.sha256()
        times = {shard: shard.stat().st_mtime_ns for shard in {member.shard for member, _ in self.samples}}
        for (member, row), captions in zip(self.samples, self.all_captions, strict=True):
            place = f"{member.shard.name} {times[member.shard]} {member.name} {member.offset} {member.size}"
            row_words = f"{captions} {row.get('split')} {row.get('context')}"
            hashed.update(f"{place}\n{row_words}\n".encode("utf-8", "surrogatepass"))
        return hashed.hexdigest()


def _samples(shard: Path) -> list[tuple[Member, dict[str, Any]]]:
    """The samples of one shard in their order, those with a picture or a video."""
    media: dict[str, Member] = {}
    rows: dict[str, dict[str, Any]] = {}
    with open(shard, "rb", opener=without_waiting) as opened:
        try:
            for each in tar_members(opened):
                if each.kind != "file":
                    continue
                folder, _, base = each.name.rpartition("/")
                stem, _, ending = base.partition(".")
                key, suffix = f"{folder}/{stem}", f".{ending.rpartition('.')[2].lower()}"
                if suffix in MEDIA:
                    media.setdefault(key, Member(shard, each.name, each.offset, each.size))
                elif suffix in (".txt", ".json") and each.size <= MAX_TEXT:
                    opened.seek(each.offset)
                    _tell(rows.setdefault(key, {}), suffix, opened.read(each.size))
        except ValueError as error:
            if not media:
                raise ValueError(f"{shard}: not a readable .tar ({error})") from None
    return [(member, rows.get(key, {})) for key, member in media.items()]


def _tell(row: dict[str, Any], suffix: str, content: bytes) -> None:
    """Adds what a text file of a sample says to its row; a row that is no JSON says nothing."""
    if suffix == ".txt":
        row["text"] = content.decode("utf-8", "replace").strip()
        return
    try:
        lines = parse_json(content)
    except ValueError:
        return
    if isinstance(lines, dict):
        row.update({name: value for name, value in lines.items() if name != "text"})
