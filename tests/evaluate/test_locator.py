"""The digits' judge: exact maps give exact answers, a short training gets most right, and pairs are fair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from storyreel.data.folder import DatasetFolder
from storyreel.data.pack import Pack
from storyreel.data.write import write_world
from storyreel.evaluate.judge_training import JudgeTraining
from storyreel.evaluate.judges import load_judge
from storyreel.evaluate.locator import LocatorConfig, find_tracks, pairs
from storyreel.evaluate.locator_training import LocatedClips, focal, train_locator
from storyreel.evaluate.score import AttributeAccuracy
from storyreel.worlds.digits import Digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    world = Digits(size=32, held_out_share=0.3)
    return write_world(tmp_path_factory.mktemp("digits") / "data", world, 240, 1, workers=1)


def test_from_exact_maps_every_digit_and_motion_is_told(digits: DatasetFolder):
    """The whole way behind the network, on a canvas of 32 pixels seen at 64."""
    locator = LocatorConfig().build()
    clips = LocatedClips(digits, Pack.open(digits, 64, 3, None), locator.config, range(len(digits)))
    metric = AttributeAccuracy(locator.attributes)
    for pick in range(len(clips)):
        seen = locator.tell(clips.maps(pick, np.arange(10)))
        metric.update(*pairs(seen, clips.expected[pick]))
    shares = metric.compute().shares
    assert shares["count"].accuracy > 0.98  # two digits may lie on one another all the time
    assert shares["digits"].accuracy > 0.98
    assert shares["motions"].accuracy > 0.97


def test_positions_are_finer_than_the_map():
    config = LocatorConfig(classes=("0",))
    at = np.array([[20.0, 33.5], [41.25, 10.0]])
    place = (np.arange(16) + 0.5) * 4 - 0.5
    heat = np.exp(-0.5 * (((place[None, :, None] - at[:, 1, None, None]) / 4) ** 2))
    heat = heat * np.exp(-0.5 * (((place[None, None] - at[:, 0, None, None]) / 4) ** 2))
    tracks, surety = find_tracks(heat[:, None])
    assert np.abs(tracks[0] - at).max() < 1.0 < 4 == config.size / 16
    assert surety.shape == (1, 2)


def test_a_short_training_finds_most_digits_and_their_motions(digits: DatasetFolder, tmp_path: Path):
    losses: list[float] = []
    how = JudgeTraining(steps=120, batch=8, lr=4e-3, warmup=10)
    config = LocatorConfig(size=32, dim=32, dilations=(1, 2))
    locator, report, held_out = train_locator(
        digits, how, config=config, on_step=lambda step, loss: losses.append(loss)
    )
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:10])
    assert report.clips == 24
    assert held_out.clips > 0
    assert report.shares["motions"].accuracy > 0.6  # chance is one in ten
    assert report.shares["digits"].accuracy > 0.4  # as is this

    locator.save(tmp_path, card="# digits", facts={})
    again = load_judge(tmp_path)
    unseen = [i for i in range(len(digits)) if i % 10 == 9]
    measured = again.accuracy((digits.clip(i) for i in unseen), [digits.row(i)["attributes"] for i in unseen])
    assert measured.shares["motions"].accuracy == pytest.approx(report.shares["motions"].accuracy, abs=0.06)


def test_a_wanted_digit_is_compared_with_itself_and_the_rest_with_what_is_left():
    seen = [{"digits": "4", "motions": "up"}, {"digits": "7", "motions": "left"}]
    made = pairs(seen, {"digits": [7, 9], "motions": ["left", "up"]})
    assert made == [
        ({"digits": "7", "motions": "left"}, {"digits": "7", "motions": "left"}),
        ({"digits": "4", "motions": "up"}, {"digits": "9", "motions": "up"}),
        ({"count": "2"}, {"count": "2"}),
    ]
    missing = pairs([], {"digits": [3], "motions": ["up"]})
    assert missing[0] == ({"digits": None, "motions": None}, {"digits": "3", "motions": "up"})
    assert pairs(seen, {"digits": [7]})[0][1] == {"digits": "7", "motions": None}  # a caption without motions


def test_the_focal_loss_is_least_at_the_truth():
    heat = torch.zeros(1, 1, 4, 4)
    heat[0, 0, 1, 2] = 1
    right = torch.where(heat == 1, 8.0, -8.0)
    assert focal(right, heat) < 1e-4 < focal(torch.zeros_like(heat), heat) < focal(-right, heat)
