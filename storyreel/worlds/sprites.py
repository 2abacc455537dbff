"""World `sprites`: captioned characters that walk, slash, thrust, cast, shoot and fall.

The pictures are composed from the Liberated Pixel Cup sheets (CC-BY-SA 3.0 / GPL 3.0, see NOTICE), which stay
where they are: `Sprites(source)` reads them from a folder. Clips are 64x64 RGBA with straight alpha. A clip depends
on (seed, index) alone. Combinations for which `held_out` is true appear in the split of that name and nowhere else.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.worlds import (
    Described,
    Pictures,
    World,
    check_ranges,
    setting,
    sprites_captions,
    sprites_language,
    sprites_reader,
)
from storyreel.worlds.sprites_attributes import ATTRIBUTES, JUDGED
from storyreel.worlds.sprites_beards import bearded
from storyreel.worlds.sprites_completion import completed
from storyreel.worlds.sprites_drawable import drawable
from storyreel.worlds.sprites_dyes import dyed
from storyreel.worlds.sprites_extras import words_of_extras
from storyreel.worlds.sprites_figures import eyes
from storyreel.worlds.sprites_hats import topped
from storyreel.worlds.sprites_mends import mended, mirrored
from storyreel.worlds.sprites_parts import (
    ACTIONS,
    BELTS,
    BODIES,
    CAPES,
    EYES,
    FACIAL_HAIR,
    FACINGS,
    FEET,
    HAIR_COLORS,
    HAIR_STYLES,
    HANDS,
    HEADS,
    LAYERS,
    LEGS,
    ROWS,
    TORSOS,
    WEAPONS,
    WITH_EARS,
    Part,
    drawing_at,
)  # fmt: skip
from storyreel.worlds.sprites_poses import ONCE, TURN, after, hide_what_is_covered, sheet_layout, views
from storyreel.worlds.sprites_sheets import check_sheets, pack_sheets, sheets_digest
from storyreel.worlds.sprites_weapons import armed, lacking, shown_best

__all__ = ["JUDGED", "WORLD", "Character", "Sprites", "draw_character", "held_out"]

CELL, OVERSIZE = 64, 192  # pixels of a cell of the sheets, and of those of long weapons
CELLS = (64, 128, 192)
BEARDED = 0.4  # share of men with a beard or a mustache
COMMIT = "2668274d5a96c91584172f2d299b90f0a8c0caac"


@dataclass(frozen=True)
class Character:
    """Who is seen: a sheet for each layer, and what each attribute is called (None where it cannot be seen)."""

    attributes: dict[str, str | None]
    sheets: tuple[tuple[int, str], ...]  # (layer, file)
    weapons: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)  # by action


@dataclass(frozen=True, kw_only=True)
class Sprites:
    """Makes clips of the world.

    carried: such clips (row field `context` = 1) begin with another pose of the same character, after which the
        captioned action goes on. From these a model learns to continue a story.
    captions: the first mentions every attribute that can be seen.
    balance: False draws characters as the first version did; see sprites_balance.
    language: see sprites_language and sprites_captions.
    """

    source: Path = setting(about="Folder of the LPC sheets, the one that holds body/, hair/, ...", folder=True)
    frames: int = setting(8, "Frames a clip; an action's cycle is resampled to them.")
    fps: Fraction = setting(Fraction(8), "Frames a second, such as 8 or 30000/1001.")
    carried: float = setting(0.0, "Share of clips that begin with a given frame.")
    held_out_share: float = setting(0.0, "Share of clips of held-out combinations.")
    captions: int = setting(2, "Captions a clip.")
    balance: bool = setting(True, "Every value of an attribute as often as the others.", before=False)
    language: int = setting(2, "1: captions of sixteen forms, 2: of a grammar.", before=1)
    partial: float = setting(0.15, "Share of captions that leave things out, of the grammar's.", before=0.15)
    short: float = setting(0.12, "Share of captions of one to three attributes, of the grammar's.", before=0.12)
    turnaround: bool = setting(False, "One pose, seen from all sides: the frames of a clip are a turn.", before=False)
    facing: str = setting("", f"Only clips seen from this side: {', '.join(TURN)}.", before="")
    bearded: float = setting(BEARDED, "Share of men with a beard or a mustache.", before=BEARDED)
    cell: int = setting(CELL, "Pixels a side: 64; of 128 fewer long weapons are cut, of 192 none.", before=CELL)

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell: expected {' or '.join(map(str, CELLS))}, got {self.cell}")
        if self.language not in (1, 2):
            raise ValueError(f"language: expected 1 or 2, got {self.language}")
        own = {f.name: f.default for f in fields(self)}
        for name in ("partial", "short"):
            if self.language == 1 and getattr(self, name) != own[name]:
                raise ValueError(f"{name}: only language 2 has such a share")
        if self.facing not in ("", *FACINGS):
            raise ValueError(f"facing: expected one of {', '.join(TURN)}, got {self.facing!r}")
        if not 0 <= self.bearded <= 1:
            raise ValueError(f"bearded: expected 0 to 1, got {self.bearded}")
        if not self.balance and self.bearded != own["bearded"]:
            raise ValueError("bearded: only characters of balance=true have such a share")
        self._mix  # noqa: B018, checks the shares
        if self.turnaround and (self.frames % len(FACINGS) or self.carried):
            raise ValueError(f"turnaround: expected frames=4, or a multiple, and carried=0, got {self.frames} frames")
        check_ranges(self)
        check_sheets(Path(self.source))

    @property
    def size(self) -> int:
        """Of the canvas, pixels."""
        return self.cell

    def fingerprint(self) -> str:
        """Hex digest of the pictures that clips are drawn from."""
        return sheets_digest(Path(self.source))

    def clip_of(self, who: Character, caption: str) -> Clip:
        """The clip of this character."""
        return Clip(self._plain(who), self.fps, caption)

    def make(self, seed: int, index: int) -> tuple[Clip, dict[str, Any]]:
        """Clip `index` of this seed and its row: captions, what each mentions, attributes, context, split."""
        rng = np.random.default_rng([seed, index])
        split = "held_out" if rng.random() < self.held_out_share else "train"
        draw = self._draw
        character = draw(rng)
        while not self._fits(character, held=split != "train"):
            character = draw(rng)
        context = int(rng.random() < self.carried)
        if self.turnaround:
            frames = self.turned(character, int(rng.integers(self.steps_of(character))))
        else:
            frames = self._carried(character, rng) if context else self._plain(character)
        captions = [self.caption(character.attributes, rng, full=i == 0) for i in range(self.captions)]
        row = {
            "caption": captions[0][0],
            "captions": [text for text, _ in captions],
            "mentions": [list(mentioned) for _, mentioned in captions],
            "attributes": character.attributes,
            "context": context,
            "split": split,
        }
        return Clip(frames, self.fps, captions[0][0]), row

    def _fits(self, who: Character, *, held: bool) -> bool:
        seen = who.attributes
        turns = not self.turnaround or seen["action"] not in ONCE
        return held_out(seen) == held and turns and self.facing in ("", seen["facing"])

    @staticmethod
    def say(rng: np.random.Generator) -> Iterator[str]:
        """Captions of a character that is not drawn: of both languages and all phrasings, without typing errors."""
        seen = draw_character(rng).attributes
        for phrasing in sprites_captions.PHRASINGS:
            for british in (0.0, 1.0):
                mix = sprites_captions.Mix(typos=0.0, british=british)
                yield sprites_captions.caption(seen, rng, phrasing=phrasing, mix=mix).text
        yield sprites_language.caption(seen, rng)[0]

    def caption(
        self, attributes: dict[str, str | None], rng: np.random.Generator, *, full: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """(a caption of a clip with these attributes, the names of those it mentions); full: all that can be seen."""
        if self.language == 1:
            return sprites_language.caption(attributes, rng, full=full)
        made = sprites_captions.caption(attributes, rng, full=full or None, mix=self._mix)
        return made.text, made.mentions

    @property
    def _draw(self) -> Callable[[np.random.Generator], Character]:
        if not self.balance:
            return draw_character
        from storyreel.worlds.sprites_balance import draw_balanced

        return lambda rng: draw_balanced(rng, bearded=self.bearded)

    @cached_property
    def _mix(self) -> sprites_captions.Mix:
        return sprites_captions.Mix(partial=self.partial, short=self.short)

    @staticmethod
    def steps_of(who: Character) -> int:
        """How many drawings the character's action has."""
        return len(ROWS[str(who.attributes["action"])][1])

    def turned(self, who: Character, step: int) -> np.ndarray:
        """A drawing of the character's action from all sides, uint8 (frames, cell, cell, 4): in equal parts of the
        clip a quarter turn further, from where the character faces."""
        facings = after(str(who.attributes["facing"]))
        views = [facings[i * len(facings) // self.frames] for i in range(self.frames)]
        return self._render(who, [(str(who.attributes["action"]), facing, step) for facing in views])

    def _plain(self, who: Character) -> np.ndarray:
        action, facing = str(who.attributes["action"]), str(who.attributes["facing"])
        return self._render(who, [(action, facing, drawing_at(action, i, self.frames)) for i in range(self.frames)])

    def _carried(self, who: Character, rng: np.random.Generator) -> np.ndarray:
        """A given pose, then the action from where it stands (same action) or from its beginning (another one)."""
        action, facing = str(who.attributes["action"]), str(who.attributes["facing"])
        at = [drawing_at(action, i, self.frames) for i in range(self.frames)]
        if rng.random() < 0.5:
            first = int(rng.integers(self.frames))
            last = self.frames - 1
            follow = [
                min(first + i, last) if action == "hurt" else (first + i) % self.frames for i in range(self.frames)
            ]
            return self._render(who, [(action, facing, at[i]) for i in follow])
        others = [a for a in ACTIONS if a in who.weapons]
        before = str(rng.choice(others))
        turned = "down" if before == "hurt" else str(rng.choice(FACINGS))
        first = drawing_at(before, int(rng.integers(self.frames)), self.frames)
        return self._render(who, [(before, turned, first), *((action, facing, i) for i in at[: self.frames - 1])])

    def _render(self, who: Character, poses: list[tuple[str, str, int]]) -> np.ndarray:
        frames = np.zeros((len(poses), self.cell, self.cell, 4), np.uint8)
        for frame, (action, facing, step) in zip(frames, poses, strict=True):
            for _, name in sorted(who.sheets + who.weapons[action], key=lambda pair: pair[0]):
                paint(frame.reshape(-1, 4), *cell(str(self.source), name, (action, facing, step), self.cell))
        return frames


def held_out(attributes: dict[str, str | None]) -> bool:
    """Whether this combination of parts is kept from training: fixed pairs of (body, torso) and (hair, legs)."""
    pairs = (("body", "torso"), ("hair_color", "legs"))
    return any(
        attributes[a] is not None and attributes[b] is not None
        and zlib.crc32(f"{attributes[a]}/{attributes[b]}".encode()) % 12 == 0
        for a, b in pairs
    )  # fmt: skip


def draw_character(rng: np.random.Generator) -> Character:
    """A random character with an action and a facing, from parts whose sheets have that action."""
    action = str(rng.choice(ACTIONS))
    facing = "down" if action == "hurt" else str(rng.choice(FACINGS))
    body = str(rng.choice(list(BODIES), p=[0.24, 0.14, 0.14, 0.12, 0.12, 0.12, 0.12]))
    sex = "male" if body == "skeleton" else str(rng.choice(["male", "female"]))
    layers = [("body", f"body/{sex}/{rng.choice(BODIES[body])}")]
    seen: dict[str, str | None] = {"sex": None if body == "skeleton" else sex, "body": body}

    parts = _draw_clothes(rng, body, sex, action)
    hidden = {group for part in parts for group in part.hides}
    layers += [(layer, file) for part in parts if part.group not in hidden for layer, file in part.files]
    seen |= {group: None for group in ("torso", "legs", "feet", "head", "hands", "belt", "cape")}
    seen |= {part.group: part.label for part in parts if part.group not in hidden}
    seen["hands"] = None if action == "hurt" else seen["hands"]

    layers += _draw_face(rng, body, sex, "hair" in hidden, facing, seen)
    fitting = [w for w in WEAPONS if w.suits(sex, action)]
    weapon = fitting[rng.integers(len(fitting))] if fitting and (action == "shoot" or rng.random() < 0.75) else None
    seen |= {"weapon": None, "action": action, "facing": facing}
    return compose_character(seen, sex, layers, parts, weapon)


def compose_character(
    seen: dict[str, str | None], sex: str, layers: list[tuple[str, str]], parts: list[Part], weapon: Part | None
) -> Character:
    """The character with these layers (name, file), who does and holds what `seen` and `weapon` say."""
    action = str(seen["action"])
    seen["weapon"] = weapon.label if weapon else None
    weapons: dict[str, tuple[tuple[int, str], ...]] = {a: () for a in ACTIONS if all(p.suits(sex, a) for p in parts)}
    if weapon:
        dead = seen["body"] == "skeleton"
        drawn = [(layer, f.replace("arrow", "arrow_skeleton") if dead and layer == "arrow" else f)
                 for layer, f in weapon.files]  # fmt: skip
        weapons[action] = tuple((LAYERS[layer], file.format(sex=sex)) for layer, file in drawn)
    hide_what_is_covered(seen)
    return Character(seen, tuple((LAYERS[layer], file.format(sex=sex)) for layer, file in layers), weapons)


def _draw_clothes(rng: np.random.Generator, body: str, sex: str, action: str) -> list[Part]:
    def pick(parts: tuple[Part, ...]) -> Part:
        fit = [p for p in parts if p.suits(sex, action)]
        labels = sorted({p.label for p in fit})
        label = labels[rng.integers(len(labels))]  # every label as likely, however many sheets it has
        same = [p for p in fit if p.label == label]
        return same[rng.integers(len(same))]

    if body == "skeleton" and rng.random() < 0.35:
        return [next(p for p in FEET if not p.files), *([pick(HEADS)] if rng.random() < 0.5 else [HEADS[0]])]
    parts = [pick(TORSOS), pick(LEGS), pick(FEET), pick(HEADS) if rng.random() < 0.6 else HEADS[0]]
    for group, share in ((HANDS, 0.2), (BELTS, 0.25), (CAPES, 0.25)):
        if rng.random() < share and any(p.suits(sex, action) for p in group):
            parts.append(pick(group))
    return parts


def _draw_face(
    rng: np.random.Generator, body: str, sex: str, covered: bool, facing: str, seen: dict
) -> list[tuple[str, str]]:
    """Hair, facial hair, ears and eyes; fills in what can be seen of them."""
    layers: list[tuple[str, str]] = []
    seen |= {"hair_color": None, "hair_style": None, "facial_hair": None, "ears": None, "eyes": None}
    color = str(rng.choice(list(HAIR_COLORS)))
    shade = str(rng.choice(HAIR_COLORS[color]))
    if not covered and rng.random() < {"skeleton": 0.1, "orc": 0.6, "red orc": 0.6}.get(body, 0.92):
        style = str(rng.choice(list(HAIR_STYLES)))
        layers.append(("hair", f"hair/{sex}/{style}/{shade}"))
        helmet = seen["head"] in ("metal helmet", "golden helmet", "kettle hat", "leather cap", "chain hood")
        seen |= {"hair_color": None if helmet else color, "hair_style": None if helmet else HAIR_STYLES[style]}
    elif not covered and seen["head"] == "bare head":
        seen["hair_style"] = "bald"
    if sex == "male" and body != "skeleton" and rng.random() < 0.3:
        kind = str(rng.choice(list(FACIAL_HAIR)))
        layers.append(("facial_hair", f"facial/male/{kind}/{shade}"))
        if facing != "up" and kind != "fiveoclock" and seen["head"] not in ("metal helmet", "golden helmet"):
            seen["facial_hair"] = f"{color} {FACIAL_HAIR[kind]}"
    if body in WITH_EARS:
        sheet = str(rng.choice(BODIES[body]))
        if rng.random() < (0.7 if body == "dark elf" else 0.12):
            layers.append(("ears", f"body/{sex}/ears/elvenears_{sheet}"))
            seen["ears"] = "elven"
        if rng.random() < 0.3:
            eyes = str(rng.choice(EYES))
            layers.append(("eyes", f"body/{sex}/eyes/{eyes}"))
            seen["eyes"] = eyes if facing != "up" else None
    return layers


def paint(frame: np.ndarray, where: np.ndarray, layer: np.ndarray) -> None:
    """Compose `layer` (n, 4) over the pixels `where` of `frame` (h * w, 4) in place (uint8, straight alpha)."""
    a = layer[:, 3:]
    if (a == 255).all():
        frame[where] = layer
        return
    over = a.astype(np.float32) / 255
    under = frame[where].astype(np.float32)
    below = under[:, 3:] / 255 * (1 - over)
    alpha = over + below
    rgb = (layer[:, :3] * over + under[:, :3] * below) / alpha
    frame[where] = np.concatenate([rgb, alpha * 255], 1).round().astype(np.uint8)


@lru_cache(maxsize=1600)
def sheet(source: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(palette indices (h, w), palette (256, 4)), or (RGBA (h, w, 4), None) for sheets without a palette."""
    from storyreel.animation import MAX_PIXELS, check_size, opened

    path = Path(source) / f"{name}.png"
    with opened(path) as image:
        check_size(path, image.height, image.width, 1, MAX_PIXELS)
        if image.mode != "P":
            return np.asarray(image.convert("RGBA")), None
        colors = image.crop((0, 0, 256, 1))
        colors.putdata(range(256))  # so that PIL applies both kinds of transparency
        return np.asarray(image), np.asarray(colors.convert("RGBA"))[0]


@lru_cache(maxsize=200_000)
def cell(source: str, name: str, pose: tuple[str, str, int], side: int = CELL) -> tuple[np.ndarray, np.ndarray]:
    """One drawing of (action, facing, step), sparse: (indices of its pixels in a frame of side x side, their RGBA
    values (n, 4) uint8).

    It lies in the middle of the frame. Oversize weapons (192 pixels a cell) are cut to it.
    """
    pixels, palette = sheet(source, name)
    action, facing, step = pose
    first, columns = ROWS[action]
    row = 0 if action == "hurt" else FACINGS.index(facing)
    own = OVERSIZE if "oversize" in name else CELL
    top, left = (row if own == OVERSIZE else first + row) * own, columns[step] * own
    rim = max(0, (own - side) // 2)
    cut = pixels[top + rim : top + own - rim, left + rim : left + own - rim]
    rgba = cut if palette is None else palette[cut]
    around = (side - len(rgba)) // 2
    rgba = np.pad(rgba, ((around, around), (around, around), (0, 0))).reshape(-1, 4) if around else rgba.reshape(-1, 4)
    where = np.flatnonzero(rgba[:, 3]).astype(np.uint16)
    return where, rgba[where]


def describe(key: Sequence[int], split: str, phrasing: str) -> Described:
    """A prompt that says all that can be seen of a character of this split."""
    rng = np.random.default_rng(list(key))
    who = draw_character(rng)
    while held_out(who.attributes) != (split == "held_out"):
        who = draw_character(rng)
    if phrasing == "plain":
        prompt, mentioned = sprites_language.caption(who.attributes, rng, full=True)
    else:
        mix = sprites_captions.Mix(typos=0.0)
        prompt, mentioned = sprites_captions.caption(who.attributes, rng, full=True, phrasing=phrasing, mix=mix)[:2]
    shows = {name: who.attributes[name] for name in mentioned}
    return Described(prompt, shows, lambda source: Sprites(source=source).clip_of(who, prompt) if source else None)


def _page_prompts() -> dict[str, Any]:
    from storyreel.worlds.sprites_page import prompts  # it draws characters, as this module does

    return prompts()


WORLD = World(
    name="sprites",
    maker=Sprites,
    attributes=ATTRIBUTES,
    say=Sprites.say,
    describe=describe,
    phrasings=("plain", *sprites_captions.PHRASINGS),
    read=sprites_reader.read_freely,
    implied=sprites_reader.implied,
    lacking=lacking,
    stands=sprites_reader.stands,
    drawable=drawable,
    dyed=dyed,
    eyes=eyes,
    bearded=bearded,
    mended=mended,
    added=words_of_extras,
    mirrored=mirrored,
    shown_best=shown_best,
    topped=topped,
    armed=armed,
    cut=("saber", "longsword", "rapier"),
    caption=sprites_captions.restated,
    views=views,
    complete=lambda named, rng, likeliest=False: completed(
        named, rng, lambda draw: draw_character(draw).attributes, likeliest
    ),
    page=_page_prompts,
    sheet=sheet_layout(lambda draw: draw_character(draw).attributes),
    licence="Its training clips were composed from Liberated Pixel Cup art (see NOTICE for the artists), so it is "
    "offered under CC-BY-SA 3.0.",
    credits=Path(__file__).with_name("sprites_credits.txt"),
    palette=(Path(__file__).with_name("sprites_palette.txt"), CELL),
    channels=4,
    pictures=Pictures(
        name="the LPC sheets",
        licence="CC-BY-SA 3.0 / GPL 3.0",
        url=f"https://codeload.github.com/jrconway3/Universal-LPC-spritesheet/tar.gz/{COMMIT}",
        marker="body/male/light.png",
        size=(832, 1344),
        pack=pack_sheets,
    ),
)
