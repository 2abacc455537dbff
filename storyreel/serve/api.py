"""The routes of the API: OpenAI-style videos and models, events, and what tells whether the server is well."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response, StreamingResponse

from storyreel.serve import objects
from storyreel.serve.errors import ApiError
from storyreel.serve.files import ATLAS, LOSSLESS, SHEET, THUMBNAIL
from storyreel.serve.json_answer import JsonAnswer
from storyreel.serve.json_routes import json_object
from storyreel.serve.schema import CHANGE, CREATE, EXTEND, REMIX
from storyreel.serve.settings import read_upload
from storyreel.serve.studio import Studio
from storyreel.serve.table import VideoRow
from storyreel.serve.video import as_json, model_as_json
from storyreel.serve.worker_monitor import Hub, WorkerMonitor

POLL_MILLISECONDS = 500  # that clients are asked to wait before they look again
SYNC_SECONDS = 600.0
KINDS = {
    "mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif", "webp": "image/webp", "apng": "image/apng",
    "png": "image/png", "json": "application/json", "mkv": "video/x-matroska",
}  # fmt: skip
VARIANTS = {"thumbnail": THUMBNAIL, "spritesheet": SHEET, "atlas": ATLAS, "lossless": LOSSLESS}
UTF_8 = re.compile(r';\s*charset="?utf-?8"?\s*(?=;|$)')
"""The one charset of a form: Python knows some that take minutes (punycode) or give no text (unicode_escape)."""
POLL = {"openai-poll-after-ms": str(POLL_MILLISECONDS)}


class Api:
    """What the routes share."""

    def __init__(self, studio: Studio, hub: Hub, watches: list[WorkerMonitor]) -> None:
        self.studio, self.hub, self.watches = studio, hub, watches

    def wake(self) -> None:
        for watch in self.watches:
            watch.wake()
        self.hub.news()

    def shown(self, request: Request, video: VideoRow) -> objects.Video:
        return as_json(self.studio, video, str(request.base_url).rstrip("/"))

    async def answer(self, request: Request, function: Any, *values: Any) -> JsonAnswer:
        """A video that a function of the studio gives, which may have queued it."""
        video = await run_in_threadpool(function, *values)
        self.wake()
        return JsonAnswer(await run_in_threadpool(self.shown, request, video), headers=POLL)

    async def ended(self, id: str) -> VideoRow:
        """Wait for the end of a video."""
        async with asyncio.timeout(SYNC_SECONDS), self.hub.listening() as news:
            while not (video := await run_in_threadpool(self.studio.video, id)).ended:
                await _wait(news)
        return video

    async def events(self, request: Request, id: str) -> AsyncIterator[str]:
        """Server-sent events: `video` whenever the object changes, `preview` after a step, `done` at the end."""
        last, seen = None, None
        async with self.hub.listening() as news:
            while not self.hub.closing:
                try:
                    video = await run_in_threadpool(self.studio.video, id)
                except ApiError as error:
                    yield _event("error", error.body())
                    return
                shown = await run_in_threadpool(self.shown, request, video)
                if shown != last:
                    yield _event("video", shown)
                    last = shown
                preview = self.hub.previews.get(id)
                if preview is not None and preview[0] != seen:
                    seen = preview[0]
                    yield _event("preview", {"step": seen, "image": f"data:image/webp;base64,{preview[1]}"})
                if video.ended:
                    yield _event("done", {"status": video.status})
                    return
                if not await _wait(news):
                    yield ": still here\n\n"

    def content(self, id: str, variant: str) -> FileResponse:
        video = self.studio.video(id)
        if not video.ended:
            raise ApiError(409, f"The video is {video.status}; it can be downloaded once it is completed.",
                           param="video_id", code="video_not_ready")  # fmt: skip
        if variant not in ("video", *VARIANTS):
            raise ApiError(400, f"variant: expected video, {', '.join(VARIANTS)}, got {variant[:60]!r}",
                           param="variant", code="invalid_value")  # fmt: skip
        name = VARIANTS.get(variant, f"video.{video.format}")
        file = self.studio.files.file(id, name)
        if file is None:
            why = f"The video failed: {video.error_message}" if video.error_code else "This file is not there."
            raise ApiError(409 if video.error_code else 404, why, param="variant", code="no_content")
        return FileResponse(
            file, media_type=KINDS[name.rpartition(".")[2]], filename=f"{id}-{name}", content_disposition_type="inline",
            headers={"cache-control": "private, max-age=3600"},
        )  # fmt: skip


async def _wait(news: asyncio.Event, seconds: float = 2.0) -> bool:
    """Whether there was news within so many seconds."""
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return False
    news.clear()
    return True


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def read_body(request: Request) -> tuple[dict[str, Any], bytes | None]:
    """(fields, content of the file that came with them) of a JSON object or a form."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if "charset" in UTF_8.sub("", content_type.lower()):
        raise ApiError(415, "Expected UTF-8.", code="unsupported_media_type")
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        async with request.form(max_files=1, max_fields=100) as form:
            fields: dict[str, Any] = {}
            for name, value in form.multi_items():
                outer, bracket, inner = name.partition("[")
                value = value if isinstance(value, str) else await value.read()
                if bracket:  # video[id], as forms say {"video": {"id": ...}}
                    inside = fields.setdefault(outer, {})
                    if not isinstance(inside, dict):
                        raise ApiError(400, f"{outer}: it is given twice", param=outer, code="invalid_value")
                    inside[inner.rstrip("]")] = value
                else:
                    fields[name] = value
    elif kind in ("application/json", ""):
        fields = json_object(await request.body() or b"{}")
    else:
        raise ApiError(415, "Expected application/json or multipart/form-data.", code="unsupported_media_type")
    name = "video" if isinstance(fields.get("video"), bytes) else "input_reference"
    file = fields.pop(name, None)
    return fields, None if file in (None, "") else read_upload(file, name)


