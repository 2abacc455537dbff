"""Pictures and animations through Pillow: GIF, animated WebP, APNG, and every still picture."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from storyreel import clip_metadata, file_type, timing
from storyreel.clip import Clip
from storyreel.numbers import rational
from storyreel.read_errors import BROKEN, one_line, reading

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs of a broken file is raised as well

MAX_PIXELS = 40_000_000  # of one frame
MAX_FRAMES = 10_000
MAX_TOTAL = 1 << 30  # pixels of all frames together: 3 GiB of RGB
SMALL_TOTAL = 1 << 27  # pixels that any file may hold, and
PIXELS_A_BYTE = 1024  # for each of its bytes: what is more is a file made to fill memory
SUFFIXES = (".gif", ".webp", ".apng")
LONGEST = 1 << 32  # milliseconds that a frame is shown, at most
_STILL = Fraction(1, 10)  # seconds that a frame without a duration is shown, as browsers do
_ASCII = b"ASCII\0\0\0"


def check_size(path: Path, height: int, width: int, frames: int, max_pixels: int, max_frames: int = MAX_FRAMES) -> None:
    """ValueError with one clear line when a frame, or all of them together, would not fit."""
    if height * width > max_pixels:
        raise ValueError(
            f"{path}: {width}x{height} is {height * width / 1e6:.1f} megapixels, expected at most {max_pixels / 1e6:g}"
        )
    if frames > max_frames:
        raise ValueError(f"{path}: holds more than {max_frames} frames, expected at most that")
    total = frames * height * width
    if total > SMALL_TOTAL and total > min(MAX_TOTAL, PIXELS_A_BYTE * (size := _bytes_of(path))):
        of = f" in {size} bytes" if total <= MAX_TOTAL else ""
        raise ValueError(
            f"{path}: {frames} frames of {width}x{height}{of} are more than memory should hold; cut or shrink it"
        )


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def gathered(pictures: list[np.ndarray], index: Sequence[int]) -> np.ndarray:
    """uint8 (t, h, w, c), read-only: the pictures at the places in `index`, which rise.

    The list is emptied on the way, so that memory never holds the pictures twice.
    """
    frames = np.empty((len(index), *pictures[0].shape), np.uint8)
    for number, (place, following) in enumerate(zip(index, [*index[1:], -1], strict=True)):
        frames[number] = pictures[place]
        if following != place:
            pictures[place] = frames[number]
    pictures.clear()
    frames.flags.writeable = False
    return frames


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A Pillow image whose pixels are not yet decoded; whatever Pillow raises becomes one ValueError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own limit on pixels: ours is checked before decoding
            with Image.open(path) as image:
                yield image
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: is far more than {MAX_PIXELS / 1e6:g} megapixels") from error
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{path}: is not a picture that can be read") from error
    except OSError as error:
        if error.errno is not None:  # of the system; Pillow's own have no number
            raise
        raise ValueError(f"{path}: is a corrupt or truncated picture: {one_line(error)}") from error
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: is a corrupt picture: {one_line(error)}") from error
    except BROKEN as error:
        raise ValueError(f"{path}: is a corrupt or truncated picture: {one_line(error)}") from error


def open_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> Clip:
    """A still picture as a one-frame clip, upright as its EXIF says; the first frame of an animation.

    ValueError: not a picture, corrupt, or above `max_pixels` (checked before decoding). OSError: not there.
    """
    path = Path(path)
    if file_type.kind(path) not in file_type.PICTURES:
        raise ValueError(f"{path}: is not a picture, expected .png, .jpg, .webp, .gif, .bmp or .tif")
    with reading(path), opened(path) as image:
        check_size(path, image.height, image.width, 1, max_pixels)
        doc = clip_metadata.parse(_comment(image))
        frame = _pixels(ImageOps.exif_transpose(image))
    return Clip(frame[None], **clip_metadata.clip_fields(doc))


def read(path: Path, max_pixels: int, max_frames: int) -> Clip:
    """Every frame, at a steady rate (`timing.steady`)."""
    with opened(path) as image:
        count = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "PNG") else 1
        check_size(path, image.height, image.width, count, max_pixels, max_frames)
        doc = clip_metadata.parse(_comment(image))
        if count == 1:
            facts = clip_metadata.file_facts(doc)
            frame = _pixels(ImageOps.exif_transpose(image))
            repeats = facts.get("frames", 1) if image.format != "PNG" or path.suffix.lower() == ".apng" else 1
            check_size(path, frame.shape[0], frame.shape[1], repeats, max_pixels, max_frames)
            frame = _agree([frame], facts.get("alpha", frame.shape[-1] == 4))[0]
            frames = np.repeat(frame[None], repeats, axis=0)  # a writer merges frames that are all the same
            return Clip(frames, facts.get("fps", Fraction(8)), **clip_metadata.clip_fields(doc))
        pictures, shown = _shown(image, count)
    starts, end, tick = timing.starts_of(shown)
    frames, fps = timing.steady_rate(starts, end, tick, clip_metadata.file_facts(doc))
    height, width = pictures[0].shape[:2]
    check_size(path, height, width, frames, max_pixels, max_frames)
    pictures = _agree(pictures, clip_metadata.file_facts(doc).get("alpha"))
    return Clip(gathered(pictures, timing.on_screen(starts, tick, fps, frames)), fps, **clip_metadata.clip_fields(doc))


def _agree(pictures: list[np.ndarray], alpha: bool | None) -> list[np.ndarray]:
    """All with alpha or all without. Pillow gives every animated WebP an alpha, and frames of a GIF now and then."""
    if not alpha:
        alpha = any(picture.shape[-1] == 4 and picture[..., 3].min() < 255 for picture in pictures)
    if not alpha:
        return [picture[..., :3] for picture in pictures]
    return [p if p.shape[-1] == 4 else np.dstack([p, np.full_like(p[..., :1], 255)]) for p in pictures]


def _shown(image: Image.Image, count: int) -> tuple[list[np.ndarray], list[Fraction]]:
    """Pixels of every frame, and for how many seconds it is shown."""
    pictures: list[np.ndarray] = []
    shown: list[Fraction] = []
    for index in range(1 if image.info.get("default_image") else 0, count):
        image.seek(index)
        pictures.append(_pixels(image))
        seconds = _seconds(image)
        shown.append(seconds if seconds > Fraction(1, 1000) else _STILL)
    return pictures, shown


def _seconds(image: Image.Image) -> Fraction:
    """For how long the frame at hand is shown; 0 where it is not said or cannot be."""
    try:
        milliseconds = rational(image.info.get("duration") or 0, "duration", 0, LONGEST)
    except ValueError:
        return Fraction(0)
    return milliseconds.limit_denominator(1_001_000) / 1000


def _pixels(image: Image.Image) -> np.ndarray:
    """uint8 (h, w, 3 or 4)."""
    if image.mode in ("I;16", "I;16B", "I", "F"):  # more than 8 bits of grey: keep the high ones
        grey = np.asarray(image, np.float64)
        return np.repeat(
            (grey / (257 if image.mode != "F" else 1)).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1
        )
    alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if alpha else "RGB"))


def write(path: Path, clip: Clip, factor: int, *, quality: int | None, lossless: bool, comment: str | None) -> None:
    """Write to `path`, whose suffix says how, `factor` times enlarged."""
    suffix = path.suffix.lower()
    if suffix == ".gif":
        _write_gif(path, clip, factor, comment)
        return
    frames = [Image.fromarray(_grown(frame, factor)) for frame in clip.frames]
    if suffix == ".webp":
        options: dict[str, Any] = {"lossless": lossless, "quality": quality or (70 if lossless else 90), "method": 4}
        options |= {"exact": True, "format": "WEBP"}
        shown = timing.ticks(len(clip), clip.fps, 1000)
        options["duration"] = shown if len(shown) > 1 else shown[0]
        if comment is not None:
            exif = Image.Exif()
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _ASCII + comment.encode("ascii")
            options["exif"] = exif.tobytes()
    else:
        options = {"pnginfo": png_text(comment), "format": "PNG", "duration": float(1000 / clip.fps)}
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "loop": 0}
    frames[0].save(path, **options)


def png_text(comment: str | None) -> PngImagePlugin.PngInfo:
    """The text chunks of a PNG: the document, in UTF-8, under the keyword `storyreel`."""
    info = PngImagePlugin.PngInfo()
    if comment is not None:
        info.add_itxt("storyreel", comment)
    return info


def _grown(pixels: np.ndarray, factor: int) -> np.ndarray:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else pixels


def _write_gif(path: Path, clip: Clip, factor: int, comment: str | None) -> None:
    """One palette for the whole clip, one bit of alpha, durations in whole 10 ms that do not drift."""
    indices, palette, clear = palette_of(clip)
    frames = []
    for index in indices:
        frame = Image.fromarray(_grown(index, factor))
        frame.putpalette(palette.tobytes())
        frames.append(frame)
    options: dict[str, Any] = {"optimize": False, "loop": 0}
    shown = [10 * n for n in timing.ticks(len(clip), clip.fps, 100)]
    options["duration"] = shown if len(shown) > 1 else shown[0]
    if clear is not None:
        options |= {"transparency": clear, "disposal": 2}
    if comment is not None:
        options["comment"] = comment.encode("ascii")
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:]}
    frames[0].save(path, format="GIF", **options)


def palette_of(clip: Clip) -> tuple[np.ndarray, np.ndarray, int | None]:
    """(indices uint8 (t, h, w), palette uint8 (256, 3), index of transparent or None).

    Exact when the clip has no more colours than fit, as pixel art has; the nearest of a median cut otherwise, without
    dithering, which would flicker. Alpha below 128 is transparent.
    """
    rgb = clip.frames[..., :3].astype(np.uint32)
    packed = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
    clear = clip.frames[..., 3] < 128 if clip.has_alpha else None
    room = 256 if clear is None else 255
    colours, inverse = np.unique(packed if clear is None else packed[~clear], return_inverse=True)
    if len(colours) > room:
        colours, table = _median_cut(colours, np.bincount(inverse.reshape(-1)), room)
        inverse = table[inverse.reshape(-1)]
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=-1)
    if clear is None:
        return inverse.reshape(packed.shape).astype(np.uint8), palette, None
    indices = np.full(packed.shape, 255, np.uint8)
    indices[~clear] = inverse.reshape(-1)
    return indices, palette, 255


def _median_cut(colours: np.ndarray, counts: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `room` packed colours, and for each of `colours` which of them is nearest."""
    points = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=-1).astype(np.uint8)
    weight = np.maximum(1, counts * min(1.0, 400_000 / counts.sum())).astype(np.int64)  # frequent colours weigh more
    sample = np.repeat(points, weight, axis=0)[None]
    cut = Image.fromarray(sample).quantize(room, Image.Quantize.MEDIANCUT, kmeans=1)
    chosen = np.asarray((cut.getpalette() or [])[: room * 3], np.uint8).reshape(-1, 3)
    paletted = Image.new("P", (1, 1))
    paletted.putpalette(chosen.tobytes())
    near = Image.fromarray(points[None]).quantize(palette=paletted, dither=Image.Dither.NONE)
    wide = chosen.astype(np.uint32)
    return (wide[:, 0] << 16) | (wide[:, 1] << 8) | wide[:, 2], np.asarray(near)[0]


