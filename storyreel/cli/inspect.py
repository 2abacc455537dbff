"""`storyreel inspect FILE`: what a file is, and what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from storyreel.screen_text import one_line

app = typer.Typer(add_completion=False)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A video, an animation, a sprite sheet or its .json, a picture.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Print size, frames, rate, duration, alpha, and what made a file.

    storyreel inspect orc.mp4

    storyreel inspect sheet.png --json
    """
    from storyreel.video_io import probe

    facts = probe(file)
    fps = facts["fps"]
    if as_json:
        typer.echo(
            json.dumps({"file": str(file), **facts, "fps": None if fps is None else str(fps)}, ensure_ascii=True)
        )
        return
    rows = [("file", one_line(str(file))), ("format", facts["format"]), ("size", f"{facts['width']}x{facts['height']}")]
    rows.append(("frames", str(facts["frames"])))
    if fps is not None:
        rows.append(("fps", str(fps) if fps.denominator == 1 else f"{fps} ({float(fps):.3f})"))
        rows.append(("seconds", f"{facts['seconds']:.3f}"))
    rows.append(("alpha", "yes" if facts["alpha"] else "no"))
    made: dict[str, Any] | None = facts["made"]
    if made is None:
        rows.append(("made by", "unknown: the file carries no Storyreel comment"))
    else:
        rows += _rows(made)
    wide = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:{wide}}  {value}")


def _rows(made: dict[str, Any]) -> list[tuple[str, str]]:
    """A row for each entry of the document; the part about the file itself is shown above already."""
    file = made.get("file")
    by = file.get("by") if isinstance(file, dict) else None
    rows = [("made by", one_line(by or "storyreel"))]
    rows += [(one_line(key), one_line(value)) for key, value in made.items() if key not in ("storyreel", "file")]
    return [row for row in rows if row[1]]
