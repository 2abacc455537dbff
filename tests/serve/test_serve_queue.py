"""The queue outlives its workers and its server: nothing is lost, made twice or served half."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live import running
from PIL import Image

from storyreel.clip import Clip
from storyreel.serve.files import VideoFiles
from storyreel.serve.settings import options_of, plain_settings
from storyreel.serve.studio import Studio
from storyreel.serve.table import VideoRow, VideoTable
from storyreel.serve.worker_monitor import Hub, WorkerMonitor
from storyreel.storage import temporary_name

sys.path.append(str(Path(__file__).parents[1] / "campaigns"))

LONG = {"prompt": "an orc", "num_frames": 4000, "num_inference_steps": 100}


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"video_{number:032x}", "model": "tiny", "settings": {"prompt": "an orc"}, "seed": 0, "format": "mp4",
        "seconds": "1", "size": "16x16", **more,
    }  # fmt: skip


@pytest.fixture
def table(tmp_path: Path):
    made = VideoTable(tmp_path)
    yield made
    made.close()


def none(id: str) -> None:
    return None


def take(table: VideoTable, claim: str) -> VideoRow:
    found = table.take(claim)
    assert found is not None
    return found


def test_each_video_is_claimed_once_and_in_order(table: VideoTable, tmp_path: Path):
    other = VideoTable(tmp_path)
    ids = [table.add(row(number)).id for number in range(4)]
    assert [take(each, "a").id for each in (table, other, table, other)] == ids
    assert table.take("a") is None
    other.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "SECRET"},
        {"lora": [{"name": "SECRET"}]},
        {"encoder": "../SECRET"},
        {"inputs": {"image": "/../../../SECRET"}},
        {"inputs": {"../../SECRET": ""}},
    ],
)
def test_a_table_from_elsewhere_opens_no_file_of_this_machine(table: VideoTable, tmp_path: Path, settings: Any):
    files, id = VideoFiles(tmp_path), f"video_{1:032x}"
    secret = tmp_path.parent / "secret.png"
    Image.new("RGB", (16, 16)).save(secret)
    (tmp_path / "inputs" / f"{id}-image").mkdir()  # what a path with .. in it leads through
    named = json.loads(json.dumps(settings).replace("SECRET", "secret.png" if "inputs" in settings else str(secret)))
    video = table.add(row(1, settings={"prompt": "an orc", **named}))
    with pytest.raises(ValueError, match=r"no request has this setting|expected a name without a folder"):
        options_of(video, files)
    assert not plain_settings(video).keys() & {"image", "lora"}  # nor is it there for a remix


def test_a_format_from_elsewhere_leads_to_no_other_folder(tmp_path: Path):
    (tmp_path / "studio").mkdir()
    files, id = VideoFiles(tmp_path / "studio"), f"video_{1:032x}"
    clip = Clip(np.zeros((2, 16, 16, 3), np.uint8))
    for format in ("x/../../../../outside.mp4", "x/../../outside.gif"):
        with pytest.raises(ValueError, match="format: expected a name without a folder"):
            files.prepare(id, clip, format, None, {})
    (files.place(id) / "video.x").mkdir(parents=True)
    (tmp_path / "outside.json").write_text("mine")
    assert files.file(id, "video.x/../../../../outside.json") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside.json", "studio"]
    assert [path.name for path in (tmp_path / "studio/videos").iterdir()] == [id]


def test_a_claim_that_does_not_hold_changes_nothing(table: VideoTable):
    video, published = table.add(row(1)), []
    take(table, "dead")
    table.release("dead", none, "was killed by SIGKILL")
    take(table, "alive")
    assert table.report(video.id, "dead", 50, "") == "gone"
    assert not table.finish(video.id, "dead", result={}, publish=lambda: published.append(1))
    assert published == []
    assert table.finish(video.id, "alive", result={"seconds": "2", "size": "32x32"})
    done = table.get(video.id)
    assert done is not None
    assert (done.status, done.progress, done.seconds, done.size) == ("completed", 100, "2", "32x32")


def test_a_video_fails_with_the_second_worker_that_dies_of_it(table: VideoTable):
    id = table.add(row(1)).id
    for number in range(4):  # servers that stop count for nothing
        take(table, f"stopped {number}")
        table.release(None, none, None)
    take(table, "first")
    table.release("first", none, "was killed by SIGKILL")
    found = table.get(id)
    assert found is not None
    assert found.status == "queued"
    take(table, "second")
    table.release("second", none, "was killed by SIGSEGV")
    found = table.get(id)
    assert found is not None
    assert (found.status, found.error_code) == ("failed", "worker_died")
    assert found.error_message == "2 worker processes died of it; the last one was killed by SIGSEGV."


def test_a_video_whose_files_had_appeared_is_completed_and_not_made_again(table: VideoTable):
    id = table.add(row(1)).id
    take(table, "a")
    table.release("a", lambda found: {"seconds": "1", "size": "16x16"} if found == id else None, "died")
    found = table.get(id)
    assert found is not None
    assert found.status == "completed"


def test_a_video_that_was_to_be_cancelled_is_not_made_again(table: VideoTable):
    id = table.add(row(1)).id
    take(table, "a")
    table.ask_cancel(id)
    table.release("a", none, "died")
    found = table.get(id)
    assert found is not None
    assert (found.status, found.error_code) == ("failed", "cancelled")


def test_publish_that_fails_leaves_the_video_as_it_was(table: VideoTable):
    id = table.add(row(1)).id
    take(table, "a")

    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        table.finish(id, "a", result={}, publish=full)
    found = table.get(id)
    assert found is not None
    assert found.status == "in_progress"


def test_ids_are_no_paths(tmp_path: Path):
    files = VideoFiles(tmp_path)
    for name in ("..", "video_", "/etc", "video_" + "0" * 31 + "/"):
        with pytest.raises(ValueError, match="is no id"):
            files.place(name)


def test_deletion_that_was_cut_short_is_finished(tmp_path: Path, shelf: list[Path]):
    from storyreel.serve.studio import Studio

    studio = Studio(tmp_path, [str(shelf[0])])
    id = studio.create({"prompt": "an orc"}).id
    (tmp_path / "videos" / id).mkdir()
    (tmp_path / "inputs" / f"video_{5:032x}-image.png").write_bytes(b"of a request that never was")
    studio.table.hide(id)
    studio.close()
    again = Studio(tmp_path, [str(shelf[0])])
    assert again.table.ids() == set()
    assert list((tmp_path / "videos").iterdir()) == []
    again.close()


def test_the_server_is_killed_and_the_gallery_is_as_it_was(tmp_path: Path, shelf: list[Path]):
    """Also: the worker dies and is replaced; a stop puts the video that is being made back."""
    folder = tmp_path / "studio"
    with running(folder, shelf[:1]) as live:
        done = live.ask("POST", "/v1/videos", {"prompt": "an orc"})[1]["id"]
        live.wait(done)
        live.ask("PATCH", f"/v1/videos/{done}", {"favourite": True})
        before = live.ask("GET", f"/v1/videos/{done}")[1]
        content = live.raw("GET", f"/v1/videos/{done}/content")[2]
        long = live.ask("POST", "/v1/videos", LONG)[1]["id"]
        live.wait(long, "in_progress")
        (worker,) = live.workers()
        os.kill(worker, signal.SIGKILL)
        end = time.monotonic() + 60
        while live.workers() in ([], [worker]) and time.monotonic() < end:
            time.sleep(0.05)
        live.wait(long, "in_progress")
        live.kill()
    with running(folder, shelf[:1]) as live:
        after = live.ask("GET", f"/v1/videos/{done}")[1]
        for each in (before, after):
            each["storyreel"].pop("commands")  # with the port
        assert after == before
        assert live.raw("GET", f"/v1/videos/{done}/content")[2] == content
        live.wait(long, "in_progress")
        assert live.stop() == 0
    table = VideoTable(folder)
    found = table.get(long)
    table.close()
    assert found is not None
    assert (found.status, found.attempts) == ("queued", 1)  # of the worker that died; stops count for nothing


def test_a_worker_does_not_spin_while_it_waits(tmp_path: Path):
    """On a busy machine spinning took ten times as long as the work. A worker whose stdin has ended ends."""
    code = "import os, sys; from storyreel.serve import worker; worker.main(sys.argv[1:]); print(os.environ)"
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-c", code, str(tmp_path), "claim", "{}"]
    ended = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert "'OMP_WAIT_POLICY': 'PASSIVE'" in ended.stdout + ended.stderr  # what libraries print goes where errors go


def test_the_death_of_a_worker_takes_only_its_own_previews(tmp_path: Path, shelf: list[Path]):
    studio, hub = Studio(tmp_path, [str(shelf[0])]), Hub()
    hub.previews = {"mine": (1, ""), "of another worker": (1, "")}

    async def live_and_die() -> None:
        watch = WorkerMonitor(studio, hub, None)
        life = asyncio.create_task(watch._life())
        while watch.process is None:
            await asyncio.sleep(0.01)
        watch._heard(b'{"event": "begin", "id": "mine"}')
        watch.process.kill()
        await life

    asyncio.run(live_and_die())
    studio.close()
    assert list(hub.previews) == ["of another worker"]


def test_a_small_campaign_of_kills(tmp_path: Path):
    import random

    from serve_kills import Campaign

    campaign = Campaign(tmp_path, jobs=12, clients=4, kills=1, rng=random.Random(2))
    campaign.run()
    assert campaign.faults == []
    assert (campaign.servers_killed, len(campaign.told)) == (1, 12)


def test_what_a_dead_worker_had_begun_is_swept(tmp_path: Path):
    files, script = VideoFiles(tmp_path), "import sys, pathlib; from storyreel.storage import temporary_name; "
    script += "temporary_name(pathlib.Path(sys.argv[1])).mkdir()"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "videos" / "video_1")], check=True)
    own = temporary_name(tmp_path / "videos" / "video_2")
    own.mkdir()
    files.sweep()
    assert list((tmp_path / "videos").iterdir()) == [own]
