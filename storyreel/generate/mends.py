"""What a model loses in motion, as it draws it elsewhere in the same clip (`World.mended`)."""

from __future__ import annotations

from storyreel.clip import Clip
from storyreel.worlds import World


def mended(clip: Clip, world: World | None, restated: str) -> Clip:
    """The clip as its world mends it. restated: the prompt as the model saw it."""
    if world is None or world.mended is None or world.read is None:
        return clip
    return clip.replace(frames=world.mended(clip.frames, world.read(restated)))
