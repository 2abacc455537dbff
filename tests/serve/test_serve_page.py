"""The studio's page in Chromium: a sentence is typed, a clip grows, is marked, made again and found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from live import ROOT, Live
from webdriver import Browser, programs

pytestmark = pytest.mark.skipif(programs() is None, reason="chromium and chromedriver are not both on the PATH")

TYPE = """
const box = document.querySelector(arguments[0]);
const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), "value").set;
set.call(box, arguments[1]);
box.dispatchEvent(new Event("input", {bubbles: true}));
"""
CARDS = "[...document.querySelectorAll('.card')].filter(card => card.textContent.includes('a lonely orc'))"
CARD = f"{CARDS}[0]"


def test_from_a_sentence_to_a_clip_that_stays(server: Live, tmp_path: Path):
    with Browser(tmp_path / "browser") as browser:
        browser.open(server.url)
        browser.wait("document.querySelectorAll('.settings option').length > 2")
        browser.run(TYPE, "#prompt", "a lonely orc")
        browser.click(".make")
        browser.wait(f"{CARD}?.classList.contains('completed')")
        browser.wait(f"{CARD}.querySelector('video')?.readyState >= 2")
        assert browser.run(f"return {CARD}.querySelector('video').videoWidth") == 512
        browser.run(f"{CARD}.querySelector('[aria-label=Favourite]').click()")
        browser.wait(f"{CARD}.querySelector('[aria-label=Favourite]').ariaPressed === 'true'")
        browser.run(f"[...{CARD}.querySelectorAll('button')].find(b => b.textContent === 'Command').click()")
        commands = browser.wait(f"{CARD}.querySelector('.commands')?.textContent")
        assert "storyreel generate 'a lonely orc' -m tiny" in commands
        browser.run(f"[...{CARD}.querySelectorAll('button')].find(b => b.textContent === 'Other seed').click()")
        browser.wait(f"{CARDS}.filter(card => card.classList.contains('completed')).length === 2")
        browser.open(server.url)  # as after a restart: what the page shows, the server remembers
        browser.wait("document.querySelectorAll('.card').length > 1")
        browser.run(TYPE, "nav input", "lonely nothing")
        browser.wait("document.querySelectorAll('.card').length === 0")
        browser.run(TYPE, "nav input", "lonely orc")
        browser.wait("document.querySelectorAll('.card').length === 2")
        browser.click("nav button")
        browser.wait("document.querySelectorAll('.card').length === 1")


def test_what_cannot_be_made_is_told_and_a_phone_has_no_sideways_scroll(server: Live, tmp_path: Path):
    with Browser(tmp_path / "browser", size=(390, 844), dark=True) as browser:
        browser.open(server.url)
        browser.wait("document.querySelectorAll('.settings option').length > 2")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        names = browser.run(
            "return [...document.querySelectorAll('button, input, select, textarea')].filter(each => "
            "!(each.textContent || each.ariaLabel || each.labels?.length)).map(each => each.outerHTML)"
        )
        assert names == []
        browser.run(TYPE, "#prompt", "an orc")
        browser.run("document.querySelector('.ask').noValidate = true")
        browser.run(TYPE, "input[step=any]", "100000")
        browser.wait("document.querySelector('.cost.bad')?.textContent.includes('tiny makes 1 to 4096 frames')")
        browser.click(".make")  # which the answer before it has moved to its place
        assert "tiny makes 1 to 4096 frames" in browser.wait("document.querySelector('.error')?.textContent")


def test_the_page_is_what_vite_builds_of_its_source(tmp_path: Path):
    """Where Node and the packages of studio/ are installed; elsewhere that the built page is whole."""
    page = ROOT / "storyreel/serve/page"
    for name in ("index.html", "studio.js", "studio.css"):
        assert (page / name).stat().st_size > 200
    assert "<style" not in (page / "index.html").read_text()
    if not (ROOT / "studio/node_modules").is_dir() or shutil.which("npx") is None:
        return
    command = ["npx", "vite", "build", "--outDir", str(tmp_path / "page")]
    subprocess.run(command, cwd=ROOT / "studio", check=True, capture_output=True)
    for file in page.iterdir():
        assert (tmp_path / "page" / file.name).read_bytes() == file.read_bytes(), f"run npm run build: {file.name}"
