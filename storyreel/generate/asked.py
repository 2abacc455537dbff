"""What a person asks for: checked once, here, whether it comes from Python, the command line or a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from storyreel.clip import Clip
from storyreel.generate.given import GIVEN, Given
from storyreel.generate.story import Story, check_story
from storyreel.names import is_bare
from storyreel.numbers import frame_rate, is_whole, number, shown, whole

if TYPE_CHECKING:
    from storyreel.systems.base import Request

MOST_FRAMES = 100_000
MOST_CANDIDATES = 1_024
LARGEST_SIDE = 65_536  # pixels
LARGEST_SEED = 2**63 - 1


class Settings(TypedDict, total=False):
    """The keyword arguments of a generation; None, or left out, means the model's own default."""

    frames: int | None
    seconds: float | None
    fps: Fraction | float | str | None
    steps: int | None
    guidance: float | None
    image: Given | Clip | str | Path | None
    image_end: Given | Clip | str | Path | None
    extend: Given | Clip | str | Path | None
    backward: bool
    variation: Given | Clip | str | Path | None
    fit: str | None
    story: Sequence[tuple[str, float]] | None
    transparent: bool
    stage: str | None
    size: str | tuple[int, int] | None
    candidates: int | None
    encoder: str | Path | None
    crisp: bool | None


@dataclass(frozen=True)
class Asked:
    """A checked wish. Every field that is None was left to the model."""

    prompt: str = ""
    story: Story = ()
    frames: int | None = None
    seconds: float | None = None
    fps: Fraction | None = None
    steps: int | None = None
    guidance: float | None = None
    image: Given | None = None
    image_end: Given | None = None
    extend: Given | None = None
    backward: bool = False
    variation: Given | None = None
    fit: Literal["crop", "pad"] | None = None
    transparent: bool = False
    stage: str | None = None  # the last one to run, in a cascade
    size: tuple[int, int] | None = None  # width, height
    candidates: int | None = None  # how many to make and rank, the best to be kept
    encoder: str | None = None  # what ranks them: a name or a folder
    crisp: bool | None = None  # whether pixel art is made exact: palette, hard edges, no specks
    chosen: frozenset[str] = frozenset()  # fields that hold what the model chose when it was asked before

    @classmethod
    def of(cls, prompt: str | None, settings: Settings) -> Asked:
        """ValueError names the setting, its value and what was wanted."""
        s: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
        if unknown := sorted(set(s) - {f.name for f in fields(cls)} | set(s) & {"prompt", "chosen"}):
            raise ValueError(
                f"does not know the setting {unknown[0]!r}; there are {', '.join(Settings.__annotations__)}"
            )
        if prompt is not None and not isinstance(prompt, str):
            raise ValueError(f"prompt: wanted a sentence, got {type(prompt).__name__}")
        story = check_story(s["story"]) if "story" in s else ()
        _check_conflicts(prompt, s)
        pictures: dict[str, Any] = {kind: Given.of(s[kind], kind) for kind in GIVEN if kind in s}
        return cls(
            prompt=(prompt or "").strip(),
            story=story,
            frames=_whole("frames", s.get("frames"), MOST_FRAMES),
            seconds=_number("seconds", s.get("seconds"), over=0, most=MOST_FRAMES),
            fps=_fps(s.get("fps")),
            steps=_whole("steps", s.get("steps"), 10_000),
            guidance=_number("guidance", s.get("guidance"), most=1_000),
            **pictures,
            backward=_truth("backward", s.get("backward", False)),
            fit=_fit(s.get("fit")),
            transparent=_truth("transparent", s.get("transparent", False)),
            stage=_word("stage", s.get("stage")),
            size=_size(s.get("size")),
            candidates=_whole("candidates", s.get("candidates"), MOST_CANDIDATES),
            encoder=str(s["encoder"]) if "encoder" in s else None,
            crisp=_truth("crisp", s["crisp"]) if "crisp" in s else None,
        )

    @property
    def prompts(self) -> list[str]:
        return [prompt for prompt, _ in self.story] or [self.prompt]

    @property
    def caption(self) -> str:
        return ", then ".join(self.prompts)

    def request(self, seed: int, index: int, default_fps: Fraction) -> Request:
        """For a system; `seconds` become frames at the wished frame rate, else at the model's own."""
        from storyreel.systems.base import Request

        frames = self.frames
        if self.seconds is not None:
            frames = max(1, round(self.seconds * (self.fps or default_fps)))
            if frames > MOST_FRAMES:
                raise ValueError(f"seconds: {self.seconds} are {frames} frames; wanted at most {MOST_FRAMES}")
        pictures: dict[str, Any] = {kind: given.clip for kind in GIVEN if (given := getattr(self, kind)) is not None}
        return Request(
            prompt=self.prompt,
            story=self.story,
            seed=seed,
            index=index,
            frames=frames,
            fps=self.fps,
            steps=self.steps,
            guidance=self.guidance,
            **pictures,
            backward=self.backward,
            fit=self.fit or "crop",
            transparent=self.transparent,
            stage=self.stage,
            size=self.size,
        )

    @property
    def files(self) -> list[str]:
        """The files that it was given."""
        return [given.path for kind in GIVEN if (given := getattr(self, kind)) is not None and given.path is not None]

    def as_json(self) -> dict[str, Any]:
        """The fields that were set, as JSON values. Equal wishes give equal values; `from_json` gives them back."""
        out: dict[str, Any] = {"story": [list(part) for part in self.story]} if self.story else {"prompt": self.prompt}
        for name in ("frames", "seconds", "steps", "guidance", "stage", "candidates", "crisp"):
            if getattr(self, name) is not None and name not in self.chosen:
                out[name] = getattr(self, name)
        if self.encoder is not None:
            out["encoder"] = self.encoder if is_bare(self.encoder) else Path(self.encoder).resolve().name
        if self.size is not None:
            out["size"] = "x".join(map(str, self.size))
        if self.fps is not None:
            out["fps"] = str(self.fps)
        for name in ("transparent", "backward"):
            if getattr(self, name):
                out[name] = True
        if self.fit is not None:
            out["fit"] = self.fit
        for name in GIVEN:
            if (given := getattr(self, name)) is not None:
                out[name] = given.note()
        return out

    @classmethod
    def from_json(cls, value: dict[str, Any], changes: Settings | None = None) -> Asked:
        """What `as_json` gave, with some settings changed. ValueError when it is something else.

        `value` may come from a stranger's file: nothing in it is taken for a path of this machine.
        """
        settings: dict[str, Any] = {key: item for key, item in value.items() if key != "prompt"}
        changed = {key: item for key, item in (changes or {}).items() if item is not None}
        settings.update(changed)
        if "frames" in changed:
            settings.pop("seconds", None)
        if "seconds" in changed:
            settings.pop("frames", None)
        for kind in GIVEN:
            if kind in settings and kind not in changed:
                settings[kind] = Given.from_note(settings[kind], kind)
        if "encoder" in settings and "encoder" not in changed and not is_bare(settings["encoder"]):
            raise ValueError("encoder: the metadata names a folder, which is not opened; give it with --encoder")
        return cls.of(value.get("prompt"), settings)  # pyright: ignore[reportArgumentType]


