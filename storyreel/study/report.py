"""What the votes of a study say: each pair of models on each question, with what is known about the raters."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from storyreel.study import agreement
from storyreel.study.ballots import ANSWERS, KINDS, Ballots
from storyreel.study.binomial import half_width, holm, sign_test
from storyreel.study.bradley_terry import fit
from storyreel.study.clusters import Crossed, Rate, rates
from storyreel.study.plan import NOISE, PAIR, SAME, Study
from storyreel.study.presets import BOTH_BAD, TIE

RESAMPLES = 1000
PASS = 2 / 3  # share of catch answers that a rater must have right


def report(study: Study, votes: Ballots, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """One JSON document: `all` has the figures of all raters, `passed` of those who passed the catch trials.

    `passed` is None when nobody failed, or everybody. ValueError when there are no votes on pairs.
    """
    real = votes.where(votes.kind == KINDS.index(PAIR))
    if not len(real):
        raise ValueError(f"{study.folder}: no votes on pairs yet, only on catch trials")
    catch, failed = _catch(votes)
    passed = real.where(~np.isin(real.rater, failed))
    whole = _section(study, real, resamples, seed)
    return {
        "study": {"preset": study.preset, "models": list(study.models), "seed": study.seed},
        "prompts": len(study.prompts),
        "catch": catch,
        "all": whole,
        "passed": _section(study, passed, resamples, seed) if failed and len(passed) else None,
        "power": _power(study, whole),
    }


def _catch(votes: Ballots) -> tuple[dict[str, Any], list[int]]:
    """How catch trials were answered, and the raters who failed them."""
    noise, same = (votes.kind == KINDS.index(kind) for kind in (NOISE, SAME))
    tied = votes.answer >= ANSWERS.index(TIE)
    right = (noise & (votes.answer == 0)) | (same & tied)
    is_catch = noise | same
    raters, place = np.unique(votes.rater, return_inverse=True)
    n = np.bincount(place[is_catch], minlength=len(raters))
    good = np.bincount(place[right], minlength=len(raters))
    failed = (n > 0) & (good < PASS * n - 1e-9)
    doc = {
        NOISE: {"right": int((right & noise).sum()), "n": int(noise.sum())},
        SAME: {"right": int((right & same).sum()), "n": int(same.sum())},
        "raters_passed": int(((n > 0) & ~failed).sum()),
        "raters_failed": int(failed.sum()),
        "raters_not_tested": int((n == 0).sum()),
    }
    tested = doc["raters_passed"] + doc["raters_failed"]
    return {**doc, "pass_rate": doc["raters_passed"] / tested if tested else None}, raters[failed].tolist()


def _section(study: Study, votes: Ballots, resamples: int, seed: int) -> dict[str, Any]:
    comparisons, strengths, agreed = [], [], []
    for q, question in enumerate(study.questions):
        answers = votes.where(votes.question == q)
        for a, b in combinations(range(len(study.models)), 2):
            part = answers.where((answers.a == a) & (answers.b == b))
            if len(part):
                rng = np.random.default_rng([seed, q, a, b])
                names = {"question": question.name, "a": study.models[a], "b": study.models[b]}
                comparisons.append(names | _comparison(part, resamples, rng))
        if len(answers):
            strengths.append({"question": question.name, **_strengths(study, answers)})
            agreed.append({"question": question.name, **_agreement(answers)})
    for row, p in zip(comparisons, holm([row["sign_test"]["p"] for row in comparisons]), strict=True):
        row["sign_test"]["p_holm"] = p
    left, right = int((votes.left == 1).sum()), int((votes.left == 0).sum())
    return {
        "votes": len(votes),
        "raters": len(np.unique(votes.rater)),
        "comparisons": comparisons,
        "bradley_terry": strengths,
        "agreement": agreed,
        "side": {"left": left, "right": right, "p": sign_test(left, right)},
    }


def _comparison(votes: Ballots, resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """Of one pair of models on one question."""
    outcome = votes.outcome
    wins, losses, ties = (int((outcome == k).sum()) for k in (1, -1, 0))
    by = Crossed.of(votes.prompt, votes.rater)
    decided = (outcome != 0).astype(float)
    half, certain = rates(
        [((outcome + 1) / 2, np.ones(len(votes))), ((outcome == 1).astype(float), decided)], by, resamples, rng
    )
    prompts = np.bincount(by.prompt, outcome)
    plus, minus = int((prompts > 0).sum()), int((prompts < 0).sum())
    return {
        "votes": len(votes),
        "prompts": by.prompts,
        "raters": by.raters,
        "wins": wins,
        "ties": ties,
        "losses": losses,
        "both_bad": int((votes.answer == ANSWERS.index(BOTH_BAD)).sum()),
        "win_rate": half.as_json(),
        "win_rate_without_ties": certain.as_json(),
        "majority": _majority(votes, resamples, rng),
        "sign_test": {"prompts_for_a": plus, "prompts_for_b": minus, "p": sign_test(plus, minus)},
    }


def _majority(votes: Ballots, resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """As Make-A-Video counts: each pair of clips goes to the model with more votes; equal votes are half to each.

    The interval is over prompts; these raters are taken as they are.
    """
    items, first, place = np.unique(votes.item, return_index=True, return_inverse=True)
    verdict = np.sign(np.bincount(place, votes.outcome))
    by = Crossed.of(votes.prompt[first], np.zeros(len(items)))
    rate: Rate = rates([((verdict + 1) / 2, np.ones(len(items)))], by, resamples, rng)[0]
    counts = {"a": int((verdict > 0).sum()), "b": int((verdict < 0).sum()), "undecided": int((verdict == 0).sum())}
    return {**counts, **rate.as_json()}


def _strengths(study: Study, votes: Ballots) -> dict[str, Any]:
    """Bradley-Terry; intervals are None where the votes do not place every model on one finite scale."""
    m = len(study.models)
    fitted = fit(votes.a, votes.b, votes.outcome, Crossed.of(votes.prompt, votes.rater), m)
    placed = _placed(votes, m)
    models = [
        {"model": name, "strength": _round(value), "interval": [_round(low), _round(high)] if placed else None}
        for name, (value, low, high) in zip(study.models, fitted.intervals(), strict=True)
    ]
    beats = [[fitted.win_probability(i, j) if i != j else None for j in range(m)] for i in range(m)]
    certain = [[[_round(v) for v in x[1:]] if x and placed else None for x in row] for row in beats]
    return {
        "models": models,
        "tie": _round(fitted.tie) if np.isfinite(fitted.tie) else None,
        "win_probability": [[x and _round(x[0]) for x in row] for row in beats],
        "win_probability_intervals": certain,
    }


def _placed(votes: Ballots, models: int) -> bool:
    """Whether finite strengths exist (Ford 1957): from each model a chain of wins or ties leads to each other one."""
    reach = np.eye(models, dtype=bool)
    won = votes.outcome
    reach[votes.a[won >= 0], votes.b[won >= 0]] = True
    reach[votes.b[won <= 0], votes.a[won <= 0]] = True
    for _ in range(models):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return bool(reach.all())


def _round(value: float) -> float:
    return round(float(value), 5)


def _agreement(votes: Ballots) -> dict[str, Any]:
    counts = agreement.tally(votes.item, votes.answer, len(ANSWERS))
    figures = {
        "krippendorff_alpha": agreement.krippendorff_alpha(counts),
        "fleiss_kappa": agreement.fleiss_kappa(counts),
        "raw": agreement.raw_agreement(counts),
    }
    known = {name: None if value != value else _round(value) for name, value in figures.items()}
    return {**known, "pairs": int((counts.sum(1) >= 2).sum())}


def _power(study: Study, section: dict[str, Any]) -> dict[str, Any]:
    """What n prompts can tell, and how many it would take to know the least certain win rate to within 5 points."""
    halves = [(c["win_rate"]["interval"], c["prompts"]) for c in section["comparisons"]]
    needed = max((prompts * ((high - low) / 2 / 0.05) ** 2 for (low, high), prompts in halves), default=0.0)
    return {
        "half_width": {str(n): _round(half_width(n)) for n in sorted({50, 100, 300, 1000, len(study.prompts)})},
        "prompts_for_5_points": int(np.ceil(needed)),
    }
