"""The studio in Chromium, by Playwright: ticks, seeds side by side, stories, files that set the form, accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import Live
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH")
PATIENCE = 240_000  # milliseconds; machines of continuous integration may be busy
SCENE = {"model": "tiny", "seconds": "0.25", "num_inference_steps": 1}
UNNAMED = """() => [...document.querySelectorAll('button, input, select, textarea, summary, a')].filter(each =>
    each.offsetParent && !(each.textContent.trim() || each.ariaLabel || each.labels?.length))
    .map(each => each.outerHTML)"""
WIDTHS = "() => [document.documentElement.scrollWidth, innerWidth]"
PAINTED = """async canvases => {
    for (let i = 0; i < 2; i++) await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return [...document.querySelectorAll(canvases)].map(each => each.toDataURL());
}"""
CONTRAST = """() => {
    const light = color => {
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = each => {
        for (; each; each = each.parentElement) {
            const color = getComputedStyle(each).backgroundColor;
            if (!/, 0\\)$/.test(color) && color !== 'transparent') return color;
        }
    };
    return [...document.querySelectorAll('label, p, h1, h2, h3, button, summary, .ticks li')]
        .filter(each => each.offsetParent && each.textContent.trim() && !each.disabled).map(each => {
        const [a, b] = [light(getComputedStyle(each).color), light(ground(each))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), each.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, server: Live, at: str = "", **options: Any) -> Page:
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server.url}/{at}")
    expect.set_options(timeout=PATIENCE)
    return page


@pytest.fixture
def page(chromium: Browser, server: Live) -> Iterator[Page]:
    page = opened(chromium, server)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    page.context.close()
    assert problems == []


def pixels(page: Page, canvases: str) -> list[str]:
    """What is painted on them, once the page has drawn what was asked for."""
    return page.evaluate(PAINTED, canvases)


def one_step(page: Page) -> None:
    page.get_by_text("Size, rate, format, and more").click()
    page.get_by_label("Sampling steps").fill("1")
    page.get_by_label("Best of").fill("1")


def test_seeds_are_ticked_and_stand_side_by_side(page: Page, server: Live):
    page.get_by_label("Model").select_option("tiny-sprites")
    expect(page.get_by_label("Until all is right")).to_be_visible()
    one_step(page)
    page.get_by_label("What shall the video show?").fill("an orc in golden armor, facing left")
    page.get_by_label("Seeds side by side").fill("2")
    page.get_by_role("button", name="Make 2").click()
    cards = page.locator(".card.completed").filter(has_text="an orc in golden armor, facing left")
    expect(cards).to_have_count(2)
    ticks = cards.first.get_by_role("list", name="What the judge sees")
    expect(ticks.get_by_role("listitem")).to_have_count(3)
    video = server.ask("GET", "/v1/videos?q=golden&limit=1")[1]["data"][0]
    for tick, item in zip(video["storyreel"]["result"]["ticks"], ticks.get_by_role("listitem").all(), strict=True):
        assert ("is right" if tick["right"] else "is wrong: it shows") in item.inner_text()
    expect(page.locator(".cost")).to_contain_text("about")  # this model has made videos here
    page.get_by_role("button", name="Side by side", exact=True).click()
    expect(page.locator(".compared canvas")).to_have_count(2)
    page.get_by_role("button", name="Pause").click()
    split = page.get_by_label("How much of A is shown")
    shown = {}
    for key in ("End", "Home"):
        split.press(key)
        expect(split).to_have_value("100" if key == "End" else "0")
        shown[key] = pixels(page, ".ab canvas")[0]
    each = pixels(page, ".compared canvas")
    assert [shown["End"], shown["Home"]] == each
    assert each[0] != each[1]


def test_a_story_is_made_scene_by_scene_and_a_scene_again(page: Page, server: Live):
    page.get_by_label("Model").select_option("tiny")
    page.get_by_role("button", name="A story in scenes").click()
    one_step(page)
    for n, prompt in ((1, "an orc walks far"), (2, "the orc falls down")):
        page.get_by_label(f"Scene {n}", exact=True).fill(prompt)
        page.get_by_label(f"Seconds of scene {n}").fill("0.25")
    page.get_by_role("button", name="Make the story").click()
    scenes = page.get_by_role("list", name="Scenes")
    expect(scenes.locator("button.completed")).to_have_count(2)
    expect(page.get_by_role("heading", name="Story, 0.5 seconds")).to_be_visible()
    scenes.get_by_role("button").first.click()
    page.get_by_role("button", name="Another version").click()
    versions = page.get_by_role("group", name="Versions of scene 1")
    expect(versions.get_by_role("button")).to_have_count(2)
    expect(page.locator(".timeline .lost")).to_have_count(1)
    page.get_by_role("button", name="Make it again from here").click()
    expect(scenes.locator("button.completed")).to_have_count(2)
    expect(page.locator(".timeline .lost")).to_have_count(0)
    page.get_by_label("Shows").last.fill("the orc stands up")
    page.get_by_role("button", name="Add the scene").click()
    expect(scenes.locator("button.completed")).to_have_count(3)
    page.reload()
    expect(scenes.get_by_role("button")).to_have_count(3)
    newest = server.ask("GET", "/v1/videos?limit=1")[1]["data"][0]
    assert (newest["prompt"], newest["seconds"]) == ("the orc stands up", "0.75")
    assert page.evaluate(UNNAMED) == []


def test_a_file_that_was_made_here_sets_the_form_and_another_is_begun_with(page: Page, server: Live, tmp_path: Path):
    body = {"prompt": "an orc with a file", "model": "tiny", "seed": 77, "steps": 2, "fps": "6", "crisp": False}
    made = server.wait(server.ask("POST", "/v1/videos", body)[1]["id"])
    cards = page.locator(".card.completed").filter(has_text="an orc with a file")
    expect(cards).to_have_count(1)  # the page has told of it, and tells of nothing more until another one is made
    file = tmp_path / "made.mp4"
    file.write_bytes(server.raw("GET", f"/v1/videos/{made['id']}/content")[2])
    page.get_by_label("File to open").set_input_files(file)
    expect(page.get_by_label("What shall the video show?")).to_have_value("an orc with a file")
    expect(page.get_by_label("Model")).to_have_value("tiny")
    number, text, choice = "spinbutton", "textbox", "combobox"
    fields = [(number, "Seed", "77"), (number, "Sampling steps", "2"), (choice, "Format", "mp4")]
    for role, name, value in [*fields, (text, "Frames a second", "6")]:
        expect(page.get_by_role(role, name=name, exact=True)).to_have_value(value)
    expect(page.get_by_role("button", name="Leave out crisp")).to_be_visible()
    from PIL import Image

    Image.new("RGB", (16, 16), "red").save(tmp_path / "red.png")
    page.get_by_label("File to open").set_input_files(tmp_path / "red.png")
    expect(page.get_by_role("button", name="Leave out red.png")).to_be_visible()
    page.get_by_role("button", name="Make", exact=True).click()
    expect(cards).to_have_count(2)
    expect(page.get_by_role("status")).to_contain_text("Made: an orc with a file")
    assert server.ask("GET", "/v1/videos?limit=1")[1]["data"][0]["storyreel"]["inputs"] == ["image"]


def test_many_videos_wait_and_the_page_still_answers(page: Page, server: Live):
    """A browser opens six connections to a server; streams of events must not take them all."""
    long = {"prompt": "an orc that waits", "model": "tiny", "num_frames": 600, "num_inference_steps": 40}
    ids = [server.ask("POST", "/v1/videos", long)[1]["id"] for _ in range(9)]
    expect(page.locator(".card").filter(has_text="an orc that waits")).to_have_count(9)
    page.get_by_label("Search the videos").fill("that waits")
    last = page.locator(".card.queued").filter(has_text="waits, 8 before it")
    last.get_by_role("button", name="Make next").click()
    expect(page.locator(".card").first).to_contain_text("waits, 1 before it")
    for id in ids:
        server.ask("POST", f"/v1/videos/{id}/cancel")


def test_the_sheet_plays_as_animation(page: Page, server: Live):
    made = server.wait(server.ask("POST", "/v1/videos", {**SCENE, "prompt": "an orc on a sheet"})[1]["id"])
    card = page.locator(f".card:has-text('{made['prompt']}')")
    card.get_by_role("button", name="Sheet", exact=True).click()
    expect(card.get_by_role("img", name="Sprite sheet of 2 frames of 16x16 pixels")).to_be_visible()
    card.get_by_role("button", name="Pause").click()
    card.get_by_label("Time").press("End")
    card.get_by_label("Time").press("Home")
    expect(card.get_by_label("Time")).to_have_value("0")
    first = pixels(page, ".sheet canvas")
    card.get_by_label("Time").press("End")
    expect(card.get_by_label("Time")).not_to_have_value("0")
    assert pixels(page, ".sheet canvas") != first
    with page.expect_download() as download:
        card.get_by_role("button", name="Save atlas").click()
    assert download.value.suggested_filename == "an-orc-on-a-sheet-seed0.json"


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")], ids=["desktop", "phone", "400 percent"]
)
def test_everything_has_a_name_fits_and_can_be_read(chromium: Browser, server: Live, width: int, scheme: Any):
    """320 pixels are what a screen of 1280 has at a zoom of 400 %."""
    made = server.wait(server.ask("POST", "/v1/videos", {**SCENE, "prompt": "an orc that is named"})[1]["id"])
    for at in ("", f"#story={made['id']}", f"#compare={made['id']},{made['id']}"):
        page = opened(chromium, server, at, viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.get_by_text("an orc that is named").first.wait_for()
        if not at:
            expect(page.get_by_label("Model").locator("option")).to_have_count(2)
        for summary in page.locator(".ask > details > summary").all():
            summary.click()
        scrolled, inner = page.evaluate(WIDTHS)
        assert scrolled <= inner
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(CONTRAST) == []
        tree = page.locator("body").aria_snapshot()
        assert 'heading "Storyreel" [level=1]' in tree
        for line in tree.splitlines():
            role = line.strip().removeprefix("- ").rstrip(":")
            assert role not in ("button", "textbox", "combobox", "slider", "spinbutton", "checkbox", "img")
        page.context.close()


def test_the_keyboard_is_enough_and_focus_is_seen(page: Page, server: Live):
    page.get_by_label("Model").select_option("tiny")
    one_step(page)
    prompt = page.get_by_label("What shall the video show?")
    prompt.focus()
    page.keyboard.type("an orc by keyboard")
    page.keyboard.press("Enter")
    page.locator(".card.completed").filter(has_text="an orc by keyboard").wait_for()
    unseen = []
    page.get_by_label("Search the videos").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, parseFloat(s.outlineWidth), document.activeElement.outerHTML.slice(0, 80)] }"
        )
        if outline[0] == "none" or outline[1] < 2:
            unseen.append(outline[2])
    assert [each for each in unseen if not each.startswith(("<body", "<video"))] == []
