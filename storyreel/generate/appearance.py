"""Who a given picture shows, in a sentence, for a system whose last stage paints what a text says.

A network that goes on from a picture keeps the pose better than the looks. A stage that paints takes the looks from a
text, and the prompt beside a picture says only what happens. So the judge of the picture's world that ranks reads the
picture, and its world says in a sentence what was read, with all that the prompt says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.crisp import declared, palette, palette_world, snapped
from storyreel.generate.open_attributes import attributes_of, read
from storyreel.generate.ranking import RANKING
from storyreel.options.generation import GenerateOptions
from storyreel.systems.base import System
from storyreel.systems.pixels import beginning, shown
from storyreel.worlds import find

POSED = ("action", "facing")  # what a picture does not decide: the video goes on from it
NEAR, ENOUGH = 12.0, 0.9  # distance in RGB from a color of the palette; share of the pixels of a picture of the world


def appearance_of(
    system: System, info: Mapping[str, Any], options: GenerateOptions, seed: int, index: int
) -> tuple[str, Sequence[str]]:
    """The sentence, and one for each side where the system turns who it is around.

    "" and none: there is no picture, nothing reads it, it is none of the model's world, or `crisp=False` asks for the
    video as it was generated. info: the model's `model.json`. (seed, index) choose the words.
    """
    world_name = palette_world(info)
    if not system.paints or options.image is None or options.crisp is False or world_name is None:
        return "", ()
    world = find(world_name)
    judge = _judge(world_name)
    if world.caption is None or judge is None:
        return "", ()
    _, side = declared(world_name)
    picture = Clip.from_tensor(shown(beginning(options, side, 4), transparent=True)[0], 1)
    if not of_world(picture, world_name):
        return "", ()
    (seen,) = judge.read([picture])
    named = read(options.prompt, attributes_of(info), world) if options.prompt else {}
    lasting = {name: value for name, value in seen.items() if name not in POSED}
    somebody = {**lasting, **named}
    turned = world.views({"facing": seen["facing"], **somebody}) if system.turns and world.views else ()
    captions = [world.caption(each, np.random.default_rng([seed, index])) for each in (somebody, *turned)]
    return captions[0], tuple(captions[1:])


def of_world(picture: Clip, world: str) -> bool:
    """Whether a picture with a matte is in the colors of this world. A judge says something of any picture, and what it
    says of one of another world is wrong."""
    seen = picture.frames[picture.frames[..., 3] >= 128][:, :3]
    if not len(seen):
        return False
    far = np.linalg.norm(seen.astype(float) - snapped(seen, palette(world)), axis=1)
    return bool((far <= NEAR).mean() >= ENOUGH)


@lru_cache(maxsize=2)
def _judge(world: str) -> Any:
    """The judge that ranks the clips of this world; None where there is none."""
    from storyreel.evaluate.judge import Judge
    from storyreel.evaluate.judge_registry import judges

    return Judge.load(world + RANKING) if world + RANKING in judges() else None
