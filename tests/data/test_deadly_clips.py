"""A clip that kills the process that decodes it is listed, and the others are read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storyreel.clip import Clip
from storyreel.data.check import check
from storyreel.data.folder import DatasetFolder
from storyreel.data.imports.entries import AnnotatedClip, Annotation, ClipCut
from storyreel.data.imports.folder import write_import
from storyreel.data.pack import Pack

DEADLY = """
import os, pathlib, signal
def deadly(plain):
    def function(self, *args, **options):
        for name, number in (("crashes", signal.SIGSEGV), ("starves", signal.SIGKILL)):
            if self.name.startswith(name):
                os.kill(os.getpid(), number)
        return plain(self, *args, **options)
    return function
pathlib.Path.is_file, pathlib.Path.open = deadly(pathlib.Path.is_file), deadly(pathlib.Path.open)
"""  # loaded by each Python that starts: the clips of these names are deadly to worker processes


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    folder = tmp_path / "set"
    (folder / "clips").mkdir(parents=True)
    names = [f"clips/{name}.mkv" for name in ("a", "crashes", "b", "starves", "c", "crashes-too")]
    for number, name in enumerate(names):
        Clip(np.full((3, 16, 16, 3), 40 * number, np.uint8), 8).save(folder / name)
    pq.write_table(
        pa.table({"file_name": names, "caption": ["x"] * 6, "num_frames": [3] * 6}), folder / "metadata.parquet"
    )
    return DatasetFolder.open(folder)


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DEADLY)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), *([before] if before else [])]))


@pytest.mark.usefixtures("deadly")
def test_clips_that_kill_their_decoder_are_left_out_of_a_pack(
    dataset: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack = Pack.open(dataset, 8, 3, tmp_path / "cache")
    assert sorted(pack.refused) == [1, 3, 5]
    assert pack.counts.tolist() == [3, 0, 3, 0, 3, 0]
    assert "3 times of 3 (signal 11)" in pack.refused[1]
    assert "signal 9" in pack.refused[3]
    assert "memory" in pack.refused[3]
    assert pack.frames(4)[0, 0, 0].tolist() == [160, 160, 160]
    monkeypatch.delenv("PYTHONPATH")  # there is memory again
    again = Pack.open(dataset, 8, 3, tmp_path / "cache").refused
    assert 3 not in again, "what was killed may be read at another time"


@pytest.mark.usefixtures("deadly")
def test_clips_that_kill_their_decoder_are_listed_by_a_check(dataset: DatasetFolder):
    for workers in (1, 2):
        report = check(dataset, workers=workers)
        assert report.usable == 3
        assert [name for name, _ in report.refused] == [
            "clips/crashes.mkv",
            "clips/starves.mkv",
            "clips/crashes-too.mkv",
        ]
        assert all("ended the process that decoded it" in why for _, why in report.refused)


@pytest.mark.usefixtures("deadly")
def test_videos_that_kill_their_decoder_are_left_out_of_an_import(dataset: DatasetFolder, tmp_path: Path):
    files = [dataset.path / name for name in dataset.file_names]
    entries = [AnnotatedClip(index=i, name=f"v{i}", file=file, captions=("x",)) for i, file in enumerate(files)]
    done = write_import(tmp_path / "out", Annotation(entries, []), ClipCut(), plan={"import": "test"}, workers=2)
    assert len(done.folder) == 3
    assert [name for name, _ in done.skipped] == ["v1", "v3", "v5"]
