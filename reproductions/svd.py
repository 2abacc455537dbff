"""What can be asked of a trained model of Stable Video Diffusion: does it move as much as it is told to?

Nobody publishes how the motion bucket correlates with motion. Here videos of the same held-out prompts, and of their
first frames, are made at several buckets, and the flow of each is measured.

The paper's comparisons (pretrained on pictures or not, curated or not, guidance by frame, noise by size) train several
models each, and are not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from reproductions.claims import Todo, run_claims
from reproductions.kept import make_once
from reproductions.pictures import write_sheet
from reproductions.report import Part, commands, done, holds, number, why_not
from reproductions.settings import Settings
from storyreel import worlds
from storyreel.clip import Clip
from storyreel.evaluate.motion_control import motion_control, rank_correlation, speed_of
from storyreel.generate.model import Model, load
from storyreel.options.generation import GenerateOptions

CLAIMS = ("motion",)
MODEL, BUCKETS, STREAM = "svd-sprites", (0, 64, 127, 191, 255), 0x5D
ENOUGH = 0.8  # rho that the motion bucket is to reach
TITLES = {"motion-text": "From a text, a video moves as much as asked", "motion-picture": "From a picture, too"}
SHOWN = 2


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    ValueError for an unknown claim, a folder of other results, or a model that reads no motion.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    world = next(iter(settings.models), "sprites")
    model = load(settings.models.get(world, MODEL))
    if "motion" not in model.system.serves or not model.system.conditional:
        raise ValueError(f"--model {world}={model.name}: expected a model of Stable Video Diffusion that reads a text")
    asked = settings.how | {"model": model.digest, "buckets": list(BUCKETS), "prompts": _count(settings)}
    return {name: (partial(measure, settings, model, world, name == "motion-picture"), asked) for name in TITLES}


def _count(settings: Settings) -> int:
    return settings.count or (3 if settings.quick else 32)


def measure(settings: Settings, model: Model, world: str, from_picture: bool) -> dict[str, Any]:
    """Spearman's rho over all videos, and within the videos of each prompt, which differ in the bucket alone."""
    describe, name = worlds.find(world).describe, "picture" if from_picture else "text"
    clips: list[list[Clip]] = []
    for index in range(_count(settings)):
        prompt = describe((settings.seed, STREAM, index), "held_out", "plain").prompt
        row = []
        for bucket in BUCKETS:
            options: dict[str, Any] = {"prompt": prompt, "motion": bucket, "as_written": True, "candidates": 1}
            if from_picture:
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


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = ["# The motion bucket of Stable Video Diffusion, checked", ""]
    lines += [f"Spearman's rho of bucket and measured flow; it holds from {ENOUGH} on. Intervals are 95 %.", ""]
    lines += ["| claim | holds |", "|---|---|"]
    lines += [f"| {title} | {holds(parts.get(name))} |" for name, title in TITLES.items()]
    for name, title in TITLES.items():
        part = parts.get(name)
        lines += ["", f"## {title}", ""]
        if not done(part):
            lines += [why_not(part)]
            continue
        rho, within = number(part["rho"]), number({"value": part["within"]})
        lines += [
            f"{part['n']} prompts at {len(BUCKETS)} buckets. rho {rho} over all videos, {within} within a prompt."
        ]
        lines += ["", "| bucket | pixels a second |", "|---|---|"]
        lines += [f"| {bucket} | {speed:.2f} |" for bucket, speed in part["speeds"].items()]
        lines += commands(part)
    return lines
