"""From a file's metadata back to the wish that made it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.generate.asked import Asked, Settings, check_seed
from storyreel.generate.given import GIVEN
from storyreel.names import is_bare


@dataclass(frozen=True)
class Origin:
    """What made a file."""

    asked: Asked
    model: str  # its name; "" where the file has a path in its place, which is not opened
    digest: str
    seed: int
    index: int
    threads: int | None  # the arithmetic may round differently with another number
    scale: int | None  # whole factor of enlargement in the file


def origin_of(path: str | Path, changes: Settings | None = None, prompt: str | None = None) -> Origin:
    """Read it from a file, with some settings changed. ValueError when the file does not say what made it."""
    from storyreel.video_io import read_meta

    meta = read_meta(path)
    if not meta or not isinstance(meta.get("asked"), dict) or not isinstance(meta.get("model"), str):
        raise ValueError(f"{path}: does not say what made it; wanted a file that storyreel generate wrote")
    asked = dict(meta["asked"])
    if prompt is not None:
        asked["prompt"] = prompt
    # What the model chose then; its default may have changed since.
    chosen: dict[str, Any] = {n: meta[n] for n in ("steps", "guidance") if isinstance(meta.get(n), (int, float))}
    chosen["crisp"] = meta.get("crisp") is True  # files that do not say were made before there was this step
    chosen = {n: value for n, value in chosen.items() if n not in asked and (changes or {}).get(n) is None}
    try:
        wish = Asked.from_json({**asked, **chosen}, changes)
        seed, index = check_seed(meta.get("seed")), check_seed(meta.get("index", 0))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    wish = replace(wish, chosen=frozenset(chosen))
    threads, file = meta.get("threads"), meta.get("file")
    return Origin(
        wish,
        meta["model"] if is_bare(meta["model"]) else "",
        str(meta.get("digest", "")),
        seed,
        index,
        threads if isinstance(threads, int) and 1 <= threads <= 1024 else None,
        _scale(file.get("scale")) if isinstance(file, dict) else None,
    )


def made_by(meta: dict[str, Any] | None, asked: dict[str, Any], seed: int, index: int, digest: str) -> bool:
    """Whether metadata says that just this wish, seed and model made the file."""
    if not meta:
        return False
    found = [_plain(meta.get("asked")), meta.get("seed"), meta.get("index"), meta.get("digest")]
    return found == [_plain(asked), seed, index, digest]


def _plain(asked: Any) -> Any:
    """Without what may differ between two equal wishes: a given picture's name, and its pixels beside its digest."""
    if not isinstance(asked, dict):
        return None
    return {k: v.get("sha256") if k in GIVEN and isinstance(v, dict) else v for k, v in asked.items()}


def _scale(value: Any) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 64 else None
