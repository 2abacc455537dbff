"""From scores to a decision: thresholds are a frozen value, and deciding is a pure function of a row and of them.

Nothing here decodes or measures. A score that was not measured (None) is not judged: it rejects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A score is wanted from `min` to `max`, both included; None asks for nothing."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, kw_only=True)
class Motion(Limit):
    """`min`, `max`: of the optical flow. A clip is static only when flow *and* frame difference are below theirs.

    Either alone is fooled: flow sees nothing move in smooth gradients or in the dark, and frame difference takes
    noise for motion.
    """

    difference_min: float | None = 0.5


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """`share` of the bits of two perceptual hashes in which they may differ and still be of one picture; None: off."""

    share: float | None = 0.08


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a clip must be to be kept. `SCORES` says which score each field judges, and in which unit."""

    seconds: Limit = Limit(min=1.0)
    frames: Limit = Limit(min=8.0)
    side: Limit = Limit(min=48.0)
    motion: Motion = Motion(min=0.25)
    camera: Limit = Limit()
    object: Limit = Limit()
    frozen: Limit = Limit(max=0.9)
    repeated: Limit = Limit(max=0.75)
    jitter: Limit = Limit()
    text: Limit = Limit(max=0.04)
    marks: Limit = Limit()
    bars: Limit = Limit(max=0.6)
    blur: Limit = Limit()
    exposure: Limit = Limit()
    clipped: Limit = Limit(max=0.9)
    blockiness: Limit = Limit()
    interlaced: Limit = Limit(max=0.5)
    similarity: Limit = Limit()
    aesthetics: Limit = Limit()
    caption_words: Limit = Limit()
    duplicates: Duplicates = Duplicates()

    def __post_init__(self) -> None:
        for f in fields(self):
            limit = getattr(self, f.name)
            for part in fields(limit):
                value = getattr(limit, part.name)
                if value is not None and not math.isfinite(value):
                    raise ValueError(f"{f.name}.{part.name}: wanted a finite number or none, got {value}")
            if isinstance(limit, Limit) and limit.min is not None and limit.max is not None and limit.min > limit.max:
                raise ValueError(f"{f.name}: min {limit.min} is above max {limit.max}, nothing can be kept")
        if self.duplicates.share is not None and not 0 <= self.duplicates.share <= 0.5:
            raise ValueError(f"duplicates.share: wanted 0 to 0.5, got {self.duplicates.share}")

    def as_json(self) -> dict[str, dict[str, float | None]]:
        return {
            f.name: {p.name: getattr(v, p.name) for p in fields(v)}
            for f in fields(self)
            if (v := getattr(self, f.name))
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, float | None]]) -> Thresholds:
        """ValueError names a field that is not known."""
        kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(cls)}
        made: dict[str, Any] = {}
        for name, parts in value.items():
            if name not in kinds:
                raise ValueError(f"thresholds: does not know {name!r}; there are {', '.join(kinds)}")
            try:
                made[name] = kinds[name](**parts)
            except TypeError:
                raise ValueError(f"thresholds: {name} does not know one of {', '.join(parts)}") from None
        return cls(**made)


SCORES: dict[str, tuple[str, str]] = {  # field of Thresholds -> (column of the row, what it says)
    "seconds": ("seconds", "length of the clip, seconds"),
    "frames": ("num_frames", "length of the clip, frames"),
    "side": ("side", "shorter side without bars, pixels"),
    "motion": ("motion_flow", "mean optical flow, pixels a second"),
    "camera": ("camera_motion", "flow of the camera, pixels a second"),
    "object": ("object_motion", "flow that the camera does not explain, pixels a second"),
    "frozen": ("frozen_share", "share of frames that stand still"),
    "repeated": ("duplicate_share", "share of frames that repeat the one before"),
    "jitter": ("jitter", "shake from frame to frame, pixels at 256 wide"),
    "text": ("text_share", "share of the frame in text"),
    "marks": ("mark_share", "share of the frame in marks that never move"),
    "bars": ("bars_share", "share of the frame in black bars"),
    "blur": ("blur", "sharpness, variance of the Laplacian over that of the picture"),
    "exposure": ("exposure", "mean brightness, 0 to 1"),
    "clipped": ("clipped_share", "share of pixels at black or white"),
    "blockiness": ("blockiness", "how much larger steps are at block borders"),
    "interlaced": ("interlaced", "share of moments that are combed"),
    "similarity": ("similarity", "cosine of caption and frames"),
    "aesthetics": ("aesthetics", "LAION aesthetic score"),
    "caption_words": ("caption_words", "words in the caption"),
}


@dataclass(frozen=True)
class Reason:
    """Why a clip is rejected: what was measured, what was wanted, and how far away it is.

    name: "motion.min", "text.max", "duplicate", "manual". margin: below 0, the distance to the limit as a share of it
    (absolute where the limit is 0): -0.5 of a lower limit is half of what was wanted.
    """

    name: str
    value: float | None
    limit: float | None
    margin: float

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "limit": self.limit, "margin": self.margin}


def decide(row: Mapping[str, Any], thresholds: Thresholds) -> list[Reason]:
    """Every reason to reject the row, in the order of the fields; an empty list keeps it. Pure.

    Looks at one row alone; near duplicates need all rows: `storyreel.curate.duplicates`.
    """
    reasons: list[Reason] = []
    for field in SCORES:
        limit = getattr(thresholds, field)
        value = row.get(SCORES[field][0])
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if field == "motion":
            reasons += _static(row, value, limit)
        elif limit.min is not None and value < limit.min:
            reasons.append(Reason(f"{field}.min", value, limit.min, margin(value, limit.min, lower=True)))
        if limit.max is not None and value > limit.max:
            reasons.append(Reason(f"{field}.max", value, limit.max, margin(value, limit.max, lower=False)))
    return reasons


def _static(row: Mapping[str, Any], flow: float, limit: Motion) -> Iterable[Reason]:
    """Static needs both: the margin is that of the score which is nearer to its limit."""
    if limit.min is None or flow >= limit.min:
        return
    found = margin(flow, limit.min, lower=True)
    difference = row.get("motion_difference")
    if limit.difference_min is not None and difference is not None:
        if difference >= limit.difference_min:
            return
        found = max(found, margin(difference, limit.difference_min, lower=True))
    yield Reason("motion.min", flow, limit.min, found)


def margin(value: float, limit: float, *, lower: bool) -> float:
    """How far `value` is on the good side of `limit`, as a share of it; below 0 on the bad side."""
    distance = value - limit if lower else limit - value
    return distance / abs(limit) if limit else distance


def margins(row: Mapping[str, Any], thresholds: Thresholds) -> dict[str, float]:
    """For each limit that judges this row its margin, good or bad: what a page shows beside a kept clip."""
    found: dict[str, float] = {}
    for field, (column, _) in SCORES.items():
        limit, value = getattr(thresholds, field), row.get(column)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        for name, lower in (("min", True), ("max", False)):
            if (wanted := getattr(limit, name)) is not None:
                found[f"{field}.{name}"] = margin(value, wanted, lower=lower)
    difference, wanted = row.get("motion_difference"), thresholds.motion.difference_min
    if "motion.min" in found and difference is not None and wanted is not None:
        found["motion.min"] = max(found["motion.min"], margin(difference, wanted, lower=True))
    return found
