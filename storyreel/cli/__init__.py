"""The command line: one file a verb, each imported only when it is called, so that `--help` is instant.

Exit codes: 0 success, 1 the job failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

VERBS = {
    "generate": "Make a video from a sentence, a story, an image or a clip.",
    "models": "List the models that are here, and show their cards.",
    "inspect": "Print what made a file.",
    "data": "Make, check, fetch or look at a dataset folder.",
    "train": "Train a recipe on a dataset folder; run again to resume.",
    "plan": "Estimate time and memory of a training run.",
    "evaluate": "Measure clips.",
    "reproduce": "Train and measure what a paper claims for itself, at small scale.",
    "demo": "Make a first video with a model that ships in the package.",
}


class LazyVerbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        import typer

        command = typer.main.get_command(importlib.import_module(f"storyreel.cli.{cmd_name}").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]):
        import difflib

        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(VERBS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"storyreel {version('storyreel')}")
        ctx.exit()


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Print the version.")
def storyreel() -> None:
    """Storyreel turns text into video, and everything that this takes."""


def main(argv: list[str] | None = None) -> None:
    """Entry point. Bad input ends in one clear line on stderr, never a traceback (STORYREEL_DEBUG=1 shows it)."""
    try:
        code = storyreel.main(args=argv, prog_name="storyreel", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("storyreel: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ValueError, OSError) as error:
        if os.environ.get("STORYREEL_DEBUG"):
            raise
        message = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            message = f"{error.filename}: {error.strerror}"
        click.echo(f"storyreel: error: {' '.join(message.split())}", err=True)
        sys.exit(1)
