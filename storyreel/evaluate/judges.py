"""The kinds of judge there are, and which of them fits a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from storyreel.clip import Clip
from storyreel.evaluate.judge_registry import find_judge, kind_of
from storyreel.evaluate.score import AttributeScores, labels


class AnyJudge(Protocol):
    """Whoever reads clips and compares what it sees with what is expected."""

    @property
    def attributes(self) -> tuple[str, ...]: ...

    def read(self, clips: Iterable[Clip]) -> Iterator[Any]: ...

    def accuracy(self, clips: Iterable[Clip], expected: Iterable[Mapping[str, Any]]) -> AttributeScores: ...

    def save(self, path: str | Path, *, card: str = "", facts: Mapping[str, Any] | None = None) -> Path: ...


def load_judge(name: str | Path) -> AnyJudge:
    """A judge folder, or the name of one that ships ("sprites", "digits"). ValueError says what is wrong with it."""
    from storyreel.evaluate.judge import KIND, Judge
    from storyreel.evaluate.locator import KIND as LOCATOR
    from storyreel.evaluate.locator import Locator

    path = find_judge(name)
    kinds = {KIND: Judge.load, LOCATOR: Locator.load}
    kind = kind_of(path)
    if kind not in kinds:
        raise ValueError(f"{path / 'judge.json'}: a judge of the kind {kind!r}; this version knows {', '.join(kinds)}")
    return kinds[kind](path)


def check_known(judge: AnyJudge, expected: Iterable[Mapping[str, Any]]) -> None:
    """ValueError when nothing that is expected of the clips is known to the judge."""
    named = (each for attributes in expected for each in (attributes, labels(attributes)))
    there = {name for each in named for name, value in each.items() if value is not None}
    if not there & set(judge.attributes):
        raise ValueError(
            f"attributes: the clips are labelled with {', '.join(sorted(there)) or 'nothing'}; "
            f"this judge knows {', '.join(judge.attributes)}"
        )
