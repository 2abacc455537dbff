"""What the page counts is what `choose` decides: the same reasons, margins, duplicates and edits."""

from __future__ import annotations

import random
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated import stub_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_films import hash_of

from storyreel.browse.command import changes, command_of
from storyreel.browse.session import BrowseSession, State
from storyreel.browse.table import MEASURED
from storyreel.browse.twins import Copies
from storyreel.curate.choose import choose, choose_columns
from storyreel.curate.command import change_thresholds
from storyreel.curate.edits import add_edit, edits_file, read_edits
from storyreel.curate.refilter import refilter
from storyreel.curate.rows import read_rows
from storyreel.curate.score import Limit, MotionLimit
from storyreel.curate.scores import judged
from storyreel.curate.thresholds import Duplicates, Thresholds, decide, judge, margins

patient = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
numbers = st.none() | st.floats(0, 4, width=16)


@st.composite
def thresholds_of(draw: st.DrawFn) -> Thresholds:
    made: dict[str, Any] = {}
    for field in judged():
        ends = sorted([draw(numbers), draw(numbers)], key=lambda n: -1 if n is None else n)
        if field == "motion":
            made[field] = MotionLimit(min=ends[0], max=ends[1], difference_min=draw(numbers))
        else:
            made[field] = Limit(min=ends[0], max=ends[1])
    return Thresholds(**made, duplicates=Duplicates(share=draw(st.none() | st.floats(0, 0.2))))


rows_of = st.lists(st.fixed_dictionaries({name: numbers for name in MEASURED}), min_size=1, max_size=6)


@patient
@given(rows_of, thresholds_of())
def test_columns_are_judged_as_rows_are(rows: list[dict[str, Any]], thresholds: Thresholds):
    columns = {name: np.array([np.nan if r[name] is None else r[name] for r in rows], float) for name in MEASURED}
    found = judge(columns, thresholds)
    for place, row in enumerate(rows):
        expected = plainly(row, thresholds)
        assert {one.name: one.margin[place] for one in found if not np.isnan(one.margin[place])} == pytest.approx(
            expected
        )
        bad = [name for name, margin in expected.items() if margin < 0]
        assert [one.name for one in found if one.failed[place]] == bad
        assert [reason.name for reason in decide(row, thresholds)] == bad
        assert margins(row, thresholds) == pytest.approx(expected)


def plainly(row: dict[str, Any], thresholds: Thresholds) -> dict[str, float]:
    """Limit -> margin of one row, score by score and by `if`: what columns are held to."""
    found: dict[str, float] = {}
    for name, score in judged().items():
        limit, value = getattr(thresholds, name), row[score.column]
        for side, sign in (("min", 1), ("max", -1)):
            if value is not None and (wanted := getattr(limit, side)) is not None:
                distance = sign * (value - wanted)
                found[f"{name}.{side}"] = distance / abs(wanted) if wanted else distance
    other, wanted = row["motion_difference"], thresholds.motion.difference_min
    if "motion.min" in found and other is not None and wanted is not None:
        distance = (other - wanted) / abs(wanted) if wanted else other - wanted
        found["motion.min"] = max(found["motion.min"], distance)
    return found


@patient
@given(thresholds_of(), thresholds_of())
def test_the_command_leads_to_the_same_thresholds(old: Thresholds, new: Thresholds):
    assert change_thresholds(old, changes(old, new)) == new
    assert changes(new, new) == []


def test_the_command_can_be_pasted():
    said = command_of(Path("my set"), Thresholds(), Thresholds(text=Limit(), motion=MotionLimit(min=2.0)))
    assert said == "storyreel curate filter 'my set' --set motion.min=2.0 --set text.max=none"
    assert shlex.split(said)[3] == "my set"


