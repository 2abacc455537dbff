"""How videos are made and where they go: what the command line says beside the options of each video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from storyreel.field_ranges import Range
from storyreel.layouts import VIDEO_SUFFIXES as SUFFIXES
from storyreel.numbers import shown
from storyreel.options.declare import ConflictError, Setting
from storyreel.options.generation import MAX_COUNT
from storyreel.options.sheet import GridOptions

OUTPUT, RUNNING = "Where it goes", "How it runs"
STDIO = "-"


def _scale(value: Any, name: str) -> str | int:
    if str(value) == "auto":
        return "auto"
    if str(value).isdecimal() and 1 <= int(value) <= 64:
        return int(value)
    raise ValueError(f"{name}: expected auto or a whole number from 1 to 64, got {shown(value)}")


def _suffix(value: Any, name: str) -> str:
    if (suffix := f".{str(value).lstrip('.').lower()}") not in SUFFIXES:
        raise ValueError(f"{name}: expected one of {' '.join(SUFFIXES)}, got {shown(value)}")
    return suffix


@dataclass(frozen=True, kw_only=True)
class BatchOptions(GridOptions):
    """Which model makes the videos, how many of each prompt, from which file, and into which."""

    out: Annotated[
        str | None,
        Setting(f"File ({' '.join(SUFFIXES)}), folder, or - for stdout.", flags=("--out", "-o"), panel=OUTPUT),
    ] = None
    model: Annotated[
        str | None, Setting("Name or folder; see storyreel models.", flags=("--model", "-m"), panel=RUNNING)
    ] = None
    seed: Annotated[int | None, Setting("Another seed, another video; 0 by default.", panel=RUNNING)] = None
    count: Annotated[int, Range(1, MAX_COUNT), Setting("Videos of each prompt.", panel=RUNNING)] = 1
    prompts: Annotated[Path | None, Setting("A file of prompts: .txt .jsonl .json .csv, or - for stdin.")] = None
    origin: Annotated[Path | None, Setting("Make this file again, from its own metadata.", flags=("--from",))] = None
    format: Annotated[
        str | None, Setting("Suffix of files in a folder; .mp4 by default.", panel=OUTPUT, read=_suffix)
    ] = None
    scale: Annotated[
        str | int | None,
        Setting("Enlarge by a whole factor, or auto; auto by default.", panel=OUTPUT, read=_scale, text=str),
    ] = None
    metadata: Annotated[bool, Setting("Say in the file what made it; metadata by default.", panel=OUTPUT)] = True
    engine: Annotated[Literal["local", "ray"], Setting("local or ray.", panel=RUNNING)] = "local"
    workers: Annotated[
        int | None, Range(1, 10_000), Setting("Processes (local) or tasks (ray) at a time.", panel=RUNNING)
    ] = None
    offload: Annotated[
        Literal["auto", "none", "model", "group"] | None,
        Setting(
            "What of a model of the hub waits outside the GPU: auto, none, model or group.  [default: auto, what fits]",
            panel=RUNNING,
        ),
    ] = None
    text: Annotated[
        Path | None, Setting("Folder of a packed text encoder, of `storyreel models text`.", panel=RUNNING)
    ] = None

    @property
    def to_stdout(self) -> bool:
        return self.out == STDIO

    def check(self) -> None:
        if self.to_stdout and (self.prompts is not None or self.count != 1):
            raise ConflictError("out", "stdout takes one video; expected a folder")
        if self.to_stdout and self.format == ".png":
            raise ConflictError("format", "a .png has a .json beside it, which stdout cannot hold")
