"""Dirty footage whose truth is known: films in which clips of a world follow one another, with all that goes wrong.

A film is shots of the world `digits`, 16 frames a second, joined by hard cuts and dissolves. Some shots stand still,
some have words laid over them, some are captioned by another shot's sentence, and some show again what was shown before
(to the bit, or darker, noisier and a little later). film.json, beside the film, is what a crawler would find: spans of
time with captions. truth.json is what nobody has in earnest.

The world is white on black, and one such shot looks like any other: so each shot has a set around its picture, of
colours of its own, as shots of films have. It is cut off before training, whatever the training set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reproductions.encode import write_pictures
from storyreel.storage import read_json, replacing, write_json
from storyreel.worlds.digits import Digits

FPS = Fraction(16)
SIDE = 64  # pixels of the picture
EDGE = 32  # pixels of the set around it, on each side
WHOLE = SIDE + 2 * EDGE
FAULTS = ("static", "text", "caption", "copy")
LINES = ("BREAKING NEWS", "SUBSCRIBE NOW", "LIVE FROM CITY HALL", "EPISODE 12", "WWW.CLIPS.EXAMPLE", "SALE ENDS TODAY")


@dataclass(frozen=True)
class Dirt:
    """How dirty it is: shares of the shots with each fault (drawn apart, so that some have two), and of dissolves."""

    static: float = 0.2
    text: float = 0.2
    caption: float = 0.2
    copy: float = 0.2
    dissolves: float = 0.35


@dataclass(frozen=True)
class Shot:
    """Frames [start, end) show this shot alone. origin: what it shows; copies have that of their model.

    caption: what film.json says. expected: what is to be seen, `digits` and `motions`.
    """

    start: int
    end: int
    origin: int
    caption: str
    true_caption: str
    expected: dict[str, Any]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilmTruth:
    """Of one film. dissolves: first and last blended frame; cuts: first frame of the new shot."""

    name: str
    frames: int
    shots: tuple[Shot, ...]
    dissolves: tuple[tuple[int, int], ...] = ()
    cuts: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> FilmTruth:
        shots = []
        for each in doc["shots"]:
            each = dict(each)
            expected = each.pop("wanted") if "wanted" in each else each.pop("expected")  # "wanted": older files
            shots.append(Shot(**{**each, "expected": expected, "faults": tuple(each["faults"])}))
        dissolves = tuple((int(a), int(b)) for a, b in doc["dissolves"])
        return cls(doc["name"], doc["frames"], tuple(shots), dissolves, tuple(doc["cuts"]))


@dataclass
class _Drawn:
    """A shot before it is placed: its pictures (long enough for both transitions) and what is said of it."""

    origin: int
    pictures: np.ndarray  # uint8 (t, WHOLE, WHOLE, 3)
    caption: str
    expected: dict[str, Any]
    faults: list[str] = field(default_factory=list)


def make_footage(folder: Path, films: int, shots: int, seed: int, dirt: Dirt = Dirt()) -> list[FilmTruth]:
    """Write `films` films of `shots` shots, sidecars and truth.json; what is there of the same plan is kept."""
    plan = {"films": films, "shots": shots, "seed": seed, "dirt": asdict(dirt)}
    truth_file = folder.with_name(f"{folder.name}-truth.json")
    if truth_file.is_file() and (document := read_json(truth_file)).get("plan") == plan:
        return [FilmTruth.from_json(each) for each in document["films"]]
    folder.mkdir(parents=True, exist_ok=True)
    shown: list[_Drawn] = []
    made = [_film(folder, number, shots, seed, dirt, shown) for number in range(films)]
    write_json(truth_file, {"plan": plan, "films": [asdict(film) for film in made]})
    return made


def _film(folder: Path, number: int, shots: int, seed: int, dirt: Dirt, shown: list[_Drawn]) -> FilmTruth:
    rng = np.random.default_rng([seed, 31, number])
    drawn = [_draw(rng, [seed, 37, number, i], number * shots + i, dirt, shown) for i in range(shots)]
    lengths = [int(rng.integers(4, 15)) if rng.random() < dirt.dissolves else 0 for _ in drawn[1:]] + [0]
    placed, cuts, dissolves, at = [], [], [], 0
    for index, (one, after) in enumerate(zip(drawn, lengths, strict=True)):
        before = lengths[index - 1] if index else 0
        end = at + len(one.pictures) - before - after
        caption = one.caption
        if "caption" in one.faults:
            caption = _other(rng, one, drawn)
        placed.append(Shot(at, end, one.origin, caption, one.caption, one.expected, tuple(one.faults)))
        if index + 1 < shots:
            if after:
                dissolves.append((end, end + after - 1))
            else:
                cuts.append(end)
        at = end + after
    name = f"film-{number:03d}"
    truth = FilmTruth(f"{name}.mp4", at, tuple(placed), tuple(dissolves), tuple(cuts))
    write_pictures(folder / f"{name}.mp4", _pictures(drawn, lengths), FPS, crf=18)
    spans = [{"start": s.start / float(FPS), "end": s.end / float(FPS), "text": s.caption} for s in placed]
    with replacing(folder / f"{name}.json") as (file,):
        file.write_text(json.dumps({"spans": spans}, indent=1) + "\n", encoding="utf-8")
    return truth


def _draw(rng: np.random.Generator, key: list[int], origin: int, dirt: Dirt, shown: list[_Drawn]) -> _Drawn:
    faults = [name for name in FAULTS if rng.random() < getattr(dirt, name)]
    if "copy" in faults and shown:
        model = shown[int(rng.integers(min(len(shown), 12)))]  # a few are seen again and again, as on the web
        pictures = model.pictures if rng.random() < 0.5 else _nearly(rng, model.pictures)
        found = _Drawn(model.origin, pictures, model.caption, model.expected, faults)
    else:
        faults = [name for name in faults if name != "copy"]
        pictures, caption, expected = clean_clip(key, int(rng.integers(40, 57)))
        pictures = on_set(pictures, np.random.default_rng([*key, 1]))
        if "static" in faults:
            pictures = np.repeat(pictures[len(pictures) // 2][None], len(pictures), axis=0)
        found = _Drawn(origin, pictures, caption, expected, faults)
        if not faults:
            shown.append(found)
    if "static" in faults and "copy" in faults:
        found.pictures = np.repeat(found.pictures[len(found.pictures) // 2][None], len(found.pictures), axis=0)
    if "text" in faults:
        found.pictures = overlaid(found.pictures, rng)
    return found


def clean_clip(key: list[int], frames: int) -> tuple[np.ndarray, str, dict[str, Any]]:
    """Pictures uint8 (frames, SIDE, SIDE, 3) of one digit, its caption, and what is to be seen."""
    world = Digits(size=SIDE, frames=frames, fps=FPS, digits="1", captions=1)
    clip, row = world.make(int(np.random.default_rng(key).integers(2**31)), 0, "train")
    attributes = row["attributes"]
    return clip.frames, row["caption"], {"digits": attributes["digits"], "motions": attributes["motions"]}


def _nearly(rng: np.random.Generator, pictures: np.ndarray) -> np.ndarray:
    """What a second upload looks like: another brightness, noise, and a frame or two later."""
    late = int(rng.integers(0, 3))
    noise = rng.normal(0, 2.0, pictures.shape[1:])
    return np.clip(pictures[late:] * float(rng.uniform(0.8, 0.95)) + noise, 0, 255).astype(np.uint8)


def overlaid(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a line of words over the upper or the lower part of the picture."""
    line = str(rng.choice(LINES))
    font = ImageFont.load_default(size=int(rng.integers(12, 15)))
    high = 20
    band = Image.new("RGB", (WHOLE, high), tuple(int(c) for c in rng.integers(0, 110, 3)))
    draw = ImageDraw.Draw(band)
    draw.text(((WHOLE - draw.textlength(line, font=font)) / 2, 2), line, fill=(255, 255, 255), font=font)
    made = pictures.copy()
    top = EDGE + 2 if rng.random() < 0.4 else WHOLE - EDGE - high - 2
    made[:, top : top + high] = np.asarray(band)
    return made


