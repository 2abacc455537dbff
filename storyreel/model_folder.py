"""What a model folder says of itself, checked without PyTorch: model.json, the headers of its weights, its card."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storyreel.json_file import read_object
from storyreel.names import is_bare
from storyreel.numbers import is_whole
from storyreel.tensor_header import PICKLES, TensorInfo, check_regular, read_header

MAX_CARD = 1 << 20  # bytes of a card that are read
MAX_COMPONENTS = 100
PART = ("config.json", "model.safetensors")  # the files of a component
SHIPPED = Path(__file__).resolve().parent / "pretrained"  # models that ship with the package
SHARED = SHIPPED / "shared"  # components that several of them have
_DIGEST = re.compile(r"[0-9a-f]{64}")


def read_model(folder: Path) -> dict[str, Any]:
    """model.json, whose entries have their types: `system` and `digest` text, `recipe` an object, `components` name ->
    `sha256` and `parameters`. ValueError, one line, for anything else."""
    if folder.suffix in PICKLES and not folder.is_dir():
        raise ValueError(f"{folder}: is a pickle, which can run code when it is opened; expected a model folder")
    file = folder / "model.json"
    if not file.exists():
        raise ValueError(f"{folder}: is no model folder (there is no model.json in it)")
    info = read_settings(file)
    components, recipe = info.get("components"), info.get("recipe")
    if info.get("storyreel") != 1 or not isinstance(recipe, dict) or not isinstance(components, dict):
        raise ValueError(f"{file}: expected a model of storyreel, with recipe and components")
    if not 0 < len(components) <= MAX_COMPONENTS or not all(map(_is_component, components, components.values())):
        raise ValueError(f"{file}: expected a model of storyreel, with a name, sha256 and parameters of each component")
    if info.get("digest") != digest_of_components(components):
        raise ValueError(f"{file}: its digest does not fit its components; it was changed")
    for key, value in (("system", info.get("system")), ("recipe.name", recipe.get("name", ""))):
        if not isinstance(value, str) or len(value) > 200:
            raise ValueError(f"{file}: {key}: expected a name of at most 200 characters")
    return info


def recipe_name(info: Mapping[str, Any]) -> str:
    """Of what a model.json says; "" where it names no recipe."""
    return str((info.get("recipe") or {}).get("name", ""))


def read_settings(file: Path) -> dict[str, Any]:
    """A JSON object in an ordinary file. ValueError, one line, for anything else."""
    check_regular(file)
    return read_object(file)


def read_headers(folder: Path, info: dict[str, Any]) -> dict[str, dict[str, TensorInfo]]:
    """Component -> name -> type and shape on disk, of every component in model.json. ValueError names a file."""
    return {name: read_header(weights_file(folder, name), c["sha256"]) for name, c in info["components"].items()}


def weights_file(folder: Path, component: str) -> Path:
    """The weights of a component: see `part_file`."""
    return part_file(folder, component, "model.safetensors")


def part_file(folder: Path, component: str, name: str) -> Path:
    """A file of a component. Of a model that ships with the package it may be one that several of them share, or that
    of another model, which its component names: `of`."""
    file = folder / component / name
    if file.exists() or folder.resolve().parent != SHIPPED:
        return file
    if (shared := SHARED / component / name).exists():
        return shared
    of = read_model(folder)["components"].get(component, {}).get("of", folder.name)
    return file if of == folder.name else part_file(SHIPPED / of, component, name)


def own_folders() -> list[Path]:
    """The folders in $STORYREEL_MODELS, a list of paths."""
    return [Path(item) for item in os.environ.get("STORYREEL_MODELS", "").split(os.pathsep) if item]


def read_card(folder: Path) -> str:
    """The text of the model's card, empty when it has none. What is no UTF-8 is replaced; at most 1 MiB is read."""
    file = folder / "README.md"
    if not file.exists():
        return ""
    check_regular(file)
    with file.open("rb") as opened:
        return opened.read(MAX_CARD).decode("utf-8", "replace").replace("\r\n", "\n")


def digest_of_components(components: dict[str, Any]) -> str:
    """One sha256 over those of the components, in order of name."""
    return hashlib.sha256("".join(f"{n}:{components[n]['sha256']};" for n in sorted(components)).encode()).hexdigest()


def _is_component(name: str, value: Any) -> bool:
    return (
        is_bare(name)
        and isinstance(value, dict)
        and isinstance(value.get("sha256"), str)
        and _DIGEST.fullmatch(value["sha256"]) is not None
        and is_whole(value.get("parameters", 0), 0, 10**15)
        and ("of" not in value or (isinstance(value["of"], str) and is_bare(value["of"])))
    )
