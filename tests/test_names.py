"""Names out of files: they lead to files of the same folder, or are refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from storyreel import recipes, video_io, worlds
from storyreel.evaluate.protocols import protocol_named
from storyreel.generate import registry
from storyreel.generate.prompts import read_prompts
from storyreel.names import bare, expanded, inside, is_bare, stays_inside
from storyreel.text import load_text_encoder

HOSTILE = ["../x", "/etc/passwd", "a/../../x", "..", "..\\x", "\\\\host\\share\\x", "~/x", "", "a\0b", None, 3, ["a"]]


@pytest.mark.parametrize("name", [*HOSTILE, "a/b", ".hidden", "C:x", "tab\there", "\ud800", "x" * 256])
def test_bare_names(name):
    assert not is_bare(name)
    with pytest.raises(ValueError, match="table, row 3: expected a name without a folder"):
        bare(name, "table, row 3")


@pytest.mark.parametrize("name", [n for n in HOSTILE if n != "~/x"])
def test_paths_that_leave(name, tmp_path):
    assert not stays_inside(name)
    with pytest.raises(ValueError, match="leaves the folder"):
        inside(tmp_path, name, "table: file")


@pytest.mark.parametrize("name", ["a", "clip one.mp4", "é王.png", "a..b", "00af-2"])
def test_names_that_are_taken(name, tmp_path):
    assert bare(name, "") == name
    assert inside(tmp_path, f"clips/{name}", "") == tmp_path / "clips" / name


@pytest.mark.parametrize("image", ["..", "/", "", "a\0b"])
def test_an_atlas_names_a_picture_beside_it(tmp_path, image):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    frame = {"frame": {"x": 0, "y": 0, "w": 8, "h": 8}}
    (tmp_path / "a.json").write_text(json.dumps({"frames": [frame], "meta": {"image": image}}))
    with pytest.raises(ValueError, match=r"a\.json: meta\.image: expected a name without a folder"):
        video_io.read(tmp_path / "a.json")


@pytest.mark.parametrize("component", ["../dual", "a\\b", "", "..", "a/b"])
def test_components_of_a_model_are_folders_in_it(tmp_path, component):
    from storyreel.model import load_tensors

    told = {"storyreel": 1, "recipe": {}, "components": {component: {"sha256": "0" * 64, "parameters": 1}}}
    (tmp_path / "model.json").write_text(json.dumps(told))
    refused = "expected a model of storyreel, with a name, sha256 and parameters of each component"
    with pytest.raises(ValueError, match=refused):
        load_tensors(tmp_path)


def test_a_checkpoint_reads_its_own_files(tmp_path):
    from storyreel.run import StageRun

    (tmp_path / "checkpoint-1").mkdir()
    state = {"step": 1, "sha256": {"../../secret": "0" * 64}}
    (tmp_path / "checkpoint-1" / "state.json").write_text(json.dumps(state))
    with pytest.raises(ValueError, match=r"state\.json: sha256: expected a name without a folder"):
        StageRun(tmp_path, "tokenizer").load()


def test_a_dataset_folder_looks_at_nothing_outside(tmp_path, monkeypatch):
    """Not even at the sizes of files, for its digest."""
    import os

    from storyreel.data.folder import DatasetFolder

    folder = tmp_path / "set"
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "a.png").write_bytes(b"1234")
    names = ["clips/a.png", "../../x.png", "/etc/hosts"]
    pq.write_table(pa.table({"file_name": names}), folder / "metadata.parquet")
    looked, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(Path(path)) or scandir(path))
    assert DatasetFolder.open(folder).digest
    assert looked == [folder / "clips"]
    for row in (1, 2):
        with pytest.raises(ValueError, match="leaves the dataset folder"):
            DatasetFolder.open(folder).file(row)


def test_a_report_names_clips_of_its_folder(tmp_path):
    from storyreel.leaderboard.entries import LeaderboardEntry, entrant_of

    run = LeaderboardEntry("other", "report", tmp_path / "report.json")
    report = {"per_clip": [{"file": "../../private.mp4"}]}
    with pytest.raises(ValueError, match=r"per_clip: file '\.\./\.\./private\.mp4' leaves the folder"):
        entrant_of(run, report, tmp_path, None, tmp_path)


def test_file_names_of_prompts(tmp_path):
    from storyreel.generate.prompts import read_prompts

    for name in ("../x", "C:x", "a\tb", "~x", ".x"):
        (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": "an orc", "name": name}))
        with pytest.raises(ValueError, match="name: expected a name without a folder"):
            read_prompts(tmp_path / "p.jsonl", {})


def test_shards_do_not_say_where_films_lie_here(tmp_path):
    """They are made to be passed on; the film's name stays."""
    import io
    import tarfile

    from storyreel.data.export import export_webdataset
    from storyreel.data.folder import DatasetFolder

    folder, here = tmp_path / "set", str(tmp_path / "private" / "film.mp4")
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "a.mp4").write_bytes(b"a clip")
    row = {"file_name": "clips/a.mp4", "caption": "a cat", "source": "film.mp4", "source_path": here}
    pq.write_table(pa.Table.from_pylist([row]), folder / "metadata.parquet")
    opened = DatasetFolder.open(folder)
    made = [shard for drawn in (False, True) for shard in export_webdataset(opened, tmp_path / f"{drawn}", drawn=drawn)]
    for shard in made:
        assert str(tmp_path).encode() not in shard.read_bytes()
        with tarfile.open(shard) as tar:
            (told,) = (json.load(tar.extractfile(m) or io.BytesIO()) for m in tar if m.name.endswith(".json"))
        assert (told["source"], told["caption"]) == ("film.mp4", "a cat")


def test_the_home_of_somebody_who_is_not_here_is_no_error_of_its_own(tmp_path):
    assert expanded("~") == Path.home()
    assert expanded("~nobody-of-this-name/x.png") == Path("~nobody-of-this-name/x.png")
    (tmp_path / "p.jsonl").write_text('{"prompt": "a ball", "image": "~nobody-of-this-name/x.png"}\n')
    with pytest.raises((ValueError, OSError), match="nobody-of-this-name"):
        read_prompts(tmp_path / "p.jsonl", {})
    for name in ("hub:~nobody-of-this-name/x", "~nobody-of-this-name/x"):
        with pytest.raises((ValueError, OSError), match="nobody-of-this-name"):
            registry.find(name, download=False)


def test_a_name_of_megabytes_is_compared_with_nothing():
    begun = time.process_time()
    for find in (recipes.get, worlds.find, load_text_encoder, protocol_named):
        with pytest.raises(ValueError, match=r"[Tt]here are"):
            find("phenaki" * 2_000_000)
    assert time.process_time() - begun < 2
