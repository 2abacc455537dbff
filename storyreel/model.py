"""A model folder: JSON and safetensors, never a pickle.

model.json                        recipe, what trained it, and the sha256 of every component
<component>/config.json           what the component is
<component>/model.safetensors     its weights, float16, or int8 with scales (packed.py)
README.md                         the card
"""

from __future__ import annotations

import hashlib
import importlib
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.folder_replacement import replacing_folder
from storyreel.names import is_bare
from storyreel.packed import packed, read_weights
from storyreel.recipe import Recipe, StageRecipe, as_json, from_json
from storyreel.storage import read_json, write_json, write_text
from storyreel.systems.base import Stage, System
from storyreel.tensor_file import PICKLES, copy_into, write_tensors

SYSTEMS = {
    "encoder": "storyreel.systems.encoder:EncoderConfig",
    "godiva": "storyreel.systems.godiva:GodivaConfig",
    "imagen_video": "storyreel.systems.imagen_video:ImagenVideoConfig",
    "make_a_video": "storyreel.systems.make_a_video:MakeAVideoConfig",
    "phenaki": "storyreel.systems.phenaki:PhenakiConfig",
}
"""System name -> where its config class is; imported when a model of that system is opened."""


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
        write_json(made / "model.json", {**whole, "training": training, "digest": _digest(components)})
        write_text(made / "README.md", card)
    return Path(path)


def pack_model(path: str | Path, out: str | Path) -> Path:
    """Write a model once more, in half of the bytes (`packed.py`). Its digest is another, since its weights are."""
    path = Path(path)
    told, found = _read(path), load_tensors(path)
    components = dict(told["components"])
    with replacing_folder(out, "model", inputs=[path]) as made:
        for name, tensors in found.items():
            (made / name).mkdir()
            digest = write_tensors(made / name / "model.safetensors", packed(tensors))
            components[name] = components[name] | {"sha256": digest}
            shutil.copyfile(path / name / "config.json", made / name / "config.json")
        write_json(made / "model.json", told | {"components": components, "digest": _digest(components)})
        shutil.copyfile(path / "README.md", made / "README.md")
    return Path(out)


def load_model(path: str | Path) -> tuple[System, Recipe, dict[str, Any]]:
    """(system in eval mode, float32; recipe; model.json with `digest`). ValueError says what is wrong with a folder."""
    path = Path(path)
    told = _read(path)
    recipe = _recipe(path, told)
    with torch.random.fork_rng(devices=[]):
        system: System = recipe.system.build()
    found = load_tensors(path)
    for name, stage in system.stages.items():
        if name not in found:
            raise ValueError(f"{path}/model.json: component {name!r} is missing")
        copy_into(exported(stage), found[name], f"{path}/{name}/model.safetensors")
    system.requires_grad_(False)
    return system.eval(), recipe, told


def load_tensors(path: str | Path) -> dict[str, dict[str, Tensor]]:
    """component -> name -> tensor, each file's sha256 checked against model.json."""
    path = Path(path)
    told = _read(path)
    return {n: read_weights(path / n / "model.safetensors", c["sha256"]) for n, c in told["components"].items()}


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


def _read(path: Path) -> dict[str, Any]:
    if path.suffix in PICKLES and not path.is_dir():
        raise ValueError(f"{path}: is a pickle, which can run code when it is opened; wanted a model folder")
    if not (path / "model.json").exists():
        raise ValueError(f"{path}: is no model folder (there is no model.json in it)")
    told = read_json(path / "model.json")
    components = told.get("components")
    whole = isinstance(components, dict) and all(
        isinstance(c, dict) and isinstance(c.get("sha256"), str) and is_bare(n) for n, c in components.items()
    )
    if not whole or told.get("storyreel") != 1 or not isinstance(told.get("recipe"), dict):
        raise ValueError(f"{path}/model.json: wanted a model of storyreel, with recipe and components")
    if told.get("digest") != _digest(told["components"]):
        raise ValueError(f"{path}/model.json: its digest does not fit its components; it was changed")
    return told


def config_class(system: str) -> Any:
    """The class of a system's settings, by the system's name."""
    module, _, kind = SYSTEMS[system].partition(":")
    return getattr(importlib.import_module(module), kind)


def _recipe(path: Path, told: dict[str, Any]) -> Recipe:
    value, name = told["recipe"], told.get("system")
    if name not in SYSTEMS:
        raise ValueError(f"{path}/model.json: unknown system {name!r}; there are {', '.join(SYSTEMS)}")
    config = config_class(name)
    try:
        stages = {n: from_json(StageRecipe, s) for n, s in value["stages"].items()}
        system = from_json(config, value["system"])
        return Recipe(name=value["name"], system=system, stages=stages, text=value["text"], seed=value["seed"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}/model.json: the recipe lacks {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}/model.json: {error}") from None


def _half(tensor: Tensor, name: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.detach().to(torch.float16)
    if not bool(half.isfinite().all()):
        raise ValueError(f"{name} is not finite, or too large for float16; the model was not written")
    return half


def _digest(components: dict[str, Any]) -> str:
    """One sha256 over those of the components, in order of name."""
    return hashlib.sha256("".join(f"{n}:{components[n]['sha256']};" for n in sorted(components)).encode()).hexdigest()
