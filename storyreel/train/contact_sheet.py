"""Clips as one picture: a clip a row, its frames across."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from storyreel.storage import replacing

MAX_FRAMES = 16


def contact_sheet(video: Tensor, gap: int = 2) -> np.ndarray:
    """uint8 (height, width, 3) from float (b, c, t, h, w) in [-1, 1], c = 1, 3 or 4.

    Alpha is shown over a chequerboard, values that are not finite in magenta; at most 16 frames, evenly chosen.
    """
    if video.ndim != 5 or video.shape[1] not in (1, 3, 4):
        raise ValueError(f"video: expected (b, 1 or 3 or 4, t, h, w), got {tuple(video.shape)}")
    frames = video.shape[2]
    if frames > MAX_FRAMES:
        video = video[:, :, [i * (frames - 1) // (MAX_FRAMES - 1) for i in range(MAX_FRAMES)]]
    x = video.detach().float().cpu().permute(0, 2, 3, 4, 1).numpy()  # (b, t, h, w, c)
    bad = ~np.isfinite(x).all(-1)
    x = (np.nan_to_num(x).clip(-1, 1) + 1) * 127.5
    if x.shape[-1] == 1:
        x = x.repeat(3, -1)
    b, t, h, w, c = x.shape
    if c == 4:
        squares = (np.add.outer(np.arange(h) // 8, np.arange(w) // 8) % 2 * 48 + 160)[..., None]
        x = x[..., :3] * (x[..., 3:] / 255) + squares * (1 - x[..., 3:] / 255)
    x[bad] = (255, 0, 255)
    sheet = np.zeros((b * (h + gap) - gap, t * (w + gap) - gap, 3), np.uint8)
    for i in range(b):
        for j in range(t):
            sheet[i * (h + gap) : i * (h + gap) + h, j * (w + gap) : j * (w + gap) + w] = x[i, j].round()
    return sheet


def write_contact_sheet(path: Path, video: Tensor) -> None:
    from PIL import Image

    with replacing(path) as (made,):
        Image.fromarray(contact_sheet(video)).save(made)
