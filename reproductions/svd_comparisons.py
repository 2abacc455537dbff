"""Stable Video Diffusion's comparisons of trainings, each at equal steps on moving digits, and of its guidance.

pretrained   images, then videos, against videos alone for as many steps, and for as many as both stages have together
curated      stage II on curated clips or on random windows of the same footage, before and after stage III, whose clips
             are clean and the same for both
noise        a law of noise levels and a noisier one, at two sizes: what the noisier one gains at the larger size, less
             what it gains at the smaller
guidance     of a trained model: rising from the first frame to the last, against the same in all frames

What is compared is the mean share of attributes that a judge finds in videos of the same prompts and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from reproductions import curation_filters, curation_sets
from reproductions.claims import MissingError
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from reproductions.svd_training import Arm, Nets, accuracies, beats, gap
from storyreel import worlds
from storyreel.clip import Clip
from storyreel.evaluate.interval import mean_of
from storyreel.generate.model import Model
from storyreel.options.generation import GenerateOptions
from storyreel.systems.pixels import for_model
from storyreel.systems.svd import Svd

SHIFT = -2 * math.log(2)  # of log-SNRs: twice the noise
SMALLEST = 32  # pixels a side at which a judge tells digits apart
SHARE = 4  # stage II has so many times the steps of stage III
SHOWN, STREAM = 4, 0x6D
TRAINED = {"pretrained": 4, "curated": 4, "noise": 4}  # how many stages the minutes are for, about


def prompts(settings: Settings, usual: int = 200) -> int:
    return settings.count or (4 if settings.quick else usual)


def pretrained(settings: Settings, nets: Nets) -> dict[str, Any]:
    side, steps = nets.config.shape.height, nets.steps
    arms = {
        "pretrained": (("images", steps, "world"), ("videos", steps, "world")),
        "scratch": (("videos", steps, "world"),),
        "longer": (("videos", 2 * steps, "world"),),
    }
    rows = {name: (Arm(name=name, stages=stages, side=side), "videos") for name, stages in arms.items()}
    found = _measured(settings, nets, "pretrained", rows)
    gaps = {f"pretrained less {other}": (found["pretrained"], found[other]) for other in ("scratch", "longer")}
    return _described(settings, nets, "pretrained", found, gaps, "pretrained less scratch")


def curated(settings: Settings, nets: Nets) -> dict[str, Any]:
    side, steps = nets.config.shape.height, nets.steps
    add_sets(settings, nets)
    after = max(1, steps // SHARE)
    rows = {}
    for data in ("curated", "random"):
        arm = Arm(name=data, stages=(("videos", steps, data), ("text_to_video", after, "world")), side=side)
        rows |= {f"{data}, before": (arm, "videos"), f"{data}, after": (arm, "text_to_video")}
    found = _measured(settings, nets, "curated", rows)
    gaps = {when: (found[f"curated, {when}"], found[f"random, {when}"]) for when in ("before", "after")}
    return _described(settings, nets, "curated", found, gaps, "before", "after")


def add_sets(settings: Settings, nets: Nets) -> None:
    """Dirty footage, curated, and random windows of it, four times as many."""
    films, shots = (1, 12) if settings.quick else (24, 40)
    encoder = settings.find_encoder("no similarity in curation")
    made = curation_filters.curated(settings.out, films, shots, settings.seed, encoder)
    items = curation_sets.choices(made, settings.seed)
    side, frames = nets.config.shape.height, max(8, nets.config.frames)
    chosen = {name: items[name] for name in ("curated", "random")}
    for name, data in curation_sets.write_sets(settings.out / "sets", chosen, frames, side).items():
        nets.put(name, side, data)


def noise(settings: Settings, nets: Nets) -> dict[str, Any]:
    large = nets.config.shape.height
    halved = large // 2 >= SMALLEST and _fits(nets, large // 2)
    small, large = (large // 2, large) if halved else (large, 2 * large)
    rows = {}
    for side in (small, large):
        for name, shift in (("usual", 0.0), ("noisier", SHIFT)):
            arm = Arm(name=f"{name}-{side}", stages=(("videos", nets.steps, "world"),), side=side, shift=shift)
            rows[f"{name}, {side} pixels"] = (arm, "videos")
    found = _measured(settings, nets, "noise", rows)
    gained = [[a - b for a, b in zip(found[f"noisier, {s} pixels"], found[f"usual, {s} pixels"], strict=True)]
              for s in (large, small)]  # fmt: skip
    gaps = {f"noisier at {s} pixels": (found[f"noisier, {s} pixels"], found[f"usual, {s} pixels"])
            for s in (small, large)}  # fmt: skip
    gaps["gained more at the larger size"] = (gained[0], gained[1])
    return _described(settings, nets, "noise", found, gaps, "gained more at the larger size")


def _fits(nets: Nets, side: int) -> bool:
    c = nets.config
    try:
        replace(c, shape=replace(c.shape, height=side, width=side))
    except ValueError:
        return False
    return True


def _measured(settings: Settings, nets: Nets, claim: str, rows: dict[str, tuple[Arm, str]]) -> dict[str, list[float]]:
    """Name -> the judge's share for each prompt, of the videos of a stage of an arm. Some are in `claim`.png."""
    judge, count, found, sheet = settings.judge("digits"), prompts(settings), {}, []
    for name, (arm, stage) in rows.items():
        cases = nets.cases(arm.side, count)
        torch.manual_seed(settings.seed)
        clips = nets.make(nets.train(arm), stage, cases)
        found[name] = accuracies(judge, clips, cases)
        sheet += [(f"{name}: {clip.caption}", clip) for clip in clips[:SHOWN]]
    write_sheet(settings.out / f"{claim}.png", sheet, side=64)
    return found


