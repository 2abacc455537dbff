"""Imagen Video's claims, one after the other; each finished one is kept in results.json and not measured again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from storyreel.reproduce.imagen_video_claims import measure_augmentation, measure_joint, measure_prediction
from storyreel.reproduce.imagen_video_distilled import measure_distillation, measure_stages
from storyreel.reproduce.imagen_video_report import report
from storyreel.reproduce.imagen_video_sampling import encoder_of
from storyreel.reproduce.imagen_video_training import RECIPE
from storyreel.reproduce.report import write_lines
from storyreel.reproduce.settings import Settings
from storyreel.tensor_file import read_json, write_json

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
    if only is not None and only not in CLAIMS:
        raise ValueError(f"--only {only}: wanted one of {', '.join(CLAIMS)}")
    file = settings.out / "results.json"
    settings.out.mkdir(parents=True, exist_ok=True)
    results = read_json(file) if file.exists() else {"reproduces": "imagen-video", "parts": {}}
    if results.get("reproduces") != "imagen-video" or not isinstance(results.get("parts"), dict):
        raise ValueError(f"{file}: wanted the results of storyreel reproduce imagen-video; give another folder")
    # all at once: a model that is not there is told of before anything is trained
    wanted = {name: asked_of(settings, name) for name in (CLAIMS if only is None else (only,))}
    for name, asked in wanted.items():
        kept = results["parts"].get(name, {})
        if kept.get("asked") == asked:
            settings.tell(f"{name}: measured on {kept['date']}, kept")
            continue
        found = MEASURES[name](settings)
        day = datetime.now(UTC).date().isoformat()
        told = {"asked": asked, "date": day, "command": f"{settings.command} --only {name}"}
        results["parts"][name] = told | found
        write_json(file, results)
        write_lines(settings.out, report(results))
    write_lines(settings.out, report(results))
    return results


def asked_of(settings: Settings, claim: str) -> dict[str, Any]:
    """What a result depends on: settings, and the digests of judge, encoder and models."""
    world = "sprites" if settings.source else "digits"
    models: dict[str, str] = {}
    if claim in OF_MODELS:
        models = {name: _digest(place) for name, place in settings.models.items()}
        if models:
            world = "digits" if any("digits" in name for name in models) else "sprites"
    encoder = encoder_of(settings, world)
    steps = {"steps": settings.steps} if settings.steps else {"minutes": settings.minutes}
    how = {"quick": settings.quick, "seed": settings.seed, "recipe": settings.recipe or RECIPE} | steps
    how |= {"source": settings.source is not None, "models": models}
    return how | {"judge": settings.judge_digest(world), "encoder": encoder.digest if encoder else ""}


def _digest(place: str) -> str:
    from storyreel.generate import shelf

    return str(read_json(shelf.find(place) / "model.json").get("digest", ""))
