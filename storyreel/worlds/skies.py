"""World `skies`: a landscape under a moving sky, as a time lapse shows it. Ours, drawn from closed forms; CC0.

Clouds (kind, cover, speed, direction) over a sea, a lake, hills, mountains or a city; dawn, noon, dusk or night; sun,
moon or stars; rain or snow. A frame depends on (seed, index) and its time alone, so any part of a clip of any length
can be drawn without what comes before it (`Skies.window`), at 64 to 256 pixels.

Training never has the pairs (land, time) for which `held_out` is true; every clip of the split `held_out` has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from storyreel.worlds import World
from storyreel.worlds.attribute_words import attributes_in
from storyreel.worlds.scene_maker import LICENCE, SceneMaker
from storyreel.worlds.skies_draw import draw, held_out
from storyreel.worlds.skies_render import render
from storyreel.worlds.skies_words import ATTRIBUTES, GRAMMAR

__all__ = ["WORLD", "Skies", "held_out"]


@dataclass(frozen=True, kw_only=True)
class Skies(SceneMaker):
    """Makes clips of the world. `attributes` of a row has, besides the words' values: `wind`, how fast clouds move to
    the right and nearer, in units of their height a second; `altitude` of the sun or the moon over the horizon and
    `place` across, in each frame, in picture heights and widths; `horizon`, the same from the top."""

    grammar = GRAMMAR
    draw = staticmethod(draw)
    render = staticmethod(render)


_COVER = re.compile(r"\b(clouds?|cloudlets|cumulus|cirrus|wisps?)\b")


def read(prompt: str) -> dict[str, str]:
    """Attribute -> value that the prompt says: a few clouds, but not a few seagulls."""
    found = attributes_in(prompt, ATTRIBUTES)
    if "cover" in found and not _COVER.search(prompt.lower()):
        del found["cover"]
    return found


WORLD = World(
    name="skies",
    maker=Skies,
    attributes=ATTRIBUTES,
    say=Skies.say,
    describe=Skies.describe,
    read=read,
    caption=Skies.restated,
    licence=LICENCE,
)
