"""The sheet of a character as files: layout, tags, scales, licence, icon, and what is never written over."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel import Clip, read, read_meta
from storyreel.atlas import Grid
from storyreel.generate.character import DrawnCharacter
from storyreel.generate.sheet_file import laid_out
from storyreel.options.sheet import SheetOptions
from storyreel.worlds import find


def drawn(**settings: Any) -> DrawnCharacter:
    """A character whose frames say which they are: red is the row of the layout, green the frame."""
    world = find("sprites")
    assert world.sheet is not None
    options = SheetOptions.of({"prompt": "a knight", **settings})
    rows = world.sheet.rows(options.actions or list(world.sheet.actions))
    clips = {}
    for row, where in enumerate(rows):
        frames = np.zeros((8, 64, 64, 4), np.uint8)
        for i in range(8):
            frames[i, 10:60, 20:44] = (10 + row, 10 + i, 7, 255)
        clips[where] = Clip(frames, Fraction(8))
    captions, scores = dict.fromkeys(clips, "a knight"), {row: [1.0] for row in clips}
    return DrawnCharacter(options, world, {"sex": "male"}, {"sex": "male"}, clips, captions, scores, {"model": "m"})


def test_the_universal_layout_of_lpc(tmp_path: Path) -> None:
    drawn().save(tmp_path / "who.png")
    picture = np.asarray(Image.open(tmp_path / "who.png"))
    assert picture.shape == (1344, 832, 4), "as the sheets of the Liberated Pixel Cup"
    cells = picture.reshape(21, 64, 13, 64, 4).swapaxes(1, 2)[:, :, 30, 30]
    used = (cells[..., 3] > 0).sum(1).tolist()
    assert used == [7] * 4 + [8] * 4 + [9] * 4 + [6] * 4 + [13] * 4 + [6]
    assert (cells[..., 0][cells[..., 3] > 0] - 10).tolist() == [row for row, n in enumerate(used) for _ in range(n)]
    assert (cells[8, 1:9, 1] - 10).tolist() == list(range(8)), "a walk's eight frames follow the standing one"
    assert (cells[4, :8, 1] - 10).tolist() == list(range(8))
    shot = (cells[16, :, 1] - 10).tolist()
    assert shot == sorted(shot)
    assert set(shot) == set(range(8))


def test_every_facing_of_every_action_has_a_tag(tmp_path: Path) -> None:
    drawn().save(tmp_path / "who.png")
    atlas = json.loads((tmp_path / "who.json").read_text())
    tags = {tag["name"]: tag for tag in atlas["meta"]["frameTags"]}
    actions = ("spellcast", "thrust", "walk", "slash", "shoot", "hurt")
    facings = ("up", "left", "down", "right")
    assert set(tags) == {f"{a}-{f}" for a in (*actions, "idle") for f in facings}
    assert len(atlas["frames"]) == 4 * (7 + 8 + 9 + 6 + 13) + 6
    assert tags["walk-down"]["to"] - tags["walk-down"]["from"] == 7
    assert tags["idle-down"]["from"] == tags["idle-down"]["to"] == tags["walk-down"]["from"] - 1
    fall = {(tags[f"hurt-{f}"]["from"], tags[f"hurt-{f}"]["to"]) for f in facings}
    assert fall == {(172, 177)}, "a fall is drawn once, and is that of all facings"
    assert tags["slash-up"]["repeat"] == "1"
    assert "repeat" not in tags["walk-up"]
    assert atlas["animations"]["walk-down"] == [
        str(i) for i in range(tags["walk-down"]["from"], tags["walk-down"]["to"] + 1)
    ]
    seconds = {n: sum(atlas["frames"][key]["duration"] for key in keys) for n, keys in atlas["animations"].items()}
    assert seconds["walk-left"] == seconds["shoot-up"] == seconds["slash-down"] == 1000


def test_in_a_loop_what_plays_once_goes_there_and_back(tmp_path: Path) -> None:
    drawn(loop=True).save(tmp_path / "who.png")
    atlas = json.loads((tmp_path / "who.json").read_text())
    tags = {tag["name"]: tag for tag in atlas["meta"]["frameTags"]}
    assert not any("repeat" in tag for tag in tags.values())
    assert {name.partition("-")[0] for name, tag in tags.items() if tag["direction"] == "pingpong"} == {
        "spellcast", "thrust", "slash", "shoot", "hurt",
    }  # fmt: skip
    first = tags["hurt-up"]["from"]
    order = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert atlas["animations"]["hurt-up"] == [str(first + i) for i in order], "the first frame follows it again"
    assert len(atlas["animations"]["walk-up"]) == 8


def test_larger_cells_hold_the_figure_in_their_middle(tmp_path: Path) -> None:
    drawn(actions="walk").save(tmp_path / "a.png")
    drawn(actions="walk", cell=128).save(tmp_path / "b.png")
    small, large = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert large.shape == (512, 1152, 4)
    assert (large[32:96, 160:224] == small[:64, 64:128]).all()
    assert large[..., 3].sum() == small[..., 3].sum()
    with pytest.raises(ValueError, match="cell: the frames are 64x64; expected at least 64"):
        drawn(actions="walk", cell=32).save(tmp_path / "c.png")


def test_a_weapon_that_goes_beyond_a_frame_has_larger_cells(tmp_path: Path) -> None:
    plain = drawn(actions="slash")
    armed = replace(plain, options=replace(plain.options, prompt="a knight with a sword"))
    captions = {row: f"a man slashing a dagger to the {row[1]}" for row in armed.clips}
    replace(armed, captions=captions).save(tmp_path / "armed.png")
    plain.save(tmp_path / "plain.png")
    wide, small = (np.asarray(Image.open(tmp_path / name)) for name in ("armed.png", "plain.png"))
    assert (small.shape[1], wide.shape[1]) == (6 * 64, 6 * 128)
    assert (wide[..., 3] > 0).sum() > (small[..., 3] > 0).sum() + 1000
    kept = replace(armed, captions=captions, options=replace(armed.options, cell=64))
    kept.save(tmp_path / "kept.png")
    assert np.asarray(Image.open(tmp_path / "kept.png")).shape == small.shape


def test_a_blade_that_the_frame_cuts_goes_on_to_its_tip_where_the_cell_has_room(tmp_path: Path) -> None:
    who = drawn(actions="slash", cell=128)
    swing = ("slash", "right")
    frames = who.clips[swing].frames.copy()
    frames[3, 30:36, 44:] = (155, 137, 125, 255)
    clips = {**who.clips, swing: who.clips[swing].replace(frames=frames)}
    captions = {**who.captions, swing: "a knight slashing with a saber to the right"}
    laid = laid_out(replace(who, clips=clips, captions=captions))
    assert laid.frames.shape[1:3] == (64, 96)
    (cut,) = np.flatnonzero(laid.frames[:, :, 80:, 3].any((1, 2)))
    assert (laid.frames[cut, :, 16:80] == frames[3]).all()
    assert not laid.frames[:, :, :16].any()
    laid.save(tmp_path / "a.png", 1, Grid(cell=128))
    assert Image.open(tmp_path / "a.png").size == (128 * 6, 128 * 4)
    narrow = replace(who, clips=clips, captions=captions, options=replace(who.options, cell=64))
    assert laid_out(narrow).frames.shape[1:3] == (64, 64)


def test_rows_of_ones_own(tmp_path: Path) -> None:
    sheet = laid_out(drawn(actions="walk,hurt", columns=4))
    assert max(x for x, _ in sheet.places) == 3
    assert [y for x, y in sheet.places if x == 0] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert sheet.places[9] == (0, 3), "the next animation begins a row"


def test_padding_powers_of_two_and_scales(tmp_path: Path) -> None:
    files = drawn(actions="walk", padding=2, pot=True, scale="1,2,4").save(tmp_path / "who.png")
    assert [file.name for file in files] == [
        "who.png", "who.json", "who@2x.png", "who@2x.json", "who@4x.png", "who@4x.json", "who.LICENSE.txt",
    ]  # fmt: skip
    for factor, name in ((1, "who"), (2, "who@2x"), (4, "who@4x")):
        atlas = json.loads((tmp_path / f"{name}.json").read_text())
        picture = np.asarray(Image.open(tmp_path / f"{name}.png"))
        assert all(side & (side - 1) == 0 for side in picture.shape[:2])
        assert atlas["meta"]["size"] == {"w": picture.shape[1], "h": picture.shape[0]}
        assert atlas["meta"]["scale"] == factor
        boxes = [entry["frame"] for entry in atlas["frames"].values()]
        assert boxes[0] == {"x": 2, "y": 2, "w": 64 * factor, "h": 64 * factor}
        assert boxes[1]["x"] == 4 + 64 * factor
        covered = np.zeros(picture.shape[:2], bool)
        for box in boxes:
            covered[box["y"] : box["y"] + box["h"], box["x"] : box["x"] + box["w"]] = True
        assert not picture[~covered].any()


def test_named_frames(tmp_path: Path) -> None:
    drawn(actions="walk,hurt", named=True).save(tmp_path / "who.png")
    atlas = json.loads((tmp_path / "who.json").read_text())
    assert atlas["animations"]["hurt-left"] == [f"hurt-down-{i}" for i in range(6)]
    assert atlas["animations"]["idle-up"] == ["idle-up-0"]
    assert {name for names in atlas["animations"].values() for name in names} == set(atlas["frames"])


def test_the_licence_lies_beside_and_names_the_artists(tmp_path: Path) -> None:
    drawn(actions="hurt").save(tmp_path / "who.png")
    text = (tmp_path / "who.LICENSE.txt").read_text()
    assert text.startswith("who.png, who.json\n")
    for part in ("CC-BY-SA 3.0", "GNU GPL 3.0", "Universal LPC Spritesheet", "Johannes Sjölund", "JaidynReiman"):
        assert part in text
    notice = " ".join((Path(__file__).parents[2] / "NOTICE").read_text().split())
    credits = find("sprites").credits
    assert credits is not None
    artists = credits.read_text().partition("Luke Mehl")[2]
    assert " ".join(artists.split()) in notice, "the same artists as in NOTICE"


def test_an_icon_of_the_standing_figure(tmp_path: Path) -> None:
    drawn(actions="walk", icon=True).save(tmp_path / "who.png")
    with Image.open(tmp_path / "who.ico") as icon:
        assert icon.info["sizes"] == {(n, n) for n in (16, 24, 32, 48, 64, 128, 256)}
        icon.size = (256, 256)
        big = np.asarray(icon.convert("RGBA"))
    solid = big[..., 3] > 0
    assert solid.any(1).sum() == 250, "50 pixels high, five times as large"
    assert (big[solid][:, 0] == 12).all(), "the third row walks towards the viewer"


def test_what_made_it_stands_in_the_file_and_it_reads_back(tmp_path: Path) -> None:
    drawn(actions="walk", seed=9).save(tmp_path / "who.png")
    meta = read_meta(tmp_path / "who.png")
    assert meta is not None
    assert (meta["prompt"], meta["seed"], meta["model"]) == ("a knight", 9, "m")
    assert meta["sheet"]["captions"]["walk-up"] == "a knight"
    assert len(read(tmp_path / "who.png")) >= 36


@pytest.mark.parametrize("name", ["who.png", "who.json", "who@2x.png", "who.LICENSE.txt", "who.ico"])
def test_a_file_of_somebody_elses_is_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(OSError, match="was not written by storyreel"):
        drawn(actions="hurt", scale="1,2", icon=True).save(tmp_path / "who.png")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"mine")]


def test_ones_own_sheet_may_be_written_again(tmp_path: Path) -> None:
    for seed in (1, 2):
        drawn(actions="hurt", icon=True, seed=seed).save(tmp_path / "who.png")
    meta = read_meta(tmp_path / "who.png")
    assert meta is not None
    assert meta["seed"] == 2
    (tmp_path / "other.ico").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"other\.ico"):
        drawn(actions="hurt", icon=True).save(tmp_path / "other.png")


ENTRY = {"frame", "rotated", "trimmed", "spriteSourceSize", "sourceSize", "duration"}
DIRECTIONS = {"forward", "reverse", "pingpong", "pingpong_reverse"}


@pytest.mark.parametrize("settings", [{}, {"loop": True, "cell": 128, "padding": 2, "named": True, "scale": 2}])
def test_the_atlas_is_as_aseprite_and_texturepacker_document_theirs(tmp_path: Path, settings: dict[str, Any]) -> None:
    """https://www.aseprite.org/docs/cli/ (--data, --format json-hash, --list-tags), and the hash of TexturePacker."""
    drawn(**settings).save(tmp_path / "who.png")
    atlas = json.loads((tmp_path / "who.json").read_text())
    meta, frames = atlas["meta"], atlas["frames"]
    assert isinstance(frames, dict)
    with Image.open(tmp_path / meta["image"]) as picture:
        assert meta["size"] == {"w": picture.width, "h": picture.height}
        assert (meta["format"], picture.mode) == ("RGBA8888", "RGBA")
    for entry in frames.values():
        assert set(entry) == ENTRY
        box, inner, whole = entry["frame"], entry["spriteSourceSize"], entry["sourceSize"]
        assert all(type(value) is int and value >= 0 for part in (box, inner, whole) for value in part.values())
        assert (set(box), set(inner), set(whole)) == (set("xywh"), set("xywh"), set("wh"))
        assert box["x"] + box["w"] <= meta["size"]["w"]
        assert box["y"] + box["h"] <= meta["size"]["h"]
        assert (entry["rotated"], entry["trimmed"]) == (False, False)
        assert (inner["w"], inner["h"]) == (whole["w"], whole["h"]) == (box["w"], box["h"])
        assert type(entry["duration"]) is int
        assert entry["duration"] > 0
    names = list(frames)
    for tag in meta["frameTags"]:
        assert {"name", "from", "to", "direction"} <= set(tag) <= {"name", "from", "to", "direction", "repeat", "color"}
        assert 0 <= tag["from"] <= tag["to"] < len(frames)
        assert tag["direction"] in DIRECTIONS
        assert str(tag.get("repeat", "1")).isdecimal()
        shown = names[tag["from"] : tag["to"] + 1]
        assert set(atlas["animations"][tag["name"]]) == set(shown)
    assert set(atlas["animations"]) == {tag["name"] for tag in meta["frameTags"]}


