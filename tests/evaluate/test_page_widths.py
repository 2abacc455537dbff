"""The leaderboard and the report fit a desktop and a phone: nothing is cut, and nothing scrolls sideways but tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from webdriver import Browser, programs

from storyreel.clip import Clip

pytestmark = pytest.mark.skipif(programs() is None, reason="sh .ci/browser installs Chromium and its driver")
WIDTHS = ((1280, 900), (390, 844))
NAMES = ("calm-and-with-a-very-long-name-of-its-model", "noisy", "noisier", "wild")
# What lies outside of the page and of every box that scrolls.
CUT = """
    const inside = (node) => {
        for (let up = node.parentElement; up; up = up.parentElement)
            if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return true;
        return false;
    };
    return [...document.body.querySelectorAll("*")]
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && !inside(node))
        .map((node) => node.tagName + "." + node.className);
"""


def write_clips(folder: Path, noise: float) -> Path:
    folder.mkdir(parents=True)
    for i in range(6):
        rng = np.random.default_rng(i)
        pixels = np.full((6, 16, 16, 3), 60.0)
        for t, frame in enumerate(pixels):
            frame[4:8, t : t + 4] = 200
        pixels += rng.normal(0, noise, pixels.shape)
        prompt = f"a square that crosses a field of gray from the left to the right, number {i}"
        Clip(pixels.clip(0, 255).round().astype(np.uint8), meta={"prompt": prompt, "seed": i}).save(folder / f"{i}.mkv")
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from storyreel.cli import main

    folder = tmp_path_factory.mktemp("board")
    clips = [write_clips(folder / name, noise) for name, noise in zip(NAMES, (2, 20, 40, 60), strict=True)]
    with pytest.raises(SystemExit) as done:
        main(["leaderboard", *map(str, clips), "--metrics", "flicker,jitter,dynamic,sticking",
              "-o", str(folder / "out"), "--quiet"])  # fmt: skip
    assert not done.value.code
    return folder / "out"


@pytest.mark.parametrize("size", WIDTHS, ids=["desktop", "phone"])
def test_pages_fit_the_window(board: Path, size: tuple[int, int], tmp_path: Path):
    pages = {"leaderboard": board / "leaderboard.html", "report": board / "reports" / NAMES[0] / "report.html"}
    with Browser(tmp_path / "browser", size) as browser:
        for name, page in pages.items():
            browser.open(page.as_uri())
            browser.wait("document.readyState === 'complete'")
            browser.screenshot(tmp_path / f"{name}.png")
            assert browser.run("return document.documentElement.scrollWidth") <= size[0], name
            assert browser.run(CUT) == [], name
            words = browser.run("return document.body.innerText")
            assert not re.search(r"\de[-+\u2212]\d|NaN|undefined|\[object", words), name


def test_a_leaderboard_of_four_scores_is_not_cut_on_a_desktop(board: Path, tmp_path: Path):
    with Browser(tmp_path / "browser", WIDTHS[0]) as browser:
        browser.open((board / "leaderboard.html").as_uri())
        wide, box = browser.run(
            "const t = document.querySelector('table'); return [t.offsetWidth, t.parentElement.clientWidth]"
        )
        head = browser.run("return document.querySelector('thead').innerText")
    assert wide <= box
    assert "parameters" not in head  # which no folder of clips says


def test_a_wide_table_scrolls_in_its_own_box_on_a_phone(board: Path, tmp_path: Path):
    with Browser(tmp_path / "browser", WIDTHS[1]) as browser:
        browser.open((board / "leaderboard.html").as_uri())
        tables = browser.run(
            "return [...document.querySelectorAll('table')].map(t => [t.offsetWidth, t.parentElement.clientWidth,"
            " getComputedStyle(t.parentElement).overflowX])"
        )
    assert tables
    assert [one for one in tables if one[0] > one[1] and one[2] not in ("auto", "scroll")] == []
