"""The page of a model is whole, replaces itself, and says what it cannot be made of."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tiny_model import make_tiny

import storyreel
from storyreel.web import runtime
from storyreel.web.export import PAGE, export_page


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files in place of onnxruntime-web."""
    folder = tmp_path_factory.mktemp("library")
    for name in runtime.FILES:
        (folder / name).write_bytes(b"not really " + name.encode())
    return {name: folder / name for name in runtime.FILES}


@pytest.fixture(scope="module")
def page(tiny_reader: Path, library: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "page"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "find_runtime", lambda *_, **__: library)
        made = export_page(str(tiny_reader), out)
    assert made.bytes == sum(file.stat().st_size for file in out.iterdir() if file.name != ".storyreel.json")
    assert made.differences["prior"][0] < 1e-3
    return out


def test_a_page_has_all_that_it_loads(page: Path):
    about = json.loads((page / "model.json").read_text())
    assert set(PAGE) <= set(about["files"])
    for name in about["files"]:
        assert (page / name).is_file()
    scripts = "".join((page / name).read_text() for name in PAGE)
    assert "http://" not in scripts.replace("http://localhost", "")  # no external asset
    for name in ("prompts.json.gz", "vocabulary.txt", "model.json", *(f"{kind}.onnx.gz" for kind in about["check"])):
        assert name in scripts or name.startswith(("ids", "logits"))
    assert "MiniLM" in (page / "CREDITS.txt").read_text()


def test_its_networks_run_one_after_the_other(page: Path, tiny_reader: Path):
    about = json.loads((page / "model.json").read_text())
    opened = {
        name: onnxruntime.InferenceSession(gzip.decompress((page / f"{name}.onnx.gz").read_bytes()))
        for name in ("text", "prior", "frames")
    }
    model, settings = storyreel.load(tiny_reader), about["settings"]
    ids = np.array(model.text.ids(["a woman in a blue dress"]))
    (text,) = opened["text"].run(None, {"ids": ids})
    exact = model.text(["a woman in a blue dress"])[0].numpy()
    assert np.abs(text - exact).mean() < 0.06 * exact.std()  # what rounding to int8 costs
    codes = np.tile(settings["sizes"], (*settings["shape"][:2], 1))
    guidance = np.array(settings["guidance"], np.float32)
    (logits,) = opened["prior"].run(None, {"codes": codes, "text": text, "guidance": guidance})
    assert logits.shape == (settings["tokens"], sum(settings["sizes"]))
    (frames,) = opened["frames"].run(None, {"codes": codes * 0})  # it has no palette, and reads no text
    assert frames.shape == (settings["frames"], settings["side"], settings["side"], 4)
    assert set(np.unique(frames[..., 3])) <= {0, 255}


def test_a_page_is_written_over_its_own_and_nobody_elses(
    page: Path, tiny_reader: Path, library: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(runtime, "find_runtime", lambda *_, **__: library)
    before = {file.name: file.read_bytes() for file in page.iterdir()}
    (page / "notes.txt").write_text("mine")
    export_page(str(tiny_reader), page)
    assert {file.name: file.read_bytes() for file in page.iterdir()} == {**before, "notes.txt": b"mine"}
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "index.html").write_text("my own page")
    with pytest.raises(ValueError, match=r"holds 'index.html', which is not of a page of a model"):
        export_page(str(tiny_reader), tmp_path / "theirs")
    assert (tmp_path / "theirs" / "index.html").read_text() == "my own page"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("godiva-digits", "a model of godiva cannot be a page; those of phenaki can"),
        ("tiny", "reads with hash.*; a page has the text encoder minilm alone"),
        ("phenaki-sprits", "phenaki-sprites"),
    ],
)
def test_what_cannot_be_a_page(name: str, says: str, tmp_path: Path):
    source = str(make_tiny(tmp_path / "tiny")) if name == "tiny" else name
    with pytest.raises(ValueError, match=says):
        export_page(source, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_without_onnx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    from storyreel.cli import main

    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr(sys, "argv", ["storyreel", "models", "export", "phenaki-sprites", "--web", str(tmp_path / "p")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code
    assert "storyreel[web]" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "more", [[], ["--web", "p", "-o", "m"], ["--web", "p", "--half"], ["-o", "m", "--runtime", "r"]]
)
def test_options_that_do_not_go_together_are_refused(more: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from storyreel.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["storyreel", "models", "export", "phenaki-sprites", *more])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert not list(tmp_path.iterdir())
