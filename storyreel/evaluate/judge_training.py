"""How a judge is trained: real clips, their attributes, cross-entropy a head; and measured on clips it never saw.

It learns from both splits of a dataset. A judge that had never seen a held-out combination learns that there is none
(a toy judge called every one of them by a combination that it knew) and would then mark a good generator down for
making it. What it is measured on are other clips: every tenth row of the dataset, which it does not learn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from storyreel.data.dataset import Dataset
from storyreel.data.pack import Pack
from storyreel.evaluate.judge import Judge, JudgeConfig, as_seen, to_video
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores, labels
from storyreel.options.evaluation import JudgeTraining
from storyreel.worlds import find, names

MOST_CLASSES = 64
UNSCORED = -100  # cross_entropy leaves these out
UNSEEN = 10  # every tenth row is for measuring


OnStep: TypeAlias = Callable[[int, float], None]
"""Called after each step with its number and its loss."""


class JudgeClips:
    """The usable clips among some rows of a dataset folder, with a class index an attribute."""

    def __init__(self, folder: Dataset, pack: Pack, config: JudgeConfig, rows: Iterable[int]) -> None:
        self.pack, self.config = pack, config
        self.rows = [i for i in rows if pack.counts[i] > 0]
        every = folder.attributes
        self.expected = [labels(every[i]) for i in self.rows]
        self.answers = np.full((len(self.rows), len(config.classes)), UNSCORED, np.int64)
        for column, (name, classes) in enumerate(config.classes.items()):
            index = {value: i for i, value in enumerate(classes)}
            for row, attributes in enumerate(self.expected):
                value = attributes.get(name)
                self.answers[row, column] = UNSCORED if value is None else index.get(value, UNSCORED)

    def __len__(self) -> int:
        return len(self.rows)

    def video(self, picks: Iterable[int]) -> Tensor:
        """Float (b, c, t, h, w) in [-1, 1]."""
        c, seen = self.config, []
        for pick in picks:
            frames = np.asarray(self.pack.frames(self.rows[pick]))
            t = len(frames)
            if t != c.frames:  # nearest in time, as Clip.resample
                frames = frames[[min(t - 1, ((2 * i + 1) * t) // (2 * c.frames)) for i in range(c.frames)]]
            seen.append(as_seen(frames, c.channels))
        return to_video(np.stack(seen))


def find_classes(folder: Dataset, only: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Attribute -> its classes, sorted, as they occur.

    Raises ValueError when the folder has no attributes, or lacks one of `only`.
    """
    found: dict[str, set[str]] = {}
    for attributes in folder.attributes:
        for name, value in labels(attributes).items():
            if value is not None:
                found.setdefault(name, set()).add(value)
    if not found:
        raise ValueError(
            f"{folder.path}: the clips have no attributes to learn from (column 'attributes', a JSON object)"
        )
    if missing := [name for name in only if name not in found]:
        raise ValueError(f"attributes: {folder.path} has no {', '.join(missing)}; it has {', '.join(found)}")
    names = only or judged_by_world(folder, found) or tuple(found)
    return {n: tuple(sorted(found[n])) for n in names if only or 2 <= len(found[n]) <= MOST_CLASSES}


def judged_by_world(folder: Dataset, found: Iterable[str]) -> tuple[str, ...]:
    """The attributes that the world of this dataset says are to be judged; () when it does not say."""
    if folder.world not in names():
        return ()
    there = set(found)
    return tuple(name for name in find(folder.world).judged if name in there)


def train_judge(
    data: Dataset,
    how: JudgeTraining,
    *,
    config: JudgeConfig | None = None,
    cache: Path | None = None,
    on_step: OnStep | None = None,
) -> tuple[Judge, AttributeScores, AttributeScores]:
    """Train on nine rows of ten, measure on the tenth. `on_step(step, loss)` after each step.

    Returns the judge, its report on all unseen clips, and on those of the split "held_out". Raises ValueError when
    there are too few clips, or when the loss is not finite.
    """
    if not len(data):
        raise ValueError(f"{data.path}: no clips in it")
    config = config or _config(data, how)
    pack = Pack.open(data, config.size, 4 if config.channels == 4 else 3, cache)
    learnt, unseen = (JudgeClips(data, pack, config, rows) for rows in learnt_and_unseen(data, pack))
    torch.manual_seed(how.seed)  # the initial weights and dropout; everything else has its own generator
    judge = config.build().train().to(device())
    descend(judge, how, _loss(judge, learnt, how), on_step)
    held_out = JudgeClips(data, pack, config, (i for i in unseen.rows if data.splits[i] == "held_out"))
    return judge.eval(), measure(judge, unseen), measure(judge, held_out)


