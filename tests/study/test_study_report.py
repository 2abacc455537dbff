"""The report and the export of a study; how long 100,000 votes take; folders of another version."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from simulated import ballots, make_study, store

from storyreel import cli
from storyreel.study.ballots import Ballots, read_ballots
from storyreel.study.plan import NOISE, SAME, Study
from storyreel.study.report import report
from storyreel.study.report_text import lines


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        cli.main(["study", *map(str, args)])
    out = capsys.readouterr()
    return int(done.value.code or 0), out.out, out.err


def by_hand(study: Study, votes: list[tuple[int, int, int]], question: int = 0) -> Ballots:
    """One (rater, item, answer) a vote; clip a always stands left."""
    rater, item, answer = np.array(votes).T
    kinds = ("pair", "noise", "same")
    facts = [study.items[i] for i in item]
    texts = {text: n for n, text in enumerate(study.prompts)}
    return Ballots(
        rater, item, np.full(len(item), question), np.array([texts[i.prompt] for i in facts]),
        np.array([i.models[0] for i in facts]), np.array([-1 if i.models[1] is None else i.models[1] for i in facts]),
        answer, np.array([kinds.index(i.kind) for i in facts]), np.where(answer > 1, -1, 1 - answer),
    )  # fmt: skip


def test_counts_by_hand(tmp_path: Path):
    """Three prompts, three raters: A A B, A tie tie, B B A."""
    study = make_study(tmp_path / "study", prompts=3)
    votes = [(r, i, v) for i, row in enumerate([(0, 0, 1), (0, 2, 2), (1, 1, 0)]) for r, v in enumerate(row)]
    doc = report(study, by_hand(study, votes))
    row = doc["all"]["comparisons"][0]
    assert (row["wins"], row["ties"], row["losses"], row["prompts"], row["raters"]) == (4, 2, 3, 3, 3)
    assert row["win_rate"]["value"] == pytest.approx(5 / 9, abs=1e-5)
    assert row["win_rate_without_ties"]["value"] == pytest.approx(4 / 7, abs=1e-5)
    assert row["win_rate_without_ties"]["n"] == 7
    assert (row["majority"]["a"], row["majority"]["b"], row["majority"]["undecided"]) == (2, 1, 0)
    assert row["majority"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert (row["sign_test"]["prompts_for_a"], row["sign_test"]["prompts_for_b"]) == (2, 1)
    assert row["sign_test"]["p"] == 1.0
    assert doc["all"]["side"] == {"left": 4, "right": 3, "p": 1.0}
    assert doc["all"]["agreement"][0]["raw"] == pytest.approx(1 / 3, abs=1e-5)
    for rate in (row["win_rate"], row["win_rate_without_ties"], row["majority"]):
        assert rate["interval"][0] <= rate["value"] <= rate["interval"][1]
    assert doc["passed"] is None


def test_raters_who_fail_catch_trials_are_told_apart(tmp_path: Path):
    """Rater 2 prefers noise, sees differences where there are none, and votes against everybody."""
    study = make_study(tmp_path / "study", prompts=4)
    noise, same = study.indices(NOISE)[0], study.indices(SAME)[0]
    votes = [(r, i, int(r == 2)) for r in range(3) for i in range(4)]
    votes += [(0, noise, 0), (1, noise, 0), (2, noise, 1), (0, same, 2), (1, same, 2), (2, same, 0)]
    doc = report(study, by_hand(study, votes))
    assert doc["catch"]["noise"] == {"right": 2, "n": 3}
    assert doc["catch"]["same"] == {"right": 2, "n": 3}
    assert (doc["catch"]["raters_passed"], doc["catch"]["raters_failed"]) == (2, 1)
    assert doc["catch"]["pass_rate"] == pytest.approx(2 / 3)
    assert doc["all"]["comparisons"][0]["win_rate"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert doc["passed"]["comparisons"][0]["win_rate"]["value"] == 1.0
    assert doc["passed"]["raters"] == 2
    assert doc["passed"]["bradley_terry"][0]["models"][0]["interval"] is None  # A always wins: no finite strength
    text = "\n".join(lines(doc))
    assert "2 of 3 raters pass (67 %)" in text
    assert "without the raters who failed" in text
    assert "not bounded by the votes" in text


def test_three_models_come_out_in_their_order(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=60, models=3)
    votes = ballots(study, 6000, 40, np.random.default_rng(1), [0.6, 0.0, -0.6])
    doc = report(study, votes, resamples=200)
    assert len(doc["all"]["comparisons"]) == 6  # three pairs on two questions
    for row in doc["all"]["comparisons"]:
        assert row["win_rate"]["interval"][0] > 0.5
        assert row["sign_test"]["p"] <= row["sign_test"]["p_holm"] < 0.05
    for fitted in doc["all"]["bradley_terry"]:
        for model, truth in zip(fitted["models"], (0.6, 0.0, -0.6), strict=True):
            assert model["interval"][0] - 0.05 < truth < model["interval"][1] + 0.05
        chances = np.array([[0.5 if x is None else x for x in row] for row in fitted["win_probability"]])
        assert chances + chances.T == pytest.approx(np.ones((3, 3)), abs=1e-4)
    assert doc["all"]["side"]["p"] > 0.001
    again = report(study, votes, resamples=200)
    assert again == doc  # the resamples have a seed


def test_side_bias_is_found(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=20)
    doc = report(study, by_hand(study, [(r, i, 0) for r in range(5) for i in range(20)]))
    assert doc["all"]["side"]["left"] == 100
    assert doc["all"]["side"]["p"] < 1e-20


def test_a_hundred_thousand_votes_within_five_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Processor time, reading included: a wall clock would measure whatever else the machine does."""
    study = make_study(tmp_path / "study", prompts=300, models=3)
    store(study, ballots(study, 100_000, 1000, np.random.default_rng(0), [0.5, 0.0, -0.5]))
    began = time.process_time()
    status, out, _ = run(capsys, "report", study.folder, "--json")
    assert time.process_time() - began < 5
    assert status == 0
    assert json.loads(out)["all"]["votes"] == 100_000


