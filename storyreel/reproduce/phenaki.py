"""Phenaki's claims, one after the other; each finished one is kept in results.json and not measured again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storyreel.reproduce import combinations, reconstruction, story, tokens
from storyreel.reproduce.phenaki_report import report
from storyreel.reproduce.report import write_lines
from storyreel.reproduce.settings import WORLDS, Settings
from storyreel.tensor_file import read_json, write_json

CLAIMS = ("tokens", "story", "combinations", "reconstruction")


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings and models; write results.json and results.md.

    What cannot be measured is left out, and the reason is written down. Raises ValueError for an unknown claim.
    """
    if only is not None and only not in CLAIMS:
        raise ValueError(f"--only {only}: wanted one of {', '.join(CLAIMS)}")
    file = settings.out / "results.json"
    settings.out.mkdir(parents=True, exist_ok=True)
    results = read_json(file) if file.exists() else {"reproduces": "phenaki", "parts": {}}
    if not isinstance(results.get("parts"), dict):
        raise ValueError(f"{file}: wanted the results of storyreel reproduce; give another folder")
    for name, (measure, asked) in todo(settings, only).items():
        kept = results["parts"].get(name, {})
        if kept.get("asked") == asked and "missing" not in kept:
            settings.tell(f"{name}: measured on {kept['date']}, kept")
            continue
        try:
            found = measure()
        except MissingError as error:
            if "missing" not in kept and kept:
                settings.tell(f"{name}: {error}; what was measured before stays")
                continue
            settings.tell(f"{name}: not measured: {error}")
            found = {"missing": str(error)}
        day = datetime.now(UTC).date().isoformat()
        results["parts"][name] = {"asked": asked, "date": day, "command": command(settings, name), **found}
        write_json(file, results)
        write_lines(settings.out, report(results))
    write_lines(settings.out, report(results))
    return results


class MissingError(ValueError):
    """There is no model or judge to measure with."""


def todo(settings: Settings, only: str | None) -> dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any]]]:
    """Name -> how to measure, and what the result depends on."""
    how = {"quick": settings.quick, "seed": settings.seed, "source": settings.source is not None}
    all_of: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any]]] = {}
    if only in (None, "tokens"):
        world = "sprites" if settings.source else "digits"
        steps = {"steps": settings.steps} if settings.steps else {"minutes": settings.minutes}
        asked = how | steps | {"recipe": settings.recipe, "judge": settings.judge_digest(world)}
        all_of["tokens"] = (lambda: tokens.measure(settings)), asked
    if only in (None, "story"):
        all_of["story"] = _with_model(settings, "sprites", lambda: story.measure(settings), how)
    for claim, module in (("combinations", combinations), ("reconstruction", reconstruction)):
        if only not in (None, claim):
            continue
        for world in WORLDS:

            def measure(world: str = world, module: Any = module) -> dict[str, Any]:
                try:
                    settings.judge(world)
                except ValueError as error:
                    raise MissingError(str(error)) from None
                if module is reconstruction and world == "sprites" and not settings.source:
                    raise MissingError("real sprites are drawn from the LPC sheets; name their folder with --source")
                return module.measure(settings, world)

            all_of[f"{claim}-{world}"] = _with_model(settings, world, measure, how)
    return all_of


def _with_model(
    settings: Settings, world: str, measure: Callable[[], dict[str, Any]], how: dict[str, Any]
) -> tuple[Callable[[], dict[str, Any]], dict[str, Any]]:
    """The digests of model and judge belong to what a result depends on: another model is measured anew."""
    judge = settings.judge_digest(world)
    try:
        model = model_digest(settings, world)
    except ValueError as error:
        reason = str(error)

        def missing() -> dict[str, Any]:
            raise MissingError(reason)

        return missing, how | {"model": "", "judge": judge}
    return measure, how | {"model": model, "judge": judge}


def model_digest(settings: Settings, world: str) -> str:
    """sha256 over the model's weights. ValueError where there is none."""
    from storyreel.generate import shelf

    folder: Path = shelf.find(settings.models.get(world, f"phenaki-{world}"))
    return str(read_json(folder / "model.json").get("digest", ""))


def command(settings: Settings, part: str) -> str:
    return f"{settings.command} --only {part.partition('-')[0]}"
