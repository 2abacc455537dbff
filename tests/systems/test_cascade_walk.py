"""How far it is from a cascade to its network, and what files with older names become."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import storyreel
from storyreel import recipes
from storyreel.field_ranges import checked
from storyreel.model import load_model, save_model
from storyreel.recipe import Recipe, as_json
from storyreel.run import differences
from storyreel.systems.base import Request
from storyreel.systems.imagen_video import ImagenVideoConfig
from storyreel.systems.make_a_video import MakeAVideoConfig
from storyreel.text import load_text_encoder

PACKAGE = Path(storyreel.__file__).parent


def walks(name: str) -> list[list[tuple[str, str]]]:
    """(file, function) of the package from below `Cascade.make` to above the network, each time that it is entered."""
    torch.manual_seed(0)
    system = recipes.get(name).system.build().eval()
    found: list[list[tuple[str, str]]] = []

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        if event != "call" or frame.f_code.co_qualname != "VideoUNet.forward":
            return
        walk, above = [], frame.f_back
        while above is not None and above.f_code.co_qualname not in ("Cascade.make", "Making._run"):
            file = Path(above.f_code.co_filename)
            if file.is_relative_to(PACKAGE):
                walk.append((str(file.relative_to(PACKAGE)), above.f_code.co_qualname))
            above = above.f_back
        found.append(walk[::-1])

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        system.generate(Request.of(prompt="a cat", steps=2), load_text_encoder("hash:32"), lambda _: None)
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize("name", ["imagen_video_tiny", "make_a_video_tiny"])
def test_a_denoising_step_is_a_short_walk(name: str):
    found = walks(name)
    assert len(found) >= 8, "two steps of every stage"
    for walk in found:
        assert walk[0] in [
            ("systems/cascade_stage.py", "CascadeStage.sample"),
            ("systems/make_a_video_networks.py", "FrameInterpolationStage.sample"),
        ]
        assert len(walk) <= 6, walk
        assert len({file for file, _ in walk}) <= 4, walk


# -- older names -----------------------------------------------------------------------------------------------


def older(name: str) -> dict[str, Any]:
    """The settings of a tiny system as they were saved when a stage's noise stood under other names."""
    saved = as_json(recipes.get(name).system)
    for stage in saved.values():
        if isinstance(stage, dict) and "augmentation_snr" in stage:
            stage["most_noise"] = stage.pop("max_augmentation_time")
            sampling = stage["sampling"]
            sampling["snr"] = stage.pop("augmentation_snr")
            for new in ("frame_guidance", "min_guidance", "sigma_min", "sigma_max"):
                del sampling[new]
    if "prior" in saved:
        saved["prior"]["sampling"]["snr"] = 5.0
        saved["most_skip"] = saved.pop("max_skip")
    return saved


@pytest.mark.parametrize(
    ("name", "kind"), [("imagen_video_tiny", ImagenVideoConfig), ("make_a_video_tiny", MakeAVideoConfig)]
)
def test_settings_with_older_names_are_the_same_settings(name: str, kind: type):
    system = recipes.get(name).system
    assert checked(kind, older(name), "model.json") == system
    assert differences(system, older(name)) == [], "a run that was begun then goes on"


def test_a_distilled_stage_of_an_older_file_has_the_sampling_that_it_had():
    saved = as_json(recipes.get("imagen_video_distilled").system)
    saved["base"]["sampling"] |= {"steps": 128, "guidance": 1.0, "oscillate": 30}
    base = checked(ImagenVideoConfig, saved, "model.json").base
    assert (base.sampling.steps, base.sampling.guidance, base.sampling.oscillate) == (8, 3.0, 0)


@pytest.mark.parametrize("name", ["phenaki_tiny", "godiva_tiny", "imagen_video_tiny", "make_a_video_tiny"])
def test_weights_with_older_names_are_the_same_weights(tmp_path: Path, name: str):
    recipe: Recipe = recipes.get(name)
    torch.manual_seed(0)
    system = recipe.system.build()
    with torch.no_grad():
        for n, p in system.named_parameters():
            if n.endswith("null_text"):
                p.fill_(0.5)
    save_model(tmp_path / "model", system, recipe=recipe, card="# Tiny\n", training={})
    renamed = 0
    for file in (tmp_path / "model").glob("*/model.safetensors"):
        tensors = load_file(file)
        old = {n.replace("null_text", "no_text").replace("fingerprint", "place"): t for n, t in tensors.items()}
        renamed += len(old.keys() - tensors.keys())
        save_file(old, file)
    assert renamed
    rewrite_digests(tmp_path / "model")
    loaded, _, _ = load_model(tmp_path / "model")
    ours = system.half().float().state_dict()
    assert all(tensor.equal(ours[n]) for n, tensor in loaded.state_dict().items() if tensor.is_floating_point())


def rewrite_digests(folder: Path) -> None:
    import hashlib
    import json

    from storyreel.model_folder import digest_of_components

    told = json.loads((folder / "model.json").read_text())
    for name, component in told["components"].items():
        component["sha256"] = hashlib.sha256((folder / name / "model.safetensors").read_bytes()).hexdigest()
    told["digest"] = digest_of_components(told["components"])
    (folder / "model.json").write_text(json.dumps(told))
