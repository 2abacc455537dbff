"""Decoding in tiles, weights in 8 bits, caches between steps: settings of a video that keep its promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_hub_pipelines import NAMES, make, run, settings

import storyreel
from storyreel.clip import Clip
from storyreel.hub.memory import needs, place
from storyreel.options.generation import GenerateOptions

Load = Callable[[str], Any]


@pytest.mark.parametrize("name", NAMES)
def test_weights_in_8_bits_and_plain_again(name: str, pipeline: Callable[[str], Path], picture: Clip):
    model, options = storyreel.load(f"hub:{pipeline(name)}", device="cpu"), settings(name, picture)
    plain = make(model, options)
    rough = make(model, {**options, "layerwise": True})
    (pipe,) = model.system._loaded.values()
    network = pipe.unet if name == "svd" else pipe.transformer
    stored = {p.dtype for layer, p in network.named_parameters() if "norm" not in layer}
    assert torch.float8_e4m3fn in stored
    assert not np.array_equal(plain.frames, rough.frames)
    assert np.array_equal(rough.frames, make(model, {**options, "layerwise": True}).frames)
    assert np.array_equal(plain.frames, make(model, options).frames), "the weights are whole again"


@pytest.mark.parametrize("cache", ["first-block:0.5", "taylorseer:3", "pab:2"])
def test_a_cache_is_of_one_video(cache: str, loaded: Load, picture: Clip):
    model, options = loaded("hunyuan"), settings("hunyuan", picture, steps=8)
    plain = make(model, options)
    fast = model(GenerateOptions.of({**options, "step_cache": cache}), seed=3, count=2)
    assert not np.array_equal(fast[0].frames, plain.frames)
    assert np.array_equal(fast[1].frames, make(model, {**options, "step_cache": cache}, 3, 1).frames)
    assert fast[0].meta["options"]["step_cache"] == cache
    assert np.array_equal(plain.frames, make(model, options).frames)

    def stop(step: Any) -> None:
        raise storyreel.Cancelled

    with pytest.raises(storyreel.Cancelled):
        make(model, {**options, "step_cache": cache}, on_progress=stop)
    assert np.array_equal(plain.frames, make(model, options).frames), "nothing of a cancelled one stays"


def test_tiles_are_decoded_one_by_one(loaded: Load, picture: Clip):
    model, options = loaded("wan"), settings("wan", picture)
    whole = make(model, options)
    vae = next(iter(model.system._loaded.values())).vae
    sizes = {name: getattr(vae, name) for name in vars(vae) if name.startswith("tile_sample_")}
    try:
        for name in sizes:
            setattr(vae, name, 16 if "min" in name else 8)
        parts = make(model, {**options, "tiling": True})
        assert not np.array_equal(parts.frames, whole.frames)
        assert np.abs(parts.frames.astype(int) - whole.frames).mean() < np.abs(128 - whole.frames.astype(int)).mean()
        assert np.array_equal(make(model, options).frames, whole.frames)
    finally:
        for name, size in sizes.items():
            setattr(vae, name, size)


def test_from_makes_it_again_with_its_levers(pipeline: Callable[[str], Path], tmp_path: Path, capsys: Any):
    first, again = tmp_path / "a.mkv", tmp_path / "b.mkv"
    args = ["a red knight", "--frames", "5", "--steps", "8", "--size", "32x32", "--layerwise", "--tiling"]
    args += ["--step-cache", "pab", "-m", f"hub:{pipeline('cogvideox')}"]
    code, err = run([*args, "-o", str(first)], capsys)
    assert code == 0, err
    code, err = run(["--from", str(first), "-m", f"hub:{pipeline('cogvideox')}", "-o", str(again)], capsys)
    assert code == 0, err
    one, two = storyreel.read(first), storyreel.read(again)
    assert np.array_equal(one.frames, two.frames)
    assert one.meta["options"] | {"layerwise": True, "tiling": True, "step_cache": "pab:2"} == two.meta["options"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("svd", {"tiling": True}, "tiling: svd cannot do that"),
        ("svd", {"step_cache": "pab"}, "step_cache: svd cannot do that"),
        ("wan", {"step_cache": "first-block"}, r"step_cache: first-block:0.05: does not fit WanTransformer3DModel"),
        ("wan", {"step_cache": "magic"}, r"step_cache: expected first-block, taylorseer, pab, or one with its number"),
        ("wan", {"step_cache": "pab:1"}, "step_cache: pab: expected a whole number from 2 to 100, got '1'"),
        ("wan", {"step_cache": "first-block:-1"}, "step_cache: first-block: expected a number from 0 to 1000"),
    ],
)
def test_what_a_pipeline_cannot_do_is_refused(name: str, options: dict, said: str, loaded: Load, picture: Clip):
    with pytest.raises(ValueError, match=said) as told:
        make(loaded(name), settings(name, picture, **options))
    assert "\n" not in str(told.value)


def test_a_model_of_ours_has_none_of_them(tiny_folder: Path):
    with pytest.raises(ValueError, match=r"layerwise: .* cannot do that; many pipelines of the hub do"):
        storyreel.load(tiny_folder)("a red knight", layerwise=True)


def test_memory_counts_a_byte_for_each_weight(pipeline: Callable[[str], Path]):
    whole, small = (needs(pipeline("wan"), "bf16", layerwise) for layerwise in (False, True))
    assert small.components["transformer"] * 2 == whole.components["transformer"]
    assert small.components["vae"] == whole.components["vae"]
    assert small.gpu["none"] < whole.gpu["none"]


def test_a_decoder_that_has_no_tiles_is_offloaded_without_them():
    """Stable Video Diffusion's inherits a method that refuses."""
    from diffusers import AutoencoderKLTemporalDecoder

    vae = AutoencoderKLTemporalDecoder(block_out_channels=(32,), down_block_types=("DownEncoderBlock2D",))
    pipe = SimpleNamespace(vae=vae, enable_group_offload=lambda **options: None)
    assert place(pipe, torch.device("cpu"), "group") is pipe
