"""What a metric is: a declaration that everything else about metrics is derived from.

A metric is one file of `metrics/` with `METRICS`, a tuple of declarations. `compute` gets `Inputs`: the rows that were
gathered for it, and what is known of the clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import torch
from torch import Tensor

from storyreel.evaluate.protocols import Protocol
from storyreel.evaluate.scores import Direction, Score

if TYPE_CHECKING:
    from storyreel.evaluate.evaluation import Evaluation
    from storyreel.evaluate.motion import Moving
    from storyreel.evaluate.planning import PlannedMetric

PerClip: TypeAlias = "Callable[[Moving], float]"
Paired: TypeAlias = Callable[[Mapping[str, Path]], Callable[[Tensor, Tensor], float]]


@dataclass(frozen=True)
class Measurement:
    """A score, and the value of each clip that stands behind it (NaN where a clip has none)."""

    score: Score
    per_clip: tuple[float, ...] = ()
    real_values: tuple[float, ...] = ()

    def with_interval(self, interval: tuple[float, float]) -> Measurement:
        return replace(self, score=replace(self.score, interval=interval))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """name: as `--metrics` has it. direction: which value is better. compute: of what was gathered, its measurement.

    gathers: what an extractor has to give, and kind: of which sort it must be; "" for metrics without an extractor.
    real: needs real clips. captioned: real clips of each prompt are looked at, too.
    per_clip: a measure of each clip's frames, of made and real clips alike. paired: weights -> a measure of a clip and
    the real clip of the same name. default: measured where nobody names metrics. order: among the others, on reports.
    """

    name: str
    direction: Direction
    compute: Callable[[Inputs], Measurement]
    gathers: Literal["features", "logits", "frames", "videos", ""] = ""
    kind: Literal["video", "frame", "text", ""] = ""
    real: bool = False
    captioned: bool = False
    per_clip: PerClip | None = None
    paired: Paired | None = None
    default: bool = True
    order: int = 1000


@dataclass(frozen=True)
class Who:
    """What a score's name, trust and fingerprint are made of."""

    metric: str
    extractor: str
    trusted: bool
    rules: Protocol
    direction: Direction
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    def score(self, value: float, n: int, **more: Any) -> Score:
        name = f"{self.metric}[{self.extractor}]" if self.extractor else self.metric
        usual = {"trusted": self.trusted, "protocol": self.rules.label, "fingerprint": {**self.fingerprint, "n": n}}
        return Score(name, value, n, self.direction, **{**usual, **more})


@dataclass(frozen=True)
class Inputs:
    """What a metric is computed from."""

    evaluation: Evaluation
    item: PlannedMetric
    who: Who

    @property
    def rows(self) -> Tensor:
        """(n, ...): what the metric's extractor gave, a row a clip."""
        return self.evaluation.rows.get(self.item.label, torch.zeros(0))

    @property
    def real(self) -> Tensor:
        """The same of the real clips."""
        return self.evaluation.real.rows[self.item.label]

    @property
    def damaged(self) -> dict[str, Tensor]:
        """The same of real clips with their frames shuffled, or frozen."""
        rows, label = self.evaluation.real.rows, self.item.label
        return {name: rows[key] for name in ("shuffled", "frozen") if (key := f"{label}/{name}") in rows}

    def column(self, rows: Mapping[str, Tensor], label: str, names: tuple[str, ...]) -> list[float]:
        """This metric's column of rows that hold one a name; [] where there are none."""
        return rows[label][:, names.index(self.item.metric)].tolist() if label in rows else []

    def prompts(self) -> list[str]:
        """The prompt of each clip. ValueError where a clip has none."""
        done = self.evaluation
        without = [clip["file"] for clip in done.clip_rows.clips if not clip["prompt"]]
        if without:
            raise ValueError(
                f"{self.item.metric}: {len(without)} of {done.counted.n} clips have no prompt in their metadata and no "
                f"caption, the first is {without[0]}"
            )
        return done.clip_rows.prompts

    def texts(self, prompts: list[str]) -> Tensor:
        """Embeddings (n, d) of prompts, each different one embedded once."""
        different = list(dict.fromkeys(prompts))
        with torch.inference_mode():
            found = cast(Any, self.item.extractor).text_embeddings(different)
        place = {prompt: i for i, prompt in enumerate(different)}
        return found[torch.tensor([place[prompt] for prompt in prompts])]

    @property
    def captioned(self) -> Tensor | None:
        """CLIPSIM of the real clip of each different prompt, NaN where there is none; None where none was looked at."""
        return self.evaluation.real.rows.get(f"captioned/{self.item.label}")
