"""The command line: one file a verb, each imported only when it is called, so that `--help` is instant.

Exit codes: 0 success, 1 the job failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import sys

VERBS = {
    "generate": "Make a video from a sentence, a story, an image or a clip.",
    "models": "List the models that are here, and show their cards.",
    "inspect": "Print what made a file.",
    "curate": "Turn raw footage into a dataset, with reasons.",
    "browse": "Look at a curated dataset, kept and rejected, and decide by hand.",
    "data": "Make, check, fetch or look at a dataset folder.",
    "train": "Train a recipe on a dataset folder; run again to resume.",
    "plan": "Estimate time and memory of a training run.",
    "check": "Try every recipe and every model on this machine, and time them.",
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
    """Entry point. Bad input ends in one clear line on stderr, never a traceback (see `boundary`)."""
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
    from storyreel.cli.boundary import run_verb

    run_verb(args[0], lambda: importlib.import_module(f"storyreel.cli.{args[0]}").app, args[1:])
