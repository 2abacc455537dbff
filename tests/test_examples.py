"""The examples run: the notebook cell by cell, and the Space with a stand-in for gradio, which is not installed."""

from __future__ import annotations

import ast
import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_model import tiny, tiny_folder  # noqa: F401

import storyreel
from storyreel.json_file import read_object

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """As a notebook does: the value of the last line is what is shown."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # pyright: ignore


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    document = read_object(EXAMPLES / "first_clips.ipynb")
    cells = ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in document["cells"])
    names: dict[str, Any] = {}
    shown = [run_cell(cell, names) for cell in cells]
    assert len(names["clips"]) == 4
    assert shown[1]._repr_html_().count("<img") == 4
    assert shown[3]["prompt"] == "digit 3 is moving up then down"
    assert "<iframe" in shown[4]._repr_html_()
    assert json.loads((tmp_path / "report" / "report.json").read_text())["clips"]["n"] == 4


class Gradio(types.ModuleType):
    """Every component keeps what it was made with."""

    class Error(Exception):
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **named: types.SimpleNamespace(kind=name, args=args, **named)


@pytest.mark.usefixtures("tiny")
def test_the_space_makes_a_video_of_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", Gradio("gradio"))
    monkeypatch.setenv("STORYREEL_MODEL", "tiny")
    app = runpy.run_path(str(EXAMPLES / "space" / "app.py"))
    make, inputs, video = app["page"].args
    assert [each.kind for each in (*inputs, video)] == ["Textbox", "Number", "Video"]
    steps: list[tuple[int, int]] = []
    file = make("an orc", 3.0, steps.append)
    clip = storyreel.read(file)
    assert clip.meta["prompt"] == "an orc"
    assert clip.meta["seed"] == 3
    assert steps[-1][0] == steps[-1][1]
    with pytest.raises(Gradio.Error, match="prompt: it is empty"):
        make("", 0.0, steps.append)
    card = (EXAMPLES / "space" / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["sdk"], head["app_file"]) == ("gradio", "app.py")
    assert len((EXAMPLES / "space" / "app.py").read_text().splitlines()) <= 30
