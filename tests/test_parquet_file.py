"""Tables of a few kilobytes that would be gigabytes in memory, through everything that reads a table."""

from __future__ import annotations

import base64
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storyreel.browse.table import SpanTable
from storyreel.curate.rows import read_rows
from storyreel.curate.sources import find_sources
from storyreel.data.folder import DatasetFolder
from storyreel.parquet_file import read_parquet

ROWS = 1 << 20
SAME = pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), pa.array(["x" * 100_000]))
LIST = pa.ListArray.from_arrays(pa.array([0, ROWS], pa.int32()), SAME)
BOMBS: dict[str, dict[str, Any]] = {
    "one text a million times": {"file_name": SAME, "path": SAME, "clip": SAME},
    "a list of one text a million times": {"file_name": ["a"], "path": ["a"], "clip": ["a"], "captions": LIST},
    "objects of one text": {"file_name": SAME, "path": SAME, "more": pa.StructArray.from_arrays([SAME], ["inner"])},
    "half a billion rows of nothing": {"file_name": pa.nulls(1 << 29, pa.null())},
}


@pytest.fixture(params=BOMBS)
def bomb(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A dataset folder, which is a curated one as well, whose tables are bombs."""
    (tmp_path / "set/curation").mkdir(parents=True)
    for name in ("metadata.parquet", "curation/spans.parquet"):
        pq.write_table(pa.table(BOMBS[request.param]), tmp_path / "set" / name, store_schema=False)
    assert (tmp_path / "set/metadata.parquet").stat().st_size < 1 << 20
    return tmp_path / "set"


DOORS: dict[str, Callable[[Path], Any]] = {
    "a dataset": DatasetFolder.open,
    "rows of spans": lambda path: read_rows(path / "curation/spans.parquet"),
    "browse": lambda path: SpanTable(path / "curation/spans.parquet"),
    "a manifest": lambda path: find_sources([path / "metadata.parquet"]),
}


def test_a_bomb_is_refused_before_its_memory_is_asked_for(bomb: Path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, door in DOORS.items():
        with pytest.raises(ValueError, match=r"parquet: a table of more than 512 MiB, too large for a file") as error:
            door(bomb)
        assert "\n" not in str(error.value), name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10, "kilobytes"


def test_tables_of_every_shape_are_read_as_they_are(tmp_path: Path):
    table = pa.table(
        {
            "text": ["a", None, "é" * 100],
            "same": pa.array(["x" * 1000] * 3).dictionary_encode(),
            "list": [["a", "b"], None, []],
            "deep": [[{"x": ["a"], "y": 1}], [], None],
            "map": pa.array([[("k", "v")], [], None], pa.map_(pa.string(), pa.string())),
            "bytes": pa.array([b"1234"] * 3, pa.binary(4)),
            "nothing": pa.nulls(3),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "a.parquet"))
    pq.write_table(table.slice(0, 0), tmp_path / "a.parquet")
    assert len(read_parquet(tmp_path / "a.parquet")) == 0


def test_a_large_table_that_has_its_size_on_the_disk_is_read(tmp_path: Path):
    """The texts of a million clips, which repeat."""
    words = [f"a ball moves {way} over {what}" for way in ("left", "right") for what in ("grass", "sand")]
    names = [f"clips/{i:06d}.mkv" for i in range(1_000_000)]
    table = pa.table({"file_name": names, "caption": [words[i % 4] for i in range(1_000_000)]})
    pq.write_table(table, tmp_path / "metadata.parquet")
    assert len(DatasetFolder.open(tmp_path)) == 1_000_000


def test_what_is_no_table_is_one_line(tmp_path: Path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense PAR1")
    (tmp_path / "folder.parquet").mkdir()
    for name in ("a.parquet", "folder.parquet", "missing.parquet"):
        with pytest.raises(ValueError, match=rf"{name}: not a readable Parquet file \(") as error:
            read_parquet(tmp_path / name)
        assert "\n" not in str(error.value)


def test_damaged_facts_about_a_column_do_not_end_the_process(tmp_path: Path):
    """A footer whose histogram of a list's lengths has an entry too many: asked for that column, pyarrow aborts."""
    file = tmp_path / "a.parquet"
    file.write_bytes(
        base64.b64decode(
            "UEFSMRUAFSQVJCwVBBUAFQYVBhw2AigBYRgBYRERAAAAAgAAAAQAAwAAAAMHAAEAAABhFQQZTDUAGAZzY2hlbWEVAgA2AhgEY2xpcBUC"
            "FQZMPAAAADUEGARsaXN0FQIAFQwlAhgHZWxlbWVudCUATBwAAAAWBBkcGRwmABwVDBklBgAZOARjbGlwBGxpc3QHZWxlbWVudBUAFgQW"
            "XhZeJgg8NgIoAWEYAWEREQAZHBUAFQAVAgA8FgIZJgQAGUYAAgACAAAAFl4WBCYIFl4AKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9u"
            "IDI2LjAuMRkcHAAAAMQAAABQQVIx"
        )
    )
    with pytest.raises(ValueError, match=r"a\.parquet: not a readable Parquet file"):
        read_parquet(file)
