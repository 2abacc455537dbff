"""Damages done to clips, each with its own random numbers."""

from __future__ import annotations

import torch

from storyreel.nn.damage import damage, unlike_itself
from storyreel.nn.dual_encoder import DAMAGES


def clips(count: int = len(DAMAGES)) -> torch.Tensor:
    return torch.rand(count, 3, 6, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def done(video: torch.Tensor, kinds: list[int]) -> torch.Tensor:
    return damage(video, torch.tensor(kinds), torch.Generator().manual_seed(1))


def test_every_damage_changes_its_clip_alone():
    video, whole = clips(), list(range(len(DAMAGES)))
    out = done(video, whole)
    assert torch.equal(out[0], video[0])
    assert all(not torch.equal(a, b) for a, b in zip(out[1:], video[1:], strict=True))
    assert out.abs().max() <= 1.2
    for kind in whole[1:]:  # its random numbers do not depend on what happens to the others
        alone = done(video, [kind if i == kind else 0 for i in whole])
        assert torch.equal(alone[kind], out[kind])
        assert torch.equal(alone[0], video[0])


def test_a_shuffled_order_is_never_that_of_time():
    assert unlike_itself(torch.tensor([0.1, 0.2, 0.3])).tolist() == [2, 0, 1]
    assert unlike_itself(torch.tensor([0.3, 0.2, 0.1])).tolist() == [2, 1, 0]


def test_tensors_without_contents_are_left_alone():
    video = torch.empty(2, 3, 6, 16, 16, device="meta")
    assert damage(video, torch.empty(2, dtype=torch.int64, device="meta"), torch.Generator()).shape == video.shape
