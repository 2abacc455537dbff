"""What is wrong with a file is told from what is wrong with the machine, and only the former is remembered."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from storyreel import video_io
from storyreel.clip import Clip
from storyreel.curate import decode
from storyreel.curate.lines import read_lines
from storyreel.curate.measure import MeasureSettings, measure
from storyreel.curate.supervise import FilmWorker, RetryPolicy
from storyreel.data import folder as folders
from storyreel.data.array_file import ArrayFile
from storyreel.data.check import check
from storyreel.data.folder import DatasetFolder, write_folder
from storyreel.data.pack import Pack
from storyreel.data.parallel import run
from storyreel.read_errors import is_passing, persevering, reading

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    return write_folder(tmp_path / "set", [(Clip(FRAMES, caption=f"clip {n}"), {}) for n in range(3)])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storyreel.read_errors.PAUSES", (0.0, 0.0))


def failing(times: int, error: Callable[[], BaseException], then: Callable[..., Any]) -> Callable[..., Any]:
    left = [times]

    def function(*args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error()
        return then(*args, **options)

    return function


def of_ffmpeg(number: int) -> Callable[[], BaseException]:
    def error() -> BaseException:
        with pytest.raises(av.error.FFmpegError) as caught:
            av.error.err_check(-number, "x")
        return caught.value

    return error


@pytest.mark.parametrize("error", [MemoryError, of_ffmpeg(errno.ENOMEM), of_ffmpeg(errno.EIO), of_ffmpeg(errno.EMFILE)])
@pytest.mark.usefixtures("in_this_process")
def test_a_clip_that_could_not_be_read_for_a_moment_is_never_called_corrupt(
    dataset: DatasetFolder, tmp_path: Path, error: Any, monkeypatch: pytest.MonkeyPatch
):
    opened = av.open
    monkeypatch.setattr(video_io.av, "open", failing(99, error, opened))
    monkeypatch.setattr("storyreel.read_errors.memory_is_there", lambda: False)
    if "5]" not in str(error()):
        with pytest.raises(OSError, match=r"could not be read now") as told:
            Pack.open(dataset, 8, 3, tmp_path / "cache")
        assert str(told.value.filename).endswith("000000.mkv")
        assert "\n" not in str(told.value)
        assert "corrupt" not in str(told.value)
    monkeypatch.setattr("storyreel.read_errors.memory_is_there", lambda: True)
    if "24]" not in str(error()):  # open files are not asked for by a broken file
        found = Pack.open(dataset, 8, 3, tmp_path / "cache").refused
        assert (list(found), "could not be read now" in found[0]) == ([0, 1, 2], True)
    monkeypatch.setattr(video_io.av, "open", failing(2, error, opened))
    pack = Pack.open(dataset, 8, 3, tmp_path / "cache")
    assert (pack.refused, pack.counts.tolist()) == ({}, [4, 4, 4])


def test_a_clip_that_is_corrupt_is_remembered(dataset: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset.file(1).write_bytes(dataset.file(1).read_bytes()[:300])
    whole = Pack.open(dataset, 8, 3, tmp_path / "cache")
    assert list(whole.refused) == [1]
    monkeypatch.setattr(folders, "read_clip", failing(99, AssertionError, folders.read_clip))
    assert Pack.open(dataset, 8, 3, tmp_path / "cache").refused == whole.refused


@pytest.mark.usefixtures("in_this_process")
def test_memory_that_runs_out_in_the_middle_of_a_check_is_listed(
    dataset: DatasetFolder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(video_io.av, "open", failing(3, MemoryError, av.open))
    report = check(dataset, workers=1)
    assert (report.usable, [name for name, _ in report.refused]) == (2, ["clips/000000.mkv"])
    assert "not enough memory" in report.refused[0][1]


def test_errors_are_told_apart():
    for error in (MemoryError(), PermissionError(13, "x"), OSError(errno.EIO, "x"), OSError(errno.ENOSPC, "x")):
        assert is_passing(error)
    for error in (
        FileNotFoundError(2, "x"),
        FileNotFoundError("x"),
        IsADirectoryError(21, "x"),
        ValueError(),
        KeyError(),
    ):
        assert not is_passing(error)
    assert is_passing(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"))
    for error in (IndexError("x\ny"), OverflowError("x"), RecursionError("x"), TypeError("x"), AttributeError("x")):
        with pytest.raises(ValueError, match=r"^a\.mp4: is corrupt: x( y)?$"), reading("a.mp4"):
            raise error
    calls: list[int] = []
    with pytest.raises(MemoryError):
        persevering(lambda: (calls.append(1), failing(1, MemoryError, int)())[1])
    assert len(calls) == 3


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return video_io.write(Clip(np.tile(FRAMES, (3, 1, 1, 1))), tmp_path / "in" / "a.mkv", metadata=False)


def measure_without_memory(job: tuple[str, Any], beat: Any) -> dict[str, Any]:
    """As `pipeline.measure_film`, on a machine that has no memory while a file `full` lies beside the film."""
    if Path(job[0]).with_name("full").exists():
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), job[0])
    return measure(Path(job[0]), job[1], on_frames=beat).as_json()


def test_a_film_that_met_a_machine_without_memory_is_tried_again(film: Path, tmp_path: Path):
    from storyreel.curate.pipeline import CurationSettings, curate
    from storyreel.curate.thresholds import Thresholds

    full = film.with_name("full")
    full.touch()
    quick = CurationSettings(measure=MeasureSettings(text_long_side=0), watch=RetryPolicy(patience=120, tries=2))
    again = dict(settings=quick, thresholds=Thresholds(), job=measure_without_memory)
    first = curate([film], tmp_path / "out", **again)  # pyright: ignore
    assert [(bad["name"], bad["tries"]) for bad in first.refused] == [("a.mkv", 2)]
    full.unlink()
    assert curate([film], tmp_path / "out", **again).refused == []  # pyright: ignore
    assert [line.get("passing") for line in read_lines(tmp_path / "out/curation/manifest.jsonl")] == [None]


def test_ffmpeg_without_memory_is_no_damaged_frame(film: Path, monkeypatch: pytest.MonkeyPatch):
    class Packet:
        decode = staticmethod(failing(99, of_ffmpeg(errno.ENOMEM), list))

    class Container:
        demux = staticmethod(lambda stream: [Packet])

    found = decode.FilmReader(film, max_pixels=10**6, damaged=99)
    with pytest.raises(av.error.MemoryError):
        list(found._decoded(Container, None))
    assert found.damaged == 0


def told(job: Path, beat: Any) -> str:
    if job.exists():
        job.unlink()
        raise MemoryError
    return "done"


def test_a_worker_tries_again_when_memory_was_short(tmp_path: Path):
    (tmp_path / "once").touch()
    worker = FilmWorker(told)
    try:
        outcome = worker.call(tmp_path / "once", RetryPolicy(patience=120, tries=2))
    finally:
        worker.stop()
    assert (outcome.result, outcome.tries, outcome.passing) == ("done", 2, False)


def once_killed(job: tuple[Path, int]) -> int:
    """Kills its own process when a file of its number lies there, which it removes first unless told to stay."""
    mark, number = job
    file = mark / f"{number}"
    if file.exists():
        if not (mark / "stays").exists():
            file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_worker_costs_nothing_but_time(tmp_path: Path):
    for number in (3, 11):
        (tmp_path / str(number)).touch()
    jobs = [(tmp_path, number) for number in range(20)]
    assert list(run(once_killed, jobs, workers=2)) == list(range(20))
    (tmp_path / "stays").touch()
    (tmp_path / "7").touch()
    done = run(once_killed, jobs, workers=2)
    assert [next(done) for _ in range(7)] == list(range(7))
    with pytest.raises(OSError, match=r"a worker process was killed 3 times.*run the same command again"):
        next(done)


def test_rows_are_written_one_after_the_other_and_go_on(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(10, 3, 2)).astype(np.float16)
    whole = np.lib.format.open_memmap(tmp_path / "whole.npy", "w+", rows.dtype, rows.shape)
    whole[:] = rows
    whole.flush()
    with ArrayFile(tmp_path / "a.npy", rows.dtype, rows.shape) as file:
        file.write(rows[:4])
        file.write(rows[4:6])  # of a process that is killed before it notes them
        file.flush()
    with ArrayFile(tmp_path / "a.npy", rows.dtype, rows.shape, done=4) as file:
        file.write(rows[4:])
        with pytest.raises(ValueError, match="expected rows of"):
            file.write(rows[:1])
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), rows)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_disk_that_fills_up_is_an_error_that_names_the_file():
    with pytest.raises(OSError, match="No space left") as told:  # noqa: PT012
        file = ArrayFile(Path("/dev/full"), np.uint8, (10, 1 << 20))
        file.__enter__()
        file.write(np.zeros((10, 1 << 20), np.uint8))
    assert told.value.filename == "/dev/full"
