"""storyreel recipes: what can be trained, how large it is, on what, at what cost, and what came of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def recipes(
    name: Annotated[str, typer.Argument(help="One of them: all its settings, as JSON.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the recipes: size, data, cost, and what came of them.

    storyreel recipes phenaki_sprites

    Parameters and clips to see (a single frame counts as a clip) are those of all stages. `storyreel plan NAME` counts
    FLOPs, time and memory, and `storyreel train NAME --data DIR -o RUN` trains one.
    """
    import json

    from storyreel import recipes as known
    from storyreel.recipe import as_json as in_json
    from storyreel.wording import amount, columns

    if name:
        print(json.dumps(in_json(known.get(name)), indent=1, ensure_ascii=False))
        return
    models = _models()
    rows: list[dict[str, Any]] = [_row(each) | {"models": models.get(each, [])} for each in known.names()]
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    lines = [
        ("recipe", "system", "parameters", "makes", "trained on", "clips to see", "result", "models that are here")
    ]
    for row in rows:
        size, cost = (amount(row[key]) for key in ("parameters", "clips_to_see"))
        models = ", ".join(row["models"])
        lines.append((row["name"], row["system"], size, row["clips"], row["data"], cost, row["result"], models))
    print(*columns(lines), sep="\n")


def _row(name: str) -> dict[str, Any]:
    from storyreel import recipes as known
    from storyreel.recipes._sizes import size_of

    recipe = known.get(name)
    size, stages = size_of(name), list(recipe.stages.values())
    frames, height, width = size.clips
    on, result = known.trained(name)
    return {
        "name": name,
        "system": known.system_of(name),
        "parameters": size.parameters,
        "clips": f"{frames} x {height}x{width}{', matte' if stages[-1].data.channels == 4 else ''}",
        "data": on,
        "clips_to_see": sum(stage.steps * stage.data.batch for stage in stages),
        "result": result,
        "stages": {stage: settings.steps for stage, settings in recipe.stages.items()},
    }


def _models() -> dict[str, list[str]]:
    """Recipe -> the models that are here and came of it; not those whose model.json cannot be read."""
    from storyreel.generate import registry
    from storyreel.model_folder import read_model, recipe_name

    found: dict[str, list[str]] = {}
    for model, folder in registry.here().items():
        with suppress(ValueError, OSError):
            found.setdefault(recipe_name(read_model(folder)), []).append(model)
    return found
