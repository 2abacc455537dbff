"""Three of Imagen Video's choices, each against its absence: v-prediction, noise augmentation, joint training.

Every measurement is on prompts of combinations that training never had.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproductions.imagen_video_sampling import Examined, below, drift, frechet, frechet_gap, less, psnr, shift
from reproductions.imagen_video_training import Size, Workshop
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.evaluate.interval import Measured, mean_of
from storyreel.systems.base import TextEncoder
from storyreel.systems.imagen_video import ImagenVideoStage
from storyreel.train.command import resolve

LAST = 0.1  # of the training: the steps whose loss is its end


@dataclass(frozen=True)
class Bench:
    """What every claim needs: the networks, the prompts, real clips (n, c, t, h, w) or None, and the text encoder."""

    workshop: Workshop
    examined: Examined
    real: Tensor | None
    text: TextEncoder

    @classmethod
    def of(cls, settings: Settings) -> Bench:
        from storyreel.text import load_text_encoder

        size, workshop = Size.of(settings), Workshop.of(settings)
        recipe = resolve(workshop.recipe, workshop.nets["base"].settings)
        examined = Examined.of(settings, workshop.world, size.prompts, size.at_once)
        real = examined.real(recipe.stages["base"].data.size, recipe.stages["base"].data.channels)
        return cls(workshop, examined, real, load_text_encoder(recipe.text))

    def real_of(self, stage: ImagenVideoStage) -> Tensor | None:
        """Real clips as the stage should make them."""
        return None if self.real is None else stage.examples(self.real, torch.Generator())[0]

    def low_of(self, stage: ImagenVideoStage) -> Tensor | None:
        """Real clips as the stage before should make them."""
        return None if self.real is None else stage._small({"video": self.real})

    def sheet(self, name: str, rows: dict[str, tuple[Tensor, int]]) -> list[str]:
        """A picture: for a few prompts, what each network made. rows: title -> (videos, frames a second)."""
        few, shown = Size.of(self.workshop.settings).shown, []
        clips: dict[str, list[Clip]] = {title: self.examined.clips(v, fps) for title, (v, fps) in rows.items()}
        for i, prompt in enumerate(self.examined.prompts[:few]):
            shown += [(f"{title}: {prompt}" if n == 0 else title, c[i]) for n, (title, c) in enumerate(clips.items())]
        write_sheet(self.workshop.settings.out / f"{name}.png", shown, side=96)
        return [f"{name}.png"]


def measure_prediction(settings: Settings) -> dict[str, Any]:
    """v against eps: drift of the colours from frame to frame, and how far training has come; base and first ssr."""
    bench, rows, drifts, pictures = Bench.of(settings), {}, {}, {}
    shop = bench.workshop
    for stage_name in ("base", "ssr1"):
        for kind in ("v", "eps"):
            name = f"{stage_name}-{kind}"
            stage = shop.train(name)
            real, low = bench.real_of(stage), None if stage.input_shape is None else bench.low_of(stage)
            if stage.input_shape is not None and low is None:
                continue
            made = bench.examined.make({stage_name: stage}, bench.text, low=low, what=name)
            beside = None if stage.input_shape is None else real
            drifts[name] = drift(made, beside)
            fps = stage.shape.fps
            rows[name] = {
                "drift": mean_of(drifts[name]).as_json(),
                "drift_real": None if real is None or beside is not None else mean_of(drift(real)).as_json(),
                "shift": None if beside is None else mean_of(shift(made, beside)).as_json(),
                "frechet": frechet(bench.examined.features(made, fps), bench.examined.features(real, fps)),
                "loss": mean_of(_end(shop.losses(name))).as_json(),
            }
            pictures[name] = (made, fps)
    gaps, holds = {}, []
    for stage_name in ("base", "ssr1"):
        v, eps = f"{stage_name}-v", f"{stage_name}-eps"
        if v not in rows:
            holds.append(None)
            continue
        drifted = less(drifts[v], drifts[eps])
        ahead = less(_end(shop.losses(v)), _end(shop.losses(eps)))
        gaps[stage_name] = {"drift": drifted.as_json(), "loss": ahead.as_json()}
        gaps[stage_name]["reached"] = reached(shop.losses(v), shop.losses(eps))
        holds += [below(drifted), below(ahead)]
    return {
        **_described(bench, rows),
        "gaps": gaps,
        "holds": None if None in holds else all(holds),
        "pictures": bench.sheet("prediction", pictures),
        "commands": [shop.command(name) for name in rows],
    }


def measure_augmentation(settings: Settings) -> dict[str, Any]:
    """An ssr trained on noised videos and one on clean ones: given real videos made small, and made ones."""
    bench, rows, features, pictures = Bench.of(settings), {}, {}, {}
    shop = bench.workshop
    noised, clean = shop.train("ssr1"), shop.train("ssr1-clean")
    before = {name: shop.train(name) for name in ("base", "tsr1")}
    made_low, real_low = bench.examined.make(before, bench.text), bench.low_of(noised)
    real, fps = bench.real_of(noised), noised.shape.fps
    seen = bench.examined.features(real, fps)
    for name, stage, snr in (("noise", noised, None), ("silent", noised, math.inf), ("clean", clean, math.inf)):
        with sampled(stage, snr):
            made = bench.examined.make({"ssr1": stage}, bench.text, low=made_low, what=f"ssr1, {name}")
            again = None
            if real is not None:
                again = bench.examined.make({"ssr1": stage}, bench.text, low=real_low, what=f"ssr1, {name}, of real")
        features[name] = bench.examined.features(made, fps)
        rows[name] = {
            "snr": stage.config.augmentation_snr if snr is None else None,
            "frechet": frechet(features[name], seen),
            "judged": bench.examined.judged(made, fps),
            "psnr_real": None if again is None or real is None else mean_of(psnr(again, real)).as_json(),
            "frechet_real": frechet(bench.examined.features(again, fps), seen),
        }
        pictures[name] = (made, fps)
    gap = frechet_gap(features["noise"], features["clean"], seen, settings.seed)
    return {
        **_described(bench, rows),
        "gap": _json(gap),
        "holds": below(gap),
        "pictures": bench.sheet("augmentation", {"given": (made_low, fps), **pictures}),
        "commands": [shop.command(name) for name in ("base", "tsr1", "ssr1", "ssr1-clean")],
    }


def measure_joint(settings: Settings) -> dict[str, Any]:
    """The base trained on videos and single frames, and on videos alone, for as many steps of as many items."""
    bench, rows, features, pictures = Bench.of(settings), {}, {}, {}
    shop, seen = bench.workshop, None
    for name in ("base", "base-alone"):
        stage = shop.train(name)
        made, fps = bench.examined.make({"base": stage}, bench.text, what=name), stage.shape.fps
        seen = bench.examined.features(bench.real_of(stage), fps)
        features[name] = bench.examined.features(made, fps)
        rows[name] = {
            "images": resolve(shop.recipe, shop.nets[name].settings).stages["base"].data.image_share,
            "frechet": frechet(features[name], seen),
            "judged": bench.examined.judged(made, fps),
        }
        pictures["with images" if name == "base" else "videos alone"] = (made, fps)
    gap = frechet_gap(features["base"], features["base-alone"], seen, settings.seed)
    return {
        **_described(bench, rows),
        "gap": _json(gap),
        "holds": below(gap),
        "pictures": bench.sheet("joint", pictures),
        "commands": [shop.command(name) for name in rows],
    }


@contextmanager
def sampled(stage: ImagenVideoStage, snr: float | None) -> Iterator[None]:
    """The video that the stage refines has another signal to noise; infinity: no noise."""
    config = stage.config
    stage.config = config if snr is None else replace(config, augmentation_snr=snr)
    try:
        yield
    finally:
        stage.config = config


def reached(ours: list[float], theirs: list[float]) -> float | None:
    """The share of its steps after which `ours` had the loss that `theirs` ends with, smoothed over a twentieth of the
    steps; None where it never had."""
    width = max(1, len(ours) // 20)
    kernel = np.ones(width) / width
    smooth, end = np.convolve(ours, kernel, "valid"), float(np.mean(_end(theirs)))
    there = np.flatnonzero(smooth <= end)
    return round((int(there[0]) + width) / len(ours), 3) if len(there) else None


def _end(losses: list[float]) -> list[float]:
    return losses[-max(2, int(LAST * len(losses))) :]


def _described(bench: Bench, rows: dict[str, Any]) -> dict[str, Any]:
    shop, encoder = bench.workshop, bench.examined.encoder
    return {
        "world": shop.world,
        "recipe": shop.recipe,
        "steps": shop.nets["base"].steps,
        "n": len(bench.examined.cases),
        "encoder": None if encoder is None else {"name": encoder.name, "digest": encoder.digest},
        "rows": rows,
    }


def _json(measured: Measured | None) -> dict[str, Any] | None:
    return None if measured is None else measured.as_json()
