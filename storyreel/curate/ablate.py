"""What each threshold does: how much would be kept over a sweep, which clips flip, how the filters overlap.

Everything is computed from stored scores. `write_subsets` makes the folders for a training ablation, as in Stable
Video Diffusion's LVD-10M against LVD-10M-F: everything, the curated set, a random set of its size, and the curated set
without each filter in turn.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.csv_file import write_rows
from storyreel.curate import charts
from storyreel.curate.choose import choose
from storyreel.curate.edits import read_edits
from storyreel.curate.export import write_span
from storyreel.curate.refilter import need_curated, saved_thresholds
from storyreel.curate.rows import read_rows, table_of
from storyreel.curate.scores import judged
from storyreel.curate.thresholds import Duplicates, Thresholds, columns_of, margins
from storyreel.curate.write import FOR_DATASET
from storyreel.ownership import Owned, claim
from storyreel.parquet_file import write_parquet
from storyreel.storage import write_text

STEPS = 33  # values of a sweep
NEAREST = 50  # clips that are listed on each side of a limit


@dataclass(frozen=True)
class Sweep:
    """One limit, such as "motion.min": the spans that would be kept at each of `values`, all else as it is."""

    name: str
    now: float | None
    values: np.ndarray
    selected: np.ndarray
    scores: np.ndarray  # of all spans that have one


def sweeps(rows: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> list[Sweep]:
    """A sweep over every score that is there, for the limits that are set (or, where none is, for `min`).

    People's decisions and duplicates stay as they are now.
    """
    others, columns = _blockers(rows), columns_of(rows)
    found = []
    for field, score in judged().items():
        values = columns[score.column]
        scores = values[~np.isnan(values)]
        if not len(scores) or scores.min() == scores.max():
            continue
        limit = getattr(thresholds, field)
        for side in [s for s in ("min", "max") if getattr(limit, s) is not None] or ["min"]:
            name, now = f"{field}.{side}", getattr(limit, side)
            free = np.array([not (blocked - {name}) for blocked in others])
            excused = np.isnan(values)
            if side == "min" and score.excused_by and limit.difference_min is not None:
                excused |= columns[score.excused_by] >= limit.difference_min
            steps = np.unique(np.quantile(scores, np.linspace(0, 1, STEPS)))
            steps = np.unique(np.append(steps, now)) if now is not None else steps
            passes = [excused | ((values >= v) if side == "min" else (values <= v)) for v in steps]
            found.append(Sweep(name, now, steps, np.array([int((free & p).sum()) for p in passes]), scores))
    return found


def _blockers(rows: Sequence[Mapping[str, Any]]) -> list[set[str]]:
    """What keeps each row out now; a person's word counts as the only thing."""
    found = []
    for row in rows:
        if row["decided_by"] == "manual":
            found.append(set() if row["kept"] else {"manual"})
        else:
            found.append({reason["name"] for reason in row["reasons"]})
    return found


