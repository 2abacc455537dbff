"""Names of models of the hub, `hub:ORG/NAME[@REVISION]`, and of pipelines, `hub:FOLDER`: the folders that they lead to.

A pipeline is a folder in diffusers' layout: `model_index.json` and a folder for each component. Nothing here imports
PyTorch. What a folder brings besides JSON, vocabularies and safetensors is never opened.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from storyreel.hub_client import repository
from storyreel.json_file import read_object
from storyreel.names import expanded
from storyreel.network_folder import check_network_folder
from storyreel.screen_text import one_line
from storyreel.tensor_header import SHARDS, shards

PREFIX = "hub:"
INDEX = "model_index.json"
LIBRARIES = ("diffusers", "transformers")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_reference(name: object) -> bool:
    """Whether a name is one of those that begin with `hub:`."""
    return isinstance(name, str) and name.startswith(PREFIX)


def is_pinned(name: object) -> bool:
    """Whether a name says a repository of the hub and its commit: nothing that could be a path of this machine."""
    named = repository(name.removeprefix(PREFIX)) if isinstance(name, str) and is_reference(name) else None
    return named is not None and _COMMIT.fullmatch(named[1] or "") is not None


def is_pipeline(folder: Path) -> bool:
    """Whether a folder is one in diffusers' layout, and none of ours."""
    return (folder / INDEX).is_file() and not (folder / "model.json").is_file()


def find(name: str, *, download: bool = True) -> Path:
    """The folder of a pipeline, or of a model of the hub, which is downloaded where it is not here if `download`.

    ValueError or OSError, one line: there is none, it is not whole, or the hub cannot be reached.
    """
    text = name.removeprefix(PREFIX)
    path = expanded(text)
    if not is_pinned(name) and path.exists():
        if not (path / INDEX).is_file():
            raise ValueError(f"{path}: expected a folder with a {INDEX} in it{_instead(path)}")
        return path
    named = repository(text)
    if named is None:
        known = "hub:ORG/NAME, hub:ORG/NAME@REVISION or hub:FOLDER"
        raise ValueError(f"model {one_line(name)!r}: there is no such folder; expected {known}")
    from storyreel.hub.download import model

    return model(*named, download=download)


def name_of(folder: Path) -> str:
    """What a clip's metadata calls a pipeline: `hub:ORG/NAME@COMMIT` in the hub's cache, else its folder's name."""
    return name_in_cache(folder) or folder.resolve().name


def name_in_cache(folder: Path) -> str | None:
    """`hub:ORG/NAME@COMMIT` of a folder in the hub's cache; None elsewhere."""
    folder = folder.absolute()
    owner = folder.parents[1].name if len(folder.parents) > 1 else ""
    if folder.parent.name == "snapshots" and owner.startswith("models--"):
        return f"{PREFIX}{owner.removeprefix('models--').replace('--', '/')}@{folder.name}"
    return None


def title(name: str) -> str:
    """A name without what makes it no name of a folder: "hub:org/wan@1a2b" -> "wan"."""
    return name.removeprefix(PREFIX).partition("@")[0].rpartition("/")[2] if is_reference(name) else name


def read_index(folder: Path) -> dict[str, Any]:
    """model_index.json, checked: a class of diffusers, and components of diffusers or transformers alone.

    ValueError, one line, for anything else, such as code that comes with the folder.
    """
    file = folder / INDEX
    index = read_object(file)
    if not isinstance(found := index.get("_class_name"), str) or not found.isidentifier():
        raise ValueError(f"{file}: _class_name: expected a class of diffusers, got {one_line(str(found))[:80]}")
    for name, (library, kind) in components(index).items():
        if not (name.isidentifier() and kind.isidentifier() and _is_known(library)):
            found = one_line(f"{library[:80]}.{kind[:80]}")
            raise ValueError(
                f"{file}: {name[:80]}: is {found}, code that comes with the folder or elsewhere; "
                "expected a class of diffusers or transformers"
            )
    return index


def _is_known(library: str) -> bool:
    """Whether a component's class comes from diffusers, one of its pipelines' own modules, or transformers."""
    if library in LIBRARIES:
        return True
    spec = importlib.util.find_spec("diffusers") if library.isidentifier() else None
    return spec is not None and spec.origin is not None and (Path(spec.origin).parent / "pipelines" / library).is_dir()


def components(index: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Component -> (library, class) of an index; those that it leaves out (null) are not there."""
    pairs = {name: value for name, value in index.items() if not name.startswith("_") and isinstance(value, list)}
    return {name: (v[0], v[1]) for name, v in pairs.items() if len(v) == 2 and all(isinstance(each, str) for each in v)}


def check_components(folder: Path) -> None:
    """`check_network_folder` of each component."""
    for name in components(read_index(folder)):
        check_network_folder(folder / name)


def missing(folder: Path) -> str | None:
    """What a folder lacks to be whole, "" for its index; None where nothing is missing.

    A component with the settings of a network (`config.json`) needs weights; of an index of shards, all.
    """
    if not (folder / INDEX).is_file():
        return ""
    for name in components(read_index(folder)):
        part = folder / name
        if not part.is_dir():
            return name
        for index in sorted(part.glob(SHARDS)):
            if absent := [each for each in shards(index) if not (part / each).is_file()]:
                return f"{name}/{absent[0]}"
        if has_network(part) and not any(part.glob("*.safetensors")):
            return f"{name}/*.safetensors"
    return None


def has_network(part: Path) -> bool:
    """Whether the folder of a component holds a network: its settings are in config.json, those of others elsewhere."""
    others = ("tokenizer_config.json", "preprocessor_config.json", "scheduler_config.json")
    return (part / "config.json").is_file() and not any((part / other).is_file() for other in others)


def _instead(path: Path) -> str:
    if (path / "modular_model_index.json").is_file():
        return "; modular pipelines are not opened"
    return "; without hub: it is a model of storyreel" if (path / "model.json").is_file() else ""
