"""The shots that test movies are cut from: photographs and textures in motion, and what fools a cut detector.

Each shot is a function from its frame number to a picture, drawn from a generator of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MATERIALS = ("pan", "pan", "zoom", "plasma", "shapes", "digits", "static", "water", "text")
TRAPS = ("flash", "shake", "whip", "dark", "twin", "flicker", "exposure", "passer", "static")
_WORDS = ("LIVE", "NEWS", "TODAY", "SCORE", "FINAL", "WEATHER", "SPECIAL", "REPORT", "MUSIC", "EPISODE", "FOLLOW")
Picture = np.ndarray


@dataclass(frozen=True)
class Shot:
    """frame: number -> uint8 (h, w, 3). static: nothing moves but noise. text: words are drawn over it."""

    frame: Callable[[int], Picture]
    static: bool = False
    text: bool = False
    canvas: Any = field(default=None, repr=False)


def make_shot(
    material: str, rng: np.random.Generator, size: tuple[int, int], frames: int, last: Shot | None = None
) -> Shot:
    """One shot. size: (height, width); frames: how many will be asked for; last: the shot before, for a twin."""
    height, width = size
    if material in ("plasma", "shapes", "digits", "water", "flicker"):
        maker = {"plasma": _plasma, "shapes": _shapes, "digits": _digits, "water": _water, "flicker": _flicker}
        return Shot(maker[material](rng, height, width))
    canvas = last.canvas if material == "twin" and last is not None and last.canvas is not None else _canvas(rng, size)
    camera = _camera(material, rng, canvas, size, frames)

    def view(index: int) -> Picture:
        return _window(canvas, size, *camera(index))

    if material in ("static", "text"):
        return _still(material, rng, view, size, canvas)
    if material == "dark":
        dim, noise, key = float(rng.uniform(0.07, 0.2)), float(rng.uniform(0.5, 2.5)), int(rng.integers(2**31))
        return Shot(lambda i: _grain(view(i) * dim, noise, key, i), canvas=canvas)
    if material == "flash":
        return Shot(_flashes(view, rng, frames), canvas=canvas)
    if material == "exposure":
        level = np.interp(np.arange(frames), np.linspace(0, frames, 5), rng.uniform(0.45, 1.25, 5))
        return Shot(lambda i: np.clip(view(i) * level[min(i, frames - 1)], 0, 255).astype(np.uint8), canvas=canvas)
    if material == "passer":
        return Shot(_passer(view, rng, size, frames), canvas=canvas)
    return Shot(view, canvas=canvas)


@cache
def _photographs() -> list[Picture]:
    from sklearn.datasets import load_sample_images

    return [np.asarray(image) for image in load_sample_images().images]


def pink(rng: np.random.Generator, height: int, width: int, slope: float) -> Picture:
    """Float (h, w) with mean 0 and deviation 1 whose amplitude falls as frequency to the power -slope: like nature."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / frequency**slope
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (height, width))
    return (field / field.std()).astype(np.float32)


