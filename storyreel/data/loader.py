"""Batches from datasets: batch `step` is a pure function of (seed, step, rank), so resuming is exact.

    draw(step): which frames and captions --> raw: uint8 frames, codes, fp16 text states --> finished: floats

A draw is a few numbers, made on the host. What it names is read either from the packed cache by worker processes, or on
the device itself, where all of the data lie when they fit. Bytes travel; they become floats on the device.
"""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from storyreel.data.dataset import Dataset
from storyreel.data.resident import Draw, Resident
from storyreel.data.source import DatasetSource, to_video
from storyreel.engine import cores
from storyreel.recipe import Data
from storyreel.systems.base import Batch, TextEncoder

PATTERN = 4096  # items after which every folder has had its exact share
MIX, DRAW = 1, 3  # streams of random numbers; source.ORDER is another
MAX_WORKERS = 8  # processes that read for a GPU


class Loader(TorchDataset[Batch]):
    """Draws batches from weighted dataset folders.

    folders: (folder, weight) each; weights are shares of the items and need not sum to 1.
    rank, world: this process gets items rank, rank + world, ... of the global batch, which is the same for any
        `world`. Each folder is gone through in a fresh order every epoch.
    text: captions become `text` and `text_mask`; a clip with several captions shows one of them each time.
    prepare, prepare_key: see `Stage.prepare`; the key is a digest of what it depends on.
    split: only rows of this split; None takes all.
    device: where batches go. resident: whether all data are kept there; None: on a GPU, where they fit into a share of
        its free memory. workers: processes that read ahead where they are not; None: none for the CPU.
    Clips that cannot be used are skipped, counted, and listed in `refused` as (folder, file name, reason).
    Raises ValueError when nothing is left to train on.
    """

    def __init__(
        self,
        folders: Sequence[tuple[Dataset, float]],
        data: Data,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        text: TextEncoder | None = None,
        prepare: Callable[[Batch], Batch] | None = None,
        prepare_key: str = "",
        split: str | None = "train",
        cache: Path | None = None,
        device: torch.device | str = "cpu",
        resident: bool | None = None,
        workers: int | None = None,
    ) -> None:
        _check(folders, data, rank, world)
        self.data, self.seed, self.rank, self.world = data, seed, rank, world
        self.device = torch.device(device)
        self.refused: list[tuple[Path, str, str]] = []
        self.sources = []
        for folder, _ in folders:
            source = DatasetSource(folder, data, text, split, cache)
            self.refused += [(folder.path, folder.file_names[row], why) for row, why in source.refused.items()]
            if rank == 0:
                source.report()
            source.need_clips(split)
            if prepare is not None:
                source.prepare(prepare, prepare_key, cache)
            self.sources.append(source)
        self._pattern = _pattern([weight for _, weight in folders])
        self._shares = np.bincount(self._pattern, minlength=len(self.sources))
        self._mixed: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        if workers is None:
            workers = 0 if self.device.type == "cpu" else min(MAX_WORKERS, max(1, cores() - 1))
        self.workers = workers
        self.resident = Resident.open(self.sources, self.device, resident)

    @property
    def clips(self) -> int:
        """How many clips there are to train on."""
        return sum(len(source.rows) for source in self.sources)

    def entries(self, name: str) -> Tensor:
        """What `prepare` gave under this name, for the clips of all folders (n, ...)."""
        prepared = [source.prepared for source in self.sources if source.prepared is not None]
        return torch.cat([each.whole(name) for each in prepared])

    def batch(self, step: int) -> Batch:
        """The batch of optimizer step `step` of this rank, data.batch // world items.

        Keys: `video` float32 (b, c, t, h, w) in [-1, 1], or the prepared entries instead; `length` int64 (b,), real
        frames, 1 for an image; `context` int64 (b,), leading frames that are given; with a text encoder `text`
        float32 (b, l, d) and `text_mask` bool (b, l). All but `length` are on the device.
        """
        return self.finished(self.raw(step) if self.resident is None else self.resident.raw(self.draw(step)))

    def draw(self, step: int) -> Draw:
        """Which clips, frames and captions the batch of a step has."""
        size = self.data.batch
        numbers = np.random.default_rng([self.seed, DRAW, step]).random((size, 2))
        items = np.arange(self.rank, size, self.world)
        image = items < round(self.data.image_share * size)
        where, which = numbers[items].T
        source, row = self._items(step * size + items)
        made = Draw.empty(source, row, self.data.frames)
        for number in np.unique(source):
            here = source == number
            self.sources[number].draw(made, here, where[here], which[here], image[here])
        return made

    def __getitem__(self, step: int) -> Batch:
        return self.raw(step)

    def raw(self, step: int) -> Batch:
        """The batch as it is kept, on the CPU: `video` uint8 (b, t, h, w, c), `text` float16 (b, l, d)."""
        draw = self.draw(step)
        batch: Batch = {"length": torch.from_numpy(draw.length), "context": torch.from_numpy(draw.context)}
        items = [(self.sources[source], int(row)) for source, row in zip(draw.source, draw.row, strict=True)]
        if self.sources[0].prepared is None:
            frames = [source.pack.frames(row)[at] for (source, row), at in zip(items, draw.frames, strict=True)]
            batch["video"] = torch.from_numpy(np.stack(frames))
        else:
            each = [source.prepared.batch([row]) for source, row in items if source.prepared]
            batch |= {name: torch.cat([one[name] for one in each]) for name in each[0]}
        if self.sources[0].text is not None:
            batch["text"], batch["text_mask"] = _texts([source for source, _ in items], draw.caption)
        return batch

    def finished(self, raw: Batch) -> Batch:
        """A raw batch on the device, in floats there. `length` stays on the CPU, for whoever asks for it."""
        batch = {k: v if k == "length" else v.to(self.device, non_blocking=True) for k, v in raw.items()}
        if "video" in batch:
            batch["video"] = to_video(batch["video"])
        if "text" in batch:
            batch["text"] = batch["text"].float()
        return batch

    def prefetch(self, start: int) -> Iterator[Batch]:
        """batch(start), batch(start + 1), ... for ever; where the data are on disk, `workers` processes read ahead."""
        if self.resident is not None:
            yield from map(self.batch, itertools.count(start))
        batches = DataLoader(
            self,
            batch_size=None,  # an index is a step, what it gives is a batch
            sampler=range(start, sys.maxsize),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the global one is left alone
            worker_init_fn=_deaf,
        )
        yield from map(self.finished, batches)

    def _items(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sources and rows (n,) of the items with these numbers in the whole training."""
        periods, places = np.divmod(numbers, PATTERN)
        source, position = np.zeros_like(numbers), np.zeros_like(numbers)
        for period in np.unique(periods).tolist():
            here = periods == period
            order, seen = self._mixed.get(period) or self._mix(period)
            source[here] = order[places[here]]
            position[here] = period * self._shares[source[here]] + seen[places[here]]
        row = np.zeros_like(numbers)
        for which in np.unique(source).tolist():
            here = source == which
            row[here] = self.sources[which].rows_at(self.seed, which, position[here])
        return source, row

    def _mix(self, period: int) -> tuple[np.ndarray, np.ndarray]:
        """For each of the next PATTERN items its folder, and how often that folder came before in this period."""
        order = np.random.default_rng([self.seed, MIX, period]).permutation(self._pattern)
        seen = np.zeros(PATTERN, np.int64)
        for which in range(len(self.sources)):
            mine = order == which
            seen[mine] = np.arange(mine.sum())
        self._mixed = {**dict(list(self._mixed.items())[-3:]), period: (order, seen)}
        return order, seen


def _deaf(worker: int) -> None:
    """Ctrl-C is for the process that trains, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check(folders: Sequence[tuple[Dataset, float]], data: Data, rank: int, world: int) -> None:
    if not folders:
        raise ValueError("folders: expected at least one dataset folder")
    for folder, weight in folders:
        if not (weight > 0 and np.isfinite(weight)):
            raise ValueError(f"{folder.path}: the weight must be more than 0, got {weight}")
    for name in ("frames", "size", "batch"):
        if getattr(data, name) < 1:
            raise ValueError(f"data.{name}: expected at least 1, got {getattr(data, name)}")
    if data.channels not in (3, 4):
        raise ValueError(f"data.channels: expected 3 or 4, got {data.channels}")
    if not 0 <= data.image_share <= 1:
        raise ValueError(f"data.image_share: expected 0 to 1, got {data.image_share}")
    if not 0 <= rank < world:
        raise ValueError(f"rank: expected 0 to {world - 1}, got {rank}")
    if data.batch % world:
        raise ValueError(f"data.batch: expected a multiple of the {world} processes, got {data.batch}")


def _pattern(weights: Sequence[float]) -> np.ndarray:
    """int64 (PATTERN,): the folder of each item before shuffling; at least one item for each."""
    edges = np.round(np.cumsum(weights) / np.sum(weights) * (PATTERN - len(weights))).astype(int)
    return np.repeat(np.arange(len(weights)), np.diff(edges, prepend=0) + 1)


def _texts(sources: Sequence[DatasetSource], captions: np.ndarray) -> tuple[Tensor, Tensor]:
    """Token states float16 (b, l, d) of one caption an item, padded to the longest of the batch, and their mask."""
    pairs = zip(sources, captions.tolist(), strict=True)
    rows = [torch.from_numpy(source.text.rows(caption).copy()) for source, caption in pairs if source.text]
    mask = [torch.ones(len(row), dtype=torch.bool) for row in rows]
    return pad_sequence(rows, batch_first=True), pad_sequence(mask, batch_first=True)
