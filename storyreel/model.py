"""A model folder: JSON and safetensors, never a pickle.

model.json                        recipe, what trained it, and the sha256 of every component
<component>/config.json           what the component is
<component>/model.safetensors     its weights, float16, or int8 with scales, deflated (packed.py)
README.md                         the card
"""

from __future__ import annotations

import hashlib
import importlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.field_ranges import checked, checked_field
from storyreel.folder_replacement import replacing_folder
from storyreel.model_folder import (
    SHIPPED,
    digest_of_components,
    part_file,
    read_card,
    read_headers,
    read_model,
    read_settings,
    weights_file,
)
from storyreel.numbers import shown
from storyreel.outline import check_fit, check_memory, outline, without_random_weights
from storyreel.packed import deflated, packed, read_weights, unpacked_header
from storyreel.recipe import Recipe, StageRecipe, as_json
from storyreel.recipes import SYSTEMS
from storyreel.storage import with_names_escaped, write_json, write_text
from storyreel.systems.base import Stage, System
from storyreel.tensor_file import copy_into, write_tensors


def save_model(path: str | Path, system: System, *, recipe: Recipe, card: str, training: dict[str, Any]) -> Path:
    """Write a model folder whole, in place of one that is there (`replacing_folder`). Weights are rounded to float16.

    A stage's `training_only` modules (a discriminator, say) are left out.
    """
    components: dict[str, dict[str, Any]] = {}
    with replacing_folder(path, "model") as made:
        for name, stage in system.stages.items():
            (made / name).mkdir()
            tensors = {n: _half(t, f"{name}: {n}") for n, t in exported(stage).items()}
            digest = write_tensors(made / name / "model.safetensors", tensors)
            count = sum(t.numel() for t in tensors.values() if t.is_floating_point())
            config = as_json(getattr(recipe.system, name, None))
            write_json(
                made / name / "config.json", {"class": type(stage).__name__, "parameters": count, "config": config}
            )
            components[name] = {"sha256": digest, "parameters": count}
        whole = {"storyreel": 1, "system": system.name, "recipe": as_json(recipe), "components": components}
        whole |= {"together": system.together, "conditional": system.conditional, **_makes(system)}
        write_json(made / "model.json", {**whole, "training": training, "digest": digest_of_components(components)})
        write_text(made / "README.md", with_names_escaped(card))
    return Path(path)


def pack_model(path: str | Path, out: str | Path, step: float = 0.0, *, beside: Path | None = None) -> Path:
    """Write a model once more, in a third to half of the bytes. Its digest is another, since its weights are.

    step: how coarse its weights become (`packed.packed`). beside: a model that this one goes on from; components that
    have its weights, as float16, are its files byte by byte.
    """
    path = Path(path)
    info, found = read_model(path), load_tensors(path)
    same = {} if beside is None else _files_of_the_same(found, beside)
    components = dict(info["components"])
    headers = read_headers(path, info)
    info |= _makes(outline(_recipe(path, info).system.build, sum(map(len, headers.values())), f"{path}/model.json"))
    with replacing_folder(out, "model", inputs=[path]) as made:
        for name, tensors in found.items():
            (made / name).mkdir()
            file = made / name / "model.safetensors"
            if name in same:
                shutil.copyfile(same[name], file)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
            else:
                digest = write_tensors(file, deflated(packed(tensors, step)))
            components[name] = {**components[name], "sha256": digest}
            components[name].pop("of", None)  # it has its own file now
            write_json(made / name / "config.json", read_settings(part_file(path, name, "config.json")))
        write_json(made / "model.json", info | {"components": components, "digest": digest_of_components(components)})
        write_text(made / "README.md", read_card(path))
    return Path(out)


def _files_of_the_same(found: Mapping[str, Mapping[str, Tensor]], beside: Path) -> dict[str, Path]:
    """component -> its file in the model `beside`, of those in `found` whose weights are the same as float16."""
    files: dict[str, Path] = {}
    for name, theirs in load_tensors(beside).items():
        ours = found.get(name, {})
        if set(ours) == set(theirs) and all(_half(t, n).equal(_half(ours[n], n)) for n, t in theirs.items()):
            files[name] = weights_file(beside, name)
    return files


def _makes(system: System) -> dict[str, Any]:
    """What it can make, for model.json: a server need not open the model to know."""
    return {} if system.makes is None else {"makes": system.makes.as_json()}


