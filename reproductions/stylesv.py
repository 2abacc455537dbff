"""StyleSV's claims at small scale: each part taken away, and the papers that it is compared with, at equal compute.

Every arm is trained on the same clips of the world `skies` for as many FLOPs as StyleSV itself. Then each makes the
same number of videos, which are measured as `storyreel evaluate` does; FVD by an encoder of that world, which is
trained first. The floor is what other real clips get. Texts are compared on sprites, by their judge (stylesv_texts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import storyreel
from reproductions import stylesv_texts
from reproductions.cached_clips import make_once
from reproductions.claims import Todo, run_claims
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from reproductions.stylesv_arms import PRESETS, RECIPE, TEXT_ARMS, Arm, arm, steps_of
from reproductions.stylesv_report import report
from storyreel import recipes, worlds
from storyreel.clip import Clip
from storyreel.evaluate.repetition import at_anchors
from storyreel.generate.model import Model, load
from storyreel.options.generation import GenerateOptions
from storyreel.systems.video_gan import VideoGanStage
from storyreel.systems.video_gan_take import Take

TEXTS = "texts"
CLAIMS: dict[str, tuple[str, ...]] = {  # and whose models are compared
    "sticking": ("full", "aliased"),
    "pretraining": ("full", "no_images"),
    "tsm": ("full", "no_tsm"),
    "anchors": ("full", "linear"),
    "periodicity": ("full", "no_low_rank"),
    "presets": ("full", *PRESETS),
    TEXTS: TEXT_ARMS,
}
METRICS = ("fvd", "fid", "sticking", "smoothness", "periodicity", "dynamic")
FLOOR = "real"  # the row of other real clips
SHORT = 16  # frames of the short FVD
ENCODER_STEPS = 300
JOLTS = 4  # videos whose jolts at anchors are measured


@dataclass(frozen=True)
class Size:
    """How large it is: clips to train on, videos that each makes, and the frames of one."""

    clips: int = 3000
    videos: int = 128
    frames: int = 128

    @classmethod
    def of(cls, settings: Settings) -> Size:
        size = cls(clips=12, videos=8, frames=24) if settings.quick else cls()
        return replace(size, videos=settings.count) if settings.count else size


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    ValueError for an unknown claim, or a folder of other results.
    """
    return run_claims(settings, only, tuple(CLAIMS), todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    """How to measure each, and what the result depends on."""
    conditions = settings.how | settings.training | {"recipe": settings.recipe or RECIPE}
    found: Todo = {name: (partial(measure, settings, name), conditions) for name in claims if name != TEXTS}
    if TEXTS in claims:
        found[TEXTS] = partial(stylesv_texts.measure, settings), conditions | stylesv_texts.conditions(settings)
    return found


def measure(settings: Settings, claim: str) -> dict[str, Any]:
    """Train those that a claim compares, and measure their videos; a JSON document with the verdict."""
    rows, shown = {}, []
    for name in CLAIMS[claim]:
        one, model, clips = _made(settings, name)
        rows[name] = _scores(settings, name) | {
            "steps": {stage: its.steps for stage, its in one.recipe.stages.items()},
            "flops": one.flops,
            "jolt": _jolt(model),
        }
        settings.tell(f"{claim}: {name} is measured")
        shown.append((name, clips[0]))
    rows[FLOOR] = _scores(settings, FLOOR) | {"steps": {}}
    write_sheet(settings.out / f"{claim}.png", shown, side=64)
    return {"rows": rows, "holds": verdict(claim, rows), "pictures": [f"{claim}.png"]}


def verdict(claim: str, rows: dict[str, Any]) -> bool | None:
    """Whether StyleSV is better than the other (of `presets`: than all others), by the claim's own measure."""
    measure = {"sticking": "sticking", "pretraining": "fid", "anchors": "jolt", "periodicity": "periodicity"}
    name = measure.get(claim, "fvd")
    full, *others = ((row[name] or {}).get("value") for arm, row in rows.items() if arm != FLOOR)
    if full is None or any(other is None for other in others):
        return None
    return all(full < other for other in others)


def _made(settings: Settings, name: str) -> tuple[Arm, Model, list[Clip]]:
    """An arm, trained where it is not yet, and its videos."""
    size, base = Size.of(settings), settings.recipe or RECIPE
    one = arm(base, steps_of(settings), name, settings.quick)
    run = settings.out / "runs" / f"{base}-{steps_of(settings)}-{name}"
    if not (run / "model" / "model.json").is_file():
        settings.tell(f"training {name}")
        storyreel.train(one.recipe, _data(settings), run, cache=settings.out / "cache")
    model = load(run / "model")
    options = GenerateOptions(frames=size.frames)
    made = []
    captions = _captions(settings, size.videos) if model.system.conditional else [""] * size.videos
    for i, caption in enumerate(captions):
        requested = replace(options, prompt=caption, as_written=True) if caption else options
        made.append(make_once(model, requested, settings.seed + i, _videos(settings, name) / f"{i:04d}.mkv"))
    return one, model, made


def _videos(settings: Settings, name: str, frames: int = 0) -> Path:
    """The folder of an arm's videos; another number of them has another folder, since all in it are measured. frames:
    of the beginnings of those in the folder; 0: of the whole videos."""
    size = Size.of(settings)
    return settings.out / "clips" / f"{name}-{size.videos}-{frames or size.frames}"


def _beginnings(settings: Settings, name: str) -> Path:
    """The folder of the first frames of each of an arm's videos."""
    folder = _videos(settings, name, SHORT)
    for file in sorted(_videos(settings, name).glob("*.mkv")):
        if not (folder / file.name).is_file():
            clip = Clip.open(file)
            clip.replace(frames=clip.frames[:SHORT]).save(folder / file.name, scale=None)
    return folder


def _encoder(settings: Settings) -> Path:
    """The model folder of the world's encoder, trained where it is not yet."""
    run = settings.out / "encoder"
    if not (run / "model" / "model.json").is_file():
        settings.tell("training the encoder of skies")
        recipe = recipes.get("encoder_skies")
        stages = {name: replace(stage, steps=ENCODER_STEPS) for name, stage in recipe.stages.items()}
        frames = recipe.stages["dual"].data.frames
        data = f"skies:?clips={Size.of(settings).clips}&size=64&frames={frames}&seed={settings.seed + 3}"
        storyreel.train(replace(recipe, stages=stages), data, run, cache=settings.out / "cache")
    return run / "model"


def _data(settings: Settings) -> str:
    side = max(64, _side(settings))
    return f"skies:?clips={Size.of(settings).clips}&size={side}&seed={settings.seed}"


def _side(settings: Settings) -> int:
    """Pixels of the videos that are compared."""
    return recipes.get(settings.recipe or RECIPE).stages["videos"].data.size


def _captions(settings: Settings, count: int) -> list[str]:
    """Of clips that nobody is trained on."""
    return [_clip(settings, settings.seed + 1, i).caption for i in range(count)]


def _clip(settings: Settings, seed: int, index: int) -> Clip:
    """One of those, as long and as large as those that are made."""
    side = _side(settings)
    maker = worlds.find("skies").make(None, {"size": max(64, side), "frames": Size.of(settings).frames})
    return maker.make(seed, index)[0].resize(side, side)


def _draw_real(settings: Settings, name: str, seed: int) -> None:
    """Real clips in the folder of `name`, at least 8; what is missing is drawn."""
    folder = _videos(settings, name)
    for i in range(max(8, Size.of(settings).videos)):
        if not (folder / f"{i:04d}.mkv").is_file():
            _clip(settings, seed, i).save(folder / f"{i:04d}.mkv", scale=None)


def _scores(settings: Settings, name: str) -> dict[str, Any]:
    """Metric -> its score as JSON, None where these videos cannot tell; `fvd16` is of their beginnings."""
    _draw_real(settings, "compared", settings.seed + 1)
    if name == FLOOR:
        _draw_real(settings, FLOOR, settings.seed + 2)
    scores = _evaluated(settings, _videos(settings, name), _videos(settings, "compared"))
    short = _evaluated(settings, _beginnings(settings, name), _beginnings(settings, "compared"), ("fvd",))
    return {metric: scores.get(metric) for metric in METRICS} | {"fvd16": short.get("fvd")}


def _evaluated(settings: Settings, clips: Path, real: Path, metrics: tuple[str, ...] = ()) -> dict[str, Any]:
    from storyreel.evaluate.evaluation import evaluate
    from storyreel.options.evaluation import EvaluateOptions

    weights = None if settings.quick else {"skies-v1": _encoder(settings)}
    video = "tiny" if weights is None else "skies-v1"
    extractors = (video,) if metrics else (video, "tiny-frames")  # no encoder of single frames of this world
    done = evaluate(
        EvaluateOptions(clips=clips, real=real, metrics=metrics, extractors=extractors, weights=weights, controls=False)
    )
    for metric in set(METRICS) & set(done.plan.skipped):
        settings.tell(f"{clips.name}: {metric}: {done.plan.skipped[metric]}")
    return {one.score.name.partition("[")[0]: one.score.as_json() for one in done.measurements}


@torch.no_grad()
def _jolt(model: Model) -> dict[str, float] | None:
    """How much frames are jolted at anchors, in medians of second differences: the mean of some videos, four frames
    made for each of the model's, before they are rounded to 8 bits. None where motion has no anchors."""
    stage = model.system.stages["videos"]
    assert isinstance(stage, VideoGanStage)
    if stage.config.recurrent:
        return None
    distance, values = stage.config.anchor_distance, []
    times = torch.arange(0, 4 * distance, 0.25, dtype=torch.float64)
    for seed in range(JOLTS):
        take = Take(stage, torch.Generator().manual_seed(seed))
        made = torch.cat([take.frames(part) for part in times.split(16)], 1).transpose(0, 1)
        values.append(at_anchors(made, [4 * distance * k for k in range(1, 4)]))
    return {"value": sum(values) / len(values)}
