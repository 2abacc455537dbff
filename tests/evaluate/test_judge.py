"""A judge learns a toy world, says so with numbers, survives the disk, and refuses what is not for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder
from storyreel.data.write import write_folder
from storyreel.evaluate.judge import Judge, JudgeConfig, to_video, without_background
from storyreel.evaluate.judge_registry import document_of
from storyreel.evaluate.judge_training import JudgeTraining, find_classes, train_judge
from storyreel.evaluate.judged_clips import find_clips

COLORS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 200)}
SIZE, FRAMES = 16, 4


def toy_clip(color: str, way: str, row: int, at: int) -> Clip:
    """A 5x5 square on transparent ground that moves two pixels a frame."""
    frames = np.zeros((FRAMES, SIZE, SIZE, 4), np.uint8)
    for t, frame in enumerate(frames):
        x = at + 2 * (t if way == "right" else -t) + (0 if way == "right" else 6)
        frame[row : row + 5, x : x + 5] = (*COLORS[color], 255)
    return Clip(frames, caption=f"a {color} square moves {way}")


def toy_items(count: int, seed: int):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        color, way = str(rng.choice(list(COLORS))), str(rng.choice(["left", "right"]))
        row, at = int(rng.integers(0, 11)), int(rng.integers(0, 5))
        split = "held_out" if (color, way) == ("blue", "left") or rng.random() < 0.2 else "train"
        attributes = {"color": color, "way": way if row < 9 else None, "always": "same", "speed": 0.5}
        yield toy_clip(color, way, row, at), {"split": split, "attributes": attributes, "mentions": [["color"]]}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    return write_folder(tmp_path_factory.mktemp("toy") / "data", toy_items(240, 0), workers=1)


@pytest.fixture(scope="module")
def trained(toy: DatasetFolder):
    config = JudgeConfig(classes=find_classes(toy), frames=FRAMES, size=SIZE, widths=(16, 32, 32))
    losses: list[float] = []
    judge, report, held_out = train_judge(
        toy,
        JudgeTraining(steps=150, batch=32, warmup=10),
        config=config,
        on_step=lambda step, loss: losses.append(loss),
    )
    return judge, report, held_out, losses


def test_classes_are_found_in_the_data(toy: DatasetFolder):
    assert find_classes(toy) == {"color": ("blue", "green", "red"), "way": ("left", "right")}
    assert find_classes(toy, ("way",)) == {"way": ("left", "right")}
    with pytest.raises(ValueError, match="has no hat; it has"):
        find_classes(toy, ("hat",))


def test_it_learns_and_knows_the_held_out_combinations_too(trained):
    _, report, held_out, losses = trained
    assert losses[-1] < 0.1 * losses[0]
    for measured in (report, held_out):
        assert measured.shares["color"].accuracy > 0.9
        assert measured.shares["way"].accuracy > 0.85
    assert report.shares["way"].n < report.shares["color"].n  # what cannot be seen is not scored
    assert 0 < held_out.clips < report.clips == 24  # every tenth of 240


def test_probabilities_are_probabilities(trained):
    said = trained[0](torch.zeros(2, 4, FRAMES, SIZE, SIZE))
    assert {name: tuple(p.shape) for name, p in said.items()} == {"color": (2, 3), "way": (2, 2)}
    torch.testing.assert_close(said["color"].sum(1), torch.ones(2))


def test_a_longer_larger_clip_without_alpha_is_judged_too(trained):
    """What `storyreel generate` writes for people: enlarged, on a flat background, perhaps at another length."""
    judge = trained[0]
    clips = [toy_clip(color, "right", 4, 2) for color in COLORS]
    shown = [c.over((90, 120, 90)).resize(4 * SIZE, 4 * SIZE).resample(8) for c in clips]
    assert [seen["color"] for seen in judge.read(shown)] == list(COLORS)
    np.testing.assert_array_equal(judge.see(shown[0])[3], judge.see(clips[0])[3])  # the same alpha


def test_accuracy_wants_a_wish_for_every_clip(trained):
    clips = [toy_clip("red", "right", 4, 2)] * 2
    assert trained[0].accuracy(clips, [{"color": "red"}, {"color": None}]).shares["color"].n == 1
    with pytest.raises(ValueError, match="shorter"):
        trained[0].accuracy(clips, [{"color": "red"}])


def test_saved_and_loaded_it_says_the_same(trained, tmp_path: Path):
    judge = trained[0]
    judge.save(tmp_path / "judge", card="# toy", facts={"steps": 150})
    again = Judge.load(tmp_path / "judge")
    assert document_of(tmp_path / "judge")["facts"] == {"steps": 150}
    video = to_video(np.stack([judge.see(clip) for clip, _ in toy_items(8, 3)]))
    for name, said in judge(video).items():
        torch.testing.assert_close(again(video)[name], said, atol=0.02, rtol=0)  # half precision on disk


def test_the_full_size_judge_is_small_enough_to_ship(tmp_path: Path):
    judge = JudgeConfig(classes={"a": tuple(map(str, range(100)))}).build()
    judge.save(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 2.5e6


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda p: (p / "model.safetensors").write_bytes(b"x" * 50), "its SHA-256 is not the one in judge.json"),
        (lambda p: (p / "judge.json").write_text("{"), "not a judge's JSON document"),
        (lambda p: (p / "judge.json").write_text('{"config": {}}'), "expected facts, kind, sha256 in it"),
        (lambda p: _edit(p, "frames", 8), "expected [16, 32, 3, 3]"),
        (lambda p: _edit(p, "hats", 8), "not the settings of a judge"),
    ],
)
def test_a_damaged_judge_is_refused(trained, tmp_path: Path, harm, line):
    trained[0].save(tmp_path)
    harm(tmp_path)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Judge.load(tmp_path)
    assert line in str(error.value)


def _edit(path: Path, field: str, value: int) -> None:
    document = json.loads((path / "judge.json").read_text())
    document["config"][field] = value
    (path / "judge.json").write_text(json.dumps(document))


def test_an_unknown_judge_and_a_wrong_shape_are_named(trained, tmp_path: Path):
    with pytest.raises(ValueError, match="no judge 'nobody'"):
        Judge.load("nobody")
    with pytest.raises(ValueError, match=r"expects \(b, 4, 4, 16, 16\), got \(1, 3, 4, 16, 16\)"):
        trained[0](torch.zeros(1, 3, FRAMES, SIZE, SIZE))


def test_without_background_keeps_what_differs():
    clip = toy_clip("red", "right", 4, 2)
    np.testing.assert_array_equal(without_background(clip.over((10, 20, 30))).frames[..., 3], clip.frames[..., 3])


def test_the_command_measures_a_dataset_and_generated_clips(toy, trained, tmp_path: Path, capsys):
    from storyreel.cli import main

    judge = str(trained[0].save(tmp_path / "judge"))
    with pytest.raises(SystemExit) as done:
        main(["evaluate", str(toy.path), "--judge", judge, "--split", "held_out", "--json"])
    assert done.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clips"] == toy.splits.count("held_out")
    assert document["attributes"]["color"]["accuracy"] > 0.95

    made = tmp_path / "made"
    made.mkdir()
    for i, color in enumerate(COLORS):
        clip = toy_clip(color, "right", 4, 2)
        clip.replace(meta={"prompt": clip.caption}).save(made / f"{i}.apng")
    with pytest.raises(SystemExit) as done:
        main(["evaluate", str(made), "--judge", judge, "--expected", str(toy.path)])
    assert done.value.code == 0
    table = capsys.readouterr().out
    assert "100.00" in next(line for line in table.splitlines() if line.startswith("color"))
    found = find_clips(made, expected=toy.path)
    assert [set(c.expected) for c in found] == [{"color"}] * 3  # only what the caption mentions


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["evaluate"], 2, "Missing argument 'CLIPS'"),
        (["evaluate", "train-judge"], 2, "Missing option '--data'"),
        (["evaluate", "train-judge", "--data", "x"], 2, "Missing option '--out'"),
        (["evaluate", "{toy}", "--judge", "{judge}", "--workers", "3"], 2, "does not apply to the judge alone"),
        (["evaluate", "{toy}", "--judge", "{judge}", "--no-controls"], 2, "does not apply to the judge alone"),
        (["evaluate", "{toy}", "--attributes", "color", "--real", "{toy}"], 2, "belongs to the judge alone"),
        (["evaluate", "{toy}", "--real-split", "train"], 2, "there are no real clips"),
        (["evaluate", "{toy}", "--train-steps", "3"], 2, "No such option: --train-steps"),
        (["evaluate", "{tmp}", "--judge", "nobody"], 1, "no judge 'nobody'"),
        (["evaluate", "{tmp}/none", "--judge", "{judge}"], 1, "no such folder of clips"),
        (["evaluate", "{tmp}", "--judge", "{judge}"], 1, "no clips in it"),
        (["evaluate", "{toy}", "--judge", "{judge}", "--attributes", "hat"], 1, "does not know hat"),
        (["evaluate", "train-judge", "--data", "{tmp}/none", "-o", "{tmp}/j"], 1, "no such dataset folder"),
    ],
)
def test_bad_input_gets_one_clear_line(toy, trained, tmp_path: Path, capsys, args, code, line):
    from storyreel.cli import main

    places = {"tmp": tmp_path / "empty", "toy": toy.path, "judge": tmp_path / "judge"}
    places["tmp"].mkdir()
    trained[0].save(places["judge"])
    with pytest.raises(SystemExit) as done:
        main([a.format(**places) for a in args])
    said = capsys.readouterr()
    assert done.value.code == code
    assert line in " ".join(said.err.replace("│", " ").split())
    assert not said.out
    assert not (places["tmp"] / "j").exists()
