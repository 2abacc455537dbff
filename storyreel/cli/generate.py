"""storyreel generate: a sentence, a story, an image, a clip or a file of prompts, into videos."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storyreel.cli.typed import Typed, takes
from storyreel.layouts import VIDEO_SUFFIXES as SUFFIXES
from storyreel.names import expanded
from storyreel.options.batch import STDIO, BatchOptions
from storyreel.options.declare import fields_of
from storyreel.options.generation import GenerateOptions, check_seed
from storyreel.options.input_clip import INPUTS
from storyreel.options.sheet import GridOptions
from storyreel.options.story import STDIN, read_text

if TYPE_CHECKING:
    from storyreel.atlas import Grid
    from storyreel.generate.batch import Job, JobResult
    from storyreel.generate.prompts import PromptRow
    from storyreel.worlds import World

MAX_NOTES = 30  # prompts of a file whose unknown words are named
NOTHING = "expected a prompt in quotes, or one of --story, --prompts, --from"
app = typer.Typer(add_completion=False)

WITH_ALPHA = (".webm", ".gif", ".webp", ".apng", ".png", ".mkv")


@app.command()
@takes(GenerateOptions, BatchOptions)
def generate(
    typed: Typed,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
) -> None:
    """Make a video from a sentence, a story, an image or a clip; prints the path of each file.

    storyreel generate "an orc in plate armor walking, facing left" -m phenaki-sprites -o orc.mp4

    storyreel generate --prompts prompts.jsonl -m phenaki-sprites -o clips --workers 2

    `storyreel generate -` reads the sentence from stdin, `-o -` writes the video to stdout.
    """
    if typed.of(BatchOptions).get("origin") is not None:  # the file says what made it; only what is typed changes that
        typed = typed.without({*fields_of(GenerateOptions), "model", "seed", "scale", "format"})
    batch, settings = typed.make(BatchOptions), typed.of(GenerateOptions)
    if batch.to_stdout and as_json:
        raise typer.BadParameter("stdout holds the video", param_hint="--json")
    check_sources(settings, batch)
    if settings.get("prompt") == STDIO:
        settings["prompt"] = " ".join(read_text(STDIN).split())
    from storyreel.hub.memory import using as offloading
    from storyreel.text import using

    with typed.usage(GenerateOptions, BatchOptions), using(batch.text), offloading(batch.offload):
        plan, results = run(settings, batch, quiet=quiet)
    report(plan, results, as_json)


def check_sources(settings: Mapping[str, Any], batch: BatchOptions) -> None:
    """BadParameter where nothing says what is to be made, or two things do."""
    sources = {"PROMPT": settings.get("prompt"), "--story": settings.get("story")}
    sources |= {"--prompts": batch.prompts, "--from": batch.origin}
    found = [name for name, value in sources.items() if value is not None]
    if not found and batch.model is None and not {*INPUTS} & set(settings):
        raise typer.BadParameter(NOTHING)
    if batch.model is None and _is_a_model(settings.get("prompt")):
        name = settings["prompt"]
        raise typer.BadParameter(f'{name} is a model; expected "a sentence" -m {name}', param_hint="PROMPT")
    if len(found) > 1 and found != ["PROMPT", "--from"]:
        raise typer.BadParameter(f"{found[0]} is given as well; expected one of the two", param_hint=found[1])
    if [str(value) for value in sources.values()].count(STDIO) > 1:
        raise typer.BadParameter("stdin can be read once alone", param_hint=found[1])


def _is_a_model(prompt: str | None) -> bool:
    """Whether what was typed as a sentence is the name of a model that is here."""
    from storyreel.generate import registry

    return prompt is not None and " " not in prompt and "-" in prompt and prompt in registry.here()


def run(
    settings: Mapping[str, Any], options: BatchOptions, *, quiet: bool = False
) -> tuple[GenerationPlan, list[JobResult]]:
    """Check everything that can be checked, then make the videos. Errors of single videos are told on stderr."""
    from storyreel.engine import Local, cores, get_engine, wait_calmly
    from storyreel.generate import batch
    from storyreel.generate.licence_file import write_licence

    engine = get_engine(options.engine, options.workers)
    plan = GenerationPlan.of(settings, options)
    here = isinstance(engine, Local) and (engine.workers == 1 or len(plan.jobs) == 1)

    from functools import partial

    from storyreel import video_io
    from storyreel.cli.screen import GenerationScreen

    with _places(options, plan), GenerationScreen(len(plan.jobs), quiet=quiet) as screen:
        for note in plan.notes:
            screen.say(f"storyreel: note: {note}")
        if here:
            wait_calmly()
            import torch

            torch.set_num_threads(plan.threads or min(torch.get_num_threads(), cores()))
        results = batch.run(
            plan.jobs,
            engine,
            partial(video_io.write, scale=plan.scale, metadata=options.metadata, grid=plan.grid),
            digest=plan.info.get("digest", ""),
            resume=options.prompts is not None,
            on_progress=screen.progress if here else None,
            on_done=screen.done,
        )
        if options.to_stdout and results[0].error is None:
            sys.stdout.buffer.write(plan.jobs[0].path.read_bytes())
        for licence, names in plan.licences({done.job.path for done in results if done.error is None}).items():
            write_licence(plan.world, licence, names)
            screen.say(f"storyreel: note: pass {licence} on with what you publish of it")
    return plan, results


@contextmanager
def _places(options: BatchOptions, plan: GenerationPlan) -> Iterator[None]:
    """Where the videos go, checked before anything is made: no other file than one of ours is ever written over.

    The videos of a prompt file go into a folder of their own; others may go anywhere under a free name.
    """
    from storyreel.generate.licence_file import check_licence
    from storyreel.own_clips import check_place, first_foreign
    from storyreel.ownership import claim
    from storyreel.storage import check_writable, sweep

    if options.to_stdout:
        with TemporaryDirectory() as folder:
            plan.jobs = [replace(job, path=Path(folder) / job.path.name) for job in plan.jobs]
            yield
        return
    inputs = {path for job in plan.jobs for path in job.options.files}
    if options.prompts is None:
        for job in plan.jobs:
            check_place(job.path, [*inputs, options.origin])
        for licence in plan.licences():
            check_licence(plan.world, licence)
        folders = {job.path.parent for job in plan.jobs}
        for folder in folders:
            check_writable(folder)
            sweep(folder)
        yield
        for folder in folders:
            sweep(folder)
        return
    folder = plan.jobs[0].path.parent
    with claim(folder, "clips", inputs=[options.prompts, *inputs], shared=True, strange=first_foreign) as owned:
        for job in plan.jobs:
            if job.path.name not in owned.names:
                check_place(job.path)
        for licence in plan.licences():
            if licence.name not in owned.names:
                check_licence(plan.world, licence)
        owned.record(file.name for file in (*(job.path for job in plan.jobs), *plan.licences()))
        yield


@dataclass
class GenerationPlan:
    """What the command line comes to."""

    jobs: list[Job]
    info: dict[str, Any]
    scale: str | int
    notes: list[str]
    threads: int | None = None
    to_stdout: bool = False
    grid: Grid | None = None  # of a sprite sheet
    world: World | None = None  # of the model

    def licences(self, made: Collection[Path] | None = None) -> dict[Path, list[str]]:
        """The licence beside each sprite sheet, or the one of a folder of them -> the names of what it is for.

        made: only these sheets; None for all.
        """
        from storyreel.generate.licence_file import licence_path

        found: dict[Path, list[str]] = {}
        for job in self.jobs:
            if job.path.suffix == ".png" and (made is None or job.path in made):
                licence = licence_path(self.world, job.path)
                if licence is not None:
                    licence = licence.with_name("LICENSE.txt") if job.where else licence
                    found.setdefault(licence, []).append(job.path.name)
        return found

    @classmethod
    def of(cls, settings: Mapping[str, Any], batch: BatchOptions) -> GenerationPlan:
        from storyreel.atlas import Grid
        from storyreel.generate import registry
        from storyreel.generate.batch import Job, jobs_for, many, slug
        from storyreel.generate.open_attributes import notes_of, trained_world
        from storyreel.generate.prompts import read_prompts
        from storyreel.generate.provenance import origin_of
        from storyreel.generate.ranking import default_candidates
        from storyreel.hub.families import notes_of_lengths

        seed = check_seed(batch.seed or 0)
        notes: list[str] = []
        origin = rows = None
        if batch.prompts is not None:
            rows = read_prompts(batch.prompts, settings)
            options = rows[0].options
        elif batch.origin is not None:
            origin = origin_of(batch.origin, settings)
            options, seed = origin.options, origin.seed if batch.seed is None else seed
        else:
            options = GenerateOptions.of(settings)
        name = batch.model or (origin.model if origin else None)
        if name == "":
            raise ValueError(f"{batch.origin}: names its model by a path, which is not opened; give it with -m")
        try:
            folder = registry.find(name, download=bool(batch.model))
        except ValueError as error:
            raise ValueError(f"{error}; or give its folder with -m" if origin and not batch.model else error) from None
        info = registry.describe(folder)
        if batch.offload and "pipeline" not in info:
            raise ValueError(f"offload: {info['name']} is a model of storyreel, which is always whole on its device")
        if registry.is_conditional(info) and rows is None:
            if settings.keys().isdisjoint({"prompt", "story", *INPUTS}) and origin is None:
                raise typer.BadParameter(NOTHING)
            options.check_prompt()
        if origin and origin.digest != info.get("digest"):
            notes.append(f"{batch.origin} was made by another {origin.model}; the pixels will differ")
        notes += _unknown_words(rows, options, info)
        notes += notes_of_lengths(info, [row.options for row in rows] if rows else [options])
        notes += [info["licence"]] if "licence" in info else []
        model = folder.name if registry.here().get(folder.name) == folder else str(folder.absolute())
        if origin is None:
            candidates = default_candidates(info["name"], info)
            options = options.with_candidates(candidates)
            rows = rows and [replace(row, options=row.options.with_candidates(candidates)) for row in rows]
        place = Destination.of(batch, options.transparent)
        grid = Grid(batch.columns, batch.padding, batch.pot, batch.cell) if place.suffix == ".png" else None
        style = {"grid": grid, "world": trained_world(info)}
        digest = info.get("digest", "")
        if rows is not None:
            jobs = jobs_for(rows, model, digest, place.folder, place.suffix, seed=seed, count=batch.count)
            return cls(jobs, info, batch.scale or "auto", notes, **style)
        notes += notes_of(info, options, seed, origin.index if origin else 0)
        path = place.file(f"{slug(options.prompts[0])}-seed{seed}", batch.count)
        jobs = many(Job(model, options, seed, origin.index if origin else 0, path), batch.count)
        same = origin is not None and batch.origin is not None and path.suffix == batch.origin.suffix
        scale = batch.scale or (origin.scale if origin and same else None) or "auto"
        return cls(jobs, info, scale, notes, origin.threads if origin else None, batch.to_stdout, **style)


def _unknown_words(rows: list[PromptRow] | None, options: GenerateOptions, info: dict[str, Any]) -> list[str]:
    """What the model knows of no prompt; of a file's prompts the first `MAX_NOTES` that have such words."""
    from storyreel.generate.open_attributes import attributes_of, trained_world
    from storyreel.generate.registry import is_conditional, known_words
    from storyreel.generate.vocabulary import CARD_LISTS, note_for, unconditional_note

    if not is_conditional(info):
        prompts = [prompt for row in rows for prompt in row.options.prompts] if rows else options.prompts
        note = unconditional_note(prompts, info["name"])
        return [note] if note else []
    about = known_words(info), info["name"], attributes_of(info), trained_world(info)
    if rows is None:
        note = note_for(options.prompts, *about)
        return [note] if note else []
    notes: dict[str, str] = {}  # of each, where it was first
    for row in rows:
        note = note_for(row.options.prompts, *about)
        if not note or note in notes or (CARD_LISTS in note and any(CARD_LISTS in other for other in notes)):
            continue
        if len(notes) == MAX_NOTES:
            return [*_placed(notes), "and so on: more prompts have words that are not in this model's world"]
        notes[note] = row.where
    return _placed(notes)


