"""The page in a headless Chromium: a rater who votes with keys and fingers, on a desktop and on a phone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import serving
from webdriver import Browser, programs

from storyreel.study.create import StudyOptions, create
from storyreel.study.plan import Study

pytestmark = pytest.mark.skipif(programs() is None, reason="chromium and chromedriver are not both on the PATH")

OPEN = "document.querySelector('#answers.open')"
ENDED = "!document.getElementById('end').hidden"
VIDEOS = "[...document.querySelectorAll('video')].map(v => [v.currentTime, v.duration, v.videoWidth, v.paused])"
IN_STEP = f"({VIDEOS}).every(v => !v[3] && v[0] > 0) && Math.abs(({VIDEOS})[0][0] - ({VIDEOS})[1][0]) < 0.15"
EARLY = f"if (!{OPEN}) document.dispatchEvent(new KeyboardEvent('keydown', {{key: '1'}}))"  # at once, or not at all
SEEN = """const b = [...document.querySelectorAll('#answers button, figure')].map(e => e.getBoundingClientRect());
return {wide: document.documentElement.scrollWidth - innerWidth, low: Math.max(...b.map(r => r.bottom)) - innerHeight,
  small: Math.min(...b.map(r => Math.min(r.width, r.height))), page: innerWidth}"""
ELSEWHERE = "performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin)"
ELSEWHERE += " && !n.startsWith('blob:' + location.origin) && !n.startsWith('data:'))"


def answers(study: Study) -> list[str]:
    db = sqlite3.connect(study.votes_file)
    try:
        return [row[0] for row in db.execute("SELECT answer FROM votes ORDER BY trial")]
    finally:
        db.close()


def position(browser: Browser) -> str:
    return browser.run("return document.getElementById('where').textContent")


def vote(browser: Browser, how: Callable[[], Any]) -> None:
    """Answer as soon as that is possible, and wait for what comes after."""
    browser.wait(OPEN)
    before = position(browser)
    how()
    browser.wait(f"{ENDED} || document.getElementById('where').textContent !== {before!r}")


def test_a_rater_votes_with_keys_and_comes_back_by_link(two_models: list[Path], tmp_path: Path):
    study = create(two_models, tmp_path / "study", preset_name="godiva", options=StudyOptions(catch=1)).study
    with serving(study) as server:
        with Browser(tmp_path / "first") as browser:
            browser.open(server.url)
            browser.wait("!document.getElementById('welcome').hidden")
            assert server.votes.counts()["raters"] == 0  # looking is not joining
            browser.click("#start")
            browser.wait("document.querySelectorAll('#answers button').length === 4")
            browser.run(EARLY)  # before the clips were watched: nothing happens
            browser.wait(IN_STEP)
            assert [each[1:3] for each in browser.run(f"return {VIDEOS}")] == [[0.75, 512]] * 2
            assert position(browser) == "Pair 1 of 4, question 1 of 2"
            assert browser.run("return document.getElementById('prompt').hidden")
            assert browser.run("return document.activeElement.id") == "question"  # read aloud by screen readers
            browser.wait(OPEN)
            browser.wait("document.getElementById('left').currentTime < 0.3")  # they loop
            browser.wait("document.getElementById('left').currentTime > 0.3")
            vote(browser, lambda: browser.press("1"))
            assert not browser.run("return document.getElementById('prompt').hidden")
            assert browser.run("return document.querySelector('#prompt q').textContent").endswith(("left", "right"))
            seen = browser.run(SEEN)
            assert seen["page"] == 1280
            assert seen["wide"] <= 0
            assert seen["low"] <= 0
            vote(browser, lambda: browser.press("2"))
            vote(browser, lambda: browser.press("right"))
            assert browser.run("return document.getElementById('bar').getAttribute('aria-valuenow')") == "3"
            assert browser.run(f"return {ELSEWHERE}") == []
            browser.click("#link")
            link = browser.run("return document.getElementById('address').value")
            there = position(browser)
        assert answers(study) == ["left", "tie", "right"]
        with Browser(tmp_path / "second") as browser:  # another browser, which knows the link alone
            browser.open(link)
            browser.wait(OPEN)
            assert position(browser) == there == "Pair 2 of 4, question 2 of 2"
            for key in ("left", "down", "4", "3", "up"):
                vote(browser, lambda key=key: browser.press(key))
            browser.wait(ENDED)
            assert "All 8 answers are saved" in browser.run("return document.body.innerText")
    assert answers(study) == ["left", "tie", "right", "left", "tie", "both_bad", "right", "both_bad"]


def test_a_phone_shows_all_at_once_and_takes_fingers(two_models: list[Path], tmp_path: Path):
    study = create(two_models, tmp_path / "study", options=StudyOptions(catch=0, watch=0.2)).study
    with serving(study) as server, Browser(tmp_path / "phone", (390, 844), dark=True) as browser:
        browser.open(server.url)
        browser.wait("!document.getElementById('welcome').hidden")
        light = "getComputedStyle(document.body).backgroundColor"
        assert browser.run(f"return {light}") == "rgb(19, 20, 24)"  # dark, as the phone wants it
        browser.click("#start")
        for answer in ("right", "left", "tie", "right"):
            browser.wait(OPEN)
            seen = browser.run(SEEN)
            assert seen["page"] == 390
            assert seen["wide"] <= 0
            assert seen["low"] <= 0
            assert seen["small"] >= 44  # a finger's width
            vote(browser, lambda answer=answer: browser.click(f"[data-answer={answer}]"))
        browser.wait(ENDED)
        assert answers(study) == ["right", "left", "tie", "right"]
        browser.open("about:blank")
        browser.open(server.url)  # the browser remembers who it is
        browser.wait(ENDED)
        assert server.votes.counts()["raters"] == 1


def test_a_server_that_is_away_for_a_while_loses_no_answer(two_models: list[Path], tmp_path: Path):
    study = create(
        two_models, tmp_path / "study", options=StudyOptions(catch=0, watch=0.0, questions=("quality",))
    ).study
    with Browser(tmp_path / "browser") as browser:
        with serving(study) as server:
            port = server.port
            browser.open(server.url)
            browser.wait("!document.getElementById('welcome').hidden")
            browser.click("#start")
            browser.wait(OPEN)
        browser.press("3")
        browser.wait("!document.getElementById('trouble').hidden")
        assert answers(study) == []
        with serving(study, port):
            browser.wait("document.getElementById('where').textContent.startsWith('Pair 2')")
            browser.wait("document.getElementById('trouble').hidden")
    assert answers(study) == ["right"]
