"""The campaigns of broken files, quick: a few of each kind through every door."""

from __future__ import annotations

import random
from pathlib import Path

import media
import media_files
import mutations
import tables
import watched


def test_broken_media_files_through_everything_that_opens_media(tmp_path: Path):
    report = watched.campaign("media_doors", media.begin(tmp_path), range(42))
    assert report.faults == []
    assert report.files == 42
    assert min(report.outcomes["read"], report.outcomes["refused"]) > 40


def test_broken_tables_prompts_and_documents_through_everything_that_reads_them(tmp_path: Path):
    report = watched.campaign("table_doors", tables.begin(tmp_path), range(48))
    assert report.faults == []
    assert report.files == 48
    assert min(report.outcomes["read"], report.outcomes["refused"]) > 20


def test_a_fault_is_found(tmp_path: Path):
    """The watch itself: an exception, a process that dies, and an error of several lines are told."""

    def several(path: Path) -> None:
        raise ValueError("one\ntwo")

    def stumbles(path: Path) -> None:
        raise KeyError("x")

    def refuses(path: Path) -> None:
        raise ValueError("one line")

    assert [watched.judged(door, tmp_path)[0] for door in (several, stumbles, refuses, str)] == [
        *("fault", "fault", "refused", "read"),
    ]
    report = watched.Report()
    worker = watched.Watched("dying_doors")
    try:
        worker.run(tmp_path, report)
    finally:
        worker.close()
    assert [(fault["door"], fault["fault"].split(":")[0]) for fault in report.faults] == [("dies", "the process died")]
    assert report.outcomes["read"] == 1, "the doors behind it are tried by the next process"


def test_mutations_depend_on_their_number_alone(tmp_path: Path):
    (tmp_path / "whole").mkdir()
    found = media_files.wholes(tmp_path / "whole")
    suffixes = {whole.suffix for whole in found}
    assert suffixes >= {"mp4", "webm", "gif", "webp", "apng", "png", "json", "mkv", "span", "jpg"}
    for number in (0, 3, 10, 20):
        first, second = (media_files.mutation(number, found, tmp_path / name) for name in ("a", "b"))
        assert first[0].read_bytes() == second[0].read_bytes()
        assert first[1] == second[1]
    assert mutations.broken_json(random.Random(1), tables.STAMP) == mutations.broken_json(
        random.Random(1), tables.STAMP
    )
