"""Videos that a replica on a Ray cluster makes, for the worker that has the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.alone
def test_a_replica_makes_what_a_worker_makes_and_its_death_is_the_workers(
    tmp_path: Path, shelf: list[Path], monkeypatch: pytest.MonkeyPatch
):
    """Starts a cluster on this machine: about 20 s on two cores."""
    ray = pytest.importorskip("ray", reason="ray is an extra")
    from storyreel.generate.model import load
    from storyreel.serve.files import VideoFiles
    from storyreel.serve.served import served
    from storyreel.serve.settings import understand
    from storyreel.serve.table import VideoTable
    from storyreel.serve.worker import RAY, VideoWorker

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    model, heard = served(shelf[0]), []
    folder = tmp_path / "studio"
    folder.mkdir()
    table, files = VideoTable(folder), VideoFiles(folder)

    def queued(number: int) -> str:
        wanted = understand({"prompt": "a thing that moves", "seed": number}, model, {})
        row = {"settings": wanted.settings, "seed": wanted.seed, "format": wanted.format, "scale": wanted.scale}
        id = f"video_{number:032x}"
        return table.add({"id": id, "model": model.name, "seconds": wanted.seconds, "size": wanted.size, **row}).id

    worker = VideoWorker(folder, "claim", {model.name: str(model.folder)}, heard.append, RAY)
    try:
        first, second = queued(1), queued(2)
        worker.make(worker.table.take("claim"))
        made = table.get(first)
        assert (made.status, made.error_message) == ("completed", None)
        assert made.result["cost"]["memory"] > 50e6  # of the replica: PyTorch alone takes more
        from storyreel import video_io

        here = load(model.folder)
        expected = here.make(worker.options(made, here), 1, 0)
        np.testing.assert_array_equal(video_io.read(files.file(first, "clip.mkv")).frames, expected.frames)
        ray.kill(worker.load(model.name)._cluster.replica)
        with pytest.raises(ray.exceptions.RayError):
            worker.make(worker.table.take("claim"))
        table.release("claim", files.facts, "its replica died")
        assert table.get(second).status == "queued"
    finally:
        ray.shutdown()
        table.close()


def test_what_the_command_line_refuses_of_the_engines():
    from storyreel.cli.serve import _devices

    with pytest.raises(ValueError, match="RAY_ADDRESS names no cluster"):
        _devices("", "ray", 2)
    with pytest.raises(ValueError, match="places its replicas itself"):
        _devices("cpu", "ray", 1)
    with pytest.raises(ValueError, match="expected local or ray, got 'slurm'"):
        _devices("", "slurm", 1)
