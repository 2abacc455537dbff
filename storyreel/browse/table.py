"""All spans of a curated folder in memory, column by column: what 100,000 rows can be counted and searched in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storyreel.curate.scores import scores
from storyreel.names import bare
from storyreel.parquet_file import read_parquet

MEASURED = tuple(score.column for score in scores().values())


class SpanTable:
    """curation/spans.parquet as it is now. Rows are known by their place, clips by their id.

    captions: as the folder has them now; captioned: places of those that a person wrote.
    scores: a float64 array a column, NaN where nothing was measured; caption_words as without anybody's edits.
    saved: whether each row is kept by what the folder was last chosen by.
    """

    def __init__(self, file: Path) -> None:
        """ValueError: not readable."""
        self.version = file_version(file)
        try:
            self.table: pa.Table = read_parquet(file).combine_chunks()
            self.clips: list[str] = self.table["clip"].to_pylist()
            self.saved = np.asarray(pc.fill_null(self.table["kept"], False).to_numpy(zero_copy_only=False), bool)
            self.failed_to_write = np.asarray(self.table["error"].is_valid().to_numpy(zero_copy_only=False), bool)
            self.captions: list[str] = [text or "" for text in self.table["caption"].to_pylist()]
            self.captioned = np.flatnonzero([by == "manual" for by in self.table["caption_from"].to_pylist()]).tolist()
            captions = [made[0] if made else "" for made in self.table["captions_made"].to_pylist()]
        except (pa.ArrowException, KeyError, OSError) as error:
            raise ValueError(f"{file}: not a readable table of spans ({str(error).splitlines()[0]})") from None
        for row, clip in enumerate(self.clips):
            bare(clip, f"{file}, row {row}: clip")
        self.place = {clip: row for row, clip in enumerate(self.clips)}
        self.scores = {name: self._numbers(name) for name in MEASURED}
        self.scores["caption_words"] = np.array([float(len(text.split())) for text in captions])
        names = self.table["source"].to_pylist()
        self.films = len(set(names))
        lower = [f"{text}\n{name}".lower() for text, name in zip(captions, names, strict=True)]
        self._lower = pa.array(lower, pa.large_string())

    def __len__(self) -> int:
        return len(self.clips)

    def _numbers(self, name: str) -> np.ndarray:
        return np.asarray(pc.cast(self.table[name], pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    def rows(self, places: Sequence[int] | np.ndarray, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """These rows in this order, as Python values; of all columns unless some are named."""
        part = self.table if columns is None else self.table.select(list(columns))
        return part.take(pa.array(np.asarray(places, np.int64))).to_pylist()

    def search(self, text: str, changed: Mapping[int, str]) -> np.ndarray:
        """bool (rows,): whether each word of `text` is in the caption or the film's name, in any case; or it is the id.

        changed: captions of rows that are not those that were made.
        """
        found = np.zeros(len(self), bool)
        if (place := self.place.get(text.strip())) is not None:
            found[place] = True
            return found
        words = text.lower().split()
        places, left = np.arange(len(self)), self._lower
        for word in words:  # the next one only where all before were found
            matches = pc.call_function("match_substring", [left], pc.MatchSubstringOptions(word))
            here = np.flatnonzero(np.asarray(matches.to_numpy(zero_copy_only=False), bool))
            places, left = places[here], left.take(pa.array(here))
        found[places] = True
        for row, caption in changed.items():
            name = self._lower[row].as_py().rpartition("\n")[2]
            found[row] = all(word in f"{caption.lower()}\n{name}" for word in words)
        return found

    def of_film(self, name: str) -> np.ndarray:
        """Places of the rows of one film, in order."""
        mask = pc.call_function("equal", [self.table["source"], pa.scalar(name)]).to_numpy(zero_copy_only=False)
        return np.flatnonzero(np.asarray(mask, bool))


def file_version(file: Path) -> tuple[int, int, int]:
    """Changes whenever the file is another one. OSError: not there."""
    stat = os.stat(file)
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
