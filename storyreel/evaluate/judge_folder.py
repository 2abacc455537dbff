"""A judge on disk: `judge.json` (its kind, settings, facts and a digest), `model.safetensors`, `README.md`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import nn

from storyreel.field_ranges import checked
from storyreel.json_file import read_object
from storyreel.numbers import shown
from storyreel.outline import build_to_fit
from storyreel.packed import deflated, packed, read_weights, unpacked_header
from storyreel.tensor_file import copy_into
from storyreel.tensor_header import check_regular, read_header, sha256_of
from storyreel.worlds import names

PRETRAINED = Path(__file__).parents[1] / "pretrained"
STEP = 0.05  # how coarse the weights become
M = TypeVar("M", bound=nn.Module, covariant=True)


class Config(Protocol[M]):
    """A frozen dataclass of a judge's settings."""

    def build(self) -> M: ...


def find_judge(name: str | Path) -> Path:
    """The folder of a judge, given as a path or by its short name: one that ships, or `judge-NAME` in a folder of
    $STORYREEL_MODELS. ValueError suggests the nearest name, or says how to train one that is not here."""
    import difflib

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
    near = difflib.get_close_matches(short, there, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(there) or 'none'}, or give a judge folder"
    raise ValueError(f"judge: no judge {str(name)!r}; {hint}")


def judges() -> dict[str, Path]:
    """Short name -> folder of each judge that ships or lies in a folder of $STORYREEL_MODELS."""
    own = [Path(item) for item in os.environ.get("STORYREEL_MODELS", "").split(os.pathsep) if item]
    cards = [card for folder in (*reversed(own), PRETRAINED) for card in sorted(folder.glob("judge-*/judge.json"))]
    return {card.parent.name.removeprefix("judge-"): card.parent for card in cards}


def write_judge(path: Path, kind: str, config: Any, judge: nn.Module, *, card: str, facts: Mapping[str, Any]) -> Path:
    """Write the folder: parameters packed (`storyreel.packed`) or in half precision, running statistics in single.

    facts: what its training wrote down, JSON values: data, steps, accuracy on unseen clips.
    """
    from safetensors.torch import save

    from storyreel.folder_replacement import replacing_folder
    from storyreel.storage import with_names_escaped, write_bytes, write_json, write_text

    parameters = {name for name, _ in judge.named_parameters()}
    tensors = {
        name: (value.detach().cpu().half() if name in parameters else value.detach().cpu()).contiguous()
        for name, value in judge.state_dict().items()
    }
    blob = save(deflated(packed(tensors, STEP)))
    document = {"storyreel_judge": 1, "kind": kind, "config": asdict(config), "facts": dict(facts)}
    document["sha256"] = hashlib.sha256(blob).hexdigest()
    with replacing_folder(path, "judge") as made:
        write_bytes(made / "model.safetensors", blob)
        write_json(made / "judge.json", document)
        write_text(made / "README.md", with_names_escaped(card))
    return path


def kind_of(path: Path) -> str:
    """Which kind of judge lies in this folder."""
    return str(_document(path)["kind"])


def facts_of(path: Path) -> dict[str, Any]:
    """What its training wrote down."""
    return _document(path)["facts"]


def read_judge(path: Path, kind: str, make: type[Config[M]]) -> M:
    """The judge in a folder: its settings as the frozen dataclass `make`, its network with the weights, in eval mode.

    ValueError names the file and the field or tensor: another kind, settings out of range, weights that were changed or
    that are not those of such a network (which is found out before it is built).
    """
    document, file = _document(path), path / "model.safetensors"
    if document["kind"] != kind:
        raise ValueError(f"{path}: a judge of the kind {shown(document['kind'])}, wanted {kind!r}")
    try:
        config = checked(make, document["config"], "config")
    except ValueError as error:
        raise ValueError(f"{path / 'judge.json'}: not the settings of a judge ({error})") from None
    check_regular(file)
    if sha256_of(file) != document["sha256"]:
        raise ValueError(f"{file}: its SHA-256 is not the one in judge.json; the file is damaged or was changed")
    judge = build_to_fit(config.build, unpacked_header(read_header(file), str(file)), str(file))
    copy_into(judge.state_dict(), read_weights(file), str(file))
    return judge.eval()


def _document(path: Path) -> dict[str, Any]:
    file = path / "judge.json"
    try:
        check_regular(file)
        document = read_object(file)
        missing = {"kind", "config", "sha256", "facts"} - set(document)
    except ValueError:
        raise ValueError(f"{file}: not a judge's JSON document") from None
    if missing:
        raise ValueError(f"{file}: wanted {', '.join(sorted(missing))} in it")
    return document
