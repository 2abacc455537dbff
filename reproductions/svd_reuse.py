"""What reuse of deep features between the steps of Stable Video Diffusion costs (`--reuse`, DeepCache): videos of the
same held-out prompts and noise, by the whole network at every step and at every second, third, ... step."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from reproductions.cached_clips import make_once
from reproductions.claims import MissingError
from reproductions.combinations import cases_of
from reproductions.imagen_video_sampling import frechet, frechet_gap, psnr
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.encoder import as_frames
from storyreel.evaluate.interval import mean_of
from storyreel.generate.model import Model
from storyreel.options.generation import GenerateOptions
from storyreel.systems.pixels import for_model

EVERY = (1, 2, 3, 4)  # the whole network once in so many steps
SHOWN = 3


def measure(settings: Settings, model: Model, world: str) -> dict[str, Any]:
    """Frechet distances by the world's encoder, of videos before any refiner. ValueError without an encoder."""
    if "reuse" not in model.system.serves:
        raise MissingError(f"{model.name} reuses nothing between steps; name another with --model")
    encoder = settings.find_encoder("there are no Frechet distances", world)
    if encoder is None:
        raise MissingError(f"no encoder for the world {world}")
    cases = cases_of(replace(settings, count=count(settings)), world, "held_out")[: count(settings)]
    clips: dict[int, list[Clip]] = {}
    seconds: dict[int, list[float]] = {}
    for every in EVERY:
        clips[every], seconds[every] = [], []
        folder = settings.out / "reuse" / str(every)
        folder.mkdir(parents=True, exist_ok=True)
        for index, case in enumerate(cases):
            path, options = folder / f"{index:03d}.mkv", _options(case.prompt, every)
            fresh, began = not path.is_file(), time.process_time()
            clips[every].append(make_once(model, options, settings.seed + index, path))
            if fresh:
                seconds[every].append(time.process_time() - began)

    def features(made: list[Clip]) -> torch.Tensor:
        return torch.cat([encoder.features(as_frames(clip)[None]) for clip in made])

    found = {every: features(made) for every, made in clips.items()}
    reals = [case.real for case in cases if case.real is not None]
    real = features(reals) if len(reals) == len(cases) else None
    against = found[1] if real is None else real
    gaps = {every: frechet_gap(found[every], found[1], against) for every in EVERY[1:]}
    tensors = {every: torch.cat([for_model(clip, min(clip.size), 3) for clip in made]) for every, made in clips.items()}
    sheet = [(f"1 of {every}", clips[every][i]) for i in range(min(SHOWN, len(cases))) for every in EVERY]
    write_sheet(settings.out / "reuse.png", sheet, side=64)
    half = gaps[2]
    return {
        "n": len(cases),
        "rows": {
            str(every): {
                "real": frechet(found[every], real),
                "gap": None if every == 1 or (off := gaps[every]) is None else off.as_json(),
                "psnr": None if every == 1 else mean_of(psnr(tensors[every], tensors[1])).as_json(),
                "seconds": mean_of(seconds[every]).as_json() if seconds[every] else None,
            }
            for every in EVERY
        },
        "against": "the whole network's videos" if real is None else "real clips",
        "reused": True,
        "holds": None if half is None or half.low is None else half.low <= 0,
        "pictures": ["reuse.png"],
    }


def count(settings: Settings) -> int:
    return settings.count or (4 if settings.quick else 64)


def _options(prompt: str, every: int) -> GenerateOptions:
    options: dict[str, Any] = {"prompt": prompt, "as_written": True, "candidates": 1, "crisp": False}
    return GenerateOptions.of(options | ({} if every == 1 else {"reuse": every}))
