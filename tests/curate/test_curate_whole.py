"""From a real film to a dataset that trains: the measuring and the deciding half together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_pipeline import rows_in, snapshot

from storyreel.curate.captions import DEFAULT
from storyreel.curate.export import Export
from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Thresholds
from storyreel.data.folder import DatasetFolder


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("cv2", reason="measuring needs the extra curation")
    from tests.movies.movies import write_movie

    folder = tmp_path_factory.mktemp("footage")
    write_movie(folder / "movie.mp4", 5, size=(90, 160), shots=4)
    (folder / "movie.txt").write_text("a short movie\n")
    (folder / "broken.mp4").write_bytes((folder / "movie.mp4").read_bytes()[:4000])
    return folder


def test_footage_becomes_a_dataset_that_loads(footage: Path, tmp_path: Path):
    settings = CurationSettings(export=Export(format="mp4"), captions=DEFAULT)
    anything = Thresholds(seconds=Limit(min=0.4))
    done = curate([footage], tmp_path / "out", settings, anything, where=Execution(workers=1))
    assert [bad["name"] for bad in done.refused] == ["broken.mp4"]
    rows = rows_in(tmp_path / "out")
    assert len(rows) >= 2
    assert all(row["motion_flow"] is not None for row in rows if row["num_frames"] > 24)
    folder = DatasetFolder.open(tmp_path / "out")
    assert len(folder) == done.selected >= 1
    for index in range(len(folder)):
        clip, row = folder.clip(index), folder.row(index)
        assert len(clip) == row["num_frames"] == row["end"] - row["start"]
        assert clip.caption == "a short movie"
    from storyreel.data.loader import Loader
    from storyreel.recipe import Data

    batch = Loader([(folder, 1.0)], Data(frames=5, size=16, batch=2), cache=tmp_path / "cache").batch(0)
    assert batch["video"].shape == (2, 3, 5, 16, 16)
    from storyreel import recipes
    from storyreel.cli.curate import RECIPE

    for stage in recipes.get(RECIPE).stages.values():  # the recipe that `curate` proposes takes the folder as it is
        data = replace(stage.data, batch=2, image_share=0.0)
        batch = Loader([(folder, 1.0)], data, cache=tmp_path / "cache").batch(0)
        assert batch["video"].shape == (2, 3, data.frames, data.size, data.size)
    before = snapshot(tmp_path / "out")
    curate([footage], tmp_path / "out", settings, anything, where=Execution(workers=1))
    assert snapshot(tmp_path / "out") == before


def test_datasets_opens_it_with_our_captions_splits_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import datasets
    from stub_films import measure_real
    from test_export import ANY, encode, numbered

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name, shift in (("a", 0), ("b", 40), ("c", 80)):
        encode(tmp_path / "in" / f"{name}.mp4", numbered(24 + shift)[shift:])
    lines = ["path,caption,split", "a.mp4,the first,train", "b.mp4,the second,held_out", "c.mp4,the third,"]
    (tmp_path / "in" / "films.csv").write_text("\n".join(lines) + "\n")
    settings = CurationSettings(export=Export(format="mkv"), captions=DEFAULT)
    curate(
        [tmp_path / "in" / "films.csv"], tmp_path / "out", settings, ANY, where=Execution(workers=1), job=measure_real
    )
    ours = DatasetFolder.open(tmp_path / "out")
    found = datasets.load_dataset(str(ours.path), cache_dir=str(tmp_path / "cache"))
    assert {name: part.num_rows for name, part in found.items()} == {"train": 4, "held_out": 2}
    for name, part in found.items():
        rows = [index for index, each in enumerate(ours.splits) if each == name]
        assert part["caption"][:] == [ours.row(index)["caption"] for index in rows]
        files = part.cast_column("video", datasets.Video(decode=False))["video"]
        assert [Path(each["path"]).resolve() for each in files] == [ours.file(index).resolve() for index in rows]
