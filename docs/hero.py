"""Makes the moving pictures of the README: `python docs/hero.py`, some minutes on two cores.

hero.webp: ten sentences by `phenaki-sprites`; systems.webp: five sentences, a row for each of five systems.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import storyreel
from storyreel.options.generation import GenerateOptions

PROMPTS = (
    "a knight with a sword and a shield, slashing to the right",
    "a minotaur with an axe",
    "an old wizard with a long white beard and a purple robe casting a spell",
    "an elf woman with long blonde hair and a green cape, shooting to the right",
    "a princess with long brown hair in a pink dress walking",
    "an angel with white wings in a white dress walking",
    "a werewolf walking to the left",
    "a pirate captain with an eyepatch and a cutlass",
    "a bearded viking with a horned helmet and a battle axe",
    "a red demon with bat wings casting fire",
)
SYSTEMS = ("phenaki-sprites", "godiva-sprites", "make-a-video-sprites", "imagen-video-sprites", "svd-sprites")
SAME = (
    "an orc in plate armor walking to the left",
    "a red-haired girl in a green dress walking",
    "a dark elf archer in leather armor, shooting to the right",
    "a blond man in a white shirt and blue pants casting magic",
    "a skeleton walking",
)
COLUMNS, WIDTH, SCALE, GROUND = 5, 96, 2, (74, 92, 70)  # WIDTH: of a column, as wide as a swing


def main(names: list[str]) -> None:
    """Those of these names, or both."""
    if not names or "hero.webp" in names:
        save("hero.webp", [made("phenaki-sprites", PROMPTS[i : i + COLUMNS]) for i in range(0, len(PROMPTS), COLUMNS)])
    if not names or "systems.webp" in names:
        save("systems.webp", [made(name, SAME) for name in SYSTEMS])


def made(name: str, prompts: tuple[str, ...]) -> np.ndarray:
    """Videos of a model side by side, uint8 (frames, h, w, 4): seed 0, one try each, what is usual otherwise."""
    model = storyreel.load(name)
    clips = [model(GenerateOptions.of({"prompt": p, "transparent": True}), seed=0)[0] for p in prompts]
    return np.concatenate([in_column(clip.frames) for clip in clips], 2)


def in_column(frames: np.ndarray) -> np.ndarray:
    """uint8 (f, h, w, 4) -> (f, h, WIDTH, 4), in the middle."""
    left = (WIDTH - frames.shape[2]) // 2
    return np.pad(frames, ((0, 0), (0, 0), (left, WIDTH - frames.shape[2] - left), (0, 0)))


def save(name: str, rows: list[np.ndarray]) -> None:
    """Rows of videos (frames, h, w, 4), one above the other, as a moving picture."""
    pictures = []
    for frame in np.concatenate(rows, 1):
        sprite = Image.fromarray(frame)
        picture = Image.new("RGB", sprite.size, GROUND)
        picture.paste(sprite, (0, 0), sprite)
        pictures.append(picture.resize((sprite.width * SCALE, sprite.height * SCALE), Image.Resampling.NEAREST))
    file = Path(__file__).with_name(name)
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=125, loop=0, lossless=True, method=6)
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
