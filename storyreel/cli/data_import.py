"""storyreel data import: public datasets in their published layouts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.numbers import frame_rate

if TYPE_CHECKING:
    from storyreel.data.imports.entries import Shape
    from storyreel.data.imports.folder import Imported

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Write a public dataset, as it is published, as a dataset folder."
)
SHOWN = 5  # things left out that are told on stderr

Out = Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.")]
Videos = Annotated[Path, typer.Option(help="Folder of the videos; subfolders are searched.")]
Size = Annotated[int | None, typer.Option(help="Cut to the middle square of so many pixels.")]
Fps = Annotated[str | None, typer.Option(help="Frames a second, such as 8; the video's own by default.")]
Seconds = Annotated[float | None, typer.Option(help="At most so long: the middle of what is longer.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores by default.")]


@app.command("msr-vtt")
def msr_vtt(
    annotations: Annotated[
        list[Path], typer.Option(help="train_val_videodatainfo.json, test_videodatainfo.json; may repeat.")
    ],
    videos: Videos,
    out: Out,
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """MSR-VTT: a clip a video, with all its captions; splits train, val and test.

    storyreel data import msr-vtt --annotations train_val_videodatainfo.json --videos VIDEOS -o DATASET --fps 8
    """
    from storyreel.data.imports.msr_vtt import import_msr_vtt

    _tell("MSR-VTT", import_msr_vtt(annotations, videos, out, shape=_shape(size, fps, seconds), workers=workers))


@app.command()
def howto100m(
    captions: Annotated[Path, typer.Option(help="caption.json, or a folder of ID.json.")],
    videos: Videos,
    out: Out,
    csv: Annotated[Path | None, typer.Option(help="HowTo100M_v1.csv: take these ids alone.")] = None,
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """HowTo100M: a clip a captioned span.

    storyreel data import howto100m --captions caption.json --csv HowTo100M_v1.csv --videos VIDEOS -o DATASET --fps 8
    """
    from storyreel.data.imports.howto100m import import_howto100m

    _tell("HowTo100M", import_howto100m(captions, csv, videos, out, shape=_shape(size, fps, seconds), workers=workers))


def _shape(size: int | None, fps: str | None, seconds: float | None) -> Shape:
    from storyreel.data.imports.entries import Shape

    try:
        rate = None if fps is None else frame_rate(fps)
    except ValueError:
        raise typer.BadParameter(f"wanted a number such as 8, got {fps!r}", param_hint="--fps") from None
    return Shape(size=size, fps=rate, seconds=seconds)


def _tell(name: str, made: Imported) -> None:
    for what, why in made.skipped[:SHOWN]:
        print(f"storyreel: left out: {what}: {why}", file=sys.stderr)
    if len(made.skipped) > SHOWN:
        print(f"storyreel: and {len(made.skipped) - SHOWN} more", file=sys.stderr)
    for line in made.lines(name):
        typer.echo(line)
