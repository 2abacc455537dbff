"""Which folders a verb may write into: those that are new, empty, or marked as its own kind.

    with claim(out, "report", inputs=[clips, real]) as folder:
        ...

A folder of ours holds `.storyreel.json`: its kind, the names that were generated and recorded so that they may be
removed again, and the digests of cards, so that one that a person edited is told from one that we wrote.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from storyreel.layouts import KINDS, recognised
from storyreel.names import stays_inside
from storyreel.storage import (
    check_no_link,
    check_writable,
    digest_of,
    is_temporary,
    locked,
    read_json,
    sweep,
    with_names_escaped,
    write_bytes,
    write_json,
)

MARKER, LOCK = ".storyreel.json", ".storyreel.lock"
VERSION = 1
NOTHING = {".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"}  # what systems leave in empty folders
Strange = Callable[[Path, str], "str | None"]
SHARED_WAIT = 60.0  # seconds; the lock of a shared folder is held for moments


@dataclass
class Owned:
    """A folder that a verb may write into. `facts`: JSON values that are kept in the marker."""

    path: Path
    kind: str
    names: set[str] = field(default_factory=set)
    cards: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    shared: bool = False

    def save(self) -> None:
        """Write the marker."""
        value: dict[str, Any] = {"storyreel": VERSION, "kind": self.kind}
        value |= {k: v for k, v in (("names", sorted(self.names)), ("cards", self.cards), ("facts", self.facts)) if v}
        if not (self.path / MARKER).exists() or read_json(self.path / MARKER) != value:
            write_json(self.path / MARKER, value)

    def record(self, names: Iterable[str]) -> None:
        """Note names (relative, with /) that are about to be written here, so that `remove` may remove them."""
        new = {name for name in names if _inside(name)}
        if new <= self.names:
            return
        if not self.shared:
            self.names |= new
            return self.save()
        with locked(self.path / LOCK, f"{self.path}: another process holds this folder", wait=SHARED_WAIT):
            self.names = new | (_read(self.path, self.kind).names if (self.path / MARKER).exists() else set())
            self.save()

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of the names that were recorded, and the folders that this leaves empty."""
        found = [name for name in names if name in self.names]
        remove_names(self.path, found)
        if found:
            self.names -= set(found)
            self.save()

    def write_card(self, name: str, text: str) -> bool:
        """Write a text that people may edit. False, with a note on stderr: somebody did, and it stays as it is."""
        content = with_names_escaped(text).encode()
        if is_edited(self.path / name, self.cards.get(name, ())):
            print(f"storyreel: {self.path / name}: was written or edited by hand, and stays as it is", file=sys.stderr)
            return False
        digest = hashlib.sha256(content).hexdigest()
        known = self.cards.get(name, [])
        if digest not in known:  # first, so that a card is known as ours whenever this process is killed
            self.cards[name] = [digest, *known]
            self.save()
        if not (self.path / name).exists() or digest_of(self.path / name) != digest:
            write_bytes(self.path / name, content)
        if known != [digest]:
            self.cards[name] = [digest]
            self.save()
        return True

    def note(self, **facts: Any) -> None:
        """Keep these facts in the marker."""
        if any(self.facts.get(name) != value for name, value in facts.items()):
            self.facts |= facts
            self.save()


@contextmanager
def claim(
    path: str | Path,
    kind: str,
    *,
    inputs: Iterable[str | Path | None] = (),
    shared: bool = False,
    strange: Strange = recognised,
) -> Iterator[Owned]:
    """`path` as a folder to write a `kind` into (`layouts.KINDS`), locked until the block ends; made when missing.

    inputs: what is read meanwhile. shared: several processes may write at once; the lock is held only while it is
    looked at. Folders of earlier versions, without a marker, are taken when all that they hold is recognisably theirs.
    strange: (folder, kind) -> the first name in such a folder that is not of this kind, or None.
    What killed processes left half-written is swept. When the block raises and nothing was written, nothing stays.
    ValueError or OSError, before anything is changed: it is somebody else's, holds or lies in an input, is in use, or
    cannot be written to.
    """
    path = Path(path)
    check_place(path)
    check_apart(path, inputs)
    check_owner(path, kind, strange)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    marked = (path / MARKER).exists()
    try:
        check_writable(path)
        busy = f"{path}: another process is {KINDS[kind].doing} this folder"
        with locked(path / LOCK, busy, wait=SHARED_WAIT if shared else 0.0):
            owned = _take(path, kind, strange)
            if not shared:
                yield owned
                with suppress(ValueError):  # a link that somebody has just put there
                    _sweep(path, kind)
        if shared:
            owned.shared = True
            yield owned
            with suppress(ValueError):
                _sweep(path, kind)
    except BaseException:
        if not marked:
            _leave(path, made)
        raise


