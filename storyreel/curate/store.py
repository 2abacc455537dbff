"""The working part of a curated dataset folder: what is known so far, in files that are whole or absent.

DATASET/curation/curate.json      the configuration; another one is refused
DATASET/curation/footage.jsonl    the films: name, path, licence, caption, carried columns
DATASET/curation/films/KEY.json   what was measured of one film
DATASET/curation/manifest.jsonl   a line a film that is finished, appended after its file is whole: or its error
DATASET/curation/answers/         captions and scores of models, a line a clip, appended as they are made
DATASET/curation/edits.jsonl      decisions and captions of people; appended, never rewritten
DATASET/curation/thresholds.json  what the clips were last chosen by
DATASET/curation/spans.parquet    every span, kept or not, with all scores and reasons
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.curate.sources import Source, named_apart
from storyreel.names import bare
from storyreel.storage import sweep, take_lock, write_text

FORMAT = 1


@dataclass(frozen=True)
class Film:
    """A line of the manifest: a film that was measured, or could not be."""

    name: str
    film: str
    size: int
    mtime_ns: int
    digest: str | None = None
    spans: int = 0
    seconds: float = 0.0
    error: str | None = None
    tries: int = 1

    def as_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Store:
    """The folder of one curation, held by one process at a time. Use as a context manager."""

    def __init__(self, dataset: str | Path) -> None:
        self.dataset = Path(dataset)
        self.path = self.dataset / "curation"
        self._lock: Any = None
        self.films: dict[str, Film] = {}
        self.config: dict[str, Any] = {}

    def __enter__(self) -> Store:
        """OSError: not writable. ValueError: another process works on it, or it is somebody else's dataset."""
        if not self.path.exists() and (self.dataset / "metadata.parquet").exists():
            raise ValueError(f"{self.dataset}: already holds a dataset that was not curated here; give another folder")
        if self.dataset.exists() and not self.dataset.is_dir():
            raise ValueError(f"{self.dataset}: is a file, wanted a folder to write the dataset into")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(self.path / ".lock", f"{self.dataset}: another process is curating into this folder")
        self._sweep()
        self.films = {line["name"]: Film(**line) for line in read_lines(self.path / "manifest.jsonl")}
        return self

    def __exit__(self, *exc: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _sweep(self) -> None:
        """Remove what a process that was killed had begun to write."""
        for folder in (self.dataset, self.dataset / "clips", self.path, self.path / "films", self.path / "answers"):
            sweep(folder)

    # -- configuration -------------------------------------------------------------------------------------

    def configure(self, config: Mapping[str, Any], *, redo: bool = False) -> str:
        """Begin or go on with `config` (JSON values); its digest. ValueError names what differs from the folder's."""
        config = {"format": FORMAT, **json.loads(json.dumps(config))}
        file = self.path / "curate.json"
        if file.exists():
            old = read_object(file)
            if old != config and not redo:
                name, was, now = next(_differences(old, config))
                raise ValueError(
                    f"{self.dataset}: was curated with {name} {was}, now asked for {now}; "
                    "give another folder, or --redo to measure again"
                )
            if old != config:
                self._forget()
        write_text(file, json.dumps(config, indent=2, sort_keys=True) + "\n")
        self.config = config
        return digest_of(config)

    def _forget(self) -> None:
        """All that was measured goes; what people decided, and the list of films, stays."""
        for name in ("manifest.jsonl", "spans.parquet"):
            (self.path / name).unlink(missing_ok=True)
        (self.dataset / "metadata.parquet").unlink(missing_ok=True)
        for folder in (self.path / "films", self.path / "answers", self.path / "shelf", self.dataset / "clips"):
            shutil.rmtree(folder, ignore_errors=True)
        self.films = {}

    def sources(self, new: Iterable[Source] = ()) -> list[Source]:
        """All films of the dataset, those of earlier calls and `new`, sorted by name; remembered."""
        file = self.path / "footage.jsonl"
        known = {line["path"]: Source.from_json(line) for line in read_lines(file)}
        both = named_apart(known, new)
        if both != sorted(known.values(), key=lambda s: s.name):
            write_lines(file, (source.as_json() for source in both))
        return both

    # -- films ---------------------------------------------------------------------------------------------

    def is_done(self, source: Source, *, retry: bool = False) -> bool:
        """Whether the film, as it lies there now, was measured (or given up, unless `retry`)."""
        film = self.films.get(source.name)
        if film is None or (film.error is not None and retry):
            return False
        try:
            stat = os.stat(source.path)
        except OSError:
            return True  # gone or out of reach: what was measured stays true
        return (film.size, film.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    def put_film(self, source: Source, measured: Mapping[str, Any] | None, error: str | None, tries: int) -> Film:
        """Write what was measured, then the line that says so."""
        key = hashlib.sha256(source.name.encode()).hexdigest()[:20]
        try:
            stat = os.stat(source.path)
            size, mtime = stat.st_size, stat.st_mtime_ns
        except OSError:
            size, mtime = -1, -1
        facts: dict[str, Any] = {}
        if measured is not None:
            write_text(self.film_file(key), json.dumps(measured, sort_keys=True, separators=(",", ":")) + "\n")
            info = measured["info"]
            facts = {"digest": info["digest"], "spans": len(measured["spans"]), "seconds": float(info["seconds"])}
        film = Film(source.name, key, size, mtime, error=error, tries=tries, **facts)
        append_line(self.path / "manifest.jsonl", film.as_json())
        self.films[source.name] = film
        return film

    def film_file(self, key: str) -> Path:
        return self.path / "films" / f"{bare(key, f'{self.path}/manifest.jsonl: film')}.json"

    def settle(self) -> None:
        """The manifest in the order of the names, whatever order the films were finished in."""
        lines = [self.films[name].as_json() for name in sorted(self.films)]
        write_lines(self.path / "manifest.jsonl", lines)
        bad = [{"name": f["name"], "error": f["error"], "tries": f["tries"]} for f in lines if f["error"] is not None]
        write_lines(self.path / "quarantine.jsonl", bad)

    # -- answers and edits ---------------------------------------------------------------------------------

    def answers(self, step: str) -> Answers:
        return Answers(self.path / "answers" / f"{step}.jsonl")

    def edits(self) -> dict[str, dict[str, Any]]:
        """Clip id -> {"keep": true, false or null, "caption": text or null}: the last word on each."""
        return read_edits(self.dataset)


class Answers:
    """What a model said of each clip, kept as it is said: a line {"clip": id, "value": ...}."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values: dict[str, Any] = {line["clip"]: line["value"] for line in read_lines(file)}

    def put(self, clip: str, value: Any) -> None:
        append_line(self.file, {"clip": clip, "value": value})
        self.values[clip] = value

    def settle(self) -> None:
        if self.values:
            write_lines(self.file, ({"clip": clip, "value": self.values[clip]} for clip in sorted(self.values)))


def edits_file(dataset: str | Path) -> Path:
    return Path(dataset) / "curation" / "edits.jsonl"


def read_edits(dataset: str | Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in read_lines(edits_file(dataset)):
        found.setdefault(line["clip"], {}).update({k: line[k] for k in ("keep", "caption") if k in line})
    return found


def add_edit(dataset: str | Path, clip: str, **change: Any) -> None:
    """Append one decision: keep=True, False or None (as the thresholds say), caption=text or None (as it was)."""
    if not change or set(change) - {"keep", "caption"}:
        raise ValueError(f"edit of {clip}: wanted keep or caption, got {', '.join(change) or 'nothing'}")
    append_line(edits_file(dataset), {"clip": clip, **change})


# -- files of lines ----------------------------------------------------------------------------------------


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl file; half a line at its end, of a process that was killed, is passed over."""
    if not file.exists():
        return
    whole = file.read_bytes()
    for number, line in enumerate(whole[: whole.rfind(b"\n") + 1].splitlines(), 1):
        try:
            value = json.loads(line)
        except ValueError:
            raise ValueError(f"{file}, line {number}: is damaged, wanted a JSON object") from None
        yield value


def append_line(file: Path, value: Mapping[str, Any]) -> None:
    """One line more, on disk when this returns. Half a line that somebody left at the end goes first."""
    line = (json.dumps(value, sort_keys=True) + "\n").encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as out:
            end = out.seek(0, os.SEEK_END)
            if end:
                out.seek(max(0, end - 1))
                if out.read(1) != b"\n":
                    out.seek(0)
                    end = out.read().rfind(b"\n") + 1
                    out.truncate(end)
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(file)) from None


def write_lines(file: Path, values: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(value, sort_keys=True) + "\n" for value in values))


def read_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text())
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"{file}: is damaged, wanted JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{file}: is damaged, wanted a JSON object")
    return value


def digest_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield path, json.dumps(old), json.dumps(new)


def shown(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
