"""The table of videos: the queue, and the object that the API shows. SQLite, shared by the server and its workers.

A video is `queued`, then `in_progress` while a worker holds its claim, then `completed` or `failed`. Whoever finishes a
video shows the claim: a worker that was given up for dead changes nothing any more.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.storage import check_no_link

FILE = "studio.sqlite3"
VERSION = 1
MAX_ATTEMPTS = 2  # workers that may die of one video
BUSY_SECONDS = 60.0  # that a process waits for another one's transaction
JSON_COLUMNS = ("settings", "result")
SCHEMA = """
CREATE TABLE videos (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    place REAL NOT NULL,               -- in the queue, lowest first
    model TEXT NOT NULL,
    settings TEXT NOT NULL,            -- JSON: the options that were set, as `GenerateOptions.of` takes them
    seed INTEGER NOT NULL,
    format TEXT NOT NULL,
    scale INTEGER,                     -- whole factor of enlargement; NULL for the usual one
    seconds TEXT NOT NULL,
    size TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    progress INTEGER NOT NULL DEFAULT 0,
    step TEXT NOT NULL DEFAULT '',
    claim TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    cancel INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    started_at REAL,
    completed_at REAL,
    error_code TEXT,
    error_message TEXT,
    result TEXT,                       -- JSON: what is known of the clip that was made
    remixed_from TEXT,
    favourite INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT UNIQUE,
    request_digest TEXT
);
CREATE INDEX videos_queue ON videos (status, place);
"""
READY = (  # a video that goes on from another one waits until that has ended
    "NOT EXISTS (SELECT 1 FROM videos AS source WHERE source.id = json_extract(videos.settings, '$.follows') "
    "AND source.status IN ('queued', 'in_progress'))"
)
RIGHT = "COALESCE(json_extract(result, '$.right'), -1)"  # how much of what was said a judge has seen; -1: not judged


def right_of(video: VideoRow) -> float:
    """The same of a row that was read."""
    return float((video.result or {}).get("right", -1))


@dataclass(frozen=True)
class VideoRow:
    """A row of the table."""

    number: int
    id: str
    place: float
    model: str
    settings: dict[str, Any]
    seed: int
    format: str
    scale: int | None
    seconds: str
    size: str
    status: str
    progress: int
    step: str
    claim: str | None
    attempts: int
    cancel: int
    created_at: float
    started_at: float | None
    completed_at: float | None
    error_code: str | None
    error_message: str | None
    result: dict[str, Any] | None
    remixed_from: str | None
    favourite: int
    idempotency_key: str | None
    request_digest: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> VideoRow:
        values = dict(row)
        for name in JSON_COLUMNS:
            values[name] = values[name] and parse_json(values[name])
        return cls(**values)

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed")


class VideoTable:
    """The open table of one folder. Threads may share it. ValueError: it is of a newer version, or damaged.

    durable: what is written outlasts a power cut, and not only the death of this process.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.file = folder / FILE
        check_no_link(self.file)
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            with self.transaction() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in SCHEMA.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.file}: cannot be opened as a table of videos: {error}") from None
        if version > VERSION:
            self._db.close()
            raise ValueError(
                f"{self.file}: was written by a newer version of storyreel (table {version}, expected {VERSION})"
            )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of a block or nothing. Nobody else writes meanwhile."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[VideoRow]:
        with self._lock:
            return [VideoRow.of(row) for row in self._db.execute(query, values)]

    # -- what the API asks -----------------------------------------------------------------------------------

    def get(self, id: str) -> VideoRow | None:
        return next(iter(self._rows("SELECT * FROM videos WHERE id = ? AND status != 'deleted'", (id,))), None)

    def by_key(self, key: str) -> VideoRow | None:
        """The video that was created with this Idempotency-Key."""
        return next(iter(self._rows("SELECT * FROM videos WHERE idempotency_key = ?", (key,))), None)

    def list(
        self, where: str = "1", values: Sequence[Any] = (), *, newest: bool = True, limit: int = -1, first: str = ""
    ) -> list[VideoRow]:
        """Videos in the order of their creation; `where` and `first`, by which they are ordered before that, are SQL of
        this package, never of a request."""
        order = "DESC" if newest else "ASC"
        query = f"SELECT * FROM videos WHERE status != 'deleted' AND {where} ORDER BY {first}number {order} LIMIT ?"
        return self._rows(query, (*values, limit))

    def ids(self, status: str | None = None) -> set[str]:
        """Of all rows, or of those with a status; those being deleted among them."""
        query = "SELECT id FROM videos WHERE ? IS NULL OR status = ?"
        with self._lock:
            return {row["id"] for row in self._db.execute(query, (status, status))}

    def ahead_of(self, video: VideoRow) -> int:
        """How many videos are made before this one."""
        query = "SELECT COUNT(*) FROM videos WHERE status = 'in_progress' OR (status = 'queued' AND place < ?)"
        with self._lock:
            return int(self._db.execute(query, (video.place,)).fetchone()[0])

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(tuple(row) for row in self._db.execute("SELECT status, COUNT(*) FROM videos GROUP BY status"))

    def add(self, values: Mapping[str, Any]) -> VideoRow:
        """A new video at the end of the queue; the one that is there already under the same Idempotency-Key."""
        row = {**values, "created_at": time.time()}
        row |= {name: json.dumps(row[name]) for name in JSON_COLUMNS if row.get(name) is not None}
        names = ", ".join(row)
        with self.transaction() as db:
            key = row.get("idempotency_key")
            found = key and db.execute("SELECT id FROM videos WHERE idempotency_key = ?", (key,)).fetchone()
            if not found:
                last = db.execute("SELECT COALESCE(MAX(place), 0) FROM videos").fetchone()[0]
                query = f"INSERT INTO videos (place, {names}) VALUES (?, {', '.join('?' * len(row))})"
                db.execute(query, (last + 1, *row.values()))
        made = self.get(found["id"] if found else row["id"])
        assert made is not None
        return made

    def set_favourite(self, id: str, favourite: bool) -> None:
        with self.transaction() as db:
            db.execute("UPDATE videos SET favourite = ? WHERE id = ?", (int(favourite), id))

    def move(self, id: str, before: str | None) -> None:
        """Queue a video before another one, or first of all. Nothing where one of them does not wait any more."""
        with self.transaction() as db:
            waiting = [row["id"] for row in db.execute("SELECT id FROM videos WHERE status = 'queued' ORDER BY place")]
            if id not in waiting or before not in (None, *waiting) or before == id:
                return
            places = [db.execute("SELECT place FROM videos WHERE id = ?", (each,)).fetchone()[0] for each in waiting]
            waiting.remove(id)
            waiting.insert(waiting.index(before) if before else 0, id)
            db.executemany("UPDATE videos SET place = ? WHERE id = ?", zip(places, waiting, strict=True))

    def ask_cancel(self, id: str) -> None:
        """A video that waits fails at once; of one that is being made, its worker is told."""
        with self.transaction() as db:
            db.execute(
                "UPDATE videos SET status = 'failed', error_code = 'cancelled', error_message = 'It was cancelled.', "
                "completed_at = ? WHERE id = ? AND status = 'queued'",
                (time.time(), id),
            )
            db.execute("UPDATE videos SET cancel = 1 WHERE id = ? AND status = 'in_progress'", (id,))

    def hide(self, id: str) -> None:
        """Take a video out of the list before its files go; `delete` takes the row away after them."""
        with self.transaction() as db:
            db.execute("UPDATE videos SET status = 'deleted', claim = NULL WHERE id = ?", (id,))

    def delete(self, id: str) -> None:
        with self.transaction() as db:
            db.execute("DELETE FROM videos WHERE id = ? AND status = 'deleted'", (id,))

    # -- what workers do -------------------------------------------------------------------------------------

    def take(self, claim: str) -> VideoRow | None:
        """The next video of the queue, claimed; None where none waits."""
        found = self._rows(
            "UPDATE videos SET status = 'in_progress', claim = ?, attempts = attempts + 1, started_at = ?, "
            "progress = 0 WHERE id = (SELECT id FROM videos WHERE status = 'queued' AND "
            f"{READY} ORDER BY place LIMIT 1) "
            "RETURNING *",
            (claim, time.time()),
        )
        return found[0] if found else None

    def take_more(self, claim: str, alike: Callable[[VideoRow], bool], limit: int) -> list[VideoRow]:
        """The videos that are next in the queue, claimed as well, as long as they are `alike` and no worker has died of
        one."""
        with self.transaction() as db:
            query = f"SELECT * FROM videos WHERE status = 'queued' AND {READY} ORDER BY place LIMIT ?"
            waiting = [VideoRow.of(row) for row in db.execute(query, (limit,))]
            found = list(takewhile(lambda video: video.attempts == 0 and alike(video), waiting))
            db.executemany(
                "UPDATE videos SET status = 'in_progress', claim = ?, attempts = 1, started_at = ?, progress = 0 "
                "WHERE id = ?",
                [(claim, time.time(), video.id) for video in found],
            )
        return found

    def report(self, id: str, claim: str, progress: int, step: str) -> str:
        """Note how far a video is. "go on", "cancel", or "gone" where the claim does not hold any more."""
        with self._lock:
            row = self._db.execute(
                "UPDATE videos SET progress = ?, step = ? WHERE id = ? AND claim = ? AND status = 'in_progress' "
                "RETURNING cancel",
                (progress, step, id, claim),
            ).fetchall()
        return "gone" if not row else "cancel" if row[0]["cancel"] else "go on"

    def finish(
        self,
        id: str,
        claim: str,
        *,
        result: Mapping[str, Any] | None = None,
        error: tuple[str, str] | None = None,
        publish: Callable[[], None] = lambda: None,
    ) -> bool:
        """End a video: completed, or failed with a code and a reason. False: the claim does not hold any more.

        publish: makes its files appear. It runs only where the claim holds, before anybody sees the new status.
        """
        with self.transaction() as db:
            query = "SELECT 1 FROM videos WHERE id = ? AND claim = ? AND status = 'in_progress'"
            if db.execute(query, (id, claim)).fetchone() is None:
                return False
            publish()
            self._end(db, id, result, error)
        return True

    def _end(
        self, db: sqlite3.Connection, id: str, result: Mapping[str, Any] | None, error: tuple[str, str] | None
    ) -> None:
        code, message = error or (None, None)
        db.execute(
            "UPDATE videos SET status = ?, progress = CASE WHEN ? THEN progress ELSE 100 END, step = '', claim = NULL, "
            "cancel = 0, completed_at = ?, error_code = ?, error_message = ?, result = ?, "
            "seconds = COALESCE(?, seconds), size = COALESCE(?, size), seed = COALESCE(?, seed) WHERE id = ?",
            (
                "failed" if error else "completed", error is not None, time.time(), code, message,
                None if result is None else json.dumps(result), result and result.get("seconds"),
                result and result.get("size"), result and result.get("seed"), id,
            ),
        )  # fmt: skip

    def release(self, claim: str | None, found: Callable[[str], Mapping[str, Any] | None], died: str | None) -> None:
        """Queue what a worker has left, in its old place; None for what all workers have left.

        found: the result of a video whose files had appeared when the worker died: it is completed. died: why; a video
        of which the second worker has died fails with it. None: workers were stopped, which counts for nothing.
        """
        with self.transaction() as db:
            query = "SELECT * FROM videos WHERE status = 'in_progress' AND (claim = ? OR ? IS NULL)"
            for row in db.execute(query, (claim, claim)).fetchall():
                if (result := found(row["id"])) is not None:
                    partial = ("cancelled", "It was cancelled.") if result.get("partial") else None
                    self._end(db, row["id"], result, partial)
                elif row["cancel"]:
                    self._end(db, row["id"], None, ("cancelled", "It was cancelled."))
                elif died is not None and row["attempts"] >= MAX_ATTEMPTS:
                    reason = f"{row['attempts']} worker processes died of it; the last one {died}."
                    self._end(db, row["id"], None, ("worker_died", reason))
                else:
                    db.execute(
                        "UPDATE videos SET status = 'queued', claim = NULL, progress = 0, step = '', attempts = ? "
                        "WHERE id = ?",
                        (row["attempts"] if died is not None else row["attempts"] - 1, row["id"]),
                    )
