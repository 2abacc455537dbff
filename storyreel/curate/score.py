"""A curation score, declared: what is measured of a span, how it is judged, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from storyreel.curate.measures import MeasureSettings
    from storyreel.curate.motion import FlowSpeeds
    from storyreel.curate.samples import Sample

FEW_PAIRS = 4
"""Pairs of pictures of a span whose flow is found; of a span with many, every other pair."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A score is wanted from `min` to `max`, both included; None asks for nothing."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, kw_only=True)
class MotionLimit(Limit):
    """`min`, `max`: of the optical flow. A clip is static only when flow *and* frame difference are below theirs.

    Either alone is fooled: flow sees nothing move in smooth gradients or in the dark, and frame difference takes
    noise for motion.
    """

    difference_min: float | None = 0.5


@dataclass
class Seen:
    """What one pass over a film saw of the frames [start, end) of a span.

    samples: its moments; change: mean difference of each frame but the first from the one before, levels.
    lit: (top, bottom, left, right) of what is not a black bar, in the pictures in which text is looked for.
    """

    samples: list[Sample]
    end: int
    change: np.ndarray
    settings: MeasureSettings
    lit: tuple[int, int, int, int] = (0, 0, 0, 0)
    pictures: list[Sample] = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = [sample for sample in self.samples if sample.luma is not None]

    @cached_property
    def motions(self) -> list[FlowSpeeds]:
        """Flow is the dearest of the scores: of a long span only some pairs are looked at, evenly spread."""
        from storyreel.curate.motion import motion_of
        from storyreel.curate.samples import spread

        pairs = [sample.pair for sample in self.samples if sample.pair is not None and sample.until < self.end]
        most = max(FEW_PAIRS, (len(pairs) + 1) // 2)
        return [motion_of(*pairs[index]) for index in spread(len(pairs), most)]

    @cached_property
    def still(self) -> tuple[float, float]:
        """Shares of the frames that stand still, and that repeat the one before."""
        from storyreel.curate.motion import still_shares

        frozen, repeated = still_shares(self.change)
        return round(frozen, 6), round(repeated, 6)

    @property
    def differences(self) -> list[float]:
        return [sample.difference for sample in self.samples[1:] if sample.difference is not None]

    @property
    def shakes(self) -> list[float]:
        return [s.shake for s in self.samples if s.shake is not None and s.index + 2 < self.end]

    @property
    def text(self) -> float | None:
        from storyreel.curate.samples import text_of

        return text_of(self.pictures) if self.pictures and self.settings.text_long_side else None

    @property
    def marks(self) -> float | None:
        from storyreel.curate.overlay import mark_share
        from storyreel.curate.samples import spread

        lumas = [sample.luma for sample in self.pictures if sample.luma is not None]
        return round(mark_share([lumas[i] for i in spread(len(lumas), 12)], self.lit), 6) if lumas else None


@dataclass(frozen=True, kw_only=True)
class CurationScore:
    """One score. A file of `storyreel.curate.scores` declares it, and tables, limits, card and page have it.

    name: of its limit, as in `--set text.max=0.1`; column: of spans.parquet. limit: the default one; None: only stored.
    step: of `--only`; without it the score judges nothing. measure: of a span in the one pass over its film; None
    where the row itself or a model says it. help, unit: as in "mean optical flow, pixels a second".
    excused_by: a column which, at `difference_min` or above, makes up for a value below `min`. order: of columns.
    """

    name: str
    column: str
    help: str
    unit: str = ""
    order: int
    limit: Limit | None = Limit()
    step: str = "cuts"
    measure: Callable[[Seen], float | None] | None = None
    excused_by: str = ""

    @property
    def says(self) -> str:
        return f"{self.help}, {self.unit}" if self.unit else self.help

    @property
    def off(self) -> Limit:
        """A limit that asks for nothing."""
        return type(self.limit or Limit())(**dict.fromkeys(f.name for f in fields(self.limit or Limit())))


def mean(values: Iterable[float]) -> float | None:
    """To six digits; None where nothing was measured."""
    found = list(values)
    return round(float(np.mean(found)), 6) if found else None
