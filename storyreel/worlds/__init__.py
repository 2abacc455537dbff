"""Worlds: datasets that are made, not downloaded. Each is one declaration, `WORLD`, in a module of this folder.

A module whose name has no underscore is a world of that name; its parts lie beside it (`sprites_parts`). What the
command line, queries (`--data "digits:?clips=100&size=32"`), judges, encoders, leaderboards and cards know of a world
is derived from its declaration.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from storyreel.wording import suggestion

if TYPE_CHECKING:
    import numpy as np

    from storyreel.clip import Clip
    from storyreel.worlds.garment_dye import Dye
    from storyreel.worlds.sheet_layout import SheetLayout


class ClipMaker(Protocol):
    """A frozen, picklable dataclass; its fields are its settings (`setting`), and what it makes depends on them and
    (seed, index) alone. `fingerprint()`, where it has one, is a digest of the pictures that it draws from."""

    def make(self, seed: int, index: int) -> tuple[Clip, dict[str, Any]]:
        """Clip `index` and its row (`caption`, `captions`, `mentions`, `split`, `attributes`, `context`)."""
        ...


def setting(default: Any = MISSING, about: str = "", *, before: Any = None, folder: bool = False) -> Any:
    """A field of a `ClipMaker`. about: help text. folder: where the world's pictures lie, in `Pictures` of the world.

    before: the value in datasets that were made before there was this setting; None where there always was.
    """
    return field(default=default, metadata={"about": about, "before": before, "folder": folder})


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value of an attribute. words: what says it in a prompt, the commonest first. implied_by: what goes with it.

    weight, phrase: how often it is drawn where a prompt leaves the attribute open, and what is then added to the text.
    near: words for what the world does not have, to which this value comes nearest.
    """

    words: tuple[str, ...]
    implied_by: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    weight: float = 0.0
    phrase: str = ""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """Something that clips show and prompts say. judged: a judge learns it. fixed_by: values of other attributes with
    which there is no choice."""

    values: Mapping[str, Value]
    judged: bool = True
    fixed_by: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a model's card; `from_json` reads it."""
        values = {name: {k: v for k, v in vars(value).items() if v} for name, value in self.values.items()}
        return {"fixed_by": list(self.fixed_by), "values": values}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Attribute:
        """From a card, which may be a stranger's: what is no text or number counts as not there."""
        values: dict[str, Value] = {}
        found = saved.get("values")
        for name, value in found.items() if isinstance(found, dict) else ():
            if isinstance(value, dict):
                weight, phrase = value.get("weight", 0), value.get("phrase", "")
                values[str(name)] = Value(
                    words=_texts(value.get("words")),
                    implied_by=_texts(value.get("implied_by")),
                    near=_texts(value.get("near")),
                    weight=float(weight) if isinstance(weight, (int, float)) and 0 <= weight < 1e6 else 0.0,
                    phrase=phrase[:200] if isinstance(phrase, str) else "",
                )
        return cls(values=values, fixed_by=_texts(saved.get("fixed_by")))


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures that clips are drawn from, in a folder of the user's.

    url: an archive of them; marker, size: a picture in it, and its width and height. pack: writes those that are drawn
    from into an archive; how many files.
    """

    name: str
    licence: str = ""
    url: str = ""
    marker: str = ""
    size: tuple[int, int] = (0, 0)
    pack: Callable[[Path, Path], int] | None = None


class DrawnOver(typing.Protocol):
    """What is drawn over the frames of one action from its beginning on, uint8 (f, h, w, c) -> (f, h, w or more, c)."""

    @property
    def kind(self) -> str: ...

    def __call__(self, frames: np.ndarray) -> np.ndarray: ...


class NamedAndDrawnOver(DrawnOver, typing.Protocol):
    @property
    def phrase(self) -> str:
        """The words of the prompt that say it; "" where it goes with others."""
        ...


class Described(typing.NamedTuple):
    """A prompt, what its clip shows of what it says, and the real clip (None without the folder of the pictures)."""

    prompt: str
    shows: dict[str, Any]
    real: Callable[[Path | None], Clip | None]


@dataclass(frozen=True, kw_only=True)
class World:
    """All that is to be said of a world.

    maker: class of `ClipMaker`. say: captions of a clip that is not drawn. describe: (random numbers' key, split,
    phrasing) -> a prompt; phrasings: how those may be worded, the plain one first. licence: of models and judges that
    learn from it, a sentence for cards. palette: file of its colors, six hex digits each, and the side of its clips.
    channels: of its clips, 4 where they have a matte.
    read: a prompt -> the attributes that it says, with their values. implied: what goes with that and is not said.
    lacking: a prompt -> phrases for what the world has not -> what is read in their place.
    stands: a prompt -> whether it says that somebody stands and does nothing else: `sheet` has the frame that shows it.
    reworded: a prompt -> what it says of few things in words that captions have, where it has others; or the prompt.
    complete: attributes, random numbers, whether the likeliest is wanted -> what else a clip of these may show.
    drawable: attributes -> those of them that its clips can show together, or what comes nearest.
    dyed: a prompt, attributes -> these with garments in a color that is drawn, and how they are dyed in that which the
    prompt says and no clip has; of its own result it gives the same.
    eyes: frames of one action from its beginning on, uint8 (f, h, w, c), attributes -> where eyes are, bool (f, h, w).
    bearded: frames of one action from its beginning on, uint8 (f, h, w, c), attributes, the prompt -> the same with the
    facial hair that these name, which its models leave out.
    mended: frames, attributes and the prompt as for `bearded` -> the same, with what models lose, or never saw.
    added: a prompt -> its words that name no attribute, and that `mended` knows.
    mirrored: a prompt, attributes -> these as its models draw them best, and whether the clip is mirrored then; of
    its own result it gives the same.
    shown_best: a prompt, attributes -> these as most is seen of the weapon that the prompt says.
    armed: a prompt, attributes -> these with the weapon that its models draw best, and what draws the one that the
    prompt says over it, or None; of its own result it gives the same.
    topped: a prompt, attributes -> these without headgear that its models draw badly, and what draws it onto heads, or
    None; of its own result it gives the same.
    sentences: a prompt -> what it says, a sentence for each thing that its captions also say alone; or the prompt.
    expected: a prompt -> the things that are to be there, as the world's judge finds them; nothing if it names none.
    caption: attributes, random numbers -> a caption in the commonest words of its captions.
    views: the attributes of somebody -> those that are seen from each side, as a turn from the `facing` on shows them.
    cut: weapons that the edge of its pictures cuts, of the attribute `weapon`.
    sheet: how a sheet of one of its characters is laid out. credits: a text that names who made its pictures. page:
    what `web/page/prompts.js` reads and restates prompts with, as JSON.
    """

    name: str
    maker: type[Any]
    attributes: Mapping[str, Attribute]
    say: Callable[[np.random.Generator], Iterator[str]]
    describe: Callable[[Sequence[int], str, str], Described]
    licence: str
    phrasings: tuple[str, ...] = ("plain",)
    pictures: Pictures | None = None
    palette: tuple[Path, int] | None = None
    channels: int = 3
    read: Callable[[str], Mapping[str, str]] | None = None
    implied: Callable[[str, Mapping[str, str]], Mapping[str, str]] | None = None
    lacking: Callable[[str], Mapping[str, str]] | None = None
    stands: Callable[[str], bool] | None = None
    reworded: Callable[[str], str] | None = None
    complete: Callable[[Mapping[str, str], np.random.Generator, bool], Mapping[str, str]] | None = None
    drawable: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None
    dyed: Callable[[str, Mapping[str, str]], tuple[Mapping[str, str], Sequence[Dye]]] | None = None
    eyes: Callable[[np.ndarray, Mapping[str, str]], np.ndarray] | None = None
    bearded: Callable[[np.ndarray, Mapping[str, str], str], np.ndarray] | None = None
    mended: Callable[[np.ndarray, Mapping[str, str], str], np.ndarray] | None = None
    added: Callable[[str], Collection[str]] | None = None
    mirrored: Callable[[str, Mapping[str, str]], tuple[Mapping[str, str], bool]] | None = None
    shown_best: Callable[[str, Mapping[str, str]], Mapping[str, str]] | None = None
    armed: Callable[[str, Mapping[str, str]], tuple[Mapping[str, str], DrawnOver | None]] | None = None
    topped: Callable[[str, Mapping[str, str]], tuple[Mapping[str, str], NamedAndDrawnOver | None]] | None = None
    caption: Callable[[Mapping[str, str], np.random.Generator], str] | None = None
    views: Callable[[Mapping[str, str]], Sequence[Mapping[str, str]]] | None = None
    sentences: Callable[[str], Sequence[str]] | None = None
    expected: Callable[[str], Mapping[str, Sequence[str]]] | None = None
    cut: tuple[str, ...] = ()
    sheet: SheetLayout | None = None
    page: Callable[[], dict[str, Any]] | None = None
    credits: Path | None = None

    @property
    def judged(self) -> tuple[str, ...]:
        return tuple(name for name, attribute in self.attributes.items() if attribute.judged)

    @property
    def folder(self) -> Field[Any] | None:
        """The setting that says where its pictures lie."""
        return next((f for f in fields(self.maker) if f.metadata.get("folder")), None)

    @property
    def needs_folder(self) -> bool:
        return self.folder is not None and self.folder.default is MISSING

    @property
    def settings(self) -> dict[str, Field[Any]]:
        """By name, without the folder."""
        return {f.name: f for f in fields(self.maker) if not f.metadata.get("folder")}

    @property
    def types(self) -> dict[str, type]:
        """Setting -> its type."""
        hints = typing.get_type_hints(self.maker)
        return {name: hints[name] for name in self.settings}

    def make(self, folder: str | Path | None, settings: Mapping[str, Any]) -> ClipMaker:
        """The maker with these settings; those given as text are parsed.

        ValueError names an unknown setting with the nearest known one, a value that cannot be read or is out of range,
        or the folder that is missing.
        """
        types = self.types
        for name in settings:
            check_known(name, types, f"the world {self.name}")
        values = {name: _parsed(name, types[name], value) for name, value in settings.items()}
        if folder is not None and self.folder is None:
            raise ValueError(f"the world {self.name} has no folder of pictures, got {folder}")
        if folder is None and self.needs_folder:
            raise ValueError(f"the world {self.name}: expected the folder of {self.pictures_name}")
        if folder is not None and self.folder is not None:
            values[self.folder.name] = Path(folder)
        return self.maker(**values)

    def commonest_colors(self, count: int) -> str:
        """Of its palette, six hex digits each; "" where it has none."""
        file, _ = self.palette or (None, 0)
        return "" if file is None else " ".join(file.read_text(encoding="ascii").split()[:count])

    @property
    def pictures_name(self) -> str:
        return self.pictures.name if self.pictures else "its pictures"


def code_of(kind: type) -> list[Path]:
    """The files of the world whose maker this is, sorted: its module, those beside it whose names begin with its name
    (.py and .json), and the parts that it shares with other worlds, which are what these import from this folder."""
    file = Path(inspect.getfile(kind))
    found = {f for ending in ("py", "json") for f in file.parent.glob(f"{file.stem}*.{ending}")}
    todo = sorted(found)
    while todo:
        each = todo.pop()
        for name in _imported(each) if each.suffix == ".py" else ():
            part = each.parent / f"{name}.py"
            if "_" in name.strip("_") and part not in found and part.is_file():
                found.add(part)
                todo.append(part)
    return sorted(found)


def _imported(file: Path) -> Iterator[str]:
    """The modules of this folder that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == __name__:
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{__name__}."):
            yield str(node.module).removeprefix(f"{__name__}.")


