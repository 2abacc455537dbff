"""Folders of clips, a model each: which clips of two models were made from the same prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storyreel import video_io
from storyreel.layouts import clip_files


@dataclass(frozen=True)
class ModelClip:
    """One clip of a model: `key` is the same for clips that belong together; `prompt` is "" where none is known."""

    file: Path
    key: tuple[str, int]
    prompt: str


def model_names(folders: Sequence[Path]) -> list[str]:
    """What reports call each folder: its name, with as many of its parents as it takes to tell them apart.

    >>> model_names([Path("out/a/clips"), Path("out/b/clips")])
    ['a/clips', 'b/clips']
    """
    whole = [folder.resolve().parts for folder in folders]
    if len(set(whole)) < len(whole):
        raise ValueError("expected different folders, one is named twice: " + ", ".join(map(str, folders)))
    depth = 1
    while len({parts[-depth:] for parts in whole}) < len(whole):
        depth += 1
    return ["/".join(parts[-depth:]) for parts in whole]


def _prompt(file: Path) -> str:
    """The prompt in the file's own metadata, or "". ValueError names a file that cannot be read."""
    doc = video_io.read_meta(file) or {}
    found = doc.get("prompt") or doc.get("caption")
    return " ".join(found.split()) if isinstance(found, str) else ""


def spoken(stem: str) -> str:
    """A file name as a prompt: `a_red_ball-3` is "a red ball"; "" where it holds no word.

    >>> spoken("a_red_ball-3"), spoken("00012"), spoken("clip_7")
    ('a red ball', '', '')
    """
    words = re.sub(r"[-_.]?\d+$", "", stem).replace("_", " ").strip()
    return words if re.search(r"[^\W\d]{2}", words) and words.lower() not in ("clip", "video", "sample", "gen") else ""


def _prompts(files: Sequence[Path], unreadable: dict[Path, str] | None) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for file in files:
        try:
            found[file] = _prompt(file)
        except ValueError as error:
            if unreadable is None:
                raise
            unreadable[file] = str(error)
    if not found and unreadable:
        raise ValueError(unreadable[files[0]])
    return found


def find(folders: Sequence[Path], unreadable: dict[Path, str] | None = None) -> list[list[ModelClip]]:
    """The clips of each folder, keyed so that those of one prompt share a key.

    unreadable: takes the files that cannot be read, and why, which are then left out; without it they are an error.

    Keys come from the prompts inside the clips when every clip has one (the n-th clip of a prompt meets the n-th of
    the others), and otherwise from the paths below the folder without their suffix.
    """
    by_folder = [_prompts(clip_files(folder), unreadable) for folder in folders]
    files, prompts = [list(of_model) for of_model in by_folder], [list(of_model.values()) for of_model in by_folder]
    found: list[list[ModelClip]] = []
    if all(prompt for of_model in prompts for prompt in of_model):
        for of_model, captions in zip(files, prompts, strict=True):
            seen: dict[str, int] = {}
            clips = []
            for file, prompt in zip(of_model, captions, strict=True):
                seen[prompt] = seen.get(prompt, -1) + 1
                clips.append(ModelClip(file, (prompt, seen[prompt]), prompt))
            found.append(clips)
        return found
    for folder, of_model, captions in zip(folders, files, prompts, strict=True):
        stems = [str(file.relative_to(folder).with_suffix("")) for file in of_model]
        repeated = next((stem for stem in stems if stems.count(stem) > 1), None)
        if repeated is not None:
            raise ValueError(
                f"{folder}: two clips are named {repeated!r}; expected names that differ before the suffix"
            )
        found.append([ModelClip(f, (s, 0), p) for f, s, p in zip(of_model, stems, captions, strict=True)])
    by_key = {clip.key: clip.prompt for clips in found for clip in clips if clip.prompt}
    return [
        [ModelClip(c.file, c.key, by_key.get(c.key) or spoken(Path(c.key[0]).name)) for c in clips] for clips in found
    ]


@dataclass(frozen=True)
class Pairing:
    """Two clips of one prompt by the models `a` < `b` (places among the folders).

    `prompt` is the name of the clips where no prompt is `known`.
    """

    a: int
    b: int
    prompt: str
    clips: tuple[Path, Path]
    known: bool = True


def pair(folders: Sequence[Path], unreadable: dict[Path, str] | None = None) -> tuple[list[Pairing], list[Path]]:
    """Every pair of models on every prompt that both have; and the clips that met no other. unreadable: see `find`.

    ValueError: fewer than two folders, or two of them share no prompt.
    """
    if len(folders) < 2:
        raise ValueError(f"expected at least two folders of clips to compare, got {len(folders)}")
    names = model_names(folders)
    found = [{clip.key: clip for clip in clips} for clips in find(folders, unreadable)]
    pairs: list[Pairing] = []
    used: set[Path] = set()
    for a in range(len(found)):
        for b in range(a + 1, len(found)):
            shared = [key for key in found[a] if key in found[b]]
            if not shared:
                raise ValueError(
                    f"{folders[a]} and {folders[b]}: no clip of {names[a]} has the prompt or the file name of one of "
                    f"{names[b]}; expected clips made from the same prompts"
                )
            for key in shared:
                one, other = found[a][key], found[b][key]
                pairs.append(Pairing(a, b, one.prompt or key[0], (one.file, other.file), bool(one.prompt)))
                used |= {one.file, other.file}
    left = [clip.file for clips in found for clip in clips.values() if clip.file not in used]
    return pairs, left