def check_seed(seed: Any) -> int:
    """ValueError unless it is a whole number from 0 to 2^63 - 1."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed: wanted a whole number from 0 to {LARGEST_SEED}, got {shown(seed)}")
    return seed


def _check_conflicts(prompt: str | None, s: dict[str, Any]) -> None:
    if "story" in s:
        for other in ("frames", "seconds"):
            if other in s:
                raise ValueError(f"{other}: a story's parts have their own durations; leave it out")
        if prompt:
            raise ValueError("prompt: a story has its own prompts; wanted one of the two")
    elif not (prompt or "").strip():
        if not {"image", "extend", "variation"} & set(s):
            raise ValueError("prompt: it is empty; wanted a sentence")
        if s.get("candidates", 1) != 1:
            raise ValueError("candidates: there is no prompt to rank them by")
    if "frames" in s and "seconds" in s:
        raise ValueError("seconds: frames are given as well; wanted one of the two")
    if "image" in s and "extend" in s:
        raise ValueError("extend: an image is given as well; wanted one of the two")
    if "variation" in s and (other := {"image", "extend"} & set(s)):
        raise ValueError(f"variation: {min(other)} is given as well; wanted one of the two")
    if "image_end" in s and "image" not in s:
        raise ValueError("image_end: wanted an image to begin with as well")
    if s.get("backward") and ("image_end" in s or not {"image", "extend"} & set(s)):
        raise ValueError("backward: wanted an image or a clip to extend, and nothing else")
    if "fit" in s and not set(GIVEN) & set(s):
        raise ValueError("fit: there is no picture to fit; wanted image, extend or variation as well")
    if "encoder" in s and s.get("candidates", 1) == 1:
        raise ValueError("encoder: there is nothing to rank; wanted candidates as well, such as 8")


def _whole(name: str, value: Any, most: int) -> int | None:
    if value is None:
        return None
    if not is_whole(value, 1, most):
        raise ValueError(f"{name}: wanted a whole number from 1 to {most}, got {shown(value)}")
    return value


def _number(name: str, value: Any, *, most: float, over: float | None = None) -> float | None:
    if value is None:
        return None
    wanted = f"a number from 0 to {most:g}" if over is None else f"a number over {over:g}, at most {most:g}"
    try:
        if isinstance(value, str):
            raise ValueError
        return number(value, name, 0 if over is None else over, most, above=over is not None)
    except ValueError:
        raise ValueError(f"{name}: wanted {wanted}, got {shown(value)}") from None


def _fps(value: Any) -> Fraction | None:
    if value is None:
        return None
    try:
        fps = frame_rate(value)
    except ValueError:
        raise ValueError(
            f"fps: wanted a frame rate over 0, at most 1000, such as 8 or 30000/1001, got {shown(value)}"
        ) from None
    return fps


def _fit(value: Any) -> Any:
    if value not in (None, "crop", "pad"):
        raise ValueError(f"fit: wanted crop or pad, got {value!r}")
    return value


def _size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = value.lower().split("x") if isinstance(value, str) else value
    try:
        width, height = (whole(side, "size", 1, LARGEST_SIDE) for side in sides)
    except (ValueError, TypeError):
        raise ValueError(f"size: wanted width and height, such as 1280x768, got {shown(value)}") from None
    return width, height


def _word(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ValueError(f"{name}: wanted a name, got {value!r}")
    return value


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: wanted true or false, got {value!r}")
    return value
