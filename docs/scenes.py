"""Makes the pictures of docs/scenes.md and docs/systems/stylesv.md: `python docs/scenes.py`, seconds on one core.

scenes.webp: film strips of the worlds `skies` and `road`, a frame each two seconds. systems/stylesv_motion.webp: motion
codes of random weights for each `motion` without recurrence, and their second differences.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from storyreel import worlds
from storyreel.systems.video_gan_motion import MotionCodes, MotionKind, Noise, keyed_noise

HERE = Path(__file__).parent
CLIPS = {"skies": (3, 12, 22, 40), "road": (1, 5, 8, 16)}
SIZE, FRAMES, GAP = 96, 6, 3
PAPER, INK, GRID = (255, 255, 255), (40, 40, 40), (215, 215, 215)
COLORS = ((31, 119, 180), (214, 96, 34), (44, 140, 60))
WIDTH, HEIGHT, DISTANCE, ANCHORS = 420, 110, 256, 6


def strips() -> Image.Image:
    """A row a clip: both worlds side by side."""
    rows = []
    for picks in zip(*CLIPS.values(), strict=True):
        row = []
        for world, index in zip(CLIPS, picks, strict=True):
            maker = worlds.find(world).make(None, {"size": SIZE, "fps": "1/2", "frames": FRAMES})
            frames = maker.make(7, index)[0].frames
            row += [np.pad(frame, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for frame in frames]
        rows.append(np.concatenate(row, 1))
    return Image.fromarray(np.concatenate(rows))


@torch.no_grad()
def codes(kind: MotionKind) -> np.ndarray:
    """float (times, dims), a frame apart."""
    torch.manual_seed(0)
    motion = MotionCodes(kind, 64, distance=DISTANCE, kernel=5, periods=(256, 1024))
    times = torch.arange(0, DISTANCE * ANCHORS, dtype=torch.float64)
    first, count = motion.rows_for(0, float(times[-1]))
    noise = Noise(keyed_noise(1, first, count, 64)[None], torch.tensor([first]))
    return motion(noise, times[None])[0].double().numpy()


def plot(curves: np.ndarray, title: str) -> Image.Image:
    """Curves (n, times) over the frames, with a line at each anchor."""
    picture = Image.new("RGB", (WIDTH, HEIGHT + 18), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((4, 2), title, fill=INK, font=ImageFont.load_default(size=12))
    for anchor in range(1, ANCHORS):
        x = WIDTH * anchor / ANCHORS
        draw.line((x, 20, x, HEIGHT + 14), fill=GRID)
    low, high = min(0.0, curves.min()), curves.max()
    for curve, color in zip(curves, COLORS, strict=False):
        x = np.linspace(0, WIDTH - 1, len(curve))
        y = HEIGHT + 13 - (curve - low) / (high - low) * (HEIGHT - 10)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=color, width=2)
    return picture


def motion() -> Image.Image:
    plots = []
    for kind in ("bspline", "linear"):
        found = codes(kind)
        second = np.linalg.norm(found[2:] - 2 * found[1:-1] + found[:-2], axis=1)
        ratio = second.max() / np.median(second)
        plots.append((plot(found.T[[0, 20, 40]], f"motion={kind}: three of its values, {DISTANCE} frames an anchor"),
                      plot(second[None], f"second difference, at most {ratio:.1f} medians")))  # fmt: skip
    rows = [np.concatenate([np.asarray(p) for p in row], 1) for row in plots]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    for file, picture in (
        (HERE / "scenes.webp", strips()),
        (HERE / "systems" / "stylesv_motion.webp", motion()),
    ):
        picture.save(file, quality=75, method=6)
        print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
