"""storyreel models: what is on the shelf, and the cards."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the models that are here: name, system, size, and what they know."""
    if context.invoked_subcommand is None:
        _list(as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Its model.json on stdout.")] = False,
) -> None:
    """Print a model's card."""
    from storyreel.generate import shelf

    folder = shelf.find(name)
    info = shelf.describe(folder)
    if as_json:
        print(json.dumps(info, ensure_ascii=False, indent=1))
        return
    print(shelf.card(folder).rstrip() or f"{info['name']} has no card; it lies in {folder}")
    if words := shelf.known_words(info):
        print(f"\nWords that {info['name']} knows: {', '.join(words)}")


def _list(as_json: bool) -> None:
    from storyreel.generate import shelf

    found, broken = [], []
    for folder in shelf.here().values():
        try:
            found.append(_row(shelf.describe(folder)))
        except (ValueError, OSError) as error:
            broken.append(str(error))
    if as_json:
        print(json.dumps({"models": found, "folders": [str(item) for item in shelf.folders()]}, indent=1))
    else:
        _table(found)
    for line in broken:
        print(f"storyreel: note: skipped {line}", file=sys.stderr)
    if not found and not as_json:
        print("storyreel: note: no model is here; storyreel train makes one", file=sys.stderr)


def _row(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "system", "parameters", "megabytes", "about", "path", "digest")
    return {key: info.get(key) for key in keys} | {"words": info.get("words")}


def _table(rows: list[dict[str, Any]]) -> None:
    """Plain columns: they go through a pipe as they are."""
    if not rows:
        return
    cells = [("NAME", "SYSTEM", "WEIGHTS", "SIZE", "KNOWS")]
    for row in rows:
        weights = f"{row['parameters'] / 1e6:.1f} M" if row["parameters"] else "--"
        cells.append((row["name"], str(row["system"]), weights, f"{row['megabytes']} MB", row["about"]))
    wide = [max(len(cell[i]) for cell in cells) for i in range(4)]
    for cell in cells:
        print("  ".join(f"{text:{size}}" for text, size in zip(cell[:4], wide, strict=True)), cell[4], sep="  ")
