"""Read and write clips. The suffix names the format; this is the only file that imports PyAV.

`.mp4` H.264 that plays everywhere, `.webm` VP9 with alpha, `.mkv` FFV1 (lossless, never enlarged by itself: the format
of dataset folders), `.gif`, `.webp`, `.apng` (see `animation`), `.png` one picture or a sprite sheet (see `atlas`).
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from storyreel import animation, atlas, clip_metadata, file_type, timing
from storyreel.animation import MAX_FRAMES, MAX_PIXELS, check_size, gathered, open_image
from storyreel.clip import GREY, Clip, ClipStream
from storyreel.read_errors import OF_THE_MACHINE, reading
from storyreel.storage import replacing

__all__ = ["FORMATS", "MAX_FRAMES", "MAX_PIXELS", "X264_OPTIONS"]
__all__ += ["open_image", "probe", "read", "read_meta", "scale_for", "write"]

FORMATS = (".mp4", ".webm", ".gif", ".webp", ".apng", ".png", ".mkv")
_ALPHA = (".webm", ".webp", ".apng", ".png", ".mkv", ".gif")
_STREAMED = (".mp4", ".webm")  # which take a stream as it comes; the others need all frames at once
_CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9", ".mkv": "ffv1"}
_MUXER = {".mp4": {"movflags": "+faststart"}} | {key: {"fflags": "+bitexact"} for key in (".webm", ".mkv")}
# x264's AVX-512 code for the macroblock tree gives other results each time unless the width is a multiple of 128, as
# if it read past the end of its rows. This option takes the plain code instead, in the same time.
X264_OPTIONS = {"x264-params": "cpu-independent=1"}
_AT_ONCE = 128_000_000  # pixels
_LARGEST = {".mp4": 16_384, ".webm": 16_384, ".webp": 16_383, ".gif": 65_535, ".mkv": 32_768}


def scale_for(height: int, width: int) -> int:
    """The whole factor of `scale="auto"`: a longer side below 256 grows to at most 512, to even sizes if it can."""
    longer = max(height, width)
    if longer >= 256:
        return 1
    factor = 512 // longer
    odd = (height * factor) % 2 or (width * factor) % 2
    return factor - 1 if odd and (factor - 1) * longer >= 256 else factor


def write(
    clip: Clip | ClipStream,
    path: str | Path,
    *,
    scale: int | str | None = "auto",
    quality: int | None = None,
    lossless: bool = False,
    background: tuple[int, int, int] | None = None,
    metadata: bool = True,
    grid: atlas.Grid | None = None,
) -> Path:
    """Write `clip` to the format that the suffix of `path` names; returns the path. A stream is made while .mp4 or
    .webm is written, and gathered first for the others.

    scale: whole factor of enlargement without blur; "auto" brings small clips to 256-512 pixels (.mkv and .png stay as
        they are); None or 1 for none.
    quality: 1 (small) to 100 (best) for .mp4, .webm and lossy .webp; None for a good one.
    lossless: .webp keeps exact pixels; .mkv, .apng and .png always do; ValueError for a format that cannot.
    background: colour that a clip with alpha is composed over, mid grey where the format has no alpha.
    metadata: False leaves out what made the clip.
    grid: how the frames of a .png lie; ValueError for another format.
    The file appears whole or not at all; the same clip gives the same bytes each time.
    ValueError: what the format cannot hold; OSError: what the disk will not.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"{path}: unknown format {suffix or 'without a suffix'!r}, expected one of {' '.join(FORMATS)}"
        )
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality: expected 1 to 100, got {quality}")
    if lossless and suffix in (".mp4", ".webm", ".gif"):
        raise ValueError(f"{path}: {suffix} is never lossless here, expected .mkv, .apng, .webp or .png")
    if grid is not None and suffix != ".png":
        raise ValueError(f"{path}: {suffix} is no sprite sheet and has no grid; expected a .png")
    if isinstance(clip, ClipStream) and (suffix not in _STREAMED or clip.has_alpha):
        clip = clip.gathered()
    if isinstance(clip, Clip) and (background is not None or suffix not in _ALPHA):
        clip = clip.over(background or GREY)
    factor = _factor(clip, scale, suffix)
    largest = _LARGEST.get(suffix, 65_535)
    if max(clip.size) * factor > largest:
        height, width = clip.size
        raise ValueError(f"{path}: {width * factor}x{height * factor} pixels, {suffix} holds at most {largest} a side")
    doc = clip_metadata.document(clip, factor) if metadata else None
    if isinstance(clip, Clip) and doc is not None and suffix == ".mkv" and factor == 1:
        doc["file"]["crc32"] = zlib.crc32(clip.frames.data)
    if isinstance(clip, Clip) and suffix == ".png" and len(clip) > 1:
        return atlas.write(clip, path, factor, doc, grid or atlas.Grid())
    text = None if doc is None else clip_metadata.dump(doc, ascii_only=suffix in (".gif", ".webp"))
    with replacing(path) as (made,):
        if isinstance(clip, ClipStream) or suffix in _CODECS:
            _encode(made, clip, factor, quality, text)
        else:
            animation.write(made, clip, factor, quality=quality, lossless=lossless, comment=text)
    return path


