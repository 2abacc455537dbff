"""Make a study folder from folders of clips: nothing in it that a browser can see tells which model made a clip."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from storyreel import video_io
from storyreel.clip import Clip
from storyreel.folder_replacement import replacing_folder
from storyreel.ownership import MARKER, NOTHING, check_apart
from storyreel.study import folders as clip_folders
from storyreel.study.folders import Pairing
from storyreel.study.plan import CLIPS, NOISE, PAIR, PLAN, SAME, VOTES, Study, StudyItem
from storyreel.study.presets import Preset, preset

LONGEST_WATCH = 4.0  # seconds; a longer clip may be voted on before it has ended
CATCH_POOL = 8  # different catch trials of each kind


@dataclass(frozen=True)
class StudyOptions:
    """What differs from the preset: None keeps the preset's.

    questions: names to keep. raters: votes a pair. per_rater: pairs a rater sees, 0 for all. catch: catch trials of
    each kind a rater sees, -1 for one every twelve pairs. watch: seconds before the first answer (None: the length of
    the longer clip, at most 4). names: what reports call the models. prompts: at most so many.
    """

    questions: tuple[str, ...] = ()
    raters: int | None = None
    per_rater: int | None = None
    catch: int = -1
    ties: bool = True
    watch: float | None = None
    names: tuple[str, ...] = ()
    prompts: int | None = None
    suffix: str = ".mp4"


@dataclass(frozen=True)
class Created:
    """The study, and the clips that were left out: no other model has their prompt, or they cannot be read."""

    study: Study
    unpaired: tuple[Path, ...]
    unreadable: dict[Path, str] = field(default_factory=dict)


def create(
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    preset_name: str = "make-a-video",
    seed: int = 0,
    options: StudyOptions | None = None,
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> Created:
    """Write the study folder `out`, whole or not at all.

    folders: one of clips for each model. seed: decides sides, order and catch trials. on_clip(done, total): called
    after each clip that was written.
    FileNotFoundError, FileExistsError, ValueError: no such folder, `out` is taken, no prompts in common, a clip that
    cannot be read, no prompt where a question shows it.
    """
    options = options or StudyOptions()
    chosen = _preset(preset(preset_name), options)
    paths, out = [Path(folder) for folder in folders], Path(out)
    _check_free(out)
    check_apart(out, paths)
    unreadable: dict[Path, str] = {}
    pairs, unpaired = clip_folders.pair(paths, unreadable)
    names = options.names or tuple(clip_folders.model_names(paths))
    if len(names) != len(paths) or len(set(names)) < len(names):
        raise ValueError(f"names: expected {len(paths)} different ones, got {', '.join(names)}")
    if options.prompts is not None:
        prompts = set(list(dict.fromkeys(p.prompt for p in pairs))[: options.prompts])
        pairs = [p for p in pairs if p.prompt in prompts]
    showing = next((q.name for q in chosen.questions if q.shows_prompt), None)
    silent = next((p for p in pairs if not p.known), None)
    if showing and silent:
        raise ValueError(
            f"{silent.clips[0]}: no prompt is known (none inside the clip, no words in its name), and the question "
            f"{showing!r} shows it; write clips with captions, or leave that question out"
        )
    study = Study(
        out, secrets.token_hex(8), preset_name, seed, tuple(names), chosen.questions, chosen.ties, chosen.raters,
        chosen.per_rater, options.catch, ()
    )  # fmt: skip
    pairs = _readable(pairs, unreadable)
    return Created(_write(study, pairs, options, on_clip), tuple(unpaired), unreadable)


def _readable(pairs: list[Pairing], unreadable: dict[Path, str]) -> list[Pairing]:
    """The pairs whose clips can be decoded; the others' faults are added. ValueError when none is left."""
    for clip in sorted({clip for p in pairs for clip in p.clips}):
        try:
            video_io.read(clip)
        except ValueError as error:
            unreadable[clip] = str(error)
    readable = [p for p in pairs if not unreadable.keys() & set(p.clips)]
    if not readable:
        raise ValueError(next(iter(unreadable.values())))
    return readable


