"""Clips of spans: the very frames, cropped, as files, as virtual clips and in shards; films as they come."""

from __future__ import annotations

import errno
import os
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from stub_films import measure_real
from test_pipeline import rows_in, snapshot

from reproductions.encode import write_pictures
from storyreel.clip import Clip
from storyreel.curate.export import Export, export_clip
from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Thresholds
from storyreel.data.export import export_webdataset
from storyreel.data.folder import DatasetFolder
from storyreel.span import Span

ANY = Thresholds(frames=Limit(), seconds=Limit(), side=Limit())


def numbered(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Frames that say which they are: the bits of the number as black and white stripes."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for index in range(count):
        for bit in range(8):
            frames[index, :, bit * width // 8 : (bit + 1) * width // 8] = 235 if index >> bit & 1 else 20
    return frames


def numbers(frames: np.ndarray) -> list[int]:
    width = frames.shape[2]
    middle = frames[:, frames.shape[1] // 2].mean(-1)
    return [sum((row[int((bit + 0.5) * width / 8)] > 128) << bit for bit in range(8)) for row in middle]


def encode(
    path: Path, frames: np.ndarray, *, codec: str = "libx264", pts: list[int] | None = None, **options: str
) -> Path:
    """A film at 24 frames a second; pts: in thousandths of a second, for a variable rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=24, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        base = Fraction(1, 1000) if pts else Fraction(1, 24)
        stream.time_base = stream.codec_context.time_base = base
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = pts[index] if pts else index, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path):
    t, y, x = np.ogrid[:12, :64, :48]
    ramps = np.broadcast_arrays(y * 7 + t * 9, x * 5 + t * 3, x + y + t * 20)
    pictures, found, written = (np.stack(ramps, -1) % 256).astype(np.uint8), set(), set()
    film = encode(tmp_path / "a.mkv", pictures, codec="ffv1")
    span = Span(film, Fraction(0), 12, Fraction(24), tuple(range(12)), slack=1 / 48)
    for turn in range(20):
        _held = np.full(1000 + 7919 * turn, 37 * turn % 256, np.uint8)  # other memory for the next encoder
        export_clip((span.as_json(), str(tmp_path / "b.mp4"), Export()))
        found.add((tmp_path / "b.mp4").read_bytes())
        written.add(write_pictures(tmp_path / "c.mp4", pictures, Fraction(24)).read_bytes())
    assert len(found) == len(written) == 1


FORMS = [("a.mp4", {}), ("a.mkv", {}), ("a.ts", {}), ("a.avi", {"codec": "mpeg4"}), ("a.mp4", {"bf": "3", "g": "17"})]


@pytest.mark.parametrize(("name", "options"), FORMS, ids=["mp4", "mkv", "ts", "avi", "b-frames"])
def test_a_span_is_the_very_frames_that_were_asked_for(tmp_path: Path, name: str, options: dict[str, Any]):
    film = encode(tmp_path / name, numbered(120), **options)
    for start, end in ((0, 9), (1, 4), (37, 61), (110, 120), (119, 120)):
        said = Span(film, Fraction(start, 24), end - start, Fraction(24), tuple(range(end - start)), slack=1 / 48)
        assert numbers(said.clip().frames) == list(range(start, end))
        counted = Span(film, Fraction(0), end - start, Fraction(24), tuple(range(end - start)), skip=start)
        assert numbers(counted.clip().frames) == list(range(start, end))
    part = Span(film, Fraction(10, 24), 21, Fraction(24), tuple(range(21)), slack=1 / 48)
    assert numbers(part.some((0, 0.5, 1))) == [10, 20, 30]


def test_a_variable_rate_becomes_steady(tmp_path: Path):
    pts = [0, 40, 80, 120, 400, 440, 480, 520]  # a frame is missing for a while
    encode(tmp_path / "in" / "a.mkv", numbered(8), pts=pts)
    curate(
        [tmp_path / "in"],
        tmp_path / "out",
        CurationSettings(export=Export(format="mkv")),
        ANY,
        where=Execution(workers=1),
        job=measure_real,
    )
    folder = DatasetFolder.open(tmp_path / "out")
    clip = folder.clip(0)
    assert clip.fps == 25
    assert numbers(clip.frames)[:11] == [0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 4]
    assert len(clip) == folder.row(0)["num_frames"]


def test_frames_of_a_film_whose_times_go_back_are_counted(tmp_path: Path):
    parts = [encode(tmp_path / f"{i}.ts", numbered(60)[30 * i : 30 * i + 30]).read_bytes() for i in range(2)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "joined.ts").write_bytes(b"".join(parts))
    settings = CurationSettings(export=Export(format="virtual"))
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    assert rows_in(tmp_path / "out")[1]["skip"] is not None
    folder = DatasetFolder.open(tmp_path / "out")
    frames = [number for i in range(2) for number in numbers(folder.clip(i).frames)]
    assert frames == sorted(frames)
    assert len(frames) >= 58


@pytest.mark.parametrize("form", ["mp4", "mkv", "virtual"])
def test_kept_clips_open_as_a_dataset(tmp_path: Path, form: Any):
    encode(tmp_path / "in" / "two shots\nof « été ».mp4", numbered(48))
    settings = CurationSettings(export=Export(format=form))
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    folder = DatasetFolder.open(tmp_path / "out")
    assert len(folder) == 2
    assert [numbers(folder.clip(i).frames) for i in range(2)] == [list(range(24)), list(range(24, 48))]
    assert [folder.row(i)["num_frames"] for i in range(2)] == [24, 24]
    assert folder.clip(0).fps == 24
    first = snapshot(tmp_path / "out")
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    assert snapshot(tmp_path / "out") == first
    curate([tmp_path / "in"], tmp_path / "again", settings, ANY, where=Execution(workers=2), job=measure_real)
    if form == "mp4":  # Matroska files have a random number of their own
        assert snapshot(tmp_path / "again") == first


def test_bars_are_cut_off_and_large_clips_brought_down(tmp_path: Path):
    frames = np.full((12, 96, 128, 3), 16, np.uint8)
    frames[:, 16:80] = numbered(12, 64, 128)
    film = encode(tmp_path / "a.mp4", frames)
    said = Span(film, Fraction(0), 12, Fraction(24), tuple(range(12)), bars=(16, 16, 0, 0)).as_json()
    assert export_clip((said, str(tmp_path / "b.mp4"), Export())) == (64, 128)
    clip = Clip.open(tmp_path / "b.mp4")
    assert clip.size == (64, 128)
    assert numbers(clip.frames) == list(range(12))
    assert export_clip((said, str(tmp_path / "c.mp4"), Export(side=32))) == (32, 64)
    assert Clip.open(tmp_path / "c.mp4").size == (32, 64)
    odd = {**said, "bars": [15, 16, 1, 0]}
    assert export_clip((odd, str(tmp_path / "d.mp4"), Export())) == (64, 126), (
        "odd sizes lose a row, nothing is stretched"
    )


def test_a_film_that_is_gone_costs_its_clips_alone(tmp_path: Path):
    encode(tmp_path / "in" / "a.mp4", numbered(48))
    encode(tmp_path / "in" / "b.mp4", 255 - numbered(48))

    settings = CurationSettings(export=Export(format="virtual"))
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    (tmp_path / "in" / "a.mp4").unlink()
    real = CurationSettings(export=Export(format="mp4"))
    done = curate([tmp_path / "in"], tmp_path / "out", real, ANY, where=Execution(workers=1), job=measure_real)
    assert (done.selected, done.rejected) == (2, {"error": 2})
    assert "no such film" in rows_in(tmp_path / "out")[0]["error"]
    folder = DatasetFolder.open(tmp_path / "out")
    assert all(name.endswith(".mp4") for name in folder.file_names)


def test_a_full_disk_ends_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from storyreel.curate import write
    from storyreel.curate.supervise import Outcome

    encode(tmp_path / "in" / "a.mp4", numbered(48))

    class Full(Execution):
        def run(self, function: Any, items: Any, watch: Any, on_result: Any, on_beat: Any = None) -> None:
            for index, item in enumerate(items):
                if function is write.export_clip:
                    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    on_result(index, Outcome(error=f"OSError: {full}"))
                on_result(index, Outcome(function(item, lambda frames: None)))

    with pytest.raises(OSError, match="no room to write the clips"):
        curate([tmp_path / "in"], tmp_path / "out", CurationSettings(), ANY, where=Full(), job=measure_real)
    assert not (tmp_path / "out" / "metadata.parquet").exists(), "a dataset is there when it is whole"
    assert (
        curate(
            [tmp_path / "in"], tmp_path / "out", CurationSettings(), ANY, where=Execution(workers=1), job=measure_real
        ).selected
        == 2
    )


def test_a_virtual_clip_on_a_full_disk_leaves_nothing_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from storyreel.curate import export

    def full(made: Any, file: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(export, "span_of", lambda row: row)
    monkeypatch.setattr(export.os, "replace", full)
    with pytest.raises(OSError, match=r"a\.span") as error:
        export.write_span({"clip": "a"}, str(tmp_path / "a.span"))
    assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_damaged_spans_are_refused(tmp_path: Path):
    (tmp_path / "a.span").write_text('{"span": 1}')
    with pytest.raises(ValueError, match=r"a\.span: is no span of a film"):
        Span.read(tmp_path / "a.span")
    film = encode(tmp_path / "a.mp4", numbered(12))
    good = Span(film, Fraction(0), 12, Fraction(24), tuple(range(12)))
    for change in ({"bars": [40, 40, 0, 0]}, {"frames": 99}, {"start": "100"}):
        with pytest.raises(ValueError, match=r"a\.mp4"):
            Span.from_json({**good.as_json(), **change}).clip()


def write_shards(dataset: Path, out: Path, shard: int) -> list[Path]:
    return export_webdataset(DatasetFolder.open(dataset), out, shard, drawn=True)


def test_shards_are_the_same_bytes_each_time_and_hold_every_clip_once(tmp_path: Path):
    encode(tmp_path / "in" / "a.mp4", numbered(48))
    encode(tmp_path / "in" / "b.mp4", 255 - numbered(48))
    (tmp_path / "in" / "b.txt").write_text("inverted stripes\n")
    curate([tmp_path / "in"], tmp_path / "out", CurationSettings(), ANY, where=Execution(workers=1), job=measure_real)
    made = write_shards(tmp_path / "out", tmp_path / "one", shard=3)
    assert [p.name for p in made] == ["00000-of-00002.tar", "00001-of-00002.tar"]
    write_shards(tmp_path / "out", tmp_path / "two", shard=3)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    names: list[str] = []
    for path in made:
        with tarfile.open(path) as tar:
            names += tar.getnames()
    ids = [row["clip"] for row in rows_in(tmp_path / "out")]
    assert sorted(names) == sorted(f"{clip}{suffix}" for clip in ids for suffix in (".mp4", ".txt", ".json"))
    before = made[0].stat().st_mtime_ns
    write_shards(tmp_path / "out", tmp_path / "one", shard=3)
    assert made[0].stat().st_mtime_ns == before, "what is there is kept"
    assert len(write_shards(tmp_path / "out", tmp_path / "one", shard=10)) == 1
    assert len(list((tmp_path / "one").glob("*.tar"))) == 1


@pytest.mark.parametrize("drawn", [False, True])
def test_virtual_clips_are_not_packed_into_shards(tmp_path: Path, drawn: bool):
    encode(tmp_path / "in" / "a.mp4", numbered(48))
    settings = CurationSettings(export=Export(format="virtual"))
    curate([tmp_path / "in"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real)
    with pytest.raises(ValueError, match=r"out: \d+ clips are virtual"):
        export_webdataset(DatasetFolder.open(tmp_path / "out"), tmp_path / "w", drawn=drawn)
    assert not (tmp_path / "w").exists()
