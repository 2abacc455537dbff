"""World `road`: a drive as the driver sees it. Ours, drawn from closed forms; CC0.

A road with lines and bends over hills or level ground, through a forest, fields, a village, a desert or a city; by day,
at dusk or at night; in rain, snow or fog; cars that come, that are passed, or one that drives ahead. How fast we drive
and how the road bends are known in every frame. A frame depends on (seed, index) and its time alone, so any part of a
clip of any length can be drawn without what comes before it (`Road.window`), at 64 to 256 pixels.

Training never has the pairs (place, time) for which `held_out` is true; every clip of the split `held_out` has one.
"""

from __future__ import annotations

from dataclasses import dataclass

from storyreel.worlds import World
from storyreel.worlds.attribute_words import attributes_in
from storyreel.worlds.road_draw import draw, held_out
from storyreel.worlds.road_render import render
from storyreel.worlds.road_words import ATTRIBUTES, GRAMMAR
from storyreel.worlds.scene_maker import LICENCE, SceneMaker

__all__ = ["WORLD", "Road", "held_out"]


@dataclass(frozen=True, kw_only=True)
class Road(SceneMaker):
    """Makes clips of the world. `attributes` of a row has, besides the words' values, in each frame `ego_speed` (m/s),
    `way` (metres driven since the clip's beginning), `curvature` (1/m, positive to the right) and `slope` (metres up a
    metre) of the road where we are."""

    grammar = GRAMMAR
    draw = staticmethod(draw)
    render = staticmethod(render)


WORLD = World(
    name="road",
    maker=Road,
    attributes=ATTRIBUTES,
    say=Road.say,
    describe=Road.describe,
    read=lambda prompt: attributes_in(prompt, ATTRIBUTES),
    caption=Road.restated,
    licence=LICENCE,
)
