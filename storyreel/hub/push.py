"""Puts a model folder of ours into a repository of the hub: its own files alone, under a card that the hub reads."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from storyreel import hub_client, model_card
from storyreel.hub.download import check_digests, files_of
from storyreel.hub.reference import name_in_cache
from storyreel.json_file import read_object
from storyreel.model_folder import PART, part_file, read_card, read_model
from storyreel.screen_text import one_line

REPORT = "report.json"


def push(
    folder: Path, name: str, *, licence: str | None = None, report: Path | None = None, private: bool = False
) -> str:
    """Upload a model; the address of its commit.

    licence: of its card, in place of the one that is there. report: a folder of `evaluate`, whose figures go into the
    card. ValueError or OSError, one line, before anything is sent: the folder is not whole, the card has no licence.
    """
    if (found := hub_client.repository(name)) is None or found[1] is not None:
        raise ValueError(f"{one_line(name)}: expected the name of a repository, ORG/NAME")
    files = files_of(folder)
    check_digests(folder)
    licences = [file.name for file in sorted(folder.glob("LICENSE*")) if file.is_file()]
    content: dict[str, Path | bytes] = {file: _own(folder, file) for file in (*files, *licences)}
    for part in read_model(folder)["components"]:  # some ship in another folder
        content |= {f"{part}/{name}": part_file(folder, part, name) for name in PART}
    head, body = model_card.split(read_card(folder), str(_own(folder, "README.md")))
    head = {**model_card.MODEL, **head}
    if licence is not None:
        head["license"] = licence
    if head.get("license") in (None, "unknown"):
        raise ValueError(f"{folder}/README.md: says no licence; give one with --license, such as apache-2.0")
    if report is not None:
        scores = _scores(report)
        head["metrics"] = list(dict.fromkeys(str(each["name"]).partition("[")[0] for each in scores))
        body = f"{body.rstrip()}\n\n{model_card.table(scores)}"
    content["README.md"] = (model_card.header(head) + body).encode()
    return hub_client.push(content, name, private=private)


def _own(folder: Path, name: str) -> Path:
    """`folder / name`. OSError: it is a link to a file elsewhere, which whoever made the folder may not read.

    The hub's cache consists of links into its own `blobs`.
    """
    file, root = folder / name, folder.absolute()
    inside = [root.resolve(), *([root.parents[1].resolve() / "blobs"] if name_in_cache(folder) else [])]
    if not any(file.resolve().is_relative_to(place) for place in inside):
        raise OSError(errno.ELOOP, f"is a link to a file outside of {folder}, which is not uploaded", str(file))
    return file


def _scores(report: Path) -> list[dict[str, Any]]:
    """Of a folder that `evaluate` wrote, or of its report.json."""
    file = report / REPORT if report.is_dir() else report
    found = read_object(file)
    scores = found.get("scores")
    if found.get("kind") != "evaluation" or not isinstance(scores, list):
        raise ValueError(f"{file}: expected a report of storyreel evaluate")
    return [each for each in scores if isinstance(each, dict) and isinstance(each.get("value"), (int, float))]
