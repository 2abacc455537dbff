"""Published weights of Stable Video Diffusion as a model: diffusers' pipeline beside ours, tuning, factors for PEFT,
and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_svd_pipeline import pipeline
from torch import Tensor

import storyreel
from storyreel import recipes
from storyreel.clip import Clip
from storyreel.model_folder import SHIPPED
from storyreel.published_svd.layouts import convert, read_folder
from storyreel.published_svd.lora import export_lora, merge_lora, read_lora
from storyreel.published_svd.model import open_published, sized_for
from storyreel.systems.base import Request, Tick
from storyreel.systems.svd_image import ImageSvd, LoraStage
from storyreel.systems.svd_lora import digest, temporal_attention
from storyreel.systems.svd_picture import fitted

PICTURE = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def theirs() -> Any:
    return pipeline()


@pytest.fixture(scope="module")
def folder(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "svd"
    theirs.save_pretrained(path)
    return path


def made(model: Any, request: Request) -> Tensor:
    """(1, 3, t, h, w) in [-1, 1], not rounded to pixels."""
    options, stage = request.options, model.system.image_stage
    assert options.image is not None
    width, height = options.size or (0, 0)
    cond = {"image": fitted(options.image, height, width, None)}
    cond |= {"fps": torch.tensor([float(options.fps or 7)]), "motion": torch.tensor([float(options.motion or 127)])}
    with torch.no_grad():
        return stage.decode(
            stage.sample(cond, rng=[request.rng()], steps=options.steps, guidance=options.guidance,
                         frames=options.frames)
        )  # fmt: skip


@pytest.mark.parametrize(("guidance", "frames"), [(3.0, 4), (1.5, 2)])
def test_the_same_seed_gives_the_video_of_diffusers(theirs: Any, folder: Path, guidance: float, frames: int):
    request = Request.of(
        seed=3, image=Clip(PICTURE[None]), frames=frames, steps=3, size="48x32", fps=10, motion=180, guidance=guidance
    )
    expected = theirs(
        Image.fromarray(PICTURE), height=32, width=48, num_frames=frames, num_inference_steps=3, fps=10,
        motion_bucket_id=180, max_guidance_scale=guidance, generator=request.rng(), output_type="pt",
        decode_chunk_size=8,
    ).frames.transpose(1, 2) * 2 - 1  # fmt: skip
    found = made(storyreel.load(folder / "unet", device="cpu"), request).clamp(-1, 1)
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_a_single_file_makes_the_same_video(folder: Path, tmp_path: Path):
    convert(folder, tmp_path / "svd.safetensors")
    request = Request.of(image=Clip(PICTURE[None]), frames=2, steps=1, size="32x32")
    one, other = (open_published(path)[0] for path in (folder, tmp_path / "svd.safetensors"))
    weights = [system.stages["unet"].state_dict() for system in (one, other)]
    assert all(tensor.equal(weights[1][name]) for name, tensor in weights[0].items())
    assert other.generate(request, None, lambda _: None).size == (32, 32)  # pyright: ignore[reportArgumentType]


def test_what_it_was_not_trained_for_is_warned_of_or_refused(folder: Path):
    model = storyreel.load(folder / "unet", device="cpu")
    see_through = Clip(np.dstack([PICTURE, PICTURE[..., :1]])[None])
    settings: dict[str, Any] = {"frames": 5, "steps": 1, "size": "32x32", "fps": 40}
    with pytest.warns(UserWarning, match="no matte") as warned:
        (clip,) = model(image=see_through, **settings)
    said = " ".join(str(each.message) for each in warned)
    for words in ("5 are more than the 4", "5 to 30 frames a second, not 40", "no matte", "48x32 is cropped"):
        assert words in said
    assert len(clip) == 5
    for field, value, words in (
        ("size", "33x32", "size: expected multiples of 4"),
        ("frames", 17, "frames: this model makes 1 to 16"),
        ("transparent", True, "transparent: this model has no matte"),
        ("image", None, "image: this model makes a video from a picture"),
    ):
        with pytest.raises(ValueError, match=words):
            model(**{"image": Clip(PICTURE[None]), "steps": 1, "size": "32x32", "frames": 2, field: value})


def test_a_picture_of_another_shape_is_cropped_or_padded():
    clip = Clip(PICTURE[None])
    assert fitted(clip, 32, 32, None).equal(clip.replace(frames=clip.frames[:, :, 8:40]).to_tensor()[None, :, 0])
    padded = fitted(clip, 48, 48, "pad")
    assert padded[:, :, 8:40].equal(clip.to_tensor()[None, :, 0])
    for band in (padded[:, :, :8], padded[:, :, 40:]):
        assert band.unique().tolist() == [pytest.approx(128 / 127.5 - 1, abs=1e-6)]


def test_weights_that_are_not_finite_are_named_with_the_step(folder: Path):
    model = storyreel.load(folder / "unet", device="cpu")
    weight: Any = model.system.stages["unet"].net.conv_out.weight  # pyright: ignore
    with torch.no_grad():
        weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN or infinity in step 1 of 2"):
        model(image=Clip(PICTURE[None]), steps=2, size="32x32", frames=2)


# -- tuning ----------------------------------------------------------------------------------------------------


def system_of(folder: Path, recipe: str, **picture: Any) -> ImageSvd:
    from storyreel.published_svd.model import fill

    found = sized_for(recipes.get(recipe), folder)
    assert hasattr(found.system, "picture")
    settings: Any = found.system
    shape = replace(settings.shape, frames=3, height=16, width=16)
    system = replace(settings, shape=shape, picture=replace(settings.picture, **picture)).build()
    fill(system, folder)
    return system


def clips(count: int = 2) -> dict[str, Tensor]:
    return {"video": torch.rand(count, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1}


def learned(system: ImageSvd, steps: int = 1) -> set[str]:
    """The names of the weights of all networks that a few steps change."""
    stage = system.image_stage
    before = {name: tensor.clone() for name, tensor in system.state_dict().items()}
    stage.begin()
    given = {**clips(), **stage.prepare(clips())}
    optimizer = torch.optim.SGD(stage.parameters_for("main"), lr=1.0)
    for step in range(steps):
        optimizer.zero_grad()
        stage.loss(given, Tick(step, "main", torch.Generator().manual_seed(step))).total.backward()
        optimizer.step()
    after = system.state_dict()
    return {name for name in before if not after[name].equal(before[name])}


def test_the_network_learns_as_a_whole_or_in_time_alone(folder: Path):
    whole = learned(system_of(folder, "svd_finetune"))
    assert all(name.startswith("image_stage.net.") for name in whole)
    assert any("spatial_res_block" in name for name in whole)
    in_time = learned(system_of(folder, "svd_finetune", tuned="temporal"))
    assert in_time
    assert all(any(part in name for part in ("temporal_", "time_mixer", "time_pos_embed")) for name in in_time)


def test_a_step_with_recomputed_blocks_has_the_same_gradients(folder: Path):
    for recipe in ("svd_finetune", "svd_lora"):
        grads = []
        for on in (False, True):
            torch.manual_seed(0)
            stage = system_of(folder, recipe).image_stage
            stage.begin()
            stage.gradient_checkpointing = on
            stage.train()
            given = {**clips(), **stage.prepare(clips())}
            stage.loss(given, Tick(0, "main", torch.Generator().manual_seed(0))).total.backward()
            grads.append([p.grad for p in stage.parameters() if p.grad is not None])
        assert len(grads[0]) == len(grads[1]) > 0
        for one, other in zip(*grads, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_picture_is_encoded_by_its_mode_and_each_clip_has_its_own_noise(folder: Path):
    stage = system_of(folder, "svd_finetune").image_stage
    seen: dict[str, Tensor] = {}
    v = stage.v
    stage.v = lambda z, logsnr, read: seen.update(read) or v(z, logsnr, read)  # pyright: ignore
    stage.survey({"motion": torch.linspace(0, 100, 50)})
    given = {**clips(8), **stage.prepare(clips(8)), "motion": torch.linspace(0, 100, 8)}
    stage.loss(given, Tick(0, "main", torch.Generator().manual_seed(0)))
    fps, motion, sigma = seen["conditions"].unbind(1)
    assert len(sigma.unique()) == 8
    assert (motion.diff() > 0).all()
    assert fps.min() == 6


def lora_model(folder: Path, tmp_path: Path, data: str = "digits:?clips=12") -> Path:
    run = tmp_path / "run"
    sets = ("stages.lora.steps=2", "stages.lora.data.size=16", "stages.lora.data.frames=3", "stages.lora.data.batch=2",
            "stages.lora.accumulate=1", "system.shape.height=16", "system.shape.width=16", "system.picture.rank=2",
            "stages.lora.optim.warmup=0", "stages.lora.optim.lr=0.05")  # fmt: skip
    found = storyreel.train("svd_lora", [data], run, init=folder, sets=sets, device="cpu")
    assert found is not None
    return found


def test_factors_are_trained_written_for_peft_and_merged(folder: Path, tmp_path: Path):
    model = lora_model(folder, tmp_path)
    trained = storyreel.load(model, device="cpu")
    assert isinstance(trained.system, ImageSvd)
    stage = trained.system.image_stage
    assert isinstance(stage, LoraStage)
    assert any(bool(up.any()) for up in stage.factors.up)
    unet = read_folder(folder)["unet"]
    assert digest(stage.network.state_dict()) == digest(unet)  # what lies under the factors did not learn

    assert export_lora(model, tmp_path / "lora") == len(temporal_attention(stage.network))
    with pytest.raises(ValueError, match="expected a model of svd_lora"):
        export_lora(SHIPPED / "godiva-digits", tmp_path / "none")
    tensors = load_file(tmp_path / "lora" / "adapter_model.safetensors")
    name = "base_model.model.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q"
    assert tensors[f"{name}.lora_A.weight"].shape == (2, 32)
    assert tensors[f"{name}.lora_B.weight"].shape == (32, 2)

    assert merge_lora(tmp_path / "lora", folder, tmp_path / "merged") == []
    request = Request.of(image=Clip(PICTURE[None]), frames=2, steps=2, size="32x32")
    models = [folder / "unet", model, tmp_path / "merged" / "unet"]
    before, one, other = (made(storyreel.load(path, device="cpu"), request) for path in models)
    off, moved = float((one - other).norm()), float((one - before).norm())
    assert off < 0.05 * moved  # the trained model is kept as float16


def test_factors_of_another_network_are_refused(folder: Path, tmp_path: Path):
    factors = {"unet.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q": (32, 32)}
    tensors = {}
    for layer, (wide, high) in factors.items():
        tensors |= {f"{layer}.lora_A.weight": torch.ones(2, wide), f"{layer}.lora_B.weight": torch.ones(high, 2)}
    file = tmp_path / "lora.safetensors"
    save_file(tensors, file, metadata={"base_sha256": "00" * 32})
    with pytest.raises(ValueError, match="is for the network with the digest 000000000000"):
        merge_lora(file, folder, tmp_path / "out")
    save_file(tensors, file)
    (note,) = merge_lora(file, folder, tmp_path / "out")
    assert "does not say which network" in note
    (layer,) = factors
    for change, words in (
        ({f"{layer}.lora_A.weight": torch.ones(2, 31)}, r"lora_A\.weight is \[2, 31\]"),
        ({"unet.other.lora_A.weight": torch.ones(2, 4), "unet.other.lora_B.weight": torch.ones(4, 2)}, "no such layer"),
        ({"unet.lonely.lora_A.weight": torch.ones(2, 4)}, "has no fellow"),
        ({f"{layer}.lora_A.weight": torch.ones(3, 32)}, "expected one rank for all layers"),
    ):
        save_file({**tensors, **change}, file)
        with pytest.raises(ValueError, match=words):
            merge_lora(file, folder, tmp_path / "bad")
        assert not (tmp_path / "bad").exists()
    for alpha in (1e300, 10**30, "much", [4], None):
        (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": alpha}))
        save_file(tensors, file)
        with pytest.raises(ValueError, match="lora_alpha: expected a number"):
            read_lora(file)
    (tmp_path / "adapter_config.json").unlink()
    for odd in (torch.ones(()), torch.full((2, 32), float("nan")), torch.ones(2, 32, 1)):
        save_file({name: odd if name.endswith("A.weight") else tensor for name, tensor in tensors.items()}, file)
        with pytest.raises(ValueError, match="expected a matrix of finite numbers"):
            read_lora(file)
    save_file({}, file)
    with pytest.raises(ValueError, match="has no fellow"):
        read_lora(file)
    torch.save(tensors, tmp_path / "lora.bin")
    with pytest.raises(ValueError, match="is a pickle"):
        read_lora(tmp_path / "lora.bin")


def test_tuning_without_weights_or_with_another_recipe_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="give its folder with --init"):
        system_of(folder, "svd_lora").config.build().image_stage.notes()  # pyright: ignore
    with pytest.raises(ValueError, match="svd_finetune and svd_lora go on from"):
        storyreel.train("svd_tiny", ["digits:?clips=12"], tmp_path / "run", init=folder)


def test_the_published_sizes_and_what_is_tuned_of_them():
    counts = {}
    for recipe, picture in (("svd_finetune", {}), ("svd_finetune", {"tuned": "temporal"}), ("svd_lora", {})):
        settings: Any = recipes.get(recipe).system
        with torch.device("meta"):
            system = replace(settings, picture=replace(settings.picture, **picture)).build()
        learning = system.image_stage.parameters_for("main")
        counts[f"{recipe} {picture}"] = sum(p.numel() for p in learning)
        assert sum(p.numel() for p in system.stages["autoencoder"].parameters()) == 97_742_847
        assert sum(p.numel() for p in system.stages["image_encoder"].parameters()) == 632_076_800
    whole, in_time, factors = counts.values()
    assert (whole, in_time) == (1_524_623_082, 656_076_838)
    assert 1e6 < factors < 20e6


UNET, VAE, VISION = (f"{part}/config.json" for part in ("unet", "vae", "image_encoder"))
SCHEDULER = "scheduler/scheduler_config.json"
SETTINGS = [
    (UNET, "num_frames", 100_000, "num_frames: expected a whole number from 1 to 1000"),
    (UNET, "num_frames", [4], "num_frames: expected a whole number"),
    (UNET, "num_frames", 1e308, "num_frames: expected a whole number"),
    (UNET, "addition_time_embed_dim", 10**6, "addition_time_embed_dim: expected 8, as the weights have"),
    (UNET, "block_out_channels", 5, "block_out_channels: expected"),
    (UNET, "num_attention_heads", None, "num_attention_heads: expected a list"),
    (UNET, "down_block_types", 5, "down_block_types: expected a list"),
    (VAE, "block_out_channels", [10**5, 10**5], "block_out_channels: expected"),
    (VAE, "layers_per_block", 1000, "layers_per_block: expected"),
    (VAE, "scaling_factor", [1], "scale: expected a number"),
    (VAE, "scaling_factor", None, "scale: expected a number"),
    (VISION, "image_size", 60_000, "image_size: expected 224, as the weights have"),
    (VISION, "num_hidden_layers", 1000, "num_hidden_layers: expected"),
    (SCHEDULER, "sigma_max", "x", "sigma_max: expected a number from 0"),
    (SCHEDULER, "sigma_max", 1e308, "sigma_max: expected a number from 0"),
    (SCHEDULER, "sigma_min", None, "sigma_min: expected a number from 0"),
    (SCHEDULER, "prediction_type", ["x" * 10_000], "got list"),
]


@pytest.mark.parametrize(
    ("file", "name", "value", "says"), SETTINGS, ids=[f"{n}-{i}" for i, (_, n, *_) in enumerate(SETTINGS)]
)
def test_settings_that_the_weights_do_not_have_cost_nothing(
    folder: Path, tmp_path: Path, file: str, name: str, value: Any, says: str
):
    """100,000 frames hung; channels of an autoencoder were allocated by the gigabyte before they were compared."""
    shutil.copytree(folder, tmp_path / "svd")
    settings = json.loads((tmp_path / "svd" / file).read_text())
    (tmp_path / "svd" / file).write_text(json.dumps(settings | {name: value}))
    with pytest.raises(ValueError, match=says) as told:
        open_published(tmp_path / "svd" / "unet")
    assert len(str(told.value)) < 500
