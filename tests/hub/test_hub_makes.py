"""What a pipeline can make is known before it is loaded, and without PyTorch."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_hub_pipelines import NAMES, settings

from storyreel.clip import Clip
from storyreel.hub.families import FAMILIES
from storyreel.hub.signature import REQUIRED, signature_of
from storyreel.options.generation import GenerateOptions
from storyreel.serve.errors import ApiError
from storyreel.serve.served import served
from storyreel.serve.settings import check_inputs, understand

READ = ("num_frames", "num_inference_steps", "guidance_scale", "max_guidance_scale", "height", "width")
Load = Callable[[str], Any]


def test_signatures_are_those_that_python_sees():
    import diffusers

    names = [
        name for name in dir(diffusers)
        if name.endswith("Pipeline") and "Modular" not in name and any(name.startswith(each) for each in FAMILIES)
    ]  # fmt: skip
    assert len(names) > 30
    for name in names:
        kind: Any = getattr(diffusers, name)
        found, ours = inspect.signature(kind.__call__).parameters, signature_of(name)
        known = [each for each, what in found.items() if what.kind is not inspect.Parameter.VAR_KEYWORD]
        assert known[1:] == list(ours.arguments), name
        for argument, default in ours.arguments.items():
            expected = found[argument].default
            assert (default is REQUIRED) == (expected is inspect.Parameter.empty), (name, argument)
            if type(expected) in (int, float, str) and default is not None:  # None: an expression, or imported
                assert default == expected, (name, argument)
            if argument in READ:
                assert default == expected, (name, argument)
        assert ours.takes_lora == (hasattr(kind, "load_lora_weights") and hasattr(kind, "set_adapters")), name
    with pytest.raises(ValueError, match="NoPipeline: is no pipeline of diffusers"):
        signature_of("NoPipeline")


@pytest.mark.parametrize("name", NAMES)
def test_the_studio_refuses_what_the_model_refuses(name: str, loaded: Load, pipeline: Callable[[str], Path]):
    model, able = loaded(name), served(pipeline(name)).abilities
    assert able.fps == model.fps
    value = {"motion": 3, "negative": "blurry", "start": 1.0, "transparent": True, "reuse": 2}
    for setting, said in value.items():
        options = GenerateOptions.of({"prompt": "x", setting: said})
        try:
            model._check(options)
            model.system._check(options)
        except ValueError as error:
            refused = str(error).startswith(f"{setting}: ")
        else:
            refused = False
        assert refused == (setting in able.cannot), setting
    for setting in ("image", "extend", "variation", "image_end"):
        assert (setting in able.cannot) == (setting not in model.system._served), setting


def test_the_usual_length_and_size_are_what_is_made(loaded: Load, pipeline: Callable[[str], Path]):
    able = served(pipeline("cogvideox")).abilities
    clip = loaded("cogvideox").make(GenerateOptions.of({"prompt": "a knight", "steps": 2}), 1)
    assert (able.frames, able.height, able.width) == (len(clip), *clip.size) == (9, 16, 16)
    svd = served(pipeline("svd")).abilities
    assert (svd.frames, svd.height, svd.width, svd.needs) == (25, 576, 1024, "image")


def test_requests_of_the_studio(pipeline: Callable[[str], Path], picture: Clip, tmp_path: Path):
    model = served(pipeline("svd"))
    with pytest.raises(ApiError, match="makes nothing without image"):
        check_inputs(model, ())
    check_inputs(model, ("extend",))
    file = picture.save(tmp_path / "a.png")
    plain = {name: value for name, value in settings("svd", picture).items() if name != "image"}
    wanted = understand(plain, model, {"image": file})
    assert (wanted.seconds, wanted.size) == ("0.714286", "32x32")
    with pytest.raises(ApiError, match="svd cannot serve it; leave it out"):
        understand({**plain, "negative": "blurry"}, model, {"image": file})
    fast = understand({"prompt": "x", "step_cache": "pab"}, served(pipeline("wan")), {})
    assert (fast.seconds, fast.size) == ("5.0625", "832x480")


def test_nothing_heavy_is_imported_for_it(pipeline: Callable[[str], Path]):
    script = (
        "import sys, json; from pathlib import Path; from storyreel.generate import registry\n"
        f"print(json.dumps(registry.describe(Path({str(pipeline('wan'))!r}))['makes']))\n"
        "print('torch' in sys.modules, 'diffusers' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    makes, imported = done.stdout.splitlines()
    assert json.loads(makes)["frames"] == 81
    assert imported == "False False"
