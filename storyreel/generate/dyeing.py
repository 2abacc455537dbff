"""Garments in a color that no clip of the model's world has: drawn in another (`World.dyed`), and dyed when made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.crisp import figure
from storyreel.worlds import World
from storyreel.worlds.garment_dye import Dye

WORN = ("torso", "legs", "feet")  # attributes of which nothing is about the eyes


def dyes_of(prompt: str, drawn: Mapping[str, str], world: World) -> Sequence[Dye]:
    """How what is drawn is dyed."""
    return world.dyed(prompt, drawn)[1] if world.dyed else ()


def dyed(clip: Clip, world: World | None, prompt: str, restated: str) -> Clip:
    """The clip in the colors that the prompt says. `meta` has `dyed`: attribute -> color. restated: as the model saw
    it."""
    if world is None or world.dyed is None or world.read is None or not prompt:
        return clip
    dyes = dyes_of(prompt, world.read(restated), world)
    if not dyes:
        return clip
    meta = {**clip.meta, "dyed": {dye.attribute: dye.color for dye in dyes}}
    return clip.replace(frames=dyed_frames(clip.frames, dyes, world, world.read(restated)), meta=meta)


def dyed_frames(frames: np.ndarray, dyes: Sequence[Dye], world: World, seen: Mapping[str, str]) -> np.ndarray:
    """`in_dyes`, of frames of one action from its beginning on that show `seen`; garments have no part in eyes."""
    out, spared = frames, world.eyes(frames, seen) if world.eyes is not None else np.zeros(frames.shape[:3], bool)
    for dye in dyes:
        before, out = out, in_dyes(out, [dye])
        if dye.attribute in WORN:
            out[spared] = before[spared]
    return out


def in_dyes(frames: np.ndarray, dyes: Sequence[Dye]) -> np.ndarray:
    """uint8 (t, h, w, 3 or 4) -> the same, dyed. Alpha stays, and so does the background."""
    there, out = figure(frames, least=1), frames.copy()
    for top in sorted({dye.top for dye in dyes}):
        part = there.copy()
        part[:, :top] = False
        seen, which = np.unique(out[part][:, :3], axis=0, return_inverse=True)
        for dye in (dye for dye in dyes if dye.top == top):
            seen = dye(seen)
        out[part, :3] = seen[which.reshape(-1)]
    return out
