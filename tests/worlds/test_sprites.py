"""The sprites world: pictures need the sheets (skipped without them); the language and the hold-out do not."""

import os
from pathlib import Path

import numpy as np
import pytest

from storyreel.worlds import sprites_language
from storyreel.worlds.sprites import JUDGED, Sprites, draw_character, held_out, paint
from storyreel.worlds.sprites_balance import UNTRUE, counts, draw_balanced
from storyreel.worlds.sprites_parts import ACTIONS, FACINGS
from storyreel.worlds.sprites_poses import after

SHEETS = Path(os.environ.get("STORYREEL_LPC") or Path(__file__).parents[3] / "shared" / "lpc")
needs_sheets = pytest.mark.skipif(not SHEETS.is_dir(), reason="there are no Pixel Cup sheets beside the checkout")


def characters(n: int):
    rng = np.random.default_rng(0)
    return [(draw_character(rng), rng) for _ in range(n)]


def test_every_action_facing_and_body_occurs():
    seen = [c.attributes for c, _ in characters(400)]
    assert {a["action"] for a in seen} == set(ACTIONS)
    assert {a["facing"] for a in seen} == set(FACINGS)
    assert {a["body"] for a in seen} >= {"light", "dark", "tanned", "dark elf", "orc", "red orc", "skeleton"}


def test_sheets_that_lack_an_action_are_not_used_for_it():
    for character, _ in characters(400):
        if character.attributes["action"] in ("thrust", "shoot"):
            assert not any("no_th-sh" in name for _, name in character.sheets)


def test_weapons_fit_the_action():
    fits = {"spear": "thrust walk", "bow": "shoot", "longsword": "slash", "trident": "thrust", "dagger": "walk slash"}
    for character, _ in characters(600):
        weapon = character.attributes["weapon"]
        if weapon in fits:
            assert character.attributes["action"] in fits[weapon].split()
        if character.attributes["action"] == "shoot":
            assert "bow" in str(weapon)


def test_layers_are_painted_in_order():
    for character, _ in characters(50):
        names = [name for _, name in sorted(character.sheets, key=lambda s: s[0])]
        body = next(i for i, n in enumerate(names) if n.startswith("body/") and n.count("/") == 2)
        assert all("behind" in n for n in names[:body])


def test_captions_say_what_they_mention_and_only_that():
    marks = {"left": "left", "right": "right"}
    for character, rng in characters(300):
        text, mentioned = sprites_language.caption(character.attributes, rng)
        assert set(mentioned) <= set(sprites_language.MENTION)
        for side, word in marks.items():
            if "facing" in mentioned and character.attributes["facing"] == side:
                assert word in text.lower()
            if word in text.lower().replace("kettle", "").split() and "facing" not in mentioned:
                raise AssertionError(f"{text!r} gives the facing away")
        if "hair_color" not in mentioned:
            assert "-haired" not in text


def test_a_full_caption_mentions_all_that_is_judged_and_can_be_seen():
    for character, rng in characters(100):
        _, mentioned = sprites_language.caption(character.attributes, rng, full=True)
        for name in JUDGED:
            value = character.attributes[name]
            assert value is None or name in mentioned or value.startswith("bare")


def test_there_are_many_ways_to_say_it():
    rng = np.random.default_rng(1)
    character = draw_character(rng)
    assert len({sprites_language.caption(character.attributes, rng)[0] for _ in range(100)}) > 90
    assert len(sprites_language.FORMS) >= 12


def test_hold_out_is_a_minority_of_combinations_and_of_no_single_part():
    kept, out = set(), 0
    for character, _ in characters(1500):
        if held_out(character.attributes):
            out += 1
        else:
            kept |= {(k, v) for k, v in character.attributes.items() if k in JUDGED}
    assert 0.05 < out / 1500 < 0.4
    everything = {(k, v) for c, _ in characters(1500) for k, v in c.attributes.items() if k in JUDGED}
    assert everything - kept == set(), "a part that occurs in held-out clips alone cannot be learned"


