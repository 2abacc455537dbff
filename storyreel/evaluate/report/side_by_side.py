"""The same prompts by several models: for each prompt of a few, a small film of every model's clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storyreel import video_io
from storyreel.evaluate.report.leaderboard import Entrant
from storyreel.evaluate.report.media import data_uri, film_of

PROMPTS = 8  # that are shown
BYTES = 9_000_000  # of all films, before base64


@dataclass(frozen=True)
class SharedPrompt:
    """films: model -> data URI of an MP4, where its clip can be read."""

    prompt: str
    seed: int | None
    films: Mapping[str, str]


def side_by_side(entrants: Sequence[Entrant]) -> list[SharedPrompt]:
    """Prompts that every model's clips have, at most eight, spread over all of them; [] where there are none."""
    clips = [_clips_of(entrant) for entrant in entrants]
    shared = [key for key in clips[0] if all(key in other for other in clips)]
    chosen = np.unique(np.linspace(0, len(shared) - 1, min(PROMPTS, len(shared))).round().astype(int))
    left, rows = BYTES, []
    for prompt, seed in (shared[i] for i in chosen):
        films = {}
        for entrant, files in zip(entrants, clips, strict=True):
            try:
                film = film_of(video_io.read(files[prompt, seed]))
            except (ValueError, OSError):
                continue
            films[entrant.name] = data_uri("video/mp4", film)
            left -= len(film)
        if left < 0:
            break
        if films:
            rows.append(SharedPrompt(prompt, seed, films))
    return rows


def _clips_of(entrant: Entrant) -> dict[tuple[str, int | None], Path]:
    """(prompt, seed) -> the file of its first clip; none of clips that do not say their prompt."""
    found: dict[tuple[str, int | None], Path] = {}
    for clip, file in zip(entrant.report["per_clip"], entrant.files, strict=False):
        if clip.get("prompt"):
            found.setdefault((clip["prompt"], clip.get("seed")), file)
    return found
