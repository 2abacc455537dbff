"""The command line: one file a verb, each imported only when it is called, so that `--help` is instant.

Exit codes: 0 success, 1 the job failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import cast

VERBS = {
    "generate": "Make a video from a sentence, a story, an image or a clip.",
    "models": "List the models that are here, and show their cards.",
    "inspect": "Print what made a file.",
    "curate": "Turn raw footage into a dataset, with reasons.",
    "browse": "Look at a curated dataset, kept and rejected, and decide by hand.",
    "data": "Make, check, fetch or look at a dataset folder.",
    "train": "Train a recipe on a dataset folder; run again to resume.",
    "plan": "Estimate time and memory of a training run.",
    "evaluate": "Measure clips.",
    "leaderboard": "Put models side by side on equal terms.",
    "study": "Let people compare clips, blind, and say what their votes mean.",
    "reproduce": "Train and measure what a paper claims for itself, at small scale.",
    "demo": "Make a first video with a model that ships in the package.",
}


def usage() -> str:
    """What `storyreel --help` prints."""
    wide = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{wide}}  {what}" for verb, what in VERBS.items())
    return (
        "Usage: storyreel [--help | --version] VERB [ARGS]...\n\n"
        "  Storyreel turns text into video, and everything that this takes.\n\n"
        f"Verbs (storyreel VERB --help says more):\n{verbs}\n"
    )


def main(argv: list[str] | None = None) -> None:
    """Entry point. Bad input ends in one clear line on stderr, never a traceback (STORYREEL_DEBUG=1 shows it)."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(usage(), end="")
        sys.exit(0 if args else 2)
    if args[0] == "--version":
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"storyreel {version('storyreel')}")
        except PackageNotFoundError:
            print("storyreel, from a source tree that is not installed")
        sys.exit(0)
    if args[0] not in VERBS:
        near = difflib.get_close_matches(args[0], VERBS, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(VERBS)}."
        print(f"storyreel: no verb {args[0]!r}. {hint}", file=sys.stderr)
        sys.exit(2)
    _run(args[0], args[1:])


def _run(verb: str, args: list[str]) -> None:
    import typer

    # Newer Typer carries its own copy of Click, so its exceptions are reached through Typer alone.
    usage_error, click_exception = cast(tuple[type[Exception], ...], typer.BadParameter.__mro__[1:3])
    try:
        command = typer.main.get_command(importlib.import_module(f"storyreel.cli.{verb}").app)
        code = command.main(args=args, prog_name=f"storyreel {verb}", standalone_mode=False)
        if code == 130:  # Typer turns Ctrl-C into this code, without a word
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except usage_error as error:
        error.show()  # pyright: ignore[reportAttributeAccessIssue]
        sys.exit(2)
    except click_exception as error:
        error.show()  # pyright: ignore[reportAttributeAccessIssue]
        sys.exit(1)
    except (typer.Abort, KeyboardInterrupt):
        print("storyreel: interrupted", file=sys.stderr)
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
        print(f"storyreel: error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(1)
