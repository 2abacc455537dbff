"""What models say that they can make."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from storyreel import recipes
from storyreel.abilities import Abilities
from storyreel.model import SHIPPED, config_class, pack_model, save_model
from storyreel.outline import outline
from storyreel.recipe import from_json
from storyreel.storage import read_json, write_json
from storyreel.systems.base import Request

MODELS = sorted(path.name for path in SHIPPED.iterdir() if (path / "model.json").is_file())


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_says_what_its_system_makes(name: str):
    info = read_json(SHIPPED / name / "model.json")
    system = outline(from_json(config_class(info["system"]), info["recipe"]["system"]).build, 100_000, name)
    assert info.get("makes") == (system.makes and system.makes.as_json())
    if system.makes is not None:
        assert Abilities.of(info["makes"]) == system.makes
        assert system.makes.sizes[0] == f"{system.makes.width}x{system.makes.height}"


@pytest.mark.parametrize("name", ["phenaki_tiny", "godiva_tiny", "make_a_video_tiny", "imagen_video_tiny", "svd_tiny"])
def test_what_a_system_cannot_is_what_it_refuses(name: str):
    system = outline(recipes.get(name).system.build, 100_000, name)
    assert not system.makes.cannot & system.serves
    assert system.makes.any_size == ("size" in system.serves)  # without a refiner, which paints one size
    assert ("stage" in system.makes.cannot) == (not system.products)


def test_a_refiner_paints_one_size():
    """A cascade makes any size; a refiner at its end would bring it back to its own without a word."""
    info = read_json(SHIPPED / "imagen-video-sprites" / "model.json")
    system = outline(from_json(config_class("imagen_video"), info["recipe"]["system"]).build, 100_000, "it")
    assert not system.makes.any_size
    with pytest.raises(ValueError, match=r"^size: this model ends with a refiner, which paints 64x64"):
        system.check(Request.of(prompt="an orc", size=(128, 64)))
    system.check(Request.of(prompt="an orc", size=(128, 64), stage="ssr3"))


@pytest.mark.parametrize(
    "values", [{"width": 0}, {"frames": "many"}, {"fps": "0"}, {"cannot": "steps"}, {"cannot": [1]}, {"needs": 3}]
)
def test_what_cannot_be_is_refused(values: dict):
    with pytest.raises(ValueError, match=r"width|frames|fps|makes"):
        Abilities.of(values)


def test_they_survive_json():
    able = Abilities(
        width=64, height=32, frames=8, fps=Fraction(30000, 1001), cannot=frozenset({"steps"}), needs="image"
    )
    assert Abilities.of(able.as_json()) == able
    assert able.sizes[:2] == ["64x32", "128x64"]


def test_packing_says_it_of_an_older_model(tmp_path: Path):
    recipe = recipes.get("phenaki_tiny")
    folder = save_model(tmp_path / "model", recipe.system.build(), recipe=recipe, card="# Tiny\n", training={})
    whole = read_json(folder / "model.json")
    write_json(folder / "model.json", {name: value for name, value in whole.items() if name != "makes"})
    packed = read_json(pack_model(folder, tmp_path / "packed") / "model.json")
    assert packed["makes"] == whole["makes"]
