"""Small whole files of every kind that is opened as a clip, and mutations of them, each by its number."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from mutations import broken_bytes, broken_json

OURS = ("mp4", "webm", "gif", "webp", "apng", "mkv", "png")
FOREIGN = (("avi", "mpeg4"), ("mov", "libx264"), ("mkv", "libx264"), ("ts", "mpeg2video"), ("webm", "libvpx"))
NAME = "a_red_ball"  # a prompt, where a study wants one


@dataclass(frozen=True)
class Whole:
    """One good file: its suffix, its bytes, the files that it needs beside it."""

    suffix: str
    data: bytes
    beside: tuple[tuple[str, bytes], ...] = ()
    document: dict[str, Any] | None = None


def wholes(folder: Path) -> list[Whole]:
    """Every kind of file, made anew in `folder`."""
    from PIL import Image

    from storyreel import clip_metadata, video_io
    from storyreel.clip import Clip
    from storyreel.span import Span

    rng = np.random.default_rng(0)
    wide = np.repeat(rng.integers(0, 256, (48, 20, 3), np.uint8), 8, 1)
    frames = np.stack([wide[:, 3 * t : 3 * t + 64] for t in range(12)])
    alpha = np.concatenate([frames, np.where(frames[..., :1] > 90, 255, 0).astype(np.uint8)], -1)
    meta = {"model": "godiva-digits", "digest": "0" * 64, "seed": 3, "index": 0, "threads": 1, "steps": 4}
    meta["options"] = {"prompt": "a red ball", "frames": 8, "fps": "8", "image": note_of(frames[0])}
    clip = Clip(frames, Fraction(8), "a red ball", meta)
    found = []
    for suffix in OURS:
        for each in (clip, clip.replace(frames=alpha)) if suffix in ("webm", "webp", "mkv") else (clip,):
            path = video_io.write(each, folder / f"{NAME}.{suffix}", scale=1)
            document = clip_metadata.document(each)
            if suffix == "png":
                atlas = path.with_suffix(".json").read_bytes()
                found.append(Whole("png", path.read_bytes(), ((f"{NAME}.json", atlas),), document))
                found.append(Whole("json", atlas, ((f"{NAME}.png", path.read_bytes()),), json.loads(atlas)))
            else:
                found.append(Whole(suffix, path.read_bytes(), (), document))
    found.append(Whole("png", video_io.write(clip.replace(frames=frames[:1]), folder / "one.png").read_bytes()))
    for suffix, codec in FOREIGN:
        found.append(Whole(suffix, _foreign(folder / f"foreign-{codec}.{suffix}", codec, frames)))
    for suffix in ("jpg", "bmp", "tif"):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(frames[0]).save(folder / f"one.{suffix}", exif=exif)
        found.append(Whole(suffix, (folder / f"one.{suffix}").read_bytes()))
    film = found[-6].data
    span = Span(Path("film.mkv"), Fraction(2, 8), 8, Fraction(8), range(8), (4, 4, 0, 0), 0.06).as_json()
    found.append(Whole("span", json.dumps(span).encode(), (("film.mkv", film),), span))
    return found


def note_of(picture: np.ndarray) -> dict[str, Any]:
    from storyreel.clip import Clip
    from storyreel.options.input_clip import InputClip

    return InputClip.of_clip(Clip(picture[None])).note()


def _foreign(path: Path, codec: str, frames: np.ndarray) -> bytes:
    import av

    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as container:
        container.metadata["title"] = "caf\u00e9"
        stream: Any = container.add_stream(codec, rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def mutation(number: int, found: list[Whole], folder: Path) -> tuple[Path, str]:
    """(the broken file, what was done to it): mutation `number`, in the emptied `folder`."""
    rng = random.Random(f"media {number}")
    whole = found[number % len(found)]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in whole.beside:
        (folder / name).write_bytes(data)
    path = folder / f"{NAME}.{whole.suffix}"
    if whole.document is not None and rng.random() < (0.6 if whole.suffix in ("json", "span") else 0.25):
        way, data = "document", _forged(rng, whole, path)
    else:
        way, data = broken_bytes(rng, whole.data, [each.data for each in found])
    path.write_bytes(data)
    return path, f"{whole.suffix} {way}"


def _forged(rng: random.Random, whole: Whole, path: Path) -> bytes:
    """The file with a broken document in it: the atlas or span itself, or the comment of a clip."""
    from storyreel import clip_metadata, video_io
    from storyreel.clip import Clip

    assert whole.document is not None
    text = broken_json(rng, whole.document)
    if whole.suffix in ("json", "span"):
        return text.encode("utf-8", "surrogatepass")
    if whole.suffix in ("gif", "webp", "apng", "png"):
        text = text.encode("ascii", "replace").decode()
    frames = np.zeros((3, 48, 64, 3), np.uint8)
    frames[1:] = 255
    with patch.object(clip_metadata, "dump", lambda doc, ascii_only=False: text.replace("\0", "") or "{"):
        video_io.write(Clip(frames, Fraction(8)), path, scale=1)
    return path.read_bytes()
