"""LoRA files in any pipeline that can load them: several at once, in and out again, in the file's metadata."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import make_tiny
from tiny_pipelines import write_lora

import storyreel
from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.options.generation import GenerateOptions

PROMPT = "a knight walking left"
Load = Callable[[str], Any]
matrix = pytest.mark.parametrize("name", ["wan", "ltx", "cogvideox", "hunyuan"])


def make(model: Any, *files: object, **more: Any) -> np.ndarray:
    options = {"prompt": PROMPT, "frames": 5, "steps": 2, "size": "32x32", "lora": list(files), **more}
    return model.make(GenerateOptions.of(options), 3).frames


def network_of(model: Any) -> Any:
    return next(iter(model.system._loaded.values()))


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as done:
        main(["generate", *args])
    return int(done.value.code or 0), " ".join(capsys.readouterr().err.replace("│", " ").split())


@matrix
def test_files_change_the_video_by_their_weights_and_leave_nothing_behind(name: str, loaded: Load, tmp_path: Path):
    model = loaded(name)
    plain = make(model)
    one, two = (write_lora(network_of(model), tmp_path / f"{n}.safetensors", n) for n in (1, 2))
    first = make(model, one)
    both = make(model, one, f"{two}:0.5")
    assert not np.array_equal(first, plain)
    assert not np.array_equal(both, first)
    assert not np.array_equal(make(model, f"{one}:0.5"), first)
    assert np.array_equal(make(model, one), first)
    assert np.array_equal(make(model, f"{one}:0"), plain)
    assert np.array_equal(make(model), plain)


@matrix
def test_the_metadata_says_which_files_and_from_makes_it_again(
    name: str, pipeline: Callable[[str], Path], loaded: Load, tmp_path: Path, capsys: Any, monkeypatch: Any
):
    model = loaded(name)
    make(model)
    file = write_lora(network_of(model), tmp_path / "walk.safetensors")
    shared = ["-m", f"hub:{pipeline(name)}"]
    args = [PROMPT, *shared, "--frames", "5", "--steps", "2", "--size", "32x32", "--lora", f"{file}:0.75"]
    made, again = tmp_path / "a.mkv", tmp_path / "b.mkv"
    code, err = run([*args, "-o", str(made)], capsys)
    assert code == 0, err
    (note,) = storyreel.read_meta(made)["options"]["lora"]
    assert (note["name"], note["weight"], set(note)) == ("walk.safetensors", 0.75, {"name", "weight", "sha256"})
    code, err = run(["--from", str(made), *shared, "-o", str(again)], capsys)
    assert code == 1
    assert "walk.safetensors (sha256 " in err
    assert "give it with --lora FILE:0.75" in err
    monkeypatch.chdir(tmp_path)  # where a file of that name and content lies
    code, err = run(["--from", str(made), *shared, "-o", str(again)], capsys)
    assert code == 0, err
    assert np.array_equal(storyreel.read(made).frames, storyreel.read(again).frames)


def test_it_stays_with_the_class_that_begins_with_a_picture(loaded: Load, tmp_path: Path, picture: Clip):
    model = loaded("ltx")
    plain = make(model, image=picture)
    file = write_lora(network_of(model), tmp_path / "a.safetensors")
    assert not np.array_equal(make(model, file, image=picture), plain)
    assert np.array_equal(make(model, image=picture), plain)


def test_a_file_for_another_model_is_refused_and_the_model_stays_as_it_was(loaded: Load, tmp_path: Path):
    wan, ltx = loaded("wan"), loaded("ltx")
    plain = make(wan)
    make(ltx)
    other = write_lora(network_of(ltx), tmp_path / "ltx.safetensors")
    own = write_lora(network_of(wan), tmp_path / "wan.safetensors")
    names = tmp_path / "names.safetensors"
    save_file({f"nothing.{key}": value for key, value in load_file(str(own)).items()}, str(names))
    for file in (other, names):
        with pytest.raises(ValueError, match=f"lora: {file}: does not fit WanPipeline") as told:
            make(wan, own, file)
        assert "\n" not in str(told.value)
        assert np.array_equal(make(wan), plain)


def test_layers_that_a_model_lacks_are_told(loaded: Load, tmp_path: Path):
    wan = loaded("wan")
    make(wan)
    file = write_lora(network_of(wan), tmp_path / "wan.safetensors")
    tensors = load_file(str(file))
    more = {key.replace("blocks.0", "blocks.7"): value.clone() for key, value in tensors.items()}
    save_file(tensors | more, str(file))
    with pytest.warns(UserWarning, match=r"wan.safetensors: WanPipeline has 6 of its 12 layers"):
        make(wan, file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        make(wan, write_lora(network_of(wan), file))


@pytest.mark.parametrize(
    ("content", "value", "said"),
    [
        (None, "none.safetensors", "none.safetensors: is missing"),
        (b"PK\x03\x04", "a.bin", "is a pickle"),
        (b"\x80\x04", "a.safetensors", "a.safetensors: "),
        (b"", "a.txt", "a file that ends with .safetensors"),
        (None, "a.safetensors:x", "'x': expected a number from -100 to 100"),
        (None, "a.safetensors:1e9", "expected a number from -100 to 100"),
        (None, 5, "expected FILE.safetensors or FILE.safetensors:WEIGHT"),
    ],
)
def test_what_is_no_lora_file(content: bytes | None, value: Any, said: str, tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(value).write_bytes(content)
    with pytest.raises((ValueError, OSError), match=said) as told:
        GenerateOptions.of({"prompt": "x", "lora": value})
    assert "\n" not in str(told.value)


def test_a_path_in_the_metadata_of_a_file_is_not_opened(loaded: Load, tmp_path: Path, monkeypatch: Any):
    make(loaded("wan"))
    file = write_lora(network_of(loaded("wan")), tmp_path / "a.safetensors")
    for lora, said in (
        ([str(file)], "names a path, which is not opened"),
        (str(file), "names a path, which is not opened"),
        ([{"name": str(file), "sha256": "0" * 64, "weight": 1.0}], "does not say which file it was"),
        ([{"name": "a.safetensors", "sha256": "0" * 64, "weight": 1.0}], "is not in this folder"),
        ([{"name": "a.safetensors", "sha256": "0" * 64, "weight": "loud"}], "weight: expected a number"),
    ):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ValueError, match=said):
            GenerateOptions.from_json({"prompt": "x", "lora": lora})


def test_a_row_of_a_prompt_file_names_files_beside_it(loaded: Load, tmp_path: Path):
    from storyreel.generate.prompts import read_prompts

    make(loaded("wan"))
    for name in "ab":
        write_lora(network_of(loaded("wan")), tmp_path / f"{name}.safetensors")
    (tmp_path / "p.csv").write_text("prompt,lora\nx,a.safetensors b.safetensors:0.5\ny,\n")
    rows = read_prompts(tmp_path / "p.csv", {})
    assert [(Path(each.path).name, each.weight) for each in rows[0].options.lora] == [
        ("a.safetensors", 1.0), ("b.safetensors", 0.5)
    ]  # fmt: skip
    assert rows[1].options.lora == ()
    assert rows[0].options.files == [str(tmp_path / f"{name}.safetensors") for name in "ab"]


def test_who_reads_none_says_so(loaded: Load, tmp_path: Path, picture: Clip):
    """Our own systems, and pipelines whose class loads none."""
    make(loaded("wan"))
    file = write_lora(network_of(loaded("wan")), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="lora: svd reads none; many pipelines of the hub do"):
        loaded("svd").make(GenerateOptions.of({"image": picture, "lora": file}), 1)
    with pytest.raises(ValueError, match="lora: tiny reads none"):
        storyreel.load(make_tiny(tmp_path / "tiny")).make(GenerateOptions.of({"prompt": "an orc", "lora": file}), 1)


def test_a_file_that_changed_meanwhile_is_not_used(loaded: Load, tmp_path: Path):
    wan = loaded("wan")
    make(wan)
    file = write_lora(network_of(wan), tmp_path / "a.safetensors")
    options = GenerateOptions.of({"prompt": PROMPT, "frames": 5, "steps": 2, "size": "32x32", "lora": file})
    shutil.copy(write_lora(network_of(wan), tmp_path / "b.safetensors", 9), file)
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"a.safetensors: is damaged or was changed"):
        wan.make(options, 1)
