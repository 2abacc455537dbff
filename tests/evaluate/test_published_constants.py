"""What others measured with the real weights: run where these are, else skipped (`storyreel models fetch NAME`)."""

from __future__ import annotations

import pytest
import torch

from storyreel.evaluate.extractors import Extractor, load_extractor
from storyreel.evaluate.frechet import frechet_distance

pytestmark = pytest.mark.needs_download


def real(name: str) -> Extractor:
    try:
        return load_extractor(name)
    except ValueError as error:
        pytest.skip(f"published weights are not here: {error}")


def test_fvd_of_black_and_white_clips():
    """common_metrics_on_video_quality prints 151.26 for 8 clips of 30 frames, all zeros against all ones."""
    i3d = real("i3d-k400")
    black = torch.zeros(8, 30, 64, 64, 3, dtype=torch.uint8)
    found = frechet_distance(i3d.features(black), i3d.features(black + 255))
    assert found == pytest.approx(151.26, rel=0.01)


def test_inception_has_the_published_classes():
    """1,008 logits, of which a grey picture makes no class sure."""
    inception = real("inception-2015")
    logits = inception.logits(torch.full((1, 1, 299, 299, 3), 128, dtype=torch.uint8))
    assert logits.shape == (1, 1, 1008)
    assert float(logits.softmax(-1).max()) < 0.9


def test_clip_tells_red_from_blue():
    clip = real("clip-vit-b-32")
    red = torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)
    red[..., 0] = 255
    texts = clip.text_embeddings(["a plain red picture", "a plain blue picture"])  # pyright: ignore
    scores = (clip.frame_embeddings(red)[:, 0] @ texts.T).squeeze(0)  # pyright: ignore
    assert scores[0] > scores[1]