def _placed(notes: Mapping[str, str]) -> list[str]:
    return [f"{where}: {note}" for note, where in notes.items()]


@dataclass
class Destination:
    """Where files go: a folder, their suffix, and the name when one was given."""

    folder: Path
    suffix: str
    name: str | None = None

    @classmethod
    def of(cls, batch: BatchOptions, transparent: bool) -> Destination:
        """From -o and --format; ValueError for a suffix that is no format or has no transparency."""
        usual = ".webm" if transparent else ".mp4"
        if batch.origin is not None and batch.origin.suffix.lower() in SUFFIXES:
            usual = batch.origin.suffix.lower()
        usual = batch.format or usual
        path = expanded(batch.out) if batch.out else None
        if path is None or batch.to_stdout:
            stem = "stdin" if batch.prompts == Path(STDIO) else batch.prompts.stem if batch.prompts else ""
            folder = Path("out") / stem if stem else Path()
            place = cls(folder, usual)
        elif path.is_dir() or str(batch.out).endswith(("/", "\\")) or not path.suffix:
            place = cls(path, usual)
        elif batch.prompts is not None:
            raise ValueError(
                f"{path}: expected a folder for the videos of a prompt file; their suffix goes to --format"
            )
        elif path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: unknown format {path.suffix!r}; expected one of {' '.join(SUFFIXES)}")
        else:
            place = cls(path.parent, path.suffix.lower(), path.name)
        grid = next((name for name in fields_of(GridOptions) if batch.is_set(name)), None)
        if grid and place.suffix != ".png":
            raise ValueError(f"{grid}: {place.suffix} is no sprite sheet; expected -o NAME.png or --format png")
        if transparent and place.suffix not in WITH_ALPHA:
            raise ValueError(
                f"{batch.out or 'out'}: {place.suffix} has no transparency; expected one of {' '.join(WITH_ALPHA)}"
            )
        return place

    def file(self, name: str, count: int) -> Path:
        """The file, or the pattern of `count` numbered ones. A name that was not chosen overwrites nothing."""
        if self.name:
            return self.folder / self.name
        for number in range(1, 10_000):
            path = self.folder / f"{name}{f'-{number}' if number > 1 else ''}{self.suffix}"
            if path.suffix == ".png" and path.with_suffix(".json").exists():
                continue
            if not path.exists() and (count == 1 or not path.with_name(f"{path.stem}-000{path.suffix}").exists()):
                return path
        raise ValueError(f"{self.folder}: is full of files named {name}; name one with -o")


def report(plan: GenerationPlan, results: list[JobResult], as_json: bool) -> None:
    """Paths, or one JSON document, on stdout. Exit code 1 when a video could not be made."""
    failed = [done for done in results if done.error is not None]
    made = [done for done in results if done.error is None]
    if as_json:
        import json

        out = {"model": plan.info["name"], "digest": plan.info.get("digest")}
        out |= {"videos": [done.as_json() for done in made], "failed": [done.as_json() for done in failed]}
        print(json.dumps(out, ensure_ascii=False, indent=1))
    elif not plan.to_stdout:
        for done in made:
            print(done.job.path)
    sys.stdout.flush()
    if failed:
        if len(results) > 1:
            print(f"storyreel: error: {len(failed)} of {len(results)} videos were not made", file=sys.stderr)
        raise typer.Exit(1)
