"""A folder that takes the place of another one whole: the new one stands before anything of the old one goes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storyreel.layouts import files_below
from storyreel.ownership import LOCK, MARKER, Owned, check_apart, check_owner, check_place, is_edited, remove_names
from storyreel.storage import check_writable, digest_of, sweep, temporary_name


@contextmanager
def replacing_folder(path: str | Path, kind: str, *, inputs: Iterable[str | Path | None] = ()) -> Iterator[Path]:
    """A new folder beside `path`, which takes its place when the block ends well; the old one goes after that.

    Of the old folder only what was recorded is removed: a card that was edited, and whatever else a person put there,
    is in the new one afterwards. Killed in between, the next call finds both and ends it. ValueError or OSError,
    before anything is changed: `path` is not ours, holds or lies in an input, or cannot be written to.
    """
    check_place(Path(path))
    check_apart(path, inputs)
    path = Path(os.path.realpath(path))
    settle(path, kind)
    check_owner(path, kind)
    check_writable(path.parent)
    sweep(path.parent)
    made = temporary_name(path)
    try:
        made.mkdir(parents=True)
        yield made
        new = Owned(made, kind, set(files_below(made)))
        new.cards = {n: [digest_of(made / n)] for n in sorted(new.names) if n.endswith(".md")}
        new.save()
        _put(made, path, kind)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def settle(path: Path, kind: str) -> None:
    """End what a process that was killed had begun: the old folder comes back, or goes where the new one stands."""
    parked = _parked(path)
    if parked.is_symlink() or not parked.is_dir():
        return
    if path.is_dir() and (path / MARKER).exists():
        _merge(parked, path, kind)
    elif not path.exists():
        parked.rename(path)


def _parked(path: Path) -> Path:
    """Where the old folder waits while the new one takes its name."""
    return path.with_name(f".{path.name}.storyreel-replaced")


def _put(made: Path, path: Path, kind: str) -> None:
    if not path.exists():
        made.rename(path)
        return
    if not os.listdir(path):  # it may be a mount point, or somebody's working folder
        names = sorted(os.listdir(made), key=lambda name: (name != MARKER, name == KEY.get(kind), name))
        for name in names:
            os.rename(made / name, path / name)
        return
    if Path.cwd() == path or path in Path.cwd().parents:
        raise ValueError(f"{path}: is the working folder, which cannot be replaced; run this from elsewhere")
    old = check_owner(path, kind)
    if old is None:  # of an earlier version: all that it holds was recognised
        old = Owned(path, kind, set(files_below(path)))
        old.save()
    theirs = set(files_below(path)) - old.names
    if both := sorted(theirs & set(files_below(made)) - {MARKER, LOCK}):
        raise ValueError(f"{path}: holds {both[0]!r}, which storyreel did not write and would; move it elsewhere")
    path.rename(_parked(path))
    made.rename(path)
    _merge(_parked(path), path, kind)


KEY = {"model": "model.json", "judge": "judge.json", "study": "study.json"}
"""Kind -> the file without which the folder is none; it is moved last."""


def _merge(parked: Path, path: Path, kind: str) -> None:
    """What people put into the old folder, or edited there, goes into the new one; the rest of the old one goes."""
    old = check_owner(parked, kind) or Owned(parked, kind)
    edited = {n for n in old.names if n.endswith(".md") and is_edited(parked / n, old.cards.get(n, ()))}
    remove_names(parked, old.names - edited)
    for name in set(files_below(parked)) - {MARKER, LOCK}:
        target = path / name
        if name in edited:
            print(f"storyreel: {target}: was written or edited by hand, and stays as it is", file=sys.stderr)
        elif os.path.lexists(target):
            continue  # it stays in the parked folder
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(parked / name, target)
    remove_names(parked, [LOCK, MARKER])
    for folder, _, _ in os.walk(parked, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
