"""What may be asked of an evaluation, and of the training of a judge: the only lists of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from storyreel.field_ranges import Range
from storyreel.names import expanded
from storyreel.options.declare import ConflictError, Options, Setting, names

REAL, JUDGE, RUNNING = "Real clips", "The judge alone", "How it runs"
ALONE = "belongs to the judge alone, without real clips, metrics, extractors, a protocol and a report"


def _weights(value: Any, name: str) -> dict[str, Path]:
    """ "FILE" or "NAME=FILE,NAME=FILE", or a mapping -> name -> file; "" is the name where none is given."""
    if isinstance(value, Mapping):
        return {str(key): expanded(file) for key, file in value.items()}
    found: dict[str, Path] = {}
    for part in names(str(value) if isinstance(value, Path) else value, name):
        extractor, equals, file = part.partition("=")
        found[extractor if equals else ""] = expanded(file if equals else part)
    return found


def listed(help: str, **more: Any) -> Setting:
    return Setting(help, read=names, write=list, text=str, **more)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """Settings of an evaluation, checked. Without metrics, everything is measured that can be with what is here."""

    clips: Annotated[Path, Setting("Folder of generated clips, or a dataset folder.", argument=True)]
    real: Annotated[Path | None, Setting("Dataset folder (or folder) of real clips.", panel=REAL)] = None
    metrics: Annotated[
        tuple[str, ...],
        listed(
            "Some of fvd, fid, kid, kvd, is, clipsim, rm, r-precision, flicker, jitter, sticking, dynamic, smoothness, "
            "periodicity, seams, psnr, ssim, lpips, judge; by default all that can be measured."
        ),
    ] = ()
    extractors: Annotated[
        tuple[str, ...], listed("Networks to measure with, separated by commas.", flags=("--extractor",))
    ] = ()
    protocol: Annotated[
        str, Setting("storyreel, stylegan-v-fvd16, stylegan-v-fvd128, tf-original, ucf101-zero-shot, or a JSON file.")
    ] = "storyreel"
    weights: Annotated[
        Mapping[str, Path] | None,
        Setting("File of an extractor's weights, or NAME=FILE,NAME=FILE.", read=_weights, text=str),
    ] = None
    judge: Annotated[str, Setting("Who judges: a world, such as sprites, or a judge folder; alone: only that.")] = ""
    expected: Annotated[
        Path | None,
        Setting("Dataset folder whose captions were the prompts of CLIPS.", flags=("--expected", "--wanted")),
    ] = None
    split: Annotated[str, Setting("Only rows of this split of CLIPS (or --expected): train, held_out.")] = ""
    limit: Annotated[int | None, Range(1, 10**9), Setting("At most this many clips.")] = None
    real_split: Annotated[
        str, Setting("Only rows of this split of --real.", panel=REAL, needs=("real",), lacks="there are no real clips")
    ] = ""
    controls: Annotated[bool, Setting("Also measure damaged real clips; controls by default.", panel=REAL)] = True
    cache: Annotated[bool, Setting("Keep what real clips gave for the next run; cache by default.", panel=REAL)] = True
    attributes: Annotated[
        tuple[str, ...],
        listed(
            "Only these, separated by commas.",
            panel=JUDGE,
            excludes=dict.fromkeys(("real", "metrics", "extractors", "protocol", "out"), ALONE),
        ),
    ] = ()
    out: Annotated[Path | None, Setting("Folder for the report.", flags=("--out", "-o"))] = None
    batch: Annotated[int, Range(1, 1_024), Setting("Clips that a network sees at a time.", panel=RUNNING)] = 16
    workers: Annotated[int, Range(0, 1_024), Setting("Threads that decode.", panel=RUNNING)] = 2

    @property
    def judge_alone(self) -> bool:
        """Whether the judge's verdicts are all that is asked for."""
        more = ("real", "metrics", "extractors", "protocol", "weights", "out")
        return bool(self.judge or self.attributes) and not any(self.is_set(name) for name in more)

    @property
    def files(self) -> dict[str, Path]:
        """Extractor -> the file of its weights."""
        return {name or self.extractors[0]: file for name, file in (self.weights or {}).items()}

    def check(self) -> None:
        if "" in (self.weights or {}) and len(self.extractors) != 1:
            raise ConflictError("weights", "FILE needs one extractor; with several, NAME=FILE,NAME=FILE")
        for name in ("controls", "cache", "batch", "workers"):
            if self.is_set(name) and self.judge_alone:
                raise ConflictError(name, "does not apply to the judge alone")


@dataclass(frozen=True, kw_only=True)
class JudgeTraining(Options):
    """How long, how fast, and on what."""

    steps: Annotated[int, Range(1, 10**7), Setting("Training steps; 4000 by default.", flags=("--train-steps",))] = 4000
    batch: Annotated[int, Range(1, 10**6), Setting("Clips a step; 64 by default.")] = 64
    lr: Annotated[float, Range(0, 10, above=True), Setting("Peak learning rate; 0.002 by default.")] = 2e-3
    channels: Annotated[int, Range(1, 4), Setting("1 grey, 3 colour, 4 and alpha; 4 by default.")] = 4
    seed: Annotated[int, Range(0, 2**63 - 1), Setting("Of the training; 0 by default.")] = 0
    attributes: Annotated[
        tuple[str, ...],
        listed("Only these, separated by commas; else what the world says is judged, or all that have classes."),
    ] = ()
    weight_decay: float = 0.02
    warmup: int = 100
    shift: int = 1  # pixels that a clip is moved by at most, so that the judge forgives a model's small misplacements
    size: int | None = None  # pixels; None is the size of the dataset's first clip
    frames: int | None = None