def _canvas(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A large picture to move a window over: a photograph (turned, its colours exchanged), pink noise, or a mosaic."""
    height, width = size[0] * 2 + 40, size[1] * 2 + 40
    which = rng.random()
    if which < 0.45:
        photo = _photographs()[int(rng.integers(2))][:, :: int(rng.choice([1, -1])), rng.permutation(3)]
        h, w = photo.shape[:2]
        side = rng.uniform(0.5, 1.0)
        y, x = rng.integers(0, int(h * (1 - side)) + 1), rng.integers(0, int(w * (1 - side)) + 1)
        part = Image.fromarray(np.ascontiguousarray(photo[y : y + int(h * side), x : x + int(w * side)]))
        return part.resize((width, height), Image.Resampling.BICUBIC)
    if which < 0.8:
        slope, contrast = rng.uniform(1.0, 1.7), rng.uniform(25, 60)
        shared = pink(rng, height, width, slope)
        parts = [0.8 * shared + 0.6 * pink(rng, height, width, slope) for _ in range(3)]
        return Image.fromarray(
            np.clip(np.stack(parts, -1) * contrast + rng.uniform(60, 190, 3), 0, 255).astype(np.uint8)
        )
    picture = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(40, 200, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(25, 90))):
        x, y, w, h = rng.integers(0, width), rng.integers(0, height), rng.integers(10, 160), rng.integers(10, 160)
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return picture


Camera = Callable[[int], tuple[float, float, float]]
"""Frame number -> (left, top, pixels of the canvas to one of the picture)."""


def _camera(material: str, rng: np.random.Generator, canvas: Image.Image, size: tuple[int, int], n: int) -> Camera:
    height, width = size
    room = np.array([canvas.width - width, canvas.height - height], float)
    time = np.arange(n + 1)
    here = rng.uniform(0.2, 0.8, 2) * room
    if (material in ("static", "text", "flash") and rng.random() < 0.6) or material == "static":
        path = np.repeat(here[None], n + 1, 0)
    elif material == "whip":
        away = rng.uniform(0.0, 1.0, 2) * room
        length = int(rng.integers(6, 20))
        begin = int(rng.integers(2, max(3, n - length - 2)))
        share = np.clip((time - begin) / length, 0, 1)[:, None]
        path = here + (away - here) * share * share * (3 - 2 * share)
    else:
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 2.5) * width / 320
        path = here + speed * (time - n / 2)[:, None] * np.array([np.cos(angle), np.sin(angle)])
    if material == "shake":
        path = path + rng.normal(0, rng.uniform(2, 7) * width / 320, path.shape)
    path = room - np.abs(room - np.abs(path) % (2 * room))  # turn at the edges
    zoom = np.ones(n + 1)
    if material == "zoom":
        zoom = np.geomspace(1.0, rng.uniform(0.5, 0.85), n + 1)[:: int(rng.choice([1, -1]))]

    def at(index: int) -> tuple[float, float, float]:
        (x, y), scale = path[min(index, n)], zoom[min(index, n)]
        return x + width * (1 - scale) / 2, y + height * (1 - scale) / 2, scale

    return at


def _window(canvas: Image.Image, size: tuple[int, int], x: float, y: float, scale: float) -> Picture:
    how = (scale, 0.0, x, 0.0, scale, y)
    window = canvas.transform((size[1], size[0]), Image.Transform.AFFINE, how, Image.Resampling.BILINEAR)
    return np.asarray(window)


def _still(
    material: str, rng: np.random.Generator, view: Callable[[int], Picture], size: tuple[int, int], canvas: Any
) -> Shot:
    noise, key = float(rng.uniform(0, 2.0)), int(rng.integers(2**31))
    if material == "static":
        still = view(0).astype(np.float32)
        return Shot(lambda i: _grain(still, noise, key, i), static=True, canvas=canvas)
    draw_words = words(rng, size)
    return Shot(lambda i: draw_words(view(i), i), text=True, canvas=canvas)


def _grain(picture: Picture, noise: float, key: int, index: int) -> Picture:
    grain = np.random.default_rng([key, index]).normal(0, noise, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


@cache
def font(pixels: int) -> Any:
    return ImageFont.load_default(pixels)


def words(rng: np.random.Generator, size: tuple[int, int]) -> Callable[[Picture, int], Picture]:
    """Draws two to five lines of words: a banner at the bottom, or credits that stand or scroll."""
    height, width = size
    banner = rng.random() < 0.5
    pixels = int(height * rng.uniform(0.09, 0.13))
    lines = [" ".join(rng.choice(_WORDS, int(rng.integers(2, 4)))) for _ in range(2 if banner else 5)]
    speed = 0.0 if banner or rng.random() < 0.5 else height / 150
    colour = (255, 255, 255) if banner or rng.random() < 0.7 else (255, 240, 60)

    stamps = [_stamp(line, pixels) for line in lines]

    def draw_on(picture: Picture, index: int) -> Picture:
        image = Image.fromarray(picture)
        top = height - (len(lines) * pixels * 1.25 + height * 0.04) if banner else height * 0.2 - speed * index % height
        if banner:
            ImageDraw.Draw(image).rectangle((0, int(top) - 4, width, height), fill=(10, 30, 90))
        for number, (outline, inside) in enumerate(stamps):
            where = (int(width * 0.06), int((top + number * pixels * 1.25) % height))
            image.paste((0, 0, 0), where, outline)
            image.paste(colour, where, inside)
        return np.asarray(image)

    return draw_on


def _stamp(line: str, pixels: int) -> tuple[Image.Image, Image.Image]:
    """Masks of a line of words with an outline, and of its inside: drawn once, since drawing letters is slow."""
    shape = (int(font(pixels).getlength(line)) + 8, int(pixels * 1.5))
    outline, inside = Image.new("L", shape), Image.new("L", shape)
    ImageDraw.Draw(outline).text((1, 1), line, fill=255, font=font(pixels), stroke_width=1)
    ImageDraw.Draw(inside).text((1, 1), line, fill=255, font=font(pixels))
    return outline, inside


def caption_mark(rng: np.random.Generator, height: int, width: int) -> tuple[Picture, Picture]:
    """A half transparent mark in one corner: (alpha (h, w, 1), colour (h, w, 3))."""
    image = Image.new("L", (width, height), 0)
    pixels = int(height * 0.1)
    x = width * 0.04 if rng.random() < 0.5 else width * 0.74
    y = height * 0.16 if rng.random() < 0.5 else height * 0.74
    ImageDraw.Draw(image).text((x, y), "REEL7", fill=255, font=font(pixels))
    return np.asarray(image)[..., None] / 255.0 * 0.6, np.full((height, width, 3), 240.0)


def _flashes(view: Callable[[int], Picture], rng: np.random.Generator, n: int) -> Callable[[int], Picture]:
    light = np.zeros(n + 1)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(2, max(3, n - 4))), int(rng.integers(1, 4))
        light[at : at + length] = rng.uniform(0.4, 0.95)
    return lambda i: (view(i) * (1 - light[min(i, n)]) + 255 * light[min(i, n)]).astype(np.uint8)


def _passer(
    view: Callable[[int], Picture], rng: np.random.Generator, size: tuple[int, int], n: int
) -> Callable[[int], Picture]:
    """Something large goes by close to the camera, in 10 to 30 frames."""
    _, width = size
    wide, length, begin = width * rng.uniform(0.3, 0.6), int(rng.integers(10, 30)), int(rng.integers(0, max(1, n - 30)))
    colour = rng.uniform(20, 230, 3)

    def at(index: int) -> Picture:
        picture = view(index).copy()
        left = -wide + (width + wide) * (index - begin) / length
        picture[:, max(0, int(left)) : max(0, int(left + wide))] = colour
        return picture

    return at


def _plasma(rng: np.random.Generator, height: int, width: int) -> Callable[[int], Picture]:
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    waves = rng.uniform([-6, -6, -0.12, 0], [6, 6, 0.12, 6.28], (4, 4))
    mix = rng.uniform(-1, 1, (4, 3)) * 45
    middle = rng.uniform(80, 180, 3)

    def at(index: int) -> Picture:
        parts = np.stack([np.sin(a * x + b * y + c * index + d) for a, b, c, d in waves], -1)
        return np.clip(parts @ mix + middle, 0, 255).astype(np.uint8)

    return at


def _bouncing(start: np.ndarray, speed: np.ndarray, index: int, room: np.ndarray) -> np.ndarray:
    there = np.abs(start + speed * index) % (2 * room)
    return np.where(there > room, 2 * room - there, there)


def _shapes(rng: np.random.Generator, height: int, width: int) -> Callable[[int], Picture]:
    ground = np.clip(pink(rng, height, width, 1.4) * 20 + rng.uniform(40, 200), 0, 255)
    ground = np.stack([ground * rng.uniform(0.6, 1.0) for _ in range(3)], -1).astype(np.uint8)
    count = int(rng.integers(3, 9))
    start, speed = rng.uniform(0, 1, (count, 2)) * [width, height], rng.normal(0, 2.5, (count, 2)) * width / 320
    sizes, colours = rng.uniform(0.08, 0.3, (count, 2)) * height, rng.integers(0, 256, (count, 3))
    round_ones = rng.random(count) < 0.5

    def at(index: int) -> Picture:
        image = Image.fromarray(ground)
        draw = ImageDraw.Draw(image)
        for (x, y), (w, h), colour, round_one in zip(
            _bouncing(start, speed, index, np.array([width, height])), sizes, colours, round_ones, strict=True
        ):
            shape = draw.ellipse if round_one else draw.rectangle
            shape((x - w, y - h, x + w, y + h), fill=tuple(int(v) for v in colour))
        return np.asarray(image)

    return at


def _digits(rng: np.random.Generator, height: int, width: int) -> Callable[[int], Picture]:
    from sklearn.datasets import load_digits

    ground = rng.uniform(0, 110, 3)
    count, side = int(rng.integers(4, 12)), int(height * rng.uniform(0.2, 0.4))
    scans: Any = load_digits()
    chosen = scans.images[rng.integers(0, 1797, count)]
    stamps = [np.asarray(Image.fromarray((one * 15.9).astype(np.uint8)).resize((side, side))) / 255.0 for one in chosen]
    colours = rng.uniform(120, 255, (count, 3))
    room = np.array([width - side, height - side])
    start, speed = rng.uniform(0, 1, (count, 2)) * room, rng.normal(0, 2.0, (count, 2)) * width / 320

    def at(index: int) -> Picture:
        picture = np.broadcast_to(ground, (height, width, 3)).copy()
        for (x, y), stamp, colour in zip(
            _bouncing(start, speed, index, room).astype(int), stamps, colours, strict=True
        ):
            part = picture[y : y + side, x : x + side]
            part += (colour - part) * stamp[..., None]
        return picture.astype(np.uint8)

    return at


def _water(rng: np.random.Generator, height: int, width: int) -> Callable[[int], Picture]:
    """Two layers of pink noise that drift apart: a texture that never comes back."""
    layers = [pink(rng, height, width, 1.2) for _ in range(2)]
    speeds = rng.uniform(-3, 3, (2, 2)) * width / 320
    tint, middle = rng.uniform(0.4, 1.0, 3) * rng.uniform(20, 45), rng.uniform(70, 170, 3)

    def at(index: int) -> Picture:
        moved = [
            np.roll(layer, (int(dy * index), int(dx * index)), (0, 1))
            for layer, (dx, dy) in zip(layers, speeds, strict=True)
        ]
        return np.clip((moved[0] + moved[1])[..., None] * tint * 0.7 + middle, 0, 255).astype(np.uint8)

    return at


def _flicker(rng: np.random.Generator, height: int, width: int) -> Callable[[int], Picture]:
    """Leaves in the wind: a still ground with a coarse texture over it that changes from frame to frame."""
    ground = pink(rng, height, width, 1.4) * 30
    share, key, coarse = float(rng.uniform(10, 30)), int(rng.integers(2**31)), int(rng.integers(6, 16))
    tint, middle = rng.uniform(0.5, 1.0, 3), rng.uniform(70, 170, 3)

    def at(index: int) -> Picture:
        small = np.random.default_rng([key, index]).normal(0, 1, (height // coarse + 1, width // coarse + 1))
        noise = np.asarray(Image.fromarray(small.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
        return np.clip((ground + noise * share)[..., None] * tint + middle, 0, 255).astype(np.uint8)

    return at
