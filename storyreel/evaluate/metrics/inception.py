"""The Inception Score of clips or of frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate.inception_score import SPLITS, inception_score, score_of
from storyreel.evaluate.interval import resampled
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who


def inception_measurement(who: Who, logits: Tensor) -> Measurement:
    """Of (n, classes) of clips, or (n, t, classes) of frames."""
    clips, rows = len(logits), logits.reshape(-1, logits.shape[-1])
    if clips < max(SPLITS, who.rules.minimum):
        raise ValueError(f"is: {clips} clips, {who.rules.name} needs at least {max(SPLITS, who.rules.minimum)}")
    value, deviation = inception_score(rows)
    # The splits make the value a little lower than that of all clips at once; the interval is moved to the value.
    log_p = logits.reshape(clips, -1, logits.shape[-1]).double().log_softmax(-1)

    def score(pick: np.ndarray) -> np.ndarray:
        picks = torch.from_numpy(pick.reshape(-1, clips))
        return np.array([score_of(log_p[those].flatten(0, 1)) for those in picks]).reshape(pick.shape[:-1])

    interval = resampled(clips, score, resamples=200).interval
    if interval is not None:
        half = (interval[1] - interval[0]) / 2
        interval = (max(1.0, value - half), value + half)
    note = f"{SPLITS} splits, deviation over splits {deviation:.2g}; grows with n"
    return Measurement(who.score(value, clips, interval=interval, note=note))


def compute(inputs: Inputs) -> Measurement:
    return inception_measurement(inputs.who, inputs.rows)


METRICS = (Metric(name="is", direction="higher", compute=compute, gathers="logits", order=50),)
