"""From a clip's metadata back to the options that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.hub.reference import is_pinned
from storyreel.names import is_bare
from storyreel.options.generation import GenerateOptions, check_seed
from storyreel.options.input_clip import INPUTS


@dataclass(frozen=True)
class Origin:
    """What made a file."""

    options: GenerateOptions
    model: str  # its name; "" where the file has a path in its place, which is not opened
    digest: str
    seed: int
    index: int
    threads: int | None  # the arithmetic may round differently with another number
    scale: int | None  # whole factor of enlargement in the file


def options_in(meta: Mapping[str, Any]) -> Any:
    """The options that metadata holds, under the key of today, or the earlier one."""
    return meta.get("options", meta.get("asked"))


def origin_of(path: str | Path, changes: Mapping[str, Any] | None = None) -> Origin:
    """Read it from a file, with some settings changed. ValueError when the file does not say what made it."""
    from storyreel.video_io import read_meta

    meta, changes = read_meta(path), changes or {}
    if not meta or not isinstance(found := options_in(meta), dict) or not isinstance(meta.get("model"), str):
        raise ValueError(f"{path}: does not say what made it; expected a file that storyreel generate wrote")
    # What the model chose then; its default may have changed since.
    chosen: dict[str, Any] = {n: meta[n] for n in ("steps", "guidance") if isinstance(meta.get(n), (int, float))}
    chosen["precision"] = meta.get("precision")
    chosen["crisp"] = meta.get("crisp") is True  # files that do not say were made before there was this step
    chosen["as_written"] = not isinstance(meta.get("drawn"), dict)  # nor was anything drawn
    chosen = {n: v for n, v in chosen.items() if v is not None and n not in found and changes.get(n) is None}
    try:
        options = GenerateOptions.from_json({**found, **chosen}, changes)
        seed, index = check_seed(meta.get("seed")), check_seed(meta.get("index", 0))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    threads, file = meta.get("threads"), meta.get("file")
    return Origin(
        replace(options, defaulted=frozenset(chosen)),
        meta["model"] if is_bare(meta["model"]) or is_pinned(meta["model"]) else "",
        str(meta.get("digest", "")),
        seed,
        index,
        threads if isinstance(threads, int) and 1 <= threads <= 1024 else None,
        _scale(file.get("scale")) if isinstance(file, dict) else None,
    )


def is_from(meta: Mapping[str, Any] | None, options: dict[str, Any], seed: int, index: int, digest: str) -> bool:
    """Whether metadata says that just these options (as JSON), this seed and this model made the file."""
    if not meta:
        return False
    found = [_plain(options_in(meta)), meta.get("seed"), meta.get("index"), meta.get("digest")]
    return found == [_plain(options), seed, index, digest]


def _plain(options: Any) -> Any:
    """Without what may differ between equal options: the name of an input clip, and its pixels beside its digest."""
    if not isinstance(options, dict):
        return None
    return {k: v.get("sha256") if k in INPUTS and isinstance(v, dict) else v for k, v in options.items()}


def _scale(value: Any) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 64 else None
