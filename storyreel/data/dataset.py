"""What training and judging ask of a dataset, whether it lies in a folder or is composed from a world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from storyreel.clip import Clip
from storyreel.engine import cores


class NotNow(str):
    """Why there is no clip, where that may be different another time: not to be remembered."""

    __slots__ = ()


class ClipReader(Protocol):
    """Gives a clip, or a line that says why there is none, for each of some rows. Picklable: a worker iterates it."""

    def __iter__(self) -> Iterator[Clip | str]: ...


class Dataset(ABC):
    """Rows and clips. Lists have a value a row; nothing is decoded or composed before it is asked for."""

    path: Path  # where it lies; what errors call it
    packing = "decoding"  # or "composing": what happens to its clips when they are packed
    caption_columns = ("captions", "caption")

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def column(self, name: str) -> list[Any] | None:
        """The values of one column; None where there is no such column."""

    @property
    @abstractmethod
    def columns(self) -> list[str]: ...

    @cached_property
    def digest(self) -> str:
        """Hex digest of everything that the clips and the rows depend on."""
        raise NotImplementedError

    @abstractmethod
    def clip(self, index: int) -> Clip: ...

    @abstractmethod
    def reader(self, rows: range) -> ClipReader: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {len(self)} clips)"

    @property
    def name(self) -> str:
        """What a model card calls it: no path of this machine."""
        return self.path.name

    @property
    def max_workers(self) -> int:
        """Processes that may read its clips at once."""
        return cores()

    @property
    def world(self) -> str:
        """The world that its clips are drawn from, or ""."""
        return ""

    @cached_property
    def file_names(self) -> list[str]:
        return self._values("file_name")

    @cached_property
    def splits(self) -> list[str]:
        """A missing column or value means "train"."""
        return [split if isinstance(split, str) and split else "train" for split in self._values("split")]

    @cached_property
    def contexts(self) -> list[int]:
        """Leading frames that are given, for each row."""
        return [context if isinstance(context, int) else 0 for context in self._values("context")]

    @property
    def has_captions(self) -> bool:
        return any(self.all_captions)

    @cached_property
    def all_captions(self) -> list[list[str]]:
        """Every caption of each row, without repetition; an empty list where there is none."""
        rows = zip(*(self._values(name) for name in self.caption_columns), strict=True)
        each = ([c for value in row for c in (value if isinstance(value, list) else [value])] for row in rows)
        return [list(dict.fromkeys(c for c in row if isinstance(c, str) and c.strip())) for row in each]

    def captions(self, index: int) -> list[str]:
        return self.all_captions[index]

    @cached_property
    def attributes(self) -> list[dict[str, Any]]:
        """What is in each clip; {} where nothing is said."""
        return [row if isinstance(row, dict) else {} for row in self._values("attributes")]

    def _values(self, name: str) -> list[Any]:
        return self.column(name) or [None] * len(self)


def open_dataset(data: str | Path, cache: Path | None = None) -> Dataset:
    """A dataset folder, WebDataset shards (a .tar or a folder of them), or a world to compose clips from, such as
    `sprites:FOLDER?clips=60000&seed=7`.

    ValueError or OSError, in one line, for what is neither.
    """
    from storyreel.data.world_clips import is_query, open_query

    if is_query(str(data)):
        return open_query(str(data), cache)
    from storyreel.data.folder import DatasetFolder
    from storyreel.data.shards import Shards, is_shards

    return Shards.open(data) if is_shards(Path(data)) else DatasetFolder.open(data)
