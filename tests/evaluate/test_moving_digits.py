"""The benchmark `moving-digits`: real clips pass, controls fail where they must, and videos find their prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.parts.prompts import write_digits
from storyreel.clip import Clip
from storyreel.evaluate import benchmarks
from storyreel.evaluate.benchmarks import moving_digits
from storyreel.evaluate.benchmarks.prompt_list import PromptList, find_videos
from storyreel.evaluate.locator import Locator
from storyreel.worlds.digits import HELD_OUT

SOME = [*range(0, 6), *range(100, 106), *range(200, 206), *range(300, 306)]  # six of each group


@pytest.fixture(scope="module")
def asked() -> PromptList:
    return moving_digits.prompts()


@pytest.fixture(scope="module")
def real(asked: PromptList) -> list[Clip]:
    return [moving_digits.real_clip(asked.prompts[i]) for i in SOME]


@pytest.fixture(scope="module")
def judge() -> Locator:
    return Locator.load("digits")


def shares(judge: Locator, clips: list[Clip], asked: PromptList) -> dict[str, dict[str, float]]:
    verdicts = moving_digits.judge_clips(judge, zip([asked.prompts[i] for i in SOME], clips, strict=True))
    found = moving_digits.score(verdicts)
    return {group: {name: s.accuracy for name, s in row.items()} for group, row in found.items()}


def test_the_list_is_what_its_command_writes(tmp_path: Path):
    made = write_digits(tmp_path / "list.json")
    assert made.read_bytes() == moving_digits.FILE.read_bytes(), (
        "the world, or the judge, has changed: python -m benchmarks.parts.prompts moving-digits, and raise the version"
    )


def test_the_list_is_balanced_and_keeps_the_hold_out(asked: PromptList):
    assert len(asked.prompts) == len({p.prompt for p in asked.prompts}) == 400
    for group in moving_digits.GROUPS:
        mine = [p for p in asked.prompts if p.group == group]
        assert len(mine) == 100
        for p in mine:
            pairs = list(zip(p.expected["digits"], p.expected["motions"], strict=True))
            assert len(pairs) == (1 if "single" in group else 2)
            assert all((pair in HELD_OUT) == ("held out" in group) for pair in pairs)
    single = [str(p.expected) for p in asked.prompts if p.group == "single, held out"]
    assert len(set(single)) == 20
    assert max(map(single.count, single)) == 5


def test_real_clips_pass(judge: Locator, real: list[Clip], asked: PromptList):
    found = shares(judge, real, asked)
    assert found["all"]["right"] >= 23 / 24
    assert found["all"]["motions"] == 1.0
    assert found["single, seen"]["path"] == found["single, held out"]["path"] == 1.0
    assert np.isnan(found["double, seen"]["path"])


def test_shuffled_frames_lose_their_motions_and_keep_their_digits(judge: Locator, real: list[Clip], asked: PromptList):
    rng = np.random.default_rng(0)
    shuffled = [clip.replace(frames=clip.frames[rng.permutation(len(clip))]) for clip in real]
    found = shares(judge, shuffled, asked)["all"]
    assert found["digits"] >= 0.9
    assert found["motions"] < 0.35
    assert found["path"] < 0.35
    assert found["right"] < 0.35


def test_another_prompts_clips_have_the_wrong_digits(judge: Locator, real: list[Clip], asked: PromptList):
    moved = [real[(k + 1) % 6 + 6 * (k // 6)] for k in range(len(real))]  # the next of the same group
    found = shares(judge, moved, asked)["all"]
    assert found["digits"] <= 0.35  # some neighbours share a digit
    assert found["right"] <= 0.1


def test_a_still_clip_and_a_black_one_fail(judge: Locator, real: list[Clip], asked: PromptList):
    still = [clip.replace(frames=clip.frames[:1].repeat(10, 0)) for clip in real]
    assert shares(judge, still, asked)["all"]["motions"] == 0
    black = [clip.replace(frames=np.zeros_like(clip.frames)) for clip in real]
    assert shares(judge, black, asked)["all"]["right"] == 0


def test_length_and_size_do_not_matter(judge: Locator, real: list[Clip], asked: PromptList):
    other = [clip.resize(128, 128).replace(frames=clip.resize(128, 128).frames.repeat(2, 0)) for clip in real]
    assert shares(judge, other, asked)["all"]["right"] >= 22 / 24


# -- which video answers which prompt --------------------------------------------------------------------------


def still(caption: str = "") -> Clip:
    return Clip(np.zeros((3, 16, 16, 3), np.uint8), caption=caption)


def test_videos_are_found_by_their_own_prompt(tmp_path: Path, asked: PromptList):
    for name, caption in (("b", asked.prompts[7].prompt), ("a", asked.prompts[301].prompt), ("c", "a dancing cat")):
        still(caption).save(tmp_path / "deep" / f"{name}.mkv")
    still(asked.prompts[7].prompt).save(tmp_path / "z.mp4")
    found = find_videos(tmp_path, asked)
    assert {i: f.name for i, f in found.files.items()} == {7: "b.mkv", 301: "a.mkv"}
    assert [f.name for f in found.strangers] == ["c.mkv"]
    assert [f.name for f in found.again] == ["z.mp4"]


def test_videos_are_found_by_number_and_by_a_list(tmp_path: Path, asked: PromptList):
    for name in ("0003", "399", "400"):
        still().save(tmp_path / "numbers" / f"{name}.gif", metadata=False)
    found = find_videos(tmp_path / "numbers", asked)
    assert {i: f.name for i, f in found.files.items()} == {3: "0003.gif", 399: "399.gif"}
    assert [f.name for f in found.strangers] == ["400.gif"]

    folder = tmp_path / "listed"
    for name in ("x", "y"):
        still().save(folder / f"{name}.gif", metadata=False)
    (folder / "prompts.txt").write_text(f"{asked.prompts[50].prompt}\n{asked.prompts[2].prompt}\n")
    assert {i: f.name for i, f in find_videos(folder, asked).files.items()} == {50: "x.gif", 2: "y.gif"}
    still().save(folder / "0001.gif", metadata=False)  # three files now, so names alone count
    assert {i: f.name for i, f in find_videos(folder, asked).files.items()} == {2: "0001.gif"}
    (folder / "prompts.txt").rename(folder / "prompts.jsonl")
    with pytest.raises(ValueError, match=r"prompts\.jsonl: expected a line"):
        find_videos(folder, asked)


def test_nothing_to_score_is_said_in_one_line(tmp_path: Path, asked: PromptList):
    with pytest.raises(OSError, match="no such folder"):
        benchmarks.run("moving-digits", tmp_path / "nobody")
    still("a cat").save(tmp_path / "a.mkv")
    with pytest.raises(ValueError, match="none of its 1 videos answers a prompt") as error:
        benchmarks.run("moving-digits", tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="did you mean 'moving-digits'"):
        benchmarks.run("moving-digit", tmp_path)
    (tmp_path / "0000.mp4").write_bytes(b"not a video")
    with pytest.raises(ValueError, match="none of its videos can be read"):
        benchmarks.run("moving-digits", tmp_path, quiet=True)


def test_the_whole_on_a_folder(tmp_path: Path, real: list[Clip], asked: PromptList):
    for clip, i in zip(real, SOME, strict=True):
        clip.replace(caption="").save(tmp_path / f"{i:04d}.mp4", scale=2)  # with losses: as others would hand it in
    (tmp_path / "0050.mp4").write_bytes(b"")
    document, lines = benchmarks.run("moving-digits", tmp_path, quiet=True)
    assert document["videos"] == 24
    assert len(document["missing"]) == 376
    assert len(document["broken"]) == 1
    assert not document["comparable"]
    assert document["judge"]["own"]
    assert document["groups"]["single, seen"]["right"]["n"] == 6
    assert document["groups"]["all"]["right"]["accuracy"] >= 0.9
    assert json.loads(json.dumps(document)) == document
    text = "\n".join(lines)
    assert "double, held out" in text
    assert "no video of 376 prompts" in text
    assert document["sha256"][:12] in text


def test_the_verb_writes_the_prompts(tmp_path: Path, asked: PromptList, capsys: pytest.CaptureFixture[str]):
    from storyreel.cli import main
    from storyreel.generate.prompts import read_prompts

    for name in ("prompts.txt", "prompts.jsonl"):
        with pytest.raises(SystemExit) as end:
            main(["data", "prompts", "moving-digits", "-o", str(tmp_path / name)])
        assert end.value.code == 0
        rows = read_prompts(tmp_path / name, {})
        assert [row.options.prompt for row in rows] == [p.prompt for p in asked.prompts]
    assert rows[7].name == "0007"
    assert "400 prompts" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["data", "prompts", "moving-digits", "-o", str(tmp_path / "prompts.csv")])
    assert end.value.code == 1
    assert "expected a .txt or a .jsonl" in capsys.readouterr().err
