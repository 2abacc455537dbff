"""The score of a measure of single clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storyreel.evaluate.metric import Measurement, Who
from storyreel.evaluate.uncertainty import clustered_mean
from storyreel.wording import counted


def per_clip_score(
    who: Who, values: Sequence[float], prompts: Sequence[str], real: Sequence[float] = ()
) -> Measurement:
    """The mean of a measure of single clips, over prompts where several clips share one; that of real clips beside.

    ValueError when no clip could be measured.
    """
    known = [v for v in values if np.isfinite(v)]
    if not known:
        raise ValueError(f"{who.metric}: no clip shows it (too short, or nothing moves)")
    found = clustered_mean(values, [prompt or f"#{i}" for i, prompt in enumerate(prompts)])
    theirs = [v for v in real if np.isfinite(v)]
    missing = len(values) - len(known)
    score = who.score(
        found.value, len(known), interval=found.interval, real=float(np.mean(theirs)) if theirs else None,
        note=f"{counted(missing, 'clip')} cannot tell" if missing else "",
    )  # fmt: skip
    return Measurement(score, tuple(values), tuple(real))