def test_paint_puts_soft_pixels_over_what_is_there():
    frame = np.zeros((2, 4), np.uint8)
    frame[0] = (100, 0, 0, 255)
    paint(frame, np.array([0, 1], np.uint16), np.array([[0, 200, 0, 128], [9, 9, 9, 255]], np.uint8))
    assert frame[0].tolist() == [50, 100, 0, 255]
    assert frame[1].tolist() == [9, 9, 9, 255]


def test_a_folder_without_the_sheets_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"body/male/light\.png"):
        Sprites(source=tmp_path)


@needs_sheets
def test_a_clip_depends_on_seed_and_index_alone():
    world, again = Sprites(source=SHEETS), Sprites(source=SHEETS)
    again.make(5, 3)
    a, b = world.make(5, 7)[0], again.make(5, 7)[0]
    assert a.frames.shape == (8, 64, 64, 4)
    assert np.array_equal(a.frames, b.frames)
    assert not np.array_equal(a.frames, world.make(5, 8)[0].frames)


@needs_sheets
def test_clips_show_somebody_who_moves_before_nothing():
    world = Sprites(source=SHEETS)
    for index in range(12):
        clip, row = world.make(0, index)
        alpha = clip.frames[..., 3]
        assert 0.05 < (alpha > 0).mean() < 0.6
        assert (clip.frames[1:] != clip.frames[:-1]).any(), row["attributes"]


@needs_sheets
def test_splits_and_given_frames():
    rows = [Sprites(source=SHEETS, held_out_share=0.5, carried=0.5).make(1, i)[1] for i in range(60)]
    assert {r["split"] for r in rows} == {"train", "held_out"}
    assert {r["context"] for r in rows} == {0, 1}
    assert all(held_out(r["attributes"]) == (r["split"] == "held_out") for r in rows)


def test_men_wear_beards_as_often_as_is_wished():
    rng = np.random.default_rng(0)
    shares = []
    for wished in (0.0, 0.4, 1.0):
        men = [draw_balanced(rng, bearded=wished) for _ in range(1500)]
        men = [who for who in men if who.attributes["sex"] == "male"]
        shares.append(sum(any("facial/" in sheet for _, sheet in who.sheets) for who in men) / len(men))
    assert shares[0] == 0
    assert 0.33 < shares[1] < 0.47
    assert shares[2] == 1


@needs_sheets
def test_the_share_of_beards_has_a_range():
    with pytest.raises(ValueError, match=r"bearded: expected 0 to 1, got 1\.5"):
        Sprites(source=SHEETS, bearded=1.5)
    with pytest.raises(ValueError, match="bearded: only characters of balance=true"):
        Sprites(source=SHEETS, bearded=0.9, balance=False)


def test_every_value_of_an_attribute_is_seen_about_equally_often():
    """Two thirds of the torsos and four of the shoes are made for women alone, whence the wider bounds there."""
    bounds = {"torso": (0.45, 2.1), "sex": (0.75, 1.25), "feet": (0.65, 1.6), "weapon": (0.55, 1.75)}
    for name, seen in counts(6000, seed=77).items():
        even = {v: n for v, n in seen.items() if v != "bare head"}
        mean = sum(even.values()) / len(even)
        low, high = bounds.get(name, (0.65, 1.4))
        assert low < min(even.values()) / mean, (name, even)
        assert max(even.values()) / mean < high, (name, even)
    assert {"skeleton", "tiara", "kettle hat", "wings"} <= {v for seen in counts(500, seed=1).values() for v in seen}


def test_balanced_characters_have_every_value_that_others_have_and_no_untrue_sheet():
    rng = np.random.default_rng(2)
    balanced, others = [draw_balanced(rng) for _ in range(2000)], [c for c, _ in characters(2000)]
    for name in JUDGED:
        assert {c.attributes[name] for c in others} == {c.attributes[name] for c in balanced}, name
    for who in balanced:
        files = {f"hair/{f.rsplit('/')[-1]}" if f.startswith("hair/") else f for _, f in who.sheets}
        assert not files & UNTRUE
        assert who.attributes["action"] in who.weapons
        if who.attributes["action"] in ("thrust", "shoot"):
            assert not any("no_th-sh" in file for file in files)


