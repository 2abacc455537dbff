"""Any table of videos: a row a clip, in .csv, .tsv, .jsonl, .parquet, or a .txt of "ID START END" lines.

A layout says which column is what. Videos (or pictures) are found by the path of a row below their folder, or by their
name without suffix in any subfolder; where a clip is there as its dataset's own tool cuts it, that is taken. The column
of paths may hold the pictures themselves (`table_pictures`).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from storyreel.data.imports.entries import (
    PICTURES,
    SUFFIXES,
    AnnotatedClip,
    Annotation,
    Box,
    ClipCut,
    Refused,
    digest_of_files,
    seconds_of,
    split_of,
    videos_in,
)
from storyreel.data.imports.folder import Imported, write_import
from storyreel.data.imports.table_pictures import content_of
from storyreel.json_file import parse_json
from storyreel.names import stays_inside
from storyreel.whole_file import lines_of, opened_text

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # of a folder
Row = Mapping[str, Any]


@dataclass(frozen=True)
class ManifestLayout:
    """columns: meaning -> the column that has it. cut: from a row, what a file that is cut already may be called.

    clips: the rows of the clips of a row, where it has several. box: the part of the picture that a row is about, which
    is there alone in a file that is cut already; ValueError: no such part.
    Where a row has a `rate`, start and end are numbers of frames at that rate.
    """

    columns: Mapping[str, str]
    cut: Callable[[Row], str | None] = lambda row: None
    clips: Callable[[Row], list[Row]] | None = None
    box: Callable[[Row], Box | None] = lambda row: None


def _kinetics(row: Row) -> str | None:
    start, end = _seconds(row.get("time_start")), _seconds(row.get("time_end"))
    return None if start is None or end is None else f"{row.get('youtube_id')}_{int(start):06d}_{int(end):06d}"


def _taichi(row: Row) -> str | None:
    try:
        name = str(row["video_id"]).split(".mp4")[0]
        return f"{name}#{int(row['start']):06d}#{int(row['end']):06d}"
    except (KeyError, TypeError, ValueError):
        return None


def _taichi_box(row: Row) -> Box | None:
    """ "bbox" is LEFT-TOP-RIGHT-BOTTOM in pixels of a video of `width` times `height`."""
    if row.get("bbox") in (None, ""):
        return None
    text, ends = f"bbox {row['bbox']!r}"[:80], (row.get("width"), row.get("height"))
    width, height = (_seconds(end) for end in ends)
    parts = [_seconds(part) for part in str(row["bbox"]).split("-")]
    sides = [part for part in parts if part is not None]
    if not width or not height or len(sides) != 4 or len(parts) != 4:
        raise ValueError(f"{text} of {ends[0]}x{ends[1]}: expected LEFT-TOP-RIGHT-BOTTOM, and a width and a height")
    left, top, right, bottom = (min(1.0, side / of) for side, of in zip(sides, (width, height) * 2, strict=True))
    if right <= left or bottom <= top:
        raise ValueError(f"{text}: expected a right and a bottom beyond left and top")
    return left, top, right, bottom


def _hd_vila(row: Row) -> list[Row]:
    """A row a clip: {"video_id": ..., "clip": [{"clip_id": ..., "span": ["00:00:19.2", "00:00:22.3"]}]}."""
    clips = row.get("clip")
    made = []
    for clip in clips if isinstance(clips, list) else ():
        own = clip if isinstance(clip, dict) else {}
        span = own.get("span")
        start, end = span if isinstance(span, (list, tuple)) and len(span) == 2 else (None, None)
        made.append({"video_id": row.get("video_id"), "caption": row.get("caption"), **own, "start": start, "end": end})
    return made


LAYOUTS = {
    "webvid": ManifestLayout({"path": "videoid", "caption": "name"}),
    "kinetics": ManifestLayout(
        {"path": "youtube_id", "caption": "label", "start": "time_start", "end": "time_end", "split": "split"},
        _kinetics,
    ),
    "hd-vila": ManifestLayout(
        {"path": "video_id", "caption": "caption", "start": "start", "end": "end"},
        lambda row: str(row.get("clip_id") or "").removesuffix(".mp4") or None,
        _hd_vila,
    ),
    "taichi": ManifestLayout(
        {"path": "video_id", "start": "start", "end": "end", "split": "partition", "rate": "fps"},
        _taichi,
        box=_taichi_box,
    ),
    "youtube-driving": ManifestLayout({"path": "id", "start": "start", "end": "end"}),
    "laion": ManifestLayout({"path": "key", "caption": "caption"}),
}


def import_manifest(
    file: Path, videos: Path | None, out: Path, layout: ManifestLayout, *, split: str = "",
    shape: ClipCut | None = None, workers: int | None = None,
) -> Imported:  # fmt: skip
    """Write the dataset folder `out`, a clip a row. file: a table, or a folder of some. videos: their folder;
    None: the table holds pictures. split: of all rows, where the table does not say.

    Missing and broken videos and rows are left out and listed. ValueError, OSError: no such table, no such column,
    nothing left.
    """
    if "path" not in layout.columns:
        raise ValueError("--columns: expected path=COLUMN, the column that names the videos")
    tables = tables_of(file)
    plan = {"import": "manifest", "file": digest_of_files(tables), "columns": dict(layout.columns), "split": split}
    annotation = read(file, videos, layout, split)
    return write_import(out, annotation, shape or ClipCut(), plan=plan, workers=workers, inputs=[file, videos])


def read(file: Path, videos: Path | None, layout: ManifestLayout, split: str = "") -> Annotation:
    """What the table asks for, with the files of the folder `videos`."""
    there = videos_in(videos, (*SUFFIXES, *PICTURES)) if videos else {}
    entries: list[AnnotatedClip] = []
    refused: list[Refused] = []
    index = 0
    for table in tables_of(file):
        for place, (where, row) in enumerate(rows_of(table, layout.columns["path"], refused)):
            for number, each in enumerate(layout.clips(row) if layout.clips else [row]):
                name = f"{where}, clip {number + 1}" if layout.clips else where
                values = {meaning: each.get(column) for meaning, column in layout.columns.items()}
                values["path"] = content_of(values["path"])
                try:
                    if isinstance(values["path"], bytes):
                        column = layout.columns["path"]
                        made = AnnotatedClip(
                            index=index, name=name, file=table, part=place, column=column, row={"id": name}
                        )
                    else:
                        made = replace(_entry(each, values, layout, videos, there), index=index, name=name)
                    entries.append(
                        replace(made, captions=_captions(values), split=split_of(values.get("split"), split or "train"))
                    )
                except ValueError as error:
                    refused.append((name, str(error)))
                index += 1
    return Annotation(entries, refused)


def tables_of(path: Path) -> list[Path]:
    """A table, or those of a folder in the order of their names. ValueError: a folder without one."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in TABLES and not each.name.startswith("."))
    if not found:
        raise ValueError(f"{path}: no tables in it ({' '.join(TABLES)})")
    return found


