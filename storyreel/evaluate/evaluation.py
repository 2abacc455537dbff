"""An evaluation, from folders of clips to a document: one pass over the made clips, what is missing of the real ones.

clips --decode--> frames --extractors, judge, motion--> rows a clip --metrics--> scores --> document (report.json)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from storyreel.evaluate import learned_scores as learned
from storyreel.evaluate import plain_scores as plain
from storyreel.evaluate.clipsim import by_prompt, clipsim
from storyreel.evaluate.decode import Counted, Cut, Source, one_pass
from storyreel.evaluate.gather import Gathered, Judged, Motion, Network, Pairs, Stories, Told
from storyreel.evaluate.judges import AnyJudge, check_known, load_judge
from storyreel.evaluate.learned_scores import Measurement, Who
from storyreel.evaluate.metrics import MOTION, PAIRED
from storyreel.evaluate.planning import Asked, Item, Plan, make_plan, world_of
from storyreel.evaluate.protocols import Protocol, codec_of, protocol_named
from storyreel.evaluate.real_statistics import Real, gather_real
from storyreel.evaluate.score import Report
from storyreel.evaluate.sources import Clips, find

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
REAL_MOTION = 256  # real clips whose motion is measured, to compare with


def silent(title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda n: None)


@dataclass
class Evaluation:
    """Everything that was found out; `document.of` makes JSON of it."""

    asked: Asked
    rules: Protocol
    clips: Clips
    real_clips: Clips | None
    plan: Plan
    cut: Cut
    fps: str = ""
    counted: Counted = field(default_factory=lambda: Counted(0))
    told: Told = field(default_factory=Told)
    rows: dict[str, Tensor] = field(default_factory=dict)
    real: Real = field(default_factory=Real)
    judged: Judged | None = None
    judge_report: Report | None = None
    stories: Stories = field(default_factory=Stories)
    measurements: list[Measurement] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def evaluate(asked: Asked, bar: Bar = silent) -> Evaluation:
    """Measure. ValueError or OSError, in one line, for what is wrong with the folders, the clips or the wishes."""
    done = prepare(asked)
    _look_at_made(done, bar)
    _look_at_real(done, bar)
    for item in done.plan.items:
        try:
            done.measurements.append(_measure(done, item))
        except ValueError as error:
            if asked.metrics:
                raise
            done.plan.skipped[item.metric] = str(error).removeprefix(f"{item.metric}: ")
    return done


def prepare(asked: Asked) -> Evaluation:
    """Find the clips and decide what is measured; nothing is decoded yet."""
    rules = protocol_named(asked.protocol)
    clips = find(asked.clips, split=asked.split, limit=asked.limit)
    real = find(asked.real, split=asked.real_split) if asked.real else None
    plan = make_plan(asked, rules, clips, real)
    if not plan.items:
        raise ValueError(f"{asked.clips}: nothing can be measured: {'; '.join(plan.skipped.values())}")
    own, fps = clips.usual()
    frames = rules.frames or (real.usual()[0] if real else None) or own
    done = Evaluation(asked, rules, clips, real, plan, Cut(rules, frames), fps)
    if own is not None and frames is not None and own != frames and rules.short == "resample":
        done.warnings.append(f"most clips have {own} frames; they are resampled to {frames} over the same time")
    return done


def _look_at_made(done: Evaluation, bar: Bar) -> None:
    gathered = _gatherers(done)
    consumers: list[Any] = [done.told, *gathered]
    if done.plan.named("judge"):
        name = done.asked.judge or world_of(done.asked, done.clips, done.real_clips)
        done.judged = Judged(load_judge(name))
        consumers.append(done.judged)
    if done.plan.named("seams"):
        consumers.append(done.stories)
    sources = done.clips.sources
    with bar("looking at the clips", len(sources)) as advance:
        done.counted = one_pass(
            sources, done.cut, consumers, batch=done.asked.batch, workers=done.asked.workers, advance=advance
        )
    if not done.counted.n:
        dropped = done.counted.dropped[0]["error"] if done.counted.dropped else "it is empty"
        raise ValueError(f"{done.asked.clips}: no clip counts: {dropped}")
    done.rows = {g.label: g.compute() for g in gathered}


def _gatherers(done: Evaluation) -> list[Gathered]:
    wanted: dict[str, Gathered] = {}
    for item in done.plan.items:
        if item.extractor is not None and item.about.gathers:
            wanted.setdefault(item.label, Network(item.extractor, item.about.gathers))
    motion = tuple(item.metric for item in done.plan.named(*MOTION))
    if motion:
        wanted["motion"] = Motion(motion)
    pairs = [item.metric for item in done.plan.named(*PAIRED)]
    if pairs and done.real_clips is not None:
        files = {s.file.stem: s.file for s in done.real_clips.sources}
        wanted["pairs"] = Pairs({name: _paired_measure(name, done.asked) for name in pairs}, files, done.cut)
    return list(wanted.values())


def _paired_measure(name: str, asked: Asked) -> Callable[[Tensor, Tensor], float]:
    from storyreel.evaluate.reconstruction import Lpips, psnr, ssim

    if name == "lpips":
        if "vgg16" not in asked.weights:
            raise ValueError("lpips: wants torchvision's VGG16 as safetensors, --weights vgg16=FILE")
        return Lpips(asked.weights["vgg16"])
    return {"psnr": psnr, "ssim": ssim}[name]


def _look_at_real(done: Evaluation, bar: Bar) -> None:
    """What the distances, the controls and the motion measures want of the real clips."""
    if done.real_clips is None:
        return
    wanted: dict[str, Gathered] = {}
    for item in done.plan.items:
        if item.extractor is None or not item.about.real or item.about.gathers != "features":
            continue
        damages = ("", "shuffled", "frozen") if done.asked.controls and item.about.kind == "video" else ("",)
        for damage in damages:
            network = Network(item.extractor, "features", damage)
            wanted.setdefault(network.label, network)
    if wanted:
        done.real = _gathered_real(done, done.real_clips, list(wanted.values()), bar)
    if motion := tuple(item.metric for item in done.plan.named(*MOTION)):
        few = replace(done.real_clips, sources=done.real_clips.sources[:REAL_MOTION])
        done.real.rows |= _gathered_real(done, few, [Motion(motion)], bar).rows
    for item in done.plan.named("rm"):
        _look_at_captioned(done, item, bar)


def _gathered_real(done: Evaluation, clips: Clips, wanted: list[Gathered], bar: Bar) -> Real:
    asked, cut = done.asked, replace(done.cut, real=True)
    with bar("looking at the real clips", len(clips.sources)) as advance:
        return gather_real(
            clips, cut, wanted, cache=asked.cache, batch=asked.batch, workers=asked.workers, advance=advance
        )


def _look_at_captioned(done: Evaluation, item: Item, bar: Bar) -> None:
    """CLIPSIM of the real clip of each prompt, under `rm/EXTRACTOR` in `real.rows`, as a row a prompt in order."""
    assert done.real_clips is not None
    prompts = list(dict.fromkeys(_prompts(done, item)))
    matching = replace(done.real_clips, sources=tuple(_captioned(done.real_clips, set(prompts))))
    if not matching.sources:
        return
    real = _gathered_real(done, matching, [Network(item.extractor, "frames")], bar)  # pyright: ignore[reportArgumentType]
    texts = _texts(item, real.prompts)
    each = by_prompt(clipsim(real.rows[item.label], texts), real.prompts)
    values = [each.get(prompt, float("nan")) for prompt in prompts]
    done.real.rows[f"rm/{item.label}"] = torch.tensor(values, dtype=torch.float64)


def _captioned(clips: Clips, prompts: set[str]) -> list[Source]:
    """The real clips that have one of these prompts among their captions, each under that prompt."""
    from storyreel.data.folder import DatasetFolder

    if not (clips.path / "metadata.parquet").is_file():
        return list(clips.sources)
    folder = DatasetFolder.open(clips.path)
    captions = {folder.file(i): folder.captions(i) for i in range(len(folder))}
    return [Source(s.file, caption, {}) for s in clips.sources for caption in captions[s.file] if caption in prompts]


def _prompts(done: Evaluation, item: Item) -> list[str]:
    """ValueError where a clip has none."""
    without = [clip["file"] for clip in done.told.clips if not clip["prompt"]]
    if without:
        raise ValueError(
            f"{item.metric}: {len(without)} of {done.counted.n} clips have no prompt in their metadata and no caption, "
            f"the first is {without[0]}"
        )
    return done.told.prompts


def _texts(item: Item, prompts: list[str]) -> Tensor:
    """Embeddings (n, d) of prompts, each different one embedded once."""
    different = list(dict.fromkeys(prompts))
    with torch.inference_mode():
        found = cast(Any, item.extractor).text_embeddings(different)
    place = {prompt: i for i, prompt in enumerate(different)}
    return found[torch.tensor([place[prompt] for prompt in prompts])]


def _measure(done: Evaluation, item: Item) -> Measurement:
    who, rows, real = _who(done, item), done.rows.get(item.label, torch.zeros(0)), done.real.rows
    if item.about.gathers == "features":
        damaged = {name: real[key] for name in ("shuffled", "frozen") if (key := f"{item.label}/{name}") in real}
        score = learned.frechet_score if item.metric in ("fvd", "fid") else learned.kernel_score
        return score(who, rows, real[item.label], damaged)
    if item.metric == "is":
        return learned.inception_measurement(who, rows)
    if item.about.kind == "text":
        return _measure_text(done, item, who, rows)
    told = done.told.prompts
    if item.metric in MOTION:
        at = [i.metric for i in done.plan.named(*MOTION)].index(item.metric)
        theirs = plain.columns(real["motion"])[at] if "motion" in real else []
        return plain.per_clip_score(who, plain.columns(done.rows["motion"])[at], told, theirs)
    if item.metric in PAIRED:
        at = [i.metric for i in done.plan.named(*PAIRED)].index(item.metric)
        return plain.per_clip_score(who, plain.columns(done.rows["pairs"])[at], [""] * done.counted.n)
    if item.metric == "seams":
        return plain.seams_score(who, done.stories.seams, done.stories.n)
    return _measure_judge(done, who)


def _measure_text(done: Evaluation, item: Item, who: Who, rows: Tensor) -> Measurement:
    prompts = _prompts(done, item)
    texts = _texts(item, prompts)
    if item.metric == "r-precision":
        return learned.r_precision_score(who, rows, texts, prompts)
    known = done.real.rows.get(f"rm/{item.label}")
    if item.metric == "clipsim":
        theirs = None if known is None else float(known.nanmean())
        return learned.clipsim_score(who, rows, texts, prompts, theirs)
    values = {} if known is None else dict(zip(dict.fromkeys(prompts), known.tolist(), strict=True))
    real = {prompt: value for prompt, value in values.items() if value == value}
    return learned.rm_score(who, clipsim(rows, texts).tolist(), prompts, real)


def _measure_judge(done: Evaluation, who: Who) -> Measurement:
    assert done.judged is not None
    if done.asked.wanted is not None:
        from storyreel.data.folder import DatasetFolder
        from storyreel.evaluate.judged_clips import told_by_caption

        told = told_by_caption(DatasetFolder.open(done.asked.wanted))
        for clip in done.told.clips:
            clip["wanted"] = told.get(clip["prompt"], {})
    wishes: list[Mapping[str, Any]] = [clip["wanted"] for clip in done.told.clips]
    judge: AnyJudge = done.judged.judge
    if any(wishes):
        check_known(judge, wishes)
    found, done.judge_report = plain.judged(who, judge, done.judged.seen, wishes)
    return found


def _who(done: Evaluation, item: Item) -> Who:
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
        name = done.asked.judge or world_of(done.asked, done.clips, done.real_clips)
        name = name.rstrip("/").rpartition("/")[2]
    if item.metric == "lpips":
        name = "vgg16"
    return Who(item.metric, name, extractor is None or extractor.trusted, rules, printed)
