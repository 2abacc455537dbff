"""The page of an evaluation: whole in one file, safe with any text, honest about what may be believed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel.clip import Clip
from storyreel.evaluate.report import latex, media, write_report
from storyreel.evaluate.report.page import plots
from storyreel.evaluate.report.ranking import rankings, shown_first
from storyreel.evaluate.report.write import attributes

EVIL = '</script><script>document.title="hacked"</script><img src=x onerror="document.title=\'hacked\'">'
N = 6


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "clips"
    rng = np.random.default_rng(0)
    for i in range(N):
        frames = rng.integers(0, 256, (4, 12, 16, 3), dtype=np.uint8)
        Clip(frames).save(folder / f"{i}.mkv")
    return folder


def score(name: str, value: float | None = 2.0, **changes: Any) -> dict[str, Any]:
    usual = {
        "name": name, "value": value, "interval": [1.5, 2.5], "n": N, "unit": "clips", "direction": "lower",
        "trusted": True, "protocol": "storyreel@1a2b3c4d", "fingerprint": {"codec": "lossless"}, "extrapolated": None,
        "floor": None, "floor_n": None, "controls": {}, "real": None, "warning": "", "note": "",
    }  # fmt: skip
    return {**usual, **changes}


def document(clips: Path) -> dict[str, Any]:
    scores = [
        score("fvd[sprites-v1]", 40.0, interval=[36.0, 44.0], floor=5.0, controls={"shuffled": 60.0, "frozen": 90.0}),
        score("judge[sprites]", 0.9, interval=[0.8, 1.0], direction="higher"),
        score("fvd[tiny]", 7.0, trusted=False),
    ]
    per_clip = [
        {
            "file": f"{i}.mkv",
            "prompt": EVIL if i == 0 else f"an orc {i}",
            "seed": i,
            "scores": {"fvd[sprites-v1]": float(i - 2), "judge[sprites]": i / N},
            "wanted": {"hair": "<b>red"},
            "seen": {"hair": "<b>red" if i else "blue"},
        }
        for i in range(N)
    ]
    wilson = {"accuracy": 0.8, "interval": [0.4, 0.95], "right": 5, "n": N, "mistakes": []}
    bins = {"edges": [i / 20 for i in range(21)], "counts": [3] * 2 + [0] * 18, "real_counts": None}
    return {
        "storyreel": 1, "kind": "evaluation", "made": "2026-11-22T05:50:00+00:00", "by": "storyreel 0.1.0",
        "command": f"storyreel evaluate '{EVIL}'", "name": EVIL,
        "clips": {"path": str(clips), "n": N, "found": N, "unreadable": [], "dropped": []},
        "real": {"path": EVIL, "n": 9, "digest": "ab", "unreadable": []},
        "protocol": {"name": "storyreel", "hash": "1a2b3c4d", "frames": None}, "extractors": {},
        "scores": scores, "skipped": {"is": EVIL}, "warnings": [EVIL], "per_clip": per_clip,
        "judge": {"attributes": {EVIL: wilson}, "mean": {"accuracy": 0.8, "interval": [0.7, 0.9]}, "clips": N},
        "distributions": {"judge[sprites]": bins},
        "map": {"extractor": EVIL, "clips": [[i, -i] for i in range(N)], "real": [[0, 0], [1, 2]]},
    }  # fmt: skip


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def page(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(document(clips), clips, tmp_path_factory.mktemp("out"))


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)
    assert found
    return json.loads(found[1])


def test_the_page_is_one_file_and_asks_for_nothing(page: Path):
    text = page.read_text()
    elements = Elements(text)
    assert not re.search(r"https?://", text)
    asked = [value for _, attrs in elements.found for key, value in attrs.items() if key in ("src", "href", "action")]
    assert asked == ["data:,"]
    policy = next(a["content"] for a in elements.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    script = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert len(script) == 1
    assert base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode() in policy
    assert {file.name for file in page.parent.iterdir()} == {"report.html", "report.json", "row.tex"}


def test_text_from_files_never_becomes_markup(page: Path):
    elements = Elements(page.read_text())
    assert elements.named("script") == [{"type": "application/json", "id": "data"}, {}]
    assert elements.named("img") == []
    assert not [attrs for _, attrs in elements.found if any(key.startswith("on") for key in attrs)]
    assert data_of(page)["clips"][0]["prompt"] == EVIL


def test_a_browser_shows_the_clips_and_runs_no_prompt(page: Path, tmp_path: Path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is here")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *quiet, "--virtual-time-budget=2000",
         f"--user-data-dir={tmp_path / 'user'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    shown = Elements(done.stdout)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title[1].endswith("evaluation")
    assert len([a for a in shown.named("td") if a.get("class") == "who"]) == N
    assert len(shown.named("video")) == 2 * (N // 2)
    assert [a.get("aria-sort") for a in shown.named("th")].count("none") >= 3
    assert not [a for a in shown.named("img") if not str(a.get("src")).startswith("data:image/webp")]


def test_scores_that_mean_nothing_are_marked_and_never_quoted(page: Path):
    text = page.read_text()
    cards = re.findall(r'<article class="card( untrusted)?">\s*<h3>(\w+)', text)
    assert cards[:3] == [("", "fvd"), ("", "judge"), (" untrusted", "fvd")]
    assert text.count("Not to be trusted") >= 1
    row = (page.parent / "row.tex").read_text().splitlines()
    assert row[-1].endswith(r" & $40$ {\scriptsize $[36, 44]$} & $0.9$ {\scriptsize $[0.8, 1]$} & -- \\")
    assert any(line.startswith("% fvd[tiny] is left out") for line in row)
    assert all(line.startswith("%") for line in row[:-1])


def test_latex_has_no_open_command_in_a_name():
    assert latex.escape("a_b & 50% {x} \\y $z$ ~^#\n") == (
        r"a\_b \& 50\% \{x\} \textbackslash{}y \$z\$ \textasciitilde{}\textasciicircum{}\#"
    )
    assert latex.cell({"value": None, "interval": None}) == "--"


def test_the_worst_and_the_best_by_each_direction():
    values = {"low": [3.0, 1.0, 2.0, None], "high": [3.0, 1.0, 2.0, 5.0], "as real": [3.0, 1.0, 2.0, 9.0]}
    found = rankings(
        {
            "scores": [
                {"name": "low", "direction": "lower"}, {"name": "high", "direction": "higher"},
                {"name": "as real", "direction": "real", "real": 2.2}, {"name": "alone", "direction": "real"},
            ],
            "per_clip": [{"scores": {name: v[i] for name, v in values.items()}} for i in range(4)],
        }
    )  # fmt: skip
    assert found == {
        "low": {"worst": [0], "best": [1]},
        "high": {"worst": [1, 2], "best": [3, 0]},
        "as real": {"worst": [3, 1], "best": [2, 0]},
    }
    assert shown_first(found) == [0, 1, 3, 2]


def test_controls_and_intervals_are_drawn_to_scale():
    drawn = plots().bars(score("fvd[x]", 40.0, interval=[30.0, 50.0], floor=10.0, controls={"shuffled": 80.0}))
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    assert widths == pytest.approx([(plots().END - plots().LABEL) * part for part in (0.5, 0.125, 1.0)], abs=0.1)
    left, right = re.findall(r'class="whisker" d="M([\d.]+) \d+H([\d.]+)', drawn)[0]
    assert float(right) - float(left) == pytest.approx((plots().END - plots().LABEL) / 4, abs=0.2)
    assert plots().bars(score("fvd[x]", None, interval=None)) == ""
    assert 'width="nan"' not in plots().bars(score("kid[x]", -0.001, interval=[-0.002, 0.001]))
    assert plots().histogram({"edges": [0.0] * 21, "counts": [0] * 20, "real_counts": None}, "x") == ""


def test_a_strip_keeps_the_pixels_of_small_clips(clips: Path):
    clip = Clip.open(clips / "0.mkv")
    strip = media.strip_of(clip)
    assert (strip.tiles, strip.frames, strip.width, strip.height) == (4, 4, 16, 12)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(strip.uri.partition(",")[2]))).convert("RGB"))
    assert np.array_equal(picture, np.concatenate(list(clip.frames), axis=1))


def test_beyond_the_budget_films_are_left_out_and_strips_stay(clips: Path, monkeypatch: pytest.MonkeyPatch):
    files = sorted(clips.glob("*.mkv"))
    one = len(media.film_of(Clip.open(files[3])))
    monkeypatch.setattr(media, "FILM_BYTES", int(one * 2.5))
    found = media.gather([*files, clips / "gone.mkv"], [3, 1], workers=1)
    assert {3, 1} <= set(found.films)
    assert len(found.films) < N
    assert set(found.strips) == set(range(N))
    assert "1 of 7 clips cannot be shown" in found.left_out[0]
    assert "play as films, the worst and best of each score first" in found.left_out[1]
    monkeypatch.setattr(media, "STRIP_BYTES", 1)
    assert any("have no film strip here" in line for line in media.gather(files, [3], workers=1).left_out)


def test_what_was_seen_is_held_against_what_was_wanted():
    assert attributes({"hair": "red", "head": None}, {"hair": "blue"}) == [["hair", "red", "blue", False]]
    told = attributes({"digits": [3, 7]}, {"things": [{"digit": 3, "motion": "up"}]})
    assert told == [
        ["digits_1", "3", None, None], ["digits_2", "7", None, None], ["seen", None, "digit 3, motion up", None],
    ]  # fmt: skip


def test_another_kind_of_document_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="expected a document of kind 'evaluation', got 'comparison'"):
        write_report({"kind": "comparison"}, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
