"""storyreel data import: public datasets in their published layouts."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.numbers import frame_rate

if TYPE_CHECKING:
    from storyreel.data.imports.entries import ClipCut
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
        list[Path], typer.Option(help="train_val_videodatainfo.json, test_videodatainfo.json; may be repeated.")
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


@app.command()
def manifest(
    file: Annotated[
        Path,
        typer.Argument(
            help="Table, a row a clip: .csv, .tsv, .jsonl, .parquet, .txt (ID START END); or a folder of them."
        ),
    ],
    out: Out,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of the videos; not needed where the table holds pictures.")
    ] = None,
    columns: Annotated[str, typer.Option(help="path=videoid,caption=name; also start, end, split, rate.")] = "",
    layout: Annotated[str, typer.Option(help="webvid, kinetics, hd-vila, taichi, youtube-driving or laion.")] = "",
    split: Annotated[str, typer.Option(help="Of all rows, where the table does not say: train, val or test.")] = "",
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """Any table of videos or pictures, and WebVid, Kinetics, HD-VILA, Taichi-HD, YouTube Driving and LAION.

    storyreel data import manifest results_10M_train.csv --columns path=videoid,caption=name --videos V -o DATASET
    storyreel data import manifest 00000.parquet --columns path=jpg,caption=caption -o DATASET --size 64
    """
    from dataclasses import replace

    from storyreel.data.imports.entries import columns_of
    from storyreel.data.imports.manifest import LAYOUTS, ManifestLayout, import_manifest
    from storyreel.worlds import check_known

    if layout:
        check_known(layout, LAYOUTS, "--layout")
    if split not in ("", "train", "val", "test", "held_out"):
        raise typer.BadParameter(f"expected train, val, test or held_out, got {split!r}", param_hint="--split")
    known = LAYOUTS[layout] if layout else ManifestLayout({})
    known = replace(known, columns={**known.columns, **columns_of(columns)})
    made = import_manifest(file, videos, out, known, split=split, shape=_shape(size, fps, seconds), workers=workers)
    _tell(layout or file.name, made)


@app.command()
def frames(
    folder: Annotated[Path, typer.Argument(help="Folder whose subfolders hold the frames of a clip each.")],
    out: Out,
    rate: Annotated[str, typer.Option(help="Frames a second of the pictures.")] = "25",
    caption: Annotated[str, typer.Option(help="Of all clips.")] = "",
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """Folders of frames, such as SkyTimelapse: a clip a folder; its split is in the folders' names.

    storyreel data import frames sky_timelapse -o DATASET --rate 25 --size 128
    """
    from storyreel.data.imports.listings import import_frames

    shape, own = _shape(size, fps, seconds), _rate(rate, "--rate", 25)
    _tell(folder.name, import_frames(folder, out, rate=own, caption=caption, shape=shape, workers=workers))


@app.command()
def ucf101(
    videos: Videos,
    splits: Annotated[Path, typer.Option(help="Folder of trainlist01.txt, testlist01.txt, ...")],
    out: Out,
    fold: Annotated[int, typer.Option(min=1, max=3, help="Which of the three splits.")] = 1,
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """UCF-101: a clip a video, its class as caption; splits train and test.

    storyreel data import ucf101 --videos UCF-101 --splits ucfTrainTestlist -o DATASET --size 64
    """
    from storyreel.data.imports.listings import import_ucf101

    _tell("UCF-101", import_ucf101(videos, splits, out, fold=fold, shape=_shape(size, fps, seconds), workers=workers))


@app.command()
def array(
    file: Annotated[Path, typer.Argument(help="mnist_test_seq.npy: uint8 (frames, clips, height, width).")],
    out: Out,
    rate: Annotated[str, typer.Option(help="Frames a second.")] = "10",
    caption: Annotated[str, typer.Option(help="Of all clips.")] = "",
    size: Size = None,
    fps: Fps = None,
    seconds: Seconds = None,
    workers: Workers = None,
) -> None:
    """The clips of an array of grey frames, such as Moving MNIST's test set.

    storyreel data import array mnist_test_seq.npy -o DATASET
    """
    from storyreel.data.imports.listings import import_array

    shape, own = _shape(size, fps, seconds), _rate(rate, "--rate", 25)
    _tell(file.name, import_array(file, out, rate=own, caption=caption, shape=shape, workers=workers))


def _rate(text: str, option: str, such_as: int) -> Fraction:
    try:
        return frame_rate(text)
    except ValueError:
        raise typer.BadParameter(f"expected a number such as {such_as}, got {text!r}", param_hint=option) from None


def _shape(size: int | None, fps: str | None, seconds: float | None) -> ClipCut:
    from storyreel.data.imports.entries import ClipCut

    return ClipCut(size=size, fps=None if fps is None else _rate(fps, "--fps", 8), seconds=seconds)


def _tell(name: str, made: Imported) -> None:
    for what, why in made.skipped[:SHOWN]:
        print(f"storyreel: left out: {what}: {why}", file=sys.stderr)
    if len(made.skipped) > SHOWN:
        print(f"storyreel: and {len(made.skipped) - SHOWN} more", file=sys.stderr)
    for line in made.lines(name):
        typer.echo(line)
