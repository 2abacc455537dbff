"""One boundary a verb: whatever is raised becomes one line, an exit code, and a file with the details."""

from __future__ import annotations

import concurrent.futures.process
import os
import subprocess
import sys
import threading
import tomllib
import warnings
from pathlib import Path

import pytest
import torch

from storyreel.cli.boundary import EXTRAS, boundary, write_details

ROOT = Path(__file__).parents[1]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ended(error: BaseException) -> int:
    with pytest.raises(SystemExit) as stopped, boundary("paint"):
        raise error
    return int(stopped.value.code or 0)


class PanicException(BaseException):
    """What Rust code raises through pyo3."""


UNEXPECTED = [
    (KeyError("x\ny"), "unexpected KeyError: 'x\\ny'"),
    (MemoryError(), "out of memory; try"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory; try"),
    (RuntimeError("mat1 and mat2 shapes\ncannot be multiplied"), "RuntimeError: mat1 and mat2 shapes cannot"),
    (torch.OutOfMemoryError("CUDA out of memory"), "out of memory on the device"),
    (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
    (concurrent.futures.process.BrokenProcessPool("a child"), "a worker process died"),
    (PanicException("index out of bounds"), "unexpected PanicException: index out of bounds"),
    (AssertionError(), "unexpected AssertionError"),
    (UnicodeEncodeError("utf-8", "b\udcff", 1, 2, "surrogates not allowed"), "unexpected UnicodeEncodeError"),
    (TypeError("\x1b[2J\u202e"), "unexpected TypeError: \\x1b[2J\\u202e"),
]


def test_a_warning_is_one_line_said_once(capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings(), boundary("paint"):
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn("fps: it was trained at 8,\n  not 60", stacklevel=1)
            warnings.warn("frames: 20 are more than 8", stacklevel=1)
    assert capsys.readouterr().err == (
        "storyreel: note: fps: it was trained at 8, not 60\nstoryreel: note: frames: 20 are more than 8\n"
    )


@pytest.mark.parametrize("module", sorted(EXTRAS))
def test_a_package_that_is_missing_names_the_extra_that_brings_it(module: str, cache: Path, capsys):
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    brings = " ".join(project["optional-dependencies"][EXTRAS[module]])
    packages = {"cv2": "opencv-python-headless", "python_multipart": "python-multipart"}
    assert packages.get(module, module) in brings
    assert ended(ModuleNotFoundError(f"No module named '{module}.x'", name=f"{module}.x")) == 1
    line = capsys.readouterr().err
    assert line == (
        f"storyreel: error: paint: needs {module}, which is not installed; "
        f"run: pip install 'storyreel[{EXTRAS[module]}]'\n"
    )
    assert not cache.exists()


@pytest.mark.parametrize(("error", "said"), UNEXPECTED, ids=lambda value: type(value).__name__)
def test_the_unexpected_is_one_line_with_what_where_and_the_details(error, said, cache, capsys):
    assert ended(error) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("storyreel: error: paint: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
    assert said in err
    assert "test_boundary.py, line" in err, "the place"
    (file,) = (cache / "errors").glob("*.txt")
    assert f"details are in {file}" in err
    details = file.read_text()
    assert "Traceback (most recent call last)" in details
    assert type(error).__name__ in details


@pytest.mark.parametrize("error", [ValueError("fps: expected\na number"), OSError(2, "No such file", "a\x1b.mp4")])
def test_a_mistake_says_all_itself(error, cache, capsys):
    assert ended(error) == 1
    err = capsys.readouterr().err
    assert err in ("storyreel: error: fps: expected a number\n", "storyreel: error: a\\x1b.mp4: No such file\n")
    assert not cache.exists(), "there are no details to keep"


def test_debug_shows_the_traceback_without_control_characters(cache, capsys, monkeypatch):
    monkeypatch.setenv("STORYREEL_DEBUG", "1")
    assert ended(KeyError("\x1b[2J\u202e")) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last)")
    assert "\x1b" not in err
    assert "\u202e" not in err


def test_ctrl_c_and_a_closed_pipe(cache, capsys):
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "storyreel: interrupted\n"
    code = "import sys; from storyreel.cli.boundary import boundary\nwith boundary('x'):\n raise BrokenPipeError"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m storyreel models --json | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_behind_stdout_is_named():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "storyreel", "models"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "storyreel: error: stdout: could not be written: No space left on device\n"


def test_an_error_in_a_thread_is_a_line_as_well(cache, capsys):
    before = threading.excepthook

    def fail() -> None:
        raise KeyError("of a thread")

    with boundary("paint"):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert threading.excepthook is before
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "unexpected KeyError: 'of a thread'" in err


def test_the_newest_twenty_files_are_kept_and_none_is_no_error(cache, monkeypatch):
    for _ in range(25):
        assert write_details("paint", KeyError("x"))
    assert len(list((cache / "errors").iterdir())) == 20
    for number in range(30):  # somebody else's folder of that name
        (cache / "errors" / f"2020-letter-{number}.txt").write_text("mine")
    assert write_details("paint", KeyError("x"))
    assert len(list((cache / "errors").iterdir())) == 50
    (cache / "file").write_text("")
    monkeypatch.setenv("STORYREEL_CACHE", str(cache / "file"))
    assert write_details("paint", KeyError("x")) is None


def test_a_verb_passes_through_it(cache, capsys, monkeypatch):
    from storyreel.cli import main
    from storyreel.generate import registry

    def fail() -> None:
        raise TypeError("of the registry")

    monkeypatch.setattr(registry, "here", fail)
    with pytest.raises(SystemExit) as stopped:
        main(["models", "show", "tiny"])
    assert stopped.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith("storyreel: error: models: unexpected TypeError: of the registry (at ")
    assert str(cache) in err
    assert err.count("\n") == 1


def test_a_name_on_the_command_line_cannot_drive_the_terminal(capsys):
    from storyreel.cli import main

    for args in (["\x1b[2J"], ["models", "\x1b[2J"], ["models", "show", "\x1b[2J"], ["generate", "x", "--\x1b[2J"]):
        with pytest.raises(SystemExit):
            main(args)
        out, err = capsys.readouterr()
        assert "\x1b[2J" not in out + err
        assert os.linesep in err
