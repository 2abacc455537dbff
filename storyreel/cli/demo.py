"""storyreel demo: a first video, with a model that ships in the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

# A prompt that shows what the model can do, and one to try next.
PROMPTS = {
    "phenaki-sprites": (
        "a knight in golden armor with a golden helmet slashing with a sword to the right",
        "a dark-skinned woman with purple hair shoots an arrow to the right",
    ),
    "phenaki-digits": ("the digit 3 is moving up then down", "the digit 7 moves left then right"),
}


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("out/demo.mp4"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
) -> None:
    """Make a first video and print its path.

    storyreel demo
    """
    from storyreel.cli.generate import report, run
    from storyreel.generate import registry
    from storyreel.options.batch import BatchOptions

    names = registry.names()
    name = next((item for item in PROMPTS if item in names), names[0] if names else None)
    if name is None:
        raise ValueError("no model ships with this copy of storyreel; train one with storyreel train")
    prompt, following = PROMPTS.get(name, ("a person walks to the left", "a person walks to the right"))
    if not quiet:
        print(f"{name}: {prompt!r}", file=sys.stderr)
    plan, results = run({"prompt": prompt}, BatchOptions(out=str(out), model=name), quiet=quiet)
    if not quiet:
        print(f'Try next: storyreel generate "{following}" -o next.mp4', file=sys.stderr)
    report(plan, results, as_json=False)
