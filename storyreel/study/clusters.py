"""Intervals for votes that are not independent: those on one prompt are alike, and so are those of one rater.

Both prompts and raters are drawn again, with replacement; a vote then counts (times its prompt was drawn) x (times
its rater was drawn). Such resamples spread more than the truth does, by up to the square root of 3 (Owen 2007, "The
pigeonhole bootstrap"), because the noise of single votes enters three times. So they are drawn in to the variance
that holds for two crossed clusters, V(prompts) + V(raters) - V(votes) (Cameron, Gelbach and Miller 2011), and out
again by Student's t for the number of clusters. Percentiles keep the skewness of the resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storyreel.study.binomial import Z95, t95, unanimous

AT_ONCE = 4096  # votes whose weights are in memory together


@dataclass(frozen=True)
class Crossed:
    """Votes by cluster: prompt and rater of each, counted from 0 without gaps."""

    prompt: np.ndarray
    rater: np.ndarray
    prompts: int
    raters: int

    @classmethod
    def of(cls, prompt: np.ndarray, rater: np.ndarray) -> Crossed:
        """From any numbers that name prompts and raters."""
        prompts, p = np.unique(prompt, return_inverse=True)
        raters, r = np.unique(rater, return_inverse=True)
        return cls(p, r, len(prompts), len(raters))


def variance(influence: np.ndarray, by: Crossed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariances (k, k) of k sums of votes' influences (n, k): clustered by prompt, by rater, and by vote.

    Each carries the usual n / (n - 1) of its number of clusters.
    """
    made = []
    for cluster, count in ((by.prompt, by.prompts), (by.rater, by.raters), (None, len(influence))):
        sums = influence
        if cluster is not None:
            sums = np.stack([np.bincount(cluster, column, count) for column in influence.T], axis=1)
        made.append(sums.T @ sums * (count / max(1, count - 1)))
    return made[0], made[1], made[2]


def spread(prompt: float, rater: float, vote: float, by: Crossed) -> tuple[float, float]:
    """(standard error, 97.5 % point of t) from three variances of one number; t by Satterthwaite's degrees."""
    total = max(prompt + rater - vote, prompt, rater)
    if total <= 0:
        return 0.0, Z95
    freedom = total**2 / (prompt**2 / max(1, by.prompts - 1) + rater**2 / max(1, by.raters - 1))
    return float(np.sqrt(total)), t95(freedom)


def draws(clusters: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (clusters, resamples): how often each cluster was drawn."""
    drawn = rng.integers(clusters, size=(resamples, clusters)) + np.arange(resamples)[:, None] * clusters
    counts = np.bincount(drawn.ravel(), minlength=resamples * clusters)
    return np.ascontiguousarray(counts.reshape(resamples, clusters).T, np.float32)


def resampled_sums(values: np.ndarray, by: Crossed, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(k, resamples): the sums of the columns of `values` (n, k) when prompts and raters are drawn again."""
    prompts, raters = draws(by.prompts, resamples, rng), draws(by.raters, resamples, rng)
    sums = np.zeros((values.shape[1], resamples))
    columns = np.ascontiguousarray(values.T, np.float32)
    for start in range(0, len(values), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        weights = prompts[by.prompt[part]]
        weights *= raters[by.rater[part]]
        sums += columns[:, part] @ weights
    return sums


@dataclass(frozen=True)
class Rate:
    """A share from 0 to 1 with its 95 % interval; `n` votes. nan and (0, 1) when n is 0."""

    value: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, float | int | list[float] | None]:
        value = None if self.value != self.value else round(self.value, 5)
        return {"value": value, "interval": [round(self.low, 5), round(self.high, 5)], "n": self.n}


def rates(
    parts: list[tuple[np.ndarray, np.ndarray]], by: Crossed, resamples: int, rng: np.random.Generator
) -> list[Rate]:
    """Shares sum(over) / sum(of), for each pair of arrays with one number a vote, with two-way cluster intervals."""
    sums = resampled_sums(np.stack([column for part in parts for column in part], axis=1), by, resamples, rng)
    return [_rate(over, of, sums[2 * i : 2 * i + 2], by) for i, (over, of) in enumerate(parts)]


def _rate(over: np.ndarray, of: np.ndarray, sums: np.ndarray, by: Crossed) -> Rate:
    total, n = float(of.sum()), int(np.count_nonzero(of))
    if not n:
        return Rate(float("nan"), 0.0, 1.0, 0)
    value = float(over.sum()) / total
    by_prompt, by_rater, by_vote = variance(((over - value * of) / total)[:, None], by)
    se, t = spread(float(by_prompt[0, 0]), float(by_rater[0, 0]), float(by_vote[0, 0]), by)
    counts = [len(np.unique(cluster[of > 0])) for cluster in (by.prompt, by.rater)]
    smallest = min([count for count in counts if count > 1], default=1)
    if se == 0:  # all agree: the resamples say nothing, but so few prompts or raters do
        room = 1 - unanimous(smallest)
        return Rate(value, max(0.0, value - room), min(1.0, value + room), n)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = sums[0] / sums[1] - value
    drawn = drawn[np.isfinite(drawn)]
    width = float(drawn.std())
    if len(drawn) < 2 or width == 0:
        low, high = value - t * se, value + t * se
    else:
        low, high = value + np.quantile(drawn, [0.025, 0.975]) * (se / width * t / Z95)
    return Rate(value, max(0.0, float(low)), min(1.0, float(high)), n)
