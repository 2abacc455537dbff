"""The votes of a study as arrays, one entry a vote; and as rows, for whoever wants to count by other means."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.csv_file import write_rows
from storyreel.ownership import claim_file, own_file
from storyreel.storage import replacing
from storyreel.study.plan import NOISE, PAIR, PLAN, SAME, VOTES, Study
from storyreel.study.presets import BOTH_BAD, TIE
from storyreel.study.votes import check_belongs

ANSWERS = ("a", "b", TIE, BOTH_BAD)  # what `answer` counts, after sides were turned into clips
KINDS = (PAIR, NOISE, SAME)


@dataclass(frozen=True)
class Ballots:
    """Integer arrays (n,): rater, item, question, prompt (a number for each text), a and b (models; b is -1 in catch
    trials), answer (a place in ANSWERS), kind (a place in KINDS), left (1 when the left clip won, 0 the right, -1 no
    winner)."""

    rater: np.ndarray
    item: np.ndarray
    question: np.ndarray
    prompt: np.ndarray
    a: np.ndarray
    b: np.ndarray
    answer: np.ndarray
    kind: np.ndarray
    left: np.ndarray

    def __len__(self) -> int:
        return len(self.rater)

    def where(self, mask: np.ndarray) -> Ballots:
        """Those votes alone."""
        return Ballots(*(getattr(self, f.name)[mask] for f in fields(self)))

    @property
    def outcome(self) -> np.ndarray:
        """+1 where a won, -1 where b did, 0 for ties."""
        return np.array([1, -1, 0, 0])[self.answer]


def read_ballots(study: Study) -> Ballots:
    """All votes so far; a server may be at work meanwhile. ValueError: there are none, or they are another study's."""
    sql = "SELECT rater, item, question, a_left, answer FROM votes JOIN trials ON trials.id = trial"
    rows = _read(study, sql)
    if not rows:
        raise ValueError(f"{study.folder}: no votes yet; `storyreel study serve {study.folder}` collects them")
    rater, item, question, a_left, answer = zip(*rows, strict=True)
    items = np.array(item)
    if items.max() >= len(study.items) or max(question) >= len(study.questions):
        raise ValueError(f"{study.votes_file}: holds votes on items that the study does not have")
    texts = {text: n for n, text in enumerate(dict.fromkeys(i.prompt for i in study.items))}
    facts = np.array([
        (texts[i.prompt], i.models[0], -1 if i.models[1] is None else i.models[1], KINDS.index(i.kind))
        for i in study.items
    ])  # fmt: skip
    codes = {"left": 0, "right": 1, TIE: 2, BOTH_BAD: 3}
    side = np.array([codes[word] for word in answer])
    turned = np.where((side < 2) & (np.array(a_left) == 0), 1 - side, side)
    prompt, a, b, kind = facts[items].T
    left = np.where(side < 2, 1 - side, -1)
    return Ballots(np.array(rater), items, np.array(question), prompt, a, b, turned, kind, left)


def _read(study: Study, sql: str) -> list[tuple[Any, ...]]:
    path = own_file(study.folder, VOTES)
    if not path.is_file():
        return []
    try:
        db = sqlite3.connect(path, timeout=30)
        try:
            check_belongs(db, study, path)
            return db.execute(sql).fetchall()
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error


COLUMNS: tuple[str, ...] = (
    "rater", "position", "kind", "prompt", "question", "model_a", "model_b", "left", "answer", "winner", "watched", "at"
)  # fmt: skip


def rows(study: Study) -> Iterator[dict[str, Any]]:
    """Every vote with names instead of numbers; noise and the second of two identical clips are called so."""
    sql = """SELECT rater, position, item, question, a_left, answer, watched, at FROM votes
             JOIN trials ON trials.id = trial ORDER BY rater, position"""
    for rater, position, at_item, question, a_left, answer, watched, at in _read(study, sql):
        item = study.items[at_item]
        a, b = study.models[item.models[0]], item.kind if item.models[1] is None else study.models[item.models[1]]
        left, right = (a, b) if a_left else (b, a)
        values = (
            rater, position, item.kind, item.prompt, study.questions[question].name, a, b, left, answer,
            {"left": left, "right": right}.get(answer, answer), watched,
            datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        yield dict(zip(COLUMNS, values, strict=True))


def _is_export(path: Path) -> bool:
    """Whether a file begins as an export of votes does."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(1000).decode("utf-8", "replace")
    if path.suffix.lower() == ".csv":
        return head.splitlines()[:1] == [",".join(COLUMNS)]
    return head.startswith('[\n {\n  "rater":') or head.strip() == "[]"


def export(study: Study, path: str | Path) -> int:
    """Write all votes to a .csv or .json; returns how many.

    ValueError or OSError: another suffix, or a file that is there and is no export of votes.
    In .csv, text that a spreadsheet would run as a formula has an apostrophe before it (`storyreel.csv_file`).
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".json"):
        raise ValueError(f"{path}: expected a .csv or .json")
    claim_file(path, _is_export(path), [study.folder / PLAN, study.votes_file])
    found = list(rows(study))
    with replacing(path) as (made,):
        if path.suffix.lower() == ".json":
            made.write_text(
                json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8", errors="backslashreplace"
            )
        else:
            with made.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                write_rows(file, COLUMNS, found)
    return len(found)
