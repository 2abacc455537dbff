"""A curation score is one file: measured, stored, judged, told and shown from its declaration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from storyreel.clip import Clip
from storyreel.curate.scores import judged, measured, scores
from storyreel.curate.thresholds import Thresholds

REDNESS = '''
"""Redness: a score that only a test wants."""

from storyreel.curate.score import CurationScore, Limit, mean

SCORES = [
    CurationScore(
        name="depth", column="depth_of_light", order=155, limit=Limit(max=0.5), step="quality", help="light",
        unit="0 to 1", measure=lambda seen: mean(sample.quality.exposure for sample in seen.samples),
    )
]
'''
SCRIPT = """
import json, sys
from storyreel.curate import scores
scores.__path__.append(sys.argv[1])
from storyreel.browse.table import MEASURED
from storyreel.curate.card import card
from storyreel.curate.measure import measure
from storyreel.curate.pipeline import without
from storyreel.curate.rows import COLUMNS, rows_of
from storyreel.curate.sources import FilmSource
from storyreel.curate.choose import choose
from storyreel.curate.thresholds import Thresholds
from storyreel.curate.command import change_thresholds

limits = Thresholds(side=scores.judged()["side"].off)
rows = rows_of(measure(sys.argv[2]), FilmSource(sys.argv[2], "film"), "c")
choose(rows, limits)
told = {"reasons": [r["name"] for r in rows[0]["reasons"]], "value": rows[0]["depth_of_light"]}
choose(rows, change_thresholds(limits, ["depth.max=0.99"]))
told |= {"after": [r["name"] for r in rows[0]["reasons"]], "column": "depth_of_light" in COLUMNS}
told |= {"page": "depth_of_light" in MEASURED}
told |= {"card": "depth: max 0.5 (light, 0 to 1)" in card(rows, limits, {})}
print(json.dumps(told | {"off": without(limits, ("cuts", "motion")).depth.max}))
"""


def test_a_new_score_is_one_file(tmp_path: Path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "depth.py").write_text(REDNESS)
    ramp = np.linspace(150, 240, 64).astype(np.uint8)
    video = np.stack([np.broadcast_to(np.roll(ramp, 2 * t)[None, :, None], (64, 64, 3)) for t in range(24)])
    bright = Clip(np.ascontiguousarray(video)).save(tmp_path / "film.mkv", scale=None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "more"), str(bright)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert 0.5 < told.pop("value") < 0.99
    assert told == {"reasons": ["depth.max"], "after": [], "column": True, "page": True, "card": True, "off": None}


def test_declarations_are_whole():
    """Columns and orders are unique; what is measured has a column; every limit is one of `Thresholds`."""
    every = list(scores().values())
    for attribute in ("column", "order"):
        assert len({getattr(score, attribute) for score in every}) == len(every)
    assert {score.excused_by for score in every} - {""} <= set(measured())
    assert set(Thresholds().as_json()) == {*judged(), "duplicates"}
    assert all(score.help for score in every)
