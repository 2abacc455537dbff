"""What a person may ask of a generation: the only list of its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from storyreel.field_ranges import Range
from storyreel.names import expanded, is_bare
from storyreel.numbers import frame_rate, shown, whole
from storyreel.options.declare import ConflictError, Options, Setting, layered
from storyreel.options.input_clip import INPUTS, InputClip
from storyreel.options.lora import Lora
from storyreel.options.step_cache import read_step_cache
from storyreel.options.story import Story, check_story, read_story

MAX_FRAMES = MAX_COUNT = 100_000
MAX_SIDE = 65_536  # pixels
MAX_START = 1_000_000  # seconds
MAX_SEED = 2**63 - 1
OWN_DURATIONS = {
    "story": "a story's parts have their own durations; leave it out",
    "interpolate": "the result is as long as the video that frames are put between; leave it out",
}
LENGTH, INPUT, CASCADE = "Length and speed", "Pictures and clips to start from", "Cascades and candidates"


def _prompt(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a sentence, got {type(value).__name__}")
    return value.strip()


def _fps(value: Any, name: str) -> Fraction:
    try:
        return frame_rate(value)
    except ValueError:
        example = "above 0 and at most 1000, such as 8 or 30000/1001"
        raise ValueError(f"{name}: expected a frame rate {example}, got {shown(value)}") from None


def _size(value: Any, name: str) -> tuple[int, int]:
    sides = value.lower().split("x") if isinstance(value, str) else value
    try:
        width, height = (whole(side, name, 1, MAX_SIDE) for side in sides)
    except (ValueError, TypeError):
        raise ValueError(f"{name}: expected width and height, such as 1280x768, got {shown(value)}") from None
    return width, height


def _encoder_note(encoder: str) -> str:
    """What metadata says of an encoder: its name, of a folder without the path."""
    kind, _, where = encoder.partition(":")
    if kind in ("clip", "siglip") and where:
        return f"{kind}:{Path(where).resolve().name if expanded(where).is_dir() else where}"
    return encoder if is_bare(encoder) else Path(encoder).resolve().name


def _input(help: str, **more: Any) -> Setting:
    """A picture or a clip: a file on the command line, its pixels or their digest in metadata."""
    return Setting(help, panel=INPUT, read=InputClip.read, write=InputClip.note, text=Path, **more)


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(Options):
    """Settings of one video, checked. What is left out is the model's to decide."""

    prompt: Annotated[
        str,
        Setting(
            "What the video shows.",
            argument=True,
            read=_prompt,
            excludes={"story": "a story has its own prompts; expected one of the two"},
        ),
    ] = ""
    story: Annotated[
        Story,
        Setting(
            'File with lines such as "3s: a prompt".',
            read=lambda value, name: read_story(value) if isinstance(value, Path) else check_story(value),
            write=lambda story: [list(part) for part in story],
            text=Path,
        ),
    ] = ()
    frames: Annotated[
        int | None, Range(1, MAX_FRAMES), Setting("Length in frames.", panel=LENGTH, excludes=OWN_DURATIONS)
    ] = None
    seconds: Annotated[
        float | None,
        Range(0, MAX_FRAMES, above=True),
        Setting("Length in seconds.", panel=LENGTH, replaces="frames", excludes=OWN_DURATIONS),
    ] = None
    start: Annotated[
        float | None,
        Range(0, MAX_START),
        Setting("Seconds into the video to begin at, of a model whose videos have no end.", panel=LENGTH),
    ] = None
    fps: Annotated[
        Fraction | None,
        Setting("Frames a second, such as 8 or 30000/1001.", panel=LENGTH, read=_fps, write=str, text=str),
    ] = None
    steps: Annotated[
        int | None, Range(1, 10_000), Setting("Sampling steps; more is slower and often better.", panel=LENGTH)
    ] = None
    guidance: Annotated[
        float | None, Range(0, 1_000), Setting("How strongly the prompt steers; 1 for not at all.", panel=LENGTH)
    ] = None
    reuse: Annotated[
        int | None,
        Range(2, 100),
        Setting(
            "Run the whole network only once in so many steps, of a model that can: faster and coarser.", panel=LENGTH
        ),
    ] = None
    image: Annotated[InputClip | None, _input("A picture to start from.")] = None
    image_end: Annotated[
        InputClip | None,
        _input("A picture to end with.", needs=("image",), lacks="expected an image to begin with as well"),
    ] = None
    extend: Annotated[InputClip | None, _input("A video to go on from.", excludes=("image",))] = None
    backward: Annotated[
        bool,
        Setting(
            "What comes before --image or --extend.",
            panel=INPUT,
            needs=("image", "extend"),
            lacks="expected an image or a clip to extend as well",
            excludes={"image_end": "expected an image or a clip to extend, and no image to end with"},
        ),
    ] = False
    variation: Annotated[
        InputClip | None, _input("A video to make another one like.", excludes=("image", "extend"))
    ] = None
    interpolate: Annotated[
        InputClip | None,
        _input("A video to put frames between, of a model that does it.", excludes=("image", "extend", "variation")),
    ] = None
    negative: Annotated[
        str | None, Setting("What the video should not show, of a model of the hub that reads it.", read=_prompt)
    ] = None
    motion: Annotated[
        int | None,
        Range(0, 255),
        Setting("How much moves, 0 to 255: 0 least, 127 as usual, of a model that reads it.", panel=LENGTH),
    ] = None
    fit: Annotated[
        Literal["crop", "pad"] | None,
        Setting(
            "Pictures of another aspect: crop or pad; crop by default.",
            panel=INPUT,
            needs=INPUTS,
            lacks="there is no picture to fit; expected image, extend or variation as well",
        ),
    ] = None
    transparent: Annotated[bool, Setting("Nothing behind the figure.")] = False
    loop: Annotated[
        bool, Setting("Cut it where its end leads back to its beginning; play it there and back where no cut does.")
    ] = False
    stage: Annotated[str | None, Setting("Stop after this stage of a cascade: a smaller video.", panel=CASCADE)] = None
    size: Annotated[
        tuple[int, int] | None,
        Setting(
            "Width and height, such as 1280x768, of a cascade or a model of the hub.",
            panel=CASCADE,
            read=_size,
            write=lambda size: "x".join(map(str, size)),
            text=str,
        ),
    ] = None
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"] | None,
        Setting(
            "Numbers of a model of the hub: fp32, bf16 or fp16.  [default: fp32 on a CPU, else what suits the model]",
            panel=CASCADE,
        ),
    ] = None
    lora: Annotated[
        tuple[Lora, ...],
        Setting(
            "LoRA file of a model of the hub, safetensors, and its weight; may be repeated.",
            metavar="FILE[:WEIGHT]",
            panel=CASCADE,
            each=Lora.read,
            write=lambda files: [file.note() for file in files],
            text=str,
        ),
    ] = ()
    tiling: Annotated[
        bool, Setting("Decode in tiles, of a model of the hub: less memory; seams may be seen.", panel=CASCADE)
    ] = False
    layerwise: Annotated[
        bool,
        Setting(
            "Keep the weights of a model of the hub in 8 bits (layerwise casting): half the memory, somewhat coarser.",
            panel=CASCADE,
        ),
    ] = False
    step_cache: Annotated[
        str | None,
        Setting(
            "What a model of the hub reuses between steps: first-block, taylorseer or pab, and its number; faster and "
            "coarser.",
            metavar="KIND[:NUMBER]",
            panel=CASCADE,
            read=read_step_cache,
        ),
    ] = None
    candidates: Annotated[
        int | None,
        Range(1, 1_024),
        Setting(
            "Make so many of each video, and keep the one that shows the prompt best.  [default: 4 of a prompt alone, "
            "where a model makes them together and its world has a judge that ranks; else 1]",
            panel=CASCADE,
        ),
    ] = None
    encoder: Annotated[
        str | None,
        Setting(
            "What ranks candidates: sprites, digits, clip-vit-b-32, clip:ORG/NAME, siglip:ORG/NAME, a folder.",
            panel=CASCADE,
            read=lambda value, name: str(value),
            write=_encoder_note,
            needs=("candidates",),
            lacks="there is nothing to rank; expected candidates as well, such as 8",
        ),
    ] = None
    crisp: Annotated[
        bool | None, Setting("Pixel art: colors of the palette, no specks; crisp by default.", panel=CASCADE)
    ] = None
    retouch: Annotated[
        bool,
        Setting(
            "Draw what a prompt says and models of sprites leave out, as weapons and hats, and dye garments.",
            panel=CASCADE,
        ),
    ] = True
    as_written: Annotated[
        bool,
        Setting(
            "The prompt as it is: not restated in words that the model knows, and nothing that it leaves open is drawn."
        ),
    ] = False
    defaulted: frozenset[str] = frozenset()
    """Settings that hold what a model chose by itself when it made the file that they were read from."""

    def check(self) -> None:
        if self.encoder is not None and self.candidates == 1:
            raise ConflictError("encoder", "there is nothing to rank; expected more candidates, such as 8")
        if self.candidates not in (None, 1) and not self.prompt and not self.story:
            raise ConflictError("candidates", "there is no prompt to rank them by")

    def with_candidates(self, count: int) -> Self:
        """These with `count` candidates where it is not set and a prompt alone says what the video shows."""
        more = ("story", "candidates", *INPUTS)
        if count == 1 or not self.prompt or any(self.is_set(name) for name in more):
            return self
        return replace(self, candidates=count)

    def check_prompt(self) -> Self:
        """ValueError where nothing says what the video is to show."""
        if not any(self.is_set(name) for name in ("prompt", "story", "image", "extend", "variation", "interpolate")):
            raise ValueError("prompt: it is empty; expected a sentence")
        return self

    @property
    def prompts(self) -> list[str]:
        return [prompt for prompt, _ in self.story] or [self.prompt]

    @property
    def caption(self) -> str:
        return ", then ".join(self.prompts)

    @property
    def files(self) -> list[str]:
        """The files that it was read from."""
        clips = [getattr(self, name) for name in INPUTS]
        found = [clip.path for clip in clips if clip is not None and clip.path is not None]
        return found + [file.path for file in self.lora]

    def resolve(self, default_fps: Fraction) -> Self:
        """`seconds` as frames, at the frame rate that was set, or else at the model's own."""
        if self.seconds is None:
            return self
        frames = max(1, round(self.seconds * (self.fps or default_fps)))
        if frames > MAX_FRAMES:
            raise ValueError(f"seconds: {self.seconds} are {frames} frames; expected at most {MAX_FRAMES}")
        return replace(self, frames=frames, seconds=None)

    def as_json(self) -> dict[str, Any]:
        """The settings that were set, as JSON values. Equal options give equal values; `from_json` reads them."""
        out = {name: value for name, value in super().as_json().items() if name not in self.defaulted}
        return out if self.story else {"prompt": self.prompt, **out}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Self:
        """What `as_json` gave, with some settings changed. ValueError when it is something else.

        `value` may come from a stranger's file: nothing in it is taken for a path of this machine.
        """
        changes = {name: item for name, item in (changes or {}).items() if item is not None}
        value = {name: item for name, item in value.items() if name not in changes}
        for name in INPUTS:
            if value.get(name) is not None:
                value[name] = InputClip.from_note(value[name], name)
        if value.get("lora") is not None and not all(isinstance(note, dict) for note in value["lora"]):
            raise ValueError("lora: the metadata names a path, which is not opened; give it with --lora")
        encoder = value.get("encoder")
        if encoder is not None and (not is_bare(encoder) or ":" in encoder):
            what = "a folder or an encoder of the hub"
            raise ValueError(f"encoder: the metadata names {what}, which is not opened; give it with --encoder")
        return cls.of(layered(cls, value, changes))


def check_seed(seed: Any) -> int:
    """ValueError unless it is a whole number from 0 to 2^63 - 1."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed: expected a whole number from 0 to {MAX_SEED}, got {shown(seed)}")
    return seed
