"""What training and judging ask of a dataset, whether it lies in a folder or is composed from a world."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from storyreel.clip import Clip


class NotNow(str):
    """Why there is no clip, where that may be different another time: not to be remembered."""

    __slots__ = ()


class ClipReader(Protocol):
    """Gives a clip, or a line that says why there is none, for each of some rows. Picklable: a worker iterates it."""

    def __iter__(self) -> Iterator[Clip | str]: ...


class Dataset(Protocol):
    """Rows and clips. Lists have a value a row; nothing is decoded or composed before it is asked for."""

    @property
    def path(self) -> Path:
        """Where it lies; what errors call it."""
        ...

    @property
    def name(self) -> str:
        """What a model card calls it: no path of this machine."""
        ...

    @property
    def packing(self) -> str:
        """What happens to its clips when they are packed: "decoding" or "composing"."""
        ...

    @property
    def max_workers(self) -> int:
        """Processes that may read its clips at once."""
        ...

    @property
    def world(self) -> str:
        """The world that its clips are drawn from, or ""."""
        ...

    @cached_property
    def digest(self) -> str:
        """Hex digest of everything that the clips and the rows depend on."""
        ...

    @property
    def columns(self) -> list[str]: ...

    def column(self, name: str) -> list[Any] | None:
        """The values of one column; None where there is no such column."""
        ...

    @cached_property
    def file_names(self) -> list[str]: ...

    @cached_property
    def splits(self) -> list[str]: ...

    @cached_property
    def contexts(self) -> list[int]:
        """Leading frames that are given, for each row."""
        ...

    @property
    def has_captions(self) -> bool: ...

    @cached_property
    def all_captions(self) -> list[list[str]]: ...

    def captions(self, index: int) -> list[str]: ...

    @cached_property
    def attributes(self) -> list[dict[str, Any]]: ...

    def clip(self, index: int) -> Clip: ...

    def reader(self, rows: range) -> ClipReader: ...

    def __len__(self) -> int: ...


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
