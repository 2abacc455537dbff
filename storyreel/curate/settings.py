"""How footage is curated, all but the thresholds; and where the work is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from storyreel.curate.captions import DEFAULT, check_kinds
from storyreel.curate.export import Export
from storyreel.curate.measures import MeasureSettings
from storyreel.curate.model_work import ModelSettings
from storyreel.curate.requirements import missing
from storyreel.curate.supervise import Job, Outcome, RetryPolicy, call_watched, run_watched


@dataclass(frozen=True, kw_only=True)
class CurationSettings:
    """Everything but the thresholds. `measure` and most of `export` belong to a dataset folder for good."""

    measure: MeasureSettings = field(default_factory=MeasureSettings)
    export: Export = field(default_factory=Export)
    watch: RetryPolicy = field(default_factory=RetryPolicy)
    captions: tuple[str, ...] = DEFAULT
    models: ModelSettings = field(default_factory=ModelSettings)
    sidecars: str | None = None  # folder of sidecar files, where they do not lie beside the films

    def __post_init__(self) -> None:
        check_kinds(self.captions)

    def lasting(self) -> dict[str, Any]:
        """What a dataset folder is bound to, JSON values."""
        return {"measure": self.measure.as_json(), "export": self.export.lasting()}


@dataclass(frozen=True)
class Execution:
    """What runs the jobs: "local" (watched processes) or "ray", and how many at a time."""

    engine: str = "local"
    workers: int | None = None

    def run(
        self,
        function: Job,
        items: Sequence[Any],
        watch: RetryPolicy,
        on_result: Callable[[int, Outcome], None],
        on_beat: Callable[[int, int], None] = lambda index, frames: None,
    ) -> None:
        if not items:
            return
        try:
            self._run(function, items, watch, on_result, on_beat)
        except ImportError as error:
            raise missing(error) from None

    def _run(
        self,
        function: Job,
        items: Sequence[Any],
        watch: RetryPolicy,
        on_result: Callable[[int, Outcome], None],
        on_beat: Callable[[int, int], None],
    ) -> None:
        if self.engine == "local":
            from storyreel.engine import cores

            run_watched(
                function, items, workers=self.workers or cores(), watch=watch, on_result=on_result, on_beat=on_beat
            )
        else:
            from storyreel.engine import get_engine

            get_engine(self.engine, self.workers).run(
                partial(call_watched, function, watch), items, on_result=on_result
            )
