"""What the page is told: the set, what thresholds come to, a page of clips, one clip with all that is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from storyreel.browse.command import command_of
from storyreel.browse.filmline import FilmLine
from storyreel.browse.pictures import PREVIEW_SECONDS
from storyreel.browse.session import BrowseSession, State
from storyreel.browse.table import MEASURED
from storyreel.curate.choose import Selection, fill
from storyreel.curate.scores import judged, scores
from storyreel.curate.thresholds import Thresholds

VIEWS = ("all", "kept", "rejected", "changed", "manual")
ORDERS = ("film", "margin", *MEASURED)
MOST = 120  # clips a page
SHOWN = (
    "clip", "source", "start", "end", "start_seconds", "end_seconds", "seconds", "fps", "before", "after", "licence",
)  # fmt: skip
PLAIN = (
    *SHOWN, "source_path", "num_frames", "width", "height", "bars", "motion_resolution", "text_resolution", "split",
)  # fmt: skip


@dataclass(frozen=True)
class ClipListing:
    """Which clips, in which order. reason: a limit that rejects them, "" for any. query: words of the caption."""

    view: str = "all"
    reason: str = ""
    query: str = ""
    order: str = "film"
    down: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ClipListing:
        made: dict[str, Any] = {}
        for f in fields(cls):
            value = document.get(f.name, f.default)
            if not isinstance(value, type(f.default)):
                raise ValueError(f"{f.name}: expected {type(f.default).__name__}")
            made[f.name] = value
        listing = cls(**made)
        if listing.view not in VIEWS or listing.order not in ORDERS or len(listing.query) > 500:
            raise ValueError(f"expected a view of {', '.join(VIEWS)} and an order of {', '.join(ORDERS)}")
        return listing


def the_set(session: BrowseSession, state: State) -> dict[str, Any]:
    """Once a page: names, limits, histograms, and what the folder was last chosen by."""
    found = [
        {"field": name, "column": score.column, "says": score.says, **state.histograms[score.column].as_json()}
        for name, score in sorted(scores().items(), key=lambda item: item[1].limit is None)
    ]
    return {
        "name": session.dataset.resolve().name,
        "folder": str(session.dataset),
        "spans": len(state.table),
        "films": state.table.films,
        "seconds": float(np.nansum(state.table.scores["seconds"])),
        "scores": found,
        "thresholds": state.thresholds.as_json(),
        "defaults": Thresholds().as_json(),
        "version": version_of(state),
    }


def version_of(state: State) -> str:
    """Another one whenever the folder was chosen anew."""
    return "-".join(str(part) for part in (*state.table.version, *(state.thresholds_version or ())))


def decided(session: BrowseSession, state: State, thresholds: Thresholds) -> dict[str, Any]:
    """What these thresholds come to: counts, hours, reasons, histograms of what is kept, the command."""
    verdict, table, words = state.verdict(thresholds), state.table, state.edits.words
    saved = table.saved
    seconds = table.scores["seconds"]
    return {
        "kept": int(verdict.selected.sum()),
        "seconds": float(np.nansum(seconds[verdict.selected])),
        "gained": int((verdict.selected & ~saved).sum()),
        "lost": int((~verdict.selected & saved).sum()),
        "saved": int(saved.sum()),
        "reasons": [{"name": name, "all": a, "alone": b} for name, (a, b) in verdict.reasons().items()],
        "histograms": {name: histogram.of(verdict.selected) for name, histogram in state.histograms.items()},
        "manual": {
            "keep": int((words == 1).sum()),
            "drop": int((words == 0).sum()),
            "captions": len(state.edits.captions),
            "pending": state.edits.pending,
        },
        "twins": state.all_pairs,
        "command": command_of(session.dataset, state.thresholds, thresholds),
        "version": version_of(state),
    }


def listed(state: State, thresholds: Thresholds, listing: ClipListing) -> np.ndarray:
    """Places of the rows that are listing for, in order."""
    verdict = state.verdict(thresholds)
    return state.remembered(("list", thresholds, listing, state.all_pairs), lambda: _listed(state, verdict, listing))


def _listed(state: State, verdict: Selection, listing: ClipListing) -> np.ndarray:
    table, words = state.table, state.edits.words
    edited = np.zeros(len(table), bool)
    edited[list(state.edits.captions)] = True
    mask = {
        "all": np.ones(len(table), bool),
        "kept": verdict.selected,
        "rejected": ~verdict.selected,
        "changed": verdict.selected != table.saved,
        "manual": (words >= 0) | edited,
    }[listing.view]
    if listing.reason:
        known = listing.reason in verdict.names
        mask = mask & (verdict.failed[verdict.names.index(listing.reason)] if known else False)
    if listing.query.strip():
        mask = mask & table.search(listing.query, state.edits.captions)
    places = np.flatnonzero(mask)
    if listing.order == "film":
        return places[::-1] if listing.down else places
    scores = {**table.scores, "caption_words": state.edits.lengths}
    value = np.abs(verdict.margin) if listing.order == "margin" else scores[listing.order]
    value = value[places]
    unknown = np.isnan(value)  # at the end, whichever way
    order = np.argsort(np.where(unknown, np.inf, -value if listing.down else value), kind="stable")
    return places[order]


def a_page(state: State, thresholds: Thresholds, listing: ClipListing, offset: int, count: int) -> dict[str, Any]:
    places = listed(state, thresholds, listing)
    part = places[offset : offset + max(1, min(count, MOST))]
    return {"total": len(places), "offset": offset, "clips": briefly(state, thresholds, part)}


def briefly(state: State, thresholds: Thresholds, places: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
    """A few facts of each row, with the reasons that these thresholds give."""
    rows = _chosen(state, thresholds, places)
    return [{name: row[name] for name in SHOWN} | _decision(state, thresholds, row, int(p)) for row, p in
            zip(rows, places, strict=True)]  # fmt: skip


def _chosen(state: State, thresholds: Thresholds, places: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
    """Rows with the decisions that the whole set comes to, and with the captions that people wrote."""
    rows, verdict = state.table.rows(places), state.verdict(thresholds)
    for row, place in zip(rows, map(int, places), strict=True):
        edit = state.edits.of(place)
        caption = next(iter(row["captions_made"] or []), "") if edit["caption"] is None else edit["caption"]
        made = row["caption_made_from"] if edit["caption"] is None else "manual"
        row |= {"caption": caption, "caption_from": made, "caption_words": len(caption.split())}
        fill(row, verdict, place, edit["keep"], state.table.clips.__getitem__)
    return rows


def _decision(state: State, thresholds: Thresholds, row: Mapping[str, Any], place: int) -> dict[str, Any]:
    near = state.verdict(thresholds).margins_of(place)
    tightest = min(near, key=lambda name: near[name], default=None)
    return {
        "kept": row["kept"],
        "saved": bool(state.table.saved[place]),
        "keep": state.edits.of(place)["keep"],
        "reasons": row["reasons"],
        "tightest": None if tightest is None else {"name": tightest, "margin": near[tightest]},
        "caption": row["caption"],
        "edited": place in state.edits.captions,
        "duplicate_of": row["duplicate_of"],
    }


def one_clip(state: State, thresholds: Thresholds, place: int, line: FilmLine) -> dict[str, Any]:
    """All that is known of a clip, and its film with the decisions on all of its spans."""
    (row,) = _chosen(state, thresholds, [place])
    near = state.verdict(thresholds).margins_of(place)
    found = [_score(row, name, thresholds, near) for name in judged()]
    selected, spans = state.verdict(thresholds).selected, state.table.of_film(row["source"])
    brothers = state.table.rows(spans, ("clip", "start", "end"))
    for brother, other in zip(brothers, spans, strict=True):
        brother["kept"] = bool(selected[other])
    frames = line.surroundings(row["start"], row["end"])
    return {
        **{name: row[name] for name in PLAIN},
        **_decision(state, thresholds, row, place),
        "scores": [score for score in found if score is not None],
        "motion_difference": row["motion_difference"],
        "captions_made": row["captions_made"] or [],
        "caption_from": row["caption_from"],
        "error": row["error"],
        "film": line.as_json() | {"spans": brothers},
        "around": [{"frame": frame, "at": line.info.time_of(frame)} for frame in frames],
        "preview_seconds": PREVIEW_SECONDS,
    }


def _score(
    row: Mapping[str, Any], name: str, thresholds: Thresholds, near: Mapping[str, float]
) -> dict[str, Any] | None:
    score, limit = judged()[name], getattr(thresholds, name)
    value = row.get(score.column)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    limits = [
        {"side": side, "limit": getattr(limit, side), "margin": near[f"{name}.{side}"]}
        for side in ("min", "max")
        if f"{name}.{side}" in near
    ]
    return {"field": name, "says": score.says, "value": value, "limits": limits}
