"""What the page works on: the spans of a folder, people's decisions, and what thresholds make of both.

Everything is read again when its file changes, so `storyreel curate filter` in another window shows up by itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from storyreel.browse.histogram import Histogram, histograms
from storyreel.browse.table import SpanTable, file_version
from storyreel.browse.twins import RANKED, Copies, Pairs
from storyreel.curate.choose import Selection, choose_columns
from storyreel.curate.duplicates import pairs_of
from storyreel.curate.edits import add_edit, edits_file, read_edits
from storyreel.curate.refilter import need_curated, saved_thresholds
from storyreel.curate.thresholds import Thresholds

T = TypeVar("T")
MOST_CAPTION = 4000  # characters
REMEMBERED = 12  # verdicts and listings
WIDEST = 0.12  # share of bits up to which twins are looked for, so that this limit can be moved too


class Edits:
    """People's decisions on the rows of a table. words: int8 (rows,), 1 keep, 0 drop, -1 none."""

    def __init__(self, dataset: Path, table: SpanTable) -> None:
        self.version = _version(edits_file(dataset))
        self.words = np.full(len(table), -1, np.int8)
        self.captions: dict[int, str] = {}
        for clip, edit in read_edits(dataset).items():
            if (place := table.place.get(clip)) is not None:
                if (keep := edit.get("keep")) is not None:
                    self.words[place] = bool(keep)
                if (caption := edit.get("caption")) is not None:
                    self.captions[place] = caption
        self.lengths = table.scores["caption_words"].copy()
        for place, caption in self.captions.items():
            self.lengths[place] = len(caption.split())
        before = table.captions
        self.pending = sum(before[p] != text for p, text in self.captions.items())  # not in the folder's tables yet
        self.pending += sum(place not in self.captions for place in table.captioned)

    def of(self, place: int) -> dict[str, Any]:
        word = int(self.words[place])
        return {"keep": None if word < 0 else bool(word), "caption": self.captions.get(place)}


class State:
    """One reading of a folder; never changed, only replaced."""

    def __init__(self, dataset: Path, before: State | None) -> None:
        file = dataset / "curation" / "spans.parquet"
        same = before is not None and before.table.version == file_version(file)
        self.thresholds_version = _version(dataset / "curation" / "thresholds.json")
        self.thresholds = saved_thresholds(dataset)
        if same and before is not None:
            self.table, self.histograms, self.copies = before.table, before.histograms, before.copies
            self.all_pairs = before.all_pairs
        else:
            self.table = SpanTable(file)
            self.histograms: dict[str, Histogram] = histograms(self.table.scores)
            self.copies = _copies(self.table, _known_pairs(self.table))
            self.all_pairs = False
        self.edits = Edits(dataset, self.table)
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """The last few answers are kept; two who ask at once may both make one."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        value = make()
        with self._lock:
            self._found[key] = value
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        return value

    def verdict(self, thresholds: Thresholds) -> Selection:
        table, edits = self.table, self.edits
        scores = {**table.scores, "caption_words": edits.lengths}
        words, errors = edits.words, table.failed_to_write
        return self.remembered(
            ("verdict", thresholds, self.all_pairs),
            lambda: choose_columns(scores, thresholds, words, errors, self.copies.among),
        )

    def with_pairs(self, pairs: Pairs) -> None:
        """All twins are known now: what was decided with fewer is forgotten."""
        copies = _copies(self.table, pairs)
        with self._lock:
            self.copies, self.all_pairs = copies, True
            self._found.clear()


class BrowseSession:
    """A curated folder that is being looked at. ValueError or OSError: it is none, or cannot be read."""

    def __init__(self, dataset: str | Path) -> None:
        self.dataset = Path(dataset)
        need_curated(self.dataset)
        self._lock = threading.RLock()
        self._state = State(self.dataset, None)

    def state(self) -> State:
        """The folder as it is now."""
        with self._lock:
            state, folder = self._state, self.dataset / "curation"
            now = (
                file_version(folder / "spans.parquet"),
                _version(folder / "thresholds.json"),
                _version(edits_file(self.dataset)),
            )
            if now != (state.table.version, state.thresholds_version, state.edits.version):
                self._state = State(self.dataset, state)
                if self._state.table is not state.table:
                    threading.Thread(target=self.find_twins, daemon=True).start()
            return self._state

    def edit(self, clip: str, **change: Any) -> State:
        """Write one decision down; see `storyreel.curate.edits.add_edit`. It is on disk when this returns."""
        with self._lock:
            add_edit(self.dataset, clip, **change)
            return self.state()

    def find_twins(self) -> None:
        """Look for all near duplicates, which takes seconds for 100,000 clips; until then the known ones count."""
        state = self.state()
        while not state.all_pairs:
            table = state.table
            pairs = _find_pairs(table, max(WIDEST, state.thresholds.duplicates.share or 0.0))
            with self._lock:
                state = self.state()
                if state.table is table:
                    state.with_pairs(pairs)


def _version(file: Path) -> tuple[int, int, int] | None:
    try:
        return file_version(file)
    except FileNotFoundError:
        return None


def _hashes(table: SpanTable) -> list[str | None]:
    return table.table["phash"].to_pylist()


def _known_pairs(table: SpanTable) -> Pairs:
    """The pairs that choosing found when the folder was written."""
    hashes = _hashes(table)
    found: dict[tuple[str, str], float] = {}
    duplicates = table.table.select(["duplicate_of", "duplicate_share_of_bits"])
    for place in np.flatnonzero(np.asarray(duplicates["duplicate_of"].is_valid().to_numpy(zero_copy_only=False), bool)):
        of = table.place.get(duplicates["duplicate_of"][int(place)].as_py())
        a, b = hashes[place], hashes[of] if of is not None else None
        if a and b and a != b:
            found |= _both_ways(a, b, float(duplicates["duplicate_share_of_bits"][int(place)].as_py() or 0.0))
    return found


def _find_pairs(table: SpanTable, share: float) -> Pairs:
    names = [name for name in ("phash", "frame_hashes") if name in table.table.column_names]
    by_hash = {row["phash"]: row for row in table.table.select(names).to_pylist() if row["phash"]}
    single = [by_hash[text] for text in sorted(by_hash)]
    found: dict[tuple[str, str], float] = {}
    for a, b, differ in pairs_of(single, share):
        found |= _both_ways(single[a]["phash"], single[b]["phash"], differ)
    return found


def _both_ways(a: str, b: str, differ: float) -> Mapping[tuple[str, str], float]:
    return {(a, b) if a < b else (b, a): differ}


def _copies(table: SpanTable, pairs: Pairs) -> Copies:
    """The rows that have a twin: of the same frames, of the same hash, or of a near one."""
    hashes = _hashes(table)
    near = {text for pair in pairs for text in pair}
    seen: dict[Any, int] = {}
    keys = table.table.select(["source_digest", "start", "end"]).to_pydict()
    frames = list(zip(keys["source_digest"], keys["start"], keys["end"], strict=True))
    for text in hashes:
        seen[text] = seen.get(text, 0) + 1
    for key in frames:
        seen[key] = seen.get(key, 0) + 1
    places = [
        row
        for row, (text, key) in enumerate(zip(hashes, frames, strict=True))
        if (text and (text in near or seen[text] > 1)) or (key[0] and seen[key] > 1)
    ]
    return Copies(table.rows(places, RANKED), places, pairs)
