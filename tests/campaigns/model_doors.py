"""Everything that opens a model folder, as functions of a path."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def doors() -> dict[str, Callable[[Path], Any]]:
    import storyreel.generate.model
    import storyreel.systems.encoder
    from storyreel import recipes

    os.environ["STORYREEL_DOWNLOAD"], os.environ["HF_HUB_OFFLINE"] = "no", "1"
    os.environ["STORYREEL_CACHE"] = tempfile.mkdtemp()
    for name in recipes.names():
        recipes.get(name)
    return {"list": listed, "show": shown, "load": storyreel.generate.model.load, "generate": made, "pack": packed} | {
        "init": begun
    }


def verb(*args: object) -> str:
    """What a verb prints. ValueError for its one line of error; anything else that it says or does is a fault."""
    from storyreel.cli import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(arg) for arg in args])
        except SystemExit as stopped:
            code = stopped.code or 0
    said = out.getvalue() + err.getvalue()
    odd = [c for c in said if not c.isprintable() and c not in "\n\t\u200c\u200d"]
    lines = [line for line in err.getvalue().splitlines() if "note:" not in line and "arning" not in line]
    if odd or "Traceback" in said or "unexpected" in said or "out of memory" in said:
        raise AssertionError(f"{odd[:3]} {said[-600:]}")
    if code not in (0, 1) or (code == 1 and not any(line.startswith("storyreel: error: ") for line in lines)):
        raise AssertionError(f"code {code}: {said[-600:]}")
    if code:
        raise ValueError(next(line for line in lines if line.startswith("storyreel: error: ")))
    return said


def listed(path: Path) -> None:
    """The list always comes, with the models that ship in it; a bad folder is named with its reason."""
    os.environ["STORYREEL_MODELS"] = str(path.parent)
    said = verb("models")
    assert "phenaki-sprites" in said
    assert path.name in said or not (path / "model.json").exists(), said


def shown(path: Path) -> None:
    verb("models", "show", path)


def made(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        verb(
            "generate",
            "an orc",
            "-m",
            path,
            "-o",
            Path(folder) / "a.gif",
            *(() if "godiva" in path.name else ("--steps", 1)),
        )


def packed(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        verb("models", "pack", path, "-o", Path(folder) / "small")


def begun(path: Path) -> None:
    """What `train --init` does with it."""
    from storyreel.train.command import begin_from

    begin_from(_system(path.name.removesuffix("-packed")), path)


@cache
def _system(name: str) -> Any:
    from storyreel import recipes

    return recipes.get(f"{name}_tiny").system.build()
