"""Attributes of the prompt that a judge sees in the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storyreel.evaluate.judges import AnyJudge, check_known
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.score import AttributeAccuracy, Report, labels


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


def compute(inputs: Inputs) -> Measurement:
    """Also fills in what each clip should show, and the report with each attribute."""
    done = inputs.evaluation
    assert done.judged is not None
    if done.asked.wanted is not None:
        from storyreel.data.folder import DatasetFolder
        from storyreel.evaluate.judged_clips import told_by_caption

        told = told_by_caption(DatasetFolder.open(done.asked.wanted))
        for clip in done.told.clips:
            clip["wanted"] = told.get(clip["prompt"], {})
    wishes: list[Mapping[str, Any]] = [clip["wanted"] for clip in done.told.clips]
    judge: AnyJudge = done.judged.judge
    if any(wishes):
        check_known(judge, wishes)
    found, done.judge_report = judged(inputs.who, judge, done.judged.seen, wishes)
    return found


METRICS = (Metric(name="judge", direction="higher", compute=compute, order=170),)
