"""A model folder comes back as it was saved, and a folder that was changed does not come back at all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from storyreel import model
from storyreel.model import exported, load_model, load_tensors, own_tensors, pack_model, save_model

sys.path.insert(0, str(Path(__file__).parent / "train"))
import toy
from toy import build, toy_recipe


@pytest.fixture(autouse=True)
def toy_system(monkeypatch):
    monkeypatch.setattr(model, "SYSTEMS", (*model.SYSTEMS, "toy"))
    monkeypatch.setitem(sys.modules, "storyreel.systems.toy", toy)


@pytest.fixture
def folder(tmp_path) -> Path:
    recipe = toy_recipe()
    return save_model(tmp_path / "model", build(recipe), recipe=recipe, card="# Toy\n", training={"steps": 3})


def test_round_trip(folder):
    recipe, saved = toy_recipe(), build(toy_recipe())
    before = torch.get_rng_state()
    system, again, info = load_model(folder)
    assert torch.equal(torch.get_rng_state(), before), "opening a model must not move the caller's random numbers"
    assert again == recipe
    assert not system.training
    assert not any(p.requires_grad for p in system.parameters())
    for name, stage in saved.stages.items():
        for key, tensor in exported(stage).items():
            there = own_tensors(system.stages[name])[key]
            assert there.dtype == tensor.dtype
            assert torch.equal(there, tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor)
    assert info["training"] == {"steps": 3}
    assert len(info["digest"]) == 64
    assert (folder / "README.md").read_text() == "# Toy\n"
    assert json.loads((folder / "tokenizer/config.json").read_text())["class"] == "ToyTokenizer"


def test_half_on_disk_and_without_what_only_training_needs(folder):
    tensors = load_tensors(folder)
    assert {t.dtype for t in tensors["prior"].values()} == {torch.float16}
    assert tensors["tokenizer"]["seen"].dtype == torch.int64
    assert not any(n.startswith("critic") for n in tensors["tokenizer"])
    assert not any(n.startswith("tokenizer") for n in tensors["prior"])


def test_a_packed_model_is_half_as_large_and_nearly_the_same(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("storyreel.packed.SMALL", 1)
    small = pack_model(folder, tmp_path / "small")
    assert load_model(small)[2]["digest"] != load_model(folder)[2]["digest"]
    assert (small / "README.md").read_text() == "# Toy\n"
    for name, tensors in load_tensors(folder).items():
        again = load_tensors(small)[name]
        assert set(again) == set(tensors)
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and tensor.ndim > 1:
                most = tensor.float().flatten(1).abs().amax(1)
                off = (again[key] - tensor.float()).flatten(1).abs().amax(1)
                assert bool((off <= most / 253).all())
            else:
                assert torch.equal(again[key], tensor)
    with pytest.raises(ValueError, match=r"there is no model\.json"):
        pack_model(tmp_path / "nowhere", tmp_path / "else")
    assert not (tmp_path / "else").exists()


def test_the_digest_is_that_of_the_weights(tmp_path, folder):
    same = save_model(tmp_path / "same", build(toy_recipe()), recipe=toy_recipe(), card="", training={})
    assert load_model(same)[2]["digest"] == load_model(folder)[2]["digest"]
    other = build(toy_recipe())
    with torch.no_grad():
        other.prior.blocks[0].bias[0] += 1
    changed = save_model(tmp_path / "other", other, recipe=toy_recipe(), card="", training={})
    assert load_model(changed)[2]["digest"] != load_model(folder)[2]["digest"]


def _edit(file: Path, change) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def _cut(folder: Path) -> None:
    file = folder / "prior/model.safetensors"
    os.truncate(file, file.stat().st_size - 5)


def _flip(folder: Path) -> None:
    file = folder / "prior/model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def _pickle_in_disguise(folder: Path) -> None:
    torch.save({}, folder / "prior/model.safetensors")


def _pickle(folder: Path) -> None:
    (folder / "prior/model.safetensors").unlink()
    torch.save({}, folder / "prior/model.bin")


def _gone(folder: Path) -> None:
    (folder / "prior/model.safetensors").unlink()


def _other_system(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v.update(system="phenakki"))


def _other_width(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v["recipe"]["system"].update(dim=9))


def _unknown_field(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v["recipe"]["system"].update(colour="red"))


def _no_recipe(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v.pop("recipe"))


def _no_stages(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v["recipe"].pop("stages"))


def _other_digest(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v["components"]["prior"].update(sha256="0" * 64))


def _escaping(folder: Path) -> None:
    _edit(folder / "model.json", lambda v: v["components"].update({"../prior": v["components"]["prior"]}))


def _no_json(folder: Path) -> None:
    (folder / "model.json").write_text("{")


def _huge_json(folder: Path) -> None:
    with (folder / "model.json").open("wb") as file:
        file.truncate(17 * 2**20)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, r"prior/model\.safetensors: is damaged or was changed"),
        (_flip, r"prior/model\.safetensors: is damaged or was changed"),
        (_pickle_in_disguise, r"prior/model\.safetensors: is a pickle"),
        (_pickle, r"prior/model\.bin: is a pickle.*expected model\.safetensors"),
        (_gone, r"prior/model\.safetensors: is missing"),
        (_other_system, "unknown system 'phenakki'; there are .*phenaki"),
        (_other_width, r"model\.safetensors: .* is \[8, 3\], expected \[9, 3\]"),
        (_unknown_field, "does not know .*colour"),
        (_no_recipe, "expected a model of storyreel"),
        (_no_stages, "the recipe lacks 'stages'"),
        (_other_digest, "its digest does not fit"),
        (_escaping, "expected a model of storyreel"),
        (_no_json, r"model\.json: is not JSON"),
        (_huge_json, r"model\.json: is larger than 16 MiB"),
    ],
)
def test_a_changed_folder_is_refused_in_one_line(folder, damage, said):
    damage(folder)
    with pytest.raises(ValueError, match=said) as told:
        load_model(folder)
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


def test_not_a_model_folder(tmp_path):
    with pytest.raises(ValueError, match=r"is no model folder \(there is no model\.json in it\)"):
        load_model(tmp_path)
    torch.save({}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt: is a pickle"):
        load_model(tmp_path / "model.pt")


def test_what_is_not_finite_is_not_written(tmp_path, folder):
    broken = build(toy_recipe())
    with torch.no_grad():
        broken.prior.blocks[0].bias[0] = float("inf")
    before = (folder / "model.json").read_bytes()
    with pytest.raises(ValueError, match=r"prior: blocks\.0\.bias is not finite, or too large for float16"):
        save_model(folder, broken, recipe=toy_recipe(), card="", training={})
    assert (folder / "model.json").read_bytes() == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        save_model(tmp_path / "file/model", build(toy_recipe()), recipe=toy_recipe(), card="", training={})
