"""The settings of a leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from storyreel.field_ranges import Range
from storyreel.options.declare import ConflictError, Options, Setting
from storyreel.options.evaluation import listed

PROMPTS, MEASURING = "Prompts", "How it is measured"
SOURCES = ("prompts", "benchmark", "world")
NO_PROMPTS = "applies to clips that are made now; expected --prompts, --benchmark or --world as well"


@dataclass(frozen=True, kw_only=True)
class LeaderboardOptions(Options):
    """Settings of a leaderboard, checked."""

    entries: Annotated[
        tuple[str, ...],
        Setting(
            "Models (names or folders), folders of clips, or reports of storyreel evaluate; NAME=RUN to name one.",
            argument=True, metavar="RUN...",
        ),
    ]  # fmt: skip
    out: Annotated[Path, Setting("Folder for the page, the table and the clips.", flags=("--out", "-o"))]
    by: Annotated[str, Setting("The score to sort by; the first one by default.")] = ""
    prompts: Annotated[Path | None, Setting("A file of prompts: .txt .jsonl .json .csv", panel=PROMPTS)] = None
    benchmark: Annotated[
        str, Setting("The prompts of a benchmark, such as moving-digits.", panel=PROMPTS, excludes=("prompts",))
    ] = ""
    world: Annotated[
        str,
        Setting(
            "Held-out combinations of a world, such as sprites.", panel=PROMPTS, excludes=("prompts", "benchmark"),
        ),
    ] = ""  # fmt: skip
    count: Annotated[
        int | None,
        Range(2, 10**6),
        Setting(
            "At most so many prompts, those of a benchmark evenly spread; 64 of a --world by default.",
            flags=("--num-prompts",), panel=PROMPTS, needs=SOURCES, lacks=NO_PROMPTS,
        ),
    ] = None  # fmt: skip
    seed: Annotated[
        int,
        Range(0, 2**63 - 1),
        Setting("Prompt i is made with this seed + i; 0 by default.", panel=PROMPTS, needs=SOURCES, lacks=NO_PROMPTS),
    ] = 0
    frames: Annotated[
        int | None,
        Range(1, 10**6),
        Setting(
            "Length of the clips; the models' own by default.", panel=PROMPTS, needs=SOURCES, lacks=NO_PROMPTS,
        ),
    ] = None  # fmt: skip
    real: Annotated[Path | None, Setting("Dataset folder (or folder) of real clips.", panel=MEASURING)] = None
    real_split: Annotated[
        str,
        Setting(
            "Only rows of this split of --real.", panel=MEASURING, needs=("real",), lacks="there are no real clips"
        ),
    ] = ""
    metrics: Annotated[
        tuple[str, ...], listed("As of storyreel evaluate; all that can be measured by default.", panel=MEASURING)
    ] = ()
    extractors: Annotated[
        tuple[str, ...],
        listed("Networks to measure with, separated by commas.", flags=("--extractor",), panel=MEASURING),
    ] = ()
    protocol: Annotated[str, Setting("As of storyreel evaluate.", panel=MEASURING)] = "storyreel"
    judge: Annotated[str, Setting("Who judges: a world, such as sprites, or a judge folder.", panel=MEASURING)] = ""
    workers: Annotated[int, Range(0, 1_024), Setting("Threads that decode; 2 by default.", panel=MEASURING)] = 2

    def check(self) -> None:
        if len(self.entries) < 2:
            raise ConflictError("entries", "expected two models or more")
