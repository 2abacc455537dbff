"""One pass over written films: what it says of motion, bars, text and time, and which files it refuses."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra storyreel[curation]")

from reproductions.encode import write_pictures
from storyreel.curate.measure import FilmMeasures, MeasureSettings, measure

QUIET = MeasureSettings(text_long_side=0)


def scene(seed: int, count: int, speed: float = 0.0, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """A smooth random picture that drifts sideways: uint8 (count, h, w, 3)."""
    rng = np.random.default_rng(seed)
    height, width = size
    falls = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width * 3)[None])
    falls[0, 0] = 1
    wide = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width * 3))) / falls**1.2, (height, width * 3))
    wide = np.clip((wide - wide.mean()) / wide.std() * 40 + rng.uniform(90, 160), 0, 255).astype(np.uint8)
    frames = np.stack([wide[:, int(k * speed) : int(k * speed) + width] for k in range(count)])
    return np.repeat(frames[..., None], 3, -1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static shot, a moving one, and bars of 10 rows above and below: 48 and 48 frames."""
    frames = np.concatenate([scene(1, 48), scene(2, 48, 1.0)])
    frames[:, :10] = frames[:, 80:] = 0
    return write_pictures(tmp_path_factory.mktemp("films") / "a film.mp4", frames, Fraction(24))


def test_scores_of_a_static_and_a_moving_shot(film: Path):
    seen: list[int] = []
    measures = measure(film, QUIET, on_frames=seen.append)
    assert [(one.start, one.end, one.kind) for one in measures.transitions] == [(48, 48, "hard")]
    still, moving = measures.spans
    assert (still.start, still.end, moving.start, moving.end) == (0, 48, 48, 96)
    assert still.scores["motion_flow"] < 0.25 < 5 < moving.scores["motion_flow"]  # type: ignore[operator]
    assert still.scores["motion_difference"] < 0.5 < moving.scores["motion_difference"]  # type: ignore[operator]
    assert still.scores["frozen_share"] == 1.0
    assert moving.scores["frozen_share"] == 0.0
    assert moving.scores["camera_motion"] > 2 * moving.scores["object_motion"]  # type: ignore[operator]
    for span in measures.spans:
        assert np.abs(np.array(span.scores["bars"]) - [10, 10, 0, 0]).max() <= 2
    assert seen[-1] == 96
    assert measures.info.fps == 24
    assert measures.info.times is None
    assert not measures.info.audio


def test_the_same_bytes_give_the_same_measures_and_json_keeps_them(film: Path):
    first, second = measure(film, QUIET), measure(film, QUIET)
    assert first == second
    assert FilmMeasures.from_json(json.loads(json.dumps(first.as_json()))) == first


def test_hashes_tell_twins_from_strangers(film: Path, tmp_path: Path):
    frames = np.concatenate([scene(1, 48), scene(2, 48, 1.0)])
    frames[:, :10] = frames[:, 80:] = 0
    poor = write_pictures(tmp_path / "poor.mp4", frames, Fraction(24), crf=36)
    bits = [
        np.unpackbits(np.frombuffer(bytes.fromhex(str(span.scores["phash"])), np.uint8))
        for path in (film, poor)
        for span in measure(path, QUIET).spans
    ]
    assert len(bits[0]) == 256
    assert (bits[0] != bits[2]).mean() < 0.08
    assert (bits[1] != bits[3]).mean() < 0.08
    assert (bits[0] != bits[1]).mean() > 0.25


def test_bars_are_a_pair():
    from storyreel.curate.quality import bars_of

    rows, columns = np.full((3, 90), 200, np.uint8), np.full((3, 160), 200, np.uint8)
    columns[:, :20] = columns[:, -28:] = 0  # eight columns on the right are dark in the picture
    assert bars_of(rows, columns) == [0, 0, 20, 20]
    columns[:, -60:] = 0
    assert bars_of(rows, columns) == [0, 0, 20, 60], "too much to be an accident"


def test_spans_agree_on_their_bars():
    from storyreel.curate.quality import agreed_bars

    bright = (100, [20, 20, 0, 0], [20, 20, 3, 0], 0.5)
    night = (300, [0, 0, 0, 0], [70, 50, 0, 0], 0.05)  # nobody sees where such a picture begins
    wrong = (50, [20, 20, 44, 0], [20, 20, 44, 0], 0.1)
    archive = (90, [0, 0, 60, 60], [0, 0, 60, 60], 0.4)
    full = (40, [0, 0, 0, 0], [0, 0, 0, 0], 0.1)
    said = agreed_bars([bright, night, bright, wrong, archive, full])
    same = [20, 20, 0, 0]
    assert said == [same, same, same, same, [0, 0, 60, 60], [0, 0, 0, 0]]
    assert agreed_bars([night]) == [[0, 0, 0, 0]]


def test_text_is_found_and_its_absence_too(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("rapidocr")
    from tests.movies.shots import words

    plain = scene(3, 30, 1.0, (180, 320))
    draw = words(np.random.default_rng(1), (180, 320))
    worded = np.stack([draw(frame, index) for index, frame in enumerate(scene(4, 30, 1.0, (180, 320)))])
    path = write_pictures(tmp_path / "text.mp4", np.concatenate([plain, worded]), Fraction(24))
    first, second = measure(path).spans
    assert first.scores["text_share"] < 0.01  # type: ignore[operator]
    assert second.scores["text_share"] > 0.03  # type: ignore[operator]


def test_a_dark_shot_that_moves_is_not_static(tmp_path: Path):
    noise = np.random.default_rng(0).normal(0, 1, (48, 90, 160, 1))
    frames = np.clip(scene(5, 48, 1.0) * 0.12 + noise, 0, 255).astype(np.uint8)
    (span,) = measure(write_pictures(tmp_path / "night.mp4", frames, Fraction(24)), QUIET).spans
    assert span.scores["motion_flow"] > 1.0  # type: ignore[operator]
    assert span.scores["bars"] == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (18, 640)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]):
    frames = np.random.default_rng(0).integers(0, 255, (5, *size, 3), np.uint8)
    measures = measure(write_pictures(tmp_path / "odd.mp4", frames, Fraction(10)), QUIET)
    assert (measures.info.height, measures.info.width) == size
    assert measures.info.frames == 5


def test_what_is_no_film_is_refused_in_one_line(tmp_path: Path, film: Path):
    for name, content in {
        "empty.mp4": b"",
        "text.mp4": b"hello",
        "picture.mp4": b"\x89PNG\r\n\x1a\n" + b"\0" * 30,
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name) as refused:
            measure(tmp_path / name, QUIET)
        assert "\n" not in str(refused.value)
    (tmp_path / "half.mp4").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(ValueError, match="truncated"):
        measure(tmp_path / "half.mp4", QUIET)
    with pytest.raises(ValueError, match="pixels a frame"):
        measure(film, MeasureSettings(max_pixels=1000))
    with pytest.raises(OSError, match="missing"):
        measure(tmp_path / "missing.mp4", QUIET)


def test_flipped_bits_are_measured_or_refused(tmp_path: Path, film: Path):
    whole = film.read_bytes()
    for seed in range(12):
        rng = random.Random(seed)
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 30)):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{seed}.mp4"
        path.write_bytes(broken)
        said = ""
        try:
            assert measure(path, QUIET).info.frames > 0
        except ValueError as refused:
            said = str(refused)
        assert not said or (str(path) in said and "\n" not in said)
