"""What a model loses in motion, as it draws it elsewhere in the same clip (`World.mended`)."""

from __future__ import annotations

from storyreel.clip import Clip
from storyreel.worlds import World


def mended(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip as its world mends it. restated: the prompt as the model saw it."""
    if world is None or world.mended is None or world.read is None:
        return clip
    return clip.replace(frames=world.mended(clip.frames, world.read(restated), prompt))


def mirrored(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip as its prompt says it faces; `meta` has `mirrored` where a model draws it the other way round."""
    if (
        world is None
        or world.mirrored is None
        or world.read is None
        or not world.mirrored(prompt, world.read(restated))[1]
    ):
        return clip
    return clip.replace(frames=clip.frames[:, :, ::-1].copy(), meta={**clip.meta, "mirrored": True})
