"""The atlas is loaded by the engines themselves: Phaser 3 and 4, PixiJS 8, in a headless Chromium."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from engines import LIBRARIES, loaded

from storyreel.atlas import Grid, Sheet, Tag

sys.path.append(str(Path(__file__).parents[1] / "study"))
from webdriver import Browser, programs

WHY = "sh .ci/engines and sh .ci/browser install what is missing"
missing = programs() is None or not all(file.is_file() for file in LIBRARIES.values())
pytestmark = [pytest.mark.skipif(missing, reason=WHY), pytest.mark.needs_download]  # npm's registry may be out of reach


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def sheet() -> Sheet:
    """Thirteen frames of 8x6 in three rows: a walk that goes round, a fall that does not, and a frame of the walk."""
    frames = np.random.default_rng(0).integers(0, 256, (13, 6, 8, 4), dtype=np.uint8)
    frames[..., 3] = 255
    places = [*((x, 0) for x in range(7)), *((x, 1) for x in range(6))]
    tags = [
        Tag("walk-down", 1, 6),
        Tag("hurt-down", 7, 12, once=True),
        Tag("idle-down", 0, 0),
        Tag("slash-down", 7, 12, back=True),
    ]
    return Sheet(frames, places, [125] * 12 + [250], tags)


@pytest.mark.parametrize("engine", LIBRARIES)
@pytest.mark.parametrize(("factor", "padding", "pot"), [(1, 0, False), (2, 3, True)])
def test_an_engine_finds_every_animation_and_plays_it(
    browser: Browser, tmp_path: Path, sheet: Sheet, engine: str, factor: int, padding: int, pot: bool
) -> None:
    sheet.save(tmp_path / "who.png", factor, Grid(padding=padding, pot=pot))
    atlas = json.loads((tmp_path / "who.json").read_text())
    told = loaded(browser, tmp_path, engine, "who", "walk-down")
    assert "error" not in told
    assert set(told["animations"]) == {tag.name for tag in sheet.tags}
    entries = list(atlas["frames"].values())
    for tag in sheet.tags:
        found = told["animations"][tag.name]
        order = tag.order if engine == "pixi8" else range(tag.first, tag.last + 1)  # Phaser has `yoyo` to go back
        assert told.get("yoyo", {}).get(tag.name, tag.back) == tag.back
        for (x, y, w, h, more), entry in zip(found, (entries[i] for i in order), strict=True):
            of = factor if engine == "pixi8" else 1  # PixiJS measures in pixels of the sheet before it was enlarged
            assert [round(side * of) for side in (x, y, w, h)] == [entry["frame"][key] for key in "xywh"]
            assert more == (factor if engine == "pixi8" else entry["duration"])
    assert told["played"] == 6
