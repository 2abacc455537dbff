"""Beards and mustaches that a prompt says and a model leaves out, drawn onto the faces of a clip (`World.bearded`)."""

from __future__ import annotations

from storyreel.clip import Clip
from storyreel.worlds import World


def with_facial_hair(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip with the facial hair that its prompt says; `meta` has `bearded`: which. restated: the prompt as the
    model saw it."""
    if world is None or world.bearded is None or world.read is None:
        return clip
    attributes = world.read(restated)
    if "facial_hair" not in attributes:
        return clip
    frames = world.bearded(clip.frames, attributes, prompt)
    if frames is clip.frames:  # a face that is not seen
        return clip
    return clip.replace(frames=frames, meta={**clip.meta, "bearded": attributes["facial_hair"]})
