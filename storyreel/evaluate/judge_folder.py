"""A judge on disk: `judge.json` (its kind, settings, facts and a digest), `model.safetensors`, `README.md`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from storyreel.json_file import read_json

PRETRAINED = Path(__file__).parents[1] / "pretrained"
C = TypeVar("C")


def find_judge(name: str | Path) -> Path:
    """The folder of a judge, given as a path or by its short name. ValueError suggests the nearest name."""
    import difflib

    if (Path(name) / "judge.json").is_file():
        return Path(name)
    shipped = {p.parent.name.removeprefix("judge-"): p.parent for p in sorted(PRETRAINED.glob("judge-*/judge.json"))}
    short = str(name).removeprefix("judge-")
    if short in shipped:
        return shipped[short]
    near = difflib.get_close_matches(short, shipped, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(shipped) or 'none'}, or give a judge folder"
    raise ValueError(f"judge: no judge {str(name)!r}; {hint}")


def write_judge(path: Path, kind: str, config: Any, judge: nn.Module, *, card: str, facts: Mapping[str, Any]) -> Path:
    """Write the folder: parameters in half precision, running statistics in single, and a digest of both.

    facts: what its training wrote down, JSON values: data, steps, accuracy on unseen clips.
    """
    from safetensors.torch import save

    from storyreel.folder_replacement import replacing_folder
    from storyreel.storage import write_bytes, write_json, write_text

    parameters = {name for name, _ in judge.named_parameters()}
    tensors = {
        name: (value.detach().cpu().half() if name in parameters else value.detach().cpu()).contiguous()
        for name, value in judge.state_dict().items()
    }
    blob = save(tensors)
    document = {"storyreel_judge": 1, "kind": kind, "config": asdict(config), "facts": dict(facts)}
    document["sha256"] = hashlib.sha256(blob).hexdigest()
    with replacing_folder(path, "judge") as made:
        write_bytes(made / "model.safetensors", blob)
        write_json(made / "judge.json", document)
        write_text(made / "README.md", card)
    return path


def kind_of(path: Path) -> str:
    """Which kind of judge lies in this folder."""
    return str(_document(path)["kind"])


def facts_of(path: Path) -> dict[str, Any]:
    """What its training wrote down."""
    return _document(path)["facts"]


def config_of(path: Path, kind: str, make: type[C]) -> C:
    """The settings, as the frozen dataclass `make`; lists become tuples. ValueError when they are another's."""
    document = _document(path)
    if document["kind"] != kind:
        raise ValueError(f"{path}: a judge of the kind {document['kind']!r}, wanted {kind!r}")
    try:
        return make(**{name: _frozen(value) for name, value in document["config"].items()})
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path / 'judge.json'}: not the settings of a judge ({error})") from None


def weights_of(path: Path, judge: nn.Module) -> dict[str, Tensor]:
    """The state for `judge`, checked against the digest and its shapes. ValueError names the file and the tensor."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    file = path / "model.safetensors"
    blob = file.read_bytes()
    if hashlib.sha256(blob).hexdigest() != _document(path)["sha256"]:
        raise ValueError(f"{file}: its SHA-256 is not the one in judge.json; the file is damaged or was changed")
    try:
        tensors = load(blob)
    except SafetensorError as error:
        raise ValueError(f"{file}: not a safetensors file ({error})") from None
    wanted = judge.state_dict()
    for name in sorted(set(wanted) ^ set(tensors)):
        raise ValueError(f"{file}: tensor {name} is {'missing' if name in wanted else 'unknown'}")
    for name, value in wanted.items():
        if value.shape != tensors[name].shape:
            raise ValueError(f"{file}: tensor {name} is {tuple(tensors[name].shape)}, wanted {tuple(value.shape)}")
    return {name: value.to(wanted[name].dtype) for name, value in tensors.items()}


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _document(path: Path) -> dict[str, Any]:
    file = path / "judge.json"
    try:
        document = read_json(file)
        missing = {"kind", "config", "sha256", "facts"} - set(document)
    except (ValueError, TypeError):
        raise ValueError(f"{file}: not a judge's JSON document") from None
    if missing:
        raise ValueError(f"{file}: wanted {', '.join(sorted(missing))} in it")
    return document