def _described(
    settings: Settings, nets: Nets, name: str, found: dict[str, list[float]],
    gaps: Mapping[str, tuple[Sequence[float], Sequence[float]]], *claimed: str,
) -> dict[str, Any]:  # fmt: skip
    """claimed: the gaps that the claim says are above 0."""
    measured = {each: gap(*pair) for each, pair in gaps.items()}
    return {
        "n": prompts(settings),
        "steps": nets.steps,
        "recipe": nets.recipe.name,
        "rows": {each: mean_of(values).as_json() for each, values in found.items()},
        "gaps": {each: value.as_json() for each, value in measured.items()},
        "holds": all(beats(measured[each]) for each in claimed),
        "pictures": [f"{name}.png"],
    }


# -- guidance, of a trained model ------------------------------------------------------------------------------


def guidance(settings: Settings, model: Model, world: str) -> dict[str, Any]:
    """Videos of held-out prompts from a picture, the first frame of the usual video of each prompt."""
    system = model.system
    if not isinstance(system, Svd):
        raise MissingError(f"{model.name} makes no videos from a picture and a text; name another with --model")
    stage, judge = system.image_stage, settings.judge(world)
    usual, describe = stage.diffusion, worlds.find(world).describe
    rows: dict[str, list[float]] = {"linear": [], "constant": []}
    near: dict[str, list[float]] = {"linear": [], "constant": []}
    sheet: list[tuple[str, Clip]] = []
    try:
        for index in range(prompts(settings, 64)):
            described = describe((settings.seed, STREAM, index), "held_out", "plain")
            first = model.make(_options(described.prompt), settings.seed + index)
            image = first.replace(frames=first.frames[:1])
            for kind in rows:
                sampling = replace(usual.sampling, frame_guidance=kind, min_guidance=1.0)
                stage.diffusion = replace(usual, sampling=sampling)
                clip = model.make(_options(described.prompt, image), settings.seed + index)
                rows[kind].append(judge.accuracy([clip], [described.shows]).mean)
                near[kind].append(_psnr(clip, image, system))
                if index < SHOWN:
                    sheet.append((f"{kind}: {described.prompt}", clip))
    finally:
        stage.diffusion = usual
    write_sheet(settings.out / "guidance.png", sheet, side=64)
    off = gap(rows["linear"], rows["constant"])
    return {
        "n": len(rows["linear"]),
        "guidance": usual.sampling.guidance,
        "rows": {kind: mean_of(values).as_json() for kind, values in rows.items()},
        "psnr": {kind: mean_of(values).as_json() for kind, values in near.items()},
        "gaps": {"linear less constant": off.as_json()},
        "holds": beats(off),
        "pictures": ["guidance.png"],
    }


def _options(prompt: str, image: Clip | None = None) -> GenerateOptions:
    options: dict[str, Any] = {"prompt": prompt, "as_written": True, "candidates": 1}
    return GenerateOptions.of(options | ({} if image is None else {"image": image}))


def _psnr(clip: Clip, image: Clip, system: Svd) -> float:
    """Of the first frame, from the picture that was given."""
    c = system.config
    one, other = (
        for_model(each.replace(frames=each.frames[:1]), c.shape.height, c.channels)[:, :3] for each in (clip, image)
    )
    return float(-10 * torch.log10(((one - other).square().mean() / 4).clamp(min=1e-9)))
