"""One character in all animations of its world's sheet: who it is, what each animation shows, and the best of each.

What a prompt leaves open is drawn once, from the seed, for the whole character; every animation is then generated from
a caption that says the same of it. Of the candidates for an animation the one is kept that shows its caption best, by
the world's encoder and the judge that ranks, and whose colors agree with those of the other animations. Last, all get
the same colors (`shared_palette`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.crisp import without_pieces
from storyreel.generate.open_attributes import drawn, read, trained_world
from storyreel.generate.ranking import Ranker, load_ranker
from storyreel.generate.shared_palette import harmonised
from storyreel.model_folder import recipe_name
from storyreel.options.generation import GenerateOptions
from storyreel.options.sheet import SheetOptions
from storyreel.systems.base import Progress
from storyreel.worlds import World
from storyreel.worlds.sheet_layout import SheetLayout

if TYPE_CHECKING:
    from storyreel.generate.model import Model

AGREEMENT = 1.0  # how much it counts that colors agree, beside the ranker's score
ROUNDS = 4
LOOSE = 14  # pixels; a piece of fewer that does not touch the figure is no part of it

Animation = tuple[str, str]  # action, facing


@dataclass(frozen=True, eq=False)
class DrawnCharacter:
    """attributes: what is said and drawn, without action and facing; made: those that were drawn.

    clips: RGBA, by animation, in the order of the rows. captions: what the model saw. scores: the ranker's, of the
    candidates of each animation. facts: JSON values that say what made it. layout: of the world.
    """

    options: SheetOptions
    world: World
    attributes: Mapping[str, str]
    made: Mapping[str, str]
    clips: Mapping[Animation, Clip]
    captions: Mapping[Animation, str]
    scores: Mapping[Animation, list[float]]
    facts: Mapping[str, Any]

    def save(self, path: str | Path) -> list[Path]:
        """The sheet, its atlas and the licence, laid out as its options say; all files that were written.

        See `storyreel.generate.sheet_file.write_character`.
        """
        from storyreel.generate.sheet_file import write_character

        return write_character(self, Path(path))


def layout_of(world: World | None, model: str, actions: Sequence[str]) -> tuple[SheetLayout, list[str]]:
    """The layout of a model's world, and the actions that are asked for. ValueError: it has none, or no such action."""
    if world is None or world.sheet is None or world.caption is None:
        raise ValueError(f"model {model}: its world has no sheets of characters; phenaki-sprites has")
    known = list(world.sheet.actions)
    if unknown := [action for action in actions if action not in known]:
        raise ValueError(f"actions: {unknown[0]!r} is none of {', '.join(known)}")
    return world.sheet, list(actions) or known


