"""World `digits`: captioned Moving MNIST and Double Moving MNIST, as GODIVA (arXiv 2104.14806) used them.

One or two handwritten digits, white on black, on a square canvas; where two overlap the brighter pixel is seen, and
they are placed so that, where their motions allow it, they stand apart in at least half of the frames.
The box of a digit is 28/64 of the canvas; the free range R is the rest: 36 pixels of 64, 18 of 32. What each motion
means, for a clip of n frames and so n - 1 steps (all steps of a digit are equally long, positions are rounded to
whole pixels, the other coordinate does not change):

- `up`, `left`, `down`, `right`: one way, no wall is touched. Slow 0.3 R in all, normal 0.55 R, fast 0.9 R.
- `up then down` and the like: one way, then back; it turns once, at the middle of the clip (between two frames when
  n is even), in the open, and ends where it began. Each way: slow 0.3 R, normal 0.55 R, fast 0.9 R.
- `up and down`, `left and right`: bounces at the walls, at least twice. In all: slow 1.5 R, normal 2 R, fast 2.7 R.

A clip that begins with a given frame (`context` 1) starts anywhere, and a digit that meets a wall rests there
rather than leaving the canvas.

The hold-out is by combination: the pairs (digit, motion) of HELD_OUT are never in the split `train`, and every
digit of a `held_out` clip has such a pair. Its handwriting, too, comes from samples that `train` does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.worlds import Attribute, Described, Pictures, Value, World, check_ranges, digits_language, setting
from storyreel.worlds.attribute_words import attributes_in
from storyreel.worlds.digits_source import glyphs, glyphs_digest

MOTIONS = (
    "up and down", "left and right",  # SyncDRAW's two
    "left then right", "right then left", "up then down", "down then up",  # and GODIVA's four
    "up", "left", "down", "right",  # with MAGE's four
)  # fmt: skip
HELD_OUT = frozenset(
    (digit, motion) for digit in range(10) for number, motion in enumerate(MOTIONS) if (3 * digit + number) % 5 == 2
)
"""Two motions of each digit and two digits of each motion; (9, "down then up") is the paper's own."""

