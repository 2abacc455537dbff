"""Any pipeline keeps the promises of our own models: a matrix over tiny ones of five families."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import storyreel
from storyreel.clip import Clip
from storyreel.hub.families import FAMILIES, PipelineLimits
from storyreel.options.generation import GenerateOptions

NAMES = ("wan", "ltx", "cogvideox", "hunyuan", "svd")
FPS = {"wan": 16, "ltx": 25, "cogvideox": 8, "hunyuan": 24, "svd": 7}
PROMPT = "a knight walking left"
Load = Callable[[str], Any]
matrix = pytest.mark.parametrize("name", NAMES)


def settings(name: str, picture: Clip, **more: Any) -> dict[str, Any]:
    start = {"image": picture} if name == "svd" else {"prompt": PROMPT}
    return {**start, "frames": 5, "steps": 2, "size": "32x32", **more}


def make(model: Any, options: dict[str, Any], seed: int = 3, index: int = 0, **more: Any) -> Clip:
    return model.make(GenerateOptions.of(options), seed, index, **more)


@matrix
def test_a_video_depends_on_seed_and_index_alone(name: str, loaded: Load, picture: Clip):
    model, options = loaded(name), settings(name, picture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = model(GenerateOptions.of(options), seed=3, count=2)
    torch.manual_seed(99)  # nothing is drawn from PyTorch's own generator
    alone = make(model, options, 3, 1)
    assert np.array_equal(batch[1].frames, alone.frames)
    assert not np.array_equal(batch[0].frames, alone.frames)
    assert not np.array_equal(make(model, options, 4, 1).frames, alone.frames)
    assert (len(alone), alone.size, alone.fps) == (5, (32, 32), FPS[name])


@matrix
def test_lengths_and_sizes_are_told_before_and_cut_back(name: str, loaded: Load, picture: Clip):
    model = loaded(name)
    limits = PipelineLimits(model.info["stride"], model.info["multiple"])
    with pytest.warns(UserWarning, match="are made and cut to|is made and cut to") as told:
        clip = model(GenerateOptions.of(settings(name, picture, frames=6, size="40x24")), seed=3)[0]
    said = " | ".join(str(each.message) for each in told)
    large = (limits.side(40), limits.side(24))
    assert f"{large[0]}x{large[1]} is made and cut to 40x24" in said
    assert (f"{limits.frames(6)} are made and cut to 6" in said) == (name != "svd")
    assert (len(clip), clip.size) == (6, (24, 40))
    arguments = clip.meta["pipeline"]["arguments"]
    assert (arguments["num_frames"], arguments["width"], arguments["height"]) == (limits.frames(6), *large)
    options = settings(name, picture, frames=limits.frames(6), size=large)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # nothing to tell
        whole = make(model, options)
    top, left = (large[1] - 24) // 2, (large[0] - 40) // 2
    assert np.array_equal(clip.frames, whole.frames[:6, top : top + 24, left : left + 40])


@matrix
def test_each_step_is_told_and_may_cancel(name: str, loaded: Load, picture: Clip):
    model, options = loaded(name), settings(name, picture)
    steps: list[Any] = []

    def stop(step: Any) -> None:
        steps.append(step)
        raise storyreel.Cancelled

    with pytest.raises(storyreel.Cancelled):
        make(model, options, on_progress=stop)
    assert [(step.done, step.total) for step in steps] == [(1, 2)]
    assert (name == "ltx") == (steps[0].preview is None)  # LTX packs its latents
    if name != "ltx":
        shown = steps[0].preview()
        assert shown.fps == FPS[name]
        assert shown.frames.std() > 0
    seen: list[tuple[int, int]] = []
    after = make(model, options, on_progress=lambda step: seen.append((step.done, step.total)))
    assert seen == [(1, 2), (2, 2)]
    assert np.array_equal(after.frames, make(model, options).frames)


@matrix
@pytest.mark.parametrize("broken", ["network", "decoder"])
def test_what_is_no_number_is_an_error_and_no_black_clip(name: str, broken: str, loaded: Load, picture: Clip):
    model, options = loaded(name), settings(name, picture)
    make(model, options)
    pipe = next(iter(model.system._loaded.values()))
    network = pipe.unet if name == "svd" else pipe.transformer
    weight = next((network if broken == "network" else pipe.vae.decoder).parameters())
    held = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.fill_(float("nan"))
        when = "after step 1 of 2" if broken == "network" else "in the decoded video"
        with pytest.raises(ValueError, match=f"{name}: latents hold NaN or infinity {when}, in float32; no clip"):
            make(model, options)
    finally:
        with torch.no_grad():
            weight.copy_(held)


@matrix
def test_a_saved_clip_says_what_made_it_and_from_makes_it_again(
    name: str, pipeline: Callable[[str], Path], picture: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    picture.save(tmp_path / "start.png")
    start = ["--image", str(tmp_path / "start.png")] if name == "svd" else [PROMPT, "--guidance", "3"]
    args = [*start, "--frames", "6", "--steps", "2", "--size", "40x24", "--seed", "5"]
    first, again = tmp_path / "a.mkv", tmp_path / "b.mkv"
    code, err = run([*args, "-m", f"hub:{pipeline(name)}", "-o", str(first)], capsys)
    assert code == 0, err
    assert "40x24" in err
    code, err = run(["--from", str(first), "-m", f"hub:{pipeline(name)}", "-o", str(again)], capsys)
    assert code == 0, err
    one, two = storyreel.read(first), storyreel.read(again)
    assert np.array_equal(one.frames, two.frames)
    assert (one.fps, one.size, len(one)) == (Fraction(FPS[name]), (24, 40), 6)
    assert one.meta["options"] == two.meta["options"]
    about = one.meta["pipeline"]
    assert about["class"].lower().startswith({"hunyuan": "hunyuanvideo", "svd": "stablevideo"}.get(name, name))
    assert about["scheduler"]
    assert one.meta["precision"] == "fp32"
    assert one.meta["digest"] == storyreel.load(f"hub:{pipeline(name)}").digest


def run(args: list[str], capsys: pytest.CaptureFixture[str], verb: str = "generate") -> tuple[int, str]:
    from storyreel.cli import main

    with pytest.raises(SystemExit) as done:
        main([verb, *args])
    return int(done.value.code or 0), " ".join(capsys.readouterr().err.replace("│", " ").split())


@matrix
def test_a_pipeline_that_diffusers_saved_again_makes_the_same(name: str, loaded: Load, tmp_path: Path, picture: Clip):
    model, options = loaded(name), settings(name, picture)
    made = make(model, options)
    next(iter(model.system._loaded.values())).save_pretrained(str(tmp_path / name))
    folder = tmp_path / name  # which needs no `hub:`, but where a system of ours opens it too
    again = storyreel.load(f"hub:{folder}" if name == "svd" else folder, device="cpu")
    assert np.array_equal(make(again, options).frames, made.frames)


def test_pictures_and_clips_go_where_a_class_takes_them(loaded: Load, picture: Clip):
    """LTX begins with a picture, by another class with the same weights; Wan changes a clip; CogVideoX takes none."""
    ltx, wan = loaded("ltx"), loaded("wan")
    begun = make(ltx, settings("ltx", picture, image=picture))
    assert begun.meta["pipeline"]["class"] == "LTXImageToVideoPipeline"
    assert not np.array_equal(begun.frames, make(ltx, settings("ltx", picture)).frames)
    onward = make(ltx, settings("ltx", picture, extend=begun, frames=4))
    assert len(onward) == len(begun) + 4  # the clip as it was given, and what follows it
    assert np.array_equal(onward.frames[: len(begun)], begun.frames)
    assert onward.meta["pipeline"]["arguments"]["num_frames"] == 9
    changed = make(wan, settings("wan", picture, variation=begun, frames=4))
    assert changed.meta["pipeline"]["class"] == "WanVideoToVideoPipeline"
    assert len(changed) == 4
    with pytest.raises(ValueError, match="image: cogvideox"):
        make(loaded("cogvideox"), settings("cogvideox", picture, image=picture))
    with pytest.raises(ValueError, match=r"image: svd .* makes a video of a picture"):
        make(loaded("svd"), {"frames": 4})


def test_settings_that_only_some_models_read(loaded: Load, picture: Clip):
    model = loaded("wan")
    plain = make(model, settings("wan", picture))
    worse = make(model, settings("wan", picture, negative="worst quality"))
    assert not np.array_equal(plain.frames, worse.frames)
    rough = make(model, settings("wan", picture, precision="bf16"))
    assert rough.meta["precision"] == "bf16"
    assert not np.array_equal(plain.frames, rough.frames)
    assert np.array_equal(plain.frames, make(model, settings("wan", picture)).frames)
    for name, value in (("motion", 3), ("stage", "base"), ("transparent", True), ("start", 1.0)):
        with pytest.raises(ValueError, match=f"{name}: wan"):
            make(model, settings("wan", picture, **{name: value}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"_class_name": ["pipeline.py", "Mine"]}, "_class_name: expected a class of diffusers"),
        ({"_class_name": "StableDiffusionPipeline"}, "is none of the video pipelines that are known"),
        ({"vae": ["vae", "Mine"]}, "code that comes with the folder or elsewhere"),
        ({"vae": ["os", "system"]}, "code that comes with the folder or elsewhere"),
        ({"scheduler_2": ["diffusers", "DDIMScheduler"]}, "has no scheduler_2"),
    ],
)
def test_an_index_is_not_believed(change: dict[str, Any], said: str, pipeline: Callable[[str], Path], tmp_path: Path):
    folder = shutil.copytree(pipeline("wan"), tmp_path / "wan")
    (folder / "vae" / "vae.py").write_text("raise SystemExit('ran')")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | change))
    with pytest.raises(ValueError, match=said) as found:
        storyreel.load(f"hub:{folder}")
    assert "\n" not in str(found.value)


def test_only_safetensors_are_loaded_and_all_of_them(pipeline: Callable[[str], Path], tmp_path: Path):
    folder = shutil.copytree(pipeline("wan"), tmp_path / "wan")
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    whole = storyreel.load(folder).digest
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert storyreel.load(folder).digest != whole
    weights.write_bytes(content[:-5])
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        storyreel.load(folder)
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ValueError, match=r"has no vae/\*.safetensors; only weights in safetensors are loaded"):
        storyreel.load(folder)


@pytest.mark.parametrize("shard", ["../vae.safetensors", "/etc/x.safetensors", "weights.bin", ["a.safetensors"], 7])
@pytest.mark.parametrize("index", ["safetensors.index.json", "safetensors.index.fp16.json"])
def test_an_index_of_shards_names_safetensors_beside_it(
    shard: Any, index: str, pipeline: Callable[[str], Path], tmp_path: Path
):
    """diffusers and transformers would unpickle other files, whatever `use_safetensors` says."""
    folder = shutil.copytree(pipeline("wan"), tmp_path / "wan")
    (folder / "vae" / "weights.bin").write_bytes(b"PK")
    document = json.dumps({"metadata": {}, "weight_map": {"a": shard}})
    (folder / "vae" / f"diffusion_pytorch_model.{index}").write_text(document)
    with pytest.raises(ValueError, match="weight_map: expected names of safetensors files beside it") as found:
        storyreel.load(folder)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hub:nobody/nothing", "is not on this machine, and HF_HUB_OFFLINE keeps it"),
        ("hub:nobody/nothing@v1", "hub:nobody/nothing@v1: is not on this machine"),
        ("hub:../../etc", "there is no such folder; expected hub:ORG/NAME"),
        ("hub:", "a folder with a model_index.json"),
        ("hub:a/b/c", "there is no such folder"),
    ],
)
def test_names_that_lead_nowhere(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError), match=said):
        storyreel.load(name)


def test_nobody_waits_for_a_hub_that_is_not_there(tmp_path: Path):
    """Offline the answer comes at once, in one line, and nothing heavy is imported for it."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    script = (
        "import sys; from storyreel.generate import registry\n"
        "try: registry.find('hub:Wan-AI/Wan2.1-T2V-1.3B-Diffusers')\n"
        "except OSError as error: print(error, 'torch' in sys.modules, 'diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.strip().endswith("keeps it from being downloaded False False")


