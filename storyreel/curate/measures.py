"""What one pass over a film gives: transitions, the spans between them, raw scores of each span; and its settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storyreel.curate.footage import FilmInfo
from storyreel.curate.spans import Transition

Score = float | int | str | list | None


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """All that the raw numbers depend on, besides the bytes of the file.

    samples_per_second: how often motion, text, marks, bars and quality are looked at.
    flow_long_side: pixels of the longer side of the pictures that optical flow is found in.
    flow_step: seconds between the two frames of a pair whose flow is found.
    text_long_side: pixels of the longer side of the pictures in which text is looked for; 0 looks for none.
    trim: frames that a span loses at each end next to a gradual transition, besides a part of its length.
    max_pixels: of a frame; a larger film is refused. max_damaged: frames that may be damaged; more refuse the film.
    transnet: ONNX file of TransNetV2, which then says which transitions there are; see `transnet`.
    """

    samples_per_second: float = 2.0
    flow_long_side: int = 160
    flow_step: float = 0.25
    text_long_side: int = 320
    trim: int = 2
    max_pixels: int = 8192 * 8192
    max_damaged: int = 0
    transnet: str | None = None

    def __post_init__(self) -> None:
        for name in ("samples_per_second", "flow_step"):
            if not 0 < getattr(self, name) <= 60:
                raise ValueError(f"{name}: expected more than 0 and at most 60, got {getattr(self, name)}")
        for name, least in (("flow_long_side", 32), ("text_long_side", 0), ("trim", 0), ("max_pixels", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")

    def as_json(self) -> dict[str, Any]:
        """What measures depend on: a network counts by the bytes of its file, and not at all when there is none."""
        from storyreel.curate.footage import digest_of

        values = asdict(self)
        network = values.pop("transnet")
        return values if network is None else {**values, "transnet": digest_of(Path(network))}


@dataclass(frozen=True)
class MeasuredSpan:
    """Frames [start, end) of one shot, without any that a transition blends, and their raw scores by name."""

    start: int
    end: int
    scores: dict[str, Score]


@dataclass(frozen=True)
class FilmMeasures:
    """All that one pass over a film gave. doubts: what may be a transition and is left out of every span."""

    info: FilmInfo
    transitions: tuple[Transition, ...]
    spans: tuple[MeasuredSpan, ...]
    doubts: tuple[Transition, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "info": self.info.as_json(),
            "transitions": [asdict(transition) for transition in self.transitions],
            "spans": [asdict(span) for span in self.spans],
            "doubts": [asdict(doubt) for doubt in self.doubts],
        }

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> FilmMeasures:
        transitions = tuple(Transition(**each) for each in doc["transitions"])
        doubts = tuple(Transition(**each) for each in doc.get("doubts", ()))
        return cls(
            FilmInfo.from_json(doc["info"]), transitions, tuple(MeasuredSpan(**each) for each in doc["spans"]), doubts
        )