AXIS = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}  # coordinate (x, y) and sign
ONE_WAY = {"slow": 0.3, "normal": 0.55, "fast": 0.9}  # of the free range
BOUNCING = {"slow": 1.5, "normal": 2.0, "fast": 2.7}
SPEEDS = tuple(ONE_WAY)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Makes clips of the world.

    frames: the papers have 10 to 20. carried: such clips (row field `context` = 1) begin anywhere; from these a model
    learns to continue a story. captions: the first is in the papers' words.
    """

    size: int = setting(64, "Canvas, pixels.")
    frames: int = setting(10, "Frames a clip.")
    fps: Fraction = setting(Fraction(8), "Frames a second, such as 8 or 30000/1001.")
    digits: str = setting("both", "Digits a clip: 1, 2 (always different ones) or both.")
    doubles: float = setting(0.5, "Share of clips with two digits, where there are both.", before=0.5)
    mnist: Path | None = setting(None, "Folder of MNIST's IDX files, in place of the samples.", folder=True)
    held_out_share: float = setting(0.0, "Share of clips of held-out combinations.")
    carried: float = setting(0.0, "Share of clips that begin with a given frame.")
    captions: int = setting(2, "Captions a clip.")
    alone: float = setting(
        0.0, "Share of the captions of two digits, after the first, that tell one of them.", before=0.0
    )

    def __post_init__(self) -> None:
        check_ranges(self, min_frames=8)
        if not 0 <= self.doubles <= 1:
            raise ValueError(f"doubles: expected 0 to 1, got {self.doubles}")
        if not 0 <= self.alone <= 1:
            raise ValueError(f"alone: expected 0 to 1, got {self.alone}")
        if self.digits not in ("1", "2", "both"):
            raise ValueError(f"digits: expected 1, 2 or both, got {self.digits!r}")
        if self.digits != "both" and self.doubles != 0.5:
            raise ValueError(f"doubles: expected digits both, got {self.digits}")
        if self.mnist is not None:
            glyphs(self._mnist, self.side)  # a folder that is not MNIST is told at once

    def fingerprint(self) -> str:
        """Hex digest of the pictures that clips are drawn from."""
        return glyphs_digest(self._mnist, self.side)

    @property
    def side(self) -> int:
        """Of a digit's box, pixels."""
        return round(self.size * 28 / 64)

    @property
    def _mnist(self) -> str | None:
        return None if self.mnist is None else str(self.mnist)

    def make(self, seed: int, index: int, split: str | None = None) -> tuple[Clip, dict[str, Any]]:
        """Clip `index` of this seed and its row: captions, what each mentions, split, context, attributes.

        Attributes: `digits`, `motions` and `speeds`, one of each per digit, and `centres`, for each digit and frame
        the (x, y) of the middle of its box in pixels, (0, 0) being the middle of the top left pixel.
        `split` asks for that split instead of leaving it to `held_out_share`.
        """
        rng = np.random.default_rng([seed, index])
        drawn = "held_out" if rng.random() < self.held_out_share else "train"
        split = split or drawn
        if split not in ("train", "held_out"):
            raise ValueError(f"split: expected train or held_out, got {split!r}")
        count = self._count(rng)
        pairs = _draw_pairs(rng, count, split)
        speeds = [str(rng.choice(SPEEDS)) for _ in pairs]
        carried = bool(rng.random() < self.carried)

        corners = self._apart([(motion, speed) for (_, motion), speed in zip(pairs, speeds, strict=True)], carried, rng)
        canvas = np.zeros((self.frames, self.size, self.size), np.uint8)
        for (digit, _), path in zip(pairs, corners, strict=True):
            samples = glyphs(self._mnist, self.side)[split][digit]
            glyph = samples[rng.integers(len(samples))]
            for frame, (x, y) in zip(canvas, path, strict=True):
                box = frame[y : y + self.side, x : x + self.side]
                np.maximum(box, glyph, out=box)
        centres = (corners + (self.side - 1) / 2).tolist()
        digits, motions = [d for d, _ in pairs], [m for _, m in pairs]
        captions = [self._caption(i, digits, motions, speeds, rng) for i in range(self.captions)]
        row = {
            "caption": captions[0][0],
            "captions": [text for text, _ in captions],
            "mentions": [list(mentioned) for _, mentioned in captions],
            "attributes": {"digits": digits, "motions": motions, "speeds": speeds, "centres": centres},
            "context": int(carried),
            "split": split,
        }
        return Clip(np.repeat(canvas[..., None], 3, axis=-1), self.fps, captions[0][0]), row

    def _caption(
        self, number: int, digits: list[int], motions: list[str], speeds: list[str], rng: np.random.Generator
    ) -> tuple[str, tuple[str, ...]]:
        if self.alone and number and len(digits) == 2 and rng.random() < self.alone:
            return digits_language.one_of_two(digits, motions, speeds, rng)
        return digits_language.caption(digits, motions, speeds, rng, full=number == 0)

    def _count(self, rng: np.random.Generator) -> int:
        if self.digits != "both":
            return int(self.digits)
        if self.doubles == 0.5:
            return int(rng.integers(1, 3))  # as before there was a choice, so that older datasets grow as they are
        return 2 if rng.random() < self.doubles else 1

    @staticmethod
    def say(rng: np.random.Generator) -> Iterator[str]:
        """A caption of digits that are not drawn."""
        digits = rng.permutation(10)[: int(rng.integers(1, 3))].tolist()
        motions, speeds = (rng.choice(names, len(digits)).tolist() for names in (MOTIONS, SPEEDS))
        yield digits_language.caption(digits, motions, speeds, rng)[0]

    def _apart(self, moves: list[tuple[str, str]], carried: bool, rng: np.random.Generator) -> np.ndarray:
        """int (digits, frames, 2): paths such that two digits are seen apart in half of the frames."""
        best, most = None, -1.0
        for _ in range(50):
            paths = np.stack([self._corners(motion, speed, carried, rng) for motion, speed in moves])
            gap = np.abs(paths[0] - paths[-1]).max(axis=1)
            apart = 1.0 if len(moves) == 1 else float((gap >= 0.6 * self.side).mean())
            if apart > most:
                best, most = paths, apart
            if apart >= 0.5:
                break
        assert best is not None
        return best

    def _corners(self, motion: str, speed: str, carried: bool, rng: np.random.Generator) -> np.ndarray:
        """int (frames, 2): x and y of the top left corner of the box in each frame."""
        free = self.size - self.side
        axis, sign = AXIS[motion.split()[0]]
        time = np.linspace(0, 1, self.frames)
        if " and " in motion:
            moved = _bouncing(time, BOUNCING[speed], rng, None if not carried else rng.random())
        else:
            length = ONE_WAY[speed]
            shape = 1 - np.abs(2 * time - 1) if " then " in motion else time
            room = 1.0 if carried else 1 - length
            start = rng.random() * room  # before the digit moves away from here, in its own direction
            moved = np.clip(start + shape * length, 0, 1)
            moved = moved if sign > 0 else 1 - moved
        where = np.full((self.frames, 2), rng.random())
        where[:, axis] = moved
        return np.floor(where * free + 0.5).astype(np.int64)


