"""What is known of the moments at which a film is looked at closely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storyreel.curate.motion import difference
from storyreel.curate.overlay import text_share
from storyreel.curate.quality import Quality
from storyreel.curate.reduce import in_colour

MOST = 64
"""Samples of one span whose pictures are kept: a long shot is looked at less often."""
_SAME = 0.7  # levels of mean difference between two pictures that hold the same text


@dataclass
class Sample:
    """One moment. Pictures are None once they are let go.

    luma, chroma: see `reduce`. pair: two pictures at the size of the flow, and the seconds between them; the second
    is that of frame `until`.
    """

    index: int
    time: float | None
    thumb: np.ndarray | None
    luma: np.ndarray | None
    chroma: np.ndarray | None
    quality: Quality
    difference: float | None
    combed: bool
    pair: tuple[np.ndarray, np.ndarray, float] | None = None
    until: int = 0
    shake: float | None = None

    def forget(self) -> None:
        """Lets go of what takes room; the numbers stay."""
        self.luma = self.chroma = self.pair = None


def thin(samples: Sequence[Sample]) -> None:
    """Lets go of every other picture of a span that has more than MOST, the first and last excepted."""
    seen = [sample for sample in samples[:-1] if sample.luma is not None]
    if len(seen) > 2 * MOST:
        for sample in seen[1::2]:
            sample.forget()
    for sample in samples[:-1]:
        sample.thumb = None if sample.luma is None else sample.thumb


def text_of(seen: Sequence[Sample]) -> float | None:
    """Share of text in the first, the middle and the last picture, whichever has most."""
    shares: list[float | None] = []
    before: np.ndarray | None = None
    for index in spread(len(seen), 3):
        luma = seen[index].luma
        assert luma is not None
        if before is not None and difference(before, luma) < _SAME:
            continue  # the same picture again
        shares.append(text_share(in_colour(luma, seen[index].chroma)))
        before = luma
    known = [share for share in shares if share is not None]
    return round(max(known), 6) if known else None


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices below `count`, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})
