"""FVD and KVD where people look for metrics: batch by batch, the same values as of the whole."""

from __future__ import annotations

import pytest
import torch

from storyreel.evaluate.extractors import load_extractor
from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.kernel import kernel_distance
from storyreel.evaluate.torch_metrics import DistanceOfSets


def videos(seed: int, n: int = 12) -> torch.Tensor:
    return torch.randint(0, 256, (n, 8, 32, 32, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["fvd", "kvd"])
def test_batches_give_what_the_whole_gives(name):
    extractor = load_extractor("tiny")
    metric = DistanceOfSets(name, extractor)
    for part in videos(1).split(5):
        metric.update(part, real=False)
    for part in videos(2).split(4):
        metric.update(part, real=True)
    made, real = extractor.features(videos(1)), extractor.features(videos(2))
    expected = frechet_distance(made, real) if name == "fvd" else kernel_distance(made, real)[0]
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    metric.reset()
    with pytest.raises(ValueError, match="2 clips a side"):
        metric.compute()


def test_bad_names_and_kinds_are_refused():
    with pytest.raises(ValueError, match="expected fvd, fid, kvd"):
        DistanceOfSets("fdv", "tiny")
    with pytest.raises(ValueError, match="expected an extractor of frames, got tiny"):
        DistanceOfSets("fid", "tiny")
