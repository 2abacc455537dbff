"""What a pipeline takes, before it is loaded; and that parts which wait elsewhere give the same pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import storyreel
from storyreel.cli import main
from storyreel.hub.memory import WORK, needs, place
from storyreel.options.generation import GenerateOptions


def plan(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(["plan", *args])
    said = capsys.readouterr()
    return int(done.value.code or 0), said.out, " ".join(said.err.replace("│", " ").split())


def test_bytes_are_those_of_the_loaded_networks(pipeline: Callable[[str], Path]):
    import diffusers

    folder = pipeline("wan")
    pipe = diffusers.WanPipeline.from_pretrained(str(folder), dtype=torch.float32, trust_remote_code=False)
    found, half = needs(folder, "fp32"), needs(folder)
    for part in ("transformer", "text_encoder", "vae"):
        module = getattr(pipe, part)
        assert found.components[part] == sum(p.numel() * p.element_size() for p in module.parameters()), part
        assert half.components[part] == found.components[part] // (1 if part == "vae" else 2)  # Wan's stays in float32
    assert found.gpu["none"] == sum(found.components.values()) + WORK
    assert half.gpu["group"] < half.gpu["model"] < half.gpu["none"] < found.gpu["none"]


def test_the_fastest_way_that_fits_is_chosen(pipeline: Callable[[str], Path]):
    found = needs(pipeline("wan"), "fp16")
    for mode, size in found.gpu.items():
        assert found.mode(size) == mode
    assert found.mode(found.gpu["group"] - 1) is None
    assert found.mode(found.gpu["model"], machine=found.machine - 1) is None  # nowhere to wait


def test_plan_says_what_fits_with_the_numbers(pipeline: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    name = f"hub:{pipeline('wan')}"
    code, out, _ = plan([name, "--memory", "12", "--json"], capsys)
    found = json.loads(out)
    assert (code, found["offload"], found["fits"], found["gpu_memory_gb"]) == (0, "none", True, 12)
    code, out, _ = plan([name, "--memory", "1.5"], capsys)
    assert code == 0
    assert "does not fit; try --precision" in out
    code, out, _ = plan([name, "--gpu", "4090"], capsys)
    assert "fits into 24" in out
    for args, said in (
        ([name, "--mfu", "0.3"], "--mfu: is of a training run"),
        (["phenaki_tiny", "--memory", "12"], "--memory: is of a pipeline of the hub"),
        ([name, "--memory", "12", "--gpu", "4090"], "expected one of the two"),
        ([name, "--precision", "int4"], "expected fp32, bf16, fp16"),
        (["hub:nobody/nothing"], "storyreel models fetch hub:nobody/nothing"),
    ):
        code, _, err = plan(args, capsys)
        assert code != 0
        assert said in err, err


def test_parts_that_wait_elsewhere_give_the_same_pixels(pipeline: Callable[[str], Path]):
    """Group offload, here from the CPU to the CPU; decoding in tiles needs larger frames than these to begin."""
    whole, parts = (storyreel.load(f"hub:{pipeline('wan')}", device="cpu") for _ in range(2))
    options = GenerateOptions(prompt="a knight walking left", frames=5, steps=2, size=(32, 32))
    expected = whole.make(options, 3).frames
    system = parts.system
    pipe = system._pipe("WanPipeline", options)
    assert place(pipe, torch.device("cpu"), "group") is pipe
    assert pipe.vae.use_tiling
    assert np.array_equal(parts.make(options, 3).frames, expected)


def test_offload_is_for_pipelines_on_a_gpu(
    pipeline: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for model, said in ((f"hub:{pipeline('wan')}", "computes on the CPU"), ("phenaki-digits", "always whole")):
        args = ["a red 3", "-m", model, "--steps", "2", "--frames", "5", "--offload", "group"]
        with pytest.raises(SystemExit) as done:
            main(["generate", *args, "-o", str(tmp_path / "a.mp4")])
        assert done.value.code == 1
        assert said in capsys.readouterr().err
        assert not (tmp_path / "a.mp4").exists()
