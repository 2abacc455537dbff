"""The working part of a curated dataset folder: what is known so far, in files that are whole or absent.

DATASET/curation/curate.json      the configuration; another one is refused
DATASET/curation/footage.jsonl    the films: name, path, licence, caption, carried columns
DATASET/curation/films/KEY.json   what was measured of one film
DATASET/curation/manifest.jsonl   a line a film that is finished, appended after its file is whole: or its error
DATASET/curation/answers/         captions and scores of models, a line a clip, appended as they are made
DATASET/curation/edits.jsonl      decisions and captions of people; appended, never rewritten
DATASET/curation/thresholds.json  what the clips were last chosen by
DATASET/curation/clips.json       the ids of the clips whose files were written here, and which of them are to go
DATASET/curation/spans.parquet    every span, kept or not, with all scores and reasons
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.curate.edits import read_edits
from storyreel.curate.lines import append_line, read_lines, write_lines
from storyreel.curate.requirements import BROKEN
from storyreel.curate.sources import FilmSource, named_apart
from storyreel.curate.supervise import Outcome
from storyreel.json_file import read_json
from storyreel.layouts import CLIP, files_below
from storyreel.names import bare
from storyreel.ownership import claim, remove_names
from storyreel.storage import sweep, write_text

FORMAT = 1
CLIP_FILE = re.compile(CLIP)
ANSWERS = re.compile(r"answers/(captions|fused|similarity|aesthetics)-[0-9a-f]{16}\.jsonl")


@dataclass(frozen=True)
class FilmRecord:
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
    passing: bool = False  # the error was of the machine: the next call tries again, and adds to `tries`

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "passing" or value}


class Store:
    """The folder of one curation, held by one process at a time. Use as a context manager."""

    def __init__(self, dataset: str | Path, inputs: Iterable[str | Path | None] = ()) -> None:
        """inputs: the footage, and whatever else is read; that of earlier calls is known."""
        self.dataset = Path(dataset)
        self.path = self.dataset / "curation"
        self._inputs = list(inputs)
        self._open = ExitStack()
        self.films: dict[str, FilmRecord] = {}
        self.config: dict[str, Any] = {}

    def __enter__(self) -> Store:
        """OSError: not writable. ValueError: another process works on it, or it is somebody else's dataset."""
        if not self.path.exists() and (self.dataset / "metadata.parquet").exists():
            raise ValueError(f"{self.dataset}: already holds a dataset that was not curated here; give another folder")
        known = [line["path"] for line in read_lines(self.path / "footage.jsonl")]
        with ExitStack() as stack:
            self.owned = stack.enter_context(claim(self.dataset, "curated-dataset", inputs=[*self._inputs, *known]))
            stack.callback(self._sweep)
            self._sweep()
            self.films = {line["name"]: FilmRecord(**line) for line in read_lines(self.path / "manifest.jsonl")}
            self._written, self._stale = self._read_written()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *exc: Any) -> bool | None:
        return self._open.__exit__(*exc)

    def _sweep(self) -> None:
        """Remove what a process that was killed had begun to write."""
        for folder in (self.dataset / "clips", self.path, self.path / "films", self.path / "answers"):
            sweep(folder)

    # -- clips that were written here ----------------------------------------------------------------------

    def _read_written(self) -> tuple[set[str], set[str]]:
        """(ids of the clips whose files were written here, those of them that go when the new ones stand)."""
        file = self.path / "clips.json"
        if file.exists():
            document = read_object(file)
            return {str(c) for c in document.get("clips", [])}, {str(c) for c in document.get("stale", [])}
        folders = [self.dataset / "clips", self.path / "shelf"]  # of an earlier version, which was looked through
        names = [name for folder in folders if folder.is_dir() for name in os.listdir(folder)]
        return {name.partition(".")[0] for name in names if CLIP_FILE.fullmatch(name)}, set()

    def record_clips(self, clips: Iterable[str]) -> None:
        """Note the ids of clips before their files are written: only these are ever moved or removed."""
        if new := set(clips) - self._written:
            self._written |= new
            self._save_written()

    def _save_written(self) -> None:
        document = {"clips": sorted(self._written)} | ({"stale": sorted(self._stale)} if self._stale else {})
        write_text(self.path / "clips.json", json.dumps(document) + "\n")

    def wrote(self, name: str) -> bool:
        """Whether a file in clips/ was written here."""
        return name.partition(".")[0] in self._written and CLIP_FILE.fullmatch(name) is not None

    def remove_stale(self, clips: Iterable[str]) -> None:
        """The new set of `clips` stands: the files of those that another configuration had found go."""
        if gone := self._stale - set(clips):
            names = [f"{clip}{suffix}" for clip in gone for suffix in (".mp4", ".mkv", ".span")]
            remove_names(self.dataset, [f"{folder}/{n}" for folder in ("clips", "curation/shelf") for n in names])
        if self._stale:
            self._written, self._stale = self._written - gone, set()
            self._save_written()

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
        """All that was measured goes; what people decided, and the list of films, stays.

        The tables and clips of the old configuration stay until those of the new one stand (`remove_stale`).
        """
        self._stale |= self._written
        self._save_written()
        known = {film.film for film in self.films.values()} | {
            _key(line["name"]) for line in read_lines(self.path / "footage.jsonl")
        }
        answers = [f"curation/{name}" for name in files_below(self.path) if ANSWERS.fullmatch(name)]
        remove_names(self.dataset, ["curation/manifest.jsonl", *(f"curation/films/{k}.json" for k in known), *answers])
        self.films = {}

    def sources(self, new: Iterable[FilmSource] = ()) -> list[FilmSource]:
        """All films of the dataset, those of earlier calls and `new`, sorted by name; remembered."""
        file = self.path / "footage.jsonl"
        known = {line["path"]: FilmSource.from_json(line) for line in read_lines(file)}
        both = named_apart(known, new)
        if both != sorted(known.values(), key=lambda s: s.name):
            write_lines(file, (source.as_json() for source in both))
        return both

    # -- films ---------------------------------------------------------------------------------------------

    def is_done(self, source: FilmSource, *, retry: bool = False) -> bool:
        """Whether the film, as it lies there now, was measured, or given up (unless `retry`, or the error may pass)."""
        film = self.films.get(source.name)
        again = film is not None and film.error is not None and (retry or film.passing or film.error.startswith(BROKEN))
        if film is None or again:
            return False
        try:
            stat = os.stat(source.path)
        except OSError:
            return True  # gone or out of reach: what was measured stays true
        return (film.size, film.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    def put_film(self, source: FilmSource, outcome: Outcome) -> FilmRecord:
        """Write what was measured, then the line that says so."""
        measured: Mapping[str, Any] | None = outcome.result
        key = _key(source.name)
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
        before = self.films.get(source.name)
        tries = outcome.tries + (before.tries if before is not None and before.passing and outcome.passing else 0)
        film = FilmRecord(
            source.name, key, size, mtime, error=outcome.error, tries=tries, passing=outcome.passing, **facts
        )
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
        value = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value  # no lone surrogate
        append_line(self.file, {"clip": clip, "value": value})
        self.values[clip] = value

    def settle(self) -> None:
        if self.values:
            write_lines(self.file, ({"clip": clip, "value": self.values[clip]} for clip in sorted(self.values)))


def read_object(file: Path) -> dict[str, Any]:
    try:
        value = read_json(file, max_bytes=1 << 30)
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"{file}: is damaged, expected JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{file}: is damaged, expected a JSON object")
    return value


def digest_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _key(name: str) -> str:
    """What the file of a film is called."""
    return hashlib.sha256(name.encode()).hexdigest()[:20]


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield path, json.dumps(old), json.dumps(new)


def shown(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
