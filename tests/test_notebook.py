"""ClipList in a notebook: HTML that plays them, alone and as a grid."""

from __future__ import annotations

import base64
import html.parser
import io
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_model import tiny, tiny_folder  # noqa: F401

import storyreel
from storyreel import Clip
from storyreel.evaluate.command import EvaluationResult
from storyreel.notebook import MAX_CLIPS, MAX_FRAMES, MAX_SIDE, ClipList, is_notebook


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def pictures(self) -> list[Image.Image]:
        sources = [str(each["src"]) for tag, each in self.found if tag == "img"]
        return [Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2]))) for source in sources]


def clip(count: int = 5, height: int = 16, width: int = 12, channels: int = 4, caption: str = "an orc") -> Clip:
    frames = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return Clip(frames, Fraction(8), caption)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_clip_plays_with_its_exact_pixels(channels: int) -> None:
    one = clip(channels=channels)
    tags = Tags(one._repr_html_())
    (picture,) = tags.pictures
    assert (picture.n_frames, picture.info["loop"]) == (5, 0)
    for index, frame in enumerate(one.frames):
        picture.seek(index)
        seen = np.asarray(picture.convert("RGBA"))
        assert picture.info["duration"] == 125
        solid = seen[..., 3] > 0
        assert (seen[solid][:, :3] == frame[solid][:, :3]).all()
    assert "width: 192px" in str(tags.found[1][1]["style"]), "sixteen times as large, without blur"
    assert tags.text == "an orc"


def test_captions_are_text_and_no_markup() -> None:
    tags = Tags(clip(caption='<script>alert(1)</script>" onerror="x')._repr_html_())
    assert [tag for tag, _ in tags.found] == ["figure", "img", "figcaption"]
    assert set(tags.found[1][1]) == {"alt", "style", "src"}
    assert tags.text == '<script>alert(1)</script>" onerror="x'


def test_large_and_long_clips_are_cut_and_say_so() -> None:
    tags = Tags(clip(count=MAX_FRAMES + 3, height=MAX_SIDE * 2, width=20, channels=3)._repr_html_())
    (picture,) = tags.pictures
    assert picture.size == (10, MAX_SIDE)
    assert picture.n_frames == MAX_FRAMES
    assert f"({MAX_FRAMES} of {MAX_FRAMES + 3} frames)" in tags.text


def test_a_list_of_clips_is_a_grid() -> None:
    assert len(Tags(ClipList([clip(), clip(1), clip(2)])._repr_html_()).pictures) == 3
    many = Tags(ClipList([clip(1)] * (MAX_CLIPS + 1))._repr_html_())
    assert len(many.pictures) == MAX_CLIPS
    assert f"{MAX_CLIPS} of {MAX_CLIPS + 1} clips" in many.text
    assert ClipList()._repr_html_() == "<div></div>"


@pytest.mark.usefixtures("tiny")
def test_several_prompts_give_what_each_gives_alone() -> None:
    model = storyreel.load("tiny")
    both = model(["an orc", "a woman"], seed=3, count=2, steps=2)
    assert isinstance(both, ClipList)
    assert [one.caption for one in both] == ["an orc", "an orc", "a woman", "a woman"]
    alone = [*model("an orc", seed=3, count=2, steps=2), *model("a woman", seed=3, count=2, steps=2)]
    for one, other in zip(both, alone, strict=True):
        assert (one.frames == other.frames).all()
        assert one.meta == other.meta


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("prompts", "said"), [([], "the list is empty"), (["an orc", ""], "prompt: it is empty")])
def test_nothing_is_made_where_a_prompt_is_missing(prompts: Any, said: str) -> None:
    steps: list[Any] = []
    with pytest.raises(ValueError, match=said):
        storyreel.load("tiny")(prompts, on_progress=steps.append)
    assert steps == []


class Display:
    """Stands in for IPython: the pages that a notebook was shown, each output with what followed in its place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outputs: list[list[str]] = []
        shell = types.SimpleNamespace(kernel=object())
        display = types.ModuleType("IPython.display")
        display.HTML, display.display = str, self.show  # pyright: ignore
        module = types.ModuleType("IPython")
        module.get_ipython, module.display = lambda: shell, display  # pyright: ignore
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def show(self, page: str, display_id: bool = False) -> Any:
        assert display_id
        self.outputs.append([page])
        return types.SimpleNamespace(update=self.outputs[-1].append)


@pytest.mark.usefixtures("tiny")
def test_a_notebook_shows_bars_of_videos_and_of_datasets(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from storyreel.data.parallel import progress
    from storyreel.train.report import Reporter

    assert not is_notebook()
    shown = Display(monkeypatch)
    assert is_notebook()
    model = storyreel.load("tiny")
    model("an orc", count=2, steps=2)
    (output,) = shown.outputs
    assert 'value="0" max="2"' in output[0]
    assert output[-1] == '<div>videos <progress value="2" max="2"></progress> 2 of 2 </div>'
    model("an orc", steps=2, on_progress=lambda step: None)
    assert len(shown.outputs) == 1, "somebody else shows the steps"
    with progress("<making>", 3) as advance:
        advance(3)
    assert shown.outputs[1][-1].startswith('<div>&lt;making&gt; <progress value="3" max="3">')
    with Reporter(Path("run"), quiet=False, bar=True) as reporter:
        Path("run/base").mkdir(parents=True)
        reporter.log = []
        reporter({"step": 4, "loss": 0.5}, {"stage": "base", "clips": 4, "seconds": 0.5, "steps": 4})
    assert "4 of 4 loss 0.5, 8 clips/s" in shown.outputs[2][-1]
    assert capsys.readouterr().err == ""


def test_a_report_is_shown_inline(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text('<script>let a = "b"</script>')
    tags = Tags(EvaluationResult({}, ["fvd 1"], page)._repr_html_())
    assert [tag for tag, _ in tags.found] == ["iframe"]
    assert tags.found[0][1]["srcdoc"] == page.read_text()
    assert EvaluationResult({}, ["a < b"])._repr_html_() == "<pre>a &lt; b</pre>"
