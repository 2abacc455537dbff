"""How a locator is trained: single frames, and where the middle of each digit is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from storyreel.data.dataset import Dataset
from storyreel.data.pack import Pack
from storyreel.evaluate.judge import as_seen, to_video
from storyreel.evaluate.judge_training import JudgeTraining, OnStep, batches, descend, device, learnt_and_unseen
from storyreel.evaluate.locator import STRIDE, Locator, LocatorConfig, pairs
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores

FRAMES_A_CLIP = 4  # of each clip in a batch, at random


class LocatedClips:
    """Frames of some rows of a dataset folder with a heat map a class: 1 where a digit's middle is, falling off."""

    def __init__(self, folder: Dataset, pack: Pack, config: LocatorConfig, rows: Iterable[int]) -> None:
        self.pack, self.config, self.rows = pack, config, list(rows)
        every = folder.attributes
        self.expected = [every[i] for i in self.rows]
        widths = folder.column("width")
        if widths is None:
            raise ValueError(f"{folder.path}: expected a column 'width', the pixels that `centres` are counted in")
        self.grow = [config.size / widths[i] for i in self.rows]  # canvas pixels to the judge's

    def __len__(self) -> int:
        return len(self.rows)

    def frames(self, pick: int) -> np.ndarray:
        """uint8 (1, t, h, w), all frames of one clip."""
        return as_seen(np.asarray(self.pack.frames(self.rows[pick])), 1)

    def maps(self, pick: int, times: np.ndarray) -> np.ndarray:
        """float32 (n, classes, h / 4, w / 4) for frames `times` of clip `pick`."""
        side, grow = self.config.size // STRIDE, self.grow[pick]
        made = np.zeros((len(times), len(self.config.classes), side, side), np.float32)
        place = np.arange(side)
        for digit, centres in zip(self.expected[pick]["digits"], self.expected[pick]["centres"], strict=True):
            at = (np.asarray(centres)[times] + 0.5) * grow  # (n, 2), pixels from the edge
            at = at / STRIDE - 0.5
            x, y = (np.exp(-0.5 * (place - at[:, i : i + 1]) ** 2) for i in (0, 1))
            maps = y[:, :, None] * x[:, None, :]
            made[:, self.config.classes.index(str(digit))] = maps / maps.max((1, 2), keepdims=True)
        return made


def train_locator(
    data: Dataset,
    how: JudgeTraining,
    *,
    config: LocatorConfig | None = None,
    cache: Path | None = None,
    on_step: OnStep | None = None,
) -> tuple[Locator, AttributeScores, AttributeScores]:
    """Train on nine rows of ten, measure on the tenth. `on_step(step, loss)` after each step.

    Returns the locator, its report on all unseen clips, and on those of the split "held_out". The dataset's
    attributes must hold `digits`, `motions` and `centres`, as the world `digits` makes them.
    """
    if not len(data):
        raise ValueError(f"{data.path}: no clips in it")
    config = config or LocatorConfig(frames=how.frames or len(data.clip(0)))
    pack = Pack.open(data, config.size, 3, cache)
    learnt, unseen = (LocatedClips(data, pack, config, rows) for rows in learnt_and_unseen(data, pack))
    torch.manual_seed(how.seed)  # the initial weights
    locator = config.build().train().to(device())
    descend(locator, how, _loss(locator, learnt, how), on_step)
    locator.eval()
    held_out = LocatedClips(data, pack, config, (i for i in unseen.rows if data.splits[i] == "held_out"))
    return locator, measure(locator, unseen), measure(locator, held_out)


def measure(locator: Locator, clips: LocatedClips) -> AttributeScores:
    """Accuracy of the locator on clips whose attributes are known."""
    metric = AttributeAccuracy(locator.attributes)
    with torch.inference_mode():
        for pick in range(len(clips)):
            frames = to_video(clips.frames(pick)).transpose(0, 1).to(locator.head.weight.device)
            seen = locator.tell(locator(frames).float().sigmoid().cpu().numpy())
            metric.update(*pairs(seen, clips.expected[pick]))
    return metric.compute()


def _loss(locator: Locator, clips: LocatedClips, how: JudgeTraining) -> Callable[[], Tensor]:
    rng = np.random.default_rng(how.seed)
    picks = batches(len(clips), how.batch, rng)
    where = locator.head.weight.device

    def loss() -> Tensor:
        frames, maps = [], []
        for pick in next(picks).tolist():
            seen = clips.frames(pick)
            times = rng.choice(seen.shape[1], min(FRAMES_A_CLIP, seen.shape[1]), replace=False)
            frames.append(seen[0, times])
            maps.append(clips.maps(pick, times))
        video = to_video(np.concatenate(frames))[:, None].to(where)  # (n, 1, h, w)
        with torch.autocast(where.type, torch.bfloat16):
            predicted = locator(video)
        return focal(predicted.float(), torch.from_numpy(np.concatenate(maps)).to(where))

    return loss


def focal(logits: Tensor, maps: Tensor) -> Tensor:
    """The penalty-reduced focal loss of CornerNet (Law and Deng 2018, eq. 1), a digit.

    A place is right where its heat is 1; near ones are forgiven by (1 - heat)^4.
    """
    p, log_p, log_q = logits.sigmoid(), torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    right = maps == 1
    per_place = torch.where(right, (1 - p) ** 2 * log_p, (1 - maps) ** 4 * p**2 * log_q)
    return -per_place.sum() / right.sum().clamp(min=1)