def test_export_says_who_won(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    study = make_study(tmp_path / "study", prompts=5)
    votes = ballots(study, 40, 8, np.random.default_rng(0), [0.0, 0.0])
    store(study, votes)
    back = read_ballots(study)
    assert sorted(back.answer.tolist()) == sorted(votes.answer.tolist())
    assert (back.answer == votes.answer).all()
    assert (back.left == votes.left).all()
    assert run(capsys, "export", study.folder, "-o", tmp_path / "votes.csv")[0] == 0
    assert run(capsys, "export", study.folder, "-o", tmp_path / "votes.json")[0] == 0
    with (tmp_path / "votes.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    same = json.loads((tmp_path / "votes.json").read_text())
    assert [row["winner"] for row in found] == [row["winner"] for row in same]
    wanted = sum(votes.answer == 0), sum(votes.answer == 1), sum(votes.answer == 2)
    assert tuple(sum(row["winner"] == who for row in found) for who in ("A", "B", "tie")) == wanted
    status, _, err = run(capsys, "export", study.folder, "-o", tmp_path / "votes.xlsx")
    assert (status, err.count("\n")) == (1, 1)


def test_export_holds_no_formulas_and_counts_its_nouns(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from dataclasses import replace

    study = make_study(tmp_path / "study", prompts=1)
    study = replace(study, items=tuple(replace(item, prompt="=1+cmd|' /C calc'!A0") for item in study.items))
    study.write()
    store(study, ballots(study, 1, 1, np.random.default_rng(0), [0.0, 0.0]))
    status, out, _ = run(capsys, "export", study.folder, "-o", tmp_path / "votes.csv")
    assert (status, out) == (0, f"{tmp_path / 'votes.csv'}: 1 vote\n")
    with (tmp_path / "votes.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["prompt"] == "'=1+cmd|' /C calc'!A0"
    status, out, _ = run(capsys, "report", study.folder)
    assert (status, out.splitlines()[0]) == (0, "make-a-video: 1 vote of 1 rater on 1 prompt")


def test_a_folder_of_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    study = make_study(tmp_path / "study")
    path = study.folder / "study.json"
    path.write_text(path.read_text().replace('"storyreel_study": 1', '"storyreel_study": 2'))
    for verb in (["serve"], ["report"], ["export", "-o", tmp_path / "v.csv"]):
        status, _, err = run(capsys, verb[0], study.folder, *verb[1:])
        assert status == 1
        assert "version 2, this storyreel reads version 1" in err
        assert err.count("\n") == 1


def test_votes_of_another_version_or_study_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    study = make_study(tmp_path / "study")
    store(study, ballots(study, 4, 2, np.random.default_rng(0), [0.0, 0.0]))
    db = sqlite3.connect(study.votes_file)
    db.execute("PRAGMA user_version = 9")
    db.close()
    assert "holds votes of version 9" in run(capsys, "report", study.folder)[2]
    db = sqlite3.connect(study.votes_file)
    db.execute("PRAGMA user_version = 1")
    db.execute("UPDATE meta SET study = 'other'")
    db.commit()
    db.close()
    assert "votes of another study" in run(capsys, "report", study.folder)[2]
    study.votes_file.write_bytes(b"this is no database, and it is long enough to be looked at" * 100)
    status, _, err = run(capsys, "report", study.folder)
    assert (status, err.count("\n")) == (1, 1)


@pytest.mark.parametrize("text", ["{", "[]", '{"storyreel_study": 1}', '{"a": 1}'])
def test_a_damaged_study_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str):
    (tmp_path / "study.json").write_text(text)
    status, _, err = run(capsys, "report", tmp_path)
    assert (status, err.count("\n")) == (1, 1)
    assert "study.json" in err


def test_no_study_and_no_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "no study here" in run(capsys, "report", tmp_path)[2]
    assert "no votes yet" in run(capsys, "report", make_study(tmp_path / "study").folder)[2]
