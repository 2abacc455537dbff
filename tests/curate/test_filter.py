"""Thresholds are a pure function of stored scores; deciding anew decodes nothing and loses nothing."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub_films import SCORES, film
from test_pipeline import rows_in, run, snapshot

from storyreel.curate.ablate import ablate, flips, overlap, sweeps
from storyreel.curate.choose import choose
from storyreel.curate.edits import add_edit
from storyreel.curate.refilter import refilter
from storyreel.curate.score import Limit, MotionLimit
from storyreel.curate.scores import judged
from storyreel.curate.thresholds import Thresholds, decide, margins
from storyreel.data.folder import DatasetFolder

ROW = {**SCORES, "seconds": 2.0, "num_frames": 16, "side": 180, "bars_share": 0.0}


def test_a_reason_says_value_limit_and_margin():
    (reason,) = decide({**ROW, "text_share": 0.06}, Thresholds(text=Limit(max=0.03)))
    assert (reason.name, reason.value, reason.limit) == ("text.max", 0.06, 0.03)
    assert reason.margin == pytest.approx(-1.0)
    assert decide(ROW, Thresholds()) == []


@pytest.mark.parametrize(
    ("flow", "difference", "static"), [(0.0, 5.0, False), (2.0, 0.0, False), (0.1, 0.1, True), (0.1, None, True)]
)
def test_static_needs_both_flow_and_difference(flow: float, difference: float | None, static: bool):
    row = {**ROW, "motion_flow": flow, "motion_difference": difference}
    assert [r.name for r in decide(row, Thresholds())] == (["motion.min"] if static else [])


def test_what_was_not_measured_rejects_nothing():
    everything = Thresholds(**{name: Limit(min=1.0, max=2.0) for name in judged() if name != "motion"})
    assert decide(dict.fromkeys([score.column for score in judged().values()]), everything) == []
    assert decide({"blur": float("nan")}, Thresholds(blur=Limit(min=1.0))) == []


@given(st.sampled_from(sorted(judged())), st.floats(-10, 10), st.floats(-10, 10))
def test_margins_agree_with_decisions(name: str, value: float, wanted: float):
    kind = MotionLimit if name == "motion" else Limit
    nothing = {n: MotionLimit(difference_min=None) if n == "motion" else Limit() for n in judged()}
    for side in ("min", "max"):
        thresholds = Thresholds(
            **{**nothing, name: kind(**{side: wanted}, **({"difference_min": None} if kind is MotionLimit else {}))}
        )
        row = {judged()[name].column: value}
        rejected = bool(decide(row, thresholds))
        assert rejected == (margins(row, thresholds)[f"{name}.{side}"] < 0)
        assert [r.margin for r in decide(row, thresholds)] == (
            [margins(row, thresholds)[f"{name}.{side}"]] if rejected else []
        )


def test_thresholds_survive_json_and_refuse_nonsense():
    made = Thresholds(motion=MotionLimit(min=0.3, difference_min=None), text=Limit(max=0.1))
    assert Thresholds.from_json(made.as_json()) == made
    assert len(made.as_json()) == len(fields(Thresholds))
    with pytest.raises(ValueError, match="does not know 'colour'"):
        Thresholds.from_json({"colour": {"min": 1}})
    with pytest.raises(ValueError, match="min 3 is above max 1"):
        Thresholds(blur=Limit(min=3, max=1))
    with pytest.raises(ValueError, match=r"blur\.min: expected a finite number"):
        Thresholds(blur=Limit(min=float("nan")))


def test_filtering_and_back_again_gives_the_same_bytes(tmp_path: Path):
    film(
        tmp_path / "in" / "a.mp4",
        scores=[{"motion_flow": 1.0}, {"motion_flow": 3.0}, {"text_share": 0.5}],
        marks=str(tmp_path),
    )
    run(tmp_path / "in", tmp_path / "out")
    before = snapshot(tmp_path / "out")
    add = lambda now: replace(now, motion=MotionLimit(min=2.0, difference_min=None))  # noqa: E731
    assert refilter(tmp_path / "out", add).selected == 1
    folder = DatasetFolder.open(tmp_path / "out")
    assert [folder.file(i).exists() for i in range(len(folder))] == [True]
    assert len(list((tmp_path / "out/clips").iterdir())) == 1
    assert rows_in(tmp_path / "out")[0]["reasons"][0]["name"] == "motion.min"
    refilter(tmp_path / "out", lambda now: replace(now, text=Limit()))
    assert len(DatasetFolder.open(tmp_path / "out")) == 2, "thresholds of the last call are the start of the next"
    refilter(tmp_path / "out", lambda now: Thresholds())
    after = snapshot(tmp_path / "out")
    assert {name: data for name, data in after.items() if "shelf" not in name} == before
    assert len(list(tmp_path.glob("a-*"))) == 1, "measured once"


def test_decisions_survive_filtering(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", scores=[{}, {"text_share": 0.3}])
    run(tmp_path / "in", tmp_path / "out")
    good, bad = (row["clip"] for row in rows_in(tmp_path / "out"))
    add_edit(tmp_path / "out", good, keep=False)
    add_edit(tmp_path / "out", bad, keep=True, caption="kept by hand")
    for limit in (0.9, 0.001):
        refilter(tmp_path / "out", lambda now, limit=limit: replace(now, text=Limit(max=limit)))
        folder = DatasetFolder.open(tmp_path / "out")
        assert [folder.row(i)["clip"] for i in range(len(folder))] == [bad]
        assert folder.captions(0) == ["kept by hand"]
    with pytest.raises(ValueError, match="expected keep or caption"):
        add_edit(tmp_path / "out", good, colour="red")


def test_what_is_no_curated_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="was not curated here"):
        refilter(tmp_path)
    (tmp_path / "half" / "curation").mkdir(parents=True)
    with pytest.raises(ValueError, match="was not finished"):
        refilter(tmp_path / "half")


def test_a_hundred_thousand_rows_are_chosen_in_seconds():
    rows = [
        {**ROW, "clip": f"{i:06d}", "source_digest": "d", "start": i, "end": i + 1, "motion_flow": i % 7 / 3}
        for i in range(100_000)
    ]
    began = time.process_time()
    choose(rows, Thresholds())
    assert time.process_time() - began < 20
    assert sum(row["kept"] for row in rows) == 100_000


def test_ablation_tells_what_each_limit_does(tmp_path: Path):
    scores = [{"motion_flow": i / 10, "motion_difference": 0.0, "text_share": 0.2 * (i % 5 == 0)} for i in range(20)]
    film(tmp_path / "in" / "a.mp4", scores=scores)
    run(tmp_path / "in", tmp_path / "out", Thresholds(motion=MotionLimit(min=1.0)))
    rows = rows_in(tmp_path / "out")
    found = {s.name: s for s in sweeps(rows, Thresholds(motion=MotionLimit(min=1.0)))}
    motion = found["motion.min"]
    for value, kept in zip(motion.values, motion.selected, strict=True):
        again = [dict(row) for row in rows]
        choose(again, Thresholds(motion=MotionLimit(min=float(value))))
        assert sum(row["kept"] for row in again) == kept, value
    names, together, alone = overlap(rows)
    assert names == ["motion.min", "text.max"]
    assert together.tolist() == [[10, 2], [2, 4]]
    assert alone.tolist() == [8, 2]
    near = [f for f in flips(rows, Thresholds(motion=MotionLimit(min=1.0))) if f["limit"] == "motion.min"]
    assert [round(f["score"], 1) for f in near if not f["kept"]][-1] == 0.9, "the nearest to the limit is next to it"


def test_ablation_writes_tables_pictures_and_subsets(tmp_path: Path):
    film(
        tmp_path / "in" / "a.mp4", scores=[{}, {"text_share": 0.3}, {"motion_flow": 0.0, "motion_difference": 0.0}, {}]
    )
    run(tmp_path / "in", tmp_path / "out")
    told = ablate(tmp_path / "out", tmp_path / "report")
    assert told["subsets"] == {"all": 4, "curated": 2, "random": 2, "without-motion": 3, "without-text": 3}
    for name, count in told["subsets"].items():
        folder = DatasetFolder.open(tmp_path / "report" / "subsets" / name)
        assert len(folder) == count
        assert all(folder.file(i).exists() for i in range(count))
    page = (tmp_path / "report" / "README.md").read_text()
    assert f"| text.max | {Thresholds().text.max} | 3 | 1 | 1 |" in page
    for picture in (tmp_path / "report").glob("*.svg"):
        assert picture.read_text().startswith("<svg")
        assert picture.name in page
    assert (tmp_path / "report" / "flips.csv").read_text().startswith("limit,clip,kept,score,margin")
    ablate(tmp_path / "out", tmp_path / "report")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(ValueError, match=r"holds .mine\.txt., which is not of an ablation"):
        ablate(tmp_path / "out", tmp_path / "other")


@pytest.mark.parametrize("clip", ["../../../outside/x", "/tmp/storyreel-outside", "a/b", "..", None])
def test_ids_in_a_table_from_elsewhere_name_no_files_outside(tmp_path: Path, clip: str | None):
    """spans.parquet may come with somebody's dataset; every verb that reads it refuses such an id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from storyreel.browse.table import SpanTable

    film(tmp_path / "in" / "a.mp4", scores=[{}, {"text_share": 0.3}])
    run(tmp_path / "in", tmp_path / "out")
    (tmp_path / "outside").mkdir()
    file = tmp_path / "out" / "curation" / "spans.parquet"
    table = pq.read_table(file)
    ids = [clip, *table["clip"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("clip"), "clip", pa.array(ids, pa.string())), file)
    before = snapshot(tmp_path / "out")
    for verb in (
        lambda: refilter(tmp_path / "out", lambda now: replace(now, text=Limit(max=0.9))),
        lambda: ablate(tmp_path / "out", tmp_path / "ablation"),
        lambda: SpanTable(file),
    ):
        with pytest.raises(ValueError, match=r"spans\.parquet, row 0: clip: expected a name without a folder"):
            verb()
    assert snapshot(tmp_path / "out") == before
    assert not list((tmp_path / "outside").iterdir())
    assert not (tmp_path / "ablation").exists()


def test_names_of_films_in_a_manifest_stay_in_its_folder(tmp_path: Path):
    import json

    film(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    file = tmp_path / "out" / "curation" / "manifest.jsonl"
    line = json.loads(file.read_text())
    (tmp_path / "out" / "curation" / "films" / f"{line['film']}.json").rename(tmp_path / "elsewhere.json")
    file.write_text(json.dumps({**line, "film": "../../../elsewhere"}) + "\n")
    with pytest.raises(ValueError, match=r"manifest\.jsonl: film: expected a name without a folder"):
        run(tmp_path / "in", tmp_path / "out")
