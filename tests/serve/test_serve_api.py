"""The API on a live server, driven by OpenAI's own client and by plain requests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from live import Live
from PIL import Image

from storyreel import read, read_meta

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")  # its shape outlives the service


@pytest.fixture(scope="module")
def client(server: Live) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def made(client: openai.OpenAI) -> Any:
    return client.videos.create_and_poll(prompt="an orc walks left", model="tiny", extra_body={"seed": 3})


def test_a_video_is_made_and_its_file_says_what_made_it(client: openai.OpenAI, made: Any, tmp_path: Path):
    assert (made.status, made.progress, made.object, made.model) == ("completed", 100, "video", "tiny")
    assert (made.prompt, made.seconds, made.size, made.error) == ("an orc walks left", "0.625", "512x512", None)
    assert made.completed_at >= made.created_at
    client.videos.download_content(made.id).write_to_file(tmp_path / "a.mp4")
    clip, meta = read(tmp_path / "a.mp4"), read_meta(tmp_path / "a.mp4")
    assert (len(clip), clip.size, clip.caption) == (5, (512, 512), "an orc walks left")
    assert meta is not None
    assert (meta["seed"], meta["model"]) == (3, "tiny")


def test_it_is_the_video_that_the_command_line_makes(server: Live, shelf: list[Path], made: Any, tmp_path: Path):
    from storyreel import load

    status, _, content = server.raw("GET", f"/v1/videos/{made.id}/content?variant=lossless")
    (tmp_path / "a.mkv").write_bytes(content)
    (clip,) = load(shelf[0])("an orc walks left", seed=3)
    assert status == 200
    assert (read(tmp_path / "a.mkv").frames == clip.frames).all()


def test_variants(client: openai.OpenAI, server: Live, made: Any):
    sheet = Image.open(io.BytesIO(client.videos.download_content(made.id, variant="spritesheet").read()))
    atlas = json.loads(server.raw("GET", f"/v1/videos/{made.id}/content?variant=atlas")[2])
    thumbnail = Image.open(io.BytesIO(client.videos.download_content(made.id, variant="thumbnail").read()))
    assert sheet.format == "PNG"
    assert sheet.size == (atlas["meta"]["size"]["w"], atlas["meta"]["size"]["h"])
    assert len(atlas["frames"]) == 5
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (256, 256))
    with pytest.raises(openai.BadRequestError, match="variant: expected video, thumbnail"):
        client.videos.download_content(made.id, variant="all")  # pyright: ignore[reportArgumentType]


def test_a_part_of_a_file_may_be_asked_for(server: Live, made: Any):
    status, headers, content = server.raw("GET", f"/v1/videos/{made.id}/content", None, {"Range": "bytes=4-11"})
    assert (status, len(content), content[:4]) == (206, 8, b"ftyp")
    assert headers["content-type"] == "video/mp4"


def test_remix_and_same_again_with_another_seed(client: openai.OpenAI, server: Live, made: Any):
    other = client.videos.remix(made.id, prompt="a woman")
    assert (other.remixed_from_video_id, other.prompt, other.model) == (made.id, "a woman", "tiny")
    status, again = server.ask("POST", f"/v1/videos/{made.id}/remix", {"seed": 9})
    assert (status, again["prompt"], again["storyreel"]["seed"]) == (200, "an orc walks left", 9)
    assert server.ask("POST", f"/v1/videos/{made.id}/remix", {})[0] == 400
    for each in (other.id, again["id"]):
        assert server.wait(each)["status"] == "completed"


def test_extensions_by_id_and_by_file(client: openai.OpenAI, server: Live, made: Any):
    status, longer = server.ask("POST", "/v1/videos/extensions", {"video": {"id": made.id}, "seconds": "0.5"})
    assert (status, longer["seconds"]) == (200, "1.125")  # the whole, as OpenAI counts
    lossless = server.raw("GET", f"/v1/videos/{made.id}/content?variant=lossless")[2]
    sent = client.videos.extend(
        prompt="a woman",
        seconds="0.5",
        video=("a.mkv", lossless),
        extra_body={"model": "tiny"},  # pyright: ignore
    )
    found = [server.wait(each) for each in (longer["id"], sent.id)]
    assert [(v["status"], v["seconds"], v["storyreel"]["result"]["frames"]) for v in found] == [
        ("completed", "1.125", 9)
    ] * 2
    assert found[0]["prompt"] == "an orc walks left"


def test_an_input_reference_in_a_form_and_in_json(client: openai.OpenAI, server: Live):
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(out, "PNG")
    sent = client.videos.create(prompt="an orc", model="tiny", input_reference=("../../evil.exe", out.getvalue()))
    import base64

    url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    said = server.ask(
        "POST", "/v1/videos", {"prompt": "an orc", "model": "tiny", "input_reference": {"image_url": url}}
    )
    for id in (sent.id, said[1]["id"]):
        done = server.wait(id)
        assert (done["status"], done["storyreel"]["inputs"]) == ("completed", ["image"])
    assert {file.name.partition("-")[0] for file in (server.folder / "inputs").iterdir()} >= {sent.id, said[1]["id"]}


def test_lists_have_cursors(client: openai.OpenAI, server: Live, made: Any):
    every = [video.id for video in client.videos.list(limit=2, order="asc")]  # the client follows the cursors
    assert every == [video.id for video in client.videos.list(limit=100)][::-1]
    assert made.id in every
    page = server.ask("GET", "/v1/videos?limit=1&order=asc")[1]
    assert (page["object"], page["has_more"], page["first_id"], page["last_id"]) == ("list", True, every[0], every[0])
    assert server.ask("GET", "/v1/videos?limit=0")[1]["error"]["param"] == "limit"
    assert server.ask("GET", "/v1/videos?after=video_no")[0] == 404


def test_favourites_and_search(server: Live, made: Any):
    assert server.ask("PATCH", f"/v1/videos/{made.id}", {"favourite": True})[1]["storyreel"]["favourite"] is True
    assert [v["id"] for v in server.ask("GET", "/v1/videos?favourite=true")[1]["data"]] == [made.id]
    assert made.id in [v["id"] for v in server.ask("GET", "/v1/videos?q=orc+left")[1]["data"]]
    assert server.ask("GET", "/v1/videos?q=100%25")[1]["data"] == []
    assert server.ask("PATCH", f"/v1/videos/{made.id}", {"favorite": True})[1]["error"]["code"] == "unknown_parameter"


def test_the_same_key_is_the_same_video(client: openai.OpenAI):
    key = {"Idempotency-Key": "one"}
    first = client.videos.create(prompt="an orc", model="tiny", extra_headers=key)
    assert client.videos.create(prompt="an orc", model="tiny", extra_headers=key).id == first.id
    with pytest.raises(openai.ConflictError) as error:
        client.videos.create(prompt="a woman", model="tiny", extra_headers=key)
    assert error.value.code == "idempotency_key_reused"
    client.videos.delete(first.id)


def test_sync_answers_with_the_file(server: Live):
    body = {"prompt": "an orc", "model": "tiny-sprites", "transparent": True, "size": "32x32"}
    status, headers, content = server.raw(
        "POST", "/v1/videos/sync", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    assert (status, headers["content-type"], content[:4]) == (200, "video/webm", b"\x1aE\xdf\xa3")
    assert server.ask("GET", f"/v1/videos/{headers['x-video-id']}")[1]["size"] == "32x32"


def test_events_tell_of_steps_with_previews(server: Live):
    id = server.ask("POST", "/v1/videos", {"prompt": "an orc", "model": "tiny", "steps": 40})[1]["id"]
    content = server.raw("GET", f"/v1/videos/{id}/events")[2].decode()
    events = [event.split("\n", 1) for event in content.split("\n\n") if event.startswith("event: ")]
    said = [json.loads(data.removeprefix("data: ")) for name, data in events if name == "event: video"]
    assert events[-1] == ["event: done", 'data: {"status": "completed"}']
    assert [video["status"] for video in (said[0], said[-1])] == ["queued", "completed"] or said[0]["progress"] < 100
    pictures = [json.loads(data.removeprefix("data: ")) for name, data in events if name == "event: preview"]
    assert pictures
    assert pictures[0]["image"].startswith("data:image/webp;base64,")


def test_cancel_and_content_before_the_end(client: openai.OpenAI, server: Live):
    long = {"prompt": "an orc", "model": "tiny", "num_frames": 4000, "num_inference_steps": 100}
    first, second = (server.ask("POST", "/v1/videos", long)[1] for _ in range(2))
    server.wait(first["id"], "in_progress")
    with pytest.raises(openai.ConflictError) as error:
        client.videos.download_content(first["id"])
    assert error.value.code == "video_not_ready"
    waits = server.ask("GET", f"/v1/videos/{second['id']}")[1]
    assert (waits["status"], waits["storyreel"]["queue_position"]) == ("queued", 1)
    assert server.ask("POST", f"/v1/videos/{second['id']}/cancel")[1]["error"]["code"] == "cancelled"
    server.ask("POST", f"/v1/videos/{first['id']}/cancel")
    assert server.wait(first["id"])["error"]["code"] == "cancelled"


def test_delete_takes_the_files_away(client: openai.OpenAI, server: Live):
    id = client.videos.create_and_poll(prompt="a woman", model="tiny").id
    assert (server.folder / "videos" / id / "video.mp4").is_file()
    assert client.videos.delete(id).deleted
    assert not (server.folder / "videos" / id).exists()
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(id)


def test_the_queue_can_be_put_in_another_order(server: Live):
    long = {"prompt": "an orc", "model": "tiny", "num_frames": 4000, "num_inference_steps": 100}
    running, *waiting = (server.ask("POST", "/v1/videos", long)[1]["id"] for _ in range(4))
    server.wait(running, "in_progress")
    server.ask("PATCH", f"/v1/videos/{waiting[2]}", {"before": None})
    server.ask("PATCH", f"/v1/videos/{waiting[0]}", {"before": waiting[1]})

    def order() -> list[str]:
        found = [server.ask("GET", f"/v1/videos/{id}")[1] for id in waiting]
        return [v["id"] for v in sorted(found, key=lambda v: v["storyreel"]["queue_position"])]

    assert order() == [waiting[2], waiting[0], waiting[1]]
    for id in (*waiting, running):
        assert server.ask("DELETE", f"/v1/videos/{id}")[0] == 200


def test_models_say_what_they_can(client: openai.OpenAI, server: Live):
    assert [model.id for model in client.models.list()] == ["tiny", "tiny-sprites"]
    facts = client.models.retrieve("tiny-sprites").model_dump()["storyreel"]
    assert facts["sizes"][:3] == ["16x16", "32x32", "48x48"]
    assert facts["attributes"]["facing"] == {
        "left": "to the left", "right": "to the right", "up": "away from us", "down": "toward us",
    }  # fmt: skip
    assert server.ask("GET", "/v1/models/none")[1]["error"]["code"] == "model_not_found"


def test_the_server_says_how_it_is(server: Live):
    assert server.ask("GET", "/healthz") == (200, {"status": "ok"})
    status, body = server.ask("GET", "/readyz")
    assert (status, body["status"], body["errors"]) == (200, "ok", [])


def test_openapi_has_the_options_of_the_command_line(server: Live):
    from storyreel.options.declare import fields_of
    from storyreel.options.generation import GenerateOptions

    document = server.ask("GET", "/openapi.json")[1]
    body = document["paths"]["/v1/videos"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    inputs = {"image", "image_end", "extend", "variation", "interpolate"}
    assert set(fields_of(GenerateOptions)) - inputs - {"lora"} <= set(body["properties"])
    assert "lora" not in body["properties"], "no request names a file of the server"
    assert body["properties"]["guidance"]["description"] == fields_of(GenerateOptions)["guidance"].setting.help
