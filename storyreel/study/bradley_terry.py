"""Strengths of models from comparisons in pairs, with ties: Davidson (1970), after Bradley and Terry (1952).

    P(i beats j) : P(tie) : P(j beats i)  =  exp(s_i) : exp(nu + (s_i + s_j) / 2) : exp(s_j)

Fitted by Newton's method under a small ridge on the strengths, which keeps them finite when a model wins always.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storyreel.study.clusters import Crossed, spread, variance

RIDGE = 0.01  # as a normal prior of standard deviation 10 on each strength; votes in the tens outweigh it


@dataclass(frozen=True)
class BradleyTerryFit:
    """strengths (m), mean 0, natural logarithms of odds; tie: log odds of a tie between equals (-inf without ties).

    covariances: of (strengths, tie), by prompt, by rater and by vote, each (m + 1, m + 1).
    """

    strengths: np.ndarray
    tie: float
    covariances: tuple[np.ndarray, np.ndarray, np.ndarray]
    by: Crossed

    def contrast(self, weights: np.ndarray) -> tuple[float, float, float]:
        """A weighted sum of strengths with its 95 % interval, clustered over prompts and raters."""
        full = np.append(weights, 0.0)
        by_prompt, by_rater, by_vote = (float(full @ c @ full) for c in self.covariances)
        se, t = spread(by_prompt, by_rater, by_vote, self.by)
        value = float(weights @ self.strengths)
        return value, value - t * se, value + t * se

    def intervals(self) -> list[tuple[float, float, float]]:
        """(strength, low, high) of each model."""
        return [self.contrast(row) for row in np.eye(len(self.strengths)) - 1 / len(self.strengths)]

    def win_probability(self, i: int, j: int) -> tuple[float, float, float]:
        """That i beats j where one of them does (ties left out), with its interval."""
        weights = np.zeros(len(self.strengths))
        weights[i], weights[j] = 1.0, -1.0
        value, low, high = (float(1 / (1 + np.exp(-x))) for x in self.contrast(weights))
        return value, low, high


def probabilities(gap: np.ndarray, tie: float) -> np.ndarray:
    """(n, 3): that the first wins, a tie, that the second wins, for gaps s_i - s_j (n)."""
    logits = np.stack([gap / 2, np.full_like(gap, tie), -gap / 2], axis=1)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def fit(a: np.ndarray, b: np.ndarray, outcome: np.ndarray, by: Crossed, models: int) -> BradleyTerryFit:
    """Fit to one (a, b, outcome) a vote: outcome +1 when model a won, -1 when b did, 0 for a tie."""
    cells, vote_cell = np.unique((a * models + b) * 3 + 1 - outcome, return_inverse=True)
    counts = np.bincount(vote_cell).astype(np.float64)
    first, second, kind = cells // 3 // models, cells // 3 % models, cells % 3  # 0 win, 1 tie, 2 loss
    design = np.zeros((len(cells), models))
    design[np.arange(len(cells)), first] += 1.0
    design[np.arange(len(cells)), second] -= 1.0
    ties = bool((kind == 1).any())
    free = models + ties  # without a single tie its parameter has no finite best value, and is left out
    beta = np.zeros(models + 1)
    beta[-1] = 0.0 if ties else -np.inf
    prior = np.append(np.full(models, RIDGE), [RIDGE] * ties)
    score, hessian = np.zeros((0, free)), np.eye(free)
    for _ in range(100):
        score, hessian = _derivatives(design, kind, beta, ties)
        gradient = counts @ score - prior * beta[:free]
        total = np.tensordot(counts, hessian, 1) + np.diag(prior)
        step = np.linalg.solve(total, gradient)
        beta[:free] += step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))  # Newton, never by leaps
        if np.abs(step).max() < 1e-10:
            break
    score, hessian = _derivatives(design, kind, beta, ties)
    inverse = np.linalg.inv(np.tensordot(counts, hessian, 1) + np.diag(prior))
    covariances = variance((score @ inverse)[vote_cell], by)
    whole = [np.pad(c, (0, models + 1 - free)) for c in covariances]
    beta[:models] -= beta[:models].mean()
    return BradleyTerryFit(beta[:models], float(beta[-1]), (whole[0], whole[1], whole[2]), by)


def _derivatives(design: np.ndarray, kind: np.ndarray, beta: np.ndarray, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of each cell's log-likelihood: gradients (n, free) and negative second derivatives (n, free, free)."""
    models = design.shape[1]
    p = probabilities(design @ beta[:models], float(beta[-1]))
    of_gap = np.array([0.5, 0.0, -0.5])
    mean = p @ of_gap
    gradients = [(of_gap[kind] - mean)[:, None] * design]
    outer = ((p @ of_gap**2 - mean**2)[:, None] * design)[:, :, None] * design[:, None, :]
    if not ties:
        return gradients[0], outer
    gradients.append(((kind == 1) - p[:, 1])[:, None])
    full = np.zeros((len(design), models + 1, models + 1))
    full[:, :models, :models] = outer
    cross = (-mean * p[:, 1])[:, None] * design
    full[:, :models, -1] = full[:, -1, :models] = cross
    full[:, -1, -1] = p[:, 1] * (1 - p[:, 1])
    return np.concatenate(gradients, axis=1), full
