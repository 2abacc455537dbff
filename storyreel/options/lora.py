"""LoRA files that change a model of the hub while it generates: each with its weight, its digest in metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.names import is_bare
from storyreel.numbers import number, shown
from storyreel.tensor_header import check_no_pickle, read_header, sha256_once

STRONGEST = 100.0  # weights go from its negative to it
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Lora:
    """A safetensors file, the sha256 of its content, and how strongly it changes the model: 1 as it was trained."""

    path: str
    sha256: str
    weight: float = 1.0

    @classmethod
    def read(cls, value: Any, name: str) -> Lora:
        """From FILE or FILE:WEIGHT, or what `note` gave. ValueError for another format, OSError for no such file."""
        if isinstance(value, cls):
            return value
        if isinstance(value, dict):
            return cls._from_note(value, name)
        if not isinstance(value, (str, Path)):
            raise ValueError(f"{name}: expected FILE{SUFFIX} or FILE{SUFFIX}:WEIGHT, got {shown(value)}")
        path, weight = Path(value).expanduser(), 1.0
        before, colon, after = str(value).rpartition(":")
        if colon and before.endswith(SUFFIX):
            path, weight = Path(before).expanduser(), number(after, f"{name}: {after!r}", -STRONGEST, STRONGEST)
        check_no_pickle(path)
        if path.suffix != SUFFIX:
            raise ValueError(f"{name}: {path}: expected a file that ends with {SUFFIX}, and a weight after a colon")
        read_header(path)
        return cls(str(path.absolute()), sha256_once(path), weight)

    def note(self) -> dict[str, Any]:
        """What a file's metadata says of it: no path, which would tell more than its owner means to."""
        return {"name": Path(self.path).name, "sha256": self.sha256, "weight": self.weight}

    @classmethod
    def _from_note(cls, note: dict[str, Any], name: str) -> Lora:
        """The file of that name in the current folder, if its content is the same.

        ValueError says how to give it otherwise: the note may be a stranger's, and names no path that is opened.
        """
        file, digest = note.get("name"), note.get("sha256")
        if not is_bare(file) or not isinstance(file, str) or not isinstance(digest, str):
            raise ValueError(f"{name}: the metadata does not say which file it was; give it with --{name}")
        weight = number(note.get("weight", 1.0), f"{name}: weight", -STRONGEST, STRONGEST)
        path = Path(file)
        if path.suffix != SUFFIX or not path.is_file() or sha256_once(path) != digest:
            raise ValueError(
                f"{name}: {file} (sha256 {digest[:12]}...) is not in this folder; give it with --{name} FILE:{weight:g}"
            )
        return replace(cls.read(path, name), weight=weight)
