"""Sprite sheets: the grid, the atlas, and atlases that other programs wrote."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel import video_io
from storyreel.atlas import Grid, Sheet, Tag
from storyreel.clip import Clip
from storyreel.own_clips import check_place


def noise(count: int, height: int, width: int, channels: int = 4) -> Clip:
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return Clip(pixels, Fraction(12), "a walk", {"seed": 1})


@pytest.mark.parametrize(("count", "size"), [(2, (8, 8)), (7, (5, 9)), (1000, (4, 4))])
@pytest.mark.parametrize("scale", [None, 2])
def test_sheet_and_atlas(tmp_path: Path, count: int, size: tuple[int, int], scale: int | None) -> None:
    clip, factor = noise(count, *size), scale or 1
    path = video_io.write(clip, tmp_path / "walk.png", scale=scale)
    atlas = json.loads((tmp_path / "walk.json").read_text())
    assert len(atlas["frames"]) == count
    assert list(atlas["frames"]) == sorted(atlas["frames"], key=int)
    with Image.open(path) as image:
        sheet = np.asarray(image)
        assert atlas["meta"]["size"] == {"w": image.width, "h": image.height}
    assert max(sheet.shape[:2]) <= 3 * min(sheet.shape[:2])
    width, height = size[1] * factor, size[0] * factor
    for index, entry in enumerate(atlas["frames"].values()):
        box = entry["frame"]
        assert (entry["rotated"], entry["trimmed"]) == (False, False)
        assert (box["w"], box["h"]) == (width, height)
        assert entry["sourceSize"] == {"w": width, "h": height}
        assert entry["spriteSourceSize"] == {"x": 0, "y": 0, "w": width, "h": height}
        cut = sheet[box["y"] : box["y"] + height, box["x"] : box["x"] + width]
        assert (cut[::factor, ::factor] == clip.frames[index]).all()
    assert sum(entry["duration"] for entry in atlas["frames"].values()) == round(count * 1000 / 12)
    meta = atlas["meta"]
    assert (meta["app"], meta["image"], meta["format"]) == ("storyreel", "walk.png", "RGBA8888")
    assert meta["frameTags"] == [{"name": "walk", "from": 0, "to": count - 1, "direction": "forward"}]
    assert meta["animations"] == {"walk": [str(i) for i in range(count)]}
    assert meta["scale"] == factor
    for name in ("walk.png", "walk.json"):
        back = video_io.read(tmp_path / name)
        assert (back.frames[:, ::factor, ::factor] == clip.frames).all()
        assert (back.fps, back.caption, back.meta) == (clip.fps, "a walk", {"seed": 1})


def foreign(folder: Path, frames: Any, sheet: np.ndarray, **meta: Any) -> Path:
    Image.fromarray(sheet).save(folder / "s.png")
    (folder / "s.json").write_text(json.dumps({"frames": frames, "meta": {"image": "s.png", **meta}}))
    return folder / "s.json"


def test_trimmed_and_rotated_frames_in_array_form(tmp_path: Path) -> None:
    sheet = np.random.default_rng(0).integers(1, 256, (10, 10, 4), dtype=np.uint8)
    sizes = {"spriteSourceSize": {"x": 1, "y": 2, "w": 4, "h": 2}, "sourceSize": {"w": 8, "h": 6}}
    frames = [
        {"filename": "a", "frame": {"x": 0, "y": 0, "w": 4, "h": 2}, "rotated": False, "trimmed": True, **sizes},
        {"filename": "b", "frame": {"x": 5, "y": 1, "w": 4, "h": 2}, "rotated": True, "trimmed": True, **sizes},
    ]
    clip = video_io.read(foreign(tmp_path, frames, sheet))
    assert clip.frames.shape == (2, 6, 8, 4)
    assert clip.fps == 10
    assert (clip.frames[0, 2:4, 1:5] == sheet[0:2, 0:4]).all()
    assert (clip.frames[1, 2:4, 1:5] == np.rot90(sheet[1:5, 5:7])).all()
    assert clip.frames[:, 0].max() == 0


def test_own_durations_become_a_steady_rate(tmp_path: Path) -> None:
    sheet = np.repeat(np.arange(3, dtype=np.uint8), 4)[None, :, None] * np.ones((4, 1, 3), np.uint8)
    frames = {
        str(i): {"frame": {"x": 4 * i, "y": 0, "w": 4, "h": 4}, "duration": d} for i, d in enumerate((100, 200, 100))
    }
    clip = video_io.read(foreign(tmp_path, frames, sheet))
    assert (clip.fps, clip.frames[:, 0, 0, 0].tolist()) == (10, [0, 1, 1, 2])


@pytest.mark.parametrize(
    "frame",
    [
        {"x": 8, "y": 0, "w": 4, "h": 4},
        {"x": -1, "y": 0, "w": 4, "h": 4},
        {"x": 0, "y": 0, "w": 0, "h": 4},
        {"x": 0, "y": 0, "w": 99999999, "h": 4},
        {"x": 0, "y": 0},
        {"x": "left", "y": 0, "w": 1, "h": 1},
        7,
    ],
)
def test_broken_atlases_get_one_clear_line(tmp_path: Path, frame: Any) -> None:
    path = foreign(tmp_path, {"a": {"frame": frame}}, np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(ValueError, match=r"s\.json") as caught:
        video_io.read(path)
    assert "\n" not in str(caught.value)


def test_json_that_is_no_atlas(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for text in ("{}", '{"frames": {}, "meta": {}}', "{oops", '{"frames": [1], "meta": 3}', '{"a":' * 50_000):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ValueError, match=r"a\.json"):
            video_io.read(tmp_path / "a.json")
        assert len(video_io.read(tmp_path / "a.png")) == 1  # the picture itself is fine


def test_an_atlas_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "in").mkdir()
    frames = {"a": {"frame": {"x": 0, "y": 0, "w": 4, "h": 4}}}
    atlas = {"frames": frames, "meta": {"image": "../secret.png"}}
    (tmp_path / "in" / "a.json").write_text(json.dumps(atlas))
    with pytest.raises(FileNotFoundError):
        video_io.read(tmp_path / "in" / "a.json")


def test_an_atlas_of_somebody_elses_is_no_place_for_a_sheet(tmp_path: Path) -> None:
    (tmp_path / "walk.json").write_text("mine")
    with pytest.raises(OSError, match=r"walk\.json"):
        check_place(tmp_path / "walk.png")
    check_place(tmp_path / "run.png")
    video_io.write(noise(2, 8, 8), tmp_path / "run.png")
    check_place(tmp_path / "run.png")  # ours, with its atlas


def test_padding_keeps_frames_apart_and_gives_rgb_a_matte(tmp_path: Path) -> None:
    clip = noise(3, 4, 5, 3)
    sheet = Sheet(clip.frames, [(0, 0), (1, 0), (0, 1)], [100] * 3, [Tag("a", 0, 1), Tag("b", 2, 2, once=True)])
    picture = np.asarray(Image.open(sheet.save(tmp_path / "s.png", 2, Grid(padding=1, pot=True))))
    assert picture.shape == (32, 32, 4)
    assert (picture[1:9, 1:11, :3][::2, ::2] == clip.frames[0]).all()
    assert (picture[1:9, 12:22, :3][::2, ::2] == clip.frames[1]).all()
    assert picture[..., 3].sum() == 255 * 3 * 8 * 10
    back = video_io.read(tmp_path / "s.png")
    assert (back.frames[:, ::2, ::2, :3] == clip.frames).all()
