"""One dataset as the loader sees it: which rows can be used, in which order, which frames of a clip make a window."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from storyreel.data.dataset import Dataset
from storyreel.data.pack import Pack
from storyreel.data.prepared import PreparedEntries, TextStates
from storyreel.data.resident import Draw
from storyreel.data.write import METADATA
from storyreel.recipe import Data
from storyreel.screen_text import one_line
from storyreel.systems.base import Batch, TextEncoder

ORDER = 2  # the stream of random numbers that orders the rows of an epoch


def need_captions(folder: Dataset) -> None:
    """ValueError where no clip of the folder has a caption."""
    if not folder.has_captions:
        columns = ", ".join(folder.columns)
        empty = {"caption", "captions"} & set(folder.columns)
        reason = "all of them are empty" if empty else f"expected a column 'caption' or 'captions', got {columns}"
        raise ValueError(f"{folder.path / METADATA}: has no captions, which training on text needs; {reason}")


class DatasetSource:
    """One dataset folder as the loader sees it."""

    def __init__(
        self, folder: Dataset, data: Data, text: TextEncoder | None, split: str | None, cache: Path | None
    ) -> None:
        self.folder, self.data = folder, data
        if text is not None:
            need_captions(folder)
        self.pack = Pack.open(folder, data.size, data.channels, cache)  # which composes the rows of a world as well
        self.chosen = [row for row, name in enumerate(folder.splits) if split is None or name == split]
        chosen = set(self.chosen)
        self.refused = {row: why for row, why in self.pack.refused.items() if row in chosen}
        if text is not None:
            self.refused |= {row: "no caption" for row in self.chosen if not folder.all_captions[row]}
        self.rows = np.array([row for row in self.chosen if row not in self.refused], np.int64)
        self.contexts = np.array(folder.contexts, np.int64)
        self.text: TextStates | None = None
        if text is not None and len(self.rows):
            by_row = {row: folder.all_captions[row] for row in self.rows.tolist()}
            self.text = TextStates.open(text, [c for captions in by_row.values() for c in captions], cache)
            self.captions = np.array([self.text.index[c] for captions in by_row.values() for c in captions], np.int64)
            self.caption_counts = np.zeros(len(folder), np.int64)
            self.caption_counts[self.rows] = [len(captions) for captions in by_row.values()]
            self.caption_starts = np.cumsum(self.caption_counts) - self.caption_counts
        self.prepared: PreparedEntries | None = None
        self._orders: dict[int, np.ndarray] = {}

    def prepare(self, prepare: Callable[[Batch], Batch], key: str, cache: Path | None) -> None:
        self.prepared = PreparedEntries.open(self.pack, self.whole_clips, prepare, (self.data.frames, key), cache)

    def whole_clips(self, rows: Sequence[int]) -> Batch:
        """What `prepare` sees: the first window of each clip."""
        none = np.zeros(len(rows))
        index, length, context = self.windows(np.array(rows), none, none > 0)
        frames = np.stack([self.pack.frames(row)[at] for row, at in zip(rows, index, strict=True)])
        video = to_video(torch.from_numpy(frames))
        return {"video": video, "length": torch.from_numpy(length), "context": torch.from_numpy(context)}

    def rows_at(self, seed: int, which: int, positions: np.ndarray) -> np.ndarray:
        """The rows at these positions of all epochs of this folder, laid end to end."""
        epochs, places = np.divmod(positions, len(self.rows))
        rows = np.zeros_like(positions)
        for epoch in np.unique(epochs).tolist():
            order = self._orders.get(epoch)
            if order is None:
                order = np.random.default_rng([seed, ORDER, which, epoch]).permutation(self.rows)
                self._orders = {**dict(list(self._orders.items())[-1:]), epoch: order}
            here = epochs == epoch
            rows[here] = order[places[here]]
        return rows

    def draw(self, made: Draw, here: np.ndarray, where: np.ndarray, which: np.ndarray, image: np.ndarray) -> None:
        """Fill in the items `here` of a draw, all of this source; `where` and `which`, in [0, 1), choose the window and
        the caption."""
        rows = made.row[here]
        made.frames[here], made.length[here], made.context[here] = self.windows(rows, where, image)
        if self.text is not None:
            nth = (which * self.caption_counts[rows]).astype(np.int64)
            made.caption[here] = self.captions[self.caption_starts[rows] + nth]

    def windows(
        self, rows: np.ndarray, where: np.ndarray, image: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of clips (n,): which of their frames (n, data.frames), real frames, given frames. `where` in [0, 1) chooses
        what is cut out.

        A long clip gives a window of its frames (the first, when its leading frames are given), a short one is
        stretched over data.frames, an image is one frame again and again.
        """
        count, context, t = self.pack.counts[rows], self.contexts[rows], self.data.frames
        still, long = image | (count == 1), count >= t
        at = np.arange(t)
        first = np.where(context > 0, 0, (where * (count - t + 1)).astype(np.int64))
        stretched = (2 * at + 1) * count[:, None] // (2 * t)
        index = np.where(long[:, None], first[:, None] + at, stretched)
        index = np.where(still[:, None], (where * count).astype(np.int64)[:, None], index)
        leading = np.where(long, context, (stretched < context[:, None]).sum(1))
        return index, np.where(still, 1, t), np.where(still, 0, np.minimum(leading, t - 1))

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


def to_video(frames: Tensor) -> Tensor:
    """uint8 (b, t, h, w, c) -> float32 (b, c, t, h, w) in [-1, 1], where the frames are."""
    return frames.permute(0, 4, 1, 2, 3).contiguous().float().div_(127.5).sub_(1)
