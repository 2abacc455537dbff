"""Headgear that a prompt says and a model has never seen: it draws a bare head, and that is drawn onto it
(`World.topped`)."""

from __future__ import annotations

from storyreel.clip import Clip
from storyreel.worlds import World


def with_hat(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip with the headgear that its prompt says; `meta` has `topped`: which. restated: as the model saw it."""
    if world is None or world.topped is None or world.read is None or not prompt:
        return clip
    over = world.topped(prompt, world.read(restated))[1]
    return clip.replace(frames=over(clip.frames), meta={**clip.meta, "topped": over.kind}) if over else clip
