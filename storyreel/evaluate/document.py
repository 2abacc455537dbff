"""report.json: what an evaluation found, for programs, for the page that people look at, and for comparing later.

The schema stands in docs/evaluate.md. NaN and infinity are null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate.evaluation import Evaluation
from storyreel.evaluate.metric import Measurement
from storyreel.evaluate.scores import clean

VERSION, KIND = 1, "evaluation"
BINS, POINTS = 20, 500


def document_of(done: Evaluation, command: str = "") -> dict[str, Any]:
    """The whole document; JSON can say all of it."""
    from storyreel.clip_metadata import made_by

    real = None
    if done.real_clips is not None:
        read = done.real.n or len(done.real_clips.sources)
        real = {"path": str(done.real_clips.path), "n": read, "digest": done.real_clips.digest}
        real["unreadable"] = done.real.unreadable
    extractors = {i.extractor.name: i.extractor for i in done.plan.items if i.extractor is not None}
    names = ("digest", "trusted", "kind", "dim", "preprocessing")
    counted = done.counted
    return {
        "storyreel": VERSION,
        "kind": KIND,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": made_by(),
        "command": command,
        "name": done.clips.path.resolve().name,
        "clips": {
            "path": str(done.clips.path),
            "n": counted.n,
            "found": counted.found,
            "unreadable": counted.unreadable,
            "dropped": counted.dropped,
        },
        "real": real,
        "protocol": done.rules.as_json(),
        "extractors": {name: {key: getattr(e, key) for key in names} for name, e in extractors.items()},
        "scores": [m.score.as_json() for m in done.measurements],
        "skipped": done.plan.skipped,
        "warnings": _warnings(done),
        "per_clip": _per_clip(done),
        "judge": done.judge_report.as_json() if done.judge_report else None,
        "distributions": {m.score.name: d for m in done.measurements if (d := distribution(m)) is not None},
        "map": _map(done),
    }


def _warnings(done: Evaluation) -> list[str]:
    warnings = list(done.warnings)
    for what, many in (("cannot be read", done.counted.unreadable), ("do not count", done.counted.dropped)):
        if many:
            warnings.append(f"{len(many)} of {done.counted.found} clips {what}, the first: {many[0]['error']}")
    untrusted = [m.score.name for m in done.measurements if not m.score.trusted]
    if untrusted:
        warnings.append(f"{', '.join(untrusted)}: made with random weights; the figures mean nothing")
    return warnings


def _per_clip(done: Evaluation) -> list[dict[str, Any]]:
    each = []
    for i, clip in enumerate(done.clip_rows.clips):
        scores = {m.score.name: clean(float(m.per_clip[i])) for m in done.measurements if m.per_clip}
        seen = done.judged.seen[i] if done.judged else {}
        file = Path(clip["file"])
        inside = file.is_relative_to(done.clips.path)
        each.append(
            {
                "file": str(file.relative_to(done.clips.path) if inside else file),
                "prompt": clip["prompt"],
                "seed": clip["seed"],
                "scores": scores,
                "wanted": {k: v for k, v in clip["wanted"].items() if k != "centres"},
                "seen": {"things": seen} if isinstance(seen, list) else dict(seen),
            }
        )
    return each


def distribution(measurement: Measurement) -> dict[str, Any] | None:
    """Counts in 20 bins over what made and real clips show together; None without values of single clips."""
    made, real = (finite(v) for v in (measurement.per_clip, measurement.real_values))
    if not len(made):
        return None
    edges = np.histogram_bin_edges(np.concatenate([made, real]), BINS)
    counts = np.histogram(made, edges)[0].tolist()
    return {
        "edges": [clean(float(e)) for e in edges],
        "counts": counts,
        "real_counts": np.histogram(real, edges)[0].tolist() if len(real) else None,
    }


def finite(values: Sequence[float]) -> np.ndarray:
    x = np.asarray(values, np.float64)
    return x[np.isfinite(x)]


def _map(done: Evaluation) -> dict[str, Any] | None:
    """The clips and up to 500 real ones on the two main axes of their features, real ones deciding the axes."""
    item = next((i for i in done.plan.named("fvd", "kvd") if i.label in done.real.rows), None)
    if item is None or item.extractor is None:
        return None
    made, real = done.rows[item.label].double(), done.real.rows[item.label].double()[:POINTS]
    if len(real) < 3:
        return None
    axes = _axes(real)
    places = [((x - real.mean(0)) @ axes).tolist() for x in (made, real)]
    return {"extractor": item.extractor.name, "clips": clean(places[0]), "real": clean(places[1])}


def _axes(x: Tensor) -> Tensor:
    """(d, 2), each with its largest entry above 0, so that the picture does not flip from run to run."""
    axes = torch.linalg.svd(x - x.mean(0), full_matrices=False)[2][:2].T
    return axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
