"""The header of a safetensors file: names, types and shapes of its tensors, without reading or allocating them.

8 bytes, little endian: the length of the header · the header, JSON · the tensors, one after the other. A file whose
size is not exactly what its header says is refused here, before anything believes its shapes.
"""

from __future__ import annotations

import hashlib
import math
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json, read_object
from storyreel.names import is_bare
from storyreel.numbers import is_whole, shown

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
HASHED = 1 << 30  # bytes up to which a broken file is hashed
MAX_HEADER = 16 << 20  # bytes; 10,000 tensors take one MiB
SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2}
SIZES |= {"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8}  # bytes of a value
SHARDS = "*.safetensors.index*.json"  # indexes of shards, also of a variant
FORMER = (  # names of tensors in files that were written before, and what they are called now
    (re.compile(r"(?<![^.])no_text(?=\.|$)"), "null_text"),
    (re.compile(r"(?<![^.])place$"), "fingerprint"),
    (re.compile(r"(?<![^.])(?<!learned_text\.)words(?=\.weight$)"), "learned_text.words"),
    (re.compile(r"(?<![^.])word_places$"), "learned_text.places"),
)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def is_floating_point(self) -> bool:
        return self.dtype.startswith(("F", "BF"))

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * SIZES[self.dtype]


def check_shapes(own: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]], where: str) -> None:
    """ValueError names the first tensor of `where` that is missing, unknown or misshapen; both are name -> shape."""
    missing = [name for name in own if name not in found]
    extra = [name for name in found if name not in own]
    if missing or extra:
        names = missing or extra
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise ValueError(f"{where}: {'lacks' if missing else 'has unknown'} {names[0][:200]!r}{more}")
    for name, shape in own.items():
        if tuple(shape) != tuple(found[name]):
            raise ValueError(f"{where}: {name} is {list(found[name])}, expected {list(shape)}")


def check_regular(path: Path) -> int:
    """The size of a file in bytes. ValueError where it is missing or no ordinary file (a pipe would never end)."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path}: is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: is not an ordinary file")
    return found.st_size


def check_no_pickle(path: Path) -> None:
    """ValueError for a pickle, by its name, by its first bytes, or in the place of a file that is missing."""
    if path.suffix in PICKLES:
        raise ValueError(f"{path}: is a pickle, which can run code when it is opened; expected .safetensors")
    if not path.exists():
        near = next((p for p in sorted(path.parent.glob(f"{path.stem}.*")) if p.suffix in PICKLES), None)
        if near:
            raise ValueError(f"{near}: is a pickle, which can run code when it is opened; expected {path.name}")
    check_regular(path)
    with path.open("rb") as file:
        start = file.read(9)
    may_be_pickle = start[:2] == b"PK" or start[:1] == b"\x80"
    if may_be_pickle and start[8:9] != b"{":  # the length of a header, which comes first, can begin so
        raise ValueError(f"{path}: is a pickle with the name of a safetensors file; expected safetensors")


def shards(index: Path) -> list[str]:
    """The files that an index of shards names, which lie beside it.

    ValueError, one line, for any that is no plain name of a safetensors file: the libraries that read such an index
    open other files as pickles, and some follow a path out of the folder.
    """
    named = read_object(index).get("weight_map")
    found: set[str] = set()
    for name in named.values() if isinstance(named, dict) else [named]:
        if not isinstance(name, str) or not is_bare(name) or not name.endswith(".safetensors"):
            raise ValueError(f"{index}: weight_map: expected names of safetensors files beside it, got {shown(name)}")
        found.add(name)
    return sorted(found)


def current_name(name: str) -> str:
    """What a tensor is called now; files keep the names that they were written with."""
    for former, now in FORMER:
        name = former.sub(now, name)
    return name


def read_header(path: Path, digest: str | None = None) -> dict[str, TensorInfo]:
    """Name -> type and shape of every tensor. ValueError, one line: a pickle, or not a whole safetensors file.

    digest: the sha256 that the file should have. It is taken only to say of a broken file that it was changed.
    """
    check_no_pickle(path)
    try:
        return _read_header(path, check_regular(path))
    except ValueError:
        if digest is not None and path.stat().st_size < HASHED and sha256_of(path) != digest:
            raise damaged(path) from None
        raise


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself beside its tensors: texts by name. ValueError as of `read_header`."""
    found = _header(path, check_regular(path))[0].get("__metadata__", {})
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise _broken(path, "its metadata are not texts")
    return found


def sha256_once(path: Path) -> str:
    """`sha256_of`, read once in this process as long as the file's size and time stay. ValueError: it is no file."""
    check_regular(path)
    found = path.stat()
    return _hashed(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hashed(path: Path, size: int, written: int) -> str:
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(path: Path) -> ValueError:
    return ValueError(f"{path}: is damaged or was changed (its sha256 is not the one that was written down)")


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """The JSON of a header, and its length in bytes."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MAX_HEADER, size - 8):
            raise _broken(path, f"its header is said to have {length} bytes")
        content = file.read(length)
    try:
        header = parse_json(content, max_depth=8)
    except ValueError as error:
        raise _broken(path, f"its header {error}") from None
    if not isinstance(header, dict):
        raise _broken(path, "its header is no object")
    return header, length


def _read_header(path: Path, size: int) -> dict[str, TensorInfo]:
    header, length = _header(path, size)
    header.pop("__metadata__", None)
    found, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: _place_of(item[1])):
        found[current_name(name)], end = _entry(path, name, entry, end)
    if 8 + length + end != size:
        raise _broken(path, f"it has {size} bytes, and its header says {8 + length + end}")
    return found


def _place_of(entry: Any) -> list[int]:
    """Where a tensor begins and ends, to sort by; what is wrong comes first."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    whole = isinstance(offsets, list) and all(is_whole(each, 0, 2**62) for each in offsets)
    return offsets if whole else [-1]  # pyright: ignore[reportReturnType]


def _entry(path: Path, name: str, entry: Any, begins: int) -> tuple[TensorInfo, int]:
    """One tensor, which begins where the one before it ended, and where it ends itself."""
    entry = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    whole = isinstance(shape, list) and len(shape) <= 16 and all(is_whole(side, 0, 2**40) for side in shape)
    if dtype not in list(SIZES) or not whole or not isinstance(offsets, list) or len(offsets) != 2:
        raise _broken(path, f"its header describes {name[:80]!r} wrongly")
    info = TensorInfo(str(dtype), tuple(shape))
    if offsets != [begins, begins + info.bytes]:
        raise _broken(path, f"{name[:80]!r} does not lie where its shape says")
    return info, begins + info.bytes


def _broken(path: Path, why: str) -> ValueError:
    return ValueError(f"{path}: is not a whole safetensors file ({why})")