def _preset(chosen: Preset, options: StudyOptions) -> Preset:
    known = [q.name for q in chosen.questions]
    if strange := [name for name in options.questions if name not in known]:
        raise ValueError(f"questions: the preset has no {strange[0]!r}, expected some of {', '.join(known)}")
    return replace(
        chosen,
        questions=tuple(q for q in chosen.questions if not options.questions or q.name in options.questions),
        raters=chosen.raters if options.raters is None else options.raters,
        per_rater=chosen.per_rater if options.per_rater is None else options.per_rater,
        ties=chosen.ties if options.ties else (),
    )


def _check_free(out: Path) -> None:
    if (out / PLAN).exists():
        held = " and its votes" if (out / VOTES).exists() else ""
        raise FileExistsError(f"{out}: there is a study already{held}; choose another folder")
    if out.exists() and (not out.is_dir() or {file.name for file in out.iterdir()} - {*NOTHING, MARKER}):
        raise FileExistsError(f"{out}: is not empty; expected a new or empty folder")


def _write(study: Study, pairs: list[Pairing], options: StudyOptions, on_clip: Callable[[int, int], None]) -> Study:
    out = study.folder
    catch = _catch_pairs(pairs, study.seed) if options.catch else []
    # noise for each, and where raters may say "same" the clip twice
    total = 2 * len(pairs) + len(catch) * (4 if study.ties else 2)
    with replacing_folder(out, "study") as made:
        (made / CLIPS).mkdir()
        copier = _Copier(made / CLIPS, options.suffix, total, on_clip)
        items = [_pair(copier, p, options.watch) for p in pairs]
        for p, of_a in catch:
            items += _catches(copier, p, of_a, options.watch, bool(study.ties))
        result = replace(study, folder=made, items=tuple(items))
        result.write()
    return replace(result, folder=out)


class _Copier:
    """Writes clips into one folder under names that say nothing, without the metadata that would."""

    def __init__(self, folder: Path, suffix: str, total: int, on_clip: Callable[[int, int], None]) -> None:
        self.folder, self.suffix, self.total, self.on_clip, self.done = folder, suffix, total, on_clip, 0

    def __call__(self, clip: Clip, quality: int | None = 80) -> str:
        name = secrets.token_hex(8) + self.suffix
        video_io.write(clip, self.folder / name, quality=quality, metadata=False)
        self.done += 1
        self.on_clip(self.done, self.total)
        return name


def _pair(copy: _Copier, p: Pairing, watch: float | None) -> StudyItem:
    clips = [video_io.read(path) for path in p.clips]
    return StudyItem(PAIR, p.prompt, (p.a, p.b), (copy(clips[0]), copy(clips[1])), _watch(clips, watch))


def _watch(clips: list[Clip], watch: float | None) -> float:
    return round(min(LONGEST_WATCH, max(c.seconds for c in clips)), 2) if watch is None else watch


def _catch_pairs(pairs: list[Pairing], seed: int) -> list[tuple[Pairing, bool]]:
    """Pairs whose clips serve as catch trials, and whether it is the clip of model a."""
    rng = np.random.default_rng([seed, 0])
    chosen = rng.permutation(len(pairs))[:CATCH_POOL]
    return [(pairs[i], n % 2 == 0) for n, i in enumerate(chosen)]


def _catches(copy: _Copier, p: Pairing, of_a: bool, watch: float | None, ties: bool) -> list[StudyItem]:
    clip = video_io.read(p.clips[0 if of_a else 1])
    model, wait = p.a if of_a else p.b, _watch([clip], watch)
    items = [StudyItem(NOISE, p.prompt, (model, None), (copy(clip), copy(noise(clip), 50)), wait)]
    if ties:
        items.append(StudyItem(SAME, p.prompt, (model, None), (copy(clip), copy(clip)), wait))
    return items


def noise(clip: Clip, seed: int = 0) -> Clip:
    """The clip's own pixels in another order in each frame: the same colours, nothing to be seen."""
    rng = np.random.default_rng(seed)
    frames = clip.over().frames
    pixels = frames.reshape(len(frames), -1, 3)
    return clip.replace(frames=np.stack([rng.permutation(frame) for frame in pixels]).reshape(frames.shape))
