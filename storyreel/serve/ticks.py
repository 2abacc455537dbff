"""What a judge of a model's world sees in a clip of what its prompt says: a tick an attribute.

The judge is the one that results are reported with (`storyreel evaluate --judge`). It is not the one that ranks
candidates, so a clip that won the ranking may still get a cross.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from storyreel.clip import Clip
from storyreel.evaluate.judge_registry import document_of, judges
from storyreel.generate.open_attributes import trained_world

KIND = "attributes"  # of judges that name one value of each attribute

Ticks = list[dict[str, Any]]
"""A dict each: attribute, expected, seen (values of the world), right."""


def judge_of(info: Mapping[str, Any]) -> str | None:
    """The name of the judge of the world that a model was trained on, from its `model.json`; None where there is none.

    The world must have a reader of prompts, and the judge must say one value of each attribute."""
    world = trained_world(info)
    found = judges().get(world.name) if world is not None and world.read is not None else None
    return world.name if world is not None and found is not None and _classes(found) else None


def judged_by(info: Mapping[str, Any]) -> Collection[str]:
    """The attributes that the judge of a model's world sees; none where there is no judge."""
    name = judge_of(info)
    return () if name is None else _classes(judges()[name]).keys()


def expected_of(info: Mapping[str, Any], prompt: str) -> dict[str, str]:
    """Attribute -> value of what a prompt says and the judge of the model's world can see."""
    world, name = trained_world(info), judge_of(info)
    if name is None or world is None or world.read is None:
        return {}
    classes = _classes(judges()[name])
    return {name: value for name, value in world.read(prompt).items() if value in classes.get(name, ())}


def ticks_of(info: Mapping[str, Any], prompt: str, clip: Clip) -> Ticks:
    """A tick or a cross for each attribute that the prompt says; [] where nobody can judge.

    A clip that is longer than what the judge looks at is judged piece by piece; all pieces must be right.
    """
    expected, name = expected_of(info, prompt), judge_of(info)
    if not expected or name is None:
        return []
    judge = _judge(name)
    seen = list(judge.read(_pieces(clip, judge.config.frames)))
    return [_tick(name, value, [piece[name] for piece in seen]) for name, value in expected.items()]


def share_right(ticks: Ticks) -> float | None:
    """How much of what was said is right, 0 to 1; None where nothing was judged."""
    return sum(tick["right"] for tick in ticks) / len(ticks) if ticks else None


def _tick(name: str, value: str, seen: list[str]) -> dict[str, Any]:
    wrong = [each for each in seen if each != value]
    return {"attribute": name, "expected": value, "seen": wrong[0] if wrong else value, "right": not wrong}


def _pieces(clip: Clip, frames: int) -> list[Clip]:
    """Pieces of so many frames; the last one ends with the clip. A short clip is one piece."""
    if len(clip) <= frames:
        return [clip]
    starts = [*range(0, len(clip) - frames, frames), len(clip) - frames]
    return [clip.replace(frames=clip.frames[start : start + frames]) for start in starts]


@lru_cache(8)
def _classes(folder: Path) -> Mapping[str, Sequence[str]]:
    """Attribute -> values that a judge can see; {} of a judge of another kind."""
    document = document_of(folder)
    return document["config"].get("classes", {}) if document["kind"] == KIND else {}


@lru_cache(2)
def _judge(name: str) -> Any:
    from storyreel.evaluate.judge import Judge

    return Judge.load(name)
