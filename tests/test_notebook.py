"""ClipList in a notebook: HTML that plays them, alone and as a grid."""

from __future__ import annotations

import base64
import html.parser
import io
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_model import tiny, tiny_folder  # noqa: F401

import storyreel
from storyreel import Clip
from storyreel.notebook import MAX_CLIPS, MAX_FRAMES, MAX_SIDE, ClipList


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
