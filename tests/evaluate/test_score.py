"""Shares, their intervals, and how clips are counted."""

from __future__ import annotations

import math

import pytest

from storyreel.evaluate.interval import wilson
from storyreel.evaluate.score import AttributeAccuracy, labels


def test_wilson_is_the_textbooks():
    """Newcombe (1998), table I: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_is_not_visible_is_not_scored():
    metric = AttributeAccuracy(("head", "feet"))
    metric.update(({"head": "hat", "feet": "bare"}, {"head": "hat", "feet": None}))
    metric.update(({"head": "hood", "feet": "bare"}, {"head": "hat", "feet": "boots"}))
    report = metric.compute()
    assert (report.shares["head"].right, report.shares["head"].n) == (1, 2)
    assert (report.shares["feet"].right, report.shares["feet"].n) == (0, 1)
    assert report.shares["head"].mistakes == (("hat", "hood", 1),)
    assert report.mean == pytest.approx(0.25)  # the plain mean of a half and nothing
    assert report.clips == 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    import numpy as np

    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(100):
        metric = AttributeAccuracy(("a", "b"))
        for right in rng.random((100, 2)) < (0.8, 0.6):
            metric.update(({"a": str(right[0]), "b": str(right[1])}, {"a": "True", "b": "True"}))
        low, high = metric.compute(resamples=200, seed=trial).interval
        inside += low <= 0.7 <= high
    assert 85 <= inside <= 100


def test_merging_is_counting_together():
    one, two, both = (AttributeAccuracy(("a",)) for _ in range(3))
    for part, seen in ((one, "x"), (two, "y"), (two, "x")):
        part.update(({"a": seen}, {"a": "x"}))
        both.update(({"a": seen}, {"a": "x"}))
    one.merge(two)
    assert one.compute() == both.compute()
    with pytest.raises(ValueError, match="cannot merge"):
        one.merge(AttributeAccuracy(("b",)))


def test_nothing_measured_says_so():
    report = AttributeAccuracy(("a",)).compute()
    assert math.isnan(report.mean)
    assert report.interval == (0.0, 1.0)
    assert report.as_json()["mean"]["accuracy"] is None


def test_attributes_become_words():
    given = {"digits": [3, 7], "motion": "up", "head": None, "speed": 0.25, "bald": True}
    assert labels(given) == {"digits_1": "3", "digits_2": "7", "motion": "up", "head": None, "bald": "True"}
    assert labels(given, only=["digits"]) == {"digits_1": "3", "digits_2": "7"}


def test_all_right_counts_clips_of_which_everything_that_is_scored_is_right():
    metric = AttributeAccuracy(("head", "feet"))
    metric.update(({"head": "hat", "feet": "bare"}, {"head": "hat", "feet": None}))  # feet are not scored
    metric.update(({"head": "hat", "feet": "bare"}, {"head": "hat", "feet": "boots"}))
    metric.update(({"head": "hat", "feet": "boots"}, {"head": "hat", "feet": "boots"}))
    metric.update(({"head": "hat", "feet": "boots"}, {}))  # nothing is scored
    report = metric.compute()
    assert (report.all_right.right, report.all_right.n) == (2, 3)
    assert report.as_json()["all_right"]["accuracy"] == pytest.approx(2 / 3, abs=1e-5)
    assert any(line.startswith("all right") and "66.67" in line for line in report.lines())


def test_accuracy_relative_to_real_clips():
    from reproductions.accuracies import relative_of

    ours, real = AttributeAccuracy(("a", "b")), AttributeAccuracy(("a", "b"))
    for i in range(40):
        wanted = {"a": "x", "b": "y"}
        ours.update(({"a": "x", "b": "y" if i % 2 else "n"}, wanted))
        real.update(({"a": "x", "b": "y" if i % 4 else "n"}, wanted))
    mean = relative_of(ours, real)
    assert mean.value == pytest.approx(0.75 / 0.875)
    assert mean.low < mean.value < mean.high
    assert relative_of(ours, real, all_right=True).value == pytest.approx(0.5 / 0.75)
    with pytest.raises(ValueError, match="expected as many"):
        relative_of(ours, AttributeAccuracy(("a", "b")))
