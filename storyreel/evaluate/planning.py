"""Which metric stands on which network, and what cannot be measured and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.evaluate.judge_registry import find_judge
from storyreel.evaluate.metric import Metric
from storyreel.evaluate.metrics import default_metrics, metrics, named, paired_metrics, per_clip_metrics
from storyreel.evaluate.protocols import Protocol
from storyreel.evaluate.sources import ClipFolder
from storyreel.options.evaluation import EvaluateOptions
from storyreel.wording import counted
from storyreel.worlds import named_in, names

if TYPE_CHECKING:
    from storyreel.evaluate.extractors import Extractor


@dataclass(frozen=True)
class PlannedMetric:
    """A metric to measure. `extractor` is None where it stands on none."""

    about: Metric
    extractor: Extractor | None = None

    @property
    def metric(self) -> str:
        return self.about.name

    @property
    def label(self) -> str:
        """Of the rows that it wants, as `gather.Network` calls them."""
        return "" if self.extractor is None else f"{self.extractor.name}/{self.about.gathers}"


@dataclass
class MetricPlan:
    items: list[PlannedMetric] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def named(self, *metrics: str) -> list[PlannedMetric]:
        return [item for item in self.items if item.metric in metrics]

    @property
    def per_clip(self) -> tuple[str, ...]:
        """The metrics that measure each clip's frames, in the order of their columns."""
        return tuple(item.metric for item in self.named(*per_clip_metrics()))

    @property
    def paired(self) -> tuple[str, ...]:
        """The same of those that compare with the real clip of the same name."""
        return tuple(item.metric for item in self.named(*paired_metrics()))


def make_plan(options: EvaluateOptions, rules: Protocol, clips: ClipFolder, real: ClipFolder | None) -> MetricPlan:
    """ValueError for a metric that was asked for by name and cannot be measured; others are skipped, with a reason."""
    plan, loaded = MetricPlan(), Loaded(options.files)
    world = world_of_clips(options, clips, real)
    for metric in named(options.metrics) or default_metrics():
        try:
            plan.items += _items(metric, options, rules, world, loaded, len(clips.sources), real)
        except (ValueError, OSError) as error:
            if options.metrics:
                raise
            plan.skipped[metric] = str(error).removeprefix(f"{metric}: ")
    return plan


def _items(
    metric: str, options: EvaluateOptions, rules: Protocol, world: str, loaded: Loaded, n: int, real: ClipFolder | None
) -> list[PlannedMetric]:
    about = metrics()[metric]
    if about.real and real is None:
        raise ValueError(f"{metric}: needs real clips, --real DATASET")
    if about.real and about.gathers == "features" and n < rules.minimum:
        raise ValueError(f"{metric}: {counted(n, 'clip')}, {rules.name} needs at least {rules.minimum}")
    if not about.gathers:
        if metric == "judge" and not (options.judge or world):
            raise ValueError(f"judge: nothing says which world these clips are of; name --judge {' or '.join(names())}")
        if metric == "judge":
            find_judge(options.judge or world)  # or says that there is none
        return [PlannedMetric(about)]
    fitting = [loaded[name] for name in options.extractors if fits(loaded[name], about)]
    if options.extractors and not fitting and options.metrics:
        raise ValueError(f"{metric}: {', '.join(options.extractors)} cannot give it; it needs {_kind(about)}")
    if not fitting:
        name = rules.extractor(metric)
        if name == "world":
            if not world:
                raise ValueError(f"{metric}: nothing says which world these clips are of; name an --extractor")
            name = f"{world}-v1"
        fitting = [loaded[name]]
    return [PlannedMetric(about, extractor) for extractor in fitting]


class Loaded(dict[str, "Extractor"]):
    """Extractors by name, each loaded once."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        super().__init__()
        self.weights = weights

    def __missing__(self, name: str) -> Extractor:
        from storyreel.evaluate.extractors import load_extractor

        self[name] = load_extractor(name, weights=self.weights.get(name))
        return self[name]


def fits(extractor: Extractor, about: Metric) -> bool:
    """Whether an extractor gives what a metric wants."""
    if about.kind == "text":
        return hasattr(extractor, "text_embeddings")
    if about.gathers == "logits":
        return _has_classes(extractor)
    return extractor.kind == about.kind


def _has_classes(extractor: Extractor) -> bool:
    """Only asking tells: an encoder has `logits` too, and refuses."""
    import torch

    blank = torch.zeros(1, max(2, extractor.min_frames), 64, 64, 3, dtype=torch.uint8)
    try:
        with torch.inference_mode():
            extractor.logits(blank)
    except (ValueError, AttributeError):
        return False
    return True


def _kind(about: Metric) -> str:
    return {"text": "one of text and video", "": "one with classes"}.get(about.kind, f"one of {about.kind}s")


def world_of_clips(options: EvaluateOptions, clips: ClipFolder, real: ClipFolder | None) -> str:
    """By the folders, the judge's name, or the model that made the first clip; "" where none says."""
    from storyreel import video_io
    from storyreel.data.folder import world_of

    of_prompts = world_of(options.expected) if options.expected else ""
    candidates = [clips.world, real.world if real else "", of_prompts, options.judge]
    found = next((world for world in candidates if world in names()), "")
    if not found:
        try:
            found = named_in(str((video_io.read_meta(clips.sources[0].file) or {}).get("model") or ""))
        except (ValueError, OSError):
            found = ""
    return found
