"""A character who stands: the frame of a made walk that stands, held for the length of the clip.

The worlds draw walks and no one who is idle; in the sheets that they are drawn from, a walk begins standing.
"""

from __future__ import annotations

import numpy as np

from storyreel.clip import Clip
from storyreel.worlds import World


def standing(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip with its standing frame alone, as often as it has frames, where the prompt says that somebody stands
    and nothing else; otherwise as it is. `meta` has `standing`: which frame that was. restated: as the model saw it."""
    found = _frame(world, prompt, restated)
    if found is None or found >= len(clip):
        return clip
    held = np.repeat(clip.frames[found : found + 1], len(clip), axis=0)
    return clip.replace(frames=held, meta={**clip.meta, "standing": found})


def _frame(world: World | None, prompt: str, restated: str) -> int | None:
    if world is None or world.sheet is None or world.read is None or world.stands is None or not world.stands(prompt):
        return None
    seen = world.read(restated)
    cycle = world.sheet.actions.get(seen.get("action", ""))
    return None if cycle is None else cycle.still.get(seen.get("facing", ""))
