"""The training sets of the comparison, as dataset folders of small clips cut out of the films.

random: windows of one length, anywhere in the films, four times as many as curated clips; each says what the film's
sidecar says of most of its time. curated: the clips that curation keeps. without-X: the same without filter X; without
cuts: a window of that length around some frame of each curated clip, wherever the cuts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reproductions.curation_filters import Curated, holds_transition
from reproductions.curation_footage import FPS, picture_of
from storyreel.clip import Clip
from storyreel.curate.captions import DEFAULT, Captions
from storyreel.curate.choose import choose
from storyreel.curate.score import Limit, MotionLimit
from storyreel.curate.sources import find_sources
from storyreel.curate.thresholds import Duplicates
from storyreel.data.folder import DatasetFolder
from storyreel.data.pack import fit
from storyreel.data.write import METADATA, write_folder
from storyreel.evaluate.benchmarks.moving_digits import share_json
from storyreel.evaluate.score import Share

WINDOW = 40  # frames of the film, about a shot's
LARGER = 4  # times as many random windows as curated clips
ARMS = {
    "curated": "curated",
    "random": f"random windows, {LARGER} times as many",
    "without-cuts": "curated without cuts",
    "without-motion": "curated without motion",
    "without-text": "curated without text",
    "without-similarity": "curated without similarity",
    "without-duplicates": "curated without duplicates",
}


@dataclass(frozen=True)
class Item:
    """Frames [start, end) of a film, and what they are said to show."""

    path: str
    start: int
    end: int
    caption: str


def choices(made: Curated, seed: int) -> dict[str, list[Item]]:
    """Arm -> its clips."""
    sets = {
        "curated": [_item(row) for row in made.selected],
        "random": _windows(made, LARGER * len(made.selected), seed),
    }
    sets["without-cuts"] = _uncut(made, seed)
    off: dict[str, dict[str, Any]] = {
        "motion": {"motion": MotionLimit(difference_min=None), "frozen": Limit(), "repeated": Limit()},
        "text": {"text": Limit()},
        "similarity": {"similarity": Limit()},
        "duplicates": {"duplicates": Duplicates(share=None)},
    }
    for name, change in off.items():
        rows = [dict(row) for row in made.rows]
        choose(rows, replace(made.thresholds, **change))
        sets[f"without-{name}"] = [_item(row) for row in rows if row["kept"]]
    return {name: [item for item in items if item.caption] for name, items in sets.items()}


def purity(items: Sequence[Item], made: Curated) -> dict[str, Any]:
    """How many clips of a set there are, and the share that holds a transition."""
    rows = [{"source_path": i.path, "start": i.start, "end": i.end} for i in items]
    return {
        "clips": len(items),
        "cut": share_json(Share(sum(holds_transition(r, made.truth) for r in rows), len(rows))),
    }


def write_sets(folder: Path, sets: dict[str, list[Item]], frames: int, size: int) -> dict[str, DatasetFolder]:
    """Each set as a dataset folder of clips of `frames` frames, `size` pixels; those that are whole stay."""
    todo = {name: items for name, items in sets.items() if not (folder / name / METADATA).exists()}
    films = _small({item.path for items in todo.values() for item in items}, size)
    for name, items in todo.items():
        write_folder(folder / name, _clips(items, films, frames))
    return {name: DatasetFolder.open(folder / name) for name in sets}


def _clips(items: Sequence[Item], films: dict[str, np.ndarray], frames: int) -> Iterator[tuple[Clip, dict[str, Any]]]:
    for item in items:
        clip = Clip(films[item.path][item.start : item.end], FPS, item.caption).resample(frames)
        yield clip, {"caption": item.caption, "source": Path(item.path).name, "start": item.start, "end": item.end}


def _small(paths: set[str], size: int) -> dict[str, np.ndarray]:
    """Film -> its pictures without the sets, uint8 (t, size, size, 3)."""
    return {path: fit(Clip(picture_of(Clip.open(path).frames).copy()), size, 3) for path in sorted(paths)}


def _item(row: dict[str, Any]) -> Item:
    return Item(row["source_path"], row["start"], row["end"], row["caption"])


def _windows(made: Curated, count: int, seed: int) -> list[Item]:
    """Anywhere in the films, each as likely as any other."""
    rng = np.random.default_rng([seed, 41])
    lengths = {film.name: film.frames for film in made.truth}
    sources = [s for s in find_sources([made.footage])[0] if lengths.get(Path(s.path).name, 0) > WINDOW]
    room = np.array([lengths[Path(s.path).name] - WINDOW for s in sources], float)
    captions = {source.path: Captions(source, DEFAULT) for source in sources}
    found = []
    for place in rng.choice(len(sources), size=count, p=room / room.sum()):
        path, start = sources[place].path, int(rng.integers(int(room[place]) + 1))
        captions_made, _ = captions[path].of(start / float(FPS), (start + WINDOW) / float(FPS))
        found.append(Item(path, start, start + WINDOW, captions_made[0] if captions_made else ""))
    return found


def _uncut(made: Curated, seed: int) -> list[Item]:
    """A window around some frame of each curated clip, within its film."""
    rng = np.random.default_rng([seed, 43])
    lengths = {film.name: film.frames for film in made.truth}
    found = []
    for row in made.selected:
        middle = int(rng.integers(row["start"], row["end"]))
        start = min(max(0, middle - WINDOW // 2), lengths[Path(row["source_path"]).name] - WINDOW)
        found.append(Item(row["source_path"], start, start + WINDOW, row["caption"]))
    return found
