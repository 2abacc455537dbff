"""What moves and how, clip by clip: flicker, jitter, texture sticking, dynamic degree, jolts at anchors, repetition."""

from __future__ import annotations

import numpy as np

from storyreel.evaluate.interval import wilson
from storyreel.evaluate.metric import Inputs, Measurement, Metric
from storyreel.evaluate.motion import dynamic, flicker, jitter, sticking
from storyreel.evaluate.per_clip import per_clip_score
from storyreel.evaluate.repetition import periodicity, smoothness


def compute(inputs: Inputs) -> Measurement:
    done = inputs.evaluation
    made, real = (inputs.column(rows, "motion", done.plan.per_clip) for rows in (done.rows, done.real.rows))
    return per_clip_score(inputs.who, made, done.clip_rows.prompts, real)


def compute_dynamic(inputs: Inputs) -> Measurement:
    """A share: it has an interval even where all clips or none move."""
    found = compute(inputs)
    known = [v for v in found.per_clip if np.isfinite(v)]
    return found.with_interval(wilson(round(sum(known)), len(known)))


METRICS = (
    Metric(name="flicker", direction="higher", compute=compute, per_clip=lambda m: flicker(m.frames), order=90),
    Metric(name="jitter", direction="real", compute=compute, per_clip=lambda m: jitter(m.flow), order=100),
    Metric(name="sticking", direction="lower", compute=compute, per_clip=lambda m: sticking(m.frames), order=110),
    Metric(name="dynamic", direction="real", compute=compute_dynamic, per_clip=lambda m: dynamic(m.flow), order=120),
    Metric(name="smoothness", direction="lower", compute=compute, per_clip=lambda m: smoothness(m.frames), order=122),
    Metric(name="periodicity", direction="real", compute=compute, per_clip=lambda m: periodicity(m.flow), order=124),
)
