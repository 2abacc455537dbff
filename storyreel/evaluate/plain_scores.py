"""Scores that stand on no network but the judge's: motion, seams, reconstruction, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from storyreel.evaluate.judges import AnyJudge
from storyreel.evaluate.learned_scores import Measurement, Who
from storyreel.evaluate.score import AttributeAccuracy, Report, labels, wilson
from storyreel.evaluate.seams import Seams
from storyreel.evaluate.uncertainty import clustered_mean


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
    interval = None if found.low is None or found.high is None else (found.low, found.high)
    if who.metric == "dynamic":  # a share: an interval even where all clips or none move
        interval = wilson(round(sum(known)), len(known))
    theirs = [v for v in real if np.isfinite(v)]
    missing = len(values) - len(known)
    score = who.score(
        found.value, len(known), interval=interval, real=float(np.mean(theirs)) if theirs else None,
        note=f"{missing} clips cannot tell" if missing else "",
    )  # fmt: skip
    return Measurement(score, tuple(values), tuple(real))


def seams_score(who: Who, seams: Seams, stories: int) -> Measurement:
    """The step at the boundary of a story's parts over the ordinary steps beside it: 1 is no jump at all."""
    if not stories:
        raise ValueError("seams: no clip has a story of several parts in its metadata")
    said = seams.as_json()
    ratio = said["boundary_ratio"]
    interval = None if ratio["interval"] is None else (ratio["interval"][0], ratio["interval"][1])
    note = f"{stories} stories, largest step at a boundary {said['largest_boundary']:.3g} of 255"
    value = float("nan") if ratio["value"] is None else ratio["value"]
    return Measurement(who.score(value, ratio["n"], unit="joints", interval=interval, note=note))


def judged(
    who: Who, judge: AnyJudge, seen: Sequence[Any], wanted: Sequence[Mapping[str, Any]]
) -> tuple[Measurement, Report]:
    """Mean accuracy over attributes, its interval over clips; and the report with each attribute."""
    from storyreel.evaluate.locator import pairs

    metric, shares = AttributeAccuracy(judge.attributes), []
    for what, wish in zip(seen, wanted, strict=True):
        metric.update(*(pairs(what, wish) if isinstance(what, list) else [(what, labels(wish))]))
        asked = sum(metric.asked[-1])
        shares.append(sum(metric.right[-1]) / asked if asked else float("nan"))
    if not any(map(any, metric.asked)):
        raise ValueError("judge: no clip has anything to be judged by; name the dataset of the prompts with --wanted")
    report = metric.compute()
    n = int(np.isfinite(shares).sum())
    return Measurement(who.score(report.mean, n, interval=report.interval), tuple(shares)), report


def columns(rows: Tensor) -> list[list[float]]:
    """(n, k) -> k lists of n."""
    return rows.T.tolist()
