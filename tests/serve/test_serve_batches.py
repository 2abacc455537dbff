"""Videos of one batch are those that would be made alone, and end one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storyreel import load, read
from storyreel.serve import batches
from storyreel.serve.batches import make_together
from storyreel.serve.studio import Studio
from storyreel.serve.table import VideoRow
from storyreel.serve.worker import VideoWorker


@pytest.fixture(autouse=True)
def batches_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PAYS", {"cpu"})


@pytest.fixture
def studio(shelf: list[Path], tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path, [str(shelf[0])])
    yield studio
    studio.close()


def worker_of(studio: Studio, shelf: list[Path], told: list[dict[str, Any]]) -> VideoWorker:
    worker = VideoWorker(studio.folder, "claim", {"tiny": str(shelf[0])}, told.append)
    worker.load("tiny")
    return worker


def queue(studio: Studio, **more: Any) -> list[VideoRow]:
    bodies = [{"prompt": f"an orc walks {way}", "seed": seed, "steps": 2, **more} for seed, way in enumerate(WAYS)]
    return [studio.create(body) for body in bodies]


WAYS = ("left", "right", "up", "left", "down")


def run(worker: VideoWorker) -> None:
    while (video := worker.table.take(worker.claim)) is not None:
        make_together(worker, video)


def test_a_batch_gives_what_each_video_is_alone(studio: Studio, shelf: list[Path]):
    told: list[dict[str, Any]] = []
    worker, asked, sizes = worker_of(studio, shelf, told), queue(studio), []
    model = worker.load("tiny")
    generate = model.system.generate_batch
    model.system.generate_batch = lambda batch, *more: sizes.append(len(batch)) or generate(batch, *more)
    run(worker)
    assert sizes == [4, 1]
    ended = [event["id"] for event in told if event["event"] == "end"]
    assert ended == [video.id for video in asked]
    assert {event["id"] for event in told if event.get("preview")} == set(ended), "each has a preview of its own"
    alone = load(shelf[0])
    for video in map(studio.video, ended):
        assert (video.status, video.progress) == ("completed", 100)
        (clip,) = alone(video.settings["prompt"], seed=video.seed, steps=2)
        made = read(studio.files.place(video.id) / "clip.mkv")
        assert (made.frames == clip.frames).all()
        assert made.caption == video.settings["prompt"]


def test_prompts_of_other_lengths_are_of_other_batches(studio: Studio, shelf: list[Path]):
    worker, sizes = worker_of(studio, shelf, []), []
    for seed, prompt in enumerate(("an orc", "an elf", "an orc walks far away", "an orc", "a wizard")):
        studio.create({"prompt": prompt, "seed": seed, "steps": 1})
    generate = worker.load("tiny").system.generate_batch
    worker.load("tiny").system.generate_batch = lambda batch, *more: sizes.append(len(batch)) or generate(batch, *more)
    run(worker)
    assert sizes == [2, 1, 2]
    assert {video.status for video in studio.table.list()} == {"completed"}


def test_on_a_processor_each_is_made_by_itself(studio: Studio, shelf: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    worker = worker_of(studio, shelf, [])
    queue(studio)
    taken = worker.table.take("claim")
    assert taken is not None
    make_together(worker, taken)
    assert studio.table.counts() == {"completed": 1, "queued": 4}


def test_one_is_cancelled_and_the_others_are_made(studio: Studio, shelf: list[Path]):
    told: list[dict[str, Any]] = []
    worker, asked = worker_of(studio, shelf, told), queue(studio)
    gone = asked[2]

    def tell(event: dict[str, Any]) -> None:
        told.append(event)
        if event["event"] == "step" and event["done"] == 1:
            studio.table.ask_cancel(asked[1].id)
            if studio.table.get(gone.id) is not None:
                studio.delete(gone.id)

    worker.tell = tell
    run(worker)
    found = [studio.table.get(video.id) for video in asked]
    assert [video and (video.status, video.error_code) for video in found] == [
        ("completed", None), ("failed", "cancelled"), None, ("completed", None), ("completed", None),
    ]  # fmt: skip
    assert studio.files.file(asked[1].id, "video.mp4") is not None, "what was made so far stays"
    assert not studio.files.place(gone.id).exists()


def test_what_differs_in_more_than_the_prompt_is_made_alone(studio: Studio, shelf: list[Path]):
    worker = worker_of(studio, shelf, [])
    first, *_ = queue(studio)[:1]
    others = [studio.create({"prompt": "an orc", "num_frames": 2}), studio.create({"prompt": "an orc", "steps": 2})]
    taken = worker.table.take("claim")
    assert taken is not None
    assert taken.id == first.id
    with worker.table.transaction() as db:
        db.execute("UPDATE videos SET attempts = 1 WHERE status = 'queued' AND seed = 2")
    make_together(worker, taken)
    left = [video.id for video in studio.table.list("status = 'queued'", newest=False)]
    assert len(left) == 5, "the third one has killed a worker before: the batch ends there"
    assert set(left) > {video.id for video in others}


def test_a_batch_that_fails_is_made_one_by_one(studio: Studio, shelf: list[Path], monkeypatch: pytest.MonkeyPatch):
    worker, asked = worker_of(studio, shelf, []), queue(studio)
    model = worker.load("tiny")

    def full(*args: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "make_batch", full)
    run(worker)
    assert [studio.video(video.id).status for video in asked] == ["completed"] * 5


def test_one_that_cannot_be_written_fails_and_the_others_are_made(
    studio: Studio, shelf: list[Path], monkeypatch: pytest.MonkeyPatch
):
    worker, asked = worker_of(studio, shelf, []), queue(studio)
    prepare = worker.files.prepare

    def refuse(id: str, *values: Any) -> Any:
        if id == asked[1].id:
            raise ValueError("gif: too many colors")
        return prepare(id, *values)

    monkeypatch.setattr(worker.files, "prepare", refuse)
    run(worker)
    found = [studio.video(video.id) for video in asked]
    assert [(video.status, video.error_message) for video in found] == [
        ("completed", None), ("failed", "gif: too many colors"), *[("completed", None)] * 3,
    ]  # fmt: skip


def test_a_server_that_stops_leaves_the_whole_batch_in_its_place(studio: Studio, shelf: list[Path]):
    worker, asked = worker_of(studio, shelf, []), queue(studio)
    worker.tell = lambda event: worker.stop() if event["event"] == "step" else None
    taken = worker.table.take("claim")
    assert taken is not None
    make_together(worker, taken)
    found = studio.table.list(newest=False)
    assert [(video.id, video.status, video.attempts) for video in found] == [(v.id, "queued", 0) for v in asked]
