"""Near duplicates for thresholds that move: pairs of 100,000 rows are found once, groups in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storyreel.curate.duplicates import duplicates

Pairs = Mapping[tuple[str, str], float]  # two hashes, the smaller first -> share of bits that differ
RANKED = ("clip", "source_digest", "start", "end", "phash", "width", "height", "seconds", "blur", "aesthetics",
          "caption_words")  # fmt: skip


class Copies:
    """Near duplicates among rows that may change from call to call: pairs are found once, groups each time.

    rows: those of `RANKED`, only of clips that have a twin at all; places: where they stand in the table.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], places: Sequence[int], pairs: Pairs) -> None:
        self.rows, self.places, self.pairs = rows, np.asarray(places, np.int64), pairs
        self.partners: dict[str, list[tuple[str, float]]] = {}
        for (a, b), differ in pairs.items():
            self.partners.setdefault(a, []).append((b, differ))
        self._last: tuple[bytes, float, dict[int, tuple[int, float]]] | None = None  # most decisions change no twin

    def among(self, taking: np.ndarray, share: float | None) -> dict[int, tuple[int, float]]:
        """`duplicates` of all rows of the table that take part, bool (rows of the table,)."""
        if share is None or not len(self.places):
            return {}
        here = taking[self.places]
        if not here.any():
            return {}
        key, last = here.tobytes(), self._last
        if last is not None and last[:2] == (key, share):
            return last[2]
        inside = np.flatnonzero(here).tolist()
        rows = [self.rows[i] for i in inside]
        found = duplicates(rows, share, pairs=self._near)
        places = self.places[inside]
        answer = {int(places[i]): (int(places[of]), differ) for i, (of, differ) in found.items()}
        self._last = key, share, answer
        return answer

    def _near(self, rows: Sequence[Mapping[str, Any]], share: float) -> list[tuple[int, int, float]]:
        at = {row["phash"]: i for i, row in enumerate(rows) if row["phash"]}
        found = []
        for text, i in at.items():
            for other, differ in self.partners.get(text, ()):
                if differ <= share and other in at:
                    found.append((min(i, at[other]), max(i, at[other]), differ))
        return sorted(found)