def test_what_the_godot_script_of_the_docs_reads_is_there(tmp_path: Path) -> None:
    """The script of docs/sheet.md in Python: `SpriteFrames` by name, (loop, [(region, seconds)])."""
    drawn(loop=True).save(tmp_path / "who.png")
    atlas = json.loads((tmp_path / "who.json").read_text())
    script = (
        (Path(__file__).parents[2] / "docs" / "sheet.md").read_text().partition("```gdscript")[2].partition("```")[0]
    )
    for used in ("atlas.meta.frameTags", 'tag.has("repeat")', "atlas.animations[tag.name]", "atlas.frames[key].frame",
                 "atlas.frames[key].duration / 1000.0", "Rect2(box.x, box.y, box.w, box.h)"):  # fmt: skip
        assert used in script
    made = {}
    for tag in atlas["meta"]["frameTags"]:
        keys = atlas["animations"][tag["name"]]
        made[tag["name"]] = (
            "repeat" not in tag,
            [(atlas["frames"][k]["frame"], atlas["frames"][k]["duration"] / 1000) for k in keys],
        )
    assert len(made) == 28
    assert all(loops for loops, _ in made.values())
    assert len(made["slash-down"][1]) == 2 * 6 - 2, "there and back"
    assert sum(seconds for _, seconds in made["walk-left"][1]) == pytest.approx(1.0)
