"""Two evaluations side by side: only scores that were measured in the same way, clip against clip where they share
prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.evaluate.interval import Z95, mean_of
from storyreel.evaluate.protocols import differing
from storyreel.evaluate.scores import clean
from storyreel.json_file import read_json

DISTANCES = ("fvd", "fid", "kvd", "kid")
KIND = "comparison"


@dataclass(frozen=True)
class Difference:
    """b - a of one score, its 95 % interval, and who is better where the interval leaves no doubt."""

    name: str
    a: float | None
    b: float | None
    interval: tuple[float, float] | None
    n: int
    paired: bool
    better: str | None

    def as_json(self) -> dict[str, Any]:
        gap = None if self.a is None or self.b is None else self.b - self.a
        return clean({**vars(self), "difference": gap})


def read_report(path: Path) -> dict[str, Any]:
    """A report.json, or the folder that holds one. ValueError or OSError in one line."""
    file = path / "report.json" if path.is_dir() else path
    try:
        document = read_json(file, max_bytes=1 << 30)
    except ValueError:
        raise ValueError(f"{file}: expected a report of `storyreel evaluate --out`, which is JSON") from None
    if not isinstance(document, dict) or document.get("kind") != "evaluation":
        raise ValueError(f"{file}: expected a report of `storyreel evaluate --out` (kind 'evaluation')")
    if document.get("storyreel") != 1:
        raise ValueError(f"{file}: is of version {document.get('storyreel')!r}, this one reads version 1")
    return document


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    """The scores that both reports have. ValueError when a shared score's fingerprints differ, or none is shared."""
    theirs = {score["name"]: score for score in other["scores"]}
    shared = [(score, theirs[score["name"]]) for score in one["scores"] if score["name"] in theirs]
    if not shared:
        raise ValueError("the two reports share no score (extractors are part of their names)")
    refused = {a["name"]: d for a, b in shared if (d := differing(a["fingerprint"], b["fingerprint"]))}
    if refused:
        reasons = "; ".join(f"{name}: {', '.join(fields)}" for name, fields in refused.items())
        raise ValueError(f"these scores cannot be compared, their fingerprints differ in {reasons}")
    return [_difference(a, b, one["per_clip"], other["per_clip"]) for a, b in shared]


def _difference(a: Mapping[str, Any], b: Mapping[str, Any], ours: Sequence[Any], theirs: Sequence[Any]) -> Difference:
    name = a["name"]
    one, other = (_values(name, clips) for clips in (ours, theirs))
    keys = [key for key in one if key in other]
    paired = len(keys) >= 2 and len(keys) == len(one) == len(other)
    interval = None
    if a["value"] is not None and b["value"] is not None:
        gap = b["value"] - a["value"]
        half = _half(one, other, keys if paired else [])
        interval = None if half is None else (gap - half, gap + half)
    better = None
    if interval is not None and a["direction"] in ("lower", "higher") and (interval[0] > 0 or interval[1] < 0):
        better = "b" if (interval[0] > 0) == (a["direction"] == "higher") else "a"
    n = len(keys) if paired else min(a["n"], b["n"])
    return Difference(name, a["value"], b["value"], interval, n, paired, better)


def _values(name: str, clips: Sequence[Any]) -> dict[str, float]:
    """Prompt -> mean over its clips. For a distance the value of a clip is how much it moves the distance, so that the
    mean over all clips, 0, varies as the distance does. Clips without prompts stand for themselves, by file name."""
    found: dict[str, list[float]] = {}
    for clip in clips:
        value = clip["scores"].get(name)
        if value is not None:
            found.setdefault(clip["prompt"] or Path(clip["file"]).stem, []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def _half(one: Mapping[str, float], other: Mapping[str, float], keys: Sequence[str]) -> float | None:
    """Half of the interval of the mean difference: by resampling shared prompts, else from both spreads."""
    if keys:
        low, high = mean_of([other[key] - one[key] for key in keys]).interval or (0.0, 0.0)
        return (high - low) / 2
    if min(len(one), len(other)) < 2:
        return None
    spread = sum(float(np.var(list(v.values()), ddof=1)) / len(v) for v in (one, other))
    return Z95 * spread**0.5


def document_of(a: Path, b: Path, found: Sequence[Difference]) -> dict[str, Any]:
    return {"storyreel": 1, "kind": KIND, "a": str(a), "b": str(b), "scores": [d.as_json() for d in found]}


def lines_of(found: Sequence[Difference]) -> list[str]:
    """A table for people."""
    wide = max([len("score"), *(len(d.name) for d in found)])
    rows = [f"{'score':{wide}}  {'A':>10}  {'B':>10}  {'B - A':>10}  {'95 % interval':>24}  {'n':>6}  pairs  better"]
    for d in found:
        document = d.as_json()
        a, b, gap = ("--" if document[key] is None else f"{document[key]:.4g}" for key in ("a", "b", "difference"))
        span = "--" if d.interval is None else f"{d.interval[0]:.4g} to {d.interval[1]:.4g}"
        better = {"a": "A", "b": "B"}.get(d.better or "", "no telling")
        row = f"{d.name:{wide}}  {a:>10}  {b:>10}  {gap:>10}  {span:>24}  {d.n:>6}  {'yes' if d.paired else 'no':5}"
        rows.append(f"{row}  {better}")
    return rows
