"""storyreel generate: a sentence, a story, an image, a clip or a file of prompts, into videos."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from storyreel.generate.batch import Done, Job
    from storyreel.generate.prompts import Row

app = typer.Typer(add_completion=False)

SUFFIXES = (".mp4", ".webm", ".gif", ".webp", ".apng", ".png", ".mkv")
SAY_ENOUGH = ("story", "image", "extend", "variation")
WITH_ALPHA = (".webm", ".gif", ".webp", ".apng", ".png", ".mkv")


@dataclass(kw_only=True)
class Wanted:
    """The command line, as it was given."""

    out: str | None = None
    model: str | None = None
    seed: int | None = None
    count: int = 1
    format: str | None = None
    scale: str | None = None
    prompts: Path | None = None
    origin: Path | None = None
    engine: str = "local"
    workers: int | None = None
    as_json: bool = False
    quiet: bool = False
    metadata: bool = True
    prompt: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@app.command()
def generate(
    prompt: Annotated[str | None, typer.Argument(help="What is to be seen.", show_default=False)] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help=f"File ({' '.join(SUFFIXES)}) or folder.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Name or folder; see storyreel models.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another video.  [default: 0]")] = None,
    count: Annotated[int, typer.Option(help="Videos of each prompt.", min=1)] = 1,
    frames: Annotated[int | None, typer.Option(help="Length in frames.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length in seconds.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frames a second, such as 8 or 30000/1001.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampling steps; more is slower and often better.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How hard the prompt pulls; 1 for not at all.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to start from.")] = None,
    image_end: Annotated[Path | None, typer.Option(help="A picture to end with.")] = None,
    extend: Annotated[Path | None, typer.Option(help="A video to go on from.")] = None,
    backward: Annotated[bool, typer.Option("--backward", help="What comes before --image or --extend.")] = False,
    variation: Annotated[Path | None, typer.Option(help="A video to make another one like.")] = None,
    fit: Annotated[str | None, typer.Option(help="Pictures of another aspect: crop or pad.  [default: crop]")] = None,
    story: Annotated[Path | None, typer.Option(help='File with lines such as "3s: a prompt".')] = None,
    transparent: Annotated[bool, typer.Option("--transparent", help="Nothing behind the figure.")] = False,
    size: Annotated[str | None, typer.Option(help="Width and height, such as 1280x768, of a cascade.")] = None,
    stage: Annotated[str | None, typer.Option(help="Stop after this stage of a cascade: a smaller video.")] = None,
    candidates: Annotated[
        int | None, typer.Option(help="Make so many of each video, and keep the one that shows the prompt best.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="What ranks candidates: sprites, digits, clip-vit-b-32, a folder.")
    ] = None,
    crisp: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--crisp/--no-crisp", help="Pixel art: colors of the palette, no specks.  [default: crisp]"),
    ] = None,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Leave open what the prompt does not say, instead of drawing it.")
    ] = False,
    scale: Annotated[str | None, typer.Option(help="Enlarge by a whole factor, or auto.  [default: auto]")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A file of prompts: .txt .jsonl .json .csv")] = None,
    format: Annotated[str | None, typer.Option(help="Suffix of files in a folder.  [default: .mp4]")] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    workers: Annotated[int | None, typer.Option(help="Processes (local) or tasks (ray) at a time.", min=1)] = None,
    text: Annotated[
        Path | None, typer.Option(help="Folder of a packed text encoder, of `storyreel models text`.")
    ] = None,
    origin: Annotated[Path | None, typer.Option("--from", help="Make this file again, from its own metadata.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
    metadata: Annotated[bool, typer.Option("--metadata/--no-metadata", help="Say in the file what made it.")] = True,
) -> None:
    """Make a video from a sentence, a story, an image or a clip; prints the path of each file."""
    settings: dict[str, Any] = dict(
        frames=frames,
        seconds=seconds,
        fps=fps,
        steps=steps,
        guidance=guidance,
        image=image,
        image_end=image_end,
        extend=extend,
        variation=variation,
        fit=fit,
        stage=stage,
        size=size,
        candidates=candidates,
        encoder=encoder,
        crisp=crisp,
    )
    given = {key: value for key, value in settings.items() if value is not None}
    given |= {name: True for name, on in (("transparent", transparent), ("backward", backward),
                                             ("as_written", as_written)) if on}  # fmt: skip
    if story is not None:
        from storyreel.options.story import read_story

        _one_of(("PROMPT", prompt), ("--story", story), ("--prompts", prompts), ("--from", origin))
        given["story"] = read_story(story)
    wanted = Wanted(out=out, model=model, seed=seed, count=count, format=format, scale=scale, prompts=prompts)
    wanted = replace(wanted, origin=origin, engine=engine, workers=workers, as_json=as_json, quiet=quiet)
    wanted = replace(wanted, metadata=metadata, prompt=prompt, settings=given)
    if text is not None:
        from storyreel.text.minilm_words import use

        use(text)
    plan, results = run(wanted)
    report(plan, results, as_json)


def run(wanted: Wanted) -> tuple[Plan, list[Done]]:
    """Check everything that can be checked, then make the videos. Errors of single videos are told on stderr."""
    check_usage(wanted)
    from storyreel.engine import Local, cores, get_engine, wait_calmly
    from storyreel.generate import batch

    engine = get_engine(wanted.engine, wanted.workers)
    plan = Plan.of(wanted)
    here = isinstance(engine, Local) and (engine.workers == 1 or len(plan.jobs) == 1)

    from functools import partial

    from storyreel import video_io
    from storyreel.cli.screen import Screen

    with _places(wanted, plan), Screen(len(plan.jobs), quiet=wanted.quiet) as screen:
        for note in plan.notes:
            screen.say(f"storyreel: note: {note}")
        if here:
            wait_calmly()
            import torch

            torch.set_num_threads(plan.threads or min(torch.get_num_threads(), cores()))
        results = batch.run(
            plan.jobs,
            engine,
            partial(video_io.write, scale=plan.scale, metadata=wanted.metadata),
            digest=plan.info.get("digest", ""),
            resume=wanted.prompts is not None,
            on_progress=screen.progress if here else None,
            on_done=screen.done,
        )
    return plan, results


@contextmanager
def _places(wanted: Wanted, plan: Plan) -> Iterator[None]:
    """Where the videos go, checked before anything is made: no other file than one of ours is ever written over.

    The videos of a prompt file go into a folder of their own; others may go anywhere under a free name.
    """
    from storyreel.own_clips import first_foreign, may_write
    from storyreel.ownership import check_file, claim
    from storyreel.storage import check_writable, sweep

    given = {path for job in plan.jobs for path in job.options.files}
    if wanted.prompts is None:
        for job in plan.jobs:
            check_file(job.path, may_write(job.path), [*given, wanted.origin])
        folders = {job.path.parent for job in plan.jobs}
        for folder in folders:
            check_writable(folder)
            sweep(folder)
        yield
        for folder in folders:
            sweep(folder)
        return
    folder = plan.jobs[0].path.parent
    with claim(folder, "clips", inputs=[wanted.prompts, *given], shared=True, strange=first_foreign) as owned:
        for job in plan.jobs:
            if job.path.name not in owned.names:
                check_file(job.path, may_write(job.path))
        owned.record(job.path.name for job in plan.jobs)
        yield


def check_usage(wanted: Wanted) -> None:
    """What is wrong with the words of the command line themselves (exit code 2)."""
    if wanted.prompts is not None:
        _one_of(("PROMPT", wanted.prompt), ("--prompts", wanted.prompts), ("--from", wanted.origin))
    elif wanted.prompt is None and wanted.origin is None and not {*SAY_ENOUGH} & set(wanted.settings):
        raise typer.BadParameter("wanted a prompt in quotes, or one of --story, --prompts, --from")
    for one, other in (("frames", "seconds"), ("image", "extend")):
        if one in wanted.settings and other in wanted.settings:
            raise typer.BadParameter(f"--{one} is given as well; wanted one of the two", param_hint=f"--{other}")
    if wanted.engine not in ("local", "ray"):
        raise typer.BadParameter(f"wanted local or ray, got {wanted.engine!r}", param_hint="--engine")
    if wanted.scale not in (None, "auto") and not (str(wanted.scale).isdecimal() and 1 <= int(wanted.scale) <= 64):
        raise typer.BadParameter(
            f"wanted auto or a whole number from 1 to 64, got {wanted.scale!r}", param_hint="--scale"
        )
    if wanted.format is not None and f".{wanted.format.lstrip('.').lower()}" not in SUFFIXES:
        raise typer.BadParameter(f"wanted one of {' '.join(SUFFIXES)}, got {wanted.format!r}", param_hint="--format")


def _one_of(*options: tuple[str, Any]) -> None:
    given = [name for name, value in options if value is not None]
    if len(given) > 1:
        raise typer.BadParameter(f"{given[0]} is given as well; wanted one of the two", param_hint=given[1])


@dataclass
class Plan:
    """What the command line comes to."""

    jobs: list[Job]
    info: dict[str, Any]
    scale: str | int
    notes: list[str]
    threads: int | None = None

    @classmethod
    def of(cls, wanted: Wanted) -> Plan:
        from storyreel.generate import batch, registry
        from storyreel.generate.prompts import read_prompts
        from storyreel.generate.provenance import origin_of
        from storyreel.generate.ranking import default_candidates
        from storyreel.options.generation import GenerateOptions, check_seed

        seed = check_seed(wanted.seed or 0)
        notes: list[str] = []
        origin = rows = None
        if wanted.prompts is not None:
            rows = read_prompts(wanted.prompts, wanted.settings)
            options = rows[0].options
        elif wanted.origin is not None:
            origin = origin_of(wanted.origin, {**wanted.settings, "prompt": wanted.prompt})
            options, seed = origin.options, origin.seed if wanted.seed is None else seed
        else:
            options = GenerateOptions.of({**wanted.settings, "prompt": wanted.prompt}).check_prompt()
        name = wanted.model or (origin.model if origin else None)
        if name == "":
            raise ValueError(f"{wanted.origin}: names its model by a path, which is not opened; give it with -m")
        try:
            folder = registry.find(name)
        except ValueError as error:
            raise ValueError(f"{error}; or give its folder with -m" if origin and not wanted.model else error) from None
        info = registry.describe(folder)
        if origin and origin.digest != info.get("digest"):
            notes.append(f"{wanted.origin} was made by another {origin.model}; the pixels will differ")
        notes += _unknown_words(rows, options, info)
        model = folder.name if registry.here().get(folder.name) == folder else str(folder.absolute())
        if origin is None:
            candidates = default_candidates(info["name"], info)
            options = options.with_candidates(candidates)
            rows = rows and [replace(row, options=row.options.with_candidates(candidates)) for row in rows]
        place = Place.of(wanted, options.transparent)
        if rows is not None:
            jobs = batch.jobs_for(
                rows, model, info.get("digest", ""), place.folder, place.suffix, seed=seed, count=wanted.count
            )
            return cls(jobs, info, wanted.scale or "auto", notes)
        notes += _left_open(options, info, seed, origin.index if origin else 0)
        path = place.file(f"{batch.slug(options.prompts[0])}-seed{seed}", wanted.count)
        jobs = batch.many(batch.Job(model, options, seed, origin.index if origin else 0, path), wanted.count)
        scale = wanted.scale or (origin.scale if origin and path.suffix == wanted.origin.suffix else None) or "auto"  # pyright: ignore[reportOptionalMemberAccess]
        return cls(jobs, info, scale, notes, origin.threads if origin else None)


def _unknown_words(rows: list[Row] | None, options: Any, info: dict[str, Any]) -> list[str]:
    from storyreel.generate.open_attributes import attributes_of
    from storyreel.generate.registry import known_words
    from storyreel.generate.vocabulary import note_for

    prompts = [prompt for row in rows for prompt in row.options.prompts] if rows else options.prompts
    note = note_for(prompts, known_words(info), info["name"], attributes_of(info))
    return [note] if note else []


def _left_open(options: Any, info: dict[str, Any], seed: int, index: int) -> list[str]:
    """What the prompt leaves open and is drawn from the seed, in one line."""
    from storyreel.generate.open_attributes import attributes_of, completed, note_of

    attributes = attributes_of(info)
    _, made = completed(options, attributes, seed, index)
    return [f"{note_of(made, attributes)} (--as-written leaves it open)"] if made else []


@dataclass
class Place:
    """Where files go: a folder, their suffix, and the name when one was given."""

    folder: Path
    suffix: str
    name: str | None = None

    @classmethod
    def of(cls, wanted: Wanted, transparent: bool) -> Place:
        """From -o and --format; ValueError for a suffix that is no format or has no transparency."""
        usual = ".webm" if transparent else ".mp4"
        if wanted.origin is not None and wanted.origin.suffix.lower() in SUFFIXES:
            usual = wanted.origin.suffix.lower()
        if wanted.format:
            usual = f".{wanted.format.lstrip('.').lower()}"
        path = Path(wanted.out).expanduser() if wanted.out else None
        if path is None:
            folder = Path("out") / wanted.prompts.stem if wanted.prompts else Path()
            place = cls(folder, usual)
        elif path.is_dir() or str(wanted.out).endswith(("/", "\\")) or not path.suffix:
            place = cls(path, usual)
        elif wanted.prompts is not None:
            raise ValueError(f"{path}: wanted a folder for the videos of a prompt file; their suffix goes to --format")
        elif path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: unknown format {path.suffix!r}; wanted one of {' '.join(SUFFIXES)}")
        else:
            place = cls(path.parent, path.suffix.lower(), path.name)
        if transparent and place.suffix not in WITH_ALPHA:
            raise ValueError(
                f"{wanted.out or 'out'}: {place.suffix} has no transparency; wanted one of {' '.join(WITH_ALPHA)}"
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


def report(plan: Plan, results: list[Done], as_json: bool) -> None:
    """Paths, or one JSON document, on stdout. Exit code 1 when a video could not be made."""
    failed = [done for done in results if done.error is not None]
    made = [done for done in results if done.error is None]
    if as_json:
        import json

        told = {"model": plan.info["name"], "digest": plan.info.get("digest")}
        told |= {"videos": [done.as_json() for done in made], "failed": [done.as_json() for done in failed]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        for done in made:
            print(done.job.path)
    sys.stdout.flush()
    if failed:
        if len(results) > 1:
            print(f"storyreel: error: {len(failed)} of {len(results)} videos were not made", file=sys.stderr)
        raise typer.Exit(1)
