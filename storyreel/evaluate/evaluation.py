"""An evaluation, from folders of clips to a document: one pass over the made clips, what is missing of the real ones.

clips --decode--> frames --extractors, judge, motion--> rows a clip --metrics--> scores --> document (report.json)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.evaluate.clipsim import by_prompt, clipsim
from storyreel.evaluate.decode import ClipSource, Counted, Cut, one_pass
from storyreel.evaluate.gather import ClipRows, Gathered, JudgeReadings, MotionMeasures, Network, Pairs, Stories
from storyreel.evaluate.judges import load_judge
from storyreel.evaluate.metric import Inputs, Measurement, Who
from storyreel.evaluate.planning import MetricPlan, PlannedMetric, make_plan, world_of_clips
from storyreel.evaluate.protocols import Protocol, codec_of, protocol_named
from storyreel.evaluate.real_statistics import Real, gather_real
from storyreel.evaluate.score import AttributeScores
from storyreel.evaluate.sources import ClipFolder, find
from storyreel.options.evaluation import EvaluateOptions
from storyreel.wording import counted

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
REAL_MOTION = 256  # real clips whose motion is measured, to compare with


def silent(title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda n: None)


@dataclass
class Evaluation:
    """Everything that was found out; `document.of` makes JSON of it."""

    options: EvaluateOptions
    rules: Protocol
    clips: ClipFolder
    real_clips: ClipFolder | None
    plan: MetricPlan
    cut: Cut
    fps: str = ""
    counted: Counted = field(default_factory=lambda: Counted(0))
    clip_rows: ClipRows = field(default_factory=ClipRows)
    rows: dict[str, Tensor] = field(default_factory=dict)
    real: Real = field(default_factory=Real)
    judged: JudgeReadings | None = None
    judge_report: AttributeScores | None = None
    stories: Stories = field(default_factory=Stories)
    measurements: list[Measurement] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def evaluate(options: EvaluateOptions, bar: Bar = silent) -> Evaluation:
    """Measure. ValueError or OSError, in one line, for what is wrong with the folders, the clips or the options."""
    done = prepare(options)
    _look_at_made(done, bar)
    _look_at_real(done, bar)
    for item in done.plan.items:
        try:
            done.measurements.append(item.about.compute(Inputs(done, item, _who(done, item))))
        except ValueError as error:
            if options.metrics:
                raise
            done.plan.skipped[item.metric] = str(error).removeprefix(f"{item.metric}: ")
    return done


def prepare(options: EvaluateOptions) -> Evaluation:
    """Find the clips and decide what is measured; nothing is decoded yet."""
    rules = protocol_named(options.protocol)
    clips = find(options.clips, split=options.split, limit=options.limit)
    real = find(options.real, split=options.real_split) if options.real else None
    plan = make_plan(options, rules, clips, real)
    if not plan.items:
        raise ValueError(f"{options.clips}: nothing can be measured: {'; '.join(plan.skipped.values())}")
    own, fps = clips.usual()
    frames = rules.frames or (real.usual()[0] if real else None) or own
    done = Evaluation(options, rules, clips, real, plan, Cut(rules, frames), fps)
    if own is not None and frames is not None and own != frames and rules.short == "resample":
        most = f"most clips have {counted(own, 'frame')}"
        done.warnings.append(f"{most}; they are resampled to {frames} over the same time")
    return done


def _look_at_made(done: Evaluation, bar: Bar) -> None:
    gathered = _gatherers(done)
    consumers: list[Any] = [done.clip_rows, *gathered]
    if done.plan.named("judge"):
        name = done.options.judge or world_of_clips(done.options, done.clips, done.real_clips)
        done.judged = JudgeReadings(load_judge(name))
        consumers.append(done.judged)
    if done.plan.named("seams"):
        consumers.append(done.stories)
    sources = done.clips.sources
    with bar("looking at the clips", len(sources)) as advance:
        done.counted = one_pass(
            sources, done.cut, consumers, batch=done.options.batch, workers=done.options.workers, advance=advance
        )
    if not done.counted.n:
        dropped = done.counted.dropped[0]["error"] if done.counted.dropped else "it is empty"
        raise ValueError(f"{done.options.clips}: no clip counts: {dropped}")
    done.rows = {g.label: g.compute() for g in gathered}


def _gatherers(done: Evaluation) -> list[Gathered]:
    gathered: dict[str, Gathered] = {}
    for item in done.plan.items:
        if item.extractor is not None and item.about.gathers:
            gathered.setdefault(item.label, Network(item.extractor, item.about.gathers))
    if done.plan.per_clip:
        gathered["motion"] = MotionMeasures(done.plan.per_clip)
    if done.plan.paired and done.real_clips is not None:
        files = {s.file.stem: s.file for s in done.real_clips.sources}
        measures = {item.metric: item.about.paired for item in done.plan.items if item.about.paired}
        gathered["pairs"] = Pairs({n: make(done.options.files) for n, make in measures.items()}, files, done.cut)
    return list(gathered.values())


def _look_at_real(done: Evaluation, bar: Bar) -> None:
    """What the distances, the controls and the motion measures want of the real clips."""
    if done.real_clips is None:
        return
    gathered: dict[str, Gathered] = {}
    for item in done.plan.items:
        if item.extractor is None or not item.about.real or item.about.gathers != "features":
            continue
        damages = ("", "shuffled", "frozen") if done.options.controls and item.about.kind == "video" else ("",)
        for damage in damages:
            network = Network(item.extractor, "features", damage)
            gathered.setdefault(network.label, network)
    if gathered:
        done.real = _gathered_real(done, done.real_clips, list(gathered.values()), bar)
    if motion := done.plan.per_clip:
        few = replace(done.real_clips, sources=done.real_clips.sources[:REAL_MOTION])
        done.real.rows |= _gathered_real(done, few, [MotionMeasures(motion)], bar).rows
    if not all(clip["prompt"] for clip in done.clip_rows.clips):
        return  # of which metrics of prompts tell when they are computed
    for item in [item for item in done.plan.items if item.about.captioned]:
        _look_at_captioned(done, item, bar)


def _gathered_real(done: Evaluation, clips: ClipFolder, gathered: list[Gathered], bar: Bar) -> Real:
    options, cut = done.options, replace(done.cut, real=True)
    with bar("looking at the real clips", len(clips.sources)) as advance:
        cache = _cache() if options.cache else None
        return gather_real(
            clips, cut, gathered, cache=cache, batch=options.batch, workers=options.workers, advance=advance
        )


def _look_at_captioned(done: Evaluation, item: PlannedMetric, bar: Bar) -> None:
    """CLIPSIM of the real clip of each prompt, under `captioned/EXTRACTOR` in `real.rows`: a row a prompt."""
    assert done.real_clips is not None
    inputs = Inputs(done, item, _who(done, item))
    prompts = list(dict.fromkeys(inputs.prompts()))
    matching = replace(done.real_clips, sources=tuple(_captioned(done.real_clips, set(prompts))))
    if not matching.sources:
        return
    assert item.extractor is not None
    real = _gathered_real(done, matching, [Network(item.extractor, "frames")], bar)
    texts = inputs.texts(real.prompts)
    each = by_prompt(clipsim(real.rows[item.label], texts), real.prompts)
    values = [each.get(prompt, float("nan")) for prompt in prompts]
    done.real.rows[f"captioned/{item.label}"] = torch.tensor(values, dtype=torch.float64)


def _captioned(clips: ClipFolder, prompts: set[str]) -> list[ClipSource]:
    """The real clips that have one of these prompts among their captions, each under that prompt."""
    from storyreel.data.folder import DatasetFolder

    if not (clips.path / "metadata.parquet").is_file():
        return list(clips.sources)
    folder = DatasetFolder.open(clips.path)
    captions = {folder.file(i): folder.captions(i) for i in range(len(folder))}
    return [
        ClipSource(s.file, caption, {}) for s in clips.sources for caption in captions[s.file] if caption in prompts
    ]


def _who(done: Evaluation, item: PlannedMetric) -> Who:
    """The fingerprint holds what this metric depends on, and nothing else."""
    rules, extractor, about = done.rules, item.extractor, item.about
    printed: dict[str, Any] = {
        "protocol": rules.label,
        "extractor": f"{extractor.name}@{extractor.digest[:16]}" if extractor else None,
        "preprocessing": extractor.preprocessing if extractor else None,
        "size": rules.size,
        "crop": "middle square" if rules.size else "by the extractor",
        "fps": done.fps,
        "stride": rules.stride,
        "frames": done.cut.frames,
        "start": rules.start,
        "ddof": rules.ddof if item.metric in ("fvd", "fid") else None,
        "codec": codec_of(s.file for s in done.clips.sources),
        "real": done.real_clips.digest[:16] if about.real and done.real_clips else None,
        "real_n": done.real.n if about.gathers == "features" else None,
    }
    name = extractor.name if extractor else ""
    if item.metric == "judge" and done.judged is not None:
        name = done.options.judge or world_of_clips(done.options, done.clips, done.real_clips)
        name = name.rstrip("/").rpartition("/")[2]
    if item.metric == "lpips":
        name = "vgg16"
    return Who(item.metric, name, extractor is None or extractor.trusted, rules, about.direction, printed)


def _cache() -> Path:
    """Where what is gathered from real clips is kept."""
    from storyreel.data.pack import cache_folder

    return cache_folder(None) / "evaluate"
