"""Clips to be judged, and what each was meant to show.

Three kinds of folder will do: a dataset folder, whose rows carry `attributes`; a folder of clips that `storyreel
generate` wrote, together with the dataset folder whose captions were its prompts; or a folder of clips whose own
metadata carry `attributes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder
from storyreel.layouts import clip_files


@dataclass(frozen=True)
class JudgedClip:
    """One file, what it should show, and the prompt that it was made from."""

    file: Path
    expected: dict[str, Any]
    prompt: str = ""

    def open(self) -> Clip:
        from storyreel.data.folder import read_clip

        return read_clip(self.file)


def find_clips(
    path: str | Path, *, expected: str | Path | None = None, split: str | None = None, limit: int | None = None
) -> list[JudgedClip]:
    """The clips of a folder with what each should show, at most `limit`, in the order of the folder.

    expected: the dataset folder whose captions were the prompts; only what a caption mentions is then held against a
        clip. split: rows of this split alone. Raises ValueError when no clip has anything to be judged by.
    """
    path = Path(path)
    if expected is not None:
        found = list(_by_prompt(path, DatasetFolder.open(expected), split))
        hint = f"none of its files' prompts is a caption of {expected}"
    elif (path / "metadata.parquet").is_file():
        folder = DatasetFolder.open(path)
        found = [
            JudgedClip(folder.file(i), attributes, (folder.captions(i) or [""])[0])
            for i, attributes in enumerate(folder.attributes)
            if attributes and split in (None, folder.splits[i])
        ]
        hint = f"no row {f'of the split {split!r} ' if split else ''}has attributes"
    else:
        found = list(_by_meta(path))
        hint = "no file carries attributes; name the dataset whose captions were the prompts with --expected"
    if not found:
        raise ValueError(f"{path}: no clip to judge: {hint}")
    return found[:limit]


def attributes_by_caption(folder: DatasetFolder, split: str | None = None) -> dict[str, dict[str, Any]]:
    """Caption -> the attributes of its clip that the caption mentions (column `mentions`; without it, all of them)."""
    mentions = folder.column("mentions")
    found: dict[str, dict[str, Any]] = {}
    for i, attributes in enumerate(folder.attributes):
        if split not in (None, folder.splits[i]):
            continue
        for n, caption in enumerate(folder.captions(i)):
            mentioned = mentions[i][n] if mentions and mentions[i] and n < len(mentions[i]) else list(attributes)
            found[caption] = {name: value for name, value in attributes.items() if name in mentioned}
    return found


def prompt_of(file: Path) -> str:
    """The prompt that a clip's own metadata name; "" where there is none, or the file cannot be read."""
    return _prompt(_meta(file))


def _by_prompt(path: Path, folder: DatasetFolder, split: str | None) -> Iterator[JudgedClip]:
    expected = attributes_by_caption(folder, split)
    for file in clip_files(path):
        prompt = _prompt(_meta(file))
        if prompt in expected:
            yield JudgedClip(file, expected[prompt], prompt)


def _by_meta(path: Path) -> Iterator[JudgedClip]:
    for file in clip_files(path):
        meta = _meta(file)
        if isinstance(meta.get("attributes"), dict):
            yield JudgedClip(file, meta["attributes"], _prompt(meta))


def _meta(file: Path) -> dict[str, Any]:
    from storyreel import video_io

    try:
        return video_io.read_meta(file) or {}
    except (ValueError, OSError):
        return {}


def _prompt(meta: dict[str, Any]) -> str:
    return str(meta.get("prompt") or meta.get("caption") or "")
