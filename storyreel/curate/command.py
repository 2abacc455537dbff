"""What `storyreel curate` and `storyreel.curate` do: footage and options in, a dataset folder out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from storyreel.curate import pipeline
from storyreel.curate.captions import KINDS, check_kinds
from storyreel.curate.models import ModelSettings
from storyreel.curate.picture_captions import is_model
from storyreel.curate.screen import CurationScreen
from storyreel.curate.settings import CurationSettings, Execution
from storyreel.curate.sources import MEANINGS
from storyreel.curate.thresholds import Thresholds
from storyreel.curate.write import Written
from storyreel.data.imports.entries import columns_of
from storyreel.options.curation import CurateOptions
from storyreel.ownership import check_apart, check_owner
from storyreel.recipe import override
from storyreel.storage import check_writable

OF_SETTINGS = ("measure", "export", "watch", "models")


def curate(footage: str | Path | Sequence[str | Path], out: str | Path, **options: Any) -> Written:
    """Curate films into the dataset folder `out`. Options: the fields of `CurateOptions`, as on the command line.

    ValueError or OSError, in one line: an option, no footage, a folder of another configuration or in use, or no film
    that could be measured.
    """
    films = [footage] if isinstance(footage, (str, Path)) else footage
    return run(CurateOptions.of({"footage": films, "out": out, **options}), CurationScreen(quiet=True)).checked()


def run(options: CurateOptions, screen: CurationScreen) -> Written:
    """Measure, caption, choose and write; the same again goes on where it stopped."""
    settings, thresholds = settings_of(options)
    shards = options.webdataset
    if shards is not None:  # before the hours of work
        check_apart(shards, [*options.footage, options.out])
        check_apart(options.out, [shards])
        check_owner(shards, "shards")
        check_writable(shards)
    done = pipeline.curate(
        options.footage, options.out, settings, thresholds,
        steps=options.steps or pipeline.STEPS,
        where=Execution(options.engine, options.workers), redo=options.redo, retry=options.retry,
        columns=columns_of(options.columns, MEANINGS), videos=options.videos, screen=screen,
    )  # fmt: skip
    if shards is not None:
        from storyreel.data.export import export_webdataset
        from storyreel.data.folder import DatasetFolder

        export_webdataset(DatasetFolder.open(options.out), shards, drawn=True)
    return done


def settings_of(options: CurateOptions) -> tuple[CurationSettings, Thresholds]:
    image, video, aesthetics = (
        None if folder is None else str(folder)
        for folder in (options.image_captioner, options.video_captioner, options.aesthetics)
    )
    models = ModelSettings(
        image=image, video=video, aesthetics=aesthetics, encoder=options.encoder, chat=options.chat,
        chat_model=options.chat_model,
    )  # fmt: skip
    settings, thresholds = change(CurationSettings(models=models), Thresholds(), options.sets)
    if options.captions is not None:
        settings = _captioned(settings, options.captions)
    if options.sidecar is not None:
        settings = replace(settings, sidecars=str(options.sidecar))
    return settings, thresholds


def _captioned(settings: CurationSettings, listed: Sequence[str]) -> CurationSettings:
    """The kinds of `--captions`, and the model among them, which captions what those before it do not."""
    models = [name for name in listed if name not in KINDS and is_model(name)]
    if len(models) > 1:
        raise ValueError(f"captions: expected one model at most, got {' and '.join(models)}")
    kinds = check_kinds([name for name in listed if name not in models])
    if not models:
        return replace(settings, captions=kinds)
    with_model = replace(settings.models, captioner=models[0], before=list(listed).index(models[0]))
    return replace(settings, captions=kinds, models=with_model)


def change(
    settings: CurationSettings, thresholds: Thresholds, sets: Sequence[str]
) -> tuple[CurationSettings, Thresholds]:
    """`--set` one by one: a setting where its name begins with one, else a threshold. ValueError if wrong."""
    for each in sets:
        path, value = split(each)
        if path.partition(".")[0] in OF_SETTINGS:
            settings = override(settings, path, value)
        else:
            thresholds = override(thresholds, path, value)
    return settings, thresholds


def change_thresholds(thresholds: Thresholds, sets: Sequence[str]) -> Thresholds:
    """The same where nothing is measured anew."""
    for each in sets:
        path, value = split(each)
        if path.partition(".")[0] in OF_SETTINGS:
            raise ValueError(f"--set {path}: only thresholds can be set with filter; nothing is measured anew")
        thresholds = override(thresholds, path, value)
    return thresholds


def split(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    path, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text}: expected NAME=VALUE, such as motion.min=0.5")
    return path, value
