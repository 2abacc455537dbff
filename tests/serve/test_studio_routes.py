"""What the studio's page asks for: ticks and tries, scenes and their versions, an estimate, what made a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from live import Live

from storyreel.clip import Clip
from storyreel.evaluate.judge import Judge
from storyreel.generate import registry
from storyreel.serve.ticks import expected_of, ticks_of
from storyreel.worlds.digits import Digits

BODY = {"prompt": "an orc in plate armor walking, facing left", "model": "tiny-sprites", "num_inference_steps": 1}
ORC = {"body": "orc", "torso": "plate armor", "action": "walk", "facing": "left"}


def make(server: Live, path: str = "/v1/videos", **body: Any) -> Any:
    status, video = server.ask("POST", path, body)
    assert status == 200, video
    return video


@pytest.fixture(scope="module")
def made(server: Live) -> Any:
    return server.wait(make(server, **BODY, candidates=1)["id"])


def test_a_judge_ticks_what_the_prompt_says(made: Any):
    ticks = made["storyreel"]["result"]["ticks"]
    assert {tick["attribute"]: tick["expected"] for tick in ticks} == ORC
    assert all(tick["right"] == (tick["seen"] == tick["expected"]) for tick in ticks)
    assert made["storyreel"]["result"]["right"] == sum(tick["right"] for tick in ticks) / 4


def test_ticks_are_what_the_judge_of_evaluate_reads(sprites_like: Clip):
    info = registry.describe(registry.find("phenaki-sprites"))
    (read,) = Judge.load("sprites").read([sprites_like])
    prompt = f"a {read['body']} {read['action']}"
    (expected,) = expected_of(info, prompt)
    assert {tick["attribute"]: tick["seen"] for tick in ticks_of(info, prompt, sprites_like)} == {
        name: read[name] for name in expected
    }
    assert expected_of(info, "nothing of this world") == []


@pytest.mark.parametrize("model", ["godiva-digits", "phenaki-digits"])
def test_of_two_digits_each_has_its_ticks(model: str):
    """A clip of the world is right; the same clip for another prompt is wrong where it differs."""
    info = registry.describe(registry.find(model))
    clip, row = Digits(digits="2").make(3, 0)
    (first, second), (one, other) = row["attributes"]["digits"], row["attributes"]["motions"]
    right = f"two digits: a {first} moving {one} and a {second} moving {other}"
    expected = [str(first), one, str(second), other, "2 digits"]
    assert [(tick["expected"], tick["right"]) for tick in ticks_of(info, right, clip)] == [
        (each, True) for each in expected
    ]
    wrong = ticks_of(info, f"the digit {first} is moving {other} .", clip)
    assert [(tick["attribute"], tick["expected"], tick["seen"], tick["right"]) for tick in wrong] == [
        ("digits", str(first), str(first), True),
        ("motions", other, one, one == other),
        ("count", "1 digit", "2 digits", False),
    ]
    assert ticks_of(info, f"a {first}", clip.replace(frames=clip.frames * 0)) == [
        {"attribute": "digits", "expected": str(first), "seen": "nothing", "right": False},
        {"attribute": "count", "expected": "1 digit", "seen": "0 digits", "right": False},
    ]
    assert ticks_of(info, "nothing of this world", clip) == []


def test_all_pieces_of_a_long_clip_must_be_right(sprites_like: Clip):
    import numpy as np

    info = registry.describe(registry.find("phenaki-sprites"))
    empty = np.zeros_like(sprites_like.frames)
    (read,) = Judge.load("sprites").read([sprites_like])
    (blank,) = Judge.load("sprites").read([sprites_like.replace(frames=empty)])
    assert read["body"] != blank["body"]
    longer = sprites_like.replace(frames=np.concatenate([sprites_like.frames, empty]))
    (tick,) = [each for each in ticks_of(info, f"a {read['body']}", longer) if each["attribute"] == "body"]
    assert tick == {"attribute": "body", "expected": read["body"], "seen": blank["body"], "right": False}


@pytest.fixture(scope="module")
def sprites_like() -> Clip:
    """A figure in flat colors, as a judge of sprites can look at it."""
    import numpy as np

    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 20:60, 24:40] = (120, 160, 90, 255)
    return Clip(frames, Fraction(8))


def test_tries_end_at_the_limit_and_the_best_seed_is_kept(server: Live):
    video = server.wait(make(server, **BODY, candidates=1, seed=5, max_tries=3)["id"])
    result = video["storyreel"]["result"]
    shares = []
    for seed in (5, 6, 7):
        alone = server.wait(make(server, **BODY, candidates=1, seed=seed)["id"])["storyreel"]["result"]
        shares.append(alone["right"])
    assert 1 not in shares, "the tiny model knows nothing; choose another seed"
    assert result["tries"] == 3
    assert result["right"] == max(shares)
    assert video["storyreel"]["seed"] == result["seed"] == 5 + shares.index(max(shares))
    assert f"--seed {result['seed']}" in video["storyreel"]["commands"]["cli"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({**BODY, "max_tries": 65}, "max_tries: expected a whole number from 1 to 64, got 65"),
        ({**BODY, "model": "tiny", "max_tries": 2}, "max_tries: there is no judge of what tiny makes; leave it out"),
        (
            {**BODY, "prompt": "hello", "max_tries": 2},
            "max_tries: the prompt says nothing that the judge can see; leave it out",
        ),
    ],
)
def test_tries_that_cannot_be(server: Live, body: dict[str, Any], line: str):
    for path in ("/v1/videos", "/v1/estimate"):
        status, answer = server.ask("POST", path, body)
        assert (status, answer["error"]["message"], answer["error"]["param"]) == (400, line, "max_tries")


def test_the_list_is_sorted_by_what_is_right(server: Live, made: Any):
    server.wait(make(server, prompt="an orc", model="tiny", num_inference_steps=1)["id"])  # has no judge
    found, after = [], ""
    while True:
        _, page = server.ask("GET", f"/v1/videos?sort=right&limit=2{after}")
        found += page["data"]
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    ended = [video for video in found if video["status"] == "completed"]
    shares = [video["storyreel"]["result"].get("right", -1) for video in ended]
    assert shares == sorted(shares, reverse=True)
    assert len({each["id"] for each in found}) == len(found)
    assert shares[-1] == -1 < shares[0]


def test_scenes_wait_for_each_other_and_have_versions(server: Live):
    short = {"seconds": "0.25", "num_inference_steps": 1}
    first = make(server, prompt="an orc walking", model="tiny", **short)
    second = make(server, "/v1/videos/extensions", video={"id": first["id"]}, prompt="it falls", **short)
    third = make(server, "/v1/videos/extensions", video={"id": second["id"]}, prompt="it casts", **short)
    assert [each["seconds"] for each in (first, second, third)] == ["0.25", "0.5", "0.75"]
    ended = server.wait(third["id"])
    assert ended["status"] == "completed"
    assert ended["storyreel"]["result"]["frames"] == 6
    assert ended["storyreel"]["result"]["new_frames"] == 2
    other = make(server, f"/v1/videos/{second['id']}/remix", seed=9)
    assert server.wait(other["id"])["seconds"] == "0.5"
    assert other["storyreel"]["follows"] == first["id"]
    scenes = server.ask("GET", f"/v1/videos/{third['id']}/story")[1]["scenes"]
    assert [scene["chosen"] for scene in scenes] == [first["id"], second["id"], third["id"]]
    assert [[each["id"] for each in scene["versions"]] for scene in scenes] == [
        [first["id"]], [second["id"], other["id"]], [third["id"]],
    ]  # fmt: skip
    branch = server.ask("GET", f"/v1/videos/{other['id']}/story")[1]["scenes"]
    assert [scene["chosen"] for scene in branch] == [first["id"], other["id"]]
    again = make(server, f"/v1/videos/{first['id']}/remix", seed=3)
    (scene,) = server.ask("GET", f"/v1/videos/{again['id']}/story")[1]["scenes"]
    assert [each["id"] for each in scene["versions"]] == [first["id"], again["id"]]


def test_a_scene_fails_with_the_one_before_it(server: Live):
    long = make(server, prompt="an orc", model="tiny", num_frames=400, num_inference_steps=20)
    follows = make(server, "/v1/videos/extensions", video={"id": long["id"]}, prompt="it falls")
    other = make(server, prompt="an orc", model="tiny", num_inference_steps=1)
    server.ask("POST", f"/v1/videos/{long['id']}/cancel")
    ended = server.wait(follows["id"])
    assert (ended["status"], ended["error"]["message"]) == (
        "failed", "video: the scene that it goes on from was not made",
    )  # fmt: skip
    assert server.wait(other["id"])["status"] == "completed"


def test_what_a_video_will_take_is_what_others_took(server: Live, made: Any):
    _, found = server.ask("POST", "/v1/estimate", {**BODY, "candidates": 1})
    assert 0 < found["seconds"] < 60
    assert found["memory"] > 1 << 24
    assert found["loading"] == 0
    assert found["measured"] >= 1
    _, longer = server.ask("POST", "/v1/estimate", {**BODY, "candidates": 1, "num_frames": 50})
    assert longer["seconds"] > found["seconds"]
    before = server.ask("GET", "/v1/videos?limit=1")[1]["first_id"]
    assert server.ask("POST", "/v1/estimate", {**BODY, "num_frames": 99999})[0] == 400
    assert server.ask("GET", "/v1/videos?limit=1")[1]["first_id"] == before


@pytest.mark.parametrize("variant", ["video", "spritesheet", "lossless"])
def test_a_file_says_what_made_it(server: Live, made: Any, variant: str, tmp_path: Path):
    _, _, content = server.raw("GET", f"/v1/videos/{made['id']}/content?variant={variant}")
    boundary = b'--b\r\nContent-Disposition: form-data; name="input_reference"; filename="x"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    import json

    status, _, answer = server.raw("POST", "/v1/provenance", boundary + content + b"\r\n--b--\r\n", headers)
    found = json.loads(answer)
    assert status == 200
    assert found["served"]
    assert found["inputs"] == []
    request = found["request"]
    assert (request["prompt"], request["model"], request["seed"]) == (BODY["prompt"], "tiny-sprites", 0)
    assert request.get("format") == ("mp4" if variant == "video" else None)
    again = server.wait(make(server, **request)["id"])
    _, _, other = server.raw("GET", f"/v1/videos/{again['id']}/content?variant=lossless")
    (tmp_path / "a.mkv").write_bytes(other)
    (tmp_path / "b.mkv").write_bytes(server.raw("GET", f"/v1/videos/{made['id']}/content?variant=lossless")[2])
    from storyreel import video_io

    first, second = (video_io.read(tmp_path / name) for name in ("a.mkv", "b.mkv"))
    assert (first.frames == second.frames).all()


def test_a_lora_file_is_named_and_not_looked_for(server: Live, made: Any, tmp_path: Path):
    import base64

    from storyreel import video_io

    (tmp_path / "a.mkv").write_bytes(server.raw("GET", f"/v1/videos/{made['id']}/content?variant=lossless")[2])
    clip = video_io.read(tmp_path / "a.mkv")
    notes = [{"name": "walk.safetensors", "sha256": "0" * 64, "weight": 1.0}]
    meta = {**clip.meta, "options": {**clip.meta["options"], "lora": notes}}
    video_io.write(clip.replace(meta=meta), tmp_path / "b.mkv")
    url = "data:video/x-matroska;base64," + base64.b64encode((tmp_path / "b.mkv").read_bytes()).decode()
    status, found = server.ask("POST", "/v1/provenance", {"input_reference": {"image_url": url}})
    assert (status, found["inputs"]) == (200, ["lora"])
    assert "lora" not in found["request"]
    assert found["request"]["prompt"] == BODY["prompt"]


def test_a_file_of_others_says_nothing(server: Live):
    import base64
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    status, answer = server.ask("POST", "/v1/provenance", {"input_reference": {"image_url": url}})
    assert status == 400
    assert "does not say what made it" in answer["error"]["message"]


def test_models_say_where_they_come_from(server: Live):
    found = {model["id"]: model["storyreel"] for model in server.ask("GET", "/v1/models")[1]["data"]}
    assert {name: each["origin"] for name, each in found.items()} == {"tiny": "folder", "tiny-sprites": "folder"}
    assert registry.origin(registry.find("phenaki-sprites")) == "ours"
    assert found["tiny"]["judged"] == []
    assert {"torso", "facing"} <= set(found["tiny-sprites"]["judged"])