def drawn_rows(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Rows among which many repeat another one, exactly or nearly."""
    rows = []
    for number in range(count):
        row: dict[str, Any] = {name: rng.choice([None, 0.0, 0.3, 1.0, 20.0, 90.0]) for name in MEASURED}
        twin = rng.randrange(count // 2)
        row |= {"clip": f"{number:020x}", "source": "f", "phash": hash_of(twin, rng.choice([0, 0, 1, 4, 12]))}
        row |= {"source_digest": "d", "start": rng.randrange(count), "end": 1000, "width": rng.choice([64, 128])}
        row |= {"height": 64, "error": rng.choice([None] * 9 + ["no"]), "caption_made_from": None}
        rows.append(row | {"captions_made": rng.choice([[], ["a b c"], ["one"]])})
    return rows


def chosen_alike(seed: int) -> int:
    """Hold columns to rows, with edits, errors and duplicates; how many duplicates there were."""
    from storyreel.curate.duplicates import near_pairs

    rng = random.Random(seed)
    rows = drawn_rows(rng, 60)
    edits: dict[str, dict[str, Any]] = {
        row["clip"]: {"keep": rng.choice([True, False, None]), "caption": rng.choice([None, "", "x y"])}
        for row in rng.sample(rows, 15)
    }
    thresholds = Thresholds(
        seconds=Limit(min=rng.choice([None, 0.2])), frames=Limit(), side=Limit(min=rng.choice([None, 1.0])),
        caption_words=Limit(min=rng.choice([None, 2.0])), motion=MotionLimit(min=0.5), text=Limit(max=50.0),
        frozen=Limit(), repeated=Limit(), clipped=Limit(), interlaced=Limit(), bars=Limit(),
        duplicates=Duplicates(share=rng.choice([None, 0.0, 0.02, 0.08])),
    )  # fmt: skip
    choose(rows, thresholds, edits)
    columns = {name: np.array([np.nan if r[name] is None else r[name] for r in rows], float) for name in MEASURED}
    words = np.array([{None: -1, True: 1, False: 0}[edits.get(r["clip"], {}).get("keep")] for r in rows], np.int8)
    single = sorted({row["phash"] for row in rows})
    pairs = {(single[a], single[b]): share for a, b, share in near_pairs(single, 0.12)}
    errors = np.array([row["error"] is not None for row in rows])
    found = choose_columns(columns, thresholds, words, errors, Copies(rows, range(len(rows)), pairs).among)
    for place, row in enumerate(rows):
        assert bool(found.selected[place]) == row["kept"]
        reasons = {n for n, bad in zip(found.names, found.failed[:, place], strict=True) if bad}
        assert reasons == {reason["name"] for reason in row["reasons"]}
        copy = found.copies.get(place)
        assert (rows[copy[0]]["clip"] if copy else None) == row["duplicate_of"]
        if row["reasons"] and not {"manual", "error"} & reasons:
            assert found.margin[place] < 0
    return len(found.copies)


def test_columns_are_chosen_as_rows_are():
    assert sum(chosen_alike(seed) for seed in range(16)) > 20, "there are twins to choose among"


def state_is_chosen(state: State, dataset: Path, thresholds: Thresholds) -> None:
    rows = read_rows(dataset / "curation" / "spans.parquet")
    choose(rows, thresholds, read_edits(dataset))
    assert state.verdict(thresholds).selected.tolist() == [row["kept"] for row in rows]


def test_a_folder_is_followed_as_it_changes(tmp_path: Path):
    films = [[{"phash": hash_of(1)}, {"text_share": 0.3}, {"motion_flow": 0.0, "motion_difference": 0.0}], [{}, {"phash": hash_of(1, 3)}]]  # fmt: skip  # noqa: E501
    dataset = stub_set(tmp_path, films)
    session = BrowseSession(dataset)
    state = session.state()
    assert session.state() is state, "nothing changed"
    state_is_chosen(state, dataset, state.thresholds)
    session.find_twins()
    assert state.all_pairs
    for thresholds in (Thresholds(text=Limit()), Thresholds(duplicates=Duplicates(share=None), text=Limit(max=0.5))):
        state_is_chosen(state, dataset, thresholds)
    clips = state.table.clips
    after = session.edit(clips[1], keep=True)
    assert after.edits.of(1) == {"keep": True, "caption": None}
    assert session.edit(clips[0], caption="two words").edits.lengths[0] == 2
    assert session.state().edits.pending == 1
    add_edit(dataset, clips[3], keep=False)  # somebody else, at the same time
    state_is_chosen(session.state(), dataset, session.state().thresholds)
    refilter(dataset, lambda now: Thresholds(text=Limit(max=0.9)))
    state = session.state()
    assert state.thresholds.text.max == 0.9
    assert state.edits.pending == 0
    assert state.table.saved.tolist() == state.verdict(state.thresholds).selected.tolist()
    assert state.table.captions[0] == "two words"
    assert state.edits.of(1)["keep"] is True


def test_edits_of_the_page_survive_every_filter_and_new_footage(tmp_path: Path):
    from stub_films import film, stub_measure

    from storyreel.curate.export import Export
    from storyreel.curate.pipeline import CurationSettings, Execution, curate
    from storyreel.data.folder import DatasetFolder

    dataset = stub_set(tmp_path, [[{}, {"text_share": 0.3}, {}]])
    session = BrowseSession(dataset)
    first, second, _ = session.state().table.clips
    session.edit(first, keep=False)
    session.edit(second, keep=True)
    session.edit(second, caption="as I see it")
    written = edits_file(dataset).read_bytes()
    for limit in (0.9, 0.01, None):
        refilter(dataset, lambda now, limit=limit: Thresholds(text=Limit(max=limit)))
        folder = DatasetFolder.open(dataset)
        kept = {folder.row(i)["clip"]: folder.captions(i) for i in range(len(folder))}
        assert first not in kept
        assert kept[second] == ["as I see it"]
    film(tmp_path / "in" / "later.mp4", seed=9)
    settings = CurationSettings(export=Export(format="virtual"))
    curate([tmp_path / "in"], dataset, settings, Thresholds(), where=Execution(workers=1), job=stub_measure)
    rows = {row["clip"]: row for row in read_rows(dataset / "curation" / "spans.parquet")}
    assert not rows[first]["kept"]
    assert rows[second]["caption"] == "as I see it"
    assert edits_file(dataset).read_bytes() == written, "only read, never rewritten"
    assert len(fields(Thresholds)) == len(judged()) + 1, "a new kind of threshold needs its column here"
