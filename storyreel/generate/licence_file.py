"""The licence of what a model learnt from, as a file beside the sprite sheets that it made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from storyreel.ownership import check_file
from storyreel.storage import replacing
from storyreel.worlds import World

MAX_BYTES = 1 << 20  # of a notice that is read to see whether it is one


def licence_path(world: World | None, path: Path) -> Path | None:
    """NAME.LICENSE.txt for NAME.png; None where the world of the model has no licence to pass on."""
    return path.with_name(f"{path.stem}.LICENSE.txt") if world and world.licence else None


def check_licence(world: World | None, path: Path) -> None:
    """ValueError where the file in the way is no such notice, or was changed."""
    new = not (path.exists() or path.is_symlink())
    check_file(path, new or _is_notice(world, path))


def write_licence(world: World | None, path: Path, names: Sequence[str]) -> Path:
    """Say that pictures of these names are under the licence of the world. Returns `path`."""
    with replacing(path) as (made,):
        made.write_text(f"{', '.join(names)}\n\n{_terms(world)}", encoding="utf-8")
    return path


def _terms(world: World | None) -> str:
    """The licence, and the artists of what the model learnt from."""
    assert world is not None
    text = world.licence if world.credits is None else world.credits.read_text(encoding="utf-8").rstrip()
    return f"Made by a model that was trained on pictures of others.\n\n{text}\n"


def _is_notice(world: World | None, path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return False
    return path.read_text(encoding="utf-8", errors="replace").partition("\n\n")[2] == _terms(world)
