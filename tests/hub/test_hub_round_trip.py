"""To the hub and back, on a server of this machine: push, load by name, broken downloads, wrong content, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import yaml
from hub_server import Hub, serving
from huggingface_hub import constants

import storyreel
from storyreel import hub_client, model_folder
from storyreel.cli import main
from storyreel.generate import registry
from storyreel.hub.download import files_of
from storyreel.hub.push import push

NAME = "me/walking-orcs"
WEIGHTS = "prior/model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, somebody who is logged in there, and an empty cache."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name, value in {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_CACHE": str(tmp_path / "cache" / "hub"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.chdir(tmp_path)
    with serving() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_TOKEN", served.token)
        yield served


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()


def put(hub: Hub, folder: Path, name: str = NAME) -> None:
    """The files of a folder as a repository, without a push."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    hub.repositories[name] = {str(file.relative_to(folder)): file.read_bytes() for file in files}


def run(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(args)
    said = capsys.readouterr()
    return int(done.value.code or 0), said.out.strip(), " ".join(said.err.replace("│", " ").split())


def test_a_model_goes_to_the_hub_and_comes_back_by_its_name(
    hub: Hub, tiny_folder: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
):
    code, out, err = run(["models", "push", str(tiny_folder), NAME, "--license", "apache-2.0"], capsys)
    assert code == 0, err
    assert out == f"{hub.url}/{NAME}/commit/{hub.commit(NAME)}"
    assert set(hub.repositories[NAME]) == {*files_of(tiny_folder), "README.md"}
    head = yaml.safe_load(hub.repositories[NAME]["README.md"].decode().split("---\n")[1])
    assert head == {"library_name": "storyreel", "pipeline_tag": "text-to-video", "license": "apache-2.0"}
    ours, theirs = storyreel.load(tiny_folder), storyreel.load(NAME)
    assert theirs.name == f"hub:{NAME}@{hub.commit(NAME)}"
    assert theirs.digest == ours.digest
    expected = ours("an orc", seed=3)[0]
    assert np.array_equal(theirs("an orc", seed=3)[0].frames, expected.frames)
    before = len(hub.asked)
    assert storyreel.load(f"hub:{NAME}").digest == ours.digest
    assert len(hub.asked) == before, "what is in the cache is not asked for again"
    offline(monkeypatch)
    code, _, err = run(["generate", "an orc", "-m", NAME, "--seed", "3", "-o", "a.mkv"], capsys)
    assert code == 0, err
    assert np.array_equal(storyreel.read("a.mkv").frames, expected.frames)
    code, _, err = run(["generate", "--from", "a.mkv", "-o", "b.mkv"], capsys)  # the file says repository and commit
    assert code == 0, err
    assert np.array_equal(storyreel.read("b.mkv").frames, expected.frames)
    code, _, err = run(["models", "push", str(tiny_folder), NAME, "--license", "mit"], capsys)
    assert (code, "HF_HUB_OFFLINE keeps it" in err) == (1, True)
    assert len(hub.asked) == before


def test_a_pipeline_comes_by_the_same_client(hub: Hub, pipeline: Callable[[str], Path]):
    put(hub, pipeline("wan"), "them/wan")
    hub.repositories["them/wan"] |= {"vae/pickled.bin": b"x", "movie.mp4": b"x", "vae/model.fp16.safetensors": b"x"}
    folder = registry.find("them/wan")
    assert registry.describe(folder)["digest"] == registry.describe(pipeline("wan"))["digest"]
    assert registry.describe(folder)["name"] == f"hub:them/wan@{hub.commit('them/wan')}"
    assert not {"vae/pickled.bin", "movie.mp4", "vae/model.fp16.safetensors"} & set(hub.downloads())


def test_a_connection_that_breaks_goes_on_where_it_stopped(hub: Hub, tiny_folder: Path, monkeypatch: Any):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    put(hub, tiny_folder)
    hub.breaks[WEIGHTS] = 3000
    assert storyreel.load(NAME).digest == storyreel.load(tiny_folder).digest
    ((path, asked),) = hub.ranges
    assert path == WEIGHTS
    assert 0 < int(asked.removeprefix("bytes=").rstrip("-")) <= 3000


def test_of_a_download_that_was_given_up_the_finished_files_stay(hub: Hub, tiny_folder: Path, capsys: Any):
    put(hub, tiny_folder)
    hub.fails.add(WEIGHTS)
    code, _, err = run(["models", "fetch", NAME], capsys)
    assert code == 1
    assert f"hub:{NAME}: the hub could not be reached or broke off" in err
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))
    hub.fails.clear()
    first = hub.downloads()
    code, out, err = run(["models", "fetch", NAME], capsys)
    assert code == 0, err
    assert registry.describe(Path(out))["digest"] == registry.describe(tiny_folder)["digest"]
    again = hub.downloads()[len(first) :]
    assert WEIGHTS in again
    assert not set(again) & (set(first) - {WEIGHTS}), "the others were here"


