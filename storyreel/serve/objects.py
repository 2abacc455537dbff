"""The objects of the API, as types: what OpenAPI says of answers, and what the studio's TypeScript is made from."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

REFS = "#/components/schemas/{model}"


class VideoError(TypedDict):
    code: str
    message: str | None


class Tick(TypedDict):
    """What a judge says of one attribute of a clip."""

    attribute: str
    expected: str
    seen: str
    right: bool


class Result(TypedDict):
    """What is known of a clip that was made."""

    frames: int
    fps: str
    width: int
    height: int
    transparent: bool
    seconds: str
    size: str
    digest: NotRequired[str]
    drawn: NotRequired[dict[str, str]]
    restated: NotRequired[list[str]]
    candidates: NotRequired[Any]
    partial: NotRequired[bool]
    seed: NotRequired[int]
    tries: NotRequired[int]
    new_frames: NotRequired[int]
    ticks: NotRequired[list[Tick]]
    right: NotRequired[float]
    cost: NotRequired[dict[str, float]]


class Commands(TypedDict):
    cli: str
    python: str
    curl: str


class VideoMore(TypedDict):
    """What is ours in the object of a video."""

    seed: int
    format: str
    settings: dict[str, Any]
    inputs: list[str]
    max_tries: int
    follows: str | None
    step: str
    queue_position: int | None
    started_at: float | None
    made_in_seconds: float | None
    favourite: bool
    result: Result | None
    has_content: bool
    commands: Commands


class Video(TypedDict):
    id: str
    object: Literal["video"]
    created_at: int
    completed_at: int | None
    expires_at: int | None
    model: str
    progress: int
    prompt: str | None
    remixed_from_video_id: str | None
    seconds: str
    size: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    error: VideoError | None
    storyreel: VideoMore


class Videos(TypedDict):
    object: Literal["list"]
    data: list[Video]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Deleted(TypedDict):
    id: str
    object: Literal["video.deleted"]
    deleted: bool


class ModelMore(TypedDict):
    """What is ours in the object of a model."""

    system: str | None
    about: str | None
    parameters: int | None
    conditional: bool
    sizes: list[str]
    any_size: bool
    frames: int | None
    max_frames: int | None
    fps: str | None
    cannot: list[str]
    attributes: dict[str, dict[str, str]]
    judged: list[str]
    origin: str


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    storyreel: ModelMore


class Models(TypedDict):
    object: Literal["list"]
    data: list[Model]


class Scene(TypedDict):
    """A scene of a story: all that were made of it, and the id of the one that is chosen."""

    chosen: str
    versions: list[Video]


class Scenes(TypedDict):
    object: Literal["story"]
    scenes: list[Scene]


class Estimate(TypedDict):
    """What a video would take: seconds, bytes, seconds to load the model. measured: videos that say so."""

    seconds: float | None
    memory: float | None
    loading: float | None
    measured: int
    waiting: int


class Provenance(TypedDict):
    """The request that would make a file again. inputs: what it was made with, and the file does not hold."""

    object: Literal["provenance"]
    model: str | None
    served: bool
    request: dict[str, Any]
    inputs: list[str]


class Preview(TypedDict):
    """The event `preview`: an animated WebP as a data: URL, and after which step it was made."""

    step: int
    image: str


class Done(TypedDict):
    """The event `done`."""

    status: Literal["completed", "failed"]


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    error: ErrorDetail


ANSWERS: dict[str, Any] = {
    "POST /v1/videos": Video, "POST /v1/videos/extensions": Video, "GET /v1/videos": Videos,
    "GET /v1/videos/{id}": Video, "POST /v1/videos/{id}/remix": Video, "POST /v1/videos/{id}/cancel": Video,
    "PATCH /v1/videos/{id}": Video, "DELETE /v1/videos/{id}": Deleted, "GET /v1/models": Models,
    "GET /v1/models/{name}": Model, "GET /v1/videos/{id}/story": Scenes, "POST /v1/estimate": Estimate,
    "POST /v1/provenance": Provenance,
}  # fmt: skip


def schemas() -> dict[str, Any]:
    """JSON schema of every object by its name."""
    found: dict[str, Any] = {}
    for kind in (*dict.fromkeys(ANSWERS.values()), Preview, Done, ErrorBody):
        schema = TypeAdapter(kind).json_schema(ref_template=REFS)
        found |= schema.pop("$defs", {})
        found[kind.__name__] = schema
    return dict(sorted(found.items()))


def describe(app: Any) -> None:
    """Let the OpenAPI of a FastAPI app say what answers hold, errors too."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        found = plain()
        found["components"] = {"schemas": schemas()}  # in place of FastAPI's own of errors
        for path, methods in found["paths"].items():
            for method, operation in methods.items():
                answers = {"default": _answer("An error.", "ErrorBody"), "200": operation["responses"]["200"]}
                if (kind := ANSWERS.get(f"{method.upper()} {path}")) is not None:
                    answers["200"] = _answer(f"{kind.__name__}.", kind.__name__)
                operation["responses"] = answers
        return found

    app.openapi = openapi


def _answer(description: str, name: str) -> dict[str, Any]:
    schema = {"$ref": REFS.format(model=name)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
