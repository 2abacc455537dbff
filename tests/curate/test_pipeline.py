"""The whole of `curate` on stub films: what is written, what is set aside, what is refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stub_films import film, stub_measure

from storyreel.curate import store as stores
from storyreel.curate.edits import add_edit
from storyreel.curate.export import Export
from storyreel.curate.lines import read_lines
from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.rows import read_rows
from storyreel.curate.score import Limit
from storyreel.curate.store import Store
from storyreel.curate.supervise import RetryPolicy
from storyreel.curate.thresholds import Thresholds
from storyreel.curate.write import Written
from storyreel.data.folder import DatasetFolder

VIRTUAL = Export(format="virtual")


def run(footage: Path | list[Path], out: Path, thresholds: Thresholds | None = None, **options: Any) -> Written:
    """Stub films, virtual clips, one worker."""
    settings = options.pop("settings", None) or CurationSettings(
        export=options.pop("export", VIRTUAL), watch=options.pop("watch", RetryPolicy(patience=20, tries=2))
    )
    given = footage if isinstance(footage, list) else [footage]
    where = options.pop("where", Execution(workers=1))
    return curate(given, out, settings, thresholds or Thresholds(), where=where, job=stub_measure, **options)


def rows_in(dataset: Path) -> list[dict[str, Any]]:
    return read_rows(dataset / "curation" / "spans.parquet")


def test_kept_and_rejected_spans_are_written_with_their_reasons(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", scores=[{}, {"motion_flow": 0.0, "motion_difference": 0.1}, {"text_share": 0.3}])
    film(tmp_path / "in" / "sub" / "b.mkv", seed=1)
    done = run(tmp_path / "in", tmp_path / "out")
    assert (done.films, done.spans, done.selected) == (2, 6, 4)
    folder = DatasetFolder.open(tmp_path / "out")
    assert len(folder) == 4
    assert all(folder.file(i).exists() for i in range(4))
    rows = rows_in(tmp_path / "out")
    assert [r["source"] for r in rows] == ["a.mp4"] * 3 + ["sub/b.mkv"] * 3
    assert [[x["name"] for x in r["reasons"]] for r in rows] == [[], ["motion.min"], ["text.max"], [], [], []]
    static = rows[1]["reasons"][0]
    assert static["value"] == 0.0
    assert static["margin"] == pytest.approx(0.1 / 0.5 - 1)
    assert rows[0]["after"] == "dissolve"
    assert rows[1]["before"] == "dissolve"
    assert rows[2]["after"] is None
    assert len({r["clip"] for r in rows}) == 6
    card = (tmp_path / "out" / "README.md").read_text()
    assert "motion.min: 1 span\n" in card
    assert "4 clips" in card


def test_a_second_call_measures_nothing_and_writes_the_same(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", marks=str(tmp_path))
    run(tmp_path / "in", tmp_path / "out")
    before = snapshot(tmp_path / "out")
    run(tmp_path / "in", tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    assert len(list(tmp_path.glob("a-*"))) == 1
    film(tmp_path / "more" / "c.mp4", seed=3)
    assert run(tmp_path / "more", tmp_path / "out").films == 2, "further footage joins what is there"


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and f.name != ".lock")
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


def test_a_film_whose_worker_was_killed_is_tried_again_by_the_next_call(tmp_path: Path):
    """SIGKILL is what the system sends when memory runs out; the film need not be at fault."""
    (tmp_path / "marks").mkdir()
    film(tmp_path / "in" / "large.mp4", die=4, marks=str(tmp_path / "marks"))
    film(tmp_path / "in" / "good.mp4", seed=2)
    for tries in (2, 4):
        done = run(tmp_path / "in", tmp_path / "out")
        (bad,) = done.refused
        assert (bad["name"], bad["tries"], bad["passing"]) == ("large.mp4", tries, True)
        assert "killed" in bad["error"]
        assert "corrupt" not in bad["error"]
        card = (tmp_path / "out" / "README.md").read_text()
        assert f"the next call tries it again; {tries} tries so far" in card
    done = run(tmp_path / "in", tmp_path / "out")
    assert (done.selected, done.refused) == (6, [])


def test_a_poisoned_film_is_set_aside_and_the_rest_goes_on(tmp_path: Path):
    (tmp_path / "marks").mkdir()
    marks = str(tmp_path / "marks")
    film(tmp_path / "in" / "dies.mp4", crash=9, marks=marks)
    film(tmp_path / "in" / "dies-once.mp4", die=1, marks=marks, seed=1)
    film(tmp_path / "in" / "fails.mp4", fail=9, marks=marks)
    film(tmp_path / "in" / "good.mp4", seed=2, marks=marks)
    film(tmp_path / "in" / "refused.mp4", refuse=True, marks=marks)
    done = run(tmp_path / "in", tmp_path / "out", where=Execution(workers=2))
    errors = {bad["name"]: (bad["error"], bad["tries"]) for bad in done.refused}
    assert errors == {
        "dies.mp4": ("the process that read it died (signal 11)", 2),
        "fails.mp4": ("RuntimeError: a library stumbled", 2),
        "refused.mp4": ("refused.mp4: is corrupt or truncated", 1),
    }
    assert done.selected == 6
    assert [b["name"] for b in read_lines(tmp_path / "out/curation/quarantine.jsonl")] == sorted(errors)
    tried = len(list((tmp_path / "marks").iterdir()))
    run(tmp_path / "in", tmp_path / "out")
    assert len(list((tmp_path / "marks").iterdir())) == tried, "not tried again by itself"
    film(tmp_path / "in" / "fails.mp4", seed=5)
    assert run(tmp_path / "in", tmp_path / "out").selected == 9, "a file that was replaced is new"


def test_a_film_that_hangs_is_given_up(tmp_path: Path):
    film(tmp_path / "in" / "a-hangs.mp4", hang=9)
    film(tmp_path / "in" / "good.mp4")
    done = run(tmp_path / "in", tmp_path / "out", watch=RetryPolicy(patience=1.5, tries=2))
    assert [(b["name"], b["tries"]) for b in done.refused] == [("a-hangs.mp4", 2)]
    assert "hangs" in done.refused[0]["error"]
    assert done.selected == 3


def test_a_folder_of_another_configuration_is_refused_until_redo(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    other = Export(format="virtual", side=64)
    with pytest.raises(ValueError, match=r"was curated with export\.side null, now asked for 64.*--redo"):
        run(tmp_path / "in", tmp_path / "out", export=other)
    first = rows_in(tmp_path / "out")[0]["clip"]
    run(tmp_path / "in", tmp_path / "out", export=other, redo=True)
    assert rows_in(tmp_path / "out")[0]["clip"] != first, "ids tell configurations apart"


def test_a_second_process_is_refused(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    with Store(tmp_path / "out"), pytest.raises(ValueError, match="another process is curating into this folder"):
        run(tmp_path / "in", tmp_path / "out")
    run(tmp_path / "in", tmp_path / "out")


def test_somebody_elses_dataset_is_not_touched(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "metadata.parquet").write_bytes(b"theirs")
    with pytest.raises(ValueError, match="was not curated here"):
        run(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "metadata.parquet").read_bytes() == b"theirs"


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        film(tmp_path / "in" / f"{number}.mp4", seed=number)
    write, count = stores.write_text, 0

    def full(file: Path, text: str) -> None:
        nonlocal count
        count += file.parent.name == "films"
        if count > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        write(file, text)

    monkeypatch.setattr(stores, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path / "in", tmp_path / "out")
    monkeypatch.undo()
    assert len(list(read_lines(tmp_path / "out/curation/manifest.jsonl"))) == 1
    run(tmp_path / "in", tmp_path / "out")
    run(tmp_path / "in", tmp_path / "whole")
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")


def test_decisions_of_people_override_and_stay(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", scores=[{}, {"text_share": 0.3}, {}])
    run(tmp_path / "in", tmp_path / "out")
    good, bad, other = (row["clip"] for row in rows_in(tmp_path / "out"))
    add_edit(tmp_path / "out", bad, keep=True, caption="a news reader")
    add_edit(tmp_path / "out", good, keep=False)
    run(tmp_path / "in", tmp_path / "out", Thresholds(text=Limit(max=0.01)))
    rows = {row["clip"]: row for row in rows_in(tmp_path / "out")}
    assert [rows[c]["kept"] for c in (good, bad, other)] == [False, True, True]
    assert rows[bad]["decided_by"] == "manual"
    assert rows[bad]["caption"] == "a news reader"
    assert [r["name"] for r in rows[bad]["reasons"]] == ["text.max"], "what the thresholds say is still told"
    add_edit(tmp_path / "out", bad, keep=None, caption=None)
    run(tmp_path / "in", tmp_path / "out")
    rows = {row["clip"]: row for row in rows_in(tmp_path / "out")}
    assert not rows[bad]["kept"]
    assert rows[bad]["caption"] == ""


def test_steps_that_are_left_out_judge_nothing(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4", scores=[{"motion_flow": 0.0, "motion_difference": 0.0}, {"text_share": 0.5}])
    assert run(tmp_path / "in", tmp_path / "out", steps=("cuts", "quality", "write")).selected == 2
    with pytest.raises(ValueError, match="no step 'colour'"):
        run(tmp_path / "in", tmp_path / "out", steps=("cuts", "colour"))
    with pytest.raises(ValueError, match="cuts cannot be left out"):
        run(tmp_path / "in", tmp_path / "out", steps=("motion",))


def test_copies_of_a_film_are_kept_once(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    film(tmp_path / "in" / "copy.mp4")
    done = run(tmp_path / "in", tmp_path / "out")
    assert (done.spans, done.selected, done.rejected) == (6, 3, {"duplicate": 3})
    rows = rows_in(tmp_path / "out")
    assert len({r["clip"] for r in rows}) == 6
    assert [r["duplicate_of"] for r in rows[3:]] == [r["clip"] for r in rows[:3]]


def test_damaged_working_files_are_named(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    manifest = tmp_path / "out/curation/manifest.jsonl"
    manifest.write_text("nonsense\n" + manifest.read_text())
    with pytest.raises(ValueError, match=r"manifest\.jsonl, line 1: is damaged"):
        run(tmp_path / "in", tmp_path / "out")


def test_half_a_line_of_a_killed_process_is_passed_over(tmp_path: Path):
    film(tmp_path / "in" / "a.mp4")
    film(tmp_path / "in" / "b.mp4", seed=1)
    run(tmp_path / "in", tmp_path / "out")
    whole = snapshot(tmp_path / "out")
    manifest = tmp_path / "out/curation/manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    run(tmp_path / "in", tmp_path / "out")
    assert snapshot(tmp_path / "out") == whole
    assert json.loads(manifest.read_text().splitlines()[1])["name"] == "b.mp4"


def test_each_span_says_what_it_begins_after_and_ends_with(tmp_path: Path):
    """A hard cut starts and ends at one frame, where one span ends and the next begins; a doubt is told as one."""
    from storyreel.curate.rows import beside
    from storyreel.curate.spans import Transition, spans_between

    cuts = (Transition(100, 100, "hard", 1.0), Transition(200, 219, "dissolve", 1.0), Transition(400, 400, "hard", 1.0))
    doubts = (Transition(300, 309, "wipe", 0.1),)
    measures: Any = SimpleNamespace(transitions=cuts, doubts=doubts)
    spans = spans_between(cuts, 500, doubts=doubts)
    assert [beside(measures, *span) for span in spans] == [
        (None, "hard"),
        ("hard", "dissolve"),
        ("dissolve", "doubt"),
        ("doubt", "hard"),
        ("hard", None),
    ]
