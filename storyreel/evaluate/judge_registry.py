"""Finds judges by name and reads their `judge.json`, without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storyreel.json_file import read_object
from storyreel.model_folder import own_folders
from storyreel.tensor_header import check_regular
from storyreel.wording import suggestion
from storyreel.worlds import names

PRETRAINED = Path(__file__).parents[1] / "pretrained"


def find_judge(name: str | Path) -> Path:
    """The folder of a judge, given as a path or by its short name: one that ships, or `judge-NAME` in a folder of
    $STORYREEL_MODELS. ValueError suggests the nearest name, or says how to train one that is not here."""
    if (Path(name) / "judge.json").is_file():
        return Path(name)
    there = judges()
    short = str(name).removeprefix("judge-")
    if short in there:
        return there[short]
    if short in names():
        raise ValueError(
            f"judge {str(name)!r}: is not trained yet; `storyreel evaluate train-judge --data DIR -o judge-{short}` "
            "makes it"
        )
    hint = suggestion(short, there, more=", or give a judge folder")
    raise ValueError(f"judge: no judge {str(name)!r}; {hint}")


def judges() -> dict[str, Path]:
    """Short name -> folder of each judge that ships or lies in a folder of $STORYREEL_MODELS."""
    cards = [
        card for folder in (*reversed(own_folders()), PRETRAINED) for card in sorted(folder.glob("judge-*/judge.json"))
    ]
    return {card.parent.name.removeprefix("judge-"): card.parent for card in cards}


def kind_of(path: Path) -> str:
    """Which kind of judge lies in this folder."""
    return str(document_of(path)["kind"])


def document_of(path: Path) -> dict[str, Any]:
    """The `judge.json` in a folder: kind, config, sha256, facts. ValueError: it is none."""
    file = path / "judge.json"
    try:
        check_regular(file)
        document = read_object(file)
        missing = {"kind", "config", "sha256", "facts"} - set(document)
    except ValueError:
        raise ValueError(f"{file}: not a judge's JSON document") from None
    if missing:
        raise ValueError(f"{file}: expected {', '.join(sorted(missing))} in it")
    return document
