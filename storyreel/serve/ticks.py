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
from storyreel.evaluate.things import things_in
from storyreel.generate.open_attributes import trained_world

KIND = "attributes"  # of judges that name one value of each attribute
LOCATOR = "locator"  # of judges that find several things, each with attributes of its own
THING, COUNT, NOTHING = "digits", "count", "nothing"  # which of these names a thing; what is seen of one that lacks
COMPARED = (THING, "motions")

Ticks = list[dict[str, Any]]
"""A dict each: attribute, expected, seen (values of the world), right. Of several things, each has ticks of its own."""


def judge_of(info: Mapping[str, Any]) -> str | None:
    """The name of the judge of the world that a model was trained on, from its `model.json`; None where there is none,
    or none that compares clips with prompts."""
    return found[0] if (found := _found(info)) is not None and judged_by(info) else None


def judged_by(info: Mapping[str, Any]) -> Collection[str]:
    """The attributes that the judge of a model's world sees; none where there is no judge."""
    found = _found(info)
    if found is None:
        return ()
    _, kind, classes = found
    world = trained_world(info)
    if kind == LOCATOR:
        return (COUNT, *COMPARED)
    return classes.keys() if world is not None and world.read is not None else ()


def expected_of(info: Mapping[str, Any], prompt: str) -> list[dict[str, str]]:
    """Attribute -> value of what a prompt says and the judge of the model's world can see, of each thing in the clip;
    [] where there is none. Judges of one thing give one dict at most."""
    world, found = trained_world(info), _found(info)
    if world is None or found is None:
        return []
    _, kind, classes = found
    if kind == LOCATOR:
        return things_in(prompt, {name: world.attributes[name] for name in COMPARED}, THING)
    read = world.read(prompt) if world.read is not None else {}
    expected = {name: value for name, value in read.items() if value in classes.get(name, ())}
    return [expected] if expected else []


def ticks_of(info: Mapping[str, Any], prompt: str, clip: Clip) -> Ticks:
    """A tick or a cross for each attribute that the prompt says; [] where nobody can judge.

    Where the judge names attributes, a clip that is longer than what it looks at is judged piece by piece, and all
    pieces must be right. Where it finds things, it looks at the whole clip, and their number is judged as well.
    """
    expected, found = expected_of(info, prompt), _found(info)
    if not expected or found is None:
        return []
    name, kind, _ = found
    judge = _judge(name)
    if kind == LOCATOR:
        return _ticks_of_things(next(iter(judge.read([clip]))), expected)
    seen = list(judge.read(_pieces(clip, judge.config.frames)))
    return [_tick(name, value, [piece[name] for piece in seen]) for name, value in expected[0].items()]


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


def _ticks_of_things(seen: list[dict[str, str]], expected: list[dict[str, str]]) -> Ticks:
    """Each thing beside the one that was seen in its place, as `storyreel evaluate --judge` compares them."""
    from storyreel.evaluate.locator import pairs

    columns = {name: [thing.get(name) for thing in expected] for name in COMPARED}
    return [
        _tick(name, _counted(name, value), [_counted(name, there.get(name) or NOTHING)])
        for there, thing in pairs(seen, columns)
        for name, value in thing.items()
        if value is not None
    ]


def _counted(name: str, value: str) -> str:
    """A number of digits with its noun, so that nobody takes it for one of them."""
    return value if name != COUNT else f"{value} {THING if value != '1' else THING.removesuffix('s')}"


def _found(info: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Sequence[str]]] | None:
    """(name, kind, classes) of the judge of a model's world; None where there is none of a kind that is known here."""
    world = trained_world(info)
    folder = judges().get(world.name) if world is not None else None
    if world is None or folder is None:
        return None
    kind, classes = _read(folder)
    if kind == LOCATOR and not world.attributes.keys() >= set(COMPARED):
        return None
    return (world.name, kind, classes) if kind in (KIND, LOCATOR) else None


@lru_cache(8)
def _read(folder: Path) -> tuple[str, Mapping[str, Sequence[str]]]:
    """(kind, attribute -> values that it can see) of a judge."""
    document = document_of(folder)
    return document["kind"], document["config"].get("classes", {}) if document["kind"] == KIND else {}


@lru_cache(2)
def _judge(name: str) -> Any:
    from storyreel.evaluate.judges import load_judge

    return load_judge(name)
