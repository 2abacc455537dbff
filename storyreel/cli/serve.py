"""storyreel serve: the HTTP API and the studio, on one queue that outlives any crash."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names or folders of models; all that are here by default.", metavar="MODEL"),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the queue and the videos, new or a server's own.")
    ] = Path("studio"),
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine need --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8420,
    token: Annotated[str | None, typer.Option(help="What a request must show: Authorization: Bearer TOKEN.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name that this server is asked for by; may be repeated.")
    ] = None,
    devices: Annotated[
        str, typer.Option(help="A worker process for each, such as cuda:0,cuda:1; one on the usual device by default.")
    ] = "",
    engine: Annotated[
        str, typer.Option(help="local, or ray: videos are made by replicas on the Ray cluster that RAY_ADDRESS names.")
    ] = "local",
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Replicas of --engine ray; each gets a card where there are cards.")
    ] = 1,
    show: Annotated[
        list[Path] | None,
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

    run(
        out,
        models or (),
        access=access,
        port=port,
        devices=_devices(devices, engine, workers),
        shown=show or (),
        on_ready=ready,
    )


def _devices(devices: str, engine: str, workers: int) -> Sequence[str | None]:
    """What each worker process computes on. ValueError names an option."""
    names = [name.strip() for name in devices.split(",") if name.strip()]
    if engine == "local":
        if workers != 1:
            raise ValueError(f"--workers {workers}: --engine local starts one for each of --devices")
        return names or [None]
    if engine != "ray":
        raise ValueError(f"--engine: expected local or ray, got {engine!r}")
    if names:
        raise ValueError("--devices: --engine ray places its replicas itself; leave it out")
    if find_spec("ray") is None:
        raise ValueError("--engine ray: ray is not installed; run: pip install 'storyreel[ray]'")
    if workers > 1 and not os.environ.get("RAY_ADDRESS"):
        raise ValueError(
            f"--workers {workers}: RAY_ADDRESS names no cluster; run: ray start --head, and set it to auto"
        )
    return ["ray"] * workers