def names() -> list[str]:
    """Of all worlds, sorted; imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if "_" not in module.name)


def find(name: str) -> World:
    """ValueError names the nearest world."""
    if name not in names():
        raise ValueError(f"no world {name!r}; {suggestion(name, names())}")
    return importlib.import_module(f"{__name__}.{name}").WORLD


def named_in(*texts: str) -> str:
    """The first world whose name is a word of one of these names, such as `phenaki-sprites`; "" where there is none."""
    words = {word for text in texts for word in re.split(r"[^a-z0-9]+", text.lower())}
    return next((name for name in names() if name in words), "")


def check_known(name: str, known: Collection[str], what: str) -> None:
    """ValueError names the nearest known setting."""
    if name not in known:
        raise ValueError(f"{what} has no setting {name!r}; {suggestion(name, known, 'it has')}")


def check_ranges(maker: Any, *, min_frames: int = 1, max_frames: int = 256, min_size: int = 16) -> None:
    """ValueError names the first of the settings that all worlds share which is out of range."""
    for name, low, high in (("size", min_size, 256), ("frames", min_frames, max_frames), ("captions", 1, 64)):
        if not low <= getattr(maker, name) <= high:
            raise ValueError(f"{name}: expected {low} to {high}, got {getattr(maker, name)}")
    for name in ("held_out_share", "carried"):
        if not 0 <= getattr(maker, name) <= 1:
            raise ValueError(f"{name}: expected 0 to 1, got {getattr(maker, name)}")
    if not 0 < maker.fps <= 240:
        raise ValueError(f"fps: expected more than 0 and at most 240, got {maker.fps}")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, (list, tuple)) else ()


def _parsed(name: str, kind: Any, value: Any) -> Any:
    if not isinstance(value, str) or kind is str:
        return value
    if kind is bool:
        if value not in ("true", "false"):
            raise ValueError(f"{name}: expected true or false, got {value!r}")
        return value == "true"
    try:
        return kind(value)
    except (ValueError, ZeroDivisionError):
        words = {int: "a whole number", float: "a number", Fraction: "a number such as 8 or 30000/1001"}
        raise ValueError(f"{name}: expected {words[kind]}, got {value!r}") from None
