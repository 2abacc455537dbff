"""What worlds of scenes have in common: their settings, and how a drawn scene becomes a clip with its row."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol

import numpy as np

from storyreel.clip import Clip
from storyreel.wording import suggestion
from storyreel.worlds import Described, check_ranges, setting
from storyreel.worlds.scene_grammar import Grammar, finished

MAX_FRAMES = 4096
MAX_DRAWS = 2000  # of a scene, until one shows what all are to show

LICENCE = "Its training clips were drawn by Storyreel and are under CC0 1.0: anyone may use them for anything."


class DrawnScene(Protocol):
    """What is drawn; a frame depends on it and its time alone."""

    @property
    def attributes(self) -> dict[str, str | None]: ...

    def truth(self, times: np.ndarray) -> dict[str, Any]:
        """Numbers that are known at these times (seconds), for the row."""
        ...


@dataclass(frozen=True, kw_only=True)
class SceneMaker:
    """Makes clips of a world. short, partial: shares of captions of one to three attributes, and of some of them."""

    size: int = setting(64, "Canvas, pixels.")
    frames: int = setting(16, "Frames a clip.")
    fps: Fraction = setting(Fraction(8), "Frames a second, such as 8 or 30000/1001.")
    held_out_share: float = setting(0.0, "Share of clips of held-out combinations.")
    carried: float = setting(0.0, "Share of clips that begin with a given frame.")
    captions: int = setting(2, "Captions a clip.")
    partial: float = setting(0.25, "Share of captions that leave things out, of the grammar's.")
    short: float = setting(0.15, "Share of captions of one to three attributes, of the grammar's.")
    only: str = setting("", "What all clips show, such as weather=dry.", before="")

    grammar: ClassVar[Grammar]
    draw: ClassVar[Callable[[np.random.Generator, str], Any]]
    render: ClassVar[Callable[[Any, int, np.ndarray], np.ndarray]]

    def __post_init__(self) -> None:
        check_ranges(self, min_size=64, max_frames=MAX_FRAMES)
        for name in ("partial", "short"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if self.partial + self.short > 1:
            raise ValueError(f"partial + short: expected at most 1, got {self.partial + self.short:g}")
        if any("=" not in part for part in self.only.split(",") if self.only):
            raise ValueError(f"only: expected pairs such as weather=dry,time=dusk, got {self.only!r}")
        if self.only:
            self.scene(0, 0)  # or says what is wrong with it

    def scene(self, seed: int, index: int, split: str | None = None) -> DrawnScene:
        """What clip `index` of this seed shows."""
        return self._drawn(seed, index, split)[0]

    def window(self, seed: int, index: int, start: int, frames: int) -> np.ndarray:
        """uint8 (frames, size, size, 3): frames from `start` on, of clip `index` continued as long as is wished.

        Nothing before them is drawn: a frame depends on (seed, index) and its time alone.
        """
        return type(self).render(self.scene(seed, index), self.size, self._times(start, frames))

    def make(self, seed: int, index: int, split: str | None = None) -> tuple[Clip, dict[str, Any]]:
        """Clip `index` of this seed and its row: captions, what each mentions, attributes, context, split.

        `attributes` has, besides, the numbers that are known of each frame. `split` asks for that split instead of
        leaving it to `held_out_share`.
        """
        scene, split, rng = self._drawn(seed, index, split)
        context = int(rng.random() < self.carried)
        captions = [self._caption(scene.attributes, rng, full=i == 0) for i in range(self.captions)]
        times = self._times(0, self.frames)
        row = {
            "caption": captions[0][0],
            "captions": [text for text, _ in captions],
            "mentions": [list(mentioned) for _, mentioned in captions],
            "attributes": {**scene.attributes, **scene.truth(times)},
            "context": context,
            "split": split,
        }
        return Clip(type(self).render(scene, self.size, times), self.fps, captions[0][0]), row

    @classmethod
    def say(cls, rng: np.random.Generator) -> Iterator[str]:
        """Captions of a scene that is not drawn: a full one and a short one."""
        seen = cls.draw(rng, "train").attributes
        yield caption(cls.grammar, seen, rng, full=True)[0]
        yield caption(cls.grammar, seen, rng, short=1.0)[0]

    @classmethod
    def restated(cls, attributes: Mapping[str, str], rng: np.random.Generator) -> str:
        """A caption that says all of these attributes that one can."""
        return caption(cls.grammar, dict(attributes), rng, full=True)[0]

    @classmethod
    def describe(cls, key: Sequence[int], split: str, phrasing: str) -> Described:
        """A prompt that says all that can be said of a scene of this split, and its clip."""
        maker, seed, index = cls(captions=1), sum(key[:-1]), key[-1]
        row = maker.make(seed, index, split)[1]
        shows = {name: row["attributes"][name] for name in row["mentions"][0]}
        return Described(row["caption"], shows, lambda _: maker.make(seed, index, split)[0])

    def _drawn(self, seed: int, index: int, split: str | None) -> tuple[Any, str, np.random.Generator]:
        rng = np.random.default_rng([seed, index])
        drawn = "held_out" if rng.random() < self.held_out_share else "train"
        split = split or drawn
        if split not in ("train", "held_out"):
            raise ValueError(f"split: expected train or held_out, got {split!r}")
        return self._shown(rng, split), split, rng

    def _shown(self, rng: np.random.Generator, split: str) -> Any:
        """A scene that shows what all are to show. ValueError: it names no attribute, or none shows that."""
        shown = dict(part.strip().split("=", 1) for part in self.only.split(",") if "=" in part)
        seen: dict[str, set[str | None]] = {}
        for _ in range(MAX_DRAWS):
            scene = type(self).draw(rng, split)
            if scene.attributes.items() >= shown.items():
                return scene
            for name in shown:
                if name not in scene.attributes:
                    raise ValueError(f"only: no attribute {name!r}; {suggestion(name, scene.attributes)}")
                seen.setdefault(name, set()).add(scene.attributes[name])
        there = "; ".join(f"{name}={'|'.join(sorted(filter(None, values)))}" for name, values in seen.items())
        raise ValueError(f"only: none of {MAX_DRAWS} scenes ({split}) shows {self.only}; they have {there}")

    def _times(self, start: int, frames: int) -> np.ndarray:
        return np.arange(start, start + frames) / float(self.fps)

    def _caption(
        self, seen: dict[str, str | None], rng: np.random.Generator, *, full: bool
    ) -> tuple[str, tuple[str, ...]]:
        return caption(self.grammar, seen, rng, full=full, partial=self.partial, short=self.short)


def caption(
    grammar: Grammar,
    seen: Mapping[str, str | None],
    rng: np.random.Generator,
    *,
    full: bool = False,
    partial: float = 0.0,
    short: float = 0.0,
) -> tuple[str, tuple[str, ...]]:
    """(a caption of a scene with these attributes, those that it mentions); full: as many as one can say."""
    draw = random.Random(int(rng.integers(2**62)))
    say = sorted(grammar.sayable(seen))
    kind = 1.0 if full else draw.random()
    if kind < short:
        some = set(draw.sample(say, min(len(say), draw.randint(1, 3))))
        text, mentioned = grammar.caption(seen, draw, some, grammar.short)
    else:
        some = {name for name in say if kind >= short + partial or draw.random() < 0.6} or set(say)
        text, mentioned = grammar.caption(seen, draw, some, () if len(some) > 3 else (*grammar.short, *grammar.forms))
    return finished(text, draw), mentioned
