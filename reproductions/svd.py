"""Stable Video Diffusion's claims, one after the other; each finished one is kept and not measured again.

`motion`, `identity`, `turnaround`, `guidance` and `reuse` ask a trained model; `pretrained`, `curated` and `noise`
train small networks on moving digits, for the same steps (`svd_comparisons.py`).

Nobody publishes how the motion bucket correlates with motion. Here videos of the same held-out prompts, of their first
frames with the prompts, and of their first frames alone, are made at several buckets, and the flow of each is measured.
The paper's network for pictures reads no text; a prompt that says the action says most of how much moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from reproductions import svd_comparisons as comparisons
from reproductions import svd_identity, svd_reuse, svd_turnaround
from reproductions.cached_clips import make_once
from reproductions.claims import MissingError, Todo, run_claims
from reproductions.motion_control import motion_control, rank_correlation, speed_of
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from reproductions.svd_report import BUCKETS, ENOUGH, report
from reproductions.svd_training import RECIPE, Nets
from storyreel import worlds
from storyreel.clip import Clip
from storyreel.generate.model import Model, load
from storyreel.options.generation import GenerateOptions
from storyreel.systems.svd import Svd
from storyreel.systems.svd_turnaround import TurningSvd

CLAIMS = ("motion", "identity", "turnaround", "guidance", "reuse", "pretrained", "curated", "noise")
COMPARED = {"pretrained": comparisons.pretrained, "curated": comparisons.curated, "noise": comparisons.noise}
MODEL, STREAM = "svd-sprites", 0x5D
MOTION: dict[str, tuple[str, ...]] = {  # what each is made from
    "motion-text": ("prompt",), "motion-picture": ("prompt", "image"), "motion-alone": ("image",),
}  # fmt: skip
TRAINED = (*MOTION, "identity", "turnaround", "guidance", "reuse")  # parts that a trained model answers
SHOWN = 2


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    ValueError for an unknown claim, a folder of other results, or a model that reads no motion.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    parts: Todo = {}
    requested = set(claims) - COMPARED.keys()
    if requested:
        parts |= {name: part for name, part in _of_model(settings).items() if name.partition("-")[0] in requested}
    for name in (name for name in COMPARED if name in claims):
        nets = partial(Nets.of, settings, comparisons.TRAINED[name])
        how = settings.how | settings.training | {"recipe": settings.recipe or RECIPE}
        parts[name] = (lambda measure=COMPARED[name], nets=nets: measure(settings, nets()),
                       how | {"judge": settings.judge_digest("digits")})  # fmt: skip
    return parts


def _of_model(settings: Settings) -> Todo:
    """The claims that a trained model answers. ValueError for one of another system."""
    world = next(iter(settings.models), "sprites")
    try:
        model = load(settings.models.get(world, MODEL))
    except ValueError as error:
        if settings.models:
            raise
        return {name: (partial(_missing, f"{error}; name another with --model"), {}) for name in TRAINED}
    conditions = settings.how | {"model": model.digest}
    judge = {"judge": settings.judge_digest("sprites"), "source": settings.source is not None}
    if isinstance(model.system, TurningSvd):
        return {"turnaround": (partial(svd_turnaround.measure, settings, model), conditions | judge)}
    if not isinstance(model.system, Svd):
        raise ValueError(f"--model {world}={model.name}: expected a model of Stable Video Diffusion that reads a text")
    prompts = {"buckets": list(BUCKETS), "prompts": _count(settings)}
    return {
        **{name: (partial(measure, settings, model, world, name), conditions | prompts) for name in MOTION},
        "identity": (partial(svd_identity.measure, settings, model), conditions | judge),
        "turnaround": (partial(_missing, f"{model.name} turns nothing around; name a model of svd_turnaround with "
                               "--model sprites=RUN/model"), conditions),
        "guidance": (partial(comparisons.guidance, settings, model, world),
                     conditions | {"judge": settings.judge_digest(world)}),
        "reuse": (partial(svd_reuse.measure, settings, model, world),
                  conditions | {"prompts": svd_reuse.count(settings), "source": settings.source is not None}),
    }  # fmt: skip


def _missing(why: str) -> dict[str, Any]:
    raise MissingError(why)


def _count(settings: Settings) -> int:
    return settings.count or (3 if settings.quick else 32)


def measure(settings: Settings, model: Model, world: str, part: str) -> dict[str, Any]:
    """Spearman's rho over all videos, and within the videos of each prompt, which differ in the bucket alone."""
    describe, name = worlds.find(world).describe, part.removeprefix("motion-")
    clips: list[list[Clip]] = []
    for index in range(_count(settings)):
        prompt = describe((settings.seed, STREAM, index), "held_out", "plain").prompt
        row = []
        for bucket in BUCKETS:
            options: dict[str, Any] = {"motion": bucket, "as_written": True, "candidates": 1}
            if "prompt" in MOTION[part]:
                options["prompt"] = prompt
            if "image" in MOTION[part]:
                options["image"] = _first(settings, model, prompt, index)
            path = settings.out / name / f"{index:03d}-{bucket:03d}.mkv"
            path.parent.mkdir(exist_ok=True)
            row.append(make_once(model, GenerateOptions.of(options), settings.seed + index, path))
        clips.append(row)
    buckets = [float(bucket) for _ in clips for bucket in BUCKETS]
    rho = motion_control(buckets, [clip for row in clips for clip in row])
    speeds = [[speed_of(clip) for clip in row] for row in clips]
    within = [each.value for row in speeds if np.isfinite((each := rank_correlation(BUCKETS, row)).value)]
    sheet = [(f"bucket {b}", clip) for row in clips[:SHOWN] for b, clip in zip(BUCKETS, row, strict=True)]
    write_sheet(settings.out / f"motion-{name}.png", sheet, side=64)
    return {
        "n": len(clips),
        "rho": rho.as_json(),
        "within": round(float(np.mean(within)), 5) if within else None,
        "speeds": {str(b): round(float(np.mean([row[i] for row in speeds])), 4) for i, b in enumerate(BUCKETS)},
        "holds": bool(rho.value >= ENOUGH),
        "pictures": [f"motion-{name}.png"],
    }


def _first(settings: Settings, model: Model, prompt: str, index: int) -> Clip:
    """The first frame of the usual video of a prompt."""
    options = GenerateOptions.of({"prompt": prompt, "as_written": True, "candidates": 1})
    path = settings.out / "picture" / f"{index:03d}-given.mkv"
    path.parent.mkdir(exist_ok=True)
    clip = make_once(model, options, settings.seed + index, path)
    return clip.replace(frames=clip.frames[:1])