def test_the_nearest_lengths_that_can_be_made():
    limits = PipelineLimits(stride=4, multiple=16)
    assert [limits.frames(n) for n in (1, 2, 5, 6, 81, 82)] == [1, 5, 5, 9, 81, 85]
    assert [limits.side(n) for n in (1, 16, 17)] == [16, 16, 32]
    assert PipelineLimits(1, 8).frames(7) == 7
    assert limits.notes(GenerateOptions(frames=8, size=(832, 480))) == [
        "frames: the model makes 5 or 9 frames, not 8: 9 are made and cut to 8"
    ]


def test_each_family_has_classes_in_diffusers():
    import diffusers

    names = [name for name in dir(diffusers) if name.endswith("Pipeline")]
    for family in FAMILIES:
        assert any(name.startswith(family) for name in names), family


def test_ours_and_theirs_on_one_leaderboard_and_in_one_study(
    pipeline: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "p.csv").write_text('prompt,steps\n"an orc walking",2\n"a woman casting a spell",2\n')
    theirs = shutil.copytree(pipeline("cogvideox"), tmp_path / "theirs")
    args = ["phenaki-sprites", f"hub:{theirs}", "--prompts", str(tmp_path / "p.csv"), "--metrics", "flicker,dynamic"]
    code, err = run([*args, "-o", str(tmp_path / "board"), "--json"], capsys, "leaderboard")
    assert code == 0, err
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert {model["name"] for model in board["models"]} == {"phenaki-sprites", "theirs"}
    assert board["notes"] == [
        "the models' own lengths differ (phenaki-sprites 8, theirs 9 frames); clips have 8 where the prompt sets none"
    ]
    clips = sorted((tmp_path / "board" / "clips").rglob("*.mkv"))
    assert [len(storyreel.read(clip)) for clip in clips] == [8] * 4
    assert {model["parameters"] for model in board["models"]} >= {storyreel.load(theirs).info["parameters"]}
    folders = sorted(str(folder) for folder in (tmp_path / "board" / "clips").iterdir())
    assert len(folders) == 2
    code, err = run(["create", *folders, "-o", str(tmp_path / "study")], capsys, "study")
    assert code == 0, err
    plan = json.loads((tmp_path / "study" / "study.json").read_text())
    assert len([item for item in plan["items"] if item["kind"] == "pair"]) == 2
