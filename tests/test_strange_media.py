"""Films in unknown codecs, tags that are no Unicode, pictures that are bombs; batches that hold no clip too long."""

from __future__ import annotations

import base64
import io
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from storyreel import cli, video_io
from storyreel.clip import Clip
from storyreel.curate.measure import MeasureSettings, measure
from storyreel.data.check import check
from storyreel.data.folder import DatasetFolder, write_folder
from storyreel.data.pack import Pack
from storyreel.engine import Local
from storyreel.generate import batch
from storyreel.generate.batch import Job, JobResult
from storyreel.generate.prompts import PromptRow
from storyreel.options.generation import GenerateOptions
from storyreel.options.input_clip import InputClip
from storyreel.study.folders import pair

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """An MP4 whose video is in a codec that nobody knows."""
    path = video_io.write(Clip(FRAMES), tmp_path / "unknown" / "a_red_ball.mp4", scale=1)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    return path


def test_an_unknown_codec_is_one_line_wherever_it_is_opened(unknown: Path, capsys: pytest.CaptureFixture[str]):
    for use in (video_io.read, video_io.probe, video_io.read_meta, lambda p: measure(p, MeasureSettings())):
        with pytest.raises(ValueError, match=r"a_red_ball\.mp4: its video is in a codec that cannot be decoded here"):
            use(unknown)
    with pytest.raises(SystemExit) as done:
        cli.main(["inspect", str(unknown)])
    assert (done.value.code, capsys.readouterr().err.count("\n")) == (1, 1)
    with pytest.raises(ValueError, match="codec"):
        pair([unknown.parent, unknown.parent.parent])


def test_one_film_in_an_unknown_codec_among_many_is_listed(unknown: Path, tmp_path: Path):
    folder = write_folder(tmp_path / "set", [(Clip(FRAMES, caption="x"), {}) for _ in range(3)])
    folder.file(1).write_bytes(unknown.read_bytes())
    folder = DatasetFolder.open(tmp_path / "set")
    report = check(folder, workers=1)
    assert [name for name, _ in report.refused] == ["clips/000001.mkv"]
    assert list(Pack.open(folder, 8, 3, tmp_path / "cache").refused) == [1]


def test_a_title_in_latin_1_is_no_reason_not_to_read_a_film(tmp_path: Path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "caféé"
        stream: Any = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert content.count("caféé".encode()) == 1
    path.write_bytes(content.replace("caféé".encode(), "caféééé".encode("latin-1")))
    assert len(video_io.read(path)) == video_io.probe(path)["frames"] == 4
    assert measure(path, MeasureSettings(text_long_side=0)).info.frames == 4


def test_a_picture_in_a_document_that_is_a_bomb(tmp_path: Path):
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    content = bytearray(out.getvalue())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    note = {"sha256": "0" * 64, "frames": 1, "fps": "8", "png": base64.b64encode(content).decode()}
    for change in ({}, {"frames": 10**400}, {"frames": "x"}, {"fps": "1e999999999"}, {"png": "!"}):
        with pytest.raises(ValueError, match="image: "):
            InputClip.from_note({**note, **change}, "image")


def test_a_batch_lets_go_of_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def make(job: Job, on_progress: Any = None) -> JobResult:
        nonlocal most
        frames = np.full((8, 64, 64, 3), job.index, np.uint8)
        frames.flags.writeable = False
        clip = Clip(frames, Fraction(8), meta={"model": "m", "steps": 4})
        alive.append(weakref.ref(clip.frames))
        most = max(most, sum(ref() is not None for ref in alive))
        return JobResult(job, clip)

    monkeypatch.setattr(batch, "make", make)
    jobs = [Job("m", GenerateOptions(prompt="x"), 0, n, tmp_path / f"{n}.mkv") for n in range(20)]
    written: list[Path] = []
    results = batch.run(jobs, Local(1), lambda clip, path: written.append(path))
    assert (len(written), most <= 2, sum(ref() is not None for ref in alive)) == (20, True, 0)
    told = results[3].as_json()
    assert (told["frames"], told["fps"], told["width"], told["model"], told["steps"]) == (8, "8", 64, "m", 4)


def test_an_engine_keeps_what_the_caller_puts_in_place_of_a_result():
    for workers in (1, 2):
        kept = Local(workers).run(abs, [-1, -2, -3], on_result=lambda index, result: result * 10 if index else None)
        assert kept == [1, 20, 30]


def test_names_that_meet_get_longer_codes_whatever_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    name = batch._name

    def short(options: GenerateOptions, code: str, suffix: str) -> str:
        return name(options, code[:1] if len(code) == 8 else code, suffix)

    monkeypatch.setattr(batch, "_name", short)
    rows = [PromptRow(f"line {n}", GenerateOptions(prompt="a ball", seconds=1 + n), 0, None, None) for n in range(40)]
    jobs = batch.jobs_for(rows, "m", "", tmp_path, ".mp4", seed=0, count=1)
    assert len({job.path for job in jobs}) == 40
    other = batch.jobs_for(rows[::-1], "m", "", tmp_path, ".mp4", seed=0, count=1)
    assert [job.path for job in other] == [job.path for job in jobs][::-1]
    own = [
        PromptRow("line 1", GenerateOptions(prompt="x"), 0, None, "same"),
        PromptRow("line 2", GenerateOptions(prompt="y"), 0, None, "same"),
    ]
    with pytest.raises(ValueError, match=r"line 2: name 'same\.mp4' is taken by line 1"):
        batch.jobs_for(own, "m", "", tmp_path, ".mp4", seed=0, count=1)