def router(api: Api) -> APIRouter:
    routes, studio = APIRouter(), api.studio

    @routes.post("/v1/videos", openapi_extra=CREATE, tags=["videos"])
    async def create(request: Request) -> JsonAnswer:
        """Queue a video."""
        body, upload = await read_body(request)
        return await api.answer(request, studio.create, body, upload, request.headers.get("idempotency-key"))

    @routes.post("/v1/videos/sync", openapi_extra=CREATE, tags=["videos"], response_class=FileResponse)
    async def create_sync(request: Request) -> Response:
        """Queue a video, and answer with the file itself once it is made."""
        body, upload = await read_body(request)
        key = request.headers.get("idempotency-key")
        video = await run_in_threadpool(studio.create, body, upload, key)
        api.wake()
        try:
            video = await api.ended(video.id)
        except TimeoutError:
            raise ApiError(504, f"The video {video.id} is not there yet; ask for it.", code="timeout") from None
        if video.status == "failed":
            raise ApiError(422, video.error_message or "", code=video.error_code)
        response = await run_in_threadpool(api.content, video.id, "video")
        response.headers["x-video-id"] = video.id
        return response

    @routes.post("/v1/videos/extensions", openapi_extra=EXTEND, tags=["videos"])
    async def extend(request: Request) -> JsonAnswer:
        """Queue a video that goes on where another one ends."""
        body, upload = await read_body(request)
        return await api.answer(request, studio.extend, body, upload, request.headers.get("idempotency-key"))

    @routes.get("/v1/videos", tags=["videos"])
    async def list_videos(
        request: Request,
        after: str | None = None,
        limit: int = Query(20, ge=1, le=100),
        order: str = Query("desc", pattern="^(asc|desc)$"),
        q: str = Query("", max_length=200, description="Words of the prompt or the model."),
        favourite: bool = False,
        sort: str = Query("created", pattern="^(created|right)$", description="right: what a judge found right first."),
    ) -> JsonAnswer:
        """Videos, the newest first; `after` is the last id of the page before."""
        newest = order == "desc"
        found, more = await run_in_threadpool(studio.list, after, limit, newest, q, favourite, sort == "right")
        data = await run_in_threadpool(lambda: [api.shown(request, video) for video in found])
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return JsonAnswer({"object": "list", "data": data, "has_more": more, **ends})

    @routes.get("/v1/videos/{id}", tags=["videos"])
    async def get(request: Request, id: str) -> JsonAnswer:
        """A video and how far it is."""
        video = await run_in_threadpool(studio.video, id)
        return JsonAnswer(await run_in_threadpool(api.shown, request, video), headers=POLL)

    @routes.get("/v1/videos/{id}/content", tags=["videos"], response_class=FileResponse)
    async def content(id: str, variant: str = "video") -> FileResponse:
        """The file of a video: video, thumbnail, spritesheet, atlas (of the sheet, JSON) or lossless."""
        return await run_in_threadpool(api.content, id, variant)

    @routes.get("/v1/videos/{id}/events", tags=["videos"], response_class=StreamingResponse)
    async def events(request: Request, id: str) -> StreamingResponse:
        """Server-sent events with the object and previews, until the video has ended."""
        await run_in_threadpool(studio.video, id)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(api.events(request, id), media_type="text/event-stream", headers=headers)

    @routes.delete("/v1/videos/{id}", tags=["videos"])
    async def delete(id: str) -> JsonAnswer:
        """A video and its files go."""
        await run_in_threadpool(studio.delete, id)
        api.hub.news()
        return JsonAnswer({"id": id, "object": "video.deleted", "deleted": True})

    @routes.post("/v1/videos/{id}/remix", openapi_extra=REMIX, tags=["videos"])
    async def remix(request: Request, id: str) -> JsonAnswer:
        """The same again with another prompt, seed or setting."""
        body, _ = await read_body(request)
        return await api.answer(request, studio.remix, id, body, request.headers.get("idempotency-key"))

    @routes.post("/v1/videos/{id}/cancel", tags=["videos"])
    async def cancel(request: Request, id: str) -> JsonAnswer:
        """Stop a video, which fails with the code `cancelled`. What is made so far stays."""
        await run_in_threadpool(studio.video, id)
        await run_in_threadpool(studio.table.ask_cancel, id)
        return await api.answer(request, studio.video, id)

    @routes.patch("/v1/videos/{id}", openapi_extra=CHANGE, tags=["videos"])
    async def change(request: Request, id: str) -> JsonAnswer:
        """Mark a favourite, or move a video that waits: `before` is the id of another one, or null for first of all."""
        body, _ = await read_body(request)
        return await api.answer(request, _change, studio, id, body)

    @routes.get("/v1/models", tags=["models"])
    def models() -> JsonAnswer:
        """The models that are served, what each can make, and what it can show."""
        return JsonAnswer({"object": "list", "data": [model_as_json(model) for model in studio.models.values()]})

    @routes.get("/v1/models/{name}", tags=["models"])
    def model(name: str) -> JsonAnswer:
        """One of them."""
        if name not in studio.models:
            raise ApiError(404, f"The model {name[:100]!r} does not exist.", param="model", code="model_not_found")
        return JsonAnswer(model_as_json(studio.models[name]))

    @routes.get("/healthz", tags=["server"])
    def healthz() -> JsonAnswer:
        """Whether the server answers."""
        return JsonAnswer({"status": "ok"})

    @routes.get("/readyz", tags=["server"])
    def readyz() -> JsonAnswer:
        """Whether videos are made: 503 where workers die."""
        errors = [watch.error for watch in api.watches if watch.error]
        body = {"status": "failing" if errors else "ok", "errors": errors, "queue": studio.table.counts()}
        return JsonAnswer(body, 503 if errors and len(errors) == len(api.watches) else 200)

    return routes


def _change(studio: Studio, id: str, body: dict[str, Any]) -> VideoRow:
    studio.video(id)
    if extra := sorted(set(body) - {"favourite", "before"}):
        raise ApiError(400, f"Unknown parameter: {extra[0][:60]!r}; there are favourite, before", param=extra[0][:60],
                       code="unknown_parameter")  # fmt: skip
    if "favourite" in body:
        if not isinstance(body["favourite"], bool):
            raise ApiError(400, "favourite: expected true or false", param="favourite", code="invalid_value")
        studio.table.set_favourite(id, body["favourite"])
    if "before" in body:
        before = body["before"]
        studio.table.move(id, studio.video(str(before)).id if before is not None else None)
    return studio.video(id)
