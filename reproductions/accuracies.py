"""How two judged sets of clips differ: attribute accuracies with 95 % intervals, by resampling clips."""

from __future__ import annotations

import numpy as np

from storyreel.evaluate.interval import RESAMPLES, Measured, bootstrap, resampled, share_of
from storyreel.evaluate.score import AttributeAccuracy, mean_accuracy


def gap_of(ours: AttributeAccuracy, theirs: AttributeAccuracy) -> Measured:
    """Mean attribute accuracy of `ours` less that of `theirs`; the clips of each are resampled on their own."""
    values, drawn = [], []
    n = min(len(ours.right), len(theirs.right))
    for seed, metric in enumerate((ours, theirs)):
        right, total = _counts(metric)
        values.append(float(mean_accuracy(right, total)))
        if n > 1:
            drawn.append(bootstrap(len(right), lambda p, r=right, a=total: mean_accuracy(r[p], a[p]), RESAMPLES, seed))
    low, high = np.nanquantile(drawn[0] - drawn[1], [0.025, 0.975]).tolist() if drawn else (None, None)
    return Measured(values[0] - values[1], low, high, n)


def relative_of(ours: AttributeAccuracy, real: AttributeAccuracy, *, all_right: bool = False) -> Measured:
    """Accuracy of `ours` over that of real clips of the same prompts, in the same order; resampled in pairs.

    Mean attribute accuracy, or the share of clips with all attributes right. NaN where no real clip is right.
    """
    made, known = _counts(ours), _counts(real)
    if len(made[0]) != len(known[0]):
        raise ValueError(f"real clips: expected as many as clips, {len(made[0])}, got {len(known[0])}")
    accuracy = _all_right if all_right else mean_accuracy
    return resampled(
        len(made[0]), lambda p: share_of(accuracy(made[0][p], made[1][p]), accuracy(known[0][p], known[1][p]))
    )


def _counts(metric: AttributeAccuracy) -> tuple[np.ndarray, np.ndarray]:
    """(clips, attributes) each: how many answers were right, out of how many."""
    shape = (len(metric.right), len(metric.attributes))
    return np.array(metric.right, np.int64).reshape(shape), np.array(metric.total, np.int64).reshape(shape)


def _all_right(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(..., clips, attributes) -> (...): the share of clips with all right, of those of which something was scored."""
    scored = total.sum(-1) > 0
    whole = scored & (right.sum(-1) == total.sum(-1))
    return share_of(whole.sum(-1), scored.sum(-1))
