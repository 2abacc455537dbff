"""The command line: one file a verb, each imported only when it is called, so that `--help` is instant.

A configuration file and STORYREEL_* variables give defaults to every verb (see `config`). Exit codes: 0 success, 1 the
job failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import re
import sys
import typing
from collections.abc import Callable, Iterable
from inspect import cleandoc  # storyreel.cli.inspect is a verb
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from storyreel.allocator import begin_again
from storyreel.cli.config import read_config, set_defaults
from storyreel.wording import nearest

VERBS = {
    "generate": "Make a video from a sentence, a story, an image or a clip.",
    "serve": "Serve the studio and an OpenAI-style API for videos.",
    "sheet": "Draw one character in four facings and every action, as a sprite sheet.",
    "models": "List the models that are here, and show their cards.",
    "inspect": "Print what made a file.",
    "curate": "Turn raw footage into a dataset, with reasons.",
    "browse": "Look at a curated dataset, kept and rejected, and decide by hand.",
    "data": "Make, check, fetch or look at a dataset folder.",
    "train": "Train a recipe on a dataset folder; run again to resume.",
    "recipes": "List what can be trained.",
    "plan": "Estimate time and memory of a training run.",
    "check": "Try every recipe and every model on this machine, and time them.",
    "evaluate": "Measure clips.",
    "leaderboard": "Put models side by side on equal terms.",
    "study": "Let people compare clips, blind, and say what their votes mean.",
    "reproduce": "Train and measure what a paper claims for itself, at small scale.",
    "demo": "Make a first video with a model that ships in the package.",
}
MOVED = {
    "evaluate": {
        "--benchmark": "benchmark NAME CLIPS",
        "--compare": "compare REPORT REPORT",
        "--train-judge": "train-judge --data DATASET -o FOLDER",
    },
    "curate": {"--filter": "filter DATASET --set motion.min=0.5"},
}


class Verbs(TyperGroup):
    """The verbs by their names and first lines alone; one is imported when it is called or completed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, short_help=VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from storyreel.screen_text import printable

        if (name := args[0]) not in VERBS:
            near = nearest(name, VERBS)
            hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(VERBS)}."
            ctx.fail(printable(f"no verb {name!r}. {hint}"))
        module, rest = importlib.import_module(f"storyreel.cli.{name}"), args[1:]
        command = typer.main.get_command(module.app)
        more = typer.main.get_command(module.commands) if hasattr(module, "commands") else command
        commands = getattr(more, "commands", {})
        _name_parameters(command, more)
        if not ctx.resilient_parsing:  # as completion parses
            for flag in {word.partition("=")[0] for word in rest} & set(MOVED.get(name, {})):
                ctx.fail(f"{flag} is a command now: storyreel {name} {MOVED[name][flag]}")
            set_defaults(command, commands, ctx, name)
        elif not rest and more is not command:
            _complete_commands(command, commands)
        return name, more if rest and rest[0] in commands else command, rest


def _name_parameters(*commands: Any) -> None:
    """Arguments, and what options take, are in capitals wherever a help page or an error names them; arguments have
    no type beside their names, nor has --help.

    The help of an option may say its default as "[default: ...]", which is no markup.
    """
    for command in commands:
        command.help = _one_line_each(command.help or "")
        command.get_help_option = _without_type(command.get_help_option)
        for each in command.params:
            if each.param_type_name == "argument":
                each.display_type_rich = lambda ctx: None
            if each.metavar is None:
                each.metavar = each.name.upper() if each.param_type_name == "argument" else _takes(each)
            if getattr(each, "help", None):
                each.help = each.help.replace(" [default:", r" \[default:")
        _name_parameters(*getattr(command, "commands", {}).values())


def _one_line_each(text: str) -> str:
    """Paragraphs of a docstring without line breaks, which a help page breaks anew; an example begins a line."""
    return re.sub(r"(?<!\n)\n(?!\n|`?storyreel )", " ", cleandoc(text))


def _without_type(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What makes the option --help, which takes nothing."""

    def made(ctx: Any) -> Any:
        option = make(ctx)
        if option is not None:
            option.metavar = ""
        return option

    return made


def _takes(option: Any) -> str | None:
    """What an option takes: TEXT, INTEGER, FLOAT or PATH; nothing for a flag; None where typer itself names it so."""
    if option.is_flag:
        return ""
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    kind = (*typing.get_args(kind), kind)[0]
    return {str: "TEXT", int: "INTEGER", float: "FLOAT", Path: "PATH"}.get(kind)


def _complete_commands(command: Any, names: Iterable[str]) -> None:
    """A verb's first argument is completed to the names of its commands; to files, where it begins with none."""
    first = next(each for each in command.params if each.param_type_name == "argument")
    first._custom_shell_complete = lambda context, param, typed: [name for name in names if name.startswith(typed)]


app = typer.Typer(
    cls=Verbs, rich_markup_mode=None, subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _version(shown: bool) -> None:
    if shown:
        from storyreel.clip_metadata import made_by

        typer.echo(made_by())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def storyreel(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Storyreel turns text into video, and everything that this takes.

    storyreel VERB --help says more of a verb.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(argv: list[str] | None = None) -> None:
    """Entry point. Bad input ends in one clear line on stderr, never a traceback (see `boundary`)."""
    args = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        begin_again(args)
    from storyreel.cli.boundary import run_verb

    verb = next((arg for arg in args if arg in VERBS), "storyreel")
    run_verb(verb, app, args, lambda: read_config(VERBS))
