"""storyreel leaderboard: several models on equal terms, the same prompts, seeds and real clips."""

from __future__ import annotations

from typing import Annotated

import typer

from storyreel.cli.typed import Typed, takes
from storyreel.options.leaderboard import LeaderboardOptions

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
@takes(LeaderboardOptions)
def leaderboard(
    typed: Typed,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Put models side by side: scores with intervals, paired differences to the best, seconds, sizes, training.

    storyreel leaderboard phenaki-digits godiva-digits --world digits --real data/digits -o out/board

    storyreel leaderboard out/a/report out/b/report -o out/board

    Run it again to go on: clips that are there are not made again.
    """
    options = typed.make(LeaderboardOptions)
    import json

    from storyreel.data.parallel import progress
    from storyreel.evaluate.evaluation import silent
    from storyreel.leaderboard.command import lines_of, run

    document, page = run(options, silent if quiet else progress)
    print(json.dumps(document) if as_json else "\n".join([*lines_of(document), "", f"page: {page}"]))
