"""The README.md of a dataset folder, by which `datasets.load_dataset(FOLDER)` finds its clips, captions and splits.

That library takes a table of rows for each split: where there are several, each has its rows once more, in
`metadata-SPLIT.parquet` beside `metadata.parquet`, which stays the table that Storyreel reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel import model_card, worlds
from storyreel.layouts import SPLITS
from storyreel.ownership import Owned, remove_names
from storyreel.parquet_file import write_parquet
from storyreel.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

CARD, METADATA = "README.md", "metadata.parquet"
VIDEO = (".mkv", ".mp4")  # of clips that `datasets` opens; a virtual clip is none


def split_table(split: str) -> str:
    return f"metadata-{split}.parquet"


def write_splits(folder: Path, table: pa.Table) -> dict[str, Any]:
    """Write a table for each split where there are several, take away those of before; what the header says of them.

    {} where no clip is a video file that `datasets` opens.
    """
    counts = splits_of(table)
    several = len(counts) > 1
    for split in counts if several else ():
        write_parquet(folder / split_table(split), _rows_of(table, split))
    remove_names(folder, [split_table(split) for split in SPLITS if not (several and split in counts)])
    suffixes = {Path(name).suffix for name in table.column("file_name").to_pylist()} & set(VIDEO)
    if not suffixes:
        return {}
    names = {split: split_table(split) if several else METADATA for split in counts}
    clips = [f"clips/*{suffix}" for suffix in sorted(suffixes)]
    files = [{"split": split, "path": [name, *clips]} for split, name in names.items()]
    tables = list(dict.fromkeys(names.values()))
    return {"configs": [{"config_name": "default", "data_files": files, "metadata_filenames": tables}]}


def splits_of(table: pa.Table) -> dict[str, int]:
    """Split -> clips, in the order of `SPLITS`; what says none is of train."""
    splits = table.column("split").to_pylist() if "split" in table.column_names else [None] * table.num_rows
    counts = Counter(each or "train" for each in splits)
    return {split: counts[split] for split in SPLITS if counts[split]}


def _rows_of(table: pa.Table, split: str) -> pa.Table:
    import pyarrow as pa

    mask = [(each or "train") == split for each in table.column("split").to_pylist()]
    return table.filter(pa.array(mask, pa.bool_()))


def write_card(owned: Owned, table: pa.Table, captions: Sequence[str], world: str = "") -> None:
    """Write the card, unless somebody edited it. said: Markdown below the title. world: that made the clips, if any."""
    licence = worlds.find(world).licence if world in worlds.names() else ""
    head: dict[str, Any] = {**model_card.DATASET}
    if licence:
        head["license"] = [model_card.licence_of(licence)]
    head |= write_splits(owned.path, table)
    counts = [f"- {split}: {counted(count, 'clip')}" for split, count in splits_of(table).items()]
    lines = [f"# {world or 'A video dataset'}", "", *captions, "", "## Splits", "", *counts]
    lines += ["", "## Licence", "", licence] if licence else []
    owned.write_card(CARD, model_card.header(head) + "\n".join(lines) + "\n")
