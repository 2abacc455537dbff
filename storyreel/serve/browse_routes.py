"""The browse page over HTTP, for this machine alone.

    GET  /  and the page's files           POST /api/decide  {thresholds}                       counts, histograms
    GET  /api/set                          POST /api/clips   {thresholds, view, ..., offset}    a page of clips
    GET  /api/apply                        POST /api/clip    {thresholds, clip}                 one clip
    GET  /strip/ID.jpg  /around/ID.jpg     POST /api/edit    {clip, keep | caption}             on disk when answered
    GET  /video/ID                         POST /api/apply   {thresholds}                       curate filter

Clips are named by their ids, which are looked up; no path comes from a browser.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from storyreel.browse import answers
from storyreel.browse.command import Running, words_of
from storyreel.browse.filmline import FilmLine, FilmLines
from storyreel.browse.pictures import DatasetPictures, Gone
from storyreel.browse.session import MOST_CAPTION, BrowseSession, State
from storyreel.curate.thresholds import Thresholds
from storyreel.serve import json_routes, page
from storyreel.serve.errors import ApiError

CLIP = re.compile(r"([0-9a-f]{20}(?:-[0-9]{1,9})?)(?:\.jpg)?")
MAX_BODY = 1 << 16  # bytes
WAITING = 64  # pictures that are made or wait for it, at once
KEEP = 3600  # seconds that a browser may keep one


class Browsing:
    """One curated folder, as its page looks at it. Close it. ValueError, OSError: there is no such folder."""

    def __init__(self, dataset: Any) -> None:
        self.session = BrowseSession(dataset)
        self.films, self.pictures, self.running = (
            FilmLines(self.session.dataset),
            DatasetPictures(self.session.dataset),
            Running(),
        )
        threading.Thread(target=self.session.find_twins, daemon=True).start()

    def close(self) -> None:
        self.running.close()
        self.pictures.close()

    def set(self, body: dict[str, Any]) -> Any:
        return answers.the_set(self.session, self.session.state())

    def _thresholds(self, body: dict[str, Any], state: State) -> Thresholds:
        thresholds = body.get("thresholds")
        if thresholds is None:
            return state.thresholds
        parts = isinstance(thresholds, dict) and all(isinstance(part, dict) for part in thresholds.values())
        numbers = [value for part in thresholds.values() for value in part.values()] if parts else [""]
        if any(isinstance(v, bool) or not isinstance(v, (int, float, type(None))) for v in numbers):
            raise ValueError("thresholds: expected numbers or none")
        return Thresholds.from_json(thresholds)

    def decide(self, body: dict[str, Any]) -> Any:
        state = self.session.state()
        return answers.decided(self.session, state, self._thresholds(body, state))

    def clips(self, body: dict[str, Any]) -> Any:
        state = self.session.state()
        offset, count = body.get("offset", 0), body.get("count", 48)
        if any(not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < 1 << 40 for n in (offset, count)):
            raise ValueError("offset, count: expected whole numbers")
        return answers.a_page(state, self._thresholds(body, state), answers.ClipListing.from_json(body), offset, count)

    def clip(self, body: dict[str, Any]) -> Any:
        state = self.session.state()
        place = self._place(state, body.get("clip"))
        return answers.one_clip(state, self._thresholds(body, state), place, self._line(state, place))

    def _place(self, state: State, clip: Any) -> int:
        place = state.table.place.get(clip) if isinstance(clip, str) else None
        if place is None:
            raise ApiError(404, "there is no such clip", code="not_found")
        return place

    def _line(self, state: State, place: int) -> FilmLine:
        (row,) = state.table.rows([place], ("source",))
        return self.films.of(row)

    def edit(self, body: dict[str, Any]) -> Any:
        state = self.session.state()
        place = self._place(state, body.get("clip"))
        change = {name: body[name] for name in ("keep", "caption") if name in body}
        keep, caption = change.get("keep"), change.get("caption")
        if not isinstance(keep, (bool, type(None))) or not isinstance(caption, (str, type(None))):
            raise ValueError("expected keep: true, false or null, or caption: text or null")
        if isinstance(caption, str):
            change["caption"] = caption = " ".join(caption.split())
            if len(caption) > MOST_CAPTION:
                raise ValueError(f"caption: expected at most {MOST_CAPTION} characters, got {len(caption)}")
        state = self.session.edit(state.table.clips[place], **change)
        (brief,) = answers.briefly(state, self._thresholds(body, state), [place])
        return brief

    def apply(self, body: dict[str, Any]) -> Any:
        state = self.session.state()
        words = words_of(self.session.dataset, state.thresholds, self._thresholds(body, state))
        if not self.running.start(words):
            raise ApiError(409, "the clips are being chosen already")
        return self.running.now()

    def applied(self, body: dict[str, Any]) -> Any:
        return self.running.now()

    def media(self, kind: str, clip: str, gone: Callable[[], bool]) -> bytes | tuple[Path, str]:
        """JPEG, or (file, media type) of a video. Gone: the browser has left, as for what was scrolled away."""
        state = self.session.state()
        place = self._place(state, clip)
        (row,) = state.table.rows([place])
        try:
            if kind == "video":
                return self.pictures.video(row, gone)
            make = self.pictures.strip if kind == "strip" else self.pictures.around
            return make(row, self._line(state, place), gone)
        except FileNotFoundError:
            raise ApiError(404, "the film is not where it was") from None
        except (ValueError, OSError) as error:
            raise ApiError(415, str(error)) from None


def router(browsing: Browsing) -> APIRouter:
    routes, places = page.router("storyreel.browse"), CapacityLimiter(WAITING)
    # A folder that was changed into something else meanwhile is no mistake of the one who looks.
    json_routes.get(routes, "/api/set", _reported(browsing.set, 500))
    json_routes.get(routes, "/api/apply", _reported(browsing.applied, 500))
    for name in ("decide", "clips", "clip", "edit", "apply"):
        json_routes.post(routes, f"/api/{name}", _reported(getattr(browsing, name), 400), MAX_BODY)

    async def media(request: Request, name: str) -> Response:
        if (found := CLIP.fullmatch(name)) is None:
            raise ApiError(404, "there is nothing here", code="not_found")
        kind = request.url.path.split("/")[-2]
        gone = threading.Event()
        leaving = asyncio.create_task(_leaves(request, gone))
        try:
            made = await to_thread.run_sync(browsing.media, kind, found[1], gone.is_set, limiter=places)
        except Gone:
            return Response(status_code=204)  # nobody hears it
        finally:
            leaving.cancel()
        if isinstance(made, tuple):
            return json_routes.file(*made, KEEP)
        return Response(made, media_type="image/jpeg", headers={"cache-control": f"private, max-age={KEEP}"})

    for kind in ("strip", "around", "video"):
        routes.add_api_route(f"/{kind}/{{name}}", media, methods=["GET", "HEAD"], include_in_schema=False)
    return routes


async def _leaves(request: Request, gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _reported(answer: Callable[[dict[str, Any]], Any], status: int) -> json_routes.Answer:
    """Answer with what was wrong: `status` for what was sent, 500 for the disk."""

    def reported(request: Request, body: dict[str, Any]) -> Any:
        try:
            return answer(body)
        except ValueError as error:
            raise ApiError(status, str(error)) from None
        except OSError as error:
            raise ApiError(500, f"{error.filename or 'the dataset'}: {error.strerror}") from None

    return reported
