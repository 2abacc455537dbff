"""A paper's claims, one after the other: each part is kept as soon as it is measured, and not measured again.

DIR/results.json holds `reproduces`, the paper, and `parts`: name -> `asked` (what the result depends on), `date`,
`command`, and what was found, or `missing`, the reason why it could not be. DIR/results.md tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from reproductions.report import Part, done, write_lines
from reproductions.settings import Settings
from storyreel.storage import read_json, write_json

Conditions: TypeAlias = dict[str, Any]
Found: TypeAlias = dict[str, Any]
Todo: TypeAlias = dict[str, tuple[Callable[[], Found], Conditions]]
Report: TypeAlias = Callable[[dict[str, Any]], list[str]]


class MissingError(ValueError):
    """There is nothing to measure with: no model, no judge, no sheets. In one line, for people."""


def run_claims(
    settings: Settings,
    only: str | None,
    claims: Sequence[str],
    todo: Callable[[Settings, Sequence[str]], Todo],
    report: Report,
) -> dict[str, Any]:
    """Measure what is not yet measured of these claims, or of `only` one; what results.json holds.

    todo: the parts of claims, each with how to measure it and what that depends on. A part is named as its claim; where
    a claim has several, `-` and of what follow.
    ValueError for an unknown claim, and where the folder holds another paper's results.
    """
    requested = chosen(only, claims)
    book = Claims(settings, report)
    for name, (measure, conditions) in todo(settings, requested).items():
        book.measure(name, name.partition("-")[0], conditions, measure)
    book.save()
    return book.results


def chosen(only: str | None, claims: Sequence[str]) -> Sequence[str]:
    """All of them, or one. ValueError where there is no such claim."""
    if only is not None and only not in claims:
        raise ValueError(f"--only {only}: expected one of {', '.join(claims)}")
    return claims if only is None else (only,)


class Claims:
    """What is known of a paper's claims, in memory and in the folder.

    `claim` is what `--only` names to measure a part again, `conditions` what its result depends on.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings, self.report = settings, report
        self.file = settings.out / "results.json"
        settings.out.mkdir(parents=True, exist_ok=True)
        paper = settings.paper
        empty: dict[str, Any] = {"reproduces": paper, "parts": {}}
        self.results = read_json(self.file) if self.file.exists() else empty
        if self.results.get("reproduces") != paper or not isinstance(self.results.get("parts"), dict):
            raise ValueError(f"{self.file}: expected the results of storyreel reproduce {paper}; give another folder")

    @property
    def parts(self) -> dict[str, Part]:
        return self.results["parts"]

    def is_measured(self, name: str, conditions: Conditions) -> bool:
        """Whether it was measured with just this; says so."""
        part = self.parts.get(name)
        if not done(part) or part.get("asked") != conditions:
            return False
        self.settings.tell(f"{name}: measured on {part['date']}, kept")
        return True

    def measure(self, name: str, claim: str, conditions: Conditions, measure: Callable[[], Found]) -> None:
        """Measure and keep, unless it is kept. Where something is missing, the reason is kept instead; what was
        measured before, with other settings, stays."""
        if self.is_measured(name, conditions):
            return
        try:
            found = measure()
        except MissingError as error:
            if done(self.parts.get(name)):
                self.settings.tell(f"{name}: {error}; what was measured before stays")
                return
            self.settings.tell(f"{name}: not measured: {error}")
            found = {"missing": str(error)}
        self.put(name, claim, conditions, found)

    def put(self, name: str, claim: str, conditions: Conditions, found: Found) -> None:
        """Keep what was found."""
        entry = {"asked": conditions, "date": datetime.now(UTC).date().isoformat()}
        self.parts[name] = entry | {"command": f"{self.settings.command} --only {claim}"} | found
        self.save()

    def save(self) -> None:
        """Write results.json and results.md."""
        write_json(self.file, self.results)
        write_lines(self.settings.out, self.report(self.results))
