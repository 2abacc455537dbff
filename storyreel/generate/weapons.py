"""Weapons that a prompt says and a model has seen too little of: it draws another, and they are drawn over it
(`World.armed`)."""

from __future__ import annotations

from storyreel.clip import Clip
from storyreel.generate.crisp import without_pieces
from storyreel.worlds import World

LOOSE = 60  # pixels; a smaller piece beside the figure is what is left of a weapon


def with_weapon(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip with the weapon that its prompt says; `meta` has `armed`: which. restated: as the model saw it."""
    if world is None or world.armed is None or world.read is None or not prompt:
        return clip
    over = world.armed(prompt, world.read(restated))[1]
    if over is None:
        return clip
    return clip.replace(frames=over(clip.frames), meta={**clip.meta, "armed": over.kind})


def without_remains(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip without what a model draws of a weapon beside the figure, where `with_weapon` draws another."""
    armed = world.armed(prompt, world.read(restated))[1] if world and world.armed and world.read and prompt else None
    return clip if armed is None else clip.replace(frames=without_pieces(clip.frames, LOOSE))