def measure(judge: Judge, clips: JudgeClips) -> AttributeScores:
    """Accuracy of the judge on clips whose attributes are known."""
    metric, device = AttributeAccuracy(judge.attributes), judge.heads.weight.device
    with torch.inference_mode():
        for first in range(0, len(clips), 64):
            picks = range(first, min(first + 64, len(clips)))
            best = {
                name: logits.argmax(1).tolist() for name, logits in judge.logits(clips.video(picks).to(device)).items()
            }
            for i, pick in enumerate(picks):
                seen = {name: judge.config.classes[name][index[i]] for name, index in best.items()}
                metric.update((seen, clips.expected[pick]))
    return metric.compute()


def _config(data: Dataset, how: JudgeTraining) -> JudgeConfig:
    clip = data.clip(0)
    return JudgeConfig(
        classes=find_classes(data, how.attributes),
        frames=how.frames or len(clip),
        size=how.size or min(clip.size),
        channels=how.channels,
    )


def _loss(judge: Judge, clips: JudgeClips, how: JudgeTraining) -> Callable[[], Tensor]:
    """A function that gives the loss of the next batch; every epoch in a new order."""
    device = judge.heads.weight.device
    rng = np.random.default_rng(how.seed)
    picks = batches(len(clips), how.batch, rng)

    def loss() -> Tensor:
        some = next(picks)
        video = shifted(clips.video(some), how.shift, rng).to(device)
        answers = torch.from_numpy(clips.answers[some]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            logits = judge.logits(video)
        return torch.stack([_cross_entropy(logits[n], answers[:, i]) for i, n in enumerate(logits)]).mean()

    return loss


def batches(count: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of indices below `count`; each comes once an epoch."""
    order = np.empty(0, np.int64)
    while True:
        while len(order) < batch:
            order = np.concatenate([order, rng.permutation(count)])
        yield order[:batch]
        order = order[batch:]


def descend(network: nn.Module, how: JudgeTraining, loss_of: Callable[[], Tensor], on_step: OnStep | None) -> None:
    """AdamW, warm-up and cosine to zero. Raises ValueError when the loss is not finite."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=how.lr, weight_decay=how.weight_decay, betas=(0.9, 0.99))
    for step in range(how.steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / how.steps))
        for group in optimizer.param_groups:
            group["lr"] = how.lr * min(1.0, (step + 1) / how.warmup) * decay
        loss = loss_of()
        if not bool(loss.isfinite()):
            raise ValueError(f"loss: {loss.item()} at step {step}; try a smaller --lr")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if on_step:
            on_step(step, loss.item())


def learnt_and_unseen(data: Dataset, pack: Pack) -> tuple[list[int], list[int]]:
    """The usable rows to learn from, nine of ten, and the others. ValueError when one of them is empty."""
    usable = [i for i in range(len(data)) if pack.counts[i] > 0]
    learnt = [i for i in usable if i % UNSEEN != UNSEEN - 1]
    unseen = [i for i in usable if i % UNSEEN == UNSEEN - 1]
    if not learnt or not unseen:
        why = f" (refused: {next(iter(pack.refused.values()))})" if pack.refused else ""
        raise ValueError(f"{data.path}: {len(usable)} usable clips; a judge needs {UNSEEN} or more{why}")
    return learnt, unseen


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _cross_entropy(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean over the scored clips of the batch; 0 when there is none."""
    total = F.cross_entropy(logits.float(), answers, ignore_index=UNSCORED, reduction="sum")
    return total / (answers != UNSCORED).sum().clamp(min=1)


def shifted(video: Tensor, most: int, rng: np.random.Generator) -> Tensor:
    """Each clip moved by up to `most` pixels each way; the edge is repeated."""
    if most == 0:
        return video
    b, _, _, h, w = video.shape
    padded = F.pad(video, (most, most, most, most, 0, 0), mode="replicate")
    moves = rng.integers(0, 2 * most + 1, size=(b, 2)).tolist()
    return torch.stack([clip[..., y : y + h, x : x + w] for clip, (y, x) in zip(padded, moves, strict=True)])