def _sweep(path: Path, kind: str) -> None:
    """Remove what processes that were killed, or failed, had begun to write."""
    for folder in written_folders(path, kind):
        sweep(folder)


def _take(path: Path, kind: str, strange: Strange) -> Owned:
    owned = check_owner(path, kind, strange) or Owned(path, kind)
    _sweep(path, kind)
    owned.save()
    return owned


def _leave(path: Path, made: list[Path]) -> None:
    """Nothing was written: the marker, and the folders that were made for it, go."""
    if path.is_dir() and set(os.listdir(path)) - NOTHING <= {MARKER, LOCK}:
        for name in (MARKER, LOCK):
            with suppress(OSError):
                (path / name).unlink()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def check_owner(path: str | Path, kind: str, strange: Strange = recognised) -> Owned | None:
    """What the marker of a folder says; None where a new one may be written. Changes nothing.

    ValueError or OSError, in one line: it is a file, of another kind or version, or holds what is not ours.
    """
    path, what = Path(path), KINDS[kind].says
    check_place(path)
    if not path.exists():
        return None
    if (path / MARKER).exists():
        return _read(path, kind)
    left = sorted(name for name in os.listdir(path) if name not in {*NOTHING, LOCK} and not is_temporary(name))
    if left and (other := strange(path, kind)):
        raise ValueError(f"{path}: holds {other!r}, which is not of {what}; give a new or an empty folder")
    return None


