"""The page in a headless Chromium: look, move a threshold, drop, caption, save; all of it survives `curate filter`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from curated import serving, stub_set
from webdriver import Browser, programs

from storyreel.curate.edits import read_edits
from storyreel.curate.refilter import refilter
from storyreel.curate.rows import read_rows
from storyreel.curate.score import Limit
from storyreel.data.folder import DatasetFolder

pytestmark = pytest.mark.skipif(programs() is None, reason="chromium and chromedriver are not both on the PATH")

CARDS = "document.querySelectorAll('.card').length"
KEPT = "document.getElementById('kept').textContent"
ELSEWHERE = "performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin)"
ELSEWHERE += " && !n.startsWith('data:'))"
TYPE = """const input = document.querySelector(arguments[0]); input.focus(); input.value = arguments[1];
input.dispatchEvent(new Event('input', {bubbles: true})); input.dispatchEvent(new Event('change', {bubbles: true}));"""
SEEN = (
    "return [...document.querySelectorAll('.strip img, .around img')].filter(i => i.complete && i.naturalWidth).length"
)


@pytest.fixture
def dataset(movies: Path, tmp_path: Path) -> Path:
    shutil.copytree(movies, tmp_path / "set")
    return tmp_path / "set"


def rows_in(dataset: Path) -> dict[str, dict]:
    return {row["clip"]: row for row in read_rows(dataset / "curation" / "spans.parquet")}


def test_thresholds_move_and_decisions_survive_filtering(dataset: Path, tmp_path: Path):
    rows = rows_in(dataset)
    kept = [clip for clip, row in rows.items() if row["kept"]]
    assert len(kept) >= 2
    with serving(dataset) as server, Browser(tmp_path / "browser") as browser:
        browser.open(server.url)
        browser.wait(f"{CARDS} === {len(rows)}")
        browser.wait(f"{KEPT} === '{len(kept)} kept'")
        browser.wait(f"(() => {{ {SEEN} }})() > 2")
        assert browser.run("return document.querySelectorAll('.strip .lost').length") == 0

        browser.run(TYPE, "[data-limit='seconds.min']", "100")  # nothing is so long
        browser.wait(f"{KEPT} === '0 kept'")
        browser.wait(f"document.querySelectorAll('.card.rejected').length === {len(rows)}")
        assert "seconds.min=100" in browser.run("return decodeURIComponent(location.hash)")
        browser.click("#reset")
        browser.wait(f"{KEPT} === '{len(kept)} kept'")
        handle = "document.querySelector('[data-column=seconds] .handle.min')"
        browser.run(f"{handle}.focus()")
        before = browser.run(f"return {handle}.getAttribute('aria-valuenow')")
        browser.press("right")
        browser.wait(f"{handle}.getAttribute('aria-valuenow') !== '{before}'")
        browser.wait("!document.getElementById('reset').disabled")  # which the server's answer decides
        browser.click("#reset")
        browser.wait(f"document.querySelectorAll('.card.kept').length === {len(kept)}")

        browser.run(f"document.querySelector('[data-clip=\"{kept[0]}\"]').focus()")
        browser.press("d")
        browser.wait(f"document.querySelector('[data-clip=\"{kept[0]}\"]').classList.contains('rejected')")
        browser.wait(f"{KEPT} === '{len(kept) - 1} kept'")
        assert read_edits(dataset) == {kept[0]: {"keep": False}}
        browser.press("u")
        browser.wait(f"{KEPT} === '{len(kept)} kept'")
        browser.press("d")
        browser.wait(f"{KEPT} === '{len(kept) - 1} kept'")

        browser.click(f"[data-clip='{kept[1]}'] .text")
        browser.wait("document.querySelector('#viewer[open] video')?.readyState >= 2")
        browser.wait("document.querySelector('.around img')?.naturalWidth > 0")
        transitions = browser.run("return document.querySelectorAll('#viewer .track.far .cut').length")
        assert transitions == len(server.films.of(rows[kept[1]]).transitions) > 0
        browser.run(TYPE, "#caption", "written by hand")
        browser.click("#store")
        browser.wait("document.querySelector('.caption .row .hint').textContent === 'edited by hand'")
        browser.run("document.getElementById('viewer').close()")
        browser.run(TYPE, "#query", "written")
        browser.wait(f"{CARDS} === 1")
        assert browser.run(f"return {ELSEWHERE}") == []

        browser.run(TYPE, "[data-limit='text.max']", "0.5")
        browser.click("#save")
        browser.wait("document.getElementById('saving').open")
        assert browser.run("return document.getElementById('command').textContent").endswith("--set text.max=0.5")
        browser.click("#apply")
        browser.wait("!document.getElementById('saving').open", 120)

    for limit in (0.5, 0.9):  # by the page, then by the command
        found = rows_in(dataset)
        assert not found[kept[0]]["kept"]
        assert found[kept[0]]["reasons"][-1]["name"] == "manual"
        assert found[kept[1]]["caption"] == "written by hand"
        folder = DatasetFolder.open(dataset)
        assert kept[0] not in {folder.row(i)["clip"] for i in range(len(folder))}
        assert "written by hand" in [folder.captions(i)[0] for i in range(len(folder))]
        assert (server.session.state().thresholds.text.max or 0) == limit
        refilter(dataset, lambda now: type(now).from_json({**now.as_json(), "text": Limit(max=0.9).__dict__}))


def test_a_film_that_is_gone_is_told_in_words(tmp_path: Path):
    with serving(stub_set(tmp_path, [[{}]])) as server, Browser(tmp_path / "browser") as browser:
        browser.open(server.url)
        browser.wait(f"{CARDS} === 1")
        browser.click(".card .text")
        told = browser.wait("document.querySelector('#viewer figure .hint')?.textContent")
        assert told.startswith("No video: ")
        assert "film 0.mp4" in told
        browser.wait("document.querySelector('.strip .lost')")
        browser.run("document.getElementById('viewer').close()")
        browser.click("[data-view=rejected]")
        browser.wait("document.getElementById('empty').textContent.includes('Move a threshold')")


def test_a_phone_shows_it_too(dataset: Path, tmp_path: Path):
    with serving(dataset) as server, Browser(tmp_path / "phone", (390, 844), dark=True) as browser:
        browser.open(server.url)
        browser.wait(f"{CARDS} > 0")
        fits = "document.documentElement.scrollWidth <= 390"
        assert browser.run(f"return {fits}")
        small = "Math.min(...[...document.querySelectorAll('.card button')].map(b => b.getBoundingClientRect().height))"
        assert browser.run(f"return {small}") >= 44
        browser.click("#open-limits")
        browser.wait("document.querySelector('[data-column=seconds] .stage').getBoundingClientRect().width > 300")
        browser.run(TYPE, "[data-limit='seconds.min']", "100")
        browser.wait("document.getElementById('kept-too').textContent.startsWith('0 of')")
        browser.click("#close-limits")
        browser.wait("document.querySelectorAll('.card.rejected').length > 0")
        browser.click(".card .text")
        browser.wait("document.querySelector('#viewer').open")
        assert browser.run(f"return {fits}")
        browser.click("#viewer [data-keep='true']")
        browser.wait("document.querySelector('#viewer .verdict.kept')")