@needs_sheets
def test_balanced_clips_are_drawn_and_the_hold_out_stays():
    rows = [Sprites(source=SHEETS, held_out_share=0.5).make(3, i)[1] for i in range(40)]
    assert all(held_out(r["attributes"]) == (r["split"] == "held_out") for r in rows)
    assert {r["split"] for r in rows} == {"train", "held_out"}


@needs_sheets
def test_captions_of_both_languages_are_of_the_same_clips():
    old, new = Sprites(source=SHEETS, language=1), Sprites(source=SHEETS)
    rows = [(old.make(2, i)[1], new.make(2, i)[1]) for i in range(8)]
    assert all(a["attributes"] == b["attributes"] for a, b in rows)
    assert not [a for a, b in rows if a["caption"] == b["caption"]]
    assert all(set(m) <= set(b["attributes"]) for _, b in rows for m in b["mentions"])


@needs_sheets
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"language": 3}, "language: expected 1 or 2, got 3"),
        ({"language": 1, "short": 0.5}, "short: only language 2"),
        ({"short": 0.9, "partial": 0.2}, "expected at most 1"),
    ],
)
def test_settings_of_captions_are_checked(settings, said):
    with pytest.raises(ValueError, match=said):
        Sprites(source=SHEETS, **settings)


@needs_sheets
def test_a_turnaround_shows_one_pose_from_all_sides():
    world = Sprites(source=SHEETS, turnaround=True, frames=4)
    for index in range(6):
        clip, row = world.make(5, index)
        seen = row["attributes"]
        assert seen["action"] != "hurt"
        facings = after(str(seen["facing"]))
        assert sorted(facings) == sorted(FACINGS)
        assert facings[0] == seen["facing"]
        assert len(clip) == 4
        other = np.roll(clip.frames, -1, 0)
        assert (clip.frames != other).any((1, 2, 3)).all(), "each frame is another side"
    rng = np.random.default_rng(2)
    who = draw_character(rng)
    while who.attributes["action"] != "walk" or who.attributes["facing"] != "left":
        who = draw_character(rng)
    twice = Sprites(source=SHEETS, turnaround=True, frames=8).turned(who, 3)
    assert (twice[::2] == twice[1::2]).all()
    walk = Sprites(source=SHEETS).clip_of(who, "")
    assert any((twice[0] == frame).all() for frame in walk.frames)
    with pytest.raises(ValueError, match="turnaround: expected frames=4, or a multiple"):
        Sprites(source=SHEETS, turnaround=True, frames=6)


@needs_sheets
def test_all_clips_are_seen_from_the_side_that_is_asked_for():
    world = Sprites(source=SHEETS, facing="left", held_out_share=0.5)
    rows = [world.make(5, index)[1] for index in range(6)]
    assert {row["attributes"]["facing"] for row in rows} == {"left"}
    assert {row["split"] for row in rows} == {"train", "held_out"}
    with pytest.raises(ValueError, match="facing: expected one of down, left, up, right, got 'north'"):
        Sprites(source=SHEETS, facing="north")


@needs_sheets
def test_larger_cells_show_whole_weapons_around_the_same_figure():
    small, middle, large = (Sprites(source=SHEETS, cell=side) for side in (64, 128, 192))
    longer = 0
    for index in range(40):
        frames = [each.make(5, index)[0].frames for each in (small, middle, large)]
        assert [f.shape[1] for f in frames] == [64, 128, 192]
        assert (frames[1][:, 32:96, 32:96] == frames[0]).all()
        assert (frames[2][:, 32:160, 32:160] == frames[1]).all()
        longer += int((frames[2][..., 3] > 0).sum() > (frames[0][..., 3] > 0).sum())
    assert 4 <= longer <= 20, "long weapons, and nothing else, reach beyond 64 pixels"
    with pytest.raises(ValueError, match="cell: expected 64 or 128 or 192, got 100"):
        Sprites(source=SHEETS, cell=100)
