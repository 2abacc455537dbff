"""Kept spans as clips of a dataset folder: encoded (.mp4, lossless .mkv) or virtual (.span, nothing is encoded).

A clip's file appears whole or not at all and is named after its id, so a file that is there need not be made again.
Clips that are no longer kept go to curation/shelf/ and come back from there when they are kept again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from storyreel.curate.sources import real_path
from storyreel.storage import replacing, temporary_name

SUFFIXES = (".mp4", ".mkv", ".span")  # a clip that is encoded goes before a virtual one


@dataclass(frozen=True, kw_only=True)
class Export:
    """How kept clips are written. side: the shorter side is brought down to this many pixels, never up."""

    format: Literal["mp4", "mkv", "virtual"] = "mp4"
    side: int | None = None
    crf: int = 18  # of H.264: 0 best, 51 smallest
    preset: str = "veryfast"

    def __post_init__(self) -> None:
        if self.side is not None and self.side < 16:
            raise ValueError(f"export.side: expected at least 16 pixels, got {self.side}")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"export.crf: expected 0 to 51, got {self.crf}")

    @property
    def suffix(self) -> str:
        return ".span" if self.format == "virtual" else f".{self.format}"

    def lasting(self) -> dict[str, Any]:
        """What all clips of a folder share; the format may change from call to call."""
        return {"side": self.side, "crf": self.crf, "preset": self.preset}


def span_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `storyreel.span.Span.from_json` needs to find the frames of a row again; JSON values."""
    beginning = {
        "path": real_path(row["source_path"]),
        "start": row["start_exact"],
        "frames": row["end"] - row["start"],
    }
    return {
        "span": 1,
        **beginning,
        "fps": row["fps_exact"],
        "shown": row["shown"],
        "bars": row["bars"],
        "slack": row["slack"],
        "skip": row["skip"],
    }


def export_clip(job: tuple[dict[str, Any], str, Export], beat: Any = None) -> tuple[int, int]:
    """(span, file, how) -> (height, width) of the clip that was written. For `supervise`; safe to repeat."""
    from storyreel.span import Span

    document, file, how = job
    span = Span.from_json(document)
    if how.format == "mkv":
        from storyreel import video_io

        clip = span.clip()
        if (size := _size(*clip.size, how.side)) != clip.size:
            clip = clip.resize(*size)
        video_io.write(clip, file, scale=None, metadata=False)
        return clip.size
    return _encode(span, Path(file), how, beat)


def _size(height: int, width: int, side: int | None, even: bool = False) -> tuple[int, int]:
    if side is not None and min(height, width) > side:
        scale = side / min(height, width)
        height, width = round(height * scale), round(width * scale)
    return (height - height % 2, width - width % 2) if even else (height, width)


def _encode(span: Any, file: Path, how: Export, beat: Any) -> tuple[int, int]:
    """H.264, frame by frame: memory does not grow with the clip. One thread, so the bytes are always the same."""
    import av
    from av.error import FFmpegError
    from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

    convert, size = VideoReformatter(), (0, 0)
    with replacing(file) as (made,):
        try:
            with av.open(str(made), "w", options={"movflags": "+faststart"}) as container:
                stream: Any = None
                for index, picture in enumerate(span.pictures()):
                    if stream is None:
                        size = _size(picture.shape[0], picture.shape[1], how.side, even=True)
                        if 0 in size:
                            raise ValueError(f"{span.path}: is 1 pixel high or wide, which H.264 cannot hold")
                        stream = _stream(container, span.fps, size, how)
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                    frame = convert.reformat(
                        _even(frame, picture, size, how), size[1], size[0], "yuv420p",
                        dst_colorspace=Colorspace.ITU709, src_color_range=ColorRange.JPEG,
                        dst_color_range=ColorRange.MPEG, interpolation=Interpolation.AREA,
                    )  # fmt: skip
                    frame.pts, frame.time_base = index, 1 / span.fps
                    container.mux(stream.encode(frame))
                    if beat is not None:
                        beat(index + 1)
                container.mux(stream.encode())
        except FFmpegError as error:
            if error.errno == 28:
                raise OSError(28, os.strerror(28), str(file)) from None
            raise ValueError(f"{file.name}: could not be encoded: {error.strerror}") from error
    return size


def _even(frame: Any, picture: np.ndarray, size: tuple[int, int], how: Export) -> Any:
    """An odd row or column is cut off rather than stretched."""
    import av

    height, width = picture.shape[:2]
    if how.side is None and (height, width) != size:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[: size[0], : size[1]]), format="rgb24")
    return frame


def _stream(container: Any, fps: Fraction, size: tuple[int, int], how: Export) -> Any:
    from storyreel.video_io import X264_OPTIONS

    stream = container.add_stream("libx264", rate=fps)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = 1 / fps
    stream.options = {"crf": str(how.crf), "preset": how.preset, **X264_OPTIONS}
    context = stream.codec_context
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    return stream


def write_span(row: Mapping[str, Any], file: str) -> None:
    """A virtual clip, whole or not at all; plain calls, since a set may have 100,000 of them."""
    made = temporary_name(Path(file))
    try:
        with open(made, "w", encoding="utf-8") as out:
            out.write(json.dumps(span_of(row)) + "\n")
        os.replace(made, file)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise OSError(error.errno, f"could not be written: {error.strerror}", file) from None


class ClipFiles:
    """The clip files in clips and curation/shelf, listed once: asking for each of 100,000 would take long."""

    def __init__(self, dataset: Path) -> None:
        self.clips, self.set_aside = dataset / "clips", dataset / "curation" / "shelf"
        self.clips.mkdir(parents=True, exist_ok=True)
        self.here = set(os.listdir(self.clips))
        self.away = set(os.listdir(self.set_aside)) if self.set_aside.is_dir() else set()

    def bring_back(self, clip: str) -> None:
        """Take the clip's files from the shelf."""
        for name in (f"{clip}{suffix}" for suffix in SUFFIXES):
            if name in self.away:
                os.replace(self.set_aside / name, self.clips / name)
                self.away.discard(name)
                self.here.add(name)

    def file_of(self, row: Mapping[str, Any]) -> str:
        """The name of a kept clip's file: encoded where there is one, else virtual, written if need be."""
        clip = row["clip"]
        self.bring_back(clip)
        for suffix in SUFFIXES:
            if f"{clip}{suffix}" in self.here:
                return f"{clip}{suffix}"
        write_span(row, os.path.join(self.clips, f"{clip}.span"))
        return f"{clip}.span"


def put_away(dataset: Path, selected: set[str], ours: Callable[[str], bool]) -> None:
    """Clips of `ours` that are not in `selected` leave clips/ for the shelf; nothing is deleted."""
    folder = dataset / "curation" / "shelf"
    if not (dataset / "clips").is_dir():
        return
    for file in sorted((dataset / "clips").iterdir()):
        if file.name not in selected and ours(file.name):
            folder.mkdir(parents=True, exist_ok=True)
            os.replace(file, folder / file.name)
