"""Making a study: clips meet by prompt, nothing gives the model away, and odd input is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_clips import PROMPTS, ball

from storyreel import cli, video_io
from storyreel.study.create import StudyOptions, create, noise
from storyreel.study.folders import model_names, pair, spoken
from storyreel.study.plan import NOISE, PAIR, SAME, Study


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        cli.main(["study", "create", *map(str, args)])
    out = capsys.readouterr()
    return int(done.value.code or 0), out.out, out.err


@pytest.fixture(scope="module")
def made(two_models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Study:
    return create(two_models, tmp_path_factory.mktemp("made") / "study", seed=3).study


def test_the_folder_is_what_was_asked_for(made: Study):
    study = Study.open(made.folder)
    assert study == made
    assert (study.models, study.seed, study.preset, study.raters) == (("ours", "theirs"), 3, "make-a-video", 5)
    assert [q.name for q in study.questions] == ["quality", "faithfulness"]
    assert study.answers == ("left", "right", "tie")
    kinds = [item.kind for item in study.items]
    assert [kinds.count(kind) for kind in (PAIR, NOISE, SAME)] == [2, 2, 2]
    assert study.prompts == PROMPTS
    assert all(item.watch == 0.75 for item in study.items)  # the length of the clips
    assert {f.name for f in (made.folder / "clips").iterdir()} == study.clip_names
    assert len(study.clip_names) == 2 * len(study.items)  # no address tells that two clips are one


def test_no_clip_says_who_made_it(made: Study):
    for file in (made.folder / "clips").iterdir():
        facts = video_io.probe(file)
        assert facts["format"] == "mp4 (h264)"
        assert facts["made"] is None
        assert b"secret" not in file.read_bytes()
        assert b"ours" not in file.read_bytes()


def test_the_clips_are_the_models(made: Study):
    item = next(item for item in made.items if item.kind == PAIR and item.prompt == PROMPTS[0])
    for name, shift in zip(item.files, (0, 3), strict=True):
        seen = video_io.read(made.folder / "clips" / name).resize(32, 32).frames.astype(int)
        assert np.abs(seen - ball(0, shift).frames).mean() < 3


def test_noise_has_the_colours_and_nothing_else():
    clip = ball(0)
    made = noise(clip)
    assert np.sort(made.frames.reshape(6, -1, 3), axis=1).sum() == np.sort(clip.frames.reshape(6, -1, 3), axis=1).sum()
    assert (made.frames != clip.frames).any(-1).mean() > 0.05
    assert (made.frames[0] != made.frames[1]).any()


def test_godiva_asks_its_own_questions(two_models: list[Path], tmp_path: Path):
    options = StudyOptions(questions=("realism",), catch=0, per_rater=1, suffix=".webm", names=("x", "y"), watch=0.0)
    study = create(two_models, tmp_path / "study", preset_name="godiva", options=options).study
    assert [q.name for q in study.questions] == ["realism"]
    assert (study.raters, study.per_rater, study.models) == (200, 1, ("x", "y"))
    assert study.answers == ("left", "right", "tie", "both_bad")
    assert {item.kind for item in study.items} == {PAIR}
    assert video_io.probe(study.folder / "clips" / study.items[0].files[0])["format"] == "webm (vp9)"


def test_without_ties_nothing_is_shown_against_itself(two_models: list[Path], tmp_path: Path):
    study = create(two_models, tmp_path / "study", options=StudyOptions(ties=False, prompts=1)).study
    assert study.answers == ("left", "right")
    assert [item.kind for item in study.items] == [PAIR, NOISE]


def bare(folder: Path, *names: str) -> Path:
    for name in names:
        video_io.write(ball(0, frames=2), folder / name, metadata=False, scale=1)
    return folder


def test_clips_without_metadata_meet_by_name(tmp_path: Path):
    a = bare(tmp_path / "a", "a_red_ball-0.gif", "a_dog.gif")
    b = bare(tmp_path / "b", "a_red_ball-0.webp", "a_cat.webp")
    pairs, unpaired = pair([a, b])
    assert [(p.prompt, p.known) for p in pairs] == [("a red ball", True)]
    assert sorted(file.name for file in unpaired) == ["a_cat.webp", "a_dog.gif"]


def test_names_of_models_and_prompts():
    assert model_names([Path("x/ours/clips"), Path("x/theirs/clips")]) == ["ours/clips", "theirs/clips"]
    assert [spoken(s) for s in ("a_red_ball-3", "0007", "clip_7", "Ein Ball.2")] == ["a red ball", "", "", "Ein Ball"]


def test_the_command_says_what_it_made_and_what_is_left_out(
    two_models: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    more = tmp_path / "more"
    ball(0).save(more / "one.webp", scale=1)
    status, out, err = run(capsys, two_models[0], more, "-o", tmp_path / "study", "--catch", 0)
    assert status == 0
    assert "1 pair of 1 prompt" in out
    assert "left out without a partner: 1 clip" in err


def test_odd_input_is_one_line_and_leaves_nothing(
    two_models: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], made: Study
):
    a, b = two_models
    out = tmp_path / "out"
    empty, full = tmp_path / "empty", bare(tmp_path / "full", "z.gif")
    empty.mkdir()
    numbers = [bare(tmp_path / name, "0001.gif") for name in ("m", "n")]
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "one.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    twice = bare(tmp_path / "twice", "z.gif", "z.webp")
    cases: list[tuple[list[object], str]] = [
        ([a], "at least two folders"),
        ([a, a], "named twice"),
        ([a, tmp_path / "nowhere"], "no such folder"),
        ([a, empty], "no clips in it"),
        ([a, full], "expected clips made from the same prompts"),
        ([a, torn], "one.mp4"),
        ([full, twice], "two clips are named 'z'"),
        (numbers, "no prompt is known"),
        ([a, b, "--preset", "best"], "there is no 'best'"),
        ([a, b, "--questions", "beauty"], "no 'beauty'"),
        ([a, b, "--names", "x"], "expected 2 different ones"),
    ]
    for args, words in cases:
        status, said, err = run(capsys, *args, "-o", out)
        assert (status, said, err.count("\n")) == (1, "", 1), err
        assert words in err
        assert not out.exists()
    status, _, err = run(capsys, a, b, "-o", made.folder)
    assert (status, "there is a study already" in err) == (1, True)
    status, _, err = run(capsys, a, b, "-o", a)
    assert (status, "is not empty" in err) == (1, True)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_numbers_will_do_where_no_question_shows_a_prompt(tmp_path: Path):
    numbers = [bare(tmp_path / name, "0001.gif") for name in ("m", "n")]
    study = create(numbers, tmp_path / "study", options=StudyOptions(questions=("quality",), catch=0)).study
    assert [item.prompt for item in study.items] == ["0001"]


def test_one_clip_that_cannot_be_read_is_left_out_and_told(two_models: list[Path], tmp_path: Path):
    import shutil

    two_models = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in two_models]
    clips = sorted(file for file in two_models[0].iterdir() if file.is_file())
    clips[0].write_bytes(clips[0].read_bytes()[: clips[0].stat().st_size // 2])
    made = create(two_models, tmp_path / "study")
    assert list(made.unreadable) == [clips[0]]
    assert len(made.study.indices("pair")) == len(clips) - 1
    for clip in clips[1:]:
        clip.write_bytes(b"x" * 400)
    with pytest.raises(ValueError, match=r"neither a video|truncated|no clip of"):
        create(two_models, tmp_path / "other")
