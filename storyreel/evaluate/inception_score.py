"""The Inception Score (Salimans et al. 2016): sure of each clip, and of many kinds of clips.

    exp( mean over x of KL( p(y | x) || p(y) ) )

On clips with the classes of C3D (as TGAN and later work on UCF-101), on frames with those of Inception. It never looks
at real clips: a model that shows one perfect clip of each class has the best score there is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from storyreel.evaluate.moments import check_finite

SPLITS = 10
SHUFFLE = 42  # the seed of the StyleGAN-V code


def inception_score(logits: Tensor, *, splits: int = SPLITS, seed: int = SHUFFLE) -> tuple[float, float]:
    """Mean and standard deviation over `splits` parts of (n, classes) logits, in a seeded random order.

    1 (nothing can be told) to the number of classes; higher is better. Means something from 2,048 clips or 50,000
    frames on; it grows with n. ValueError for fewer logits than splits, NaN or infinity.
    """
    check_finite(logits, "logits")
    if logits.ndim != 2 or len(logits) < splits:
        raise ValueError(f"logits: expected at least {splits} rows, one a split, got {tuple(logits.shape)}")
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(seed))
    log_p = logits.detach().to("cpu", torch.float64)[order].log_softmax(1)
    found = torch.tensor([score_of(part) for part in log_p.tensor_split(splits)])
    return float(found.mean()), float(found.std(correction=0))


def score_of(log_p: Tensor, weights: Tensor | None = None) -> float:
    """Of log probabilities float64 (n, classes), all in one part; `weights` (n,) count a row as often as that."""
    w = torch.ones(len(log_p), dtype=log_p.dtype) if weights is None else weights.to(log_p.dtype)
    w = w / w.sum()
    p = log_p.exp()
    mean = (w[:, None] * p).sum(0)
    kl = (p * (log_p - mean.clamp_min(1e-300).log())).sum(1)
    return float((w * kl).sum().exp())