def who(prompt: str, model: Model, world: World, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """(all attributes of the character, those of them that were drawn); the same for the same seed."""
    assert world.sheet is not None
    posed = ("action", "facing")
    said = {name: value for name, value in read(prompt, model.attributes, world).items() if name not in posed}
    first = drawn(prompt, model.attributes, seed, 0, replace(world, complete=None))
    implied = {name: value for name, value in first.items() if name not in posed}
    rng = np.random.default_rng([seed, 0])
    found = world.sheet.dressed({**said, **implied}, rng)
    return found, {name: value for name, value in found.items() if name not in said}


def sheet(
    prompt: str,
    *,
    model: str | Path | Model | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> DrawnCharacter:
    """One character in all animations of its world's sheet; `.save("archer.png")` writes it.

    model: a name, a folder or a loaded model. settings: the other fields of `storyreel.options.sheet.SheetOptions`:
    actions, seed, candidates, steps; columns, padding, pot, scale, named and icon for the file.
    on_progress is called after each step; raise `storyreel.Cancelled` from it to stop. ValueError: a setting, or a
    model whose world has no sheets.
    """
    from storyreel.generate.model import Model, load

    options = SheetOptions.of({"prompt": prompt, **settings})
    loaded = model if isinstance(model, Model) else load(model)
    return draw(loaded, options, on_progress)


def draw(model: Model, options: SheetOptions, on_progress: Callable[[Progress], None] | None = None) -> DrawnCharacter:
    """The character of these options. ValueError: the model's world has no sheets, or lacks an action."""
    attempts = attempted(model, options, on_progress)
    return chosen_of(attempts, load_ranker(None, (model.name, recipe_name(model.info))))


@dataclass(frozen=True, eq=False)
class Attempts:
    """All candidates for a character's animations, before they are compared; the fields are `DrawnCharacter`'s."""

    options: SheetOptions
    world: World
    attributes: Mapping[str, str]
    made: Mapping[str, str]
    captions: Mapping[Animation, str]
    candidates: Mapping[Animation, Sequence[Clip]]
    facts: Mapping[str, Any]


def attempted(model: Model, options: SheetOptions, on_progress: Callable[[Progress], None] | None = None) -> Attempts:
    """The candidates of each animation, which depend on the seed, the character and the animation alone."""
    world, report = trained_world(model.info), on_progress or (lambda _: None)
    sheet, actions = layout_of(world, model.name, options.actions)
    assert world is not None
    assert world.caption is not None
    attributes, made = who(options.prompt, model, world, options.seed)
    rows = [row for action in actions for row in sheet.rows([action])]
    captions: dict[Animation, str] = {}
    candidates: dict[Animation, list[Clip]] = {}
    for place, (action, facing) in enumerate(rows):
        seen = sheet.posed(attributes, action, facing)
        caption = world.caption(seen, np.random.default_rng([options.seed, 0]))
        request = GenerateOptions(prompt=caption, transparent=True, steps=options.steps, as_written=True)

        def report_all(step: Progress, before: int = place, name: str = f"{action} {facing}") -> None:
            report(Progress(before * step.total + step.done, len(rows) * step.total, name, step.preview))

        number = sheet.number(action, facing)
        captions[action, facing] = caption
        candidates[action, facing] = model.attempts(request, options.seed, number, options.candidates, report_all)
    facts = {"model": model.name, "digest": model.digest}
    return Attempts(options, world, attributes, made, captions, candidates, facts)


def chosen_of(attempts: Attempts, ranker: Ranker) -> DrawnCharacter:
    """The best candidate of each animation, without loose pieces, all in the same colors."""
    a = attempts
    chosen, scores = best_together(a.candidates, a.captions, ranker)
    best = {row: clips[chosen[row]] for row, clips in a.candidates.items()}
    best = {row: clip.replace(frames=without_pieces(clip.frames, LOOSE)) for row, clip in best.items()}
    clips = in_shared_colors(best, a.captions, ranker)
    named = {f"{action}-{facing}": place for (action, facing), place in chosen.items()}
    facts = {**a.facts, "ranker": ranker.name, "chosen": named}
    return DrawnCharacter(a.options, a.world, a.attributes, a.made, clips, a.captions, scores, facts)


def best_together(
    candidates: Mapping[Animation, Sequence[Clip]], captions: Mapping[Animation, str], ranker: Ranker
) -> tuple[dict[Animation, int], dict[Animation, list[float]]]:
    """(which candidate of each animation, the ranker's scores of all): fits its caption, and agrees with the others.

    Agreement is the overlap of a candidate's colors with the mean of those that are chosen elsewhere.
    """
    scores = {row: ranker.rank(captions[row], clips) for row, clips in candidates.items()}
    chosen = {row: int(np.argmax(found)) for row, found in scores.items()}
    if len(candidates) == 1:
        return chosen, scores
    colors = {row: np.stack([color_shares(clip) for clip in clips]) for row, clips in candidates.items()}
    for _ in range(ROUNDS):
        total = np.sum([colors[row][chosen[row]] for row in colors], 0)
        others = {row: (total - colors[row][chosen[row]]) / (len(colors) - 1) for row in colors}
        agreement = {row: np.minimum(colors[row], others[row]).sum(1) for row in colors}
        better = {row: int(np.argmax(np.array(scores[row]) + AGREEMENT * agreement[row])) for row in colors}
        if better == chosen:
            break
        chosen = better
    return chosen, scores


def color_shares(clip: Clip) -> np.ndarray:
    """float64 (4096,): which share of the figure's pixels has each color, of sixteen levels a channel."""
    pixels = clip.frames[clip.frames[..., 3] > 0][:, :3].astype(np.int64) >> 4
    counts = np.bincount((pixels[:, 0] << 8) | (pixels[:, 1] << 4) | pixels[:, 2], minlength=4096)
    return counts / max(1, counts.sum())


def in_shared_colors(
    clips: Mapping[Animation, Clip], captions: Mapping[Animation, str], ranker: Ranker
) -> dict[Animation, Clip]:
    """The clips in the colors that they share, so far as the ranker finds them as good as before."""

    def fits(frames: Sequence[np.ndarray]) -> float:
        pairs = zip(clips.items(), frames, strict=True)
        return float(np.mean([ranker.rank(captions[row], [clip.replace(frames=new)])[0] for (row, clip), new in pairs]))

    new = harmonised([clip.frames for clip in clips.values()], fits)
    return {row: clip.replace(frames=each) for (row, clip), each in zip(clips.items(), new, strict=True)}
