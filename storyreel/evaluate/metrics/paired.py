"""Reconstruction: each clip against the real clip of the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from storyreel.evaluate.metric import Inputs, Measurement, Metric
from storyreel.evaluate.per_clip import per_clip_score
from storyreel.evaluate.reconstruction import Lpips, psnr, ssim


def compute(inputs: Inputs) -> Measurement:
    done = inputs.evaluation
    values = inputs.column(done.rows, "pairs", done.plan.paired)
    return per_clip_score(inputs.who, values, [""] * done.counted.n)


def lpips(weights: Mapping[str, Path]) -> Callable[[Tensor, Tensor], float]:
    if "vgg16" not in weights:
        raise ValueError("lpips: needs torchvision's VGG16 as safetensors, --weights vgg16=FILE")
    return Lpips(weights["vgg16"])


METRICS = (
    Metric(
        name="psnr", direction="higher", compute=compute, real=True, paired=lambda weights: psnr, default=False,
        order=140,
    ),
    Metric(
        name="ssim", direction="higher", compute=compute, real=True, paired=lambda weights: ssim, default=False,
        order=150,
    ),
    Metric(name="lpips", direction="lower", compute=compute, real=True, paired=lpips, default=False, order=160),
)  # fmt: skip
