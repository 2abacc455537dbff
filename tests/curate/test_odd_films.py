"""Films that are odd but whole, and films that are broken: measured or refused in one line, without crash or hang."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra storyreel[curation]")
import av

sys.path.insert(0, str(Path(__file__).parent))
import mutated

from reproductions.encode import write_pictures
from storyreel.curate.measure import FilmMeasures, MeasureSettings, measure

QUIET = MeasureSettings(text_long_side=0)


def drifting(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    """uint8 (count, h, w, 3): coarse noise that drifts by two pixels a frame."""
    rng = np.random.default_rng(0)
    wide = np.repeat(rng.integers(0, 256, (height, (width + 2 * count) // 8 + 1, 3), np.uint8), 8, 1)
    return np.stack([wide[:, 2 * index : 2 * index + width] for index in range(count)])


def written(path: Path, pictures: np.ndarray, ticks: list[int], base: Fraction, codec: str = "ffv1") -> Path:
    """A film whose frames have the given times, in units of `base` seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=max(1, round(1 / base)))
        stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        for picture, tick in zip(pictures, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_rotation_turns_what_is_measured(tmp_path: Path):
    pictures = drifting(24, 64, 96)
    pictures[:, :, :16] = pictures[:, :, 80:] = 0  # bars at the sides as it is stored
    path = write_pictures(tmp_path / "a.mp4", pictures, Fraction(24))
    data = bytearray(path.read_bytes())
    matrix = b"\0\1\0\0" + bytes(12) + b"\0\1\0\0" + bytes(12) + b"\x40\0\0\0"
    quarter = b"\0\0\0\0\0\1\0\0" + bytes(4) + b"\xff\xff\0\0" + bytes(16) + b"\x40\0\0\0"
    at = data.index(matrix, data.index(b"tkhd"))
    data[at : at + 36] = quarter
    path.write_bytes(data)
    measures = measure(path, QUIET)
    assert measures.info.rotation in (90, 270)
    assert (measures.info.height, measures.info.width) == (96, 64)
    (span,) = measures.spans
    top, bottom, left, right = span.scores["bars"]  # type: ignore[misc]
    assert abs(top - 16) <= 2
    assert abs(bottom - 16) <= 2
    assert (left, right) == (0, 0)


def test_variable_frame_rate_keeps_its_times(tmp_path: Path):
    ticks = np.cumsum([0] + [40, 40, 80, 20] * 6)[:24].tolist()
    measures = measure(written(tmp_path / "v.mkv", drifting(24), ticks, Fraction(1, 1000)), QUIET)
    assert measures.info.times is not None
    assert np.allclose(measures.info.times, np.array(ticks) / 1000, atol=0.002)
    assert measures.spans[-1].end == 24


def test_times_that_go_back_make_a_steady_film(tmp_path: Path):
    from storyreel.curate.decode import FilmReader

    film = FilmReader(write_pictures(tmp_path / "a.mp4", drifting(24), Fraction(24)), max_pixels=10**6)
    assert len(list(film)) == 24
    film._ticks[5], film._ticks[9] = film._ticks[9], film._ticks[5]
    info = film.info
    assert (info.times, info.frames, info.fps, info.seekable) == (None, 24, Fraction(24), False)


@pytest.mark.parametrize(("base", "step"), [(Fraction(1, 1000), 1), (Fraction(1, 1), 1000)])
def test_a_thousand_frames_a_second_and_a_thousand_seconds_a_frame(tmp_path: Path, base: Fraction, step: int):
    ticks = [index * step for index in range(24)]
    measures = measure(written(tmp_path / "f.mkv", drifting(24), ticks, base), QUIET)
    assert measures.info.frames == 24
    assert float(measures.info.fps) == pytest.approx(1 / float(base * step), rel=0.05)


def test_frames_that_all_have_the_same_time(tmp_path: Path):
    """What a rate of 0 frames a second comes to."""
    from storyreel.curate.decode import FilmReader

    film = FilmReader(write_pictures(tmp_path / "a.mp4", drifting(8), Fraction(24)), max_pixels=10**6)
    assert len(list(film)) == 8
    for index in range(8):
        film._ticks[index] = 7
    info = film.info
    assert info.times is None
    assert info.fps == 24
    assert info.seconds > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (8, 15360)])
def test_the_smallest_and_the_widest(tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "s.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=24)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p"
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv444p")))
        container.mux(stream.encode(None))
    measures = measure(path, QUIET)
    assert (measures.info.height, measures.info.width, measures.info.frames) == (*size, 2)


def test_16k_is_refused_by_its_header(tmp_path: Path):
    from PIL import Image

    path = tmp_path / "large.gif"
    pictures = [Image.new("P", (8, 8), index) for index in range(2)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    data = bytearray(path.read_bytes())
    data[6:10] = (15360).to_bytes(2, "little") + (8640).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(ValueError, match="15360x8640 pixels a frame"):
        measure(path, QUIET)


@pytest.mark.parametrize("name", ["with spaces.mp4", "two\nlines.mp4", "фильм 映画 \U0001f3ac.mp4", "-dash%20.mp4"])
def test_any_name_is_read(tmp_path: Path, name: str):
    path = write_pictures(tmp_path / "plain.mp4", drifting(6), Fraction(24)).rename(tmp_path / name)
    assert measure(path, QUIET).info.frames == 6
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"corrupt|truncated"):
        measure(path, QUIET)


def test_black_holds_nothing_and_no_picture_stays(tmp_path: Path):
    """Minutes of black, which stand for hours: one span, and of its pictures only so many are kept at a time."""
    from storyreel.curate import measure as measuring
    from storyreel.curate import samples
    from storyreel.curate.decode import FilmReader

    path = write_pictures(tmp_path / "black.mp4", (np.zeros((36, 64, 3), np.uint8) for _ in range(3000)), Fraction(24))
    film = FilmReader(path, max_pixels=10**6)
    watcher = measuring._FilmPass(film, QUIET)
    most = thumbs = 0
    for picture in film:
        watcher.see(picture)
        most = max(most, sum(sample.luma is not None for sample in watcher.samples))
        thumbs = max(thumbs, len(watcher.thumbs))
    spans = watcher.finish()
    assert [(span.start, span.end) for span in spans] == [(0, 3000)]
    assert spans[0].scores["motion_flow"] == 0.0
    assert most <= 4 * samples.MOST
    assert thumbs <= measuring.WINDOW + 2 * measuring.MARGIN


def test_a_hundred_mutations(tmp_path: Path):
    told = mutated.run(range(102), tmp_path, limit=60.0)
    assert mutated.bad(told) == []
    assert any("refused" in one for one in told)
    assert any("frames" in one for one in told)
    assert all(str(tmp_path) in one["refused"] for one in told if "refused" in one)


def test_json_keeps_doubts(tmp_path: Path):
    measures = measure(write_pictures(tmp_path / "a.mp4", drifting(12), Fraction(24)), QUIET)
    assert FilmMeasures.from_json(measures.as_json()) == measures
