"""From a picture of a character and a sentence that says only what it does: whether it stays who it is, and does it.

Characters whose combinations training has not, as they stand at the beginning of a walk, are the pictures. A judge
reads the character in the last frame and in the picture, each as a clip that stands still; what it reads of the
picture is right. The same is read of the real drawings of that action, since a judge reads somebody who lies on the
ground less well. The action and the direction are read from the whole video, and from the whole of the real one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reproductions.cached_clips import make_once
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from reproductions.svd_turnaround import sheets_and_judge
from storyreel.clip import Clip
from storyreel.evaluate.score import AttributeAccuracy
from storyreel.generate.model import Model
from storyreel.options.generation import GenerateOptions
from storyreel.worlds.sprites import Character, Sprites, draw_character, held_out
from storyreel.worlds.sprites_captions import restated

MIN_IDENTITY, MIN_ACTIONS = 0.95, 0.90  # of the attributes of the picture in the last frame; of the actions
STREAM, SHOWN = 0x7B, 6
MOVES = ("action", "facing")


def characters(seed: int, count: int) -> list[tuple[Character, str]]:
    """Held-out characters, and what each is to do: an action that they have, in their own direction."""
    found = []
    for index in range(count):
        rng = np.random.default_rng([seed, STREAM, index])
        while True:
            who = draw_character(rng)
            actions = sorted(who.weapons)
            if held_out(who.attributes) and who.attributes["action"] == "walk" and actions:
                break
        found.append((who, str(rng.choice(actions))))
    return found


def measure(settings: Settings, model: Model) -> dict[str, Any]:
    """How many attributes of the picture are in the last frame, and how often the action and the direction are those
    that were asked for."""
    sheets, judge = sheets_and_judge(settings)
    world, folder = Sprites(source=sheets), settings.out / "identity"
    folder.mkdir(exist_ok=True)
    lasting = tuple(name for name in judge.attributes if name not in MOVES)
    identity, real = AttributeAccuracy(lasting), AttributeAccuracy(lasting)
    moves, real_moves = AttributeAccuracy(MOVES), AttributeAccuracy(MOVES)
    sheet: list[tuple[str, Clip]] = []
    count, makes = settings.count or (3 if settings.quick else 64), model.system.makes
    has_matte = makes is not None and "transparent" not in makes.cannot
    for index, (who, action) in enumerate(characters(settings.seed, count)):
        walk = world.clip_of(who, "")
        picture = walk.replace(frames=walk.frames[:1])
        facing = "down" if action == "hurt" else str(who.attributes["facing"])
        expected = {"action": action, "facing": facing}
        prompt = restated(expected, np.random.default_rng([settings.seed, STREAM, index]))
        options = {"prompt": prompt, "image": picture, "as_written": True, "transparent": has_matte}
        made = make_once(model, GenerateOptions.of(options), settings.seed + index, folder / f"{index:03d}.mkv")
        drawn = world.clip_of(replace(who, attributes={**who.attributes, **expected}), "")
        last = [clip.replace(frames=clip.frames[-1:]) for clip in (made, drawn)]
        seen, seen_drawn, of_picture = judge.read([*last, picture])
        identity.update((seen, of_picture))
        real.update((seen_drawn, of_picture))
        for score, whole in zip((moves, real_moves), judge.read([made, drawn]), strict=True):
            score.update((whole, expected))
        if index < SHOWN:
            sheet.append((prompt, made))
    write_sheet(settings.out / "identity.png", sheet, side=64)
    who_is, what = identity.compute(), moves.compute()
    return {
        "n": who_is.clips,
        "kept": who_is.as_json(),
        "real": real.compute().as_json(),
        "moves": what.as_json(),
        "real_moves": real_moves.compute().as_json(),
        "holds": bool(who_is.mean >= MIN_IDENTITY and what.shares["action"].accuracy >= MIN_ACTIONS),
        "pictures": ["identity.png"],
    }
