"""The prompts of a benchmark: read from its file, written for a model to be run on, and found again in its videos."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.evaluate.judged_clips import prompt_of
from storyreel.json_file import parse_json
from storyreel.layouts import clip_files
from storyreel.ownership import claim_file
from storyreel.storage import write_bytes
from storyreel.whole_file import read_bytes, read_text

LISTS = ("prompts.txt", "prompts.jsonl")


@dataclass(frozen=True)
class Prompt:
    """One prompt, the group that it is counted in, and what its video should show."""

    index: int
    prompt: str
    group: str
    expected: dict[str, Any]
    source: tuple[int, int] = (0, 0)  # seed and index of the world's clip that it is the caption of

    @property
    def name(self) -> str:
        """Of its video, without a suffix: "0007"."""
        return f"{self.index:04d}"


@dataclass(frozen=True)
class PromptList:
    """A benchmark's prompts, its protocol, and the digest that a result is to be quoted with."""

    protocol: dict[str, Any]
    prompts: tuple[Prompt, ...]
    digest: str

    @classmethod
    def read(cls, path: Path) -> PromptList:
        blob = read_bytes(path)
        document = parse_json(blob, str(path))
        rows = [
            Prompt(i, row["prompt"], row["group"], row["wanted"], tuple(row["source"]))
            for i, row in enumerate(document["prompts"])
        ]
        return cls(document["protocol"], tuple(rows), hashlib.sha256(blob).hexdigest())

    def only(self, group: str) -> PromptList:
        """The prompts of one group, with the names that they have among all."""
        mine = tuple(p for p in self.prompts if p.group == group)
        if not mine:
            groups = ", ".join(dict.fromkeys(p.group for p in self.prompts))
            raise ValueError(f"no group of prompts {group!r}; there are {groups}")
        return replace(self, prompts=mine)

    def write_for_models(self, path: str | Path) -> Path:
        """A prompt file for `storyreel generate --prompts`: .txt, a prompt a line; .jsonl, with names of files.

        ValueError or OSError: another suffix, or a file of that name that is there and says something else.
        """
        path = Path(path)
        write_bytes(path, self.checked(path))
        return path

    def checked(self, path: Path) -> bytes:
        """What `write_for_models` writes to `path`, when it may."""
        if path.suffix.lower() == ".txt":
            lines = [p.prompt for p in self.prompts]
        elif path.suffix.lower() == ".jsonl":
            lines = [json.dumps({"prompt": p.prompt, "name": p.name}) for p in self.prompts]
        else:
            raise ValueError(f"{path}: expected a .txt or a .jsonl")
        content = ("\n".join(lines) + "\n").encode()
        claim_file(path, path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content)
        return content


def to_text(protocol: dict[str, Any], prompts: list[Prompt]) -> str:
    """What `PromptList.read` reads, one prompt a line."""
    rows = [
        json.dumps({"prompt": p.prompt, "group": p.group, "wanted": p.expected, "source": list(p.source)})
        for p in prompts
    ]
    return f'{{"protocol": {json.dumps(protocol, indent=1)},\n"prompts": [\n' + ",\n".join(rows) + "\n]}\n"


@dataclass(frozen=True)
class PromptFiles:
    """Which file answers which prompt; the files that answer none, and those that answer one again."""

    files: dict[int, Path]
    strangers: list[Path]
    again: list[Path]


def find_videos(path: str | Path, prompt_list: PromptList) -> PromptFiles:
    """The videos of a folder and its subfolders, by prompt. The first of several for one prompt counts.

    A file belongs to the prompt that its own metadata names. A file whose metadata name none is numbered: `0007.*` is
    line 7 (counted from 0) of `prompts.txt` or `prompts.jsonl` in the folder, or of the benchmark where there is no
    such list; and files without numbers are taken in sorted order where the list has exactly as many lines.
    ValueError or OSError when nothing answers any prompt.
    """
    path = Path(path)
    files = clip_files(path)
    by_prompt = {_plain(p.prompt): p.index for p in prompt_list.prompts}
    listed = _list_of(path)
    numbered = [by_prompt.get(_plain(line)) for line in listed] if listed else [p.index for p in prompt_list.prompts]
    in_order = dict(zip(files, numbered, strict=True)) if listed and len(listed) == len(files) else {}
    found, strangers, again = {}, [], []
    for file in files:
        if prompt := prompt_of(file):
            index = by_prompt.get(_plain(prompt))
        elif file.stem.isdecimal():
            index = numbered[int(file.stem)] if int(file.stem) < len(numbered) else None
        else:
            index = in_order.get(file)
        if index is None:
            strangers.append(file)
        elif index in found:
            again.append(file)
        else:
            found[index] = file
    if not found:
        raise ValueError(
            f"{path}: none of its {len(files)} videos answers a prompt of the benchmark; expected the prompt in each "
            f"file's metadata, or names such as {prompt_list.prompts[0].name}.mp4, or a prompts.txt beside them"
        )
    return PromptFiles(found, strangers, again)


def _plain(prompt: str) -> str:
    return " ".join(prompt.split())


def _list_of(path: Path) -> list[str]:
    """The prompts of the list that lies in the folder; [] without one."""
    for name in LISTS:
        file = path / name
        if file.is_file():
            lines = [line.strip() for line in read_text(file).splitlines() if line.strip()]
            if name.endswith(".txt"):
                return lines
            try:
                return [str(parse_json(line)["prompt"]) for line in lines]
            except (ValueError, KeyError, TypeError):
                raise ValueError(f'{file}: expected a line such as {{"prompt": "..."}} for each video') from None
    return []
