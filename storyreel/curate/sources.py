"""What is to be curated: files, folders and manifests become a sorted list of films, and what is no film is listed.

A manifest is a .txt (a path a line), .csv, .jsonl or .parquet with a column `path`; further columns travel with every
clip of the film: `licence` and `caption` have a meaning, all others are carried as text. Where a table of a public
dataset calls its columns otherwise, `columns` says which is what, and films are found by their names without suffix.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.parquet_file import read_parquet
from storyreel.whole_file import read_text

MAX_MANIFEST = 1 << 28  # bytes; a million films take about 100 MB
MANIFESTS = (".txt", ".csv", ".jsonl", ".parquet")
VIDEOS = frozenset([
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogg", ".ogm", ".ogv", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
])  # fmt: skip
SIDECARS = frozenset((".txt", ".json", ".srt", ".vtt"))
PATH_COLUMNS = ("path", "file", "file_name", "filename", "source", "video")
LICENCE_COLUMNS = ("licence", "license")
MEANINGS = ("path", "caption", "licence", "split")  # that --columns may name


@dataclass(frozen=True)
class FilmSource:
    """One film: its `name` in the dataset (unique, printable), where it lies, and what its manifest said."""

    name: str
    path: str
    licence: str | None = None
    caption: str | None = None
    carried: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": self.path,
            "licence": self.licence,
            "caption": self.caption,
            "carried": dict(self.carried),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FilmSource:
        return cls(**value)


def find_sources(
    footage: Sequence[str | Path], columns: Mapping[str, str] | None = None, videos: Path | None = None
) -> tuple[list[FilmSource], list[tuple[str, str]]]:
    """(films sorted by name, (file, why it is none) of everything else that lies there).

    columns: meaning (MEANINGS) -> the column of manifests that has it. videos: the folder of their films; None: that of
    the manifest. ValueError or OSError: something that is not there, an empty folder, a manifest that cannot be read.
    """
    manifests = [path for path in map(Path, footage) if path.suffix.lower() in MANIFESTS and not path.is_dir()]
    if not manifests and (columns or videos):
        raise ValueError(f"{'columns' if columns else 'videos'}: there is no table among the footage")
    films: dict[str, FilmSource] = {}  # by path
    others: list[tuple[str, str]] = []
    for each in footage:
        path = Path(each)
        if path.is_dir():
            found = list(_walk(path))
            if not found:
                raise ValueError(f"{printable(str(path))}: the folder holds no files; expected footage")
            entries: list[tuple[str, Path, dict[str, str]]] = [(str(f.relative_to(path)), f, {}) for f in found]
            stems = {(f.parent, f.stem) for f in found if f.suffix.lower() in VIDEOS}
            entries = [e for e in entries if not _is_sidecar(e[1], stems)]
        elif not path.exists():
            raise FileNotFoundError(2, "no such file or folder", printable(str(path)))
        elif path.suffix.lower() in MANIFESTS:
            entries = list(_read_manifest(path, columns or {}, videos))
        else:
            entries = [(path.name, path, {})]
        for name, file, values in entries:
            why = no_film(file)
            if why:
                others.append((printable(str(file)), why))
            else:
                source = _source(name, file, values)
                films.setdefault(source.path, source)
    return named_apart({}, films.values()), sorted(set(others))


def no_film(file: Path) -> str | None:
    """Why a file is not even tried as a film; None when it is to be tried."""
    from storyreel import file_type

    try:
        kind = file_type.kind(file)
    except FileNotFoundError:
        return "no such file"
    except IsADirectoryError:
        return "is a folder"
    except ValueError as error:
        if file.stat().st_size == 0:
            return "is empty (0 bytes)"
        # truncated files, and containers that the sniffer does not know, are for the decoder to judge
        return None if file.suffix.lower() in VIDEOS or "truncated" in str(error) else "is no video"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if kind in file_type.PICTURES and kind != "gif":
        return "is a picture"
    return "is no video" if kind == "json" else None


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (Path(root, name) for name in sorted(files) if not name.startswith("."))


def _is_sidecar(file: Path, stems: set[tuple[Path, str]]) -> bool:
    """film.txt, film.json, film.srt, film.en.vtt beside film.mp4."""
    if file.suffix.lower() not in SIDECARS:
        return False
    return (file.parent, file.stem) in stems or (file.parent, Path(file.stem).stem) in stems


def _source(name: str, file: Path, columns: Mapping[str, str]) -> FilmSource:
    columns = {k: v for k, v in columns.items() if v not in (None, "")}
    licence = next((columns.pop(c) for c in LICENCE_COLUMNS if c in columns), None)
    caption = columns.pop("caption", None)
    return FilmSource(
        printable(name.replace(os.sep, "/")), os.path.abspath(file), licence, caption, dict(sorted(columns.items()))
    )


def named_apart(known: Mapping[str, FilmSource], new: Iterable[FilmSource]) -> list[FilmSource]:
    """`known` (by path, names kept) and `new` together, sorted by name; what is known is told anew by `new`.

    Two films of one name, from two folders, get their folders in front until they differ.
    """
    films = dict(known)
    names = {source.name for source in known.values()}
    for source in new:
        if source.path in films:
            films[source.path] = replace(source, name=films[source.path].name)
            continue
        name = source.name
        for parent in list(Path(source.path).parents)[len(Path(name).parts) - 1 :]:
            if name not in names:
                break
            name = printable(f"{parent.name}/{name}") if parent.name else printable(source.path.lstrip("/"))
        names.add(name)
        films[source.path] = replace(source, name=name)
    return sorted(films.values(), key=lambda source: source.name)


def printable(name: str) -> str:
    """The name without bytes that are no Unicode: they are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def real_path(text: str) -> str:
    """The path of a film from a table, where `printable` wrote it: \\xNN are bytes again if such a file is there."""
    if "\\x" not in text or os.path.exists(text):
        return text
    found = os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), os.fsencode(text)))
    return found if os.path.exists(found) else text


