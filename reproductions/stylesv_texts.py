"""Video GANs that read a text, compared on the world `sprites` by its judge: what of a sentence is in the video.

All are trained on the same clips and captions, for as many FLOPs as StyleSV, with the same text encoder. Each makes a
video of the same prompts and seeds, and the judge says which of the attributes that a prompt tells it sees. `real` are
the drawings of those prompts at the same size, `another's` StyleSV's videos beside the prompts of others: chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import storyreel
from reproductions.accuracies import gap_of
from reproductions.cached_clips import make_once
from reproductions.combinations import Case, cases_of, score
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from reproductions.stylesv_arms import FULL, RECIPE, TEXT_ARMS, WRONG, Arm, steps_of, text_arm
from reproductions.svd_turnaround import sheets_and_judge
from storyreel.clip import Clip
from storyreel.evaluate.score import AttributeAccuracy
from storyreel.generate.model import Model, load
from storyreel.options.generation import GenerateOptions

FRAMES = 8  # of a clip of the world
SHOWN = 4  # videos of each in the picture
REAL, CHANCE = "real", "another's"


def conditions(settings: Settings) -> dict[str, Any]:
    """What the result depends on besides."""
    return {"phrasing": settings.phrasing, "judge": settings.judge_digest("sprites")}


def measure(settings: Settings) -> dict[str, Any]:
    """Mean attribute accuracies; whether StyleSV that is told wrong texts, too, is above all others."""
    _, judge = sheets_and_judge(settings)
    cases = cases_of(settings, "sprites", "train")
    scores: dict[str, AttributeAccuracy] = {}
    rows: dict[str, Any] = {}
    sheet: list[tuple[str, Clip]] = []
    side = 0
    for name in TEXT_ARMS:
        one, clips = _made(settings, name, cases)
        scores[name], side = score(judge, clips, cases), clips[0].size[0]
        rows[name] = {"steps": {stage: its.steps for stage, its in one.recipe.stages.items()}, "flops": one.flops}
        sheet += [(f"{name}: {case.prompt}", clip) for case, clip in zip(cases, clips, strict=True)][:SHOWN]
        settings.tell(f"texts: {name} is measured")
        if name == FULL:
            scores[CHANCE] = score(judge, clips, [*cases[1:], cases[0]])
    scores[REAL] = score(judge, [case.real.over().resize(side, side) for case in cases if case.real], cases)
    write_sheet(settings.out / "texts.png", sheet, side=64)
    for name, each in scores.items():
        rows.setdefault(name, {"steps": {}})["attributes"] = each.compute().as_json()
    gaps = {name: gap_of(scores[WRONG], scores[name]) for name in scores if name not in (WRONG, REAL)}
    return {
        "n": len(cases),
        "rows": rows,
        "gaps": {name: gap.as_json() for name, gap in gaps.items()},
        "holds": all(gap.interval is not None and gap.interval[0] > 0 for gap in gaps.values()),
        "pictures": ["texts.png"],
    }


def _made(settings: Settings, name: str, cases: Sequence[Case]) -> tuple[Arm, list[Clip]]:
    """An arm, trained where it is not yet, and its videos."""
    base, steps = settings.recipe or RECIPE, steps_of(settings)
    one = text_arm(base, steps, name, FRAMES)
    run = settings.out / "runs" / f"text-{base}-{steps}-{name}"
    if not (run / "model" / "model.json").is_file():
        settings.tell(f"training {name} with texts")
        clips = 16 if settings.quick else 8000
        data = f"sprites:{settings.source}?clips={clips}&seed={settings.seed}"
        storyreel.train(one.recipe, data, run, cache=settings.out / "cache")
    return one, _clips(settings, load(run / "model"), name, cases)


def _clips(settings: Settings, model: Model, name: str, cases: Sequence[Case]) -> list[Clip]:
    made = []
    folder = settings.out / "clips" / f"text-{name}-{settings.phrasing}-{len(cases)}"
    for index, case in enumerate(cases):
        options = GenerateOptions(prompt=case.prompt, frames=FRAMES, as_written=True, retouch=False)
        made.append(make_once(model, options, settings.seed + index, folder / f"{index:05d}.mkv"))
    return made
