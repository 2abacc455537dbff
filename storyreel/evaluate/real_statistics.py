"""What is gathered from the real clips, kept from run to run.

Looking at real clips costs as much as looking at the made ones, and it is the same every time. It is kept in the cache
folder under a key of everything that it depends on: the network's name, digest and preprocessing, the protocol with all
its fields, the length of the cut, how many clips, and the files themselves with their sizes and times. A key that left
one of them out would quietly compare with other clips than one thinks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.evaluate.decode import Cut, one_pass
from storyreel.evaluate.gather import ClipRows, Gathered
from storyreel.evaluate.sources import ClipFolder
from storyreel.json_file import parse_json

VERSION = 1  # of what is gathered; a new one leaves old files alone


@dataclass
class Real:
    """Rows of the real clips by label, their prompts, and what could not be read."""

    rows: dict[str, Tensor] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)

    @property
    def n(self) -> int:
        return len(self.prompts)


def key_of(clips: ClipFolder, cut: Cut, depends: dict[str, Any], most: int | None) -> str:
    """Hex digest of everything that the rows of `clips` depend on."""
    files = hashlib.sha256()
    for source in clips.sources:
        there = source.file.stat() if source.file.is_file() else None
        files.update(
            f"{source.file.name}:{there and (there.st_size, there.st_mtime_ns)}:{source.prompt}\n".encode(
                "utf-8", "surrogatepass"
            )
        )
    identity = {
        "version": VERSION,
        "what": depends,
        "protocol": cut.rules.as_json(),
        "frames": cut.frames,
        "real": cut.real,
        "clips": clips.digest,
        "n": len(clips.sources),
        "most": most,
        "files": files.hexdigest(),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def gather_real(
    clips: ClipFolder,
    cut: Cut,
    gathered: Sequence[Gathered],
    *,
    cache: Path | None = None,
    batch: int = 16,
    workers: int = 2,
    advance: Callable[[int], None] = lambda n: None,
) -> Real:
    """Everything in `gathered`, from the cache or, in one pass for all that is missing, from the clips.

    cache: the folder to keep it in; None keeps nothing.
    """
    most, real = cut.rules.real_n, Real()
    places = {w.label: _place(cache, key_of(clips, cut, w.depends, most)) for w in gathered}
    missing = [w for w in gathered if not _read(places[w.label], w.label, real)]
    if not missing and gathered:
        advance(len(clips.sources))
        return real
    listed = ClipRows()
    counted = one_pass(clips.sources, cut, [listed, *missing], batch=batch, workers=workers, most=most, advance=advance)
    real.prompts, real.unreadable = listed.prompts, counted.unreadable
    for w in missing:
        real.rows[w.label] = w.compute()
        _write(places[w.label], real.rows[w.label], real)
    return real


def _place(cache: Path | None, key: str) -> Path | None:
    return None if cache is None else cache / "real" / f"{key[:32]}.safetensors"


def _read(place: Path | None, label: str, real: Real) -> bool:
    """A file that is damaged counts as none."""
    from storyreel.tensor_file import read_tensors

    if place is None or not place.is_file():
        return False
    try:
        tensors = read_tensors(place)
        notes = parse_json(bytes(tensors["said"].tolist()))
    except (ValueError, OSError, KeyError, TypeError):
        return False
    real.rows[label], real.prompts, real.unreadable = tensors["rows"], notes["prompts"], notes["unreadable"]
    return True


def _write(place: Path | None, rows: Tensor, real: Real) -> None:
    from storyreel.tensor_file import write_tensors

    if place is None:
        return
    notes = json.dumps({"prompts": real.prompts, "unreadable": real.unreadable}).encode()
    place.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(place, {"rows": rows, "said": torch.tensor(list(notes), dtype=torch.uint8)})
