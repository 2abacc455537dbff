"""Makes the moving picture at the top of the README: `python docs/hero.py`, a minute on two cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import storyreel
from storyreel.options.generation import GenerateOptions

PROMPTS = (
    "a knight in golden armor with a golden helmet walking",
    "a dark elf archer in leather armor, shooting to the left",
    "an old wizard in a purple robe casting a spell",
    "a skeleton with a spear, attacking to the right",
    "a red-haired girl in a green dress walking",
    "an orc in plate armor walking to the left",
    "a woman with blue hair in a white robe casting magic",
    "a pirate with a red bandana swinging a saber to the right",
    "a dark-skinned woman in a red dress walking to the right",
    "a blond archer in a teal tunic shooting to the right",
)
COLUMNS, SCALE, GROUND = 5, 2, (74, 92, 70)


def main() -> None:
    model = storyreel.load("phenaki-sprites")
    clips = [model(GenerateOptions.of({"prompt": p, "transparent": True}), seed=0)[0] for p in PROMPTS]
    rows = [np.concatenate([c.frames for c in clips[i : i + COLUMNS]], 2) for i in range(0, len(clips), COLUMNS)]
    frames = np.concatenate(rows, 1)
    pictures = []
    for frame in frames:
        sprite = Image.fromarray(frame)
        picture = Image.new("RGB", sprite.size, GROUND)
        picture.paste(sprite, (0, 0), sprite)
        pictures.append(picture.resize((sprite.width * SCALE, sprite.height * SCALE), Image.Resampling.NEAREST))
    file = Path(__file__).with_name("hero.webp")
    milliseconds = round(1000 / float(clips[0].fps))
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, lossless=True)
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
