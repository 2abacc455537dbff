"""Test movies whose every cut is known to the frame: what cut detection is measured on, and a gate for changes.

A movie is a function of its seed. Half of what it shows is made (`shots`), half is two photographs that
scikit-learn ships, panned and zoomed: a gate against mistakes, not a claim about the world's films.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.movies.shots import MATERIALS, TRAPS, Shot, caption_mark, make_shot

KINDS = ("hard", "dissolve", "fade-black", "fade-white", "wipe")
_SHARES = (0.45, 0.27, 0.09, 0.08, 0.11)


@dataclass(frozen=True)
class TrueTransition:
    """start, end: first and last frame that is not purely of one shot; a hard cut has its first new frame twice."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class TrueShot:
    """Frames [start, end) that show this shot alone. material: what it shows, see `shots`."""

    start: int
    end: int
    material: str
    static: bool
    text: bool


@dataclass(frozen=True)
class Truth:
    """All that is known of a movie. bars: black pixels at the [top, bottom, left, right]; mark: a corner mark."""

    seed: int
    width: int
    height: int
    fps: Fraction
    frames: int
    shots: tuple[TrueShot, ...]
    transitions: tuple[TrueTransition, ...]
    bars: tuple[int, int, int, int]
    mark: bool


@dataclass(frozen=True)
class Plan:
    """A movie before it is drawn: its truth, its shots, and how each passes into the next."""

    truth: Truth
    shots: list[tuple[int, int, Shot]]  # first and last frame in which anything of it shows, and the shot
    blends: dict[int, tuple[str, float, np.random.Generator]]


def plan(seed: int, *, size: tuple[int, int] = (180, 320), shots: int = 14) -> Plan:
    """A movie of `shots` shots, height and width in `size`. Every choice is drawn from the seed."""
    rng = np.random.default_rng([seed, 5])
    height, width = size
    fps = Fraction(int(rng.choice([24, 25, 30])))
    bars = _bars(rng, height, width)
    inner = (height - bars[0] - bars[1], width - bars[2] - bars[3])
    cuts: list[TrueTransition] = []
    true: list[TrueShot] = []
    made: list[tuple[int, int, Shot]] = []
    start = begin = 0  # first pure frame of the shot; first frame in which it shows at all
    last: Shot | None = None
    for number in range(shots):
        pure = int(rng.integers(20, 85))
        kind = str(rng.choice(KINDS, p=_SHARES))
        length = 0 if kind == "hard" else _length(rng, kind)
        end = start + pure
        material = str(rng.choice(MATERIALS if rng.random() < 0.6 else TRAPS))
        shown = end + (length if number + 1 < shots else 0) - begin
        shot = make_shot(material, np.random.default_rng([seed, 7, number]), inner, shown, last)
        made.append((begin, begin + shown, shot))
        true.append(TrueShot(start, end, material, shot.static, shot.text))
        if number + 1 < shots:
            cuts.append(TrueTransition(end, end + max(length - 1, 0), kind))
        begin, start, last = end, end + length, shot
    truth = Truth(seed, width, height, fps, true[-1].end, tuple(true), tuple(cuts), bars, bool(rng.random() < 0.25))
    blends = {cut.start: (cut.kind, float(rng.random()), np.random.default_rng([seed, 9, cut.start])) for cut in cuts}
    return Plan(truth, made, blends)