@pytest.mark.parametrize("length", ["same", "shorter"])
def test_other_content_than_the_digest_says_is_refused_and_not_kept(hub: Hub, tiny_folder: Path, length: str):
    put(hub, tiny_folder)
    content = hub.repositories[NAME][WEIGHTS]
    hub.lies[WEIGHTS] = content[:-1] + bytes([content[-1] ^ 1]) if length == "same" else content[:-9]
    with pytest.raises((ValueError, OSError), match=f"hub:{NAME}: ") as told:
        storyreel.load(NAME)
    assert "\n" not in str(told.value)
    assert ("sha256 of model.safetensors is" in str(told.value)) == (length == "same")
    hub.lies.clear()
    assert storyreel.load(NAME).digest == storyreel.load(tiny_folder).digest


def test_a_model_json_that_names_other_weights_is_refused(hub: Hub, tiny_folder: Path):
    """The hub's own digests fit; those of the model do not."""
    put(hub, tiny_folder)
    files = hub.repositories[NAME]
    files[WEIGHTS] = files[WEIGHTS][:-1] + bytes([files[WEIGHTS][-1] ^ 1])
    with pytest.raises(ValueError, match=r"model.safetensors: is damaged or was changed"):
        storyreel.load(NAME)


def test_what_several_models_share_is_pushed_with_each(hub: Hub, tiny_folder: Path, tmp_path: Path, monkeypatch: Any):
    shipped = tmp_path / "pretrained"
    folder = shutil.copytree(tiny_folder, shipped / "mine")
    (shipped / "shared" / WEIGHTS).parent.mkdir(parents=True)
    monkeypatch.setattr(model_folder, "SHIPPED", shipped)
    monkeypatch.setattr(model_folder, "SHARED", shipped / "shared")
    (folder / WEIGHTS).rename(shipped / "shared" / WEIGHTS)
    push(folder, NAME, licence="mit")
    assert storyreel.load(NAME).digest == storyreel.load(tiny_folder).digest
    with pytest.raises(ValueError, match=f"{WEIGHTS}: is missing"):
        storyreel.load(shutil.copytree(folder, tmp_path / "elsewhere"))


def test_what_is_another_shipped_model_s_is_pushed_too(hub: Hub, tiny_folder: Path, tmp_path: Path, monkeypatch: Any):
    shipped = tmp_path / "pretrained"
    folder, other = (shutil.copytree(tiny_folder, shipped / name) for name in ("mine", "other"))
    monkeypatch.setattr(model_folder, "SHIPPED", shipped)
    monkeypatch.setattr(model_folder, "SHARED", shipped / "shared")
    component, _, _ = WEIGHTS.partition("/")
    shutil.rmtree(folder / component)
    info = json.loads((folder / "model.json").read_text())
    for of in ("../other", "", 3):
        info["components"][component]["of"] = of
        (folder / "model.json").write_text(json.dumps(info))
        with pytest.raises(ValueError, match=r"model\.json: expected a model of storyreel"):
            storyreel.load(folder)
    info["components"][component]["of"] = "other"
    (folder / "model.json").write_text(json.dumps(info))
    push(folder, NAME, licence="mit")
    assert storyreel.load(NAME).digest == storyreel.load(folder).digest == storyreel.load(tiny_folder).digest
    with pytest.raises(ValueError, match=f"{WEIGHTS}: is missing"):
        storyreel.load(shutil.copytree(folder, tmp_path / "elsewhere"))
    (other / WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(ValueError, match=r"other/.*model\.safetensors"):
        storyreel.load(folder)


def test_who_may_not_push_and_what_is_not_pushed(hub: Hub, tiny_folder: Path, tmp_path: Path, monkeypatch: Any):
    folder = shutil.copytree(tiny_folder, tmp_path / "mine")
    for name, said in (("walking", "expected the name of a repository"), ("a/b@main", "expected the name")):
        with pytest.raises(ValueError, match=said):
            push(folder, name, licence="mit")
    with pytest.raises(ValueError, match=r"README.md: says no licence; give one with --license"):
        push(folder, NAME)
    (folder / "README.md").write_text("---\nlicense: [\n---\n# x\n")
    with pytest.raises(ValueError, match="its header is no YAML"):
        push(folder, NAME)
    (folder / "README.md").write_text("---\nlicense: mit\ndatasets: [sprites]\n---\n# x\n")
    (folder / "secret.txt").write_text("not of the model")
    weights = folder / WEIGHTS
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="is damaged or was changed"):
        push(folder, NAME)
    assert hub.asked == []
    weights.write_bytes(content)
    push(folder, NAME, report=evaluation(tmp_path))
    assert "secret.txt" not in hub.repositories[NAME]
    text = hub.repositories[NAME]["README.md"].decode()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["datasets"] == ["sprites"]
    assert head["metrics"] == ["fvd", "clipsim"]
    assert "| fvd[i3d] | 12.5 | 11 to 14 | 64 |" in text
    monkeypatch.setenv("HF_TOKEN", "stolen")
    with pytest.raises(ValueError, match=r"hub:other/new: .*log in"):
        push(folder, "other/new")


