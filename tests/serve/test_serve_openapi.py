"""The API is what its OpenAPI says: answers, the types of the page, and no request of any kind ends in a 5xx."""

from __future__ import annotations

import http.client
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live import ROOT, Live

from storyreel.serve import api
from storyreel.serve.app import make_app
from storyreel.serve.guard import Access
from storyreel.serve.running import PageServer
from storyreel.serve.studio import Studio
from storyreel.serve.worker_monitor import Hub
from tests.serving import running

DOCUMENT = json.loads((ROOT / "studio/openapi.json").read_text())
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_the_page_has_the_types_of_this_api(server: Live):
    """Where it fails: make studio."""
    spec = importlib.util.spec_from_file_location("studio_openapi", ROOT / "studio/openapi.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.stable(server.ask("GET", "/openapi.json")[1]) == DOCUMENT
    assert (ROOT / "studio/src/openapi.ts").read_text() == made.typescript(DOCUMENT)


# -- answers -------------------------------------------------------------------------------------------------

KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def wrong(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """What in a value is not as its JSON schema says. Objects hold nothing that the schema does not name."""
    if "$ref" in schema:
        return wrong(value, DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], where)
    if "anyOf" in schema:
        each = [wrong(value, one, where) for one in schema["anyOf"]]
        return [] if [] in each else each[0]
    if value not in schema.get("enum", [schema.get("const", value)]):
        return [f"{where}: {value!r}"]
    if "type" in schema and (
        not isinstance(value, KINDS[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean")
    ):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found = []
    if isinstance(value, list):
        found += [line for each in value for line in wrong(each, schema.get("items", {}), f"{where}[]")]
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
        found += [f"{where}.{name} is not named" for name in value.keys() - schema["properties"].keys()]
        for name in value.keys() & schema["properties"].keys():
            found += wrong(value[name], schema["properties"][name], f"{where}.{name}")
    return found


def answer_schema(method: str, path: str, status: int) -> dict[str, Any]:
    answers = DOCUMENT["paths"][path][method.lower()]["responses"]
    content = answers["200" if status == 200 else "default"].get("content", {})
    return content.get("application/json", {}).get("schema", {})


def test_answers_are_as_they_are_described(server: Live):
    made = server.ask("POST", "/v1/videos", {"prompt": "an orc", "model": "tiny-sprites", "num_frames": 2})[1]
    video = server.wait(made["id"])
    later = server.ask("POST", f"/v1/videos/{made['id']}/remix", {"seed": 4})[1]
    for method, path, id in (
        ("GET", "/v1/videos", ""), ("GET", "/v1/videos/{id}", made["id"]), ("GET", "/v1/videos/{id}", "video_0"),
        ("GET", "/v1/models", ""), ("GET", "/v1/models/{name}", "tiny"),
        ("POST", "/v1/videos/{id}/cancel", later["id"]),
        ("PATCH", "/v1/videos/{id}", later["id"]), ("DELETE", "/v1/videos/{id}", later["id"]),
    ):  # fmt: skip
        said = {"favourite": True} if method == "PATCH" else None
        status, answer = server.ask(method, path.replace("{id}", id).replace("{name}", id), said)
        assert wrong(answer, answer_schema(method, path, status)) == [], (method, path, status)
    assert video["status"] == "completed"
    assert wrong(made, answer_schema("POST", "/v1/videos", 200)) == []


# -- requests ------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a JSON schema allows, more or less, and some that it does not."""
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if "enum" in schema:
        found: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif kind == "integer":
        found = st.integers(low, high) | st.sampled_from([low or 0, high or 0])
    elif kind == "number":
        found = st.floats(low, high, allow_nan=False) | st.sampled_from([low or 0, high or 0])
    elif kind == "boolean":
        found = st.booleans()
    elif kind == "array":
        found = st.lists(st.tuples(st.text(max_size=9), st.floats(0, 3)), max_size=3)
    elif kind == "object":
        found = objects(schema)
    else:
        found = st.text(max_size=20) | st.sampled_from(
            ["tiny", "tiny-sprites", "1", "16x16", "data:image/png;base64,aaaa"]
        )
    return st.one_of(found, found, found, ANYTHING)


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the properties that a schema names."""
    named = schema.get("properties", {})
    chosen = st.lists(st.sampled_from(sorted(named)), max_size=4, unique=True) if named else st.just([])
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: values(named[name]) for name in names}))


@st.composite
def requests(draw: Any) -> tuple[str, str, bytes | None, dict[str, str]]:
    """(method, path, body, headers) of one of the operations."""
    method, path = draw(st.sampled_from(OPERATIONS))
    operation = DOCUMENT["paths"][path][method.lower()]
    path = path.replace("{id}", draw(st.sampled_from(["VIDEO", "video_" + "0" * 32]) | st.text(max_size=8).map(quote)))
    path = path.replace("{name}", draw(st.sampled_from(["tiny", "..", "%00"]) | st.text(max_size=8).map(quote)))
    asked = [each for each in operation.get("parameters", []) if each["in"] == "query" and draw(st.booleans())]
    words = [f"{each['name']}={quote(str(draw(values(each['schema']))))}" for each in asked]
    content, headers, body = operation.get("requestBody", {}).get("content", {}), {}, None
    if content:
        said = draw(objects(content["application/json"]["schema"]) | ANYTHING)
        body = json.dumps(said).encode(errors="surrogatepass")
        headers["Content-Type"] = draw(st.sampled_from(["application/json"] * 4 + [*content, "text/plain", "a/b; c"]))
        if draw(st.booleans()):
            headers["Idempotency-Key"] = quote(draw(st.text(max_size=300)))
    return method, path + ("?" + "&".join(words) if words else ""), body, headers


@pytest.fixture(scope="module")
def idle(shelf: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PageServer, str]]:
    """(a server that makes nothing, a video that waits there)."""
    studio, hub = Studio(tmp_path_factory.mktemp("idle"), [str(folder) for folder in shelf]), Hub()
    video = studio.create({"prompt": "an orc"})
    server = PageServer(make_app(studio, hub, Access(), []), "127.0.0.1", 0, hub.close)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "SYNC_SECONDS", 0.01)
        with running(server.run_here, server):
            yield server, video.id
    studio.close()


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(asked=requests())
def test_no_request_ends_in_a_5xx(idle: tuple[PageServer, str], asked: tuple[str, str, bytes | None, dict[str, str]]):
    """Operations, fields and values of the OpenAPI, and others; /sync may say that it takes too long."""
    server, video = idle
    method, path, body, headers = asked
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    line.request(method, path.replace("VIDEO", video), body, headers)
    reply = line.getresponse()
    streamed = reply.getheader("content-type", "").startswith("text/event-stream")
    content = b"" if streamed else reply.read()
    line.close()
    assert reply.status < 500 or (path.startswith("/v1/videos/sync") and reply.status == 504), content
    if reply.status >= 400:
        assert wrong(json.loads(content), {"$ref": "#/components/schemas/ErrorBody"}) == []
