"""storyreel browse: look at a curated dataset, kept and rejected, move its thresholds, and decide by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at a curated dataset, and decide by hand.")


@app.command()
def browse(
    dataset: Annotated[Path, typer.Argument(help="Folder that `storyreel curate` wrote.", metavar="DATASET")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8410,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
) -> None:
    """Serve a page on this machine until Ctrl-C: why each clip was kept or dropped, and what other thresholds would do.

    What is decided there by hand is on the disk at once, and `storyreel curate filter` never loses it.

    storyreel browse data/mine
    """
    from storyreel.serve.app import page_app
    from storyreel.serve.browse_routes import Browsing, router
    from storyreel.serve.guard import Access
    from storyreel.serve.running import PageServer
    from storyreel.wording import counted

    browsing, access = Browsing(dataset), Access()
    try:
        server = PageServer(page_app(router(browsing), access), access.host, port)
        typer.echo(server.url)
        spans = counted(len(browsing.session.state().table), "span")
        typer.echo(f"{spans}. Ctrl-C ends; decisions are on the disk.", err=True)
        if open_:
            import webbrowser

            webbrowser.open(server.url)
        if server.run_here():
            typer.echo(f"next: storyreel curate filter {dataset}", err=True)
    finally:
        browsing.close()