def check_place(path: Path) -> None:
    """OSError for a file, and for a link that leads nowhere."""
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(2, "is a link that leads nowhere, expected a folder", str(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(20, "is a file, expected a folder", str(path))


def _read(path: Path, kind: str) -> Owned:
    value = read_json(path / MARKER)
    if value.get("storyreel") != VERSION:
        raise ValueError(f"{path}: was written by another version of storyreel ({MARKER}); give another folder")
    if value.get("kind") != kind:
        known = KINDS.get(str(value.get("kind")))
        is_ = known.says if known else repr(value.get("kind"))
        raise ValueError(f"{path}: is the folder of {is_}, expected {KINDS[kind].says}; give another folder")
    names, cards, facts = value.get("names", []), value.get("cards", {}), value.get("facts", {})
    if not isinstance(names, list) or not isinstance(cards, dict) or not isinstance(facts, dict):
        raise ValueError(f"{path / MARKER}: is damaged, expected names, cards and facts")
    written_folders(path, kind)
    cards = {str(name): [str(d) for d in digests] for name, digests in cards.items() if isinstance(digests, list)}
    return Owned(path, kind, {str(name) for name in names if _inside(str(name))}, cards, facts)


def written_folders(path: Path, kind: str) -> list[str]:
    """`path` and the folders in it that a `kind` writes into.

    ValueError for one that is a link to a folder outside: what is written stays in `path`.
    """
    written, root = re.compile(KINDS[kind].folders), os.path.realpath(path)
    found = [root]
    for here, folders, _ in os.walk(root):
        ours = {name: os.path.join(here, name) for name in folders}
        ours = {n: p for n, p in ours.items() if written.fullmatch(os.path.relpath(p, root).replace(os.sep, "/"))}
        for place in ours.values():
            if os.path.islink(place) and os.path.commonpath([root, os.path.realpath(place)]) != root:
                shown = path / os.path.relpath(place, root)
                raise ValueError(f"{shown}: is a link to a folder outside of {path}; nothing is written through it")
        folders[:] = list(ours)
        found += ours.values()
    return found


def own_file(folder: str | Path, name: str) -> Path:
    """`folder / name`, a file that is itself in the folder: one that is changed in place, or shown to others.

    OSError when it is a link or no ordinary file, or lies behind a link to a folder outside.
    """
    root, file = os.path.realpath(folder), Path(folder) / name
    if os.path.commonpath([root, os.path.realpath(file.parent)]) != root:
        raise OSError(errno.ELOOP, f"lies behind a link to a folder outside of {folder}", str(file))
    check_no_link(file)
    return file


def is_edited(file: Path, known: Iterable[str]) -> bool:
    """Whether a text is there whose sha256 is none of the known ones, or what is no text, such as a pipe."""
    return file.exists() and (not file.is_file() or digest_of(file) not in known)


# -- apart from the inputs -----------------------------------------------------------------------------------


def check_apart(out: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """ValueError when `out` is an input, holds one, or lies in one. Links are followed."""
    out = Path(out)
    above, chains = _chain(out), {}
    here = above[0] if out.exists() else None
    for path in inputs:
        if path is None:
            continue
        source = Path(path)
        parent = os.path.dirname(os.path.realpath(source))
        if parent not in chains:  # 100,000 films may lie in one folder
            chains[parent] = _chain(Path(parent))
        own = _identity(source)
        if own is None:  # not there yet, such as another folder that is to be written
            real, place = Path(os.path.realpath(source)), Path(os.path.realpath(out))
            if real == place or real in place.parents:
                raise ValueError(f"{out}: is {source}, or lies in it; give a folder of its own to write to")
        if own is not None and own == here:
            raise ValueError(f"{out}: is read here; give another place to write to")
        if here is not None and here in chains[parent]:
            raise ValueError(f"{out}: holds {source}, which is read; give a folder of its own to write to")
        if own is not None and own in above and source.is_dir():
            raise ValueError(f"{out}: lies in {source}, which is read; give a folder of its own to write to")


def check_file(out: str | Path, ours: bool, inputs: Iterable[str | Path | None] = ()) -> None:
    """ValueError when the file `out` is one that is read, or is there and not `ours`."""
    out = Path(out)
    check_apart(out, [path for path in inputs if path is not None and not Path(path).is_dir()])
    if out.is_dir():
        raise IsADirectoryError(21, "is a folder, expected a file name", str(out))
    if (out.exists() or out.is_symlink()) and not ours:
        raise FileExistsError(17, "is there already and was not written by storyreel; give another name", str(out))


def claim_file(out: str | Path, ours: bool, inputs: Iterable[str | Path | None] = ()) -> None:
    """As `check_file`, of a file that is written now: what a killed process began beside it goes."""
    check_file(out, ours, inputs)
    sweep(Path(out).parent)


def _chain(path: Path) -> list[tuple[int, int]]:
    """What the folder and those above it are to the system, links followed; those that do not exist are left out."""
    real = Path(os.path.realpath(path))
    return [found for each in (real, *real.parents) if (found := _identity(each)) is not None]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return stat.st_dev, stat.st_ino


# -- removing ------------------------------------------------------------------------------------------------


def _inside(name: str) -> bool:
    return stays_inside(name) and "\\" not in name


def remove_names(folder: Path, names: Iterable[str]) -> None:
    """Remove these files below `folder`, never through a link that leads out of it; then folders left empty."""
    root = os.path.realpath(folder)
    parents: set[Path] = set()
    for name in names:
        file = folder / name
        if not _inside(name) or os.path.commonpath([root, os.path.realpath(file.parent)]) != root:
            continue
        if file.is_symlink() or not file.is_dir():
            file.unlink(missing_ok=True)
        parents |= {folder / parent for parent in PurePosixPath(name).parents if str(parent) != "."}
    for parent in sorted(parents, key=lambda p: len(p.parts), reverse=True):
        with suppress(OSError):
            parent.rmdir()
