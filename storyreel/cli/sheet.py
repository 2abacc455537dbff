"""storyreel sheet: one character from a sentence, in all animations, as a sprite sheet with its atlas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from storyreel.cli.typed import Typed, takes
from storyreel.options.sheet import SheetFileOptions, SheetOptions

if TYPE_CHECKING:
    from storyreel.generate.character import DrawnCharacter
    from storyreel.generate.model import Model
    from storyreel.systems.base import Progress
    from storyreel.worlds import World

app = typer.Typer(add_completion=False)


@app.command()
@takes(SheetOptions, SheetFileOptions)
def sheet(
    typed: Typed,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
) -> None:
    """Draw one character in four facings and every action, as a sprite sheet; prints the path of each file.

    storyreel sheet "a dark elf archer in leather" -o archer.png

    Writes the sheet in the universal LPC layout, its atlas archer.json, which Aseprite's readers, TexturePacker's,
    Phaser, PixiJS and Godot take, and archer.LICENSE.txt.
    """
    options, files = typed.make(SheetOptions), typed.make(SheetFileOptions)
    with typed.usage(SheetOptions, SheetFileOptions):
        character, written = run(options, files, quiet=quiet)
    if as_json:
        about: dict[str, Any] = {"files": [str(file) for file in written], "attributes": dict(character.attributes)}
        about |= {"drawn": dict(character.made), **character.facts}
        typer.echo(json.dumps(about, ensure_ascii=False, indent=1))
    else:
        for file in written:
            typer.echo(file)


def run(options: SheetOptions, files: SheetFileOptions, *, quiet: bool = False) -> tuple[DrawnCharacter, list[Path]]:
    """Check everything that can be checked, then draw and write. What is drawn at random is told on stderr."""
    from storyreel.cli.screen import GenerationScreen
    from storyreel.engine import cores, wait_calmly
    from storyreel.generate import registry
    from storyreel.generate.character import draw, layout_of
    from storyreel.generate.open_attributes import trained_world
    from storyreel.generate.sheet_file import check_places
    from storyreel.storage import check_writable, sweep

    folder = registry.find(files.model)
    world = trained_world(registry.describe(folder))
    layout_of(world, registry.display_name(folder), options.actions)
    assert world is not None
    path = files.out or _free(options)
    check_places(path, options, world)
    check_writable(path.parent)
    sweep(path.parent)
    with GenerationScreen(1, quiet=quiet) as screen:
        wait_calmly()
        import torch

        from storyreel.generate.model import load

        torch.set_num_threads(min(torch.get_num_threads(), cores()))
        model = load(folder)
        _say(screen, options, model, world)
        character = draw(model, options, _Lines(screen))
        written = character.save(path)
    sweep(path.parent)
    return character, written


def _free(options: SheetOptions) -> Path:
    """A name that nothing has."""
    from storyreel.generate.batch import slug

    for number in range(1, 10_000):
        stem = f"{slug(options.prompt)}-seed{options.seed}{f'-{number}' if number > 1 else ''}"
        if not any(Path(f"{stem}{ending}").exists() for ending in (".png", ".json", ".ico", ".LICENSE.txt")):
            return Path(f"{stem}.png")
    raise ValueError(f"this folder is full of sheets of {options.prompt[:40]!r}; name one with -o")


def _say(screen: Any, options: SheetOptions, model: Model, world: World) -> None:
    """What the prompt leaves open, and words that the model does not know."""
    from storyreel.generate.character import who
    from storyreel.generate.vocabulary import note_for

    if note := note_for([options.prompt], model.words, model.name, model.attributes, world):
        screen.say(f"storyreel: note: {note}")
    _, made = who(options.prompt, model, world, options.seed)
    if made:
        line = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in made.items())
        screen.say(f"storyreel: note: not said, drawn from the seed: {line}")


class _Lines:
    """A line on stderr for each animation that is begun, where there is no terminal with a bar."""

    def __init__(self, screen: Any) -> None:
        self.screen, self.last = screen, ""

    def __call__(self, step: Progress) -> None:
        self.screen.progress(step)
        if step.what != self.last and not self.screen.live:
            self.last = step.what
            self.screen.say(f"storyreel: {step.what} ({step.done * 100 // max(1, step.total)} %)")