def _factor(clip: Clip | ClipStream, scale: int | str | None, suffix: str) -> int:
    if scale == "auto":
        factor = 1 if suffix in (".mkv", ".png") else scale_for(*clip.size)
        pixels = len(clip) * clip.size[0] * clip.size[1]
        while suffix in animation.SUFFIXES and factor > 1 and pixels * factor**2 > _AT_ONCE:
            factor -= 1  # Pillow holds every frame of an animation at once
        return factor
    factor = 1 if scale is None else int(scale) if str(scale).isdecimal() else 0
    if not 1 <= factor <= 64:
        raise ValueError(f"scale: expected 'auto' or a whole number from 1 to 64, got {scale!r}")
    return factor


def _encode(path: Path, clip: Clip | ClipStream, factor: int, quality: int | None, comment: str | None) -> None:
    """Encode with PyAV. H.264 has whole chroma blocks, so odd sizes grow by a repeated last row or column."""
    suffix = path.suffix.lower()
    height, width = (side * factor for side in clip.size)
    pad = (height % 2, width % 2) if suffix == ".mp4" else (0, 0)
    try:
        with av.open(str(path), "w", options=_MUXER[suffix]) as container:
            if comment is not None:
                container.metadata["comment"] = comment
            stream: Any = container.add_stream(_CODECS[suffix], rate=clip.fps)
            stream.height, stream.width = height + pad[0], width + pad[1]
            stream.time_base = stream.codec_context.time_base = 1 / clip.fps
            convert = _set_up(stream, suffix, clip.has_alpha, quality)
            frames = clip.frames if isinstance(clip, Clip) else chain.from_iterable(clip.parts())
            for index, frame in enumerate(frames):
                frame = frame.repeat(factor, axis=0).repeat(factor, axis=1)
                frame = np.pad(frame, ((0, pad[0]), (0, pad[1]), (0, 0)), mode="edge") if any(pad) else frame
                picture = convert(av.VideoFrame.from_ndarray(frame, format="rgba" if clip.has_alpha else "rgb24"))
                picture.pts, picture.time_base = index, 1 / clip.fps
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    except FFmpegError as error:
        if error.errno is not None and error.errno in errno.errorcode and error.errno != errno.EINVAL:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise ValueError(f"{suffix} cannot hold {clip!r}: {error.strerror}") from error


