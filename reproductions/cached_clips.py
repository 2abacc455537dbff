"""A clip that is made once: cached as a lossless file whose metadata says what made it."""

from __future__ import annotations

from pathlib import Path

from storyreel import video_io
from storyreel.clip import Clip
from storyreel.generate.model import Model
from storyreel.generate.provenance import is_from
from storyreel.options.generation import GenerateOptions
from storyreel.systems.base import OnProgress


def make_once(
    model: Model, options: GenerateOptions, seed: int, path: Path, on_progress: OnProgress | None = None
) -> Clip:
    """Video 0 of this seed, from `path` (.mkv) when just these options and model made what lies there."""
    if path.is_file():
        try:
            if is_from(video_io.read_meta(path), options.as_json(), seed, 0, model.digest):
                return Clip.open(path)
        except (ValueError, OSError):
            pass  # half of a file, or another program's: made again
    clip = model.make(options, seed, 0, on_progress)
    clip.save(path, scale=None)
    return clip


def has_matte(model: Model) -> bool:
    """Whether it can make transparent clips, which a judge of sprites sees best."""
    tokenizer = getattr(getattr(model.system, "config", None), "tokenizer", None)
    return getattr(tokenizer, "channels", 3) == 4