def _comment(image: Image.Image) -> str | None:
    """The text that may hold the document: PNG text, GIF comment, or EXIF UserComment."""
    text = image.info.get("storyreel", image.info.get("comment"))
    if text is None and image.format in ("WEBP", "JPEG", "PNG"):
        try:
            text = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
        except (ValueError, SyntaxError, OSError, struct.error, LookupError, TypeError):
            return None  # broken EXIF is no reason not to show the picture
    if isinstance(text, bytes):
        text = text.removeprefix(_ASCII)[: clip_metadata.LIMIT + 1].decode("utf-8", "replace")
    return str(text) if text is not None else None


def probe(path: Path) -> dict[str, Any]:
    """As `video_io.probe`."""
    with opened(path) as image:
        frames = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "PNG") else 1
        if frames > 1:  # their durations are only known once they are decoded
            check_size(path, image.height, image.width, frames, MAX_PIXELS, frames)
        doc = clip_metadata.parse(_comment(image))
        name = "apng" if image.format == "PNG" and frames > 1 else str(image.format).lower()
        alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        width, height = image.size
        end = Fraction(0)
        if frames > 1:
            for index in range(frames):
                image.seek(index)
                if image.format == "WEBP":
                    image.load()  # its durations come with the pixels
                end += _seconds(image) or _STILL
    facts = clip_metadata.file_facts(doc)
    fps = facts.get("fps") if frames > 1 or "frames" in facts else None
    fps, frames = (fps, facts["frames"]) if fps and "frames" in facts else (frames / end if end else None, frames)
    seconds = float(frames / fps) if fps else None
    size = {"format": name, "width": width, "height": height, "frames": frames}
    return {**size, "fps": fps, "seconds": seconds, "alpha": alpha, "made": doc}