def _set_up(stream: Any, suffix: str, alpha: bool, quality: int | None) -> Any:
    """Codec options; returns the function that converts an RGB frame to what the codec takes."""
    reformatter = VideoReformatter()
    if suffix == ".mkv":
        stream.pix_fmt = "bgra" if alpha else "bgr0"
        stream.codec_context.thread_count = 1  # starting threads costs more than coding a small clip
        stream.options = {"level": "3", "g": "1", "slicecrc": "0"}
        return lambda frame: reformatter.reformat(frame, format=stream.pix_fmt)
    crf = {".mp4": 18, ".webm": 20}[suffix] if quality is None else round((100 - quality) * 0.51)
    stream.pix_fmt = "yuva420p" if alpha else "yuv420p"
    stream.options = {"crf": str(crf)} | (X264_OPTIONS if suffix == ".mp4" else {})
    if suffix == ".webm":  # libvpx: no alternate reference frames where there is alpha, b=0 makes crf mean quality
        stream.options |= {"b": "0", "auto-alt-ref": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = int(ColorRange.MPEG)
    bt709 = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
    return lambda frame: reformatter.reformat(frame, format=stream.pix_fmt, src_color_range=ColorRange.JPEG, **bt709)


def read(path: str | Path, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> Clip:
    """The clip in a video, an animation, a sprite sheet (by the PNG or its .json) or a picture.

    max_pixels: of one frame; max_frames: of the clip; both are checked before anything is decoded, or while.
    A variable frame rate becomes a steady one (`timing.steady`); rotated video is turned upright.
    ValueError: no such format, truncated, corrupt, empty or too large. OSError: not there, not readable, no memory.
    """
    path = Path(path)
    with reading(path):
        kind = file_type.kind(path)
        if kind == "json" or (kind == "png" and (path := atlas.atlas_of(path) or path).suffix == ".json"):
            return atlas.read(path, max_pixels, max_frames)
        if kind in file_type.PICTURES:
            return animation.read(path, max_pixels, max_frames)
        with open_container(path, kind) as container:
            return _decode(container, path, max_pixels, max_frames)


@contextmanager
def open_container(path: Path, kind: str) -> Iterator[Any]:
    """A film that is open for decoding with PyAV. Tags that are not UTF-8 are read with replacement characters.

    FFmpeg's errors inside the block become ValueError, or OSError where they are of the machine (no memory, no disk).
    """
    try:
        with av.open(str(path), format=kind, metadata_errors="replace") as container:
            yield container
    except FFmpegError as error:
        if error.errno in OF_THE_MACHINE:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise ValueError(f"{path}: is corrupt or truncated: {error.strerror}") from error


def _decode(container: Any, path: Path, max_pixels: int, max_frames: int) -> Clip:
    stream = video_stream(container, path)
    check_size(path, stream.codec_context.height, stream.codec_context.width, max(1, stream.frames), max_pixels)
    facts = clip_metadata.file_facts(doc := clip_metadata.parse(_comment(container)))
    pictures: list[np.ndarray] = []
    starts: list[int | None] = []
    convert = VideoReformatter()
    for frame in decoded(container, stream):
        if frame.is_corrupt and pictures:
            raise ValueError(f"{path}: is corrupt: frame {len(pictures)} is damaged")
        check_size(path, frame.height, frame.width, len(pictures) + 1, max_pixels, max_frames)
        pictures.append(pixels_of(frame, convert))
        starts.append(frame.pts)
    if not pictures or len({picture.shape for picture in pictures}) != 1:
        raise ValueError(f"{path}: {'changes its size on the way' if pictures else 'holds no frame that can be read'}")
    rate = rate_of(stream) or Fraction(len(pictures))
    times, tick = [at for at in starts if at is not None], stream.time_base or Fraction(0)
    if tick <= 0 or len(times) < len(starts) or any(after <= before for before, after in pairwise(times)):
        times, tick = list(range(len(pictures))), 1 / rate
    count, fps = timing.steady_rate(times, times[-1] + 1 / (rate * tick), tick, facts, rate)
    check_size(path, pictures[0].shape[0], pictures[0].shape[1], count, max_pixels, max_frames)
    frames = gathered(pictures, timing.on_screen(times, tick, fps, count))
    crc = facts.get("crc32") if stream.codec_context.name == "ffv1" and facts.get("frames") == len(frames) else None
    if crc is not None and facts.get("size") == (frames.shape[2], frames.shape[1]) and crc != zlib.crc32(frames.data):
        raise ValueError(f"{path}: is corrupt: its pixels are not those that were written")  # FFV1 itself only warns
    width, height = facts.get("size", (0, 0))
    if (frames.shape[1] - height, frames.shape[2] - width) in ((0, 1), (1, 0), (1, 1)):
        frames = frames[:, :height, :width]  # the row or column that H.264 needed
    return Clip(frames, fps, **clip_metadata.clip_fields(doc))


def video_stream(container: Any, path: Path) -> Any:
    """The first video stream, ready to be decoded. ValueError: there is none, or its codec or pixels are unknown."""
    if not container.streams.video:
        raise ValueError(f"{path}: holds no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise ValueError(f"{path}: its video is in a codec that cannot be decoded here")
    small = stream.codec_context.height * stream.codec_context.width < 640 * 480
    stream.codec_context.thread_count = 1 if small else 0
    return stream


def rate_of(stream: Any) -> Fraction | None:
    """Frames a second as the container says; None where it says nothing that could be."""
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else None


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames. FFmpeg's own VP8 and VP9 decoders drop the alpha that WebM carries beside: libvpx keeps it."""
    name = stream.codec_context.name
    if stream.metadata.get("alpha_mode") != "1" or name not in ("vp8", "vp9"):
        yield from container.decode(stream)
        return
    decoder: Any = av.CodecContext.create({"vp8": "libvpx", "vp9": "libvpx-vp9"}[name], "r")
    for packet in container.demux(stream):
        for frame in decoder.decode(packet if packet.size else None):
            frame.time_base = packet.time_base or stream.time_base
            yield frame


def pixels_of(frame: Any, convert: VideoReformatter) -> np.ndarray:
    """One frame, upright, uint8 (h, w, 3 or 4). FFV1's packed forms are taken as they lie: no conversion to set up."""
    name = frame.format.name
    if name in ("bgr0", "bgra"):
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width * 4]
        pixels = rows.reshape(frame.height, frame.width, 4)[..., [2, 1, 0, 3][: 4 if name == "bgra" else 3]]
    else:
        alpha = name.startswith(("yuva", "gbrap", "ya", "rgba", "argb", "abgr", "pal8"))
        pixels = convert.reformat(frame, format="rgba" if alpha else "rgb24").to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.rot90(pixels, turns) if turns else pixels


def _comment(container: Any) -> str | None:
    return {key.lower(): value for key, value in container.metadata.items()}.get("comment")


def read_meta(path: str | Path) -> dict[str, Any] | None:
    """The document of what made a file (`clip_metadata`); None: it has none of ours. OSError, ValueError as `read`."""
    return probe(path)["made"]


def probe(path: str | Path) -> dict[str, Any]:
    """What a file is, without decoding it: format, width, height, frames, fps, seconds, alpha, made (the document).

    frames, fps and seconds are None where the container does not say them.
    """
    path = Path(path)
    with reading(path):
        kind = file_type.kind(path)
        if kind == "json" or (kind == "png" and (path := atlas.atlas_of(path) or path).suffix == ".json"):
            return atlas.probe(path)
        if kind in file_type.PICTURES:
            return animation.probe(path)
        with open_container(path, kind) as container:
            return _probe(container, path, kind)


def _probe(container: Any, path: Path, kind: str) -> dict[str, Any]:
    stream = video_stream(container, path)
    context = stream.codec_context
    facts = clip_metadata.file_facts(doc := clip_metadata.parse(_comment(container)))
    frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
    fps = (facts.get("fps") if facts.get("frames") == frames else None) or rate_of(stream)
    components = context.format.components if context.format else ()  # no format: a pixel format that nobody knows
    alpha = stream.metadata.get("alpha_mode") == "1" or any(component.is_alpha for component in components)
    matroska = "webm" if context.name in ("vp8", "vp9", "av1") else "mkv"
    name = {"mov": "mp4", "matroska": matroska}.get(kind, kind)
    size = {"format": f"{name} ({context.name})", "width": context.width, "height": context.height, "frames": frames}
    return {**size, "fps": fps, "seconds": float(frames / fps) if fps else None, "alpha": alpha, "made": doc}
