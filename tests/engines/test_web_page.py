"""The page of a shipped model in a headless Chromium, on onnxruntime-web: a sentence becomes a clip."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from engines import HERE, served
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "study"))
from webdriver import Browser, programs

LIBRARY = HERE / "node_modules" / "onnxruntime-web"
WHY = "sh .ci/engines and sh .ci/browser install what is missing"
missing = programs() is None or not LIBRARY.is_dir()
pytestmark = [pytest.mark.skipif(missing, reason=WHY), pytest.mark.needs_download]  # npm's registry may be out of reach
SHEET = (
    "return storyreel.sheet().then(one => one.arrayBuffer())"
    ".then(bytes => btoa(Array.from(new Uint8Array(bytes), c => String.fromCharCode(c)).join('')))"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    from storyreel.web.export import export_page

    made = export_page("phenaki-sprites", tmp_path_factory.mktemp("out") / "page", runtime=LIBRARY)
    assert made.bytes <= 45e6
    return made.folder


def made(browser: Browser, prompt: str, seed: int) -> np.ndarray:
    """The sheet of a clip, as the page saves it."""
    browser.run("document.getElementById('prompt').value = arguments[0]", prompt)
    browser.run("document.getElementById('seed').value = arguments[0]", seed)
    before = browser.run("return document.body.dataset.made || ''")
    browser.click("#make")
    browser.wait(f"(document.body.dataset.made || '') !== '{before}'", 280)
    return np.array(Image.open(io.BytesIO(base64.b64decode(browser.run(SHEET)))).convert("RGBA"))


@pytest.mark.parametrize("size", [(1280, 800), (390, 800)])
def test_a_sentence_becomes_a_clip(page: Path, tmp_path: Path, size: tuple[int, int]):
    with served(page) as address, Browser(tmp_path / "profile", size) as browser:
        browser.open(f"{address}/index.html?device=wasm")
        browser.wait("document.body.dataset.device || !document.getElementById('problem').hidden", 280)
        assert browser.run("return document.getElementById('problem').innerText") == ""
        assert float(browser.run("return document.body.dataset.difference")) < 1e-2  # from onnxruntime in Python
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        orc = made(browser, "a green orc walking to the left", 3)
        assert orc.shape == (64, 512, 4)
        solid = orc[..., 3] > 0
        assert 0.05 < solid.mean() < 0.6
        r, g, b, _ = orc[solid].astype(int).T
        assert ((g > r + 20) & (g > b + 20)).mean() > 0.05  # green skin
        if size[0] > 1000:
            np.testing.assert_array_equal(made(browser, "a green orc walking to the left", 3), orc)
