"""Claim (c): combinations that training never had come out right.

The prompts are drawn from the world itself, which needs no sheets: characters whose parts are held out, and digits
with motions that they never had. They tell all that can be told; what a prompt does not say is not judged. `phrasing`
chooses how sprites are described: "plain" in the sixteen forms of the first version, "training" by the grammar of
training captions, "held-out" by its forms and words that no training caption has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproductions.accuracies import gap_of, relative_of
from reproductions.cached_clips import has_matte, make_once
from reproductions.pictures import write_sheet
from reproductions.settings import PLAIN, Settings
from storyreel.clip import Clip
from storyreel.evaluate.judges import AnyJudge, check_known
from storyreel.evaluate.locator import Locator, pairs
from storyreel.evaluate.score import AttributeAccuracy, labels
from storyreel.generate.model import Model
from storyreel.options.generation import GenerateOptions
from storyreel.worlds import find

RIGHT = 0.9  # mean attribute accuracy on held-out combinations
SPLITS = ("held_out", "train")
STREAM = 0xC0  # of random numbers, apart from the world's own
SHOWN = 12


@dataclass(frozen=True)
class Case:
    """A prompt, the attributes that it tells, and a real clip of them where one can be made."""

    prompt: str
    expected: dict[str, Any]
    real: Clip | None = None


def measure(settings: Settings, world: str) -> dict[str, Any]:
    """Generate and judge both splits. ValueError, of one line, without the world's model or judge.

    Clips that are there are not made again.
    """
    model, judge = settings.model(world), settings.judge(world)
    found: dict[str, Any] = {}
    metrics, pictures = {}, []
    for split in SPLITS:
        cases = cases_of(settings, world, split)
        check_known(judge, [w.expected for w in cases])
        suffix = "" if settings.phrasing == PLAIN else f"-{settings.phrasing}"
        folder = settings.out / "combinations" / f"{world}-{model.name}-{split}{suffix}"
        clips = list(_made(settings, model, cases, folder))
        metrics[split] = score(judge, clips, cases)
        found[split] = metrics[split].compute().as_json()
        if all(w.real is not None for w in cases):
            real = score(judge, [w.real for w in cases if w.real], cases)
            found[f"{split}_real"] = real.compute().as_json()
            found[f"{split}_relative"] = {
                "mean": relative_of(metrics[split], real).as_json(),
                "all_right": relative_of(metrics[split], real, all_right=True).as_json(),
            }
        pictures.append(f"combinations-{world}-{split}{suffix}.png")
        shown = [(w.prompt, clip) for w, clip in zip(cases, clips, strict=True)][:SHOWN]
        write_sheet(settings.out / pictures[-1], shown, side=64)
    mean = found["held_out"]["mean"]["accuracy"]
    return {
        "world": world,
        "model": {"name": model.name, "digest": model.digest},
        "n": settings.prompts,
        "phrasing": settings.phrasing,
        **found,
        "gap": gap_of(metrics["held_out"], metrics["train"]).as_json(),
        "holds": None if mean is None else bool(mean >= RIGHT),
        "pictures": pictures,
    }


def cases_of(settings: Settings, world: str, split: str) -> list[Case]:
    describe, found = find(world).describe, []
    for index in range(settings.prompts):
        described = describe((settings.seed, STREAM, SPLITS.index(split), index), split, settings.phrasing)
        found.append(Case(described.prompt, described.shows, described.real(settings.source)))
    return found


def score(judge: AnyJudge, clips: list[Clip], cases: list[Case]) -> AttributeAccuracy:
    """As `judge.accuracy`, and with the counts of each clip, for comparing."""
    metric = AttributeAccuracy(judge.attributes)
    for seen, case in zip(judge.read(clips), cases, strict=True):
        metric.update(*(pairs(seen, case.expected) if isinstance(judge, Locator) else [(seen, labels(case.expected))]))
    return metric


def _made(settings: Settings, model: Model, cases: list[Case], folder: Path) -> Iterator[Clip]:
    from storyreel.data.parallel import progress

    matte = has_matte(model)
    with progress(folder.name, len(cases)) as advance:
        for index, case in enumerate(cases):
            options = GenerateOptions(prompt=case.prompt, transparent=matte, as_written=True)
            yield make_once(model, options, settings.seed + index, folder / f"{index:05d}.mkv")
            advance(1)
            if (index + 1) % 50 == 0:
                settings.tell(f"combinations: {folder.name}, {index + 1} of {len(cases)}")
