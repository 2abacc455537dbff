"""Phenaki's claims, one after the other; each finished one is kept in results.json and not measured again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reproductions import combinations, reconstruction, story, tokens
from reproductions.claims import Conditions, Found, MissingError, Todo, run_claims
from reproductions.phenaki_report import report
from reproductions.settings import PLAIN, WORLDS, Settings
from storyreel.storage import read_json
from storyreel.worlds import find

CLAIMS = ("tokens", "story", "combinations", "reconstruction")


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings and models; write results.json and results.md.

    What cannot be measured is left out, and the reason is written down. ValueError for an unknown claim, or a folder
    of other results.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    """Name -> how to measure, and what the result depends on."""
    how = settings.how | {"source": settings.source is not None}
    all_of: Todo = {}
    if "tokens" in claims:
        world = "sprites" if settings.source else "digits"
        conditions = how | settings.training | {"recipe": settings.recipe, "judge": settings.judge_digest(world)}
        all_of["tokens"] = (lambda: tokens.measure(settings)), conditions
    if "story" in claims:
        all_of["story"] = _with_model(settings, "sprites", lambda: story.measure(settings), how)
    for claim, module in (("combinations", combinations), ("reconstruction", reconstruction)):
        if claim not in claims:
            continue
        phrased = claim == "combinations" and settings.phrasing != PLAIN
        for world in WORLDS if not phrased else [w for w in WORLDS if settings.phrasing in find(w).phrasings]:

            def measure(world: str = world, module: Any = module) -> Found:
                try:
                    settings.judge(world)
                except ValueError as error:
                    raise MissingError(str(error)) from None
                if module is reconstruction and find(world).needs_folder and not settings.source:
                    sheets = find(world).pictures_name
                    raise MissingError(f"real {world} are drawn from {sheets}; name their folder with --source")
                return module.measure(settings, world)

            name = f"{claim}-{world}-{settings.phrasing}" if phrased else f"{claim}-{world}"
            own = {"phrasing": settings.phrasing} if phrased else {}
            all_of[name] = _with_model(settings, world, measure, how | own)
    return all_of


def _with_model(
    settings: Settings, world: str, measure: Callable[[], Found], how: Conditions
) -> tuple[Callable[[], Found], Conditions]:
    """The digests of model and judge belong to what a result depends on: another model is measured anew."""
    judge = settings.judge_digest(world)
    try:
        model = model_digest(settings, world)
    except ValueError as error:
        reason = str(error)

        def missing() -> Found:
            raise MissingError(reason)

        return missing, how | {"model": "", "judge": judge}
    return measure, how | {"model": model, "judge": judge}


def model_digest(settings: Settings, world: str) -> str:
    """sha256 over the model's weights. ValueError where there is none."""
    from storyreel.generate import registry

    folder: Path = registry.find(settings.models.get(world, f"phenaki-{world}"))
    return str(read_json(folder / "model.json").get("digest", ""))
