"""One character in all animations of its world's sheet: who it is, what each animation shows, and the best of each.

What a prompt leaves open is drawn once, from the seed, for the whole character; every animation is then generated from
a caption that says the same of it. Of the candidates for an animation the one is kept that shows its caption best, by
the world's encoder and the judge that ranks, and whose colors agree with those of the other animations. Animations in
which that judge misses something that the prompt says are made again, a few times. Last, all get the same colors
(`shared_palette`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storyreel.clip import Clip
from storyreel.generate.crisp import without_pieces
from storyreel.generate.dyeing import dyed_frames, dyes_of
from storyreel.generate.facial_hair import with_facial_hair
from storyreel.generate.hats import with_hat
from storyreel.generate.mends import mended
from storyreel.generate.open_attributes import (
    drawn,
    drawn_to_be_armed,
    drawn_to_be_dyed,
    drawn_to_be_topped,
    read,
    trained_world,
)
from storyreel.generate.ranking import AttributeRanker, Ranker, load_ranker
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
SHOWN = 1.0  # how much it counts that the judge sees all that the prompt says
ROUNDS = 4
AGAIN = 2  # times that an animation is made again in which something is missing
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
    named = {name: value for name, value in read(prompt, model.attributes, world).items() if name not in posed}
    first = drawn(prompt, model.attributes, seed, 0, replace(world, complete=None))
    implied = {name: value for name, value in first.items() if name not in posed}
    rng = np.random.default_rng([seed, 0])
    bare = drawn_to_be_topped(prompt, {**named, **implied}, world)
    found = drawn_to_be_dyed(prompt, world.sheet.dressed(bare, rng), world)
    return found, {name: value for name, value in found.items() if name not in named}


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
    ranker = load_ranker(None, (model.name, recipe_name(model.info)))
    return chosen_of(made_again(model, attempts, ranker, on_progress), ranker)


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

    def attributes_of(self, row: Animation) -> dict[str, str]:
        """What the prompt says of the character, as far as it is seen in this animation, its action and its facing."""
        assert self.world.sheet is not None
        seen = self.world.sheet.posed(self.attributes, *row)
        return {name: value for name, value in seen.items() if name not in self.made}


def attempted(model: Model, options: SheetOptions, on_progress: Callable[[Progress], None] | None = None) -> Attempts:
    """The candidates of each animation, which depend on the seed, the character and the animation alone."""
    world, report = trained_world(model.info), on_progress or (lambda _: None)
    sheet, actions = layout_of(world, model.name, options.actions)
    assert world is not None
    assert world.caption is not None
    attributes, made = who(options.prompt, model, world, options.seed)
    captions: dict[Animation, str] = {}
    for row in (row for action in actions for row in sheet.rows([action])):
        seen = drawn_to_be_armed(options.prompt, sheet.posed(attributes, *row), world)
        captions[row] = world.caption(seen, np.random.default_rng([options.seed, 0]))
    candidates = _candidates(model, options, sheet, captions, 0, report)
    facts = {"model": model.name, "digest": model.digest}
    return Attempts(options, world, attributes, made, captions, candidates, facts)


def made_again(
    model: Model, attempts: Attempts, ranker: Ranker, on_progress: Callable[[Progress], None] | None = None
) -> Attempts:
    """With further candidates for the animations of which none shows all that the prompt says, as the judge sees it.

    The same attempts where no judge ranks. A round has the seeds of its number, so that more rounds change no earlier.
    """
    layout = attempts.world.sheet
    if not isinstance(ranker, AttributeRanker) or layout is None:
        return attempts
    found = {row: list(clips) for row, clips in attempts.candidates.items()}
    newest = found
    for again in range(1, AGAIN + 1):
        missing = {
            row: attempts.captions[row]
            for row, clips in newest.items()
            if not any(ranker.shows(attempts.attributes_of(row), clips))
        }
        newest = _candidates(model, attempts.options, layout, missing, again, on_progress or (lambda _: None))
        for row, clips in newest.items():
            found[row] += clips
    return replace(attempts, candidates=found)


def _candidates(
    model: Model,
    options: SheetOptions,
    layout: SheetLayout,
    captions: Mapping[Animation, str],
    again: int,
    report: Callable[[Progress], None],
) -> dict[Animation, list[Clip]]:
    """Candidates for these animations; which they are depends on the seed, the caption, the animation and `again`."""
    made: dict[Animation, list[Clip]] = {}
    of_all = len(layout.rows(list(layout.actions)))
    for place, (row, caption) in enumerate(captions.items()):
        request = GenerateOptions(prompt=caption, transparent=True, steps=options.steps, as_written=True)
        what = " ".join((*row, "again")[: 3 if again else 2])

        def report_all(step: Progress, before: int = place, what: str = what) -> None:
            report(Progress(before * step.total + step.done, len(captions) * step.total, what, step.preview))

        number = layout.number(*row) + again * of_all
        made[row] = model.attempts(request, options.seed, number, options.candidates, report_all)
    return made


def chosen_of(attempts: Attempts, ranker: Ranker) -> DrawnCharacter:
    """The best candidate of each animation, without loose pieces, all in the same colors."""
    a = attempts
    shown: dict[Animation, Sequence[bool]] = {}
    if isinstance(ranker, AttributeRanker):
        shown = {row: ranker.shows(a.attributes_of(row), clips) for row, clips in a.candidates.items()}
    chosen, scores = best_together(a.candidates, a.captions, ranker, shown)
    best = {row: clips[chosen[row]] for row, clips in a.candidates.items()}
    best = {row: clip.replace(frames=without_pieces(clip.frames, LOOSE)) for row, clip in best.items()}
    clips = in_shared_colors(best, a.captions, ranker)
    clips = {row: mended(clip, a.world, a.options.prompt, a.captions[row]) for row, clip in clips.items()}
    clips = {row: with_facial_hair(clip, a.world, a.options.prompt, a.captions[row]) for row, clip in clips.items()}
    dyes = dyes_of(a.options.prompt, a.attributes, a.world)
    for row, clip in clips.items():
        here = [dye for dye in dyes if not dye.top or row[0] != "hurt"]  # whose feet are not below
        if here:
            clips[row] = clip.replace(frames=dyed_frames(clip.frames, here, a.world, a.attributes_of(row)))
    clips = {row: with_hat(clip, a.world, a.options.prompt, a.captions[row]) for row, clip in clips.items()}
    named = {f"{action}-{facing}": place for (action, facing), place in chosen.items()}
    facts = {**a.facts, "ranker": ranker.name, "chosen": named}
    return DrawnCharacter(a.options, a.world, a.attributes, a.made, clips, a.captions, scores, facts)


def best_together(
    candidates: Mapping[Animation, Sequence[Clip]],
    captions: Mapping[Animation, str],
    ranker: Ranker,
    shown: Mapping[Animation, Sequence[bool]] | None = None,
) -> tuple[dict[Animation, int], dict[Animation, list[float]]]:
    """(which candidate of each animation, the ranker's scores of all): fits its caption, and agrees with the others.

    Agreement is the overlap of a candidate's colors with the mean of those that are chosen elsewhere. shown: whether
    a candidate shows all that the prompt says; those that do come before those that do not.
    """
    scores = {row: ranker.rank(captions[row], clips) for row, clips in candidates.items()}
    fit = {row: np.array(scores[row]) + SHOWN * np.array((shown or {}).get(row, 0.0)) for row in candidates}
    chosen = {row: int(np.argmax(found)) for row, found in fit.items()}
    if len(candidates) == 1:
        return chosen, scores
    colors = {row: np.stack([color_shares(clip) for clip in clips]) for row, clips in candidates.items()}
    for _ in range(ROUNDS):
        total = np.sum([colors[row][chosen[row]] for row in colors], 0)
        others = {row: (total - colors[row][chosen[row]]) / (len(colors) - 1) for row in colors}
        agreement = {row: np.minimum(colors[row], others[row]).sum(1) for row in colors}
        better = {row: int(np.argmax(fit[row] + AGREEMENT * agreement[row])) for row in colors}
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
