"""The browse page over HTTP, for this machine alone.

    GET  /  and the page's files           POST /api/decide  {thresholds}                       counts, histograms
    GET  /api/set                          POST /api/clips   {thresholds, view, ..., offset}    a page of clips
    GET  /api/apply                        POST /api/clip    {thresholds, clip}                 one clip
    GET  /strip/ID.jpg  /around/ID.jpg     POST /api/edit    {clip, keep | caption}             on disk when answered
    GET  /video/ID                         POST /api/apply   {thresholds}                       curate filter

Clips are named by their ids, which are looked up; no path comes from a browser.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from importlib.resources import files
from typing import Any

from storyreel.browse import answers
from storyreel.browse.command import Running, words_of
from storyreel.browse.desk import MOST_CAPTION, Desk, State
from storyreel.browse.filmline import FilmLine, FilmLines
from storyreel.browse.pictures import Gone, Pictures
from storyreel.curate.thresholds import Thresholds
from storyreel.local_page import Answer, PageHandler, PageServer, Refused, as_json

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/browse.css": ("browse.css", "text/css; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("browse", "limits", "viewer", "talk")
    },
}
MEDIA = re.compile(r"/(strip|around|video)/([0-9a-f]{20}(?:-[0-9]{1,9})?)(?:\.jpg)?")
HOST = "127.0.0.1"


class BrowseServer(PageServer):
    """Serves one curated folder until `shutdown`. ValueError, OSError: no such folder, or the port is taken."""

    def __init__(self, dataset: Any, port: int = 0) -> None:
        self.desk = Desk(dataset)
        self.page = {
            path: files("storyreel.browse").joinpath("page", name).read_bytes() for path, (name, _) in PAGE.items()
        }
        super().__init__(HOST, port, _Handler)
        self.films, self.pictures, self.running = FilmLines(self.desk.dataset), Pictures(self.desk.dataset), Running()
        self.look_for_twins()

    def look_for_twins(self) -> None:
        threading.Thread(target=self.desk.find_twins, daemon=True).start()

    def server_close(self) -> None:
        super().server_close()
        self.running.close()
        self.pictures.close()


class _Handler(PageHandler):
    server: BrowseServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def get(self, path: str) -> Answer:
        if path in PAGE:
            return Answer(self.server.page[path], PAGE[path][1])
        try:
            if path == "/api/set":
                return as_json(answers.the_set(self.server.desk, self._state()))
            if path == "/api/apply":
                return as_json(self.server.running.now())
            if found := MEDIA.fullmatch(path):
                return self._media(found[1], found[2])
        except ValueError as error:  # such as a folder that was changed into something else meanwhile
            raise Refused(500, str(error)) from None
        raise Refused(404, "there is nothing here")

    def post(self, path: str, said: dict[str, Any]) -> Answer:
        route = {
            "/api/decide": self._decide,
            "/api/clips": self._clips,
            "/api/clip": self._clip,
            "/api/edit": self._edit,
            "/api/apply": self._apply,
        }.get(path)
        if route is None:
            raise Refused(404, "there is nothing here")
        try:
            return as_json(route(said))
        except ValueError as error:
            raise Refused(400, str(error)) from None
        except ConnectionError:
            raise
        except OSError as error:
            raise Refused(500, f"{error.filename or 'the dataset'}: {error.strerror}") from None

    def _state(self) -> State:
        return self.server.desk.state()

    def _thresholds(self, said: dict[str, Any], state: State) -> Thresholds:
        given = said.get("thresholds")
        if given is None:
            return state.thresholds
        parts = isinstance(given, dict) and all(isinstance(part, dict) for part in given.values())
        numbers = [value for part in given.values() for value in part.values()] if parts else [""]
        if any(isinstance(v, bool) or not isinstance(v, (int, float, type(None))) for v in numbers):
            raise ValueError("thresholds: wanted numbers or none")
        return Thresholds.from_json(given)

    def _decide(self, said: dict[str, Any]) -> Any:
        state = self._state()
        return answers.decided(self.server.desk, state, self._thresholds(said, state))

    def _clips(self, said: dict[str, Any]) -> Any:
        state = self._state()
        offset, count = said.get("offset", 0), said.get("count", 48)
        if any(not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < 1 << 40 for n in (offset, count)):
            raise ValueError("offset, count: wanted whole numbers")
        return answers.a_page(state, self._thresholds(said, state), answers.Asked.from_json(said), offset, count)

    def _clip(self, said: dict[str, Any]) -> Any:
        state = self._state()
        place = self._place(state, said.get("clip"))
        return answers.one_clip(state, self._thresholds(said, state), place, self._line(state, place))

    def _place(self, state: State, clip: Any) -> int:
        place = state.table.place.get(clip) if isinstance(clip, str) else None
        if place is None:
            raise Refused(404, "there is no such clip")
        return place

    def _line(self, state: State, place: int) -> FilmLine:
        (row,) = state.table.rows([place], ("source",))
        return self.server.films.of(row)

    def _edit(self, said: dict[str, Any]) -> Any:
        state = self._state()
        place = self._place(state, said.get("clip"))
        change = {name: said[name] for name in ("keep", "caption") if name in said}
        keep, caption = change.get("keep"), change.get("caption")
        if not isinstance(keep, (bool, type(None))) or not isinstance(caption, (str, type(None))):
            raise ValueError("wanted keep: true, false or null, or caption: text or null")
        if isinstance(caption, str):
            change["caption"] = caption = " ".join(caption.split())
            if len(caption) > MOST_CAPTION:
                raise ValueError(f"caption: wanted at most {MOST_CAPTION} characters, got {len(caption)}")
        state = self.server.desk.edit(state.table.clips[place], **change)
        (brief,) = answers.briefly(state, self._thresholds(said, state), [place])
        return brief

    def _apply(self, said: dict[str, Any]) -> Any:
        state = self._state()
        words = words_of(self.server.desk.dataset, state.thresholds, self._thresholds(said, state))
        if not self.server.running.start(words):
            raise Refused(409, "the clips are being chosen already")
        return self.server.running.now()

    def _media(self, kind: str, clip: str) -> Answer:
        state, pictures = self._state(), self.server.pictures
        place = self._place(state, clip)
        (row,) = state.table.rows([place])
        try:
            if kind == "video":
                file, media = pictures.video(row, self._gone)
                return Answer(file, media, 3600)
            make = pictures.strip if kind == "strip" else pictures.around
            return Answer(make(row, self._line(state, place), self._gone), "image/jpeg", 3600)
        except Gone:
            raise ConnectionAbortedError from None
        except FileNotFoundError:
            raise Refused(404, "the film is not where it was") from None
        except (ValueError, OSError) as error:
            raise Refused(415, str(error)) from None

    def _gone(self) -> bool:
        """Whether the browser has closed the connection, such as for a picture that was scrolled away."""
        try:
            ready, _, _ = select.select([self.connection], [], [], 0)
            return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True