def _bouncing(time: np.ndarray, path: float, rng: np.random.Generator, start: float | None) -> np.ndarray:
    """Positions in [0, 1] of a walk of length `path` that turns at 0 and 1, at least twice unless `start` is given."""
    first = rng.uniform(0.1, min(1.0, path - 1.15)) if start is None else start  # the way to the first wall
    phase = (1 - first + path * time) % 2
    position = np.minimum(phase, 2 - phase)
    return position if rng.random() < 0.5 else 1 - position


def _draw_pairs(rng: np.random.Generator, count: int, split: str) -> list[tuple[int, str]]:
    """Different digits, each with a motion, all from the pairs of this split."""
    pairs = []
    for digit in rng.permutation(10)[:count].tolist():
        motions = [m for m in MOTIONS if ((digit, m) in HELD_OUT) == (split == "held_out")]
        pairs.append((digit, motions[rng.integers(len(motions))]))
    return pairs


def describe(key: Sequence[int], split: str, phrasing: str) -> Described:
    """The caption of a clip of this split, in the papers' words."""
    clip, row = Digits(captions=1).make(sum(key[:2]), key[-1], split)
    return Described(row["caption"], {n: row["attributes"][n] for n in row["mentions"][0]}, lambda _: clip)


ATTRIBUTES = {
    "digits": Attribute(
        values={str(n): Value(words=(str(n), name)) for n, name in enumerate(digits_language.NAMES)}, judged=False
    ),
    "motions": Attribute(
        values={
            motion: Value(words=digits_language.PHRASES[motion], weight=1.0, phrase=f"moving {motion}")
            for motion in MOTIONS
        },
        judged=False,
    ),
    "speeds": Attribute(
        values={speed: Value(words=phrases) for speed, phrases in digits_language.SPEEDS.items()}, judged=False
    ),
}


def read(prompt: str) -> dict[str, str]:
    """Attribute -> the value that the prompt says, a motion in whatever words."""
    found = attributes_in(prompt, ATTRIBUTES)
    motion, *_ = digits_language.expected(prompt).get("motions") or [found.get("motions")]
    motion = motion or digits_language.motion_of(prompt)
    return found | ({"motions": motion} if motion else {})


WORLD = World(
    name="digits",
    maker=Digits,
    attributes=ATTRIBUTES,
    say=Digits.say,
    describe=describe,
    read=read,
    reworded=digits_language.reworded,
    sentences=digits_language.sentences,
    expected=digits_language.expected,
    licence="Licence: Apache-2.0.",
    pictures=Pictures(name="MNIST's IDX files"),
)
