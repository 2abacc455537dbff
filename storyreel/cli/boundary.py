"""The boundary of a verb: whatever happens inside ends in one line and an exit code, never in a traceback.

0 done · 1 the job failed · 2 wrong usage · 130 interrupted. A mistake of the user's is a ValueError or an OSError and
says all there is to say. Anything else is unexpected: its line says what, where, and which file has the details;
STORYREEL_DEBUG=1 shows them at once.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, cast

from storyreel.screen_text import guarded_streams, one_line, printable

EXTRAS = {  # what is no part of a plain installation, and the extra that brings it
    "pyarrow": "data", "scipy": "evaluation", "cv2": "curation", "rapidocr": "curation", "onnxruntime": "curation",
    "transformers": "hub", "tensorboard": "tracking", "ray": "ray", "onnx": "web",
    "fastapi": "serve", "uvicorn": "serve", "python_multipart": "serve",
}  # fmt: skip
MAX_FILES = 20  # files with details that are kept
DETAILS = re.compile(r"\d{8}-\d{6}-\d+-\d{6}\.txt")  # their names
PACKAGE = Path(__file__).parents[1]


def run_verb(verb: str, app: Any, args: list[str], defaults: Callable[[], dict[str, Any]]) -> NoReturn:
    """Run a Typer app on a command line that calls `verb`; SystemExit with the exit code.

    defaults: gives those of the options, by verb and name.
    """
    with boundary(verb):
        import typer

        command = typer.main.get_command(app)
        code = command.main(args=args, prog_name="storyreel", standalone_mode=False, default_map=defaults())
        if code == 130:  # Typer turns Ctrl-C into this code, without a word
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def boundary(verb: str) -> Iterator[None]:
    """Turns what is raised in the block into a line on stderr and a SystemExit; text is printed with escapes."""
    with guarded_streams(), _threads_reported(verb), _warnings_noted():
        try:
            try:
                yield
            finally:
                _flush()
        except SystemExit:
            raise
        except KeyboardInterrupt:
            _fail("storyreel: interrupted", 130)
        except BrokenPipeError:
            _silence()
            sys.exit(1)
        except BaseException as error:  # a panic in Rust code (tokenizers, safetensors) is no Exception
            _refused(verb, error)


def _flush() -> None:
    """What is still in the buffer of stdout is written here, where a full disk or a closed pipe has an answer."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        _silence()
        raise


def _silence() -> None:
    """Nobody reads stdout any more: what is left goes nowhere, instead of failing once more at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(verb: str, error: BaseException) -> NoReturn:
    import typer

    # Newer Typer carries its own copy of Click, so its exceptions are reached through Typer alone.
    usage_error, click_exception = cast(tuple[type[Exception], ...], typer.BadParameter.__mro__[1:3])
    if isinstance(error, typer.Exit):
        sys.exit(error.exit_code)
    if isinstance(error, typer.Abort):
        _fail("storyreel: interrupted", 130)
    if isinstance(error, click_exception):
        error.message = printable(str(getattr(error, "message", "")))  # pyright: ignore[reportAttributeAccessIssue]
        error.show()  # pyright: ignore[reportAttributeAccessIssue]
        sys.exit(2 if isinstance(error, usage_error) else 1)
    if os.environ.get("STORYREEL_DEBUG"):
        _fail(traceback.format_exc().rstrip(), 1)
    if isinstance(error, (ValueError, OSError)) and not isinstance(error, UnicodeError):  # which names no file
        _fail(f"storyreel: error: {expected_line(error)}", 1)
    _fail(f"storyreel: error: {missing_line(verb, error) or unexpected_line(verb, error)}", 1)


def missing_line(verb: str, error: BaseException) -> str | None:
    """What to install, for a package of an extra that is not there; None for any other error."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    extra = EXTRAS.get(package)
    return extra and f"{verb}: needs {package}, which is not installed; run: pip install 'storyreel[{extra}]'"


def _fail(line: str, code: int) -> NoReturn:
    with suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)
    sys.exit(code)


def expected_line(error: Exception) -> str:
    """The words of a user's mistake, on one line; those of the system with the file that they are about."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename and error.strerror:
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        message = f"{name}: {error.strerror}"
    return one_line(" ".join(message.split()))


def unexpected_line(verb: str, error: BaseException) -> str:
    """What happened, where, and where the details are; they are written to a file in the cache folder."""
    what = short_of_memory(error) or f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    where = _where(error.__traceback__)
    file = write_details(verb, error)
    more = f"details are in {file}" if file else "STORYREEL_DEBUG=1 shows the details"
    return one_line(f"{verb}: {what.rstrip(': ')} (at {where}; {more})")


def short_of_memory(error: BaseException) -> str | None:
    """What is to be said of an error that means too little memory; None for any other."""
    name, words = type(error).__name__, str(error)
    if name == "OutOfMemoryError":
        return "out of memory on the device; try a smaller size, fewer frames or a smaller batch"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in words):
        return "out of memory; try a smaller size, fewer frames or a smaller batch"
    if name == "BrokenProcessPool":
        return "a worker process died, perhaps out of memory; try fewer workers"
    if isinstance(error, RecursionError):
        return "a file is nested too deeply"
    return None


def _where(trace: TracebackType | None) -> str:
    """The innermost place in this package: `model.py, line 12`."""
    frames = [frame for frame in traceback.extract_tb(trace) if frame.filename != __file__]
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)] or frames
    if not own:
        return "an unknown place"
    path = Path(own[-1].filename)
    name = path.relative_to(PACKAGE.parent).as_posix() if path.is_relative_to(PACKAGE) else path.name
    return f"{name}, line {own[-1].lineno}"


def write_details(verb: str, error: BaseException) -> Path | None:
    """A new file in the cache folder with the command and the traceback; None where it cannot be written.

    The newest 20 are kept.
    """
    import platformdirs

    from storyreel.ownership import remove_names

    root = os.environ.get("STORYREEL_CACHE") or platformdirs.user_cache_dir("storyreel")
    folder = Path(root) / "errors"
    file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**6:06d}.txt"
    words = f"storyreel {verb}\n{' '.join(map(repr, sys.argv))}\n\n" + "".join(traceback.format_exception(error))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", errors="backslashreplace") as out:
            out.write(words)
        ours = sorted(name for name in os.listdir(folder) if DETAILS.fullmatch(name))
        remove_names(folder, ours[:-MAX_FILES])
    except OSError:
        return None
    return file


@contextmanager
def _warnings_noted() -> Iterator[None]:
    """A warning is one line, said once, without the place in the source, which says nothing to who reads it."""
    noted: set[str] = set()

    def note(message: Warning | str, *place: Any, **more: Any) -> None:
        line = one_line(" ".join(str(message).split()))
        if line not in noted:
            noted.add(line)
            print(f"storyreel: note: {line}", file=sys.stderr, flush=True)

    before, warnings.showwarning = warnings.showwarning, note
    try:
        yield
    finally:
        warnings.showwarning = before


@contextmanager
def _threads_reported(verb: str) -> Iterator[None]:
    """An error in a thread, which ends nothing, is a line as well."""

    def report(thrown: threading.ExceptHookArgs) -> None:
        if thrown.exc_value is None or isinstance(thrown.exc_value, SystemExit):
            return
        print(f"storyreel: error: {unexpected_line(verb, thrown.exc_value)}", file=sys.stderr, flush=True)

    before = threading.excepthook
    threading.excepthook = report
    try:
        yield
    finally:
        threading.excepthook = before
