"""The row of a span: everything that is known of it. docs/curate.md lists the columns; the browse page reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from storyreel import timing
from storyreel.curate.scores import measured
from storyreel.curate.sources import FilmSource
from storyreel.names import bare
from storyreel.parquet_file import read_parquet
from storyreel.read_errors import one_line, printable

if TYPE_CHECKING:
    from storyreel.curate.footage import FilmInfo
    from storyreel.curate.measures import FilmMeasures

REASON = pa.struct([("name", pa.string()), ("value", pa.float64()), ("limit", pa.float64()), ("margin", pa.float64())])
REPEATED = 1000
DOUBT = "doubt"  # in place of the kind of a transition that may be none
RESOLUTIONS = ("motion_resolution", "text_resolution")  # "256x144": the size at which a score was measured
COLUMNS: dict[str, pa.DataType] = {
    "clip": pa.string(),  # id
    "source": pa.string(),  # name of the film
    "source_path": pa.string(),
    "source_digest": pa.string(),
    "start": pa.int64(),  # frames of the film, [start, end)
    "end": pa.int64(),
    "start_seconds": pa.float64(),
    "end_seconds": pa.float64(),
    "seconds": pa.float64(),
    "num_frames": pa.int32(),  # of the clip, at `fps`
    "fps": pa.float64(),
    "fps_exact": pa.string(),
    "start_exact": pa.string(),  # seconds from the first frame, a fraction
    "slack": pa.float64(),  # seconds that the time stamp of that frame may be off
    "skip": pa.int64(),  # frames to count from the beginning, for a film whose times cannot be trusted
    "shown": pa.list_(pa.int32()),  # frame of the span for each frame of the clip; none: one for one
    "width": pa.int32(),  # without bars
    "height": pa.int32(),
    "side": pa.int32(),
    "bars": pa.list_(pa.int32()),  # top, bottom, left, right
    "bars_share": pa.float64(),
    **{name: pa.float64() for name in measured()},
    **{name: pa.string() for name in RESOLUTIONS},
    "phash": pa.string(),
    "frame_hashes": pa.string(),
    "before": pa.string(),  # what the span begins after and ends with, see `beside`
    "after": pa.string(),
    "caption": pa.string(),
    "captions": pa.list_(pa.string()),
    "caption_from": pa.string(),
    "caption_words": pa.int32(),
    "captions_made": pa.list_(pa.string()),  # before anybody edited them
    "caption_made_from": pa.string(),
    "similarity": pa.float64(),
    "aesthetics": pa.float64(),
    "licence": pa.string(),
    "kept": pa.bool_(),
    "decided_by": pa.string(),  # thresholds or manual
    "reasons": pa.list_(REASON),
    "duplicate_of": pa.string(),
    "duplicate_share_of_bits": pa.float64(),
    "error": pa.string(),
    "split": pa.string(),
}


def clip_id(digest: str, start: int, end: int, config: str) -> str:
    """20 hex digits that depend on the film's bytes, the span and the configuration that found it."""
    return hashlib.sha256(f"{digest}:{start}:{end}:{config}".encode()).hexdigest()[:20]


def rows_of(measures: FilmMeasures, source: FilmSource, config: str) -> list[dict[str, Any]]:
    """One row for each span of a film, in order, undecided and without captions."""
    info = measures.info
    rows = []
    for span in measures.spans:
        scores: dict[str, Any] = dict(span.scores)
        top, bottom, left, right = bars = [int(b) for b in scores.get("bars") or (0, 0, 0, 0)]
        width, height = info.width - left - right, info.height - top - bottom
        shown, fps = steady_frames(info, span.start, span.end)
        begins, ends = round(info.time_of(span.start), 6), round(info.time_of(span.end), 6)
        before, after = beside(measures, span.start, span.end)
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {
            "clip": clip_id(info.digest, span.start, span.end, config),
            "source": source.name,
            "source_path": _text(source.path),
            "source_digest": info.digest,
            "start": span.start,
            "end": span.end,
            "start_seconds": begins,
            "end_seconds": ends,
            "seconds": ends - begins,
            "num_frames": len(shown),
            "fps": float(fps),
            "fps_exact": str(fps),
            "start_exact": str(_exact(info, span.start)),
            "slack": _slack(info, span.start),
            "skip": None if getattr(info, "seekable", True) else span.start,
            "shown": None if shown == list(range(span.end - span.start)) else shown,
            "width": width,
            "height": height,
            "side": min(width, height),
            "bars": bars,
            "bars_share": 1 - width * height / (info.width * info.height),
            "phash": scores.get("phash"),
            "frame_hashes": scores.get("frame_hashes"),
            "before": before,
            "after": after,
            "licence": source.licence,
        }
        row |= {name: _number(scores.get(name)) for name in measured()}
        row |= {name: scores.get(name) for name in RESOLUTIONS}
        row |= carried_columns(source.carried)
        rows.append(row)
    return rows


