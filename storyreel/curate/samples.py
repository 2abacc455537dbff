"""What is known of the moments at which a film is looked at closely, and the scores of a span that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storyreel.curate.fingerprints import hash_of
from storyreel.curate.measure import MeasureSettings, Score
from storyreel.curate.motion import Motion, difference, motion_of, still_shares
from storyreel.curate.overlay import mark_share, text_share
from storyreel.curate.quality import Quality, bars_of, dark_edges
from storyreel.curate.reduce import in_colour

MOST = 64
"""Samples of one span whose pictures are kept: a long shot is looked at less often."""
FEW_PAIRS = 4
"""Pairs of pictures of a span whose flow is found; of a span with many, every other pair."""
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


def scores_of(
    samples: Sequence[Sample], start: int, end: int, change: np.ndarray, settings: MeasureSettings
) -> dict[str, Score]:
    """The raw scores of frames [start, end), by name; None for what a span is too short to tell.

    change: mean difference of each of its frames but the first from the one before, levels.
    """
    inside = [sample for sample in samples if start <= sample.index < end]
    seen = [sample for sample in inside if sample.luma is not None]
    frozen, duplicate = still_shares(change)
    pairs = _motions([sample.pair for sample in inside if sample.pair is not None and sample.until < end])
    differences = [sample.difference for sample in inside[1:] if sample.difference is not None]
    shakes = [sample.shake for sample in inside if sample.shake is not None and sample.index + 2 < end]
    quality = [sample.quality for sample in inside]
    size = "x".join(str(side) for side in _flow_size(seen, settings)) if seen else None
    scores: dict[str, Score] = {
        "motion_flow": _mean([pair.flow for pair in pairs]),
        "motion_resolution": size,
        "motion_difference": _mean(differences),
        "camera_motion": _mean([pair.camera for pair in pairs]),
        "object_motion": _mean([pair.things for pair in pairs]),
        "frozen_share": round(frozen, 6),
        "duplicate_share": round(duplicate, 6),
        "jitter": _mean(shakes),
        "blur": _mean([each.blur for each in quality]),
        "exposure": _mean([each.exposure for each in quality]),
        "clipped_share": _mean([each.clipped for each in quality]),
        "blockiness": _mean([each.blocks for each in quality]),
        "interlaced": _mean([float(sample.combed) for sample in inside]),
    }
    return {**scores, **_looks(seen, settings)}


def _looks(seen: Sequence[Sample], settings: MeasureSettings) -> dict[str, Score]:
    if not seen:
        return {"bars": None, "dark_edges": None, "text_share": None, "mark_share": None, "phash": None}
    lines = np.stack([s.quality.rows for s in seen]), np.stack([s.quality.columns for s in seen])
    bars = bars_of(*lines)
    lumas = [sample.luma for sample in seen if sample.luma is not None]
    height, width = lumas[0].shape
    scale_y, scale_x = height / len(seen[0].quality.rows), width / len(seen[0].quality.columns)
    lit = (
        round(bars[0] * scale_y),
        height - round(bars[1] * scale_y),
        round(bars[2] * scale_x),
        width - round(bars[3] * scale_x),
    )
    cut = [luma[lit[0] : lit[1], lit[2] : lit[3]] for luma in lumas]
    few = [lumas[index] for index in _spread(len(lumas), 12)]
    return {
        "bars": list(bars),
        "dark_edges": dark_edges(*lines),
        "text_share": _text(seen) if settings.text_long_side else None,
        "text_resolution": f"{width}x{height}",
        "mark_share": round(mark_share(few, lit), 6),
        "phash": hash_of(cut) if min(cut[0].shape) > 1 else hash_of(lumas),
    }


def _motions(pairs: Sequence[tuple[np.ndarray, np.ndarray, float]]) -> list[Motion]:
    """Flow is the dearest of the scores: of a long span only some pairs are looked at, evenly spread."""
    most = max(FEW_PAIRS, (len(pairs) + 1) // 2)
    return [motion_of(*pairs[index]) for index in _spread(len(pairs), most)]


def _text(seen: Sequence[Sample]) -> float | None:
    """Share of text in the first, the middle and the last picture, whichever has most."""
    shares: list[float | None] = []
    before: np.ndarray | None = None
    for index in _spread(len(seen), 3):
        luma = seen[index].luma
        assert luma is not None
        if before is not None and difference(before, luma) < _SAME:
            continue  # the same picture again
        shares.append(text_share(in_colour(luma, seen[index].chroma)))
        before = luma
    known = [share for share in shares if share is not None]
    return round(max(known), 6) if known else None


def _spread(count: int, most: int) -> list[int]:
    """At most `most` indices below `count`, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 6) if values else None


def _flow_size(seen: Sequence[Sample], settings: MeasureSettings) -> tuple[int, int]:
    height, width = len(seen[0].quality.rows), len(seen[0].quality.columns)
    scale = min(1.0, settings.flow_long_side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
