"""Clips composed straight into the packed cache: the same as `data make` writes, once, without files between."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from storyreel.data import pack
from storyreel.data.dataset import open_dataset
from storyreel.data.fetch import pictures_in
from storyreel.data.loader import Loader
from storyreel.data.pack import Pack
from storyreel.data.world_clips import WorldClips, is_query
from storyreel.data.write import write_world
from storyreel.recipe import Data
from storyreel.worlds.digits import Digits
from storyreel.worlds.sprites import Sprites, held_out
from storyreel.worlds.sprites_sheets import check_sheets, drawn_sheets, pack_sheets

DIGITS = "digits:?clips=12&size=32&digits=1&seed=3"


def test_the_same_clips_and_rows_as_a_folder(tmp_path):
    world = Digits(size=32, digits="1", held_out_share=0.3, carried=0.5, captions=3)
    folder = write_world(tmp_path / "d", world, 12, 3, workers=1)
    query = f"{DIGITS}&held_out_share=0.3&carried=0.5&captions=3"
    clips = open_dataset(query, tmp_path / "c")
    assert len(clips) == len(folder) == 12
    assert clips.splits == folder.splits
    assert {"train", "held_out"} == set(clips.splits)
    assert clips.contexts == folder.contexts
    assert clips.all_captions == folder.all_captions
    assert clips.attributes == folder.attributes
    assert clips.column("mentions") == folder.column("mentions")
    assert clips.column("width") == folder.column("width") == [32] * 12
    assert clips.column("nothing") is None
    assert clips.world == folder.world == "digits"
    assert (clips.clip(4).frames == folder.clip(4).frames).all()
    ours, theirs = (Pack.open(each, 32, 3, tmp_path / "c") for each in (clips, folder))
    assert ours.refused == {}
    for row in range(12):
        np.testing.assert_array_equal(ours.frames(row), theirs.frames(row))


def test_batches_leave_held_out_clips_out_and_draw_captions_by_step(tmp_path):
    class Words:
        name, dim = "letters", 1

        def __call__(self, captions):
            import torch

            states = torch.zeros(len(captions), 1, 1)
            for i, caption in enumerate(captions):
                states[i, 0, 0] = sum(map(ord, caption)) % 1999
            return states, torch.ones(len(captions), 1, dtype=torch.bool)

    clips = open_dataset(f"{DIGITS}&held_out_share=0.5&captions=6", tmp_path)
    loader = Loader([(clips, 1)], Data(frames=10, size=32, batch=4), text=Words(), cache=tmp_path)
    assert loader.clips == clips.splits.count("train") < 12
    again = Loader([(clips, 1)], Data(frames=10, size=32, batch=4), text=Words(), cache=tmp_path)
    for step in (0, 7):
        for name, value in loader.batch(step).items():
            assert (again.batch(step)[name] == value).all()
    said = {float(loader.batch(step)["text"][i, 0, 0]) for step in range(60) for i in range(4)}
    assert len(said) > 2 * loader.clips  # several captions of each clip come up


def test_the_second_call_composes_nothing(tmp_path, monkeypatch):
    first = open_dataset(DIGITS, tmp_path)
    packed = Pack.open(first, 16, 3, tmp_path)
    captions = first.all_captions

    def refuse(*args, **kwargs):
        raise AssertionError("composed again")

    monkeypatch.setattr(Digits, "make", refuse)
    second = open_dataset(DIGITS, tmp_path)
    assert second.digest == first.digest
    assert second.all_captions == captions
    assert (Pack.open(second, 16, 3, tmp_path).frames(5) == packed.frames(5)).all()


def test_workers_compose_the_same_and_an_interrupted_pack_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "SHARD", 256)
    query = "digits:?clips=520&size=16&frames=8&digits=1"
    many = open_dataset(query, tmp_path / "many")
    monkeypatch.setattr(WorldClips, "max_workers", 2)
    ours = Pack.open(many, 16, 3, tmp_path / "many")
    monkeypatch.setattr(WorldClips, "max_workers", 1)
    alone = open_dataset(query, tmp_path / "alone")
    theirs = Pack.open(alone, 16, 3, tmp_path / "alone")
    assert many.all_captions == alone.all_captions
    assert all((ours.frames(row) == theirs.frames(row)).all() for row in range(520))

    (ours.path / "00001.json").unlink()  # as when a process is killed between two shards
    made = []
    original = Digits.make
    monkeypatch.setattr(Digits, "make", lambda self, seed, index: made.append(index) or original(self, seed, index))
    assert (Pack.open(many, 16, 3, tmp_path / "many").frames(300) == theirs.frames(300)).all()
    assert set(made) - {0} == set(range(256, 512))


def test_the_digest_follows_settings_and_not_the_place(tmp_path, lpc):
    query = "digits:?clips=12&size=32"
    digest = open_dataset(query).digest
    assert open_dataset(f"{query}&seed=0&carried=0").digest == digest
    for other in ("&seed=1", "&carried=0.5", "&captions=3"):
        assert open_dataset(query + other).digest != digest
    assert open_dataset("digits:?clips=13&size=32").digest != digest

    archive = tmp_path / "sheets.tar.xz"
    assert pack_sheets(lpc, archive) >= len(drawn_sheets())
    bytes_before = archive.read_bytes()
    pack_sheets(lpc, archive)
    assert archive.read_bytes() == bytes_before
    folder = open_dataset(f"sprites:{lpc}?clips=3", tmp_path)
    packed = open_dataset(f"sprites:{archive}?clips=3", tmp_path)
    assert packed.digest == folder.digest
    assert packed.all_captions == folder.all_captions
    assert (packed.clip(2).frames == folder.clip(2).frames).all()
    assert not any(held_out(attributes) for attributes in packed.attributes)
    assert pictures_in("sprites", archive, tmp_path).parent == tmp_path / "sheets"
    assert pictures_in("sprites", lpc, tmp_path) == lpc


def test_every_drawn_character_uses_listed_sheets_alone(lpc):
    from storyreel.worlds.sprites import draw_character

    check_sheets(lpc)
    listed = set(drawn_sheets())
    for seed in range(2000):
        who = draw_character(np.random.default_rng(seed))
        files = [*who.sheets, *(each for drawn in who.weapons.values() for each in drawn)]
        assert {f"{name}.png" for _, name in files} <= listed


def test_a_folder_that_lacks_a_sheet_is_named(tmp_path, lpc):
    copy = tmp_path / "lpc"
    for name in drawn_sheets():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).symlink_to(lpc / name)
    Sprites(source=copy)
    (copy / "legs/pants/male/red_pants_male.png").unlink()
    with pytest.raises(ValueError, match=r"lacks 1 of \d+ sheets, first legs/pants/male/red_pants_male.png"):
        open_dataset(f"sprites:{copy}?clips=3")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("digit:?clips=3", "did you mean 'digits'"),
        ("clouds:?clips=3", "no world 'clouds'; there are digits, "),
        ("digits:", "expected the number of clips, such as digits:?clips=60000"),
        ("digits:?clip=3", "no setting 'clip'; did you mean 'clips'"),
        ("digits:?clips=3&sped=1", "no setting 'sped'; did you mean 'seed'"),
        ("digits:?clips=3&source=x", "no setting 'source'"),
        ("digits:?clips=3&clips=4", "clips: is given twice"),
        ("digits:?clips", "clips: expected clips=value"),
        ("digits:?clips=0", "clips: expected a whole number from 1 to"),
        ("digits:?clips=-3", "clips: expected a whole number from 1 to"),
        ("digits:?clips=3&seed=x", "seed: expected a whole number from 0 to"),
        ("digits:?clips=3&carried=2", "carried: expected 0 to 1, got 2.0"),
        ("digits:?clips=3&carried=much", "carried: expected a number, got 'much'"),
        ("digits:?clips=3&frames=7", "frames: expected 8 to 256, got 7"),
        ("digits:?clips=3&fps=0", "fps: expected more than 0"),
        ("digits:?clips=3&digits=3", "1, 2 or both"),
        ("digits:nowhere?clips=3", "nowhere: no such folder"),
        ("sprites:?clips=3", "expected the folder of the LPC sheets"),
        ("sprites:nowhere?clips=3", "nowhere: no such folder"),
        ("sprites:.?clips=3", "holds no body/male/light.png"),
    ],
)
def test_bad_queries_get_one_line(tmp_path, monkeypatch, query, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError)) as error:
        open_dataset(query)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_none_leaves_nothing(tmp_path):
    (tmp_path / "bad.tar.xz").write_bytes(b"\xfd7zXZ\x00" + bytes(50))
    with pytest.raises(ValueError, match=r"bad\.tar\.xz: not a whole"):
        open_dataset(f"sprites:{tmp_path / 'bad.tar.xz'}?clips=3", tmp_path / "c")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "bad.tar.xz", "readme.txt")
    with pytest.raises(ValueError, match=r"holds no body/male/light\.png"):
        open_dataset(f"sprites:{tmp_path / 'other.tar'}?clips=3", tmp_path / "c")
    assert not [file for file in (tmp_path / "c").rglob("*.png")]


def test_what_is_a_query(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits:x").mkdir()
    assert is_query("digits:?clips=3")
    assert not any(is_query(name) for name in ("digits:x", "C:/data", "data", "../a:b"))


def test_a_world_of_ones_own(tmp_path):
    with pytest.raises(ValueError, match="world: expected a dataclass"):
        WorldClips(object(), 3)


BLOCKED = ("av", "pyarrow", "platformdirs", "sklearn", "scipy", "transformers", "huggingface_hub", "pandas")
SCRIPT = """
import json, sys
BLOCKED = json.loads(sys.argv[1])
finders = list(sys.meta_path)
class Rest:  # as on a machine where these are not installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return None
        found = (finder.find_spec(name, path, target) for finder in finders)
        return next((spec for spec in found if spec is not None), None)
