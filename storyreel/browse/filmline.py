"""A film as a time line: its transitions and spans, and which frames show best how a span was cut out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from storyreel.curate.footage import FilmInfo
from storyreel.curate.lines import read_lines
from storyreel.curate.measures import FilmMeasures
from storyreel.curate.spans import Transition
from storyreel.curate.store import FilmRecord, read_object
from storyreel.names import bare
from storyreel.span import Span

SIDE_FRAMES = 5  # pictures at each end of a span, in the strip of its surroundings
INNER_FRAMES = 4  # and between them
GAP = 40  # frames between two pictures that are rather decoded through than looked for by a seek


@dataclass(frozen=True)
class FilmLine:
    """What is known of a film besides its spans' scores."""

    info: FilmInfo
    transitions: tuple[Transition, ...]

    def as_json(self) -> dict[str, Any]:
        info = self.info
        cuts = [asdict(t) | {"at": info.time_of(t.start), "until": info.time_of(t.end + 1)} for t in self.transitions]
        return {
            "frames": info.frames,
            "seconds": info.seconds,
            "fps": float(info.fps),
            "steady": info.times is None,
            "width": info.width,
            "height": info.height,
            "codec": info.codec,
            "transitions": cuts,
        }

    def surroundings(self, start: int, end: int) -> list[int]:
        """Frames of a strip of the span [start, end): through the transitions at its ends, and a few within it."""
        last = self.info.frames - 1
        before = [t for t in self.transitions if t.start <= start and t.end < end][-1:]
        after = [t for t in self.transitions if t.end >= end - 1 and t.start > start][:1]
        first = max(0, (before[0].start if before else start) - 2)
        final = min(last, (after[0].end if after else end) + 2)
        chosen = [*spread(first, min(start + 1, end - 1), SIDE_FRAMES), *spread(start, end - 1, INNER_FRAMES + 2)[1:-1]]
        return sorted({*chosen, *spread(max(end - 2, start), final, SIDE_FRAMES)})

    def spans(self, path: Path, frames: Sequence[int], bars: Sequence[int] = (0, 0, 0, 0)) -> Iterable[Span]:
        """The fewest parts of the film at `path` that show these frames, rising, without decoding far between them."""
        groups: list[list[int]] = []
        for frame in frames:
            near = groups and (not self.info.seekable or frame - groups[-1][-1] <= GAP)
            groups[-1].append(frame) if near else groups.append([frame])
        for group in groups:
            yield self._span(path, group, bars)

    def _span(self, path: Path, frames: Sequence[int], bars: Sequence[int]) -> Span:
        info, first = self.info, frames[0]
        steady = info.times is None
        start = first / info.fps if steady else Fraction(info.time_of(first)).limit_denominator(1_000_000)
        apart = float(1 / info.fps) if steady or first == 0 else info.time_of(first) - info.time_of(first - 1)
        top, bottom, left, right = bars
        return Span(
            path,
            Fraction(start),
            frames[-1] - first + 1,
            info.fps,
            tuple(frame - first for frame in frames),
            (top, bottom, left, right),
            max(0.0, apart / 2),
            None if info.seekable else first,
        )


def spread(first: int, last: int, count: int) -> list[int]:
    """At most `count` whole numbers from `first` to `last`, both among them, evenly spread."""
    if last <= first:
        return [first]
    count = min(count, last - first + 1)
    return sorted({first + round(i * (last - first) / (count - 1)) for i in range(count)})


class FilmLines:
    """The films of a dataset, read when they are asked for; the last few stay in memory."""

    MOST = 16

    def __init__(self, dataset: Path) -> None:
        self.folder = dataset / "curation"
        self._lines: OrderedDict[str, FilmLine] = OrderedDict()
        self._keys: dict[str, str] | None = None
        self._lock = threading.Lock()

    def of(self, row: Mapping[str, Any]) -> FilmLine:
        """ValueError: what was measured of the film is not there, or damaged."""
        name = row["source"]
        with self._lock:
            if name in self._lines:
                self._lines.move_to_end(name)
                return self._lines[name]
            if self._keys is None:
                lines = (FilmRecord(**line) for line in read_lines(self.folder / "manifest.jsonl"))
                file = self.folder / "manifest.jsonl"
                self._keys = {film.name: bare(film.film, f"{file}: film") for film in lines}
            key = self._keys.get(name)
            try:
                doc = read_object(self.folder / "films" / f"{key}.json") if key is not None else None
                line = None if doc is None else _line(doc)
            except (OSError, KeyError, TypeError) as error:
                raise ValueError(f"{name}: what was measured of it cannot be read ({error})") from None
            if line is None:
                raise ValueError(f"{name}: is not in the manifest of the dataset")
            self._lines[name] = line
            if len(self._lines) > self.MOST:
                self._lines.popitem(last=False)
            return line


def _line(doc: dict[str, Any]) -> FilmLine:
    measures = FilmMeasures.from_json({**doc, "spans": []})
    return FilmLine(measures.info, measures.transitions)
