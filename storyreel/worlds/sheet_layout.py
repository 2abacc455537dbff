"""How a world lays out a sheet of one character: which animations there are, and what is seen in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Attributes = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class DrawnCycle:
    """The frames of an action: `steps` drawings, a clip of the world being a cycle that is resampled to its frames.

    still: facing -> the frame of a clip that stands in the columns before the cycle; {} where there are none.
    facings: those that are drawn. repeats: it goes round, as a walk does.
    """

    steps: int
    facings: tuple[str, ...]
    still: Mapping[str, int]
    repeats: bool = False

    def frames_of(self, count: int) -> list[int]:
        """For each step, the frame of a clip of `count` frames that shows it, or is nearest to it in time."""
        shown = [(2 * i + 1) * self.steps // (2 * count) for i in range(count)]
        return [min(range(count), key=lambda i: (abs(shown[i] - step), i)) for step in range(self.steps)]


@dataclass(frozen=True, kw_only=True)
class SheetLayout:
    """The animations of a character, in the order of the rows of the world's own layout.

    columns: of the layout. dressed: what is said of a character, random numbers -> all its attributes without action
    and facing, in clothes that every action has. posed: those, action, facing -> what is seen.
    """

    actions: Mapping[str, DrawnCycle]
    facings: tuple[str, ...]
    columns: int
    dressed: Callable[[Attributes, np.random.Generator], dict[str, str]]
    posed: Callable[[Attributes, str, str], dict[str, str]]

    def rows(self, actions: Sequence[str]) -> list[tuple[str, str]]:
        """(action, facing) of each animation that is drawn of these actions, in the order of the layout."""
        return [(action, facing) for action, cycle in self.actions.items() if action in actions
                for facing in cycle.facings]  # fmt: skip

    def number(self, action: str, facing: str) -> int:
        """Which row of the whole layout an animation has, whatever else is drawn."""
        return self.rows(list(self.actions)).index((action, facing))