sys.meta_path[:] = [Rest()]
from storyreel.cli import main
main(sys.argv[2:])
"""


def test_a_bare_machine_trains_and_exports(tmp_path):
    """PyTorch, numpy, pillow, einops, safetensors, filelock, tokenizers, typer and rich are enough."""
    query = "digits:?clips=24&size=32&digits=1"
    args = ["train", "phenaki_tiny", "--data", query, "-o", str(tmp_path / "run"), "--quiet"]
    args += ["--cache", str(tmp_path / "c")]
    args += [f"--set=stages.{s}.{k}" for s in ("tokenizer", "prior") for k in ("steps=2", "data.batch=2")]
    command = [sys.executable, "-c", SCRIPT, json.dumps(BLOCKED), *args]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    info = json.loads((tmp_path / "run/model/model.json").read_text())
    assert info["training"]["steps"] == {"tokenizer": 2, "prior": 2}
    assert info["training"]["data"][0]["name"] == "digits?clips=24&seed=0"
    assert str(tmp_path) not in json.dumps(info)


def test_a_judge_learns_from_a_world(tmp_path, monkeypatch):
    from storyreel.cli import main

    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "c"))
    args = ["evaluate", "train-judge", "--data", "digits:?clips=40&size=32&digits=1&held_out_share=0.3", "--quiet"]
    with pytest.raises(SystemExit) as done:
        main([*args, "-o", str(tmp_path / "judge"), "--train-steps", "2", "--batch", "4"])
    assert done.value.code == 0
    assert '"clips": 40' in (tmp_path / "judge/judge.json").read_text()
    assert not list((tmp_path / "c").rglob("*.parquet"))


def test_a_judge_of_the_sprites_judges_what_the_world_says(tmp_path, lpc):
    from storyreel.evaluate.judge_training import find_classes
    from storyreel.worlds.sprites import JUDGED

    clips = open_dataset(f"sprites:{lpc}?clips=60", tmp_path)
    assert set(find_classes(clips)) <= set(JUDGED)
    assert "action" in find_classes(clips)


def test_a_switch_is_true_or_false(tmp_path):
    from storyreel.worlds import find

    sheets = tmp_path / "body" / "male"
    sheets.mkdir(parents=True)
    with pytest.raises(ValueError, match="balance: expected true or false, got 'yes'"):
        find("sprites").make(tmp_path, {"balance": "yes"})
