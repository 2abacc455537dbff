"""Two replicas on a Ray cluster make the videos of one queue; one of them is killed in the middle of a video."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from live import ROOT, STARTING, Live, running

from storyreel import video_io
from storyreel.serve.files import VideoFiles
from storyreel.serve.settings import options_of
from storyreel.serve.table import VideoTable

pytestmark = pytest.mark.alone
REQUEST = {"model": "tiny", "num_frames": 32, "num_inference_steps": 12, "candidates": 1}
PROMPTS = ("an orc walks", "a woman walks", "an orc in armor", "a woman in armor")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster on this machine with places for two replicas."""
    ray = pytest.importorskip("ray", reason="ray is an extra")
    from storyreel.engine import Ray

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    begin = ray.init
    monkeypatch.setattr(ray, "init", lambda **more: begin(num_cpus=2, object_store_memory=1 << 27, **more))
    Ray().begin()
    try:
        yield ray.get_runtime_context().gcs_address
    finally:
        ray.shutdown()


def replicas() -> set[int]:
    """Process numbers of the replicas of this cluster, which is a child of this process."""
    found, parents = set(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            title = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if title.startswith(b"ray::Replica"):
            found.add(int(folder.name))
    return {number for number in found if parents.get(parents[number]) == os.getpid()}


def both_at_work(live: Live) -> set[int]:
    """The replicas, once each has taken a step of a video."""
    end, videos = time.monotonic() + STARTING, []
    while time.monotonic() < end:
        videos = live.ask("GET", "/v1/videos")[1]["data"]
        if sum(video["status"] == "in_progress" and video["progress"] > 0 for video in videos) == 2:
            return replicas()
        time.sleep(0.02)
    raise TimeoutError(f"two videos were never made at a time: {videos}")


def test_a_replica_that_is_killed_is_replaced_and_no_video_is_lost(
    cluster: str, shelf: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """About 40 s on two busy cores."""
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    with running(tmp_path / "studio", shelf[:1], "--engine", "ray", "--workers", "2") as live:
        ids = [
            live.ask("POST", "/v1/videos", {**REQUEST, "prompt": prompt, "seed": seed})[1]["id"]
            for seed, prompt in enumerate(PROMPTS)
        ]
        before = both_at_work(live)
        assert len(before) == 2
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        assert [live.wait(id)["status"] for id in ids] == ["completed"] * len(ids)
        assert killed not in replicas()
    table, files = VideoTable(tmp_path / "studio"), VideoFiles(tmp_path / "studio")
    videos = table.list(newest=False)
    table.close()
    assert [video.id for video in videos] == ids
    assert sorted(video.attempts for video in videos) == [1, 1, 1, 2]
    from storyreel.generate.model import load

    model = load(shelf[0])
    for video in videos:
        expected = model.make(options_of(video, files), video.seed, 0)
        found = files.file(video.id, "clip.mkv")
        assert found is not None
        np.testing.assert_array_equal(video_io.read(found).frames, expected.frames)
