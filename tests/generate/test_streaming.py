"""Videos without end: made while they are written, from any time on, by models that may read no prompt."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from storyreel import Clip, load, recipes
from storyreel.clip import ClipStream
from storyreel.model import save_model
from storyreel.options.generation import GenerateOptions
from storyreel.video_io import write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video GAN that moves, and has learnt nothing."""
    torch.manual_seed(0)
    recipe = recipes.get("video_gan_tiny")
    system = recipe.system.build()
    with torch.no_grad():
        for weight in system.videos.generator.motion_weights():
            weight.normal_()
    return save_model(tmp_path_factory.mktemp("gan") / "noise", system, recipe=recipe, card="", training={})


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "storyreel", "generate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_stream_is_written_while_it_is_made(tmp_path: Path, suffix: str):
    """Of 40 parts at most three are there at a time, and the file is that of the whole clip, byte for byte."""
    alive: list[int] = []
    parts: list[weakref.ref[np.ndarray]] = []

    def made() -> Iterator[np.ndarray]:
        for number in range(40):
            part = np.full((4, 16, 16, 3), number * 6, np.uint8)
            parts.append(weakref.ref(part))
            yield part
            del part
            alive.append(sum(ref() is not None for ref in parts))

    stream = ClipStream(made, 160, (16, 16), Fraction(8), "x")
    write(stream, tmp_path / f"stream{suffix}")
    assert max(alive) <= 3
    write(stream.gathered(), tmp_path / f"whole{suffix}")
    assert (tmp_path / f"stream{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_other_formats_gather_a_stream(tmp_path: Path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 16, 16, 3), np.uint8)
    stream = ClipStream(lambda: iter([frames[:4], frames[4:]]), 6, (16, 16), Fraction(8))
    assert (Clip.open(write(stream, tmp_path / "a.mkv")).frames == frames).all()


def test_a_stream_is_what_generate_gives(folder: Path):
    model = load(folder)
    options = GenerateOptions.of({"frames": 40})
    stream = model.stream(options, 3)
    assert isinstance(stream, ClipStream)
    clip = model.make(options, 3)
    assert (stream.gathered().frames == clip.frames).all()
    assert stream.meta == clip.meta


def test_a_video_begins_at_any_time(folder: Path):
    """At 8 frames a second, the fifth second is frames 32 to 39 of the whole."""
    model = load(folder)
    [whole], [part] = model(seconds=6, seed=1), model(seconds=1, start=4, seed=1)
    assert len(part) == 8
    assert abs(whole.frames[32:40].astype(int) - part.frames).max() <= 2
    assert abs(whole.frames[:8].astype(int) - part.frames).max() > 2


def test_ten_minutes_are_made_a_part_at_a_time_and_any_second_of_them_alone(folder: Path):
    """What is asked for with its last frames, and alone, is the same; nothing before it is made."""
    model = load(folder)
    stream = model.stream(GenerateOptions.of({"seconds": 600}), 1)
    assert isinstance(stream, ClipStream)
    first, second = islice(stream.parts(), 2)
    assert (len(stream), len(first), len(second)) == (4800, 16, 16)
    [end], [last] = model(seconds=3, start=597, seed=1), model(seconds=1, start=599, seed=1)
    assert abs(end.frames[16:].astype(int) - last.frames).max() <= 2
    assert abs(end.frames[:8].astype(int) - last.frames).max() > 2
    [beginning] = model(seconds=4, seed=1)
    assert (beginning.frames == np.concatenate([first, second])).all()


def test_no_prompt_is_needed_and_one_is_noted_once(folder: Path, tmp_path: Path):
    done = run("-m", folder, "--frames", "9", "-o", tmp_path / "a.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("a red sky", "-m", folder, "--count", "2", "--frames", "9", "-o", tmp_path / "b.mp4", "--seed", "4")
    assert done.returncode == 0
    assert done.stderr.count("noise is unconditional") == 1
    model = load(folder)
    with pytest.warns(UserWarning, match="noise is unconditional"):
        [asked] = model("a red sky", frames=9)
    [free] = model(frames=9)
    assert (asked.frames == free.frames).all()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--start", "-1"), "start: expected a number from 0 to 1e+06, got -1"),
        (("--start", "nan"), "start: expected a number from 0"),
        (("--start", "1e12"), "start: expected a number from 0 to 1e+06"),
        (("--seconds", "-2"), "seconds: expected a number above 0"),
        (("--seconds", "1e9"), "seconds: expected a number above 0"),
        (("--steps", "5"), "steps: a video GAN makes frames from noise, each in one step; leave it out"),
        (("--transparent", "-o", "x.webm"), "transparent: a video GAN makes frames from noise"),
    ],
)
def test_times_and_settings_that_cannot_be_are_one_line(
    folder: Path, tmp_path: Path, words: tuple[str, ...], line: str
):
    out = () if "-o" in words else ("-o", tmp_path / "c.mp4")
    done = subprocess.run(
        [sys.executable, "-m", "storyreel", "generate", *words, "-m", str(folder), *map(str, out)],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode != 0
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_begins_at_the_beginning_says_so():
    with pytest.raises(ValueError, match="start: phenaki-digits makes videos from their beginning"):
        load("phenaki-digits")("the digit 3 is moving up and down", start=2.0)


def test_a_video_that_was_made_without_a_prompt_is_made_again(tmp_path: Path, folder: Path):
    first = run("-m", folder, "--seconds", "1", "--seed", "3", "-o", tmp_path / "a.mp4", "-q")
    assert first.returncode == 0, first.stderr
    again = run("--from", tmp_path / "a.mp4", "-m", folder, "-o", tmp_path / "b.mp4", "-q")
    assert again.returncode == 0, again.stderr
    a, b = (Clip.open(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert np.array_equal(a.frames, b.frames)
