"""What a video will take, from the videos that its model made in this folder: nothing is guessed from its size."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from statistics import median
from typing import Any

from storyreel.serve.objects import Estimate
from storyreel.serve.served import Served
from storyreel.serve.table import VideoRow, VideoTable

SAMPLE = 20  # videos that are looked at, the newest
COSTLY = (  # settings that change the cost of a frame
    "steps", "candidates", "stage", "size", "precision", "guidance", "layerwise", "step_cache",
)  # fmt: skip
MAX_WAITING = 200  # videos of the queue that are summed up


def estimate(table: VideoTable, model: Served, settings: Mapping[str, Any], since: float) -> Estimate:
    """seconds, memory (bytes), loading (seconds, 0 where the model is loaded) of a video; None where nothing is known.

    settings: as the table keeps them. since: when the server began. measured: how many videos say so. waiting: how many
    videos come before it.
    """
    made = _made(table, model.name)
    like = [each for each in made if _costly(each.settings) == _costly(settings)]
    per_frame = [_cost(each)["seconds"] / _cost(each)["frames"] for each in like or made]
    frames = _frames(model, settings)
    loaded = any((each.completed_at or 0) > since for each in made)
    loads = [_cost(each)["loading"] for each in made if _cost(each)["loading"] > 0.5]
    waiting = table.list("status IN ('queued', 'in_progress')", limit=MAX_WAITING)
    return {
        "seconds": round(median(per_frame) * frames, 2) if per_frame and frames else None,
        "memory": max((_cost(each)["memory"] for each in like or made), default=None),
        "loading": 0.0 if loaded else round(median(loads), 2) if loads else None,
        "measured": len(like or made),
        "waiting": len(waiting),
    }


def _made(table: VideoTable, model: str) -> list[VideoRow]:
    where = "model = ? AND status = 'completed' AND json_extract(result, '$.cost.seconds') > 0"
    found = table.list(where, [model], limit=SAMPLE)
    return [each for each in found if _cost(each)["frames"] > 0]


def _cost(video: VideoRow) -> dict[str, float]:
    result = video.result or {}
    return {**result.get("cost", {}), "frames": result.get("new_frames", 0)}


def _costly(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in COSTLY if name in settings}


def _frames(model: Served, settings: Mapping[str, Any]) -> int | None:
    """How many frames are to be made."""
    able = model.abilities
    fps = Fraction(settings.get("fps") or able.fps or 8)
    if settings.get("story"):
        return round(sum(seconds for _, seconds in settings["story"]) * float(fps))
    if settings.get("seconds") is not None:
        return max(1, round(settings["seconds"] * fps))
    return settings.get("frames") or able.frames