def _other(rng: np.random.Generator, one: _Drawn, drawn: list[_Drawn]) -> str:
    """The caption of a shot of the film that shows something else."""
    others = [d.caption for d in drawn if d.expected != one.expected]
    return str(rng.choice(others)) if others else one.caption


def _pictures(drawn: list[_Drawn], lengths: list[int]) -> Iterator[np.ndarray]:
    before = 0
    for index, (one, after) in enumerate(zip(drawn, lengths, strict=True)):
        for number in range(before, len(one.pictures) - after):
            yield one.pictures[number]
        for step in range(after):  # both go on moving while one passes into the other
            weight = (step + 1) / (after + 1)
            old, new = one.pictures[len(one.pictures) - after + step], drawn[index + 1].pictures[step]
            yield (old * (1 - weight) + new * weight).astype(np.uint8)
        before = after


def on_set(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 (t, SIDE, SIDE, 3) in the middle of a smooth coloured set: (t, WHOLE, WHOLE, 3)."""
    low, high = np.sort(rng.integers(20, 236, (2, 3)), axis=0)
    coarse = (low + (high - low) * rng.random((5, 5, 3))).astype(np.uint8)
    around = np.asarray(Image.fromarray(coarse).resize((WHOLE, WHOLE), Image.Resampling.BICUBIC))
    made = np.repeat(around[None], len(pictures), axis=0)
    made[:, EDGE:-EDGE, EDGE:-EDGE] = pictures
    return made


def picture_of(pictures: np.ndarray) -> np.ndarray:
    """uint8 (t, h, w, 3) without the set."""
    return pictures[:, EDGE:-EDGE, EDGE:-EDGE]
