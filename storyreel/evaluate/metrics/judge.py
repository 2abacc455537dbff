"""Attributes of the prompt that a judge sees in the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storyreel.evaluate.judges import AnyJudge, check_known
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores, labels


def judged(
    who: Who, judge: AnyJudge, seen: Sequence[Any], expected: Sequence[Mapping[str, Any]]
) -> tuple[Measurement, AttributeScores]:
    """Mean accuracy over attributes, its interval over clips; and the report with each attribute."""
    from storyreel.evaluate.locator import pairs

    metric, shares = AttributeAccuracy(judge.attributes), []
    for what, attributes in zip(seen, expected, strict=True):
        metric.update(*(pairs(what, attributes) if isinstance(what, list) else [(what, labels(attributes))]))
        total = sum(metric.total[-1])
        shares.append(sum(metric.right[-1]) / total if total else float("nan"))
    if not any(map(any, metric.total)):
        raise ValueError("judge: no clip has anything to be judged by; name the dataset of the prompts with --expected")
    report = metric.compute()
    n = int(np.isfinite(shares).sum())
    return Measurement(who.score(report.mean, n, interval=report.interval), tuple(shares)), report


def compute(inputs: Inputs) -> Measurement:
    """Also fills in what each clip should show, and the report with each attribute."""
    done = inputs.evaluation
    assert done.judged is not None
    if done.options.expected is not None:
        from storyreel.data.folder import DatasetFolder
        from storyreel.evaluate.judged_clips import attributes_by_caption

        by_caption = attributes_by_caption(DatasetFolder.open(done.options.expected))
        for clip in done.clip_rows.clips:
            clip["wanted"] = by_caption.get(clip["prompt"], {})
    expected: list[Mapping[str, Any]] = [clip["wanted"] for clip in done.clip_rows.clips]
    judge: AnyJudge = done.judged.judge
    if any(expected):
        check_known(judge, expected)
    found, done.judge_report = judged(inputs.who, judge, done.judged.seen, expected)
    return found


METRICS = (Metric(name="judge", direction="higher", compute=compute, order=170),)