def load_model(path: str | Path) -> tuple[System, Recipe, dict[str, Any]]:
    """(system in eval mode, float32; recipe; model.json with `digest`). ValueError says what is wrong with a folder.

    The network is first built without memory and compared with the headers of its weights, so that what a folder says
    of its sizes costs nothing until the weights have shown it to be true; one that ships with the package is compared
    as it is built. Modules for training alone hold zeros.
    """
    path = Path(path)
    info = read_model(path)
    recipe = _recipe(path, info)
    headers = read_headers(path, info)
    if not (ours := path.resolve().parent == SHIPPED):  # what ships with the package may be believed
        where = f"{path}/model.json"
        _check_sizes(path, outline(recipe.system.build, sum(map(len, headers.values())), where), headers)
    with without_random_weights():
        system: System = recipe.system.build()
    if ours:
        _check_sizes(path, system, headers)
    for name, stage in system.stages.items():
        file = weights_file(path, name)
        copy_into(exported(stage), read_weights(file, info["components"][name]["sha256"]), str(file))
    system.requires_grad_(False)
    return system.eval(), recipe, info


def _check_sizes(path: Path, system: System, headers: Mapping[str, Any]) -> None:
    """ValueError where the network of the recipe is not the one whose weights are in the folder."""
    where = f"{path}/model.json"
    saved: dict[int, Tensor] = {}
    for name, stage in system.stages.items():
        if name not in headers:
            raise ValueError(f"{where}: component {name!r} is missing")
        own, file = exported(stage), weights_file(path, name)
        check_fit(own, unpacked_header(headers[name], str(file)), str(file))
        saved |= {id(tensor): tensor for tensor in own.values()}
    check_memory(system, saved, where)


def load_tensors(path: str | Path) -> dict[str, dict[str, Tensor]]:
    """component -> name -> tensor, each file's sha256 checked against model.json."""
    path = Path(path)
    info = read_model(path)
    return {n: read_weights(weights_file(path, n), c["sha256"]) for n, c in info["components"].items()}


def inner_stages(stage: Stage) -> list[Stage]:
    """Earlier stages that this one holds."""
    return [m for m in stage.modules() if isinstance(m, Stage) and m is not stage]


def own_tensors(stage: Stage) -> dict[str, Tensor]:
    """Parameters and buffers of this stage itself, each once, without those of the earlier stages that it holds."""
    seen = {id(t) for inner in inner_stages(stage) for t in inner.state_dict(keep_vars=True).values()}
    own: dict[str, Tensor] = {}
    for name, tensor in stage.state_dict(keep_vars=True).items():
        if isinstance(tensor, Tensor) and id(tensor) not in seen:
            seen.add(id(tensor))
            own[name] = tensor
    return own


def exported(stage: Stage) -> dict[str, Tensor]:
    """The stage's own tensors that a model needs after training."""
    left_out = tuple(f"{n}." for n in getattr(stage, "training_only", ()))
    return {n: t for n, t in own_tensors(stage).items() if not n.startswith(left_out)}


def config_class(system: str) -> Any:
    """The class of a system's settings, by the system's name: of "imagen_video", ImagenVideoConfig."""
    kind = "".join(word.capitalize() for word in system.split("_")) + "Config"
    return getattr(importlib.import_module(f"storyreel.systems.{system}"), kind)


def _recipe(path: Path, info: dict[str, Any]) -> Recipe:
    value, name, where = info["recipe"], info["system"], f"{path}/model.json"
    if name not in SYSTEMS:
        raise ValueError(f"{where}: unknown system {shown(name)}; there are {', '.join(SYSTEMS)}")
    for key in ("name", "system", "stages", "text", "seed"):
        if key not in value:
            raise ValueError(f"{where}: the recipe lacks {key!r}")
    system = checked(config_class(name), value["system"], f"{where}: system")
    stages = checked(dict[str, StageRecipe], value["stages"], f"{where}: stages")
    rest = {key: checked_field(Recipe, key, value[key], f"{where}: {key}") for key in ("name", "text", "seed")}
    return Recipe(system=system, stages=stages, **rest)


def _half(tensor: Tensor, name: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.detach().to(torch.float16)
    if not bool(half.isfinite().all()):
        raise ValueError(f"{name} is not finite, or too large for float16; the model was not written")
    return half
