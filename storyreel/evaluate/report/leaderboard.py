"""Several evaluations on equal terms: the same prompts, seeds and real clips, and fingerprints that are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storyreel.evaluate.compare import Difference, compare
from storyreel.evaluate.protocols import differing
from storyreel.evaluate.scores import clean

KIND = "leaderboard"


@dataclass(frozen=True)
class Entrant:
    """A model with its evaluation (the document of report.json) and what is known beside it, None where it is not.

    seconds: {"value", "interval", "n", "machine"} a clip. training: {"flops", "steps", "note"}. link: of its page,
    relative to the leaderboard. files: of the clips, in the order of the report's `per_clip`.
    """

    name: str
    report: Mapping[str, Any]
    path: str = ""
    system: str = ""
    digest: str = ""
    seconds: Mapping[str, Any] | None = None
    parameters: int | None = None
    training: Mapping[str, Any] | None = None
    link: str = ""
    files: Sequence[Path] = ()

    def score(self, name: str) -> Mapping[str, Any] | None:
        return next((score for score in self.report["scores"] if score["name"] == name), None)


@dataclass(frozen=True)
class Terms:
    """What was the same for all, in words: where the prompts are from, the seed, the command to repeat it."""

    prompts: str = ""
    seed: int | None = None
    machine: str = ""
    command: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)


def document_of(entrants: Sequence[Entrant], terms: Terms, by: str = "") -> dict[str, Any]:
    """The leaderboard as JSON. Models are sorted by the score `by`, or by the first one of the table.

    ValueError, in one line, when there are fewer than two models, two have one name, or their terms are not equal.
    """
    check_equal_terms(entrants)
    names, left_out = shared_scores(entrants)
    if not names:
        raise ValueError(f"leaderboard: no score that all have and that may be quoted ({_reasons(left_out)})")
    if by and by not in names:
        raise ValueError(f"--by {by}: expected one of {', '.join(names)}")
    best = {name: order(entrants, name)[0] if is_ranked(entrants[0], name) else None for name in names}
    rows = order(entrants, by or names[0])
    first = rows[0].report
    prompts = [clip["prompt"] for clip in first["per_clip"]]
    gaps = {(a.name, b.name): _gaps(a, b) for a in best.values() if a for b in rows if a is not b}
    from storyreel.clip_metadata import made_by

    return clean(
        {
            "storyreel": 1,
            "kind": KIND,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": made_by(),
            "command": terms.command,
            "prompts": {"from": terms.prompts, "n": len(set(prompts)), "seed": terms.seed},
            "clips": first["clips"]["n"],
            "real": first.get("real"),
            "machine": terms.machine,
            "sorted_by": by or names[0],
            "scores": [_about(first, name, best[name]) for name in names],
            "models": [_row(entrant, names, best, gaps) for entrant in rows],
            "left_out": left_out,
            "notes": [*terms.notes, *_notes(entrants), *_warnings(rows, names)],
        }
    )


def check_equal_terms(entrants: Sequence[Entrant]) -> None:
    """ValueError, in one line, saying which fields differ between which two models."""
    if len(entrants) < 2:
        raise ValueError("leaderboard: expected two models or more")
    repeated = [name for name, times in Counter(e.name for e in entrants).items() if times > 1]
    if repeated:
        raise ValueError(f"leaderboard: two of the models are called {repeated[0]!r}; name one with NAME=FOLDER")
    first = entrants[0]
    for other in entrants[1:]:
        refused = []
        for score in other.report["scores"]:
            mine = first.score(score["name"])
            if mine is not None and (fields := differing(mine["fingerprint"], score["fingerprint"])):
                refused.append(f"{score['name']}: {', '.join(fields)}")
        if refused:
            raise ValueError(
                f"{first.name} and {other.name} were not measured alike, fingerprints differ in {'; '.join(refused)}"
            )
        _check_same_prompts(first, other)


def _check_same_prompts(one: Entrant, other: Entrant) -> None:
    """The same prompts with the same seeds, as far as the clips say them."""
    for what in ("prompt", "seed"):
        mine, theirs = (Counter(clip.get(what) for clip in e.report["per_clip"]) for e in (one, other))
        silent = "" if what == "prompt" else None
        if silent in mine or silent in theirs:
            continue
        if mine != theirs:
            only = next(iter((mine - theirs) or (theirs - mine)))
            whose = one.name if mine[only] > theirs[only] else other.name
            raise ValueError(
                f"{one.name} and {other.name} were not made from the same {what}s: "
                f"{sum((mine - theirs).values())} of {mine.total()} differ, such as {only!r} of {whose}"
            )


def _notes(entrants: Sequence[Entrant]) -> list[str]:
    notes = []
    for what, silent in (("prompt", ""), ("seed", None)):
        without = [e.name for e in entrants if any(clip.get(what) == silent for clip in e.report["per_clip"])]
        if without:
            notes.append(
                f"{', '.join(without)}: clips do not say their {what}s, so whether they are the same is not known"
            )
    return notes


def _warnings(entrants: Sequence[Entrant], names: Sequence[str]) -> list[str]:
    """What stands beside single scores, such as too few clips: a line a score, of the best model that has one."""
    notes = []
    for name in names:
        each = {e.name: str(score["warning"]) for e in entrants if (score := e.score(name)) and score.get("warning")}
        if each:
            who, warning = next(iter(each.items()))
            alike = len(each) == len(entrants) and len(set(each.values())) == 1
            others = f" (there is one for {', '.join([*each][1:])} too)" if len(each) > 1 else ""
            notes.append(f"{name}: {warning}" if alike else f"{name} of {who}: {warning}{others}")
    return notes


def shared_scores(entrants: Sequence[Entrant]) -> tuple[list[str], dict[str, str]]:
    """Names of the scores for the table, and why others are not in it."""
    names, left_out = [], {}
    for name in dict.fromkeys(score["name"] for e in entrants for score in e.report["scores"]):
        each = [e.score(name) for e in entrants]
        lacking = [e.name for e, score in zip(entrants, each, strict=True) if score is None or score["value"] is None]
        if lacking:
            left_out[name] = f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no value"
        elif not all(score["trusted"] for score in each if score):
            left_out[name] = "measured with random or untrained weights: it means nothing"
        else:
            names.append(name)
    return names, left_out


def order(entrants: Sequence[Entrant], name: str) -> list[Entrant]:
    """Best first by one score that all have."""

    def worse(entrant: Entrant) -> float:
        score = entrant.score(name) or {}
        if score["direction"] == "real":
            return abs(score["value"] - score["real"]) if is_ranked(entrant, name) else 0.0
        return score["value"] if score["direction"] == "lower" else -score["value"]

    return sorted(entrants, key=worse)


def is_ranked(entrant: Entrant, name: str) -> bool:
    """Whether one value is better than another: not where they should be as real clips' are, and those are unknown."""
    score = entrant.score(name) or {}
    return score["direction"] != "real" or score.get("real") is not None