def beside(measures: FilmMeasures, start: int, end: int) -> tuple[str | None, str | None]:
    """What the frames [start, end) of a film begin after and end with: the kind of the nearest transition, "doubt"
    where it is not sure to be one, None at the film's beginning and end.

    A hard cut between frames k - 1 and k starts and ends at k, where one span ends and the next begins.
    """
    edges = [(t.start, t.end, str(t.kind)) for t in measures.transitions]
    edges = sorted(edges + [(t.start, t.end, DOUBT) for t in measures.doubts])
    before = next((kind for first, _, kind in reversed(edges) if first <= start), None)
    return before, next((kind for _, last, kind in edges if last >= end), None)


def steady_frames(info: FilmInfo, start: int, end: int) -> tuple[list[int], Fraction]:
    """(frame of the span, counted from its start, for each frame of the clip; frames a second of the clip).

    Frames of a steady film are taken one for one; those of a variable rate are shown as `timing.steady_rate` says,
    unless their times ask for more than a thousand frames for each that is there.
    """
    plain = list(range(end - start))
    if info.times is None:
        return plain, info.fps
    starts = [round(info.time_of(frame) * 1_000_000) for frame in range(start, end + 1)]
    if any(b <= a for a, b in pairwise(starts)):
        return plain, info.fps
    microsecond = Fraction(1, 1_000_000)
    count, fps = timing.steady_rate(starts[:-1], starts[-1], microsecond, {}, info.fps)
    if count > REPEATED * len(plain):
        return plain, info.fps
    return timing.on_screen(starts[:-1], microsecond, fps, count), fps


def _exact(info: FilmInfo, frame: int) -> Fraction:
    if info.times is None:
        return frame / info.fps
    return Fraction(info.time_of(frame)).limit_denominator(1_000_000)


def _slack(info: FilmInfo, frame: int) -> float:
    """Half of the time to the frame before: nearer to `frame` than to it."""
    if info.times is None or frame == 0:
        return float(1 / info.fps / 2)
    return max(0.0, (info.time_of(frame) - info.time_of(frame - 1)) / 2)


def carried_columns(carried: Mapping[str, str]) -> dict[str, str]:
    """The manifest's own columns; `split` is the dataset's, and a name that a column here has gets `footage_`."""
    return {
        (name if name == "split" or (name not in COLUMNS and name != "file_name") else f"footage_{name}"): _text(value)
        for name, value in carried.items()
    }


def number_copies(rows: list[dict[str, Any]]) -> None:
    """Copies of one film have the same spans and so the same ids: the second one's get -2, and so on."""
    seen: dict[str, int] = {}
    for row in rows:
        count = seen[row["clip"]] = seen.get(row["clip"], 0) + 1
        if count > 1:
            row["clip"] = f"{row['clip']}-{count}"


def table_of(rows: Sequence[Mapping[str, Any]], more: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """Known columns in their types and order, then `more`, then the carried ones by name, as text."""
    kinds = {**(more or {}), **COLUMNS}
    carried = sorted({name for row in rows for name in row} - set(kinds))
    columns = {name: _column(rows, name, kind) for name, kind in kinds.items()}
    return pa.table(columns | {name: _column(rows, name, pa.string()) for name in carried})


def _column(rows: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    """ValueError names a column that holds something else, as one of a table from elsewhere may."""
    try:
        return pa.array([row.get(name) for row in rows], kind)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
        raise ValueError(f"column {name!r}: expected {kind}: {one_line(error)}") from None


def read_rows(file: Path) -> list[dict[str, Any]]:
    """ValueError: not there, not readable, or with ids of clips that could not be file names."""
    if not file.is_file():
        raise ValueError(f"{file}: not there; curate footage into this folder first")
    rows = read_parquet(file).to_pylist()
    for number, row in enumerate(rows):
        bare(row.get("clip"), f"{file}, row {number}: clip")
    return rows


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text)