def _read_manifest(
    path: Path, columns: Mapping[str, str], videos: Path | None
) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """(name, file, columns as text) for each row. Paths are relative to `videos`, or to the manifest."""
    readers = {".txt": _lines, ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    folder, path_column = videos or path.parent, columns.get("path")
    path_columns = (path_column,) if path_column else PATH_COLUMNS
    there = films_by_name(folder) if path_column or videos else {}
    count = 0
    for where, row in readers[path.suffix.lower()](path):
        column = next((c for c in path_columns if row.get(c) not in (None, "")), None)
        if column is None:
            names = f'"{path_column}"' if path_column else " or ".join(PATH_COLUMNS[:2])
            raise ValueError(f"{where}: no path; expected a column {names}; --columns path=NAME says which has it")
        if lost := [c for meaning, c in columns.items() if c not in row]:
            raise ValueError(f'{where}: expected a column "{lost[0]}", as --columns says')
        values = {str(k).strip(): _text(v) for k, v in row.items() if k != column and v is not None}
        for meaning, c in columns.items():
            if meaning != "path" and c in values:
                values[meaning] = values.pop(c)
        listed = Path(os.path.expanduser(str(row[column])))
        file = folder / listed
        if not file.exists():
            file = there.get(listed.name) or there.get(listed.stem) or file
        name = listed.name if listed.is_absolute() or ".." in listed.parts else str(listed)
        yield name if file.name == listed.name else file.name, file, values
        count += 1
    if not count:
        raise ValueError(f"{path}: no films in it; expected at least one row")


def films_by_name(folder: Path) -> dict[str, Path]:
    """Name without suffix -> the film of that name in a folder and its subfolders, the first in sorted order."""
    found: dict[str, Path] = {}
    for file in _walk(folder):
        if file.suffix.lower() in VIDEOS:
            found.setdefault(file.stem, file)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _content(path: Path) -> str:
    return read_text(path, MAX_MANIFEST, pipes=True)


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_content(path).split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield f"{path}, line {number}", {"path": line.rstrip("\r")}


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        reader = csv.DictReader(io.StringIO(_content(path), newline=""), strict=True)
        for row in reader:
            if None in row:
                raise ValueError(f"{path}, line {reader.line_num}: more cells than columns")
            yield f"{path}, line {reader.line_num}", row
    except csv.Error as error:
        raise ValueError(f"{path}: expected CSV: {error}") from None


def _jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_content(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: expected JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: expected a JSON object")
        yield f"{path}, line {number}", row


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, row in enumerate(read_parquet(path).to_pylist()):
        yield f"{path}, row {number}", row
