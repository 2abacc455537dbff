"""The raw scores of a span: those that are declared, and what else its row says of its pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storyreel.curate.fingerprints import hash_of
from storyreel.curate.measures import MeasureSettings, Score
from storyreel.curate.quality import bars_of, dark_edges
from storyreel.curate.samples import Sample
from storyreel.curate.score import Seen
from storyreel.curate.scores import scores


def scores_of(
    samples: Sequence[Sample], start: int, end: int, change: np.ndarray, settings: MeasureSettings
) -> dict[str, Score]:
    """The raw scores of frames [start, end), by column; None for what a span is too short to tell.

    change: mean difference of each of its frames but the first from the one before, levels.
    """
    seen = Seen([sample for sample in samples if start <= sample.index < end], end, change, settings)
    facts = _facts(seen)
    return {score.column: score.measure(seen) for score in scores().values() if score.measure is not None} | facts


def _facts(seen: Seen) -> dict[str, Score]:
    """Bars, the sizes at which motion and text are measured, and the hash; fills in what is `lit`."""
    if not seen.pictures:
        return {"motion_resolution": None, "bars": None, "dark_edges": None, "phash": None}
    quality = [sample.quality for sample in seen.pictures]
    lines = np.stack([q.rows for q in quality]), np.stack([q.columns for q in quality])
    bars = bars_of(*lines)
    lumas = [sample.luma for sample in seen.pictures if sample.luma is not None]
    height, width = lumas[0].shape
    scale_y, scale_x = height / len(quality[0].rows), width / len(quality[0].columns)
    seen.lit = (
        round(bars[0] * scale_y),
        height - round(bars[1] * scale_y),
        round(bars[2] * scale_x),
        width - round(bars[3] * scale_x),
    )
    top, bottom, left, right = seen.lit
    cut = [luma[top:bottom, left:right] for luma in lumas]
    cut = cut if min(cut[0].shape) > 1 else lumas
    return {
        "motion_resolution": "x".join(str(side) for side in _flow_size(seen.pictures, seen.settings)),
        "bars": list(bars),
        "dark_edges": dark_edges(*lines),
        "text_resolution": f"{width}x{height}",
        "phash": hash_of(cut),
    }


def _flow_size(seen: Sequence[Sample], settings: MeasureSettings) -> tuple[int, int]:
    height, width = len(seen[0].quality.rows), len(seen[0].quality.columns)
    scale = min(1.0, settings.flow_long_side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
