"""Videos made smaller, larger, longer and shorter, and networks that run on them piece by piece."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from storyreel.nn.video_resample import (
    at_frames,
    blank_filled,
    cut_to_aspect,
    frame_places,
    random_crop,
    resized,
)
from storyreel.nn.video_unet_tiles import Tiles, in_tiles


def numbered(frames: int) -> torch.Tensor:
    return torch.arange(float(frames)).view(1, 1, frames, 1, 1).expand(2, 3, frames, 4, 6)


def test_frames_repeat_and_are_left_out_evenly():
    assert frame_places(4, 8).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert frame_places(8, 4).tolist() == [1, 3, 5, 7]
    assert frame_places(3, 5).tolist() == [0, 0, 1, 2, 2]
    assert at_frames(numbered(8), 4)[0, 0, :, 0, 0].tolist() == [1, 3, 5, 7]
    assert at_frames(numbered(1), 3).shape == (2, 3, 3, 4, 6)


def test_blanks_keep_every_frame_at_its_time():
    filled = blank_filled(numbered(3) + 1, 6)
    assert filled.shape == (2, 4, 6, 4, 6)
    assert filled[0, 0, :, 0, 0].tolist() == [0, 1, 0, 2, 0, 3]
    assert filled[0, 3, :, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="frames: 3 frames cannot be spread over 2"):
        blank_filled(numbered(3), 2)


def test_frames_counted_from_the_first_are_among_those_of_every_multiple():
    for few, many in ((2, 4), (4, 8), (16, 128)):
        kept = frame_places(many, few, "first").tolist()
        assert kept == list(range(0, many, many // few))
        assert torch.equal(
            at_frames(at_frames(numbered(128), many, "first"), few, "first"), at_frames(numbered(128), few, "first")
        )
    filled = blank_filled(numbered(2) + 1, 4, "first")
    assert filled[0, 0, :, 0, 0].tolist() == [1, 0, 2, 0]
    assert filled[0, 3, :, 0, 0].tolist() == [1, 0, 1, 0]


def test_each_frame_is_resized_by_itself():
    video = torch.rand(2, 3, 4, 8, 12)
    small = resized(video, 4, 6)
    assert small.shape == (2, 3, 4, 4, 6)
    torch.testing.assert_close(small[:, :, 1:2], resized(video[:, :, 1:2], 4, 6))
    torch.testing.assert_close(resized(torch.full((1, 3, 2, 8, 8), 0.3), 5, 3), torch.full((1, 3, 2, 5, 3), 0.3))
    assert abs(float(small.mean() - video.mean())) < 0.02, "an antialiased picture keeps its brightness"


def test_the_middle_is_cut_out():
    video = torch.arange(12.0).expand(1, 1, 1, 6, 12)
    assert cut_to_aspect(video, 4, 4)[0, 0, 0, 0].tolist() == [3, 4, 5, 6, 7, 8]
    assert cut_to_aspect(video, 1, 4).shape[3:] == (3, 12)
    assert cut_to_aspect(video, 3, 6) is video


def test_a_crop_is_the_same_in_all_frames():
    place = torch.arange(64.0).view(1, 1, 1, 8, 8).expand(6, 2, 3, 8, 8)
    cut = random_crop(place, 4, torch.Generator().manual_seed(0))
    assert cut.shape == (6, 2, 3, 4, 4)
    corners = cut[:, 0, :, 0, 0]
    assert corners.eq(corners[:, :1]).all()
    assert len(corners[:, 0].unique()) > 2
    assert random_crop(place, 9, torch.Generator()) is place


@pytest.mark.parametrize(("size", "frames", "halo"), [(4, 2, 3), (6, 0, 2), (0, 3, 2), (64, 64, 1)])
def test_pieces_give_what_the_whole_gives(size: int, frames: int, halo: int):
    video, kernel = torch.randn(2, 3, 7, 14, 10), torch.randn(4, 3, 5, 5, 5)
    tiles = Tiles(size=size, frames=frames, halo=halo, halo_frames=2)
    seen = []

    def net(piece: torch.Tensor, which: tuple[slice, slice, slice]) -> torch.Tensor:
        assert piece.equal(video[(slice(None), slice(None), *which)])
        seen.append(piece.shape[2:])
        return F.conv3d(piece, kernel, padding=2)

    torch.testing.assert_close(in_tiles(net, video, tiles, 2), F.conv3d(video, kernel, padding=2), atol=1e-4, rtol=1e-4)
    assert all(s[1] % 2 == s[2] % 2 == 0 for s in seen), "pieces divide as the network needs it"
    assert tiles.needed(*video.shape[2:]) == (len(seen) > 1)


def test_pieces_of_less_than_nothing_are_refused():
    with pytest.raises(ValueError, match="halo: expected 0 or more, got -1"):
        Tiles(halo=-1, halo_frames=0)
