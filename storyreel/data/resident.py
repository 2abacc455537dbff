"""All data of a training on its device: frames uint8, codes, text states float16; batches are gathered there.

A batch is then a few hundred numbers that are sent, and no worker, copy or decoding stands between two steps. What is
gathered is what would have been read from the packed cache, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from storyreel.systems.base import Batch

if TYPE_CHECKING:
    from storyreel.data.source import DatasetSource

SHARE = 0.4  # of the device's free memory that data may take; the rest is for the training


@dataclass(frozen=True)
class Draw:
    """What a batch is made of, an entry an item."""

    source: np.ndarray  # int64 (b,)
    row: np.ndarray  # int64 (b,), of its source
    frames: np.ndarray  # int64 (b, t), which of the clip's frames
    length: np.ndarray  # int64 (b,), real frames
    context: np.ndarray  # int64 (b,), given frames
    caption: np.ndarray  # int64 (b,), its number among the text states of its source

    @classmethod
    def empty(cls, source: np.ndarray, row: np.ndarray, frames: int) -> Draw:
        """A draw whose windows and captions are to be filled in."""
        length, context, caption = (np.zeros_like(row) for _ in range(3))
        return cls(source, row, np.zeros((len(row), frames), np.int64), length, context, caption)


class Resident:
    """The data of a loader's sources on a device."""

    def __init__(self, sources: Sequence[DatasetSource], device: torch.device) -> None:
        self.device, self.sources = device, sources
        self.prepared: dict[str, Tensor] = {}
        if sources[0].prepared is None:
            self.frames = _loaded(_shards(sources), device)
            self._first_frames = _offsets([int(s.pack.counts.sum()) for s in sources])
            self._starts = [np.cumsum(s.pack.counts) - s.pack.counts for s in sources]
        else:
            names = list(sources[0].prepared.entries)
            self.prepared = {name: _loaded(_entries(sources, name), device) for name in names}
            self._first_places = _offsets([len(s.prepared.places) for s in sources if s.prepared])
            self._places = [_places(s) for s in sources]
        if sources[0].text is not None:
            self.text = _loaded((s.text.states for s in sources if s.text), device)
            self._first_tokens = _offsets([len(s.text.states) for s in sources if s.text])

    @classmethod
    def open(cls, sources: Sequence[DatasetSource], device: torch.device, requested: bool | None) -> Resident | None:
        """The data on the device. requested: at any cost; None: on a GPU, if they fit into SHARE of what is free."""
        if requested is None:
            requested = device.type == "cuda" and size_of(sources) <= SHARE * torch.cuda.mem_get_info(device)[0]
        return cls(sources, device) if requested else None

    def raw(self, draw: Draw) -> Batch:
        """`Loader.raw` on the device, where one transfer of numbers is all that it takes. `length` is on the CPU."""
        parts: dict[str, np.ndarray] = {"context": draw.context}
        if self.prepared:
            parts["places"] = self._first_places[draw.source] + self._each(self._places, draw)
        else:
            first = self._first_frames[draw.source] + self._each(self._starts, draw)
            parts["frames"] = first[:, None] + draw.frames
        if self.sources[0].text is not None:
            parts["tokens"] = self._tokens(draw)
        at = self._sent(parts)
        batch: Batch = {"length": torch.from_numpy(draw.length), "context": at["context"]}
        if self.prepared:
            batch |= {name: entries[at["places"]] for name, entries in self.prepared.items()}
        else:
            batch["video"] = self.frames[at["frames"]]
        if "tokens" in at:
            batch["text_mask"] = at["tokens"] >= 0
            batch["text"] = self.text[at["tokens"].clamp(min=0)] * batch["text_mask"][..., None]
        return batch

    def _each(self, arrays: list[np.ndarray], draw: Draw) -> np.ndarray:
        """The entry of each item in the array of its source."""
        found = np.zeros_like(draw.row)
        for which in np.unique(draw.source).tolist():
            here = draw.source == which
            found[here] = arrays[which][draw.row[here]]
        return found

    def _tokens(self, draw: Draw) -> np.ndarray:
        """int64 (b, l): where the states of each token lie; -1 after a caption's end."""
        starts, lengths = np.zeros_like(draw.row), np.zeros_like(draw.row)
        for which in np.unique(draw.source).tolist():
            text, here = self.sources[which].text, draw.source == which
            assert text is not None
            starts[here], lengths[here] = text.starts[draw.caption[here]], text.lengths[draw.caption[here]]
        at = np.arange(max(1, int(lengths.max())))
        first = self._first_tokens[draw.source] + starts
        return np.where(at < lengths[:, None], first[:, None] + at, -1)

    def _sent(self, parts: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """The arrays on the device, in one transfer."""
        flat = torch.from_numpy(np.concatenate([part.ravel() for part in parts.values()]))
        if self.device.type == "cuda":
            flat = flat.pin_memory()
        pieces = flat.to(self.device, non_blocking=True).split([part.size for part in parts.values()])
        return {n: piece.view(part.shape) for (n, part), piece in zip(parts.items(), pieces, strict=True)}


def size_of(sources: Sequence[DatasetSource]) -> int:
    """Bytes that the data take."""
    size = 0
    for source in sources:
        if source.prepared is None:
            size += int(source.pack.counts.sum()) * source.data.size**2 * source.data.channels
        else:
            size += sum(array.nbytes for array, _ in source.prepared.entries.values())
        size += source.text.states.nbytes if source.text is not None else 0
    return size


def _loaded(arrays: Iterator[np.ndarray | Tensor], device: torch.device) -> Tensor:
    """The arrays one after the other on the device; each is copied there before the next is read."""
    return torch.cat([_tensor(array).to(device) for array in arrays])


def _tensor(array: np.ndarray | Tensor) -> Tensor:
    return array if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def _shards(sources: Sequence[DatasetSource]) -> Iterator[np.ndarray]:
    for source in sources:
        yield from map(source.pack.shard, source.pack.shards)


def _entries(sources: Sequence[DatasetSource], name: str) -> Iterator[Tensor]:
    for source in sources:
        assert source.prepared is not None
        array, dtype = source.prepared.entries[name]
        yield torch.from_numpy(np.array(array)).view(dtype)


def _places(source: DatasetSource) -> np.ndarray:
    """int64 (rows of the folder,): where the prepared entries of each row lie."""
    assert source.prepared is not None
    found = np.zeros(len(source.pack.counts), np.int64)
    found[list(source.prepared.places)] = list(source.prepared.places.values())
    return found


def _offsets(counts: list[int]) -> np.ndarray:
    """Where each of several parts begins when they are laid end to end."""
    return np.cumsum(counts) - np.array(counts)
