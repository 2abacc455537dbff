"""storyreel data: make, check, look at, fetch or export a dataset folder."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from storyreel import worlds
from storyreel.cli import data_import
from storyreel.evaluate import benchmarks
from storyreel.numbers import frame_rate

HELP = """Make, check, fetch or look at a dataset folder.

storyreel data make digits -o data/digits

storyreel data check data/digits
"""
app = typer.Typer(add_completion=False, no_args_is_help=True, help=HELP)
app.add_typer(data_import.app, name="import")

Folder = Annotated[Path, typer.Argument(help="Dataset folder.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def make(
    world: Annotated[str, typer.Argument(help=f"{' or '.join(worlds.names())}.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.")],
    clips: Annotated[int, typer.Option(min=1, help="How many clips.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other clips.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")] = None,
    **settings: Any,
) -> None:
    """Write clips of a world. The same command again goes on, or says that all is there; more clips extend it.

    storyreel data make digits -o data/digits --clips 2000
    """
    from storyreel.data.write import write_world

    try:
        declared = worlds.find(world)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="WORLD") from None
    provided = {name: value for name, value in settings.items() if value is not None}
    maker, plan, folder = _maker(declared, {**_settings_before(out, declared), **provided})
    made = write_world(out, maker, clips, seed, workers=workers, plan=plan, inputs=[folder])
    splits = made.splits
    held = f", {splits.count('held_out')} of them held out" if "held_out" in splits else ""
    typer.echo(f"{out}: {len(made)} clips of {world}{held}")


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each setting that some world has."""
    found: dict[str, list[tuple[str, type, str]]] = {}  # setting -> (world, type, help)
    for name in worlds.names():
        declared = worlds.find(name)
        for setting in fields(declared.maker):
            kind = declared.types.get(setting.name, Path)
            found.setdefault(setting.name, []).append((name, kind, str(setting.metadata["about"])))
    options = []
    for setting, uses in found.items():
        kinds = {kind for _, kind, _ in uses}
        kind: Any = kinds.pop() if len(kinds) == 1 else str
        kind = kind if kind in (int, float, bool, Path) else str
        flag = setting.replace("_", "-")
        flags = [f"--{flag}/--no-{flag}"] if kind is bool else [f"--{flag}"]
        shown = Annotated[kind | None, typer.Option(*flags, help=_help(uses))]
        options.append(inspect.Parameter(setting, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=shown))
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    command.__signature__ = inspect.Signature([*own, *options])  # pyright: ignore[reportFunctionMemberAccess]
    return command


def _help(uses: list[tuple[str, type, str]]) -> str:
    """What a setting says in each world that has it, once where all say the same."""
    by_text: dict[str, list[str]] = {}
    for world, _, text in uses:
        by_text.setdefault(text, []).append(world)
    everywhere = len(by_text) == 1 and len(uses) == len(worlds.names())
    return " ".join(text if everywhere else f"{', '.join(names)}: {text}" for text, names in by_text.items())


app.command()(_with_settings(make))


def _settings_before(out: Path, world: worlds.World) -> dict[str, Any]:
    """The settings of the dataset there that its `dataset.json` does not name, so that it can grow as it is."""
    from storyreel.data.write import PLAN
    from storyreel.json_file import read_object

    try:
        plan = read_object(out / PLAN)
    except (OSError, ValueError):
        return {}
    before = {name: setting.metadata["before"] for name, setting in world.settings.items()}
    return {name: value for name, value in before.items() if value is not None and name not in plan}


def _maker(world: worlds.World, options: dict[str, Any]) -> tuple[worlds.ClipMaker, dict[str, Any], Path | None]:
    """What makes the clips, how it was set, for `dataset.json`, and the folder of the pictures."""
    place = world.folder.name if world.folder else ""
    for option in options:
        if option not in (*world.settings, place):
            flag = "--" + option.replace("_", "-")
            raise typer.BadParameter(f"the world {world.name} has no such setting", param_hint=flag)
    if "fps" in options:
        try:
            options["fps"] = frame_rate(options["fps"])
        except ValueError:
            raise typer.BadParameter(
                f"expected a number such as 8, got {options['fps']!r}", param_hint="--fps"
            ) from None
    folder = options.pop(place, None)
    if folder is None and world.needs_folder:
        fetch = (
            f" (`storyreel data fetch {world.name} -o FOLDER` gets it)" if world.pictures and world.pictures.url else ""
        )
        raise typer.BadParameter(f"expected the folder of {world.pictures_name}{fetch}", param_hint=f"--{place}")
    made = world.make(folder, options)
    # where a folder lies says nothing about the clips, and would not let the dataset be moved
    values = {name: (getattr(made, name), s.metadata["before"]) for name, s in world.settings.items()}
    plan = {n: v if isinstance(v, (int, float, str)) else str(v) for n, (v, before) in values.items() if v != before}
    if place and not world.needs_folder:
        plan[place] = folder is not None
    return made, {"world": world.name, **plan}, folder


