"""The footage through `storyreel curate`, and each of its filters held against the truth.

Three limits depend on the world and are set by as much clean footage of another seed, as a person would by looking at
histograms: how much text a clean clip may show (a digit is text, too), how well a caption must fit, and how alike two
pictures may be that are not one (one white digit on black is much like another).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reproductions.curation_footage import Dirt, FilmTruth, Shot, make_footage, picture_of
from storyreel.clip import Clip
from storyreel.curate.choose import choose
from storyreel.curate.export import Export
from storyreel.curate.lines import read_lines
from storyreel.curate.pipeline import CurationSettings as CurateSettings
from storyreel.curate.pipeline import curate
from storyreel.curate.refilter import refilter, saved_thresholds
from storyreel.curate.rows import read_rows, table_of
from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Duplicates, Thresholds
from storyreel.encoder import TextVideoEncoder
from storyreel.evaluate.benchmarks.moving_digits import share_json
from storyreel.evaluate.score import Share
from storyreel.parquet_file import write_parquet
from storyreel.storage import read_json, write_json

NEAR = 3  # frames that a found cut may be away from the true one
PASS = 0.95  # of clean clips pass each of the limits that clean footage sets
ALIKE = (0.08, 0.04, 0.02, 0.01)  # shares of bits of two hashes, the usual one first
WITHIN = 0.8  # of a span is in one true shot, or it has no truth of its own
CLEAN = Dirt(static=0, text=0, caption=0, copy=0, dissolves=0)


@dataclass(frozen=True)
class Curated:
    """A curated folder: all rows (decided), the thresholds, the truth of its films, and where the films lie."""

    folder: Path
    footage: Path
    rows: list[dict[str, Any]]
    thresholds: Thresholds
    truth: list[FilmTruth]

    @property
    def selected(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kept"]]


def curated(out: Path, films: int, shots: int, seed: int, encoder: TextVideoEncoder | None) -> Curated:
    """Make the footage, curate it; what is there of the same plan is not made again. Without encoder no similarity."""
    footage, folder, mark = out / "footage", out / "curated", out / "curated.json"
    truth = make_footage(footage, films, shots, seed)
    plan = {"films": films, "shots": shots, "seed": seed, "encoder": encoder.digest if encoder else ""}
    if not mark.is_file() or read_json(mark) != plan:
        limits = calibrated(out, films, shots, seed, encoder)
        _scored(footage, folder, limits, encoder)
        write_json(mark, plan)
    rows, thresholds = read_rows(folder / "curation" / "spans.parquet"), saved_thresholds(folder)
    choose(rows, thresholds)
    return Curated(folder, footage, rows, thresholds, truth)


def calibrated(out: Path, films: int, shots: int, seed: int, encoder: TextVideoEncoder | None) -> Thresholds:
    """The default thresholds, but for text, similarity and duplicates, which clean footage of another seed sets."""
    make_footage(out / "clean", films, max(shots, 8), seed + 1, CLEAN)
    rows = _scored(out / "clean", out / "clean-curated", Thresholds(), None)
    limits = Thresholds()
    text = [row["text_share"] for row in rows if row["text_share"] is not None]
    if text:
        limits = replace(limits, text=Limit(max=round(float(np.quantile(text, PASS)), 4)))
    if encoder is not None:
        right = similarities(encoder, pictures_of(rows), [row["caption"] for row in rows])
        limits = replace(limits, similarity=Limit(min=round(float(np.quantile(right, 1 - PASS)), 4)))
    shares = (Duplicates(share=share) for share in ALIKE)
    fitting = (alike for alike in shares if _lost_as_copies(rows, replace(limits, duplicates=alike)) <= 1 - PASS)
    return replace(limits, duplicates=next(fitting, Duplicates(share=ALIKE[-1])))


def _lost_as_copies(rows: Sequence[dict[str, Any]], limits: Thresholds) -> float:
    """The share of these spans, none of which shows again what another does, that go as duplicates."""
    judged = [dict(row) for row in rows]
    choose(judged, limits)
    return sum(reason["name"] == "duplicate" for row in judged for reason in row["reasons"]) / max(1, len(judged))


def _scored(footage: Path, folder: Path, limits: Thresholds, encoder: TextVideoEncoder | None) -> list[dict[str, Any]]:
    """`storyreel curate FOOTAGE -o FOLDER`, and with an encoder the column `similarity`, then `curate filter`."""
    settings = CurateSettings(export=Export(format="virtual"))
    curate([footage], folder, settings, replace(limits, similarity=Limit()))
    file = folder / "curation" / "spans.parquet"
    rows = read_rows(file)
    if encoder is not None:
        for row, score in zip(
            rows, similarities(encoder, pictures_of(rows), [r["caption"] for r in rows]), strict=True
        ):
            row["similarity"] = round(score, 6)
        write_parquet(file, table_of(rows))
        refilter(folder, lambda now: replace(now, similarity=limits.similarity))
        rows = read_rows(file)
    return rows


def similarities(encoder: TextVideoEncoder, clips: Sequence[Clip], captions: Sequence[str]) -> list[float]:
    """The cosine of each clip, as a whole, and its caption: a motion cannot be told from three single frames."""
    import torch

    texts = encoder.text_embeddings(list(captions)) if captions else []
    found = []
    for clip, text in zip(clips, texts, strict=True):
        frames = torch.from_numpy(clip.resample(10).frames.copy())
        found.append(float(encoder.video_embeddings(frames[None])[0] @ text))
    return found


def pictures_of(rows: Sequence[dict[str, Any]]) -> list[Clip]:
    """Each span's pictures without the set around them. A film is decoded once; rows in any order."""
    films: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        films.setdefault(row["source_path"], []).append(place)
    found: dict[int, Clip] = {}
    for path, places in films.items():
        film = Clip.open(path)
        frames = picture_of(film.frames)
        for place in places:
            cut = frames[rows[place]["start"] : rows[place]["end"]]
            found[place] = Clip(cut[:: max(1, len(cut) // 20)].copy(), film.fps)  # more than anybody looks at
    return [found[place] for place in range(len(rows))]


def measure_filters(made: Curated) -> dict[str, Any]:
    """Precision and recall of each filter against the truth, and what is still wrong in the curated set; JSON."""
    rows = [(row, shot_of(row, made.truth)) for row in made.rows]
    known = [(row, shot) for row, shot in rows if shot is not None]
    doc: dict[str, Any] = {
        "films": len(made.truth),
        "shots": sum(len(film.shots) for film in made.truth),
        "spans": len(made.rows),
        "kept": len(made.selected),
        "thresholds": {n: v for n, v in made.thresholds.as_json().items() if n in ("motion", "text", "similarity")},
        "cuts": measure_cuts(made),
        "reasons": dict(Counter(r["name"] for row in made.rows for r in row["reasons"])),
    }
    for name, reason, truth in (
        ("motion", ("motion.min", "frozen.max"), "static"),
        ("text", ("text.max",), "text"),
        ("similarity", ("similarity.min",), "caption"),
    ):
        judged = [(_has(row, reason), truth in shot.faults and _matters(shot, truth)) for row, shot in known]
        doc[name] = _precision_and_recall(judged)
    doc["duplicates"] = measure_duplicates(known)
    doc["left"] = what_is_left([(row, shot) for row, shot in rows if row["kept"]], made.truth)
    doc["dirt"] = what_is_left(rows, made.truth)
    return doc


def shot_of(row: dict[str, Any], truth: Sequence[FilmTruth]) -> Shot | None:
    """The true shot that a span shows, None where it is of several."""
    film = next(film for film in truth if film.name == Path(row["source_path"]).name)
    for shot in film.shots:
        if min(row["end"], shot.end) - max(row["start"], shot.start) >= WITHIN * (row["end"] - row["start"]):
            return shot
    return None


def holds_transition(row: dict[str, Any], truth: Sequence[FilmTruth]) -> bool:
    """Whether a span, frames [start, end), holds a blended frame or frames of two shots."""
    film = next(film for film in truth if film.name == Path(row["source_path"]).name)
    inside = any(row["start"] < cut < row["end"] for cut in film.cuts)
    return inside or any(a < row["end"] and b >= row["start"] for a, b in film.dissolves)


def measure_cuts(made: Curated) -> dict[str, Any]:
    """Of true transitions those that are found within NEAR frames, of found ones those that are true."""
    found = _transitions(made.folder)
    hit, counts, right = {"hard": 0, "dissolve": 0}, {"hard": 0, "dissolve": 0}, 0
    count = 0
    for film in made.truth:
        true = [(c, c, "hard") for c in film.cuts] + [(a, b, "dissolve") for a, b in film.dissolves]
        mine = found.get(film.name, [])
        for start, end, kind in true:
            counts[kind] += 1
            hit[kind] += any(a <= end + NEAR and b >= start - NEAR for a, b in mine)
        count += len(mine)
        right += sum(any(a <= end + NEAR and b >= start - NEAR for start, end, _ in true) for a, b in mine)
    spans = [row for row in made.rows if row["seconds"] >= 1]
    return {
        "recall_hard": share_json(Share(hit["hard"], counts["hard"])),
        "recall_dissolve": share_json(Share(hit["dissolve"], counts["dissolve"])),
        "precision": share_json(Share(right, count)),
        "spans_with_transition": share_json(Share(sum(holds_transition(r, made.truth) for r in spans), len(spans))),
    }


def _transitions(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """Film's name -> (first, last frame) of its transitions."""
    found = {}
    for line in read_lines(folder / "curation" / "manifest.jsonl"):
        file = folder / "curation" / "films" / f"{line['film']}.json"
        if line.get("error") is None and file.is_file():
            listed = json.loads(file.read_text())["transitions"]
            found[Path(line["name"]).name] = [(each["start"], each["end"]) for each in listed]
    return found


def measure_duplicates(known: Sequence[tuple[dict[str, Any], Shot]]) -> dict[str, Any]:
    """Of spans that nothing else rejects: all but one of each group of copies should be rejected, and nothing else."""
    free = [(row, shot) for row, shot in known if not [r for r in row["reasons"] if r["name"] != "duplicate"]]
    groups = Counter(shot.origin for _, shot in free)
    origin = {row["clip"]: shot.origin for row, shot in known}
    named = [(shot.origin, origin.get(row["duplicate_of"])) for row, shot in free if row["duplicate_of"]]
    right = sum(mine == theirs for mine, theirs in named)
    return {
        "precision": share_json(Share(right, len(named))),
        "recall": share_json(Share(right, sum(n - 1 for n in groups.values()))),
    }


def what_is_left(rows: Sequence[tuple[dict[str, Any], Shot | None]], truth: Sequence[FilmTruth]) -> dict[str, Any]:
    """Shares of spans that hold a transition, and that have each fault; copies: beyond the first of a kind."""
    shots = [shot for _, shot in rows if shot is not None]
    found = {"transition": share_json(Share(sum(holds_transition(row, truth) for row, _ in rows), len(rows)))}
    for fault in ("static", "text", "caption"):
        found[fault] = share_json(Share(sum(fault in s.faults and _matters(s, fault) for s in shots), len(shots)))
    again = len(shots) - len({shot.origin for shot in shots})
    return found | {"copies": share_json(Share(again, len(shots)))}


def _matters(shot: Shot, fault: str) -> bool:
    return fault != "caption" or shot.caption != shot.true_caption


def _has(row: dict[str, Any], names: Sequence[str]) -> bool:
    return any(reason["name"] in names for reason in row["reasons"])


def _precision_and_recall(judged: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    """(rejected, wrong in truth) of each -> precision and recall."""
    both = sum(answered and true for answered, true in judged)
    return {
        "precision": share_json(Share(both, sum(answered for answered, _ in judged))),
        "recall": share_json(Share(both, sum(true for _, true in judged))),
    }
