"""Votes in SQLite: an answer that was acknowledged is on the disk, whatever happens to the process.

Write-ahead log with `synchronous = FULL`: a commit returns after fsync. Tokens are kept as their SHA-256 alone, so a
copy of the file lets nobody vote.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from storyreel.ownership import check_owner, own_file
from storyreel.study.assign import assign
from storyreel.study.plan import VERSION, VOTES, Study

MAX_RATERS = 100_000
MAX_UNANSWERED = 100  # raters of one address who have joined and not voted yet
UNANSWERED = 600.0  # seconds for which such a rater counts
IDLE = 3600.0  # seconds after which a rater's open trials are given to others too
ABANDONED = 86_400.0  # seconds after which a rater who never voted is forgotten
NEXT_QUESTION = 0.3  # seconds before a further question about the same clips can be answered
SLACK = 0.05  # seconds by which the clocks of page and server may differ

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (study TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, joined REAL NOT NULL,
    seen REAL NOT NULL);
CREATE TABLE IF NOT EXISTS trials (id INTEGER PRIMARY KEY, public TEXT NOT NULL UNIQUE,
    rater INTEGER NOT NULL REFERENCES raters, position INTEGER NOT NULL, item INTEGER NOT NULL,
    question INTEGER NOT NULL, a_left INTEGER NOT NULL, UNIQUE (rater, position));
CREATE TABLE IF NOT EXISTS votes (trial INTEGER PRIMARY KEY REFERENCES trials, answer TEXT NOT NULL,
    watched REAL NOT NULL, at REAL NOT NULL);
"""
BEGUN = "WITH begun AS (SELECT DISTINCT rater FROM votes JOIN trials ON trials.id = trial)"  # who has voted at all