def evaluation(folder: Path) -> Path:
    scores = [
        {"name": "fvd[i3d]", "value": 12.5, "interval": [11.0, 14.0], "n": 64},
        {"name": "clipsim", "value": 0.25, "interval": None, "n": 64},
        {"name": "is", "value": None, "n": 64},
    ]
    (folder / "report.json").write_text(json.dumps({"storyreel": 1, "kind": "evaluation", "scores": scores}))
    return folder


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "prior/config.json", "prior"])
def test_links_out_of_a_model_are_not_uploaded(hub: Hub, tiny_folder: Path, tmp_path: Path, name: str):
    """A stranger's folder may link to what only its reader should see."""
    folder = shutil.copytree(tiny_folder, tmp_path / "linked")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# x\n")
    away = tmp_path / "secret"
    if (folder / name).exists():
        (folder / name).rename(away)
    else:
        away.write_text("nobody's business")
    (folder / name).symlink_to(away)
    with pytest.raises(OSError, match="is a link to a file outside of"):
        push(folder, NAME)
    assert NAME not in hub.repositories


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody/nothing", "there is no such repository, or it is private"),
        ("me/empty", "has neither model_index.json nor model.json"),
        ("me/empty@v2", "has neither model_index.json nor model.json"),
    ],
)
def test_names_that_the_hub_does_not_have(hub: Hub, name: str, said: str):
    hub.repositories["me/empty"] = {"README.md": b"# nothing"}
    with pytest.raises(ValueError, match=f"hub:{name}: {said}") as told:
        registry.find(name)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["text", "captions"])
def test_networks_of_others_come_by_the_same_client_once_that_is_agreed_to(hub: Hub, kind: str, monkeypatch: Any):
    from storyreel.curate.picture_captions import folder_of
    from storyreel.text import load_text_encoder

    hub.repositories["them/t5"] = {"config.json": b"{}", "code.py": b"raise SystemExit", "model.safetensors": b"x"}
    monkeypatch.setenv("STORYREEL_DOWNLOAD", "no")
    with pytest.raises(ValueError, match="nothing is downloaded unasked"):
        folder_of("them/t5") if kind == "captions" else load_text_encoder("t5:them/t5")
    assert hub.asked == []
    monkeypatch.setenv("STORYREEL_DOWNLOAD", "yes")
    if kind == "captions":
        assert {file.name for file in folder_of("them/t5").iterdir()} == {"config.json", "model.safetensors"}
    else:
        with pytest.raises(ValueError, match="text encoder t5:them/t5: expected"):
            load_text_encoder("t5:them/t5")  # nothing in it is a network
    assert sorted(hub.downloads()) == ["config.json", "model.safetensors"]


def test_a_network_of_which_a_shard_did_not_arrive_goes_on(hub: Hub, monkeypatch: Any):
    from storyreel.curate.picture_captions import folder_of

    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = json.dumps({"weight_map": dict(zip("ab", shards, strict=True))}).encode()
    hub.repositories["them/big"] = {
        "config.json": b"{}", "model.safetensors.index.json": index, shards[0]: b"first", shards[1]: b"second",
    }  # fmt: skip
    monkeypatch.setenv("STORYREEL_DOWNLOAD", "yes")
    folder = folder_of("them/big")
    (folder / shards[1]).unlink()
    before = len(hub.downloads())
    assert folder_of("them/big") == folder
    assert (folder / shards[1]).read_bytes() == b"second"
    assert len(hub.downloads()) == before, "its content was in the cache"
    (folder / shards[1]).resolve().unlink()
    (folder / shards[1]).unlink()
    assert (folder_of("them/big") / shards[1]).read_bytes() == b"second"
    assert hub.downloads()[before:] == [shards[1]]


def test_the_environment_says_where_the_hub_is_and_that_it_is_not_asked(hub: Hub, tiny_folder: Path, tmp_path: Path):
    """As a person calls it, in a process of its own; the second time from the cache."""
    put(hub, tiny_folder)
    env = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "storyreel", "models", "fetch", NAME]
    first = subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout
    asked = len(hub.asked)
    again = subprocess.run(command, capture_output=True, text=True, env={**env, "HF_HUB_OFFLINE": "1"}, check=True)
    assert again.stdout == first
    assert len(hub.asked) == asked
    assert Path(first.strip()).is_relative_to(tmp_path / "home")


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("on", True), ("True", True), ("0", False), ("", False), ("off", False)]
)
def test_offline_is_read_as_huggingface_hub_reads_it(value: str, expected: bool, monkeypatch: Any):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    assert hub_client.is_offline() is expected
    assert constants._is_true(value) is expected
