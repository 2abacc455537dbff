"""The other sides of a character, from one of them: what a model of Stable Video Diffusion's turnaround draws, judged.

Characters whose combinations training has not, seen from their left or their right, are turned around. A judge reads
the three views that were not given, each as a clip that stands still, and the same of the real drawings, which says how
well it reads stills at all. All of them walk, and their action is left out: a still does not show it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from reproductions.cached_clips import make_once
from reproductions.claims import MissingError
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.evaluate.judge import Judge
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores
from storyreel.generate.model import Model
from storyreel.options.generation import GenerateOptions
from storyreel.worlds.sprites import Character, Sprites, draw_character, held_out
from storyreel.worlds.sprites_poses import after, posed

ENOUGH = 0.85  # of the attributes of the other views
VIEWS, STREAM, SHOWN = 4, 0x7A, 6


def characters(seed: int, count: int) -> list[tuple[Character, np.random.Generator]]:
    """Held-out characters who walk, from their left or right, and the generator of each."""
    found = []
    for index in range(count):
        rng = np.random.default_rng([seed, STREAM, index])
        while True:
            who = draw_character(rng)
            seen = who.attributes
            if held_out(seen) and seen["facing"] in ("left", "right") and seen["action"] == "walk":
                break
        found.append((who, rng))
    return found


def sheets_and_judge(settings: Settings) -> tuple[Path, Judge]:
    """What characters are drawn from, and who reads them. MissingError where either is not named."""
    if settings.source is None:
        raise MissingError("characters are drawn from the LPC sheets; name their folder with --source")
    judge = settings.judge("sprites")
    if not isinstance(judge, Judge):
        raise MissingError("--judge sprites: expected a judge of attributes")
    return settings.source, judge


def measure(settings: Settings, model: Model) -> dict[str, Any]:
    """Accuracies of the views that were not given, of the model and of the real drawings; each is of characters, whose
    three views go together."""
    sheets, judge = sheets_and_judge(settings)
    world = Sprites(source=sheets, turnaround=True, frames=VIEWS)
    read = tuple(name for name in judge.attributes if name != "action")
    scores = {name: AttributeAccuracy(read) for name in ("made", "real")}
    sheet: list[tuple[str, Clip]] = []
    config: Any = model.system.config
    (settings.out / "turnaround").mkdir(exist_ok=True)
    for index, (who, rng) in enumerate(characters(settings.seed, settings.count or (3 if settings.quick else 64))):
        real = Clip(world.turned(who, int(rng.integers(world.steps_of(who)))), world.fps)
        options = GenerateOptions.of(
            {"image": real.replace(frames=real.frames[:1]), "transparent": config.channels == 4}
        )
        made = make_once(model, options, settings.seed + index, settings.out / "turnaround" / f"{index:03d}.mkv")
        facings, action = after(str(who.attributes["facing"])), str(who.attributes["action"])
        seen_of = {name: value for name, value in who.attributes.items() if value is not None}
        expected = [posed(seen_of, action, facing) for facing in facings]
        for name, clip in (("made", made), ("real", real)):
            seen = list(judge.read([clip.replace(frames=clip.frames[i : i + 1]) for i in range(1, VIEWS)]))
            scores[name].update(*zip(seen, expected[1:], strict=True))
        if index < SHOWN:
            sheet += [("real", real), ("made", made)]
    write_sheet(settings.out / "turnaround.png", sheet, frames=VIEWS, side=64)
    made_of: AttributeScores = scores["made"].compute()
    return {
        "n": made_of.clips,
        "made": made_of.as_json(),
        "real": scores["real"].compute().as_json(),
        "holds": bool(made_of.mean >= ENOUGH),
        "pictures": ["turnaround.png"],
    }
