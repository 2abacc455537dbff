"""From a real film to a dataset that trains: the measuring and the deciding half together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_pipeline import rows_in, snapshot

from storyreel.curate.captions import DEFAULT
from storyreel.curate.export import Export
from storyreel.curate.pipeline import Settings, Where, curate
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
    settings = Settings(export=Export(format="mp4"), captions=DEFAULT)
    anything = Thresholds(seconds=Limit(min=0.4))
    done = curate([footage], tmp_path / "out", settings, anything, where=Where(workers=1))
    assert [bad["name"] for bad in done.refused] == ["broken.mp4"]
    rows = rows_in(tmp_path / "out")
    assert len(rows) >= 2
    assert all(row["motion_flow"] is not None for row in rows if row["num_frames"] > 24)
    folder = DatasetFolder.open(tmp_path / "out")
    assert len(folder) == done.kept >= 1
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
    curate([footage], tmp_path / "out", settings, anything, where=Where(workers=1))
    assert snapshot(tmp_path / "out") == before