def _captions(values: Row) -> tuple[str, ...]:
    caption = " ".join(str(values["caption"]).split()) if values.get("caption") not in (None, "") else ""
    return (caption,) if caption else ()


def _entry(
    row: Row, values: Row, layout: ManifestLayout, videos: Path | None, there: Mapping[str, Path]
) -> AnnotatedClip:
    """The entry of a row by the file that it names. ValueError: why there is none."""
    column = layout.columns["path"]
    if isinstance(values["path"], (dict, list)):
        raise ValueError(f"{column}: expected the name of a file, or a picture, got {type(values['path']).__name__}")
    path = "" if values["path"] is None else str(values["path"])
    if not path:
        raise ValueError(f"has no {column}")
    if videos is None:
        raise ValueError(f"{column}: the table names files; expected --videos, their folder")
    cut = layout.cut(row)
    known, stem = (
        there.get(cut or ""),
        re.sub(r"\.(mp4|webm|mkv|mov|avi|m4v|jpe?g|png|webp)$", "", Path(path).name, flags=re.I),
    )
    file = known or there.get(stem)
    if file is None or not stays_inside(path):
        raise ValueError(f"no such video in {videos}: {path[:80]}")
    own = there.get(stem) if "/" not in path else next(
        (f for f in (videos / path, *(videos / f"{path}{s}" for s in SUFFIXES)) if f.is_file()), file
    )  # fmt: skip
    span = None if known else _span(values)
    return AnnotatedClip(
        file=known or own or file,
        span=span,
        box=None if known else layout.box(row),
        row={"id": path, **({"source_start": span[0], "source_end": span[1]} if span else {})},
    )


