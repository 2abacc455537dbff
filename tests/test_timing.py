"""Steady rates from shown times: the usual cases exactly, and times that claim too much without making anything."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from storyreel import clip_metadata, timing, video_io
from storyreel.clip import Clip
from storyreel.curate.footage import FilmInfo
from storyreel.curate.rows import steady_frames
from storyreel.span import Span

MS = Fraction(1, 1000)
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)


def steady(starts: list[int], end: int, tick: Fraction = MS, **more: Any) -> tuple[list[int], Fraction]:
    count, fps = timing.steady_rate(starts, end, tick, more.pop("facts", {}), **more)
    return timing.on_screen(starts, tick, fps, count), fps


def test_steady_times_are_taken_one_for_one():
    assert steady([0, 125, 250, 375], 500) == ([0, 1, 2, 3], Fraction(8))
    rounded = [round(1000 * k * 1001 / 30000) for k in range(30)]
    facts = {"fps": Fraction(30000, 1001), "frames": 30}
    assert steady(rounded, 1001, facts=facts) == (list(range(30)), Fraction(30000, 1001))
    assert timing.starts_of([Fraction(1001, 30000)] * 3) == ([0, 1, 2], 3, Fraction(1001, 30000))


def test_a_longer_frame_is_repeated():
    assert steady([0, 100, 200, 500], 600) == ([0, 1, 2, 2, 2, 3], Fraction(10))
    assert steady([0, 100], 200, facts={"fps": Fraction(20), "frames": 4}) == ([0, 0, 1, 1], Fraction(20))
    assert timing.starts_of([Fraction(1, 10), Fraction(3, 10)])[:2] == ([0, 70_560_000], 282_240_000)


def test_what_is_claimed_is_known_before_it_is_made():
    begun = time.monotonic()
    count, fps = timing.steady_rate([0, 40, 80, 10**15], 10**15 + 40, MS, {})
    assert (count > 10**12, fps) == (True, Fraction(25))
    assert timing.steady_rate([0, 10**15], 10**15 + 40, MS, {})[1] >= timing.SLOWEST
    forged = {"fps": Fraction(1, 10**9), "frames": 4}
    assert timing.steady_rate([0, 40, 80, 120], 160, MS, forged) == (4, Fraction(25))
    assert time.monotonic() - begun < 1


def refused(path: Path) -> str:
    """What reading says; both at once, since `inspect` must not hang either."""
    begun = time.monotonic()
    with pytest.raises(ValueError, match="more than") as error:
        video_io.read(path)
    video_io.probe(path) if path.suffix != ".png" else None
    assert time.monotonic() - begun < 5
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_gif_of_long_delays(tmp_path: Path):
    pictures = [Image.fromarray(frame) for frame in np.tile(FRAMES, (100, 1, 1, 1))]
    shown = [10, 655_350] * 200
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=shown)
    assert refused(tmp_path / "a.gif").endswith("holds more than 10000 frames, expected at most that")


def test_an_atlas_of_long_durations(tmp_path: Path):
    video_io.write(Clip(FRAMES), tmp_path / "a.png", metadata=False)
    atlas = json.loads((tmp_path / "a.json").read_text())
    for value in (4e9, "1e999999999", 1e300, "9" * 99, -1):
        list(atlas["frames"].values())[1]["duration"] = value
        (tmp_path / "a.json").write_text(json.dumps(atlas))
        begun = time.monotonic()
        with pytest.raises(ValueError, match=r"a\.json: (holds more than 10000 frames|has a frame without)"):
            video_io.read(tmp_path / "a.png")
        assert time.monotonic() - begun < 5


def test_one_jump_in_time(tmp_path: Path):
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=24)
        stream.width = stream.height = 16
        stream.pix_fmt = "bgr0"
        for index, frame in enumerate([*FRAMES] * 3):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")
            picture.pts = index if index < 6 else index + 24 * 86_400 * 300
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    refused(path)
    from storyreel.curate.measure import MeasureSettings, measure

    begun = time.monotonic()
    info = measure(path, MeasureSettings(text_long_side=0)).info
    assert (info.times, info.seekable, info.seconds < 1) == (None, False, True)
    assert time.monotonic() - begun < 30


def test_measures_of_an_older_version_with_a_jump_do_not_hang_either():
    facts = dict(name="a", digest="0", container="mov", codec="h264", width=16, height=16, rotation=0, audio=False)
    times = (0.0, 0.04, 0.08, 1e9)
    info = FilmInfo(**facts, fps=Fraction(25), times=times, frames=4, seconds=1e9 + 0.04)  # pyright: ignore
    assert steady_frames(info, 0, 4) == ([0, 1, 2, 3], Fraction(25))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif", ".webp", ".apng"])
@pytest.mark.parametrize(
    "forged", [{"frames": 10**11}, {"fps": "1/999999999"}, {"frames": 10**11, "fps": "9999999999"}]
)
def test_a_forged_document_is_not_believed(tmp_path: Path, suffix: str, forged: dict[str, Any]):
    def document(clip: Clip, scale: int = 1) -> dict[str, Any]:
        return {"storyreel": 1, "file": {"fps": "8", "frames": 4, **forged}}

    with patch.object(clip_metadata, "document", document):
        video_io.write(Clip(FRAMES, Fraction(8)), tmp_path / f"a{suffix}")
    begun = time.monotonic()
    clip = video_io.read(tmp_path / f"a{suffix}")
    assert (len(clip), clip.fps, time.monotonic() - begun < 5) == (4, Fraction(8), True)


def test_a_picture_that_says_it_was_ten_thousand_large_frames(tmp_path: Path):
    def document(clip: Clip, scale: int = 1) -> dict[str, Any]:
        return {"storyreel": 1, "file": {"fps": "8", "frames": 9_999}}

    with patch.object(clip_metadata, "document", document):
        video_io.write(Clip(np.zeros((1, 512, 512, 3), np.uint8)), tmp_path / "a.gif")
    with pytest.raises(ValueError, match="more than memory should hold"):
        video_io.read(tmp_path / "a.gif")


HOSTILE_SPANS = [
    {"frames": 10**11},
    {"frames": 1e11, "shown": [0]},
    {"frames": "1e9"},
    {"start": "1e999999999"},
    {"start": "9" * 10_000},
    {"fps": "1/0"},
    {"fps": "1e-999999999"},
    {"shown": [10**30]},
    {"shown": []},
    {"bars": [10**400, 0, 0, 0]},
    {"bars": None},
    {"slack": 10**400},
    {"skip": 10**30},
    {"path": "\0"},
    {"path": 3},
]


@pytest.mark.parametrize("change", HOSTILE_SPANS, ids=lambda change: f"{next(iter(change))}")
def test_a_span_of_odd_numbers_is_refused_at_once(tmp_path: Path, change: dict[str, Any]):
    said = Span(Path("film.mkv"), Fraction(0), 4, Fraction(8), range(4)).as_json()
    (tmp_path / "a.span").write_text(json.dumps({**said, **change}))
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"a\.span: is no span of a film") as error:
        Span.read(tmp_path / "a.span")
    assert (time.monotonic() - begun < 1, "\n" in str(error.value), len(str(error.value)) < 400) == (True, False, True)


def test_a_long_film_is_a_span_whose_frames_cost_nothing(tmp_path: Path):
    said = Span(Path("film.mkv"), Fraction(0), 10**7, Fraction(24), range(10**7)).as_json()
    assert said["shown"] is None
    (tmp_path / "a.span").write_text(json.dumps(said))
    assert Span.read(tmp_path / "a.span").shown == range(10**7)
