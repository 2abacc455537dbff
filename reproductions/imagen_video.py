"""Imagen Video's claims, one after the other; each finished one is kept in results.json and not measured again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from reproductions.claims import Todo, run_claims
from reproductions.imagen_video_claims import measure_augmentation, measure_joint, measure_prediction
from reproductions.imagen_video_distilled import measure_distillation, measure_stages
from reproductions.imagen_video_report import report
from reproductions.imagen_video_sampling import encoder_of
from reproductions.imagen_video_training import RECIPE
from reproductions.settings import Settings
from storyreel.storage import read_json

MEASURES: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "prediction": measure_prediction,
    "augmentation": measure_augmentation,
    "joint": measure_joint,
    "distillation": measure_distillation,
    "stages": measure_stages,
}
CLAIMS = tuple(MEASURES)
OF_MODELS = ("distillation", "stages")  # these are measured of the models that are given


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings and models; write results.json, results.md and pictures.

    ValueError for an unknown claim, a folder of other results, or a model of another system.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    """How to measure each, and what the result depends on; all at once, so that a model that is not there is told of
    before anything is trained."""
    return {name: (partial(MEASURES[name], settings), conditions_of(settings, name)) for name in claims}


def conditions_of(settings: Settings, claim: str) -> dict[str, Any]:
    """What a result depends on: settings, and the digests of judge, encoder and models."""
    world = "sprites" if settings.source else "digits"
    models: dict[str, str] = {}
    if claim in OF_MODELS:
        models = {name: _digest(place) for name, place in settings.models.items()}
        if models:
            world = "digits" if any("digits" in name for name in models) else "sprites"
    encoder = encoder_of(settings, world)
    how = settings.how | settings.training | {"recipe": settings.recipe or RECIPE}
    how |= {"source": settings.source is not None, "models": models}
    return how | {"judge": settings.judge_digest(world), "encoder": encoder.digest if encoder else ""}


def _digest(place: str) -> str:
    from storyreel.generate import registry

    return str(read_json(registry.find(place) / "model.json").get("digest", ""))
