"""Captions that need no weights: sidecar text, subtitles, a manifest's column, file names.

`--captions subtitles,column,sidecar,name` names the kinds in order of preference; the first that has something to say
of a span captions it.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from storyreel.curate.sources import VIDEOS, FilmSource
from storyreel.json_file import read_json
from storyreel.numbers import number
from storyreel.whole_file import read_bytes, read_text

Line = tuple[float, float, str]
"""(from, to, text): what is said from `from` to `to` seconds of a film."""
MAX_SECONDS = 10**9
LONGEST = 400  # characters of one caption
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")


class Captions:
    """What is known of one film without looking at it. Unreadable sidecars are noted, never fatal."""

    def __init__(self, source: FilmSource, kinds: Sequence[str], folder: Path | None = None) -> None:
        self.source, self.kinds, self.notes = source, kinds, list[str]()
        self._folder = folder
        self._found: dict[str, Any] = {}

    def of(self, start: float, end: float) -> tuple[list[str], str | None]:
        """(captions of the span from `start` to `end` seconds, the kind that they are of)."""
        for kind in self.kinds:
            if found := [_clean(text) for text in KINDS[kind](self, start, end) if _clean(text)]:
                return list(dict.fromkeys(found)), kind
        return [], None

    def files(self, *suffixes: str) -> list[Path]:
        """film.txt beside film.mp4, or in the folder of sidecars; film.en.vtt too, sorted."""
        film = Path(self.source.path)
        folder = self._folder or film.parent
        exact = [folder / f"{film.stem}{suffix}" for suffix in suffixes]
        escaped = re.sub(r"([\[\]*?])", r"[\1]", film.stem)
        more = sorted(file for suffix in suffixes for file in folder.glob(f"{escaped}.*{suffix}"))
        found = [f for f in dict.fromkeys([*exact, *more]) if f.is_file()]
        return [
            f
            for f in found
            if f in exact or Path(f.stem).suffix.lower() not in VIDEOS or Path(f.stem).name == film.name
        ]

    def once(self, name: str, read: Callable[[Path], Any], files: Sequence[Path]) -> list[Any]:
        """What `read` gives for each file, read once; a file that is not what it should be gives a note."""
        if name not in self._found:
            self._found[name] = []
            for file in files:
                try:
                    self._found[name].append(read(file))
                except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
                    why = " ".join(str(error).split())[:120]
                    self.notes.append(f"{self.source.name}: captions of {file.name} are left out: {why}")
        return self._found[name]


def _subtitles(film: Captions, start: float, end: float) -> list[str]:
    """Everything said within the span, in order, as in HowTo100M; a line belongs where its middle is."""
    for lines in film.once("subtitles", read_subtitles, film.files(".srt", ".vtt")):
        middles = [(a + b) / 2 for a, b, _ in lines]
        spoken = [text for _, _, text in lines[bisect_left(middles, start) : bisect_left(middles, end)]]
        if spoken:
            return [" ".join(_unrolled(spoken))]
    return []


def _sidecar(film: Captions, start: float, end: float) -> list[str]:
    """film.txt: the whole film's captions, one a line. film.json: `caption`, `captions`, or spans of their own."""
    for document in film.once("json", _read_json, film.files(".json")):
        spans = [s for s in document["spans"] if s[0] < end and s[1] > start]
        if spans:  # that which shares most of its time
            return [max(spans, key=lambda s: (min(s[1], end) - max(s[0], start), -s[0]))[2]]
        if document["captions"]:
            return document["captions"]
    found = film.once("txt", read_text, film.files(".txt"))
    return [line for text in found for line in text.splitlines()]


def _column(film: Captions, start: float, end: float) -> list[str]:
    return [film.source.caption] if film.source.caption else []


def _name(film: Captions, start: float, end: float) -> list[str]:
    """A file name is a caption when it has at least two words with letters: not IMG_1234, not a hash."""
    words = re.findall(r"[^\W\d_]{2,}", Path(film.source.name).stem)
    plain = [w for w in words if w.lower() not in ("img", "mov", "dsc", "vid", "video", "clip", "final", "copy")]
    return [" ".join(words)] if len(plain) >= 2 else []


KINDS: dict[str, Callable[[Captions, float, float], list[str]]] = {
    "subtitles": _subtitles,
    "column": _column,
    "sidecar": _sidecar,
    "name": _name,
}
DEFAULT = ("subtitles", "column", "sidecar")


def read_subtitles(file: Path) -> list[Line]:
    """The lines of a .srt or .vtt file, sorted by time, without marks of style or position.

    ValueError: no line in it with a time. A block that is damaged is passed over.
    """
    text = read_bytes(file).decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines: list[Line] = []
    for block in re.split(r"\n\s*\n", text):
        head, arrow, rest = block.partition("-->")
        times = [_seconds(m) for m in (list(_TIME.finditer(head))[-1:] + list(_TIME.finditer(rest))[:1])]
        if not arrow or len(times) != 2 or times[1] < times[0]:
            continue
        spoken = _clean(re.sub(r"<[^>]*>|\{[^}]*\}", "", " ".join(rest.split("\n")[1:])))
        if spoken:
            lines.append((times[0], times[1], spoken))
    if not lines:
        raise ValueError("no subtitle with a time in it")
    return sorted(lines)


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds, rest = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(rest.ljust(3, "0")) / 1000


def _unrolled(lines: Sequence[str]) -> list[str]:
    """Without repetition: captions that roll show each line again with the next."""
    found: list[str] = []
    for text in lines:
        if not found or text != found[-1]:
            before = found[-1] if found else ""
            found.append(text[len(before) :].strip() if before and text.startswith(before + " ") else text)
    return found


def _read_json(file: Path) -> dict[str, Any]:
    """{"captions": [...], "spans": [(start, end, text)]}.

    HowTo100M's own form, lists `start`, `end`, `text`, is known; so is a list of objects with these keys.
    """
    document = read_json(file)
    spans: list[Line] = []
    listed = document if isinstance(document, list) else document.get("spans") or []
    if isinstance(document, dict) and isinstance(document.get("start"), list):
        listed = [
            {"start": a, "end": b, "text": t}
            for a, b, t in zip(document["start"], document["end"], document["text"], strict=True)
        ]
    for span in listed:
        text = span.get("text") or span.get("caption")
        if text:
            begin, end = (number(span[name], name, 0, MAX_SECONDS) for name in ("start", "end"))
            spans.append((begin, end, str(text)))
    whole: Mapping[str, Any] = document if isinstance(document, dict) else {}
    captions = whole.get("captions") or [whole.get("caption") or whole.get("description") or whole.get("title")]
    return {"captions": [c for c in captions if isinstance(c, str)], "spans": sorted(spans)}


def _clean(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in html.unescape(text))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0]


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            there = ", ".join(KINDS)
            raise ValueError(
                f"captions: no kind {kind!r}; there are {there}, and models: a folder, OWNER/NAME or a URL"
            )
    return tuple(kinds)
