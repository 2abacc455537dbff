"""storyreel curate: from raw footage to a dataset folder, with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from storyreel.curate.pipeline import Settings
    from storyreel.curate.thresholds import Thresholds
    from storyreel.curate.write import Written

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="From raw footage to a dataset folder, with reasons."
)
OF_SETTINGS = ("measure", "export", "watch", "models")


@app.command()
def curate(
    footage: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Films, folders or manifests (.txt, .csv, .jsonl, .parquet); or `ablate DATASET`.",
            metavar="FOOTAGE...",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Dataset folder to write.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="A threshold (motion.min=0.5) or setting (export.format=virtual)."),
    ] = None,
    filter_: Annotated[
        Path | None, typer.Option("--filter", help="Choose anew in this curated folder; decodes nothing.")
    ] = None,
    steps: Annotated[str | None, typer.Option(help="Of cuts,motion,text,quality,captions,... only these.")] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Films at a time; as many as cores by default.")] = None,
    captions: Annotated[
        str | None, typer.Option(help="Kinds in order: subtitles,column,sidecar,name; name reads the file name.")
    ] = None,
    sidecar: Annotated[Path | None, typer.Option(help="Folder of sidecar files, if not beside the films.")] = None,
    image_captioner: Annotated[Path | None, typer.Option(help="Model folder: captions the middle frame.")] = None,
    video_captioner: Annotated[Path | None, typer.Option(help="Model folder: captions three frames.")] = None,
    chat: Annotated[str | None, typer.Option(help="URL of an OpenAI-style chat: fuses both captions.")] = None,
    chat_model: Annotated[str, typer.Option(help="The model's name at that URL.")] = "default",
    encoder: Annotated[str | None, typer.Option(help="Scores similarity: a world or a model folder.")] = None,
    aesthetics: Annotated[Path | None, typer.Option(help="Folder of CLIP and the LAION head's weights.")] = None,
    webdataset: Annotated[Path | None, typer.Option(help="Also write the kept clips as shards into here.")] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Discard what another configuration measured.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try films again that could not be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Find the shots, measure them once, caption, choose and write. The same command again goes on where it stopped.

    `storyreel curate --filter DATASET --set motion.min=0.5` chooses anew from the stored scores.
    `storyreel curate ablate DATASET -o DIR` shows what each threshold does, and writes subsets to train on.
    """
    given = list(footage or [])
    if given and str(given[0]) == "ablate" and not given[0].exists():
        _ablate(given[1:], out, as_json)
        return
    if filter_ is not None:
        if given or out or redo or retry:
            raise typer.BadParameter("goes with --set alone, not with footage or -o", param_hint="--filter")
        from storyreel.curate.refilter import refilter

        _say(refilter(filter_, lambda now: _change(None, now, sets or [])[1]), as_json)
        return
    if not given or out is None:
        raise typer.BadParameter("wanted footage and a dataset folder: FOOTAGE... -o DATASET")
    from storyreel.curate.pipeline import STEPS, Where, check_steps
    from storyreel.curate.pipeline import curate as run
    from storyreel.curate.screen import Screen
    from storyreel.ownership import check_apart, check_owner
    from storyreel.storage import check_writable

    models = dict(image=image_captioner, video=video_captioner, chat=chat, chat_model=chat_model)
    models |= dict(encoder=encoder, aesthetics=aesthetics)
    settings, thresholds = _settings(sets or [], captions, sidecar, models)
    if webdataset is not None:  # before the hours of work
        check_apart(webdataset, [*given, out])
        check_apart(out, [webdataset])
        check_owner(webdataset, "shards")
        check_writable(webdataset)
    done = run(
        given, out, settings, thresholds,
        steps=check_steps(_listed(steps)) if steps else STEPS,
        where=Where(engine, workers), redo=redo, retry=retry, screen=Screen(quiet=False),
    )  # fmt: skip
    if webdataset is not None:
        from storyreel.data.export import export_webdataset
        from storyreel.data.folder import DatasetFolder

        export_webdataset(DatasetFolder.open(out), webdataset, drawn=True)
    _say(done, as_json)
    if done.films and len(done.refused) == done.films:
        raise ValueError(f"{out}: no film could be measured, {len(done.refused)} set aside; see above")


def _ablate(given: list[Path], out: Path | None, as_json: bool) -> None:
    import json

    if len(given) != 1 or out is None:
        raise typer.BadParameter("wanted one curated folder and where to write: ablate DATASET -o DIR")
    from storyreel.curate.ablate import ablate

    told = ablate(given[0], out)
    sets = ", ".join(f"{name} {count}" for name, count in told["subsets"].items())
    typer.echo(json.dumps(told) if as_json else f"{out}: {len(told['limits'])} limits swept; subsets: {sets}")


def _settings(
    sets: list[str], captions: str | None, sidecar: Path | None, models: dict[str, Any]
) -> tuple[Settings, Thresholds]:
    from dataclasses import replace

    from storyreel.curate.captions import check_kinds
    from storyreel.curate.models import Models
    from storyreel.curate.pipeline import Settings
    from storyreel.curate.thresholds import Thresholds

    plain: dict[str, Any] = {name: str(value) if isinstance(value, Path) else value for name, value in models.items()}
    settings, thresholds = _change(Settings(models=Models(**plain)), Thresholds(), sets)
    assert settings is not None
    if captions is not None:
        settings = replace(settings, captions=check_kinds(_listed(captions)))
    if sidecar is not None:
        if not sidecar.is_dir():
            raise typer.BadParameter(f"{sidecar}: no such folder", param_hint="--sidecar")
        settings = replace(settings, sidecars=str(sidecar))
    return settings, thresholds


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _change(settings: Settings | None, now: Thresholds, sets: list[str]) -> tuple[Settings | None, Thresholds]:
    """`--set` one by one: a setting where its name begins with one, else a threshold. ValueError if wrong."""
    from storyreel.recipe import override

    for given in sets:
        path, equals, value = given.partition("=")
        if not equals:
            raise ValueError(f"--set {given}: wanted NAME=VALUE, such as motion.min=0.5")
        if path.partition(".")[0] in OF_SETTINGS:
            if settings is None:
                raise ValueError(f"--set {path}: only thresholds can be set with --filter; nothing is measured anew")
            settings = override(settings, path, value)
        else:
            now = override(now, path, value)
    return settings, now


def _say(done: Written, as_json: bool) -> None:
    import json

    from storyreel.wording import counted

    if as_json:
        typer.echo(json.dumps(done.as_json()))
        return
    share = f" ({done.kept / done.spans:.0%})" if done.spans else ""
    films = counted(done.films, "film")
    typer.echo(f"{done.path}: {done.kept} of {done.spans} spans kept{share}, {done.seconds:.1f} s, {films}")
    if done.rejected:
        typer.echo("  rejected: " + ", ".join(f"{name} {count}" for name, count in done.rejected.items()))
    if done.refused:
        films = counted(len(done.refused), "film")
        typer.echo(f"  set aside: {films}, listed in {done.path}/curation/quarantine.jsonl")
        if again := sum(bool(film.get("passing")) for film in done.refused):
            typer.echo(f"  {again} of them for a cause that may pass (no memory, no disk): the next call tries again")