def _span(values: Mapping[str, Any]) -> tuple[float, float] | None:
    """Seconds from and to; None where the table has no times. ValueError: no times of which the end is later."""
    if "start" not in values and "end" not in values:
        return None
    rate = _seconds(values.get("rate")) or 1.0
    start, end = _seconds(values.get("start")), _seconds(values.get("end"))
    if start is None or end is None or end <= start:
        raise ValueError(f"times {values.get('start')!r} to {values.get('end')!r}: expected seconds, the end later")
    return start / rate, end / rate


def rows_of(file: Path, needed: str, refused: list[Refused]) -> Iterator[tuple[str, Row]]:
    """(where, row) for each row of a table. ValueError: another kind of file, or no column `needed`."""
    kind = file.suffix.lower()
    if kind in (".csv", ".tsv"):
        with opened_text(file) as opened:
            reader = csv.DictReader(opened, delimiter="," if kind == ".csv" else "\t")
            try:
                _check(file, needed, reader.fieldnames or [])
                yield from ((f"{file.name}, line {reader.line_num}", row) for row in reader)
            except csv.Error as error:
                refused.append((f"{file.name}, line {reader.line_num}", f"is not CSV: {error}"))
    elif kind in (".jsonl", ".json"):
        yield from _json_rows(file, needed, refused)
    elif kind == ".parquet":
        from storyreel.parquet_file import read_parquet

        table = read_parquet(file)
        _check(file, needed, table.column_names)
        for start in range(0, table.num_rows, 1000):
            for number, row in enumerate(table.slice(start, 1000).to_pylist(), start + 1):
                yield f"{file.name}, row {number}", row
    elif kind == ".txt":
        for number, line in enumerate(lines_of(file)):
            parts = line.replace(",", " ").split()
            if parts:
                yield f"{file.name}, line {number + 1}", dict(zip((needed, "start", "end"), parts, strict=False))
    else:
        raise ValueError(f"{file}: expected a table, .csv, .tsv, .jsonl, .parquet or .txt")


def _json_rows(file: Path, needed: str, refused: list[Refused]) -> Iterator[tuple[str, Row]]:
    seen = False
    for number, line in enumerate(lines_of(file)):
        where = f"{file.name}, line {number + 1}"
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            refused.append((where, str(error)))
            continue
        if not isinstance(row, dict):
            refused.append((where, "expected a JSON object"))
            continue
        if not seen:
            _check(file, needed, list(row))
        seen = True
        yield where, row


def _check(file: Path, needed: str, names: Any) -> None:
    if needed not in names:
        got = " ".join(", ".join(map(str, names)).split())[:100] or "none"
        raise ValueError(f"{file}: expected a column {json.dumps(needed)} (--columns says which is what), got {got}")


def _seconds(value: Any) -> float | None:
    """A time: seconds, or hours, minutes and seconds between colons."""
    if isinstance(value, str):
        parts = value.strip().split(":")
        if len(parts) > 3 or not all(re.fullmatch(r"\d{1,9}(\.\d{1,9})?", part) for part in parts):
            return None
        value = sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))
    return seconds_of(value)
