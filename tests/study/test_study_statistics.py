"""The statistics against textbook examples, scipy, and simulated raters of known strength."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import true_win_rate, votes_of

from storyreel.study import agreement
from storyreel.study.binomial import half_width, holm, prompts_for, sign_test, t95, unanimous
from storyreel.study.bradley_terry import fit, probabilities
from storyreel.study.clusters import Crossed, rates

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": a row an observer, "." where one gave no value.
WITH_GAPS = ("123321412...", "1233224125.3", ".333234225 1.".replace(" ", ""), "12332441251.")
TWO_VALUES = ("0100000010", "1110010000")
FIVE_VALUES = ("aabbdcccedda", "babbbccceddd")
# Fleiss (1971) as worked in Wikipedia's article: 10 subjects, 14 raters, 5 categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def counted(observers: tuple[str, ...]) -> np.ndarray:
    values = sorted(set("".join(observers)) - {"."})
    votes = [(u, values.index(v)) for row in observers for u, v in enumerate(row) if v != "."]
    unit, answer = np.array(votes).T
    return agreement.tally(unit, answer, len(values))


@pytest.mark.parametrize(
    ("observers", "alpha"), [(WITH_GAPS, 0.743), (TWO_VALUES, 0.095), (FIVE_VALUES, 0.692)], ids=["gaps", "two", "five"]
)
def test_krippendorffs_own_examples(observers: tuple[str, ...], alpha: float):
    assert agreement.krippendorff_alpha(counted(observers)) == pytest.approx(alpha, abs=5e-4)


def test_fleiss_textbook_example():
    assert agreement.fleiss_kappa(np.array(FLEISS)) == pytest.approx(0.210, abs=5e-4)
    assert agreement.raw_agreement(np.array(FLEISS)) == pytest.approx(0.378, abs=5e-4)


def test_agreement_at_its_ends():
    assert agreement.krippendorff_alpha(np.array([[5, 0], [0, 5]])) == 1
    assert agreement.fleiss_kappa(np.array([[5, 0], [0, 5]])) == 1
    assert np.isnan(agreement.krippendorff_alpha(np.array([[1, 0], [0, 1]])))  # nobody to compare with
    assert np.isnan(agreement.krippendorff_alpha(np.array([[3, 0], [2, 0]])))  # one answer: chance explains all
    assert np.isnan(agreement.fleiss_kappa(np.zeros((0, 3), int)))


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (8, 2), (3, 3), (0, 30), (61, 44), (60_000, 59_000), (700, 1)])
def test_sign_test_is_scipys(wins: int, losses: int):
    stats = pytest.importorskip("scipy.stats")
    wanted = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(wanted, rel=1e-9)


def test_students_t_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 3, 4.5, 8, 29, 1e4):
        assert t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-4)


def test_holm_by_hand():
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_power():
    assert (round(100 * half_width(100), 1), round(100 * half_width(300), 1)) == (9.8, 5.7)
    assert half_width(100, raters=5, alike=0.0) == pytest.approx(half_width(500))
    assert half_width(100, raters=5, alike=1.0) == pytest.approx(half_width(100))
    assert prompts_for(0.05) == 385
    assert unanimous(10) == pytest.approx(0.6915, abs=1e-4)


# prompts, raters, raters a prompt, spread of prompts' and of raters' tastes
DESIGNS = [(30, 8, 5, 0.8, 0.8), (30, 8, 5, 0.0, 0.0), (12, 40, None, 0.3, 1.0), (40, 5, 5, 1.0, 0.0)]


@pytest.mark.parametrize("design", DESIGNS, ids=["both", "neither", "raters", "prompts"])
def test_intervals_cover_the_truth_as_often_as_they_say(design: tuple[int, int, int | None, float, float]):
    """120 studies; 95 % intervals must hold the truth 90 to 100 % of the time, and not by being wide."""
    prompts, raters, each, by_prompt, by_rater = design
    rng = np.random.default_rng(5)
    truth = true_win_rate(0.5, -1.0, float(np.hypot(by_prompt, by_rater)))
    held, widths, values = 0, [], []
    for _ in range(120):
        prompt, rater, outcome = votes_of(0.5, prompts, raters, rng, by_prompt=by_prompt, by_rater=by_rater, each=each)
        rate = rates([((outcome + 1) / 2, np.ones(len(outcome)))], Crossed.of(prompt, rater), 200, rng)[0]
        held += rate.low <= truth <= rate.high
        widths.append(rate.high - rate.low)
        values.append(rate.value)
    assert held / 120 >= 0.90
    assert np.mean(widths) < 1.6 * 2 * 1.96 * np.std(values)


def test_an_interval_that_ignores_clusters_would_not():
    """The same studies, every vote taken as independent: far too sure. So the clusters are what makes it right."""
    rng = np.random.default_rng(5)
    truth = true_win_rate(0.5, -1.0, float(np.hypot(0.8, 0.8)))
    held = 0
    for _ in range(120):
        outcome = votes_of(0.5, 30, 8, rng, by_prompt=0.8, by_rater=0.8, each=5)[2]
        score = (outcome + 1) / 2
        held += abs(score.mean() - truth) <= 1.96 * score.std() / np.sqrt(len(score))
    assert held / 120 < 0.85


def test_unanimous_votes_are_not_certainty():
    by = Crossed.of(np.repeat(np.arange(20), 5), np.tile(np.arange(5), 20))
    rate = rates([(np.ones(100), np.ones(100))], by, 100, np.random.default_rng(0))[0]
    assert (rate.value, rate.high) == (1.0, 1.0)
    assert rate.low == pytest.approx(unanimous(5))  # five raters are five, however many prompts they saw


def test_two_models_have_a_closed_form():
    outcome = np.repeat([1, 0, -1], [500, 200, 300])
    clusters = Crossed.of(np.arange(1000) % 50, np.arange(1000) % 40)
    found = fit(np.zeros(1000, int), np.ones(1000, int), outcome, clusters, 2)
    assert found.strengths[0] - found.strengths[1] == pytest.approx(np.log(500 / 300), abs=1e-3)
    assert found.tie == pytest.approx(np.log(200 / np.sqrt(500 * 300)), abs=1e-3)
    assert found.win_probability(0, 1)[0] == pytest.approx(5 / 8, abs=1e-3)


def test_bradley_terry_is_the_maximum_that_scipy_finds():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 300), rng.integers(2, 4, 300)
    outcome = rng.integers(-1, 2, 300)
    found = fit(a, b, outcome, Crossed.of(np.arange(300) % 30, np.arange(300) % 20), 4)

    def loss(beta: np.ndarray) -> float:
        p = probabilities(beta[a] - beta[b], beta[4])
        return -np.log(p[np.arange(300), 1 - outcome]).sum() + 0.005 * (beta**2).sum()

    best = optimize.minimize(loss, np.zeros(5), tol=1e-12).x
    assert found.strengths == pytest.approx(best[:4] - best[:4].mean(), abs=1e-4)
    assert found.tie == pytest.approx(best[4], abs=1e-4)


def test_strengths_are_recovered_within_their_intervals():
    """60 studies of four models: the intervals of the gaps hold the true ones, and the mean has no bias."""
    truth, rng = np.array([0.9, 0.2, -0.3, -0.8]), np.random.default_rng(2)
    held, gaps = 0, []
    for _ in range(60):
        columns: list[list[np.ndarray]] = [[], [], [], [], []]
        for i in range(4):
            for j in range(i + 1, 4):
                prompt, rater, outcome = votes_of(truth[i] - truth[j], 30, 12, rng, each=5)
                for column, part in zip(
                    columns, (prompt, rater, outcome, np.full(150, i), np.full(150, j)), strict=True
                ):
                    column.append(part)
        prompt, rater, outcome, a, b = map(np.concatenate, columns)
        found = fit(a, b, outcome, Crossed.of(prompt, rater), 4)
        value, low, high = found.contrast(np.array([1.0, 0, 0, -1.0]))
        held += low <= 1.7 <= high
        gaps.append(value)
    assert held / 60 >= 0.9
    assert np.mean(gaps) == pytest.approx(1.7, abs=0.06)
