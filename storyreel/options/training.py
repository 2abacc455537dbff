"""The settings of a training, beside those of its recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from storyreel.field_ranges import Range
from storyreel.options.declare import ConflictError, Options, Setting

RUNNING = "How it runs"


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """Settings of a training, checked. `sets` change the recipe, such as stages.tokenizer.steps=100."""

    recipe: Annotated[str, Setting("Name of a recipe, such as phenaki_sprites.", argument=True)]
    data: Annotated[
        tuple[str, ...],
        Setting("DIR[,WEIGHT], or a world, such as sprites:SHEETS?clips=60000&seed=7; may be repeated."),
    ] = ()
    out: Annotated[Path | None, Setting("Run folder; the same again resumes it.", flags=("--out", "-o"))] = None
    sets: Annotated[
        tuple[str, ...], Setting("Change the recipe: stages.tokenizer.steps=100; may be repeated.", flags=("--set",))
    ] = ()
    stage: Annotated[str | None, Setting("Train this stage alone; those of a cascade in any order.")] = None
    init: Annotated[Path | None, Setting("Start from the weights of a model folder or a run.")] = None
    minutes: Annotated[
        float | None,
        Range(0, 1e6, above=True),
        Setting("For all of it: the steps become as many as fit, and a model is there in time."),
    ] = None
    stages_at_once: Annotated[
        bool,
        Setting(
            "Train the stages of a cascade side by side.", flags=("--stages-at-once",),
            excludes={"stage": "trains all stages; stage names one of them"},
        ),
    ] = False  # fmt: skip
    text: Annotated[
        Path | None, Setting("Folder of a packed text encoder, of `storyreel models text`.", panel=RUNNING)
    ] = None
    log: Annotated[
        tuple[Literal["wandb", "trackio", "mlflow"], ...],
        Setting("Send numbers and contact sheets to wandb, trackio or mlflow as well; may be repeated.", panel=RUNNING),
    ] = ()
    cache: Annotated[Path | None, Setting("Where prepared data is kept.", panel=RUNNING)] = None
    parallel: Annotated[Literal["ddp", "fsdp"], Setting("Under torchrun: ddp or fsdp.", panel=RUNNING)] = "ddp"
    device: Annotated[str, Setting("cpu, cuda, ... or auto; auto by default.", panel=RUNNING)] = "auto"
    threads: Annotated[int | None, Range(1, 10_000), Setting("CPU threads.", panel=RUNNING)] = None

    def check(self) -> None:
        if not self.data:
            raise ConflictError("data", "expected a dataset folder")
        if self.out is None:
            raise ConflictError("out", "expected a run folder")
