"""The study folder: `study.json` (what is asked about which clips), `clips/` (under opaque names), `votes.sqlite`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from storyreel.json_file import read_json
from storyreel.storage import replacing
from storyreel.study.presets import BOTH_BAD, TIE, Question

VERSION = 1
PLAN, CLIPS, VOTES = "study.json", "clips", "votes.sqlite"
PAIR, NOISE, SAME = "pair", "noise", "same"  # the kinds of item; the last two are catch trials
CLIP_NAME = re.compile(r"[0-9a-f]{16}\.(mp4|webm)")


@dataclass(frozen=True)
class StudyItem:
    """Two clips to compare.

    kind: "pair" two models; "noise" a clip and noise made from it (a is better); "same" one clip twice (a tie).
    models: (a, b), places in `Study.models`; b is None for catch trials. files: (a, b), names in `clips/`.
    watch: seconds that a rater looks before the first answer.
    """

    kind: str
    prompt: str
    models: tuple[int, int | None]
    files: tuple[str, str]
    watch: float = 0.0


@dataclass(frozen=True)
class Study:
    """What `study.json` says. `open` reads a study folder, `write` makes its file."""

    folder: Path
    id: str
    preset: str
    seed: int
    models: tuple[str, ...]
    questions: tuple[Question, ...]
    ties: tuple[str, ...]
    raters: int
    per_rater: int
    catch: int  # catch trials a rater, of each kind; -1: one of each kind for every twelve pairs
    items: tuple[StudyItem, ...] = field(repr=False)

    @property
    def answers(self) -> tuple[str, ...]:
        return ("left", "right", *self.ties)

    @property
    def votes_file(self) -> Path:
        return self.folder / VOTES

    @cached_property
    def clip_names(self) -> frozenset[str]:
        return frozenset(name for item in self.items for name in item.files)

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The different prompts of the pairs, in their order."""
        return tuple(dict.fromkeys(item.prompt for item in self.items if item.kind == PAIR))

    def indices(self, kind: str) -> list[int]:
        """Places in `items` of one kind."""
        return [i for i, item in enumerate(self.items) if item.kind == kind]

    def write(self) -> Path:
        """Write `study.json` into the folder."""
        doc = {"storyreel_study": VERSION, **{k: v for k, v in asdict(self).items() if k != "folder"}}
        with replacing(self.folder / PLAN) as (made,):
            made.write_text(json.dumps(doc, ensure_ascii=False, indent=1), encoding="utf-8", errors="backslashreplace")
        return self.folder / PLAN

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Read a study folder. FileNotFoundError: none there. ValueError: of another version, or damaged."""
        folder = Path(folder)
        path = folder / PLAN
        if not path.is_file():
            raise FileNotFoundError(f"{folder}: no study here ({PLAN} is missing); `storyreel study create` makes one")
        try:
            doc = read_json(path, max_bytes=1 << 28)
        except ValueError as error:
            raise ValueError(f"{path}: is damaged: {error}") from error
        if not isinstance(doc, dict) or "storyreel_study" not in doc:
            raise ValueError(f"{path}: is not a study of storyreel (no `storyreel_study` in it)")
        if doc["storyreel_study"] != VERSION:
            raise ValueError(
                f"{path}: is a study of version {doc['storyreel_study']!r}, this storyreel reads version {VERSION}; "
                "use the storyreel that made it, or make the study anew"
            )
        try:
            study = cls(folder=folder, **_typed({k: v for k, v in doc.items() if k != "storyreel_study"}))
            study._check()
        except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
            raise ValueError(f"{path}: is damaged: {error}") from error
        return study

    def _check(self) -> None:
        if not self.models or not self.questions or not self.items:
            raise ValueError("expected models, questions and items")
        if set(self.ties) - {TIE, BOTH_BAD}:
            raise ValueError(f"ties: expected some of {TIE}, {BOTH_BAD}, got {', '.join(self.ties)}")
        for item in self.items:
            if item.kind not in (PAIR, NOISE, SAME) or not all(map(CLIP_NAME.fullmatch, item.files)):
                raise ValueError(f"items: cannot use {item}")
            known = [m for m in item.models if m is not None]
            if len(known) < 2 - (item.kind != PAIR) or not all(0 <= m < len(self.models) for m in known):
                raise ValueError(f"items: unknown models in {item}")


def _typed(doc: dict[str, Any]) -> dict[str, Any]:
    """Lists of JSON as the tuples and dataclasses that they were."""
    questions = tuple(Question(**q) for q in doc["questions"])
    items = tuple(
        StudyItem(i["kind"], i["prompt"], (i["models"][0], i["models"][1]), (i["files"][0], i["files"][1]), i["watch"])
        for i in doc["items"]
    )
    return {**doc, "questions": questions, "items": items, "models": tuple(doc["models"]), "ties": tuple(doc["ties"])}
