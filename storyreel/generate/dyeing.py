"""Garments in a color that no clip of the model's world has: drawn in another (`World.dyed`), and dyed when made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storyreel.clip import Clip
from storyreel.worlds import World
from storyreel.worlds.garment_dye import Dye


def drawn_to_be_dyed(prompt: str, attributes: Mapping[str, str], world: World) -> dict[str, str]:
    """The attributes, with garments in the colors that they are drawn in."""
    return dict(world.dyed(prompt, attributes)[0] if world.dyed else attributes)


def dyes_of(prompt: str, drawn: Mapping[str, str], world: World) -> Sequence[Dye]:
    """How what is drawn is dyed."""
    return world.dyed(prompt, drawn)[1] if world.dyed else ()


def dyed(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip in the colors that the prompt says. `meta` has `dyed`: attribute -> color. restated: as the model saw
    it."""
    if world is None or world.dyed is None or world.read is None or not prompt:
        return clip
    dyes = dyes_of(prompt, world.read(restated), world)
    for dye in dyes:
        clip = clip.replace(frames=dye(clip.frames))
    return clip.replace(meta={**clip.meta, "dyed": {dye.attribute: dye.color for dye in dyes}}) if dyes else clip