def _bars(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    which = rng.random()
    if which < 0.6:
        return 0, 0, 0, 0
    side = int((height if which < 0.85 else width) * rng.uniform(0.04, 0.14))
    return (side, side, 0, 0) if which < 0.85 else (0, 0, side, side)


def _length(rng: np.random.Generator, kind: str) -> int:
    if kind == "dissolve":
        return int(np.exp(rng.uniform(np.log(6), np.log(60))))
    return int(rng.integers(8, 49)) if kind == "wipe" else int(rng.integers(10, 61))


def frames(seed: int, **how: object) -> Iterator[np.ndarray]:
    """The pictures of a movie, uint8 (h, w, 3)."""
    made = plan(seed, **how)  # pyright: ignore[reportArgumentType]
    yield from drawing(made)


def drawing(made: Plan) -> Iterator[np.ndarray]:
    """The pictures of a planned movie, uint8 (h, w, 3)."""
    truth = made.truth
    top, bottom, left, right = truth.bars
    mark = caption_mark(np.random.default_rng([truth.seed, 11]), truth.height, truth.width) if truth.mark else None
    masks: dict[int, Callable[[float], np.ndarray]] = {}
    current = 0
    for index in range(truth.frames):
        while current < len(truth.transitions) and index > truth.transitions[current].end:
            current += 1
        cut = truth.transitions[current] if current < len(truth.transitions) else None
        begin, _, shot = made.shots[current]
        if cut is not None and index >= cut.start:
            after, _, following = made.shots[current + 1]
            pair = [following.frame(index - after)]
            if cut.kind != "hard":
                pair.insert(0, shot.frame(index - begin))
            picture = _blend(pair, made.blends[cut.start], cut, index, masks)
        else:
            picture = shot.frame(index - begin)
        whole = np.zeros((truth.height, truth.width, 3), np.uint8)
        whole[top : truth.height - bottom, left : truth.width - right] = picture
        if mark is not None:
            alpha, colour = mark
            whole = (whole * (1 - alpha) + colour * alpha).astype(np.uint8)
        yield whole


def _blend(
    pair: list[np.ndarray],
    how: tuple[str, float, np.random.Generator],
    cut: TrueTransition,
    index: int,
    masks: dict[int, Callable[[float], np.ndarray]],
) -> np.ndarray:
    """The picture of frame `index` of a transition: a weight that goes from 0 to 1, both ends left out."""
    kind, choice, rng = how
    if kind == "hard":
        return pair[-1]
    before, after = (picture.astype(np.float32) for picture in pair)
    weight = (index - cut.start + 1) / (cut.end - cut.start + 2)
    if kind == "wipe":
        if cut.start not in masks:
            masks[cut.start] = wipe_of(rng, *pair[0].shape[:2])
        mask = masks[cut.start](weight)[..., None]
        return (before * (1 - mask) + after * mask).astype(np.uint8)
    if kind == "dissolve":
        weight = weight * weight * (3 - 2 * weight) if choice < 0.25 else weight
        return (before * (1 - weight) + after * weight).astype(np.uint8)
    hold = 0.15 * choice  # half the share of the interval in which nothing but the colour is seen
    colour = 0.0 if kind == "fade-black" else 255.0
    seen = max(0.0, (abs(2 * weight - 1) - hold) / (1 - hold))
    return ((before if weight < 0.5 else after) * seen + colour * (1 - seen)).astype(np.uint8)


def wipe_of(rng: np.random.Generator, height: int, width: int) -> Callable[[float], np.ndarray]:
    """weight in (0, 1) -> mask float (h, w): a straight edge in one of eight directions, or a growing circle."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    if rng.random() < 0.2:
        order = np.hypot(x * width / height, y)
    else:
        angle = int(rng.integers(8)) * np.pi / 4
        order = np.cos(angle) * x + np.sin(angle) * y
    order = (order - order.min()) / (order.max() - order.min())
    soft = float(rng.uniform(0.005, 0.05))
    return lambda weight: np.clip((weight * (1 + soft) - order) / soft, 0, 1)


def write_movie(path: str | Path, seed: int, *, size: tuple[int, int] = (180, 320), shots: int = 14) -> Truth:
    """Draw a movie and write it as H.264 (mp4) of a quality that is drawn too; what is true of it."""
    from reproductions.encode import write_pictures

    made = plan(seed, size=size, shots=shots)
    crf = int(np.random.default_rng([seed, 13]).integers(18, 29))
    write_pictures(path, drawing(made), made.truth.fps, crf=crf)
    return made.truth