@app.command()
def check(folder: Folder, as_json: Json = False, workers: Annotated[int | None, typer.Option(min=1)] = None) -> None:
    """Decode every clip; say which are refused and why. Exit code 1 when none can be used.

    storyreel data check data/digits
    """
    import json

    from storyreel.data.check import check as look
    from storyreel.data.folder import DatasetFolder

    report = look(DatasetFolder.open(folder), workers)
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else str(report))
    if not report.usable:
        raise typer.Exit(1)


@app.command()
def preview(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write, .png.")],
    clips: Annotated[int, typer.Option(min=1, max=500, help="How many strips.")] = 12,
    split: Annotated[str | None, typer.Option(help="Only of this split: train or held_out.")] = None,
) -> None:
    """Draw film strips with their captions.

    storyreel data preview data/digits -o strips.png
    """
    from storyreel.data.folder import DatasetFolder
    from storyreel.data.preview import contact_sheet, is_preview, write_preview
    from storyreel.ownership import claim_file

    if out.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise typer.BadParameter(f"expected a .png, got {out.name!r}", param_hint="--out")
    claim_file(out, is_preview(out))
    write_preview(contact_sheet(DatasetFolder.open(folder), clips, split), out)
    typer.echo(str(out))


@app.command()
def fetch(
    world: Annotated[str, typer.Argument(help="Whose pictures, such as sprites.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to unpack into, new or empty.")],
    url: Annotated[str | None, typer.Option(help="Another address of the same archive.")] = None,
) -> None:
    """Download the pictures that a world is made from; those of sprites are CC-BY-SA 3.0 / GPL 3.0.

    storyreel data fetch sprites -o sheets
    """
    from storyreel.data.fetch import fetch_pictures, pictures_of

    try:
        pictures = pictures_of(world)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="WORLD") from None
    print(f"storyreel: licence of {pictures.name}: {pictures.licence}", file=sys.stderr)
    count = fetch_pictures(world, out, url)
    place = worlds.find(world).folder
    option = f" --{place.name} {out}" if place else ""
    typer.echo(f"{out}: {count} files; next: storyreel data make {world}{option} -o DIR")


@app.command()
def sheets(
    source: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Archive to write, .tar.xz.")],
    world: Annotated[str, typer.Option(help="Whose pictures.")] = "sprites",
) -> None:
    """Pack the pictures that a world draws from, with their credits; training takes the archive as it is.

    storyreel data sheets --source LPC -o sheets.tar.xz
    """
    pictures = worlds.find(world).pictures
    if pictures is None or pictures.pack is None:
        raise typer.BadParameter(f"the world {world} has no pictures to pack", param_hint="--world")
    if not out.name.endswith(".tar.xz"):
        raise typer.BadParameter(f"expected a .tar.xz, got {out.name!r}", param_hint="--out")
    count = pictures.pack(source, out)
    typer.echo(f"{out}: {count} files, {out.stat().st_size / 2**20:.1f} MiB")


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write WebDataset shards into.")],
    shard: Annotated[int, typer.Option(min=1, help="Clips a shard.")] = 1000,
) -> None:
    """Write the clips and rows as WebDataset shards (.tar); shards that are there are kept.

    storyreel data export data/digits -o shards
    """
    from storyreel.data.export import export_webdataset
    from storyreel.data.folder import DatasetFolder

    made = export_webdataset(DatasetFolder.open(folder), out, shard)
    typer.echo(f"{out}: {len(made)} shards")


@app.command()
def prompts(
    benchmark: Annotated[str, typer.Argument(help=f"{' or '.join(benchmarks.names())}.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for storyreel generate --prompts: .txt or .jsonl.")],
    real: Annotated[Path | None, typer.Option(help="Also write the world's own clips of the prompts here.")] = None,
    phrasing: Annotated[
        str, typer.Option(help="Only those of one group; of sprites plain, training, held-out, natural.")
    ] = "",
    source: Annotated[Path | None, typer.Option(help="Folder of the world's pictures, for --real.")] = None,
) -> None:
    """Write the prompts of a benchmark, to run any model on them.

    storyreel data prompts moving-digits -o prompts.jsonl
    """
    from storyreel.own_clips import first_foreign
    from storyreel.ownership import check_apart, check_owner
    from storyreel.storage import check_writable

    prompt_list = benchmarks.prompts(benchmark, phrasing)
    prompt_list.checked(out)
    if real is not None:
        check_apart(real, [out])
        check_owner(real, "clips", first_foreign)
        check_writable(real)
    prompt_list.write_for_models(out)
    if real is not None:
        benchmarks.write_real(benchmark, real, source=source, group=phrasing)
    typer.echo(f"{out}: {len(prompt_list.prompts)} prompts; next: storyreel generate --prompts {out} -o CLIPS -m MODEL")
    typer.echo(f"then: storyreel evaluate benchmark {benchmark} CLIPS")
