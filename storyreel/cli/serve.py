"""storyreel serve: the HTTP API and the studio, on one queue that outlives any crash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    models: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="Names or folders of models; all that are here by default.", metavar="MODEL"),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the queue and the videos, new or a server's own.")
    ] = Path("studio"),
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine need --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8420,
    token: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="What a request must show: Authorization: Bearer TOKEN."),
    ] = None,
    allow_host: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Another name that this server is asked for by; may be repeated."),
    ] = None,
    devices: Annotated[
        str, typer.Option(help="A worker process for each, such as cuda:0,cuda:1; one on the usual device by default.")
    ] = "",
    show: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="A curated dataset, a study, a report or a leaderboard, at /pages/NAME/; may be repeated."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the studio in the browser.")] = False,
) -> None:
    """Serve the studio and the HTTP API until Ctrl-C. The queue and the gallery stay in the folder.

    storyreel serve phenaki-sprites --open
    """
    from storyreel.serve.app import serve as run
    from storyreel.serve.guard import Access

    access = Access(host, token, frozenset(name.lower() for name in allow_host or ()))

    def ready(url: str) -> None:
        typer.echo(url)
        typer.echo("Ctrl-C ends; the queue and the videos stay.", err=True)
        if open_:
            import webbrowser

            webbrowser.open(url + (f"#token={token}" if token else ""))

    names = [name.strip() for name in devices.split(",") if name.strip()]
    run(out, models or (), access=access, port=port, devices=names or [None], shown=show or (), on_ready=ready)
