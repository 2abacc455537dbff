"""What a model can make: its size, length and rate, and the options that it refuses, as its model.json says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from storyreel.numbers import frame_rate, whole

MAX_SCALE = 16  # times a model's own size
MAX_SIDE = 1024  # pixels of a video that is enlarged
SERVED_BY_PIPELINES = frozenset({"lora", "tiling", "layerwise", "step_cache"})
"""Options that pipelines of the hub alone can serve. A `model.json` that says what its model makes need not name them:
it is of a system of ours."""
LARGEST = 1_000_000  # pixels or frames that a model.json may say


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """Width and height in pixels, frames and rate of a usual video; None where they are not known.

    max_frames: of a video of that size. any_size: it makes other sizes as well, whose sides are multiples of `multiple`
    and at most `max_side`. cannot: names of options that it refuses. needs: the option without which it makes nothing,
    such as "image"; None where a sentence is enough.
    """

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: Fraction | None = None
    max_frames: int | None = None
    any_size: bool = False
    multiple: int | None = None
    max_side: int | None = None
    cannot: frozenset[str] = frozenset()
    needs: str | None = None

    @property
    def sizes(self) -> list[str]:
        """The sizes that videos may have, as "WxH": its own, and those that are whole multiples of it."""
        if self.width is None or self.height is None:
            return []
        factors = [f for f in range(1, MAX_SCALE + 1) if f == 1 or max(self.width, self.height) * f <= MAX_SIDE]
        return [f"{self.width * f}x{self.height * f}" for f in factors]

    def makes_size(self, width: int, height: int) -> bool:
        """Whether a model that makes any size makes this one."""
        step = self.multiple or 1
        return not width % step and not height % step and max(width, height) <= (self.max_side or LARGEST)

    def as_json(self) -> dict[str, Any]:
        """JSON values, without those that are not known."""
        values = {**vars(self), "fps": self.fps and str(self.fps), "cannot": sorted(self.cannot)}
        return {name: value for name, value in values.items() if value not in (None, False, [])}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Abilities:
        """From what `as_json` gave. ValueError names a value that cannot be."""
        sizes = ("width", "height", "frames", "max_frames", "multiple", "max_side")
        found: dict[str, Any] = {name: whole(values[name], name, 1, LARGEST) for name in sizes if name in values}
        if "fps" in values:
            found["fps"] = frame_rate(values["fps"])
        cannot, needs = values.get("cannot", []), values.get("needs")
        if not isinstance(cannot, list) or not all(isinstance(name, str) for name in (*cannot, needs or "")):
            raise ValueError("makes: expected names of options in cannot and needs")
        return cls(**found, any_size=values.get("any_size") is True, cannot=frozenset(cannot), needs=needs)
