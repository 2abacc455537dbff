"""Published weights of Stable Video Diffusion in both layouts: every name, both ways, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_svd import make_svd, vision
from torch import Tensor

from storyreel.published_svd.layouts import convert, to_sgm
from storyreel.systems import svd_keys as keys
from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_unet import SvdUNetConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_svd(tmp_path / "svd")


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return {f"{f.parent.name}/{n}": t for f in sorted(folder.rglob("*.safetensors")) for n, t in load_file(f).items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(t.equal(other[n]) for n, t in one.items())


def test_a_folder_becomes_a_file_and_a_folder_again(folder: Path, tmp_path: Path):
    convert(folder, tmp_path / "svd.safetensors")
    convert(tmp_path / "svd.safetensors", tmp_path / "back")
    assert same(tensors_of(folder), tensors_of(tmp_path / "back"))
    convert(tmp_path / "back", tmp_path / "again.safetensors")
    assert same(load_file(tmp_path / "svd.safetensors"), load_file(tmp_path / "again.safetensors"))


def test_what_is_written_opens_in_diffusers(folder: Path, tmp_path: Path):
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionModelWithProjection

    convert(folder, tmp_path / "svd.safetensors")
    convert(tmp_path / "svd.safetensors", tmp_path / "back")
    read = [UNetSpatioTemporalConditionModel, AutoencoderKLTemporalDecoder, CLIPVisionModelWithProjection]
    for kind, part in zip(read, ("unet", "vae", "image_encoder"), strict=True):
        net = kind.from_pretrained(tmp_path / "back" / part)
        file = next((folder / part).glob("*.safetensors"))
        assert same(load_file(file), {n: t for n, t in net.state_dict().items() if "position_ids" not in n})


def test_all_published_names_have_their_place():
    with torch.device("meta"):
        unet, vae = (c.build().state_dict() for c in (SvdUNetConfig(), AutoencoderConfig()))
    made = to_sgm({"unet": dict(unet), "vae": dict(vae), "image_encoder": vision()})
    counts = {prefix: sum(n.startswith(prefix) for n in made) for prefix in (keys.UNET, keys.FIRST_STAGE)}
    assert counts == {keys.UNET: 1428, keys.FIRST_STAGE: 372}
    of_unet = {n.removeprefix(keys.UNET): tuple(t.shape) for n, t in made.items() if n.startswith(keys.UNET)}
    assert of_unet["input_blocks.4.0.skip_connection.weight"] == (640, 320, 1, 1)
    assert of_unet["input_blocks.9.0.op.weight"] == (1280, 1280, 3, 3)
    assert of_unet["output_blocks.2.1.conv.weight"] == (1280, 1280, 3, 3)
    assert of_unet["output_blocks.5.2.conv.weight"] == (1280, 1280, 3, 3)
    assert of_unet["middle_block.1.time_stack.0.ff_in.net.0.proj.weight"] == (10240, 1280)
    assert of_unet["label_emb.0.0.weight"] == (1280, 768)

    def shape(name: str) -> tuple[int, ...]:
        return tuple(made[f"first_stage_model.decoder.{name}"].shape)

    assert shape("up.3.block.0.time_stack.in_layers.2.weight") == (512, 512, 3, 1, 1)
    assert shape("mid.attn_1.q.weight") == (512, 512, 1, 1)
    assert shape("conv_out.time_mix_conv.weight") == (3, 3, 3, 1, 1)


def test_the_unused_decoder_of_the_picture_is_left_out_and_said(folder: Path, tmp_path: Path):
    file = tmp_path / "svd.safetensors"
    convert(folder, file)
    more = {
        f"{keys.PICTURE}decoder.conv_in.weight": torch.ones(2),
        f"{keys.PICTURE}post_quant_conv.bias": torch.ones(2),
    }
    save_file({**load_file(file), **more}, file)
    (line,) = convert(file, tmp_path / "back")
    assert line.startswith("2 tensors that nothing uses were left out: conditioner.embedders.3.encoder.decoder")
    assert same(tensors_of(folder), tensors_of(tmp_path / "back"))


UNET_KEY = "mid_block.resnets.0.temporal_res_block.conv1.weight"
SGM_KEY = f"{keys.UNET}middle_block.0.time_stack.in_layers.2.weight"


@pytest.mark.parametrize("change", ["missing", "extra", "misshapen"])
@pytest.mark.parametrize("layout", ["diffusers", "sgm"])
def test_names_and_shapes_that_are_wrong_are_named(folder: Path, tmp_path: Path, change: str, layout: str):
    source, out = folder, tmp_path / "out.safetensors"
    file, key = folder / "unet" / "diffusion_pytorch_model.safetensors", UNET_KEY
    if layout == "sgm":
        file = source = tmp_path / "svd.safetensors"
        convert(folder, file)
        key, out = SGM_KEY, tmp_path / "out"
    tensors = load_file(file)
    if change == "missing":
        del tensors[key]
    elif change == "extra":
        tensors[f"{key}.more"] = torch.ones(1)
    else:
        tensors[key] = tensors[key][:-1].contiguous()
    save_file(tensors, file)
    said = {"missing": f"lacks {key}", "extra": f"has unknown {key}.more", "misshapen": f"{key} is [63, 64, 3, 1, 1]"}
    likely = "sgm's single file" if layout == "sgm" else "a part of a folder in diffusers' layout"
    with pytest.raises(ValueError, match=f"{re.escape(said[change])}.*{re.escape(likely)}") as refused:
        convert(source, out)
    assert "\n" not in str(refused.value)
    assert not out.exists()


def test_other_files_are_refused(folder: Path, tmp_path: Path):
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="it looks like neither"):
        convert(tmp_path / "other.safetensors", tmp_path / "out")
    with pytest.raises(ValueError, match="expected a file that ends with"):
        convert(folder, tmp_path / "out")
    (tmp_path / "mine.safetensors").write_text("mine")
    with pytest.raises(ValueError, match=r"mine\.safetensors: is there already"):
        convert(folder, tmp_path / "mine.safetensors")
    assert (tmp_path / "mine.safetensors").read_text() == "mine"
    with pytest.raises(ValueError, match="expected a folder for what a single file holds"):
        convert(tmp_path / "other.safetensors", tmp_path / "out.safetensors")
    torch.save({"a": torch.ones(1)}, tmp_path / "svd.ckpt")
    with pytest.raises(ValueError, match=r"svd\.ckpt"):
        convert(tmp_path / "svd.ckpt", tmp_path / "out")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"vae: expected diffusion_pytorch_model\.safetensors"):
        convert(folder, tmp_path / "out.safetensors")


NUMBERED = [
    ("unet", "diffusion_pytorch_model", "down_blocks.0.resnets.{}.x"),
    ("vae", "diffusion_pytorch_model", "encoder.down_blocks.0.resnets.{}.x"),
    ("vae", "diffusion_pytorch_model", "encoder.down_blocks.{}.x"),
    ("image_encoder", "model", "vision_model.encoder.layers.{}.x"),
]


@pytest.mark.parametrize("number", ["999999999", "9" * 5000])
@pytest.mark.parametrize(("part", "file", "name"), NUMBERED, ids=[name[2][:30] for name in NUMBERED])
def test_a_number_in_a_name_builds_nothing(folder: Path, tmp_path: Path, part: str, file: str, name: str, number: str):
    """One name was enough for a network of a billion blocks, which was begun before the weights were looked at."""
    weights = folder / part / f"{file}.safetensors"
    save_file({**load_file(weights), name.format(number): torch.zeros(1)}, weights)
    before = name.partition("{")[0]
    with pytest.raises(ValueError, match=rf"{part}: lacks '{re.escape(before)}\d\.") as told:
        convert(folder, tmp_path / "out.safetensors")
    assert len(str(told.value)) < 500
    assert not (tmp_path / "out.safetensors").exists()


SGM = [
    "model.diffusion_model.input_blocks.{}.0.op.weight", "first_stage_model.encoder.down.{}.x",
    "first_stage_model.encoder.down.0.block.{}.x",
    "conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.{}.x",
]  # fmt: skip


@pytest.mark.parametrize("number", ["999999999", "x", "9" * 5000])
@pytest.mark.parametrize("name", SGM, ids=[name[-20:] for name in SGM])
def test_a_number_in_a_name_of_the_single_file_builds_nothing(folder: Path, tmp_path: Path, name: str, number: str):
    file = tmp_path / "svd.safetensors"
    convert(folder, file)
    save_file({**load_file(file), name.format(number): torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"svd\.safetensors: (lacks|has unknown) "):
        convert(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_more_blocks_than_any_network_has_are_not_built(folder: Path, tmp_path: Path):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    more = {f"down_blocks.0.resnets.{i}.x": torch.zeros(1) for i in range(1, 5_000)}
    save_file({**load_file(weights), **more}, weights)
    with pytest.raises(ValueError, match="expected at most 16 blocks in a row, got 5000"):
        convert(folder, tmp_path / "out.safetensors")


def test_weights_with_fewer_axes_are_named(folder: Path, tmp_path: Path):
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(weights), "conv_in.weight": torch.zeros(1)}, weights)
    with pytest.raises(ValueError, match="unet: cannot be such a network"):
        convert(folder, tmp_path / "out.safetensors")
