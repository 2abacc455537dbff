"""Everything that opens a file as a clip: each is given the mutated files of the campaign `media.py`."""

from __future__ import annotations

import contextlib
import io
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

from watched import Door


def doors() -> dict[str, Door]:
    """Imports all that is heavy, so that the first file does not pay for it."""
    import cv2
    import torch

    import storyreel.cli.generate
    import storyreel.curate.measure
    import storyreel.data.check
    import storyreel.data.imports.folder
    import storyreel.data.pack
    import storyreel.data.preview
    import storyreel.evaluate.decode
    import storyreel.study.create

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # Here rather than in a process that is started for each file; tests/data/test_deadly_clips.py has those.
    for module in (storyreel.data.pack, storyreel.data.check):
        module.run = lambda function, items, **_: map(function, items)  # pyright: ignore
    return {
        "Clip.open": _open,
        "open_image": _open_image,
        "inspect": lambda path: verb("inspect", str(path)),
        "inspect --json": lambda path: verb("inspect", str(path), "--json"),
        "data check": _check,
        "data preview": _preview,
        "data import": _import,
        "train": _pack,
        "evaluate": _evaluate,
        "study create": _study,
        "curate": _measure,
        "generate --image": lambda path: _given(path, "image"),
        "generate --extend": lambda path: _given(path, "extend"),
        "generate --from": _again,
    }


def verb(*args: str) -> None:
    """A verb of the command line in this process: it must end with a code, and say one line when it fails."""
    from storyreel import cli

    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(list(args))
    except SystemExit as done:
        if done.code not in (0, 1) or "Traceback" in err.getvalue() or (done.code and err.getvalue().count("\n") != 1):
            raise AssertionError(f"{args[0]} ended with {done.code}: {err.getvalue()[-300:]}") from None
        if done.code:
            raise ValueError(err.getvalue().strip()) from None


def _open(path: Path) -> None:
    from storyreel.data.folder import read_clip

    clip = read_clip(path)
    repr(clip)


def _open_image(path: Path) -> None:
    from storyreel import video_io

    video_io.open_image(path)


def _dataset(path: Path) -> Any:
    """A dataset folder of this one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from storyreel.data.folder import DatasetFolder

    table = pa.table({"file_name": [path.name], "caption": ["a red ball"], "split": ["train"]})
    pq.write_table(table, path.parent / "metadata.parquet")
    return DatasetFolder.open(path.parent)


def _check(path: Path) -> None:
    from storyreel.data.check import check

    report = check(_dataset(path), workers=1)
    str(report)
    if report.refused:
        raise ValueError(report.refused[0][1])


def _preview(path: Path) -> None:
    from storyreel.data.preview import contact_sheet

    contact_sheet(_dataset(path), 1)


def _pack(path: Path) -> None:
    from storyreel.data.pack import Pack

    cache = path.parent / "cache"
    pack = Pack.open(_dataset(path), 16, 3, cache)
    shutil.rmtree(cache)
    if pack.refused:
        raise ValueError(pack.refused[0])


def _import(path: Path) -> None:
    from storyreel.data.imports.entries import AnnotatedClip, ClipCut
    from storyreel.data.imports.folder import cut_clip

    entry = AnnotatedClip(index=0, name="x", file=path, captions=("x",), span=(0.1, 1.2))
    cut_clip(entry, ClipCut(size=32, fps=Fraction(8), seconds=1.0))
    cut_clip(AnnotatedClip(index=0, name="x", file=path, captions=("x",)), ClipCut(seconds=2.0))


def _evaluate(path: Path) -> None:
    from storyreel.evaluate import protocols
    from storyreel.evaluate.decode import ClipSource, Cut, one_pass
    from storyreel.evaluate.gather import ClipRows, Stories
    from storyreel.evaluate.judged_clips import prompt_of
    from storyreel.evaluate.sources import ClipFolder

    source = ClipSource(path)
    frames, _ = ClipFolder(path.parent, (source,), "").usual()
    prompt_of(path)
    rules = next(iter(protocols.PROTOCOLS.values()))
    one_pass([source], Cut(rules, frames), [ClipRows(), Stories()], workers=0)


def _study(path: Path) -> None:
    from storyreel import video_io
    from storyreel.study.create import create

    folders = [path.parent / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
    shutil.rmtree(path.parent / "study", ignore_errors=True)
    with patch.object(video_io, "write", _nothing):  # encoding six clips takes longer than all the rest
        create(folders, path.parent / "study")


def _nothing(clip: Any, path: Path, **options: Any) -> Path:
    path.write_bytes(b"")
    return path


def _measure(path: Path) -> None:
    from storyreel.curate.measure import MeasureSettings, measure
    from storyreel.curate.rows import rows_of, table_of
    from storyreel.curate.sources import FilmSource, no_film

    if (why := no_film(path)) is not None:
        raise ValueError(why)
    found = measure(path, MeasureSettings(text_long_side=0))
    table_of(rows_of(found, FilmSource(path.name, str(path)), ""))


def _given(path: Path, kind: Any) -> None:
    from storyreel.options.generation import GenerateOptions

    asked = GenerateOptions.of({"prompt": "a red ball", kind: path})  # pyright: ignore
    asked.as_json()
    asked.resolve(Fraction(8))


def _again(path: Path) -> None:
    from storyreel.cli.generate import GenerationPlan
    from storyreel.options.batch import BatchOptions

    plan = GenerationPlan.of({}, BatchOptions(origin=path, model="godiva-digits", out=str(path.parent / "again.mp4")))
    for job in plan.jobs:
        job.options.resolve(Fraction(8))
