"""storyreel data: make, check, look at, fetch or export a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from storyreel.cli import data_import
from storyreel.numbers import frame_rate

if TYPE_CHECKING:
    from storyreel.data.write import World

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make, check, fetch or look at a dataset folder.")
app.add_typer(data_import.app, name="import")

BEFORE: dict[str, Any] = {  # what a dataset has whose `dataset.json` does not name the setting
    "balance": False, "language": 1, "partial": 0.15, "short": 0.12, "doubles": 0.5,
}  # fmt: skip
Folder = Annotated[Path, typer.Argument(help="Dataset folder.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def make(
    world: Annotated[str, typer.Argument(help="digits or sprites.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.")],
    clips: Annotated[int, typer.Option(min=1, help="How many clips.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other clips.")] = 0,
    frames: Annotated[int | None, typer.Option(help="Frames a clip.")] = None,
    fps: Annotated[str | None, typer.Option(help="Frames a second, such as 8 or 30000/1001.")] = None,
    captions: Annotated[int | None, typer.Option(help="Captions a clip.")] = None,
    carried: Annotated[float | None, typer.Option(help="Share of clips that begin with a given frame.")] = None,
    held_out_share: Annotated[float | None, typer.Option(help="Share of clips of held-out combinations.")] = None,
    size: Annotated[int | None, typer.Option(help="digits: canvas, pixels.")] = None,
    digits: Annotated[str | None, typer.Option(help="digits: 1, 2 or both.")] = None,
    doubles: Annotated[float | None, typer.Option(help="digits: share of clips with two digits, of both.")] = None,
    mnist: Annotated[Path | None, typer.Option(help="digits: folder of MNIST's IDX files.")] = None,
    source: Annotated[Path | None, typer.Option(help="sprites: folder of the LPC sheets.")] = None,
    balance: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option("--balance/--no-balance", help="sprites: every value of an attribute as often as the others."),
    ] = None,
    language: Annotated[int | None, typer.Option(help="sprites: 1 captions of sixteen forms, 2 of a grammar.")] = None,
    partial: Annotated[float | None, typer.Option(help="sprites: share of captions that leave things out.")] = None,
    short: Annotated[float | None, typer.Option(help="sprites: share of captions of one to three attributes.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")] = None,
) -> None:
    """Write clips of a world. The same command again goes on, or says that all is there; more clips extend it."""
    from storyreel.data.write import write_world

    given: dict[str, Any] = dict(frames=frames, fps=fps, captions=captions, carried=carried)
    given |= dict(held_out_share=held_out_share, size=size, digits=digits, mnist=mnist, source=source)
    given |= dict(balance=balance, language=language, partial=partial, short=short, doubles=doubles)
    old = _settings_before(out, world)
    made, plan = _world(world, {**old, **{name: value for name, value in given.items() if value is not None}})
    folder = write_world(out, made, clips, seed, workers=workers, plan=plan, inputs=[mnist, source])
    splits = folder.splits
    held = f", {splits.count('held_out')} of them held out" if "held_out" in splits else ""
    typer.echo(f"{out}: {len(folder)} clips of {world}{held}")


def _settings_before(out: Path, world: str) -> dict[str, Any]:
    """The settings of the dataset there that its `dataset.json` does not name, so that it can grow as it is."""
    import json

    from storyreel.data.write import PLAN
    from storyreel.worlds.registry import WORLDS, settings_of

    try:
        plan = json.loads((out / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = settings_of(world) if world in WORLDS else {}
    return {name: value for name, value in BEFORE.items() if name in known and name not in plan}


def _world(name: str, options: dict[str, Any]) -> tuple[World, dict[str, Any]]:
    """The world, and what it was set to, for `dataset.json`."""

    from storyreel.worlds.registry import make_world, settings_of, world_class

    try:
        kind: Any = world_class(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="WORLD") from None
    known = settings_of(name)
    for option in options:
        if option not in (*known, kind.source_field):
            flag = "--" + option.replace("_", "-")
            raise typer.BadParameter(f"the world {name} has no such setting", param_hint=flag)
    if "fps" in options:
        try:
            options["fps"] = frame_rate(options["fps"])
        except ValueError:
            raise typer.BadParameter(f"wanted a number such as 8, got {options['fps']!r}", param_hint="--fps") from None
    if name == "sprites" and "source" not in options:
        raise typer.BadParameter(
            "wanted the folder of the LPC sheets (`storyreel data fetch sprites -o FOLDER` gets it)",
            param_hint="--source",
        )
    world = make_world(name, options.pop(kind.source_field, None), options)
    # where a folder lies says nothing about the clips, and would not let the dataset be moved
    settings = {f: getattr(world, f) for f in known if f not in BEFORE or BEFORE[f] != getattr(world, f)}
    plain = {f: v if isinstance(v, (int, float, str)) else str(v) for f, v in settings.items()}
    return world, {"world": name, **plain, **({"mnist": world.mnist is not None} if name == "digits" else {})}


@app.command()
def check(folder: Folder, as_json: Json = False, workers: Annotated[int | None, typer.Option(min=1)] = None) -> None:
    """Decode every clip; say which are refused and why. Exit code 1 when none can be used."""
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
    """Draw film strips with their captions."""
    from storyreel.data.folder import DatasetFolder
    from storyreel.data.preview import contact_sheet, is_preview, write_preview
    from storyreel.ownership import check_file

    if out.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise typer.BadParameter(f"wanted a .png, got {out.name!r}", param_hint="--out")
    check_file(out, is_preview(out))
    write_preview(contact_sheet(DatasetFolder.open(folder), clips, split), out)
    typer.echo(str(out))


@app.command()
def fetch(
    world: Annotated[str, typer.Argument(help="sprites.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to unpack into, new or empty.")],
    url: Annotated[str | None, typer.Option(help="Another address of the same archive.")] = None,
) -> None:
    """Download the sheets that the world `sprites` is made from (CC-BY-SA 3.0 / GPL 3.0)."""
    from storyreel.data.fetch import LPC, fetch_sprites

    if world != "sprites":
        raise typer.BadParameter(f"there is nothing to fetch for {world!r}, only for sprites", param_hint="WORLD")
    count = fetch_sprites(out, url or LPC)
    typer.echo(f"{out}: {count} files; next: storyreel data make sprites --source {out} -o DIR")


@app.command()
def sheets(
    source: Annotated[Path, typer.Option(help="Folder of the LPC sheets.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Archive to write, .tar.xz.")],
) -> None:
    """Pack the sheets that the world `sprites` draws from, with their credits; training takes the archive as it is."""
    from storyreel.worlds.sprites_sheets import pack_sheets

    if not out.name.endswith(".tar.xz"):
        raise typer.BadParameter(f"wanted a .tar.xz, got {out.name!r}", param_hint="--out")
    count = pack_sheets(source, out)
    typer.echo(f"{out}: {count} files, {out.stat().st_size / 2**20:.1f} MiB")


@app.command()
def export(
    folder: Folder,
    webdataset: Annotated[Path, typer.Option(help="Folder to write WebDataset shards into.")],
    shard: Annotated[int, typer.Option(min=1, help="Clips a shard.")] = 1000,
) -> None:
    """Write the clips and rows as WebDataset shards (.tar); shards that are there are kept."""
    from storyreel.data.export import export_webdataset
    from storyreel.data.folder import DatasetFolder

    made = export_webdataset(DatasetFolder.open(folder), webdataset, shard)
    typer.echo(f"{webdataset}: {len(made)} shards")


@app.command()
def prompts(
    benchmark: Annotated[str, typer.Argument(help="moving-digits or sprites.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for storyreel generate --prompts: .txt or .jsonl.")],
    real: Annotated[Path | None, typer.Option(help="Also write the world's own clips of the prompts here.")] = None,
    phrasing: Annotated[
        str, typer.Option(help="sprites: only those worded plain, training, held-out or natural.")
    ] = "",
    source: Annotated[Path | None, typer.Option(help="sprites: folder of the LPC sheets, for --real.")] = None,
) -> None:
    """Write the prompts of a benchmark, to run any model on them."""
    from storyreel.evaluate import benchmarks
    from storyreel.own_clips import first_foreign
    from storyreel.ownership import check_apart, check_owner
    from storyreel.storage import check_writable

    asked = benchmarks.prompts(benchmark, phrasing)
    asked.checked(out)
    if real is not None:
        check_apart(real, [out])
        check_owner(real, "clips", first_foreign)
        check_writable(real)
    asked.write_for_models(out)
    if real is not None:
        benchmarks.write_real(benchmark, real, source=source, group=phrasing)
    typer.echo(f"{out}: {len(asked.prompts)} prompts; next: storyreel generate --prompts {out} -o CLIPS -m MODEL")
    typer.echo(f"then: storyreel evaluate CLIPS --benchmark {benchmark}")