def leads(model: Mapping[str, Any], score: Mapping[str, Any]) -> bool:
    """Whether a model of the document has the best value of a score, or none that is known to be worse than it.

    Where the interval of the difference holds 0, neither of both is called the best alone.
    """
    if score["best"] is None:
        return False
    gap = model["scores"][score["name"]]["to_best"]
    if gap is None:
        return score["best"] == model["name"]
    return gap["difference"] == 0 or (gap["interval"] is not None and gap["worse"] is False)


def _gaps(best: Entrant, other: Entrant) -> dict[str, Difference]:
    return {found.name: found for found in compare(best.report, other.report)}


def _about(report: Mapping[str, Any], name: str, best: Entrant | None) -> dict[str, Any]:
    score = next(score for score in report["scores"] if score["name"] == name)
    keys = ("name", "direction", "unit", "protocol", "fingerprint", "floor", "controls", "real")
    return {**{key: score.get(key) for key in keys}, "best": best.name if best else None}


def _row(
    entrant: Entrant,
    names: Sequence[str],
    best: Mapping[str, Entrant | None],
    gaps: Mapping[tuple[str, str], Mapping[str, Difference]],
) -> dict[str, Any]:
    scores = {}
    for name in names:
        score = entrant.score(name) or {}
        leader = best[name]
        gap = gaps.get((leader.name, entrant.name), {}).get(name) if leader else None
        cell = {key: score[key] for key in ("value", "interval", "n", "warning")}
        cell["to_best"] = None
        if gap is not None:
            worse = None if score["direction"] == "real" else gap.better == "a"
            cell["to_best"] = {"difference": gap.as_json()["difference"], "interval": gap.interval}
            cell["to_best"] |= {"paired": gap.paired, "n": gap.n, "worse": worse}
        scores[name] = cell
    about = {
        key: getattr(entrant, key) for key in ("name", "path", "system", "digest", "parameters", "training", "link")
    }
    return {**about, "seconds_a_clip": entrant.seconds, "scores": scores}


def _reasons(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left_out.items()) or "they share none"