def overlap(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(reasons, int (n, n) how many spans two of them reject together, int (n,) how many each rejects alone)."""
    blocked = _blockers(rows)
    names = sorted({name for b in blocked for name in b})
    table = np.array([[name in b for name in names] for b in blocked], int).reshape(len(blocked), len(names))
    alone = table[table.sum(1) == 1].sum(0) if len(names) else np.zeros(0, int)
    return names, table.T @ table, alone


def flips(rows: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> list[dict[str, Any]]:
    """The clips nearest to each limit, on both sides: those that a small change of it decides."""
    near: dict[str, list[tuple[float, str, Mapping[str, Any]]]] = {}
    for row, blocked in zip(rows, _blockers(rows), strict=True):
        if row["decided_by"] == "manual":
            continue
        for name, margin in margins(row, thresholds).items():
            if not blocked - {name}:  # this limit alone decides
                near.setdefault(name, []).append((margin, row["clip"], row))
    found = []
    for name in sorted(near):
        good = sorted((n for n in near[name] if n[0] >= 0), key=lambda n: n[:2])[:NEAREST]
        bad = sorted((n for n in near[name] if n[0] < 0), key=lambda n: (-n[0], n[1]))[:NEAREST]
        for margin, clip, row in [*reversed(bad), *good]:
            score = row[judged()[name.partition(".")[0]].column]
            found.append({"limit": name, "clip": clip, "kept": row["kept"], "score": score, "margin": margin})
    return found


def ablate(dataset: str | Path, out: str | Path) -> dict[str, Any]:
    """Write tables (CSV), pictures (SVG), a README.md that shows them, and the subsets; gives the figures.

    ValueError: not a curated folder, or `out` is not empty and was not made here.
    """
    dataset, out = Path(dataset), Path(out)
    need_curated(dataset)
    thresholds, rows = saved_thresholds(dataset), read_rows(dataset / "curation" / "spans.parquet")
    edits = read_edits(dataset)
    choose(rows, thresholds, edits)
    with claim(out, "ablation", inputs=[dataset]) as folder:
        return _write_ablation(folder, rows, thresholds, edits)


def _write_ablation(
    folder: Owned, rows: list[dict[str, Any]], thresholds: Thresholds, edits: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    out, found = folder.path, sweeps(rows, thresholds)
    names, together, alone = overlap(rows)
    for sweep in found:
        write_text(
            out / f"{sweep.name}.svg", charts.sweep(sweep.name, sweep.values, sweep.selected, sweep.now, sweep.scores)
        )
    write_text(out / "overlap.svg", charts.matrix(names, together))
    table = [
        {"limit": s.name, "value": v, "kept": k, "share": k / len(rows), "now": v == s.now}
        for s in found
        for v, k in zip(s.values.tolist(), s.selected.tolist(), strict=True)
    ]
    write_text(out / "sweeps.csv", _csv(table))
    write_text(out / "flips.csv", _csv(flips(rows, thresholds)))
    subsets = write_subsets(rows, thresholds, edits, out / "subsets")
    folder.write_card("README.md", _page(rows, found, names, together, alone, subsets))
    return {
        "spans": len(rows),
        "kept": sum(r["kept"] for r in rows),
        "limits": [s.name for s in found],
        "subsets": subsets,
    }


def write_subsets(
    rows: list[dict[str, Any]], thresholds: Thresholds, edits: Mapping[str, Mapping[str, Any]], out: Path
) -> dict[str, int]:
    """Dataset folders of virtual clips: all, curated, random, and without-X for each filter X. Name -> clips."""
    sets = {"all": [r for r in rows if not r["error"]], "curated": [r for r in rows if r["kept"]]}
    drawn = sorted(sets["all"], key=lambda row: hashlib.sha256(row["clip"].encode()).hexdigest())
    sets["random"] = drawn[: len(sets["curated"])]
    for f in fields(thresholds):
        off = judged()[f.name].off if f.name in judged() else Duplicates(share=None)
        if getattr(thresholds, f.name) == off:
            continue
        without = [dict(row) for row in rows]
        choose(without, replace(thresholds, **{f.name: off}), edits)
        selected = [row for row in without if row["kept"]]
        if len(selected) != len(sets["curated"]):
            sets[f"without-{f.name}"] = selected
    for name, chosen in sets.items():
        _write_subset(chosen, out / name)
    return {name: len(chosen) for name, chosen in sets.items()}


def _write_subset(rows: Sequence[dict[str, Any]], out: Path) -> None:
    (out / "clips").mkdir(parents=True, exist_ok=True)
    written = []
    for row in rows:
        name = f"clips/{row['clip']}.span"
        write_span(row, str(out / name))
        written.append({**row, "file_name": name, "context": 0, "split": row.get("split") or "train"})
    write_parquet(out / "metadata.parquet", table_of(written, FOR_DATASET))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        plain = ({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
        write_rows(text, list(rows[0]), plain)
    return text.getvalue()


def _page(
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Sweep],
    names: Sequence[str],
    together: np.ndarray,
    alone: np.ndarray,
    subsets: Mapping[str, int],
) -> str:
    num_selected = sum(row["kept"] for row in rows)
    lines = ["# What each threshold does", "", f"{num_selected} of {len(rows)} spans are kept.", ""]
    lines += ["| limit | now | kept without it | rejects | alone |", "|---|---|---|---|---|"]
    for sweep in found:
        at = names.index(sweep.name) if sweep.name in names else None
        rejects, only = (int(together[at, at]), int(alone[at])) if at is not None else (0, 0)
        now = "none" if sweep.now is None else f"{sweep.now:g}"
        lines.append(f"| {sweep.name} | {now} | {num_selected + only} | {rejects} | {only} |")
    lines += ["", "## Overlap", "", "![overlap](overlap.svg)", "", "## Sweeps", ""]
    lines += [f"![{sweep.name}]({sweep.name}.svg)" for sweep in found]
    lines += ["", "## Subsets for a training ablation", "", "| folder | clips |", "|---|---|"]
    lines += [f"| subsets/{name} | {count} |" for name, count in subsets.items()]
    return "\n".join(lines) + "\n"