class Refused(Exception):
    """A rater who may not join, or an answer that is not taken: a status as in HTTP, and one line for the page."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Trial:
    """One question about one item, for one rater. `public` is the name that the page knows."""

    id: int
    public: str
    item: int
    question: int
    a_left: bool
    first: bool  # of the questions about this item


@dataclass(frozen=True)
class RaterProgress:
    """How far a rater is: answers given and wanted, the trial that waits (None at the end), and the item after it."""

    done: int
    total: int
    pair: int
    pairs: int
    trial: Trial | None
    after: Trial | None


class Votes:
    """The votes of one study, open for writing. Any number of threads may use it, and several processes the file."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._lock = threading.Lock()
        self._shown: dict[str, float] = {}
        self._unanswered: dict[str, dict[str, float]] = {}  # address -> digest of a token -> when it was given
        self._db = open_votes(study)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def join(self, address: str = "") -> str:
        """A token for a new rater, whose trials are fixed now and count as taken from the first vote on.

        address: where the rater is, of whom only so many may join without a vote; it is kept in memory alone.
        Refused 409: enough votes; 429: too many from this address that have not voted; 503: too many raters.
        """
        token, now = secrets.token_urlsafe(24), time.time()
        with self._write() as db:
            waiting = self._waiting_at(address)
            if len(waiting) >= MAX_UNANSWERED:
                raise Refused(429, "too many raters of your network have not voted yet; try again in ten minutes")
            _forget_abandoned(db, now)
            number = db.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM raters").fetchone()[0]
            if db.execute("SELECT COUNT(*) FROM raters").fetchone()[0] >= MAX_RATERS:
                raise Refused(503, "this study takes no more raters")
            shown = assign(self.study, number, *self._load(db, now))
            if not shown:
                raise Refused(409, "this study has all the votes that it needs")
            db.execute("INSERT INTO raters VALUES (?, ?, ?, ?)", (number, _digest(token), now, now))
            trials = [(item, q) for item in shown for q in range(len(self.study.questions))]
            rows = [
                (secrets.token_urlsafe(12), number, place, one.item, q, one.a_left)
                for place, (one, q) in enumerate(trials)
            ]
            db.executemany(
                "INSERT INTO trials (public, rater, position, item, question, a_left) VALUES (?, ?, ?, ?, ?, ?)", rows
            )
            waiting[_digest(token)] = time.monotonic()
        return token

    def _waiting_at(self, address: str) -> dict[str, float]:
        """The tokens given to an address not long ago, with which nobody has voted yet."""
        now = time.monotonic()
        for place, tokens in list(self._unanswered.items()):
            left = {token: issued for token, issued in tokens.items() if now - issued < UNANSWERED}
            self._unanswered[place] = left
            if not left:
                del self._unanswered[place]
        return self._unanswered.setdefault(address, {})

    def _load(self, db: sqlite3.Connection, now: float) -> tuple[dict[int, int], dict[int, int]]:
        """(item -> raters who voted on it, or who are at work and will; item -> raters who have not voted at all).

        Whoever joins and never votes keeps nothing from others: only raters with a vote count as being at work.
        """
        sql = f"""{BEGUN} SELECT item, COUNT(DISTINCT rater) FROM trials JOIN raters ON raters.id = rater
                  WHERE (seen > ? AND rater IN begun) OR trials.id IN (SELECT trial FROM votes) GROUP BY item"""
        voting = dict(db.execute(sql, (now - IDLE,)).fetchall())
        sql = f"""{BEGUN} SELECT item, COUNT(DISTINCT rater) FROM trials JOIN raters ON raters.id = rater
                  WHERE seen > ? AND rater NOT IN begun GROUP BY item"""
        return voting, dict(db.execute(sql, (now - UNANSWERED,)).fetchall())

    def _rater(self, db: sqlite3.Connection, token: str) -> int:
        row = db.execute("SELECT id FROM raters WHERE token = ?", (_digest(token),)).fetchone()
        if row is None:
            raise Refused(401, "unknown token; open the study's page to begin")
        return row[0]

    def _where(self, db: sqlite3.Connection, rater: int) -> RaterProgress:
        sql = """SELECT id, public, item, question, a_left, votes.trial IS NOT NULL FROM trials
                 LEFT JOIN votes ON votes.trial = trials.id WHERE rater = ? ORDER BY position"""
        rows = db.execute(sql, (rater,)).fetchall()
        each = len(self.study.questions)
        open_ = [i for i, row in enumerate(rows) if not row[5]]
        trials = [Trial(r[0], r[1], r[2], r[3], bool(r[4]), i % each == 0) for i, r in enumerate(rows)]
        at = open_[0] if open_ else len(rows)
        after = (at // each + 1) * each
        return RaterProgress(
            done=len(rows) - len(open_),
            total=len(rows),
            pair=at // each + 1,
            pairs=len(rows) // each,
            trial=trials[at] if open_ else None,
            after=trials[after] if after < len(rows) else None,
        )

    def where(self, token: str) -> RaterProgress:
        """How far the rater with this token is. Refused 401: there is no such token."""
        with self._lock:
            where = self._where(self._db, self._rater(self._db, token))
        if where.trial is not None:
            self._shown.setdefault(where.trial.public, time.monotonic())
        return where

    def vote(self, token: str, public: str, answer: str, watched: float) -> bool:
        """Keep an answer; True when it is new, False when the same vote was there already.

        Refused: 401 no such token, 400 no such answer, 403 a trial that was not given to this rater, 409 another
        answer to a trial that has one, 425 before the clips could have been watched.
        """
        if answer not in self.study.answers:
            raise Refused(400, f"answer: expected one of {', '.join(self.study.answers)}")
        if not isfinite(watched) or not 0 <= watched < 1e6:
            raise Refused(400, "watched: expected seconds")
        with self._write() as db:
            rater, now = self._rater(db, token), time.time()
            known = db.execute(
                "SELECT id, answer FROM trials LEFT JOIN votes ON trial = id WHERE public = ? AND rater = ?",
                (public, rater),
            ).fetchone()
            waiting = self._where(db, rater).trial
            if known is None or (known[1] is None and (waiting is None or waiting.id != known[0])):
                raise Refused(403, "this trial was not given to you")
            if known[1] is not None:
                if known[1] != answer:
                    raise Refused(409, "this trial has another answer already")
                return False
            assert waiting is not None
            self._check_watched(waiting)
            db.execute("INSERT INTO votes VALUES (?, ?, ?, ?)", (known[0], answer, watched, now))
            db.execute("UPDATE raters SET seen = ? WHERE id = ?", (now, rater))
            for tokens in self._unanswered.values():
                tokens.pop(_digest(token), None)
        self._shown.pop(public, None)
        return True

    def _check_watched(self, trial: Trial) -> None:
        """By the server's own clock. After a restart nothing is known of when a trial was shown, and it passes."""
        required = self.study.items[trial.item].watch
        required = required if trial.first else min(required, NEXT_QUESTION)
        since = time.monotonic() - self._shown.get(trial.public, float("-inf"))
        if since < required - SLACK:
            raise Refused(425, f"watch the clips for {required:g} seconds first")

    def counts(self) -> dict[str, Any]:
        """raters who joined, votes so far."""
        with self._lock:
            raters = self._db.execute("SELECT COUNT(*) FROM raters").fetchone()[0]
            return {"raters": raters, "votes": self._db.execute("SELECT COUNT(*) FROM votes").fetchone()[0]}


def open_votes(study: Study) -> sqlite3.Connection:
    """The database of a study, made when it is missing.

    ValueError: it belongs to another study or version, or is no database of votes; the folder is of another kind.
    OSError: it is a link.
    """
    check_owner(study.folder, "study", strange=lambda folder, kind: None)  # its study.json is read already
    path = own_file(study.folder, VOTES)
    try:
        db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        check_belongs(db, study, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            for statement in SCHEMA.strip().split(";"):
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES (?)", (study.id,))
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path}: cannot be used as the votes of a study: {error}") from error
    return db


def check_belongs(db: sqlite3.Connection, study: Study, path: Path) -> None:
    """ValueError unless the database is new, or of this version and study."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version and version != VERSION:
        raise ValueError(f"{path}: holds votes of version {version}, this storyreel reads version {VERSION}")
    if not version and db.execute("SELECT name FROM sqlite_master").fetchone():
        raise ValueError(f"{path}: is a database of something else, not of votes")
    if version and db.execute("SELECT study FROM meta").fetchone() != (study.id,):
        raise ValueError(f"{path}: holds the votes of another study")


def _forget_abandoned(db: sqlite3.Connection, now: float) -> None:
    """Raters who joined a day ago and never voted: their page would join again."""
    gone = db.execute(
        f"{BEGUN} SELECT id FROM raters WHERE seen < ? AND id NOT IN begun", (now - ABANDONED,)
    ).fetchall()
    db.executemany("DELETE FROM trials WHERE rater = ?", gone)
    db.executemany("DELETE FROM raters WHERE id = ?", gone)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
