"""Benchmarks with a fixed list of prompts, that anybody's videos can be scored on.

A benchmark is a module with `prompts`, `run` and `real_clip`, and beside it the list of its prompts, a .json file of
the same name (with - for _).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.wording import suggestion

if TYPE_CHECKING:
    from storyreel.evaluate.benchmarks.prompt_list import PromptList


def names() -> list[str]:
    """The benchmarks that there are."""
    return [file.stem.replace("_", "-") for file in sorted(Path(__file__).parent.glob("*.json"))]


def run(
    name: str, path: str | Path, *, quiet: bool = False, judge: str | Path = ""
) -> tuple[dict[str, Any], list[str]]:
    """Score the videos of a folder: a JSON document, and lines of a table for people.

    judge: another judge than the benchmark's own; the document then says that it is not comparable.
    ValueError or OSError, of one line: no such benchmark, no such folder, no video that answers a prompt.
    """
    return _module(name).run(path, quiet=quiet, judge=judge)


def prompts(name: str, group: str = "") -> PromptList:
    """The prompts of a benchmark, in order, and its protocol; of one group alone, where it is named.

    ValueError where the benchmark has no such group.
    """
    found: PromptList = _module(name).prompts()
    return found.only(group) if group else found


def write_real(name: str, folder: str | Path, *, source: Path | None = None, group: str = "") -> list[Path]:
    """Write the real clips of the prompts as 0000.mkv, 0001.mkv, ...: what a model cannot do better than.

    source: where the world's pictures lie, for a world that has none of its own.
    """
    from storyreel.own_clips import first_foreign
    from storyreel.ownership import claim

    module, folder = _module(name), Path(folder)
    chosen = prompts(name, group).prompts
    if chosen:
        module.real_clip(chosen[0], source)  # before the folder is touched: are there pictures?
    with claim(folder, "clips", strange=first_foreign) as owned:
        owned.record(f"{p.name}.mkv" for p in chosen)
        return [module.real_clip(p, source).save(folder / f"{p.name}.mkv", scale=None) for p in chosen]


def _module(name: str) -> Any:
    if name not in names():
        raise ValueError(f"benchmark: no benchmark {name!r}; {suggestion(name, names(), 'there is')}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
