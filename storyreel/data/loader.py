"""Batches from dataset folders: batch `step` is a pure function of (seed, step, rank), so resuming is exact."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from storyreel.data.dataset import Dataset
from storyreel.data.pack import Pack
from storyreel.data.prepared import Prepared, TextStates
from storyreel.data.write import METADATA
from storyreel.recipe import Data
from storyreel.screen_text import one_line
from storyreel.systems.base import Batch, TextEncoder

PATTERN = 4096  # items after which every folder has had its exact share
MIX, ORDER, DRAW = 1, 2, 3  # independent streams of random numbers


class Loader:
    """Draws batches from weighted dataset folders.

    folders: (folder, weight) each; weights are shares of the items and need not sum to 1.
    rank, world: this process gets items rank, rank + world, ... of the global batch, which is the same for any
        `world`. Each folder is gone through in a fresh order every epoch.
    text: captions become `text` and `text_mask`; a clip with several captions shows one of them each time.
    prepare, prepare_key: see `Stage.prepare`; the key is a digest of what it depends on.
    split: only rows of this split; None takes all.
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
    ) -> None:
        _check(folders, data, rank, world)
        self.data, self.seed, self.rank, self.world = data, seed, rank, world
        self.refused: list[tuple[Path, str, str]] = []
        self.sources = []
        for folder, _ in folders:
            source = _Source(folder, data, text, split, cache)
            self.refused += [(folder.path, folder.file_names[row], why) for row, why in source.refused.items()]
            if rank == 0:
                source.report()
            source.need_clips(split)
            if prepare is not None:
                source.prepare(prepare, prepare_key, cache)
            self.sources.append(source)
        self._pattern = _pattern([weight for _, weight in folders])
        self._mixed: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def clips(self) -> int:
        """How many clips there are to train on."""
        return sum(len(source.rows) for source in self.sources)

    def batch(self, step: int) -> Batch:
        """The batch of optimizer step `step` of this rank, data.batch // world items.

        Keys: `video` float32 (b, c, t, h, w) in [-1, 1], or the prepared entries instead; `length` int64 (b,), real
        frames, 1 for an image; `context` int64 (b,), leading frames that are given; with a text encoder `text`
        float32 (b, l, d) and `text_mask` bool (b, l).
        """
        size = self.data.batch
        draws = np.random.default_rng([self.seed, DRAW, step]).random((size, 2))
        images = round(self.data.image_share * size)
        picked = [(*self._item(step * size + i), i < images, *draws[i]) for i in range(self.rank, size, self.world)]

        videos, lengths, contexts = [], [], []
        for source, row, image, where, _ in picked:
            video, length, context = source.window(row, where, image)
            videos.append(video)
            lengths.append(length)
            contexts.append(context)
        batch: Batch = {"length": torch.tensor(lengths), "context": torch.tensor(contexts)}
        if self.sources[0].prepared is None:
            batch["video"] = to_video(np.stack(videos))
        else:
            batch |= _gather([(source, row) for source, row, *_ in picked])
        if self.sources[0].text is not None:
            batch["text"], batch["text_mask"] = _texts([(source, row, which) for source, row, _, _, which in picked])
        return batch

    def prefetch(self, start: int, depth: int = 2) -> Iterator[Batch]:
        """batch(start), batch(start + 1), ... for ever, prepared up to `depth` ahead in a background thread."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(depth)
        closed = threading.Event()

        def put(item: Batch | BaseException) -> None:
            while not closed.is_set():
                try:
                    return ready.put(item, timeout=0.1)
                except queue.Full:
                    continue

        def work() -> None:
            step = start
            try:
                while not closed.is_set():
                    put(self.batch(step))
                    step += 1
            except BaseException as error:  # handed to the thread that trains
                put(error)

        thread = threading.Thread(target=work, daemon=True, name="storyreel-batches")
        thread.start()
        try:
            while True:
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            closed.set()
            thread.join()

    def _item(self, number: int) -> tuple[_Source, int]:
        """Source and row of item `number` of the whole training."""
        period, place = divmod(number, PATTERN)
        order, seen = self._mixed.get(period) or self._mix(period)
        which = int(order[place])
        position = period * int((self._pattern == which).sum()) + int(seen[place])
        return self.sources[which], self.sources[which].row(self.seed, which, position)

    def _mix(self, period: int) -> tuple[np.ndarray, np.ndarray]:
        """For each of the next PATTERN items its folder, and how often that folder came before in this period."""
        order = np.random.default_rng([self.seed, MIX, period]).permutation(self._pattern)
        seen = np.zeros(PATTERN, np.int64)
        for which in range(len(self.sources)):
            mine = order == which
            seen[mine] = np.arange(mine.sum())
        self._mixed = {**dict(list(self._mixed.items())[-3:]), period: (order, seen)}
        return order, seen


class _Source:
    """One dataset folder as the loader sees it."""

    def __init__(
        self, folder: Dataset, data: Data, text: TextEncoder | None, split: str | None, cache: Path | None
    ) -> None:
        self.folder, self.data = folder, data
        if text is not None and not folder.has_captions:
            columns = ", ".join(folder.columns)
            raise ValueError(
                f"{folder.path / METADATA}: has no captions, which training on text needs; wanted a column "
                f"'caption' or 'captions', got {columns}"
            )
        self.pack = Pack.open(folder, data.size, data.channels, cache)  # which composes the rows of a world as well
        self.chosen = [row for row, name in enumerate(folder.splits) if split is None or name == split]
        wanted = set(self.chosen)
        self.refused = {row: why for row, why in self.pack.refused.items() if row in wanted}
        if text is not None:
            self.refused |= {row: "no caption" for row in self.chosen if not folder.all_captions[row]}
        self.rows = np.array([row for row in self.chosen if row not in self.refused], np.int64)
        self.contexts = folder.contexts
        self.text: TextStates | None = None
        self.captions: dict[int, list[int]] = {}
        if text is not None and len(self.rows):
            said = {row: folder.all_captions[row] for row in self.rows.tolist()}
            self.text = TextStates.open(text, [c for captions in said.values() for c in captions], cache)
            self.captions = {row: [self.text.index[c] for c in captions] for row, captions in said.items()}
        self.prepared: Prepared | None = None
        self._orders: dict[int, np.ndarray] = {}

    def prepare(self, prepare: Callable[[Batch], Batch], key: str, cache: Path | None) -> None:
        self.prepared = Prepared.open(self.pack, self.whole_clips, prepare, (self.data.frames, key), cache)

    def whole_clips(self, rows: Sequence[int]) -> Batch:
        """What `prepare` sees: the first window of each clip."""
        windows = [self.window(row, 0.0, False) for row in rows]
        return {
            "video": to_video(np.stack([w[0] for w in windows])),
            "length": torch.tensor([w[1] for w in windows]),
            "context": torch.tensor([w[2] for w in windows]),
        }

    def row(self, seed: int, which: int, position: int) -> int:
        """The row at `position` of all epochs of this folder, laid end to end."""
        epoch, place = divmod(position, len(self.rows))
        order = self._orders.get(epoch)
        if order is None:
            order = np.random.default_rng([seed, ORDER, which, epoch]).permutation(self.rows)
            self._orders = {**dict(list(self._orders.items())[-1:]), epoch: order}
        return int(order[place])

    def window(self, row: int, where: float, image: bool) -> tuple[np.ndarray, int, int]:
        """uint8 (data.frames, h, w, c), real frames, given frames. `where` in [0, 1) chooses what is cut out.

        A long clip gives a window of its frames (the first, when its leading frames are given), a short one is
        stretched over data.frames, an image is one frame again and again.
        """
        count, wanted, context = int(self.pack.counts[row]), self.data.frames, self.contexts[row]
        if image or count == 1:
            frame = self.pack.frames(row, int(where * count), 1)
            return frame.repeat(wanted, axis=0), 1, 0
        if count >= wanted:
            first = 0 if context else int(where * (count - wanted + 1))
            return self.pack.frames(row, first, wanted), wanted, min(context, wanted - 1)
        index = [((2 * i + 1) * count) // (2 * wanted) for i in range(wanted)]
        given = sum(i < context for i in index)
        return self.pack.frames(row)[index], wanted, min(given, wanted - 1)

    def report(self) -> None:
        """One line on stderr for what is skipped, and the first few reasons."""
        if not self.refused:
            return
        where = one_line(str(self.folder.path))
        print(f"storyreel: {where}: {len(self.refused)} of {len(self.chosen)} clips skipped:", file=sys.stderr)
        for row, why in list(self.refused.items())[:10]:
            print(f"  {one_line(f'{self.folder.file_names[row]}: {why}')}", file=sys.stderr)
        if len(self.refused) > 10:
            print(f"  and {len(self.refused) - 10} more; `storyreel data check {where}` lists all", file=sys.stderr)

    def need_clips(self, split: str | None) -> None:
        if not len(self.rows):
            raise ValueError(
                f"{self.folder.path}: no clips to train on: {len(self.folder)} rows, {len(self.chosen)} in split "
                f"{split!r}, {len(self.refused)} of them skipped"
            )


def to_video(frames: np.ndarray) -> torch.Tensor:
    """uint8 (b, t, h, w, c) -> float32 (b, c, t, h, w) in [-1, 1]."""
    return torch.from_numpy(frames).permute(0, 4, 1, 2, 3).contiguous().float().div_(127.5).sub_(1)


def _check(folders: Sequence[tuple[Dataset, float]], data: Data, rank: int, world: int) -> None:
    if not folders:
        raise ValueError("folders: wanted at least one dataset folder")
    for folder, weight in folders:
        if not (weight > 0 and np.isfinite(weight)):
            raise ValueError(f"{folder.path}: the weight must be more than 0, got {weight}")
    for name in ("frames", "size", "batch"):
        if getattr(data, name) < 1:
            raise ValueError(f"data.{name}: wanted at least 1, got {getattr(data, name)}")
    if data.channels not in (3, 4):
        raise ValueError(f"data.channels: wanted 3 or 4, got {data.channels}")
    if not 0 <= data.image_share <= 1:
        raise ValueError(f"data.image_share: wanted 0 to 1, got {data.image_share}")
    if not 0 <= rank < world:
        raise ValueError(f"rank: wanted 0 to {world - 1}, got {rank}")
    if data.batch % world:
        raise ValueError(f"data.batch: wanted a multiple of the {world} processes, got {data.batch}")


def _pattern(weights: Sequence[float]) -> np.ndarray:
    """int64 (PATTERN,): the folder of each item before shuffling; at least one item for each."""
    edges = np.round(np.cumsum(weights) / np.sum(weights) * (PATTERN - len(weights))).astype(int)
    return np.repeat(np.arange(len(weights)), np.diff(edges, prepend=0) + 1)


def _gather(picked: list[tuple[_Source, int]]) -> Batch:
    """Prepared entries of items that may come from several folders."""
    made: dict[str, list[Any]] = {}
    for source, row in picked:
        assert source.prepared is not None
        for name, value in source.prepared.batch([row]).items():
            made.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in made.items()}


def _texts(picked: list[tuple[_Source, int, float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """One caption an item, chosen by a number in [0, 1), padded to the longest of the batch."""
    rows = []
    for source, row, which in picked:
        assert source.text is not None
        captions = source.captions[row]
        rows.append(source.text.batch([captions[int(which * len(captions))]])[0][0])
    mask = torch.zeros(len(rows), max(len(r) for r in rows), dtype=torch.bool)
    states = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    for item, row in enumerate(rows):
        mask[item, : len(row)] = True
    return states, mask
