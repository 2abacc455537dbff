"""Clips of a world as a dataset: composed into the packed cache when they are first needed, with no files between.

    sprites:FOLDER?clips=60000&seed=7&carried=0.3      also an archive of the sheets in place of the folder
    digits:?clips=60000&size=32&digits=1               the pictures that come with the package; or digits:MNIST?...

Clip i depends on (world, seed, i) alone, as in a folder that `storyreel data make` writes with the same settings. The
rows (captions, attributes, split, context) are a by-product of composing and lie beside the packs:
`worlds/<digest>/00000.json` (captions, split, context) and `00000.labels.json` (attributes, mentions), 256 rows each.
The digest covers the settings, the pictures and the code of the world, so that they are never stale.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from storyreel.clip import Clip
from storyreel.data.dataset import Dataset
from storyreel.data.pack import SHARD, cache_folder
from storyreel.data.parallel import progress, run
from storyreel.engine import cores
from storyreel.json_file import read_object
from storyreel.names import expanded
from storyreel.numbers import is_digits
from storyreel.storage import replacing
from storyreel.worlds import code_of

MAX_CLIPS = 100_000_000
MAX_SEED = 2**63 - 1
COLUMNS = ("captions", "split", "context")
LABELS = ("attributes", "mentions")
QUERY = re.compile(r"[A-Za-z][A-Za-z0-9_-]+:")  # two letters at least: C: is a disk


def is_query(data: str) -> bool:
    """Whether `data` names a world, such as `sprites:FOLDER?clips=100`, and is no folder of that name."""
    return QUERY.match(data) is not None and not os.path.exists(data)


def open_query(data: str, cache: Path | None = None) -> WorldClips:
    """`WORLD:SOURCE?clips=N&seed=S&setting=value...`. ValueError or OSError, in one line, for what it cannot be."""
    from storyreel.worlds import check_known, find

    name, _, rest = data.partition(":")
    source, _, query = rest.partition("?") if rest.count("?") < 2 else rest.rpartition("?")
    where = f"--data {data}"
    try:
        declared = find(name)
        known = {"clips", "seed", *declared.settings}
        settings: dict[str, Any] = {}
        for pair in filter(None, query.split("&")):
            field, equals, value = pair.partition("=")
            check_known(field, known, f"the world {name}")
            if not equals or not value:
                raise ValueError(f"{field}: expected {field}=value")
            if field in settings:
                raise ValueError(f"{field}: is given twice")
            settings[field] = value
        if "clips" not in settings:
            raise ValueError(f"expected the number of clips, such as {name}:{source}?clips=60000")
        clips = _whole(settings.pop("clips"), "clips", 1, MAX_CLIPS)
        seed = _whole(settings.pop("seed", "0"), "seed", 0, MAX_SEED)
        world = declared.make(_folder(name, source, cache), settings)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return WorldClips(world, clips, seed, path=Path(data), cache=cache)


def _folder(name: str, source: str, cache: Path | None) -> Path | None:
    from storyreel.data.fetch import pictures_in

    if not source:
        return None
    path = expanded(source)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder; the world {name} looks there for its pictures")
    return pictures_in(name, path, cache_folder(cache))


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not is_digits(text) or not low <= int(text) <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {text!r}")
    return int(text)


class WorldClips(Dataset):
    """`clips` clips of a world as a dataset.

    world: a frozen dataclass with `make(seed, index)`, picklable, whose fields say what it makes.
    """

    packing = "composing"
    caption_columns = ("captions",)

    def __init__(
        self, world: Any, clips: int, seed: int = 0, *, path: Path | None = None, cache: Path | None = None
    ) -> None:
        if not is_dataclass(world):
            raise ValueError(f"world: expected a dataclass, whose fields say what it makes, got {type(world).__name__}")
        self.made_by: Any = world
        self.clips, self.seed, self.cache = clips, seed, cache
        self.path = path or Path(f"{self.world}:?clips={clips}&seed={seed}")
        self._read: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return self.clips

    def __repr__(self) -> str:
        return f"WorldClips({self.made_by!r}, {self.clips} clips, seed {self.seed})"

    @cached_property
    def digest(self) -> str:
        """Hex digest of the settings, the seed, the number of clips, the pictures and the code that draws them."""
        world, kind = self.made_by, type(self.made_by)
        settings = {f.name: str(getattr(world, f.name)) for f in fields(world) if not f.metadata.get("folder")}
        pictures = world.fingerprint() if hasattr(world, "fingerprint") else ""
        parts = [kind.__name__, settings, self.seed, self.clips, pictures, _code_digest(kind)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def world(self) -> str:
        return type(self.made_by).__name__.lower()

    @property
    def name(self) -> str:
        return f"{self.world}?clips={self.clips}&seed={self.seed}"

    @property
    def columns(self) -> list[str]:
        return ["caption", "num_frames", "width", "height", "fps", *COLUMNS, *LABELS]

    @property
    def max_workers(self) -> int:
        """Worker processes do not have the classes of the caller's own script."""
        return 1 if type(self.made_by).__module__ == "__main__" else cores()

    # -- rows ----------------------------------------------------------------------------------------------

    @cached_property
    def file_names(self) -> list[str]:
        return [f"clip {i}" for i in range(self.clips)]

    def column(self, name: str) -> list[Any] | None:
        """The values of one column; composes all rows when they have not been. None where there is no such column."""
        if name in ("num_frames", "width", "height", "fps"):
            first = self.clip(0)
            height, width = first.size
            same = {"num_frames": len(first), "width": width, "height": height, "fps": float(first.fps)}
            return [same[name]] * self.clips
        if name == "caption":
            return [captions[0] if captions else "" for captions in self._column("captions")]
        return self._column(name) if name in (*COLUMNS, *LABELS) else None

    @property
    def has_captions(self) -> bool:
        return bool(self.made_by.make(self.seed, 0)[1].get("captions"))

    def row(self, index: int) -> dict[str, Any]:
        return {name: self._column(name)[index] for name in (*COLUMNS, *LABELS)}

    def clip(self, index: int) -> Clip:
        return self.made_by.make(self.seed, index)[0]

    def reader(self, rows: range) -> WorldReader:
        """Composes the clips of these rows, and writes the rows themselves down; picklable."""
        return WorldReader(self.made_by, self.seed, rows, self._rows_folder)

    @property
    def _rows_folder(self) -> Path:
        return cache_folder(self.cache) / "worlds" / self.digest[:32]

    def _column(self, name: str) -> list[Any]:
        if name not in self._read:
            self._write_rows()
            names, suffix = (COLUMNS, ".json") if name in COLUMNS else (LABELS, ".labels.json")
            parts = [
                read_object(self._rows_folder / f"{shard:05d}{suffix}", max_bytes=1 << 28)
                for shard in range(-(-self.clips // SHARD))
            ]
            self._read |= {each: [value for part in parts for value in part[each]] for each in names}
        return self._read[name]

    def _write_rows(self) -> None:
        """Compose what no reader has composed, for the rows alone."""
        spans = [range(start, min(start + SHARD, self.clips)) for start in range(0, self.clips, SHARD)]
        todo = [self.reader(span) for span in spans if not _file(self._rows_folder, span).exists()]
        if not todo:
            return
        with progress(f"describing {self.name}", self.clips) as advance:
            advance(self.clips - sum(len(reader.rows) for reader in todo))
            for count in run(_drain, todo, workers=min(self.max_workers, len(todo))):
                advance(count)


@dataclass(frozen=True)
class WorldReader:
    """Composes clips one after the other, and writes their rows into `folder` when the last one is done."""

    world: Any
    seed: int
    rows: range
    folder: Path

    def __iter__(self) -> Iterator[Clip | str]:
        columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, *LABELS)}
        for index in self.rows:
            clip, row = self.world.make(self.seed, index)
            captions = row.get("captions") or ([row["caption"]] if row.get("caption") else [])
            columns["captions"].append(list(dict.fromkeys(captions)))
            columns["split"].append(row.get("split", "train"))
            columns["context"].append(int(row.get("context", 0)))
            columns["attributes"].append(row.get("attributes") or {})
            columns["mentions"].append(row.get("mentions"))
            yield clip
        file = _file(self.folder, self.rows)
        for names, path in (
            (LABELS, file.with_suffix(".labels.json")),
            (COLUMNS, file),
        ):  # the one that is looked for: last
            with replacing(path) as (made,):
                made.write_text(json.dumps({name: columns[name] for name in names}))


def _file(folder: Path, rows: range) -> Path:
    return folder / f"{rows.start // SHARD:05d}.json"


def _drain(reader: WorldReader) -> int:
    return sum(1 for _ in reader)


def _code_digest(kind: type) -> str:
    """Of the files of a world and of what it shares with others."""
    hashed = hashlib.sha256()
    for each in code_of(kind):
        hashed.update(each.name.encode() + each.read_bytes())
    return hashed.hexdigest()
