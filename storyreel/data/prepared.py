"""What frozen networks say of a dataset, computed once: token states of captions, entries that a stage prepares.

Both builds go on where they were stopped, and both are keyed by digests of what went in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from storyreel.data.array_file import ArrayFile
from storyreel.data.pack import Pack, cache_folder, need_space
from storyreel.data.parallel import progress
from storyreel.json_file import read_json
from storyreel.storage import replacing
from storyreel.systems.base import Batch, TextEncoder

SAVE_EVERY = 16  # batches
PREPARE_BATCH = 64
TEXT_BATCH = 128


class TextStates:
    """Token states of many captions, fp16, ragged, memory-mapped."""

    def __init__(self, states: np.ndarray, lengths: np.ndarray, index: dict[str, int]) -> None:
        self.states = states  # float16 (all tokens, dim)
        self.lengths = lengths  # int64 (captions,)
        self.index = index  # caption -> number
        self.starts = np.cumsum(lengths) - lengths

    def rows(self, caption: int) -> np.ndarray:
        """float16 (l, dim): the states of the caption with this number, not copied."""
        return self.states[self.starts[caption] : self.starts[caption] + self.lengths[caption]]

    @classmethod
    def open(cls, encoder: TextEncoder, captions: Sequence[str], cache: Path | None) -> TextStates:
        """Encode each distinct caption once, or map what an earlier call encoded."""
        distinct = sorted(set(captions), key=lambda c: (len(c), c))  # equal lengths together: little padding
        hashed = hashlib.sha256(json.dumps([encoder.name, encoder.dim, distinct]).encode()).hexdigest()[:32]
        path = cache_folder(cache) / "text" / hashed
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "lengths.npy").exists():
            with FileLock(path / ".lock"):
                if not (path / "lengths.npy").exists():
                    _encode(encoder, distinct, path)
        lengths = np.load(path / "lengths.npy")
        shape = (int(lengths.sum()), encoder.dim)
        states = (
            np.memmap(path / "states.f16", np.float16, "r", shape=shape) if shape[0] else np.zeros(shape, np.float16)
        )
        return cls(states, lengths, {caption: number for number, caption in enumerate(distinct)})


def _encode(encoder: TextEncoder, captions: list[str], path: Path) -> None:
    states, saved = path / "states.f16", path / "saved.json"
    lengths: list[int] = read_json(saved, max_bytes=1 << 30) if saved.exists() else []
    with states.open("ab") as file, progress("reading captions", len(captions), "captions") as advance:
        file.truncate(sum(lengths) * encoder.dim * 2)
        advance(len(lengths))
        starts = range(len(lengths), len(captions), TEXT_BATCH)
        for number, start in enumerate(starts, 1):
            chunk = captions[start : start + TEXT_BATCH]
            with torch.inference_mode():
                encoded, mask = encoder(chunk)
            for one, real in zip(encoded.cpu(), mask.cpu(), strict=True):
                file.write(one[real].half().numpy().tobytes())
                lengths.append(int(real.sum()))
            advance(len(chunk))
            if number % SAVE_EVERY == 0:
                file.flush()
                with replacing(saved) as (made,):
                    made.write_text(json.dumps(lengths))
    with replacing(path / "lengths.npy") as (made,), made.open("wb") as file:
        np.save(file, np.array(lengths, np.int64))
    saved.unlink(missing_ok=True)


class PreparedEntries:
    """The entries that a stage's `prepare` gives for each clip of a dataset, memory-mapped."""

    def __init__(self, entries: dict[str, tuple[np.ndarray, torch.dtype]], places: dict[int, int]) -> None:
        self.entries = entries
        self.places = places  # row of the folder -> place in the entries

    def batch(self, rows: Sequence[int]) -> Batch:
        places = [self.places[row] for row in rows]
        return {
            name: torch.from_numpy(np.stack([array[p] for p in places])).view(dtype)
            for name, (array, dtype) in self.entries.items()
        }

    def whole(self, name: str) -> Tensor:
        """An entry of all clips (n, ...)."""
        array, dtype = self.entries[name]
        return torch.from_numpy(np.array(array)).view(dtype)

    @classmethod
    def open(
        cls,
        pack: Pack,
        load: Callable[[Sequence[int]], Batch],
        prepare: Callable[[Batch], Batch],
        key: tuple[int, str],
        cache: Path | None,
    ) -> PreparedEntries | None:
        """Run `prepare` once over all usable clips in order. None when it prepares nothing.

        load: rows -> the batch of whole clips that `prepare` is given.
        key: frames a clip, and a digest of what `prepare` depends on. ValueError when there is none.
        """
        rows = np.flatnonzero(pack.counts).tolist()
        places = {row: place for place, row in enumerate(rows)}
        path = (
            cache_folder(cache) / "prepared" / hashlib.sha256(f"{pack.key} {key[0]} {key[1]}".encode()).hexdigest()[:32]
        )
        if not (path / "entries.json").exists():
            path.mkdir(parents=True, exist_ok=True)
            with FileLock(path / ".lock"):
                if not (path / "entries.json").exists() and not _prepare(rows, load, prepare, key[1], path):
                    return None
        kinds: dict[str, str] = read_json(path / "entries.json")
        return cls(
            {n: (np.load(path / f"{n}.npy", mmap_mode="r"), getattr(torch, k)) for n, k in kinds.items()}, places
        )


def _prepare(
    rows: list[int], load: Callable[[Sequence[int]], Batch], prepare: Callable[[Batch], Batch], key: str, path: Path
) -> bool:
    with torch.inference_mode():
        first = {name: value.cpu() for name, value in prepare(load(rows[:1])).items()}
    if not first:
        return False
    if not key:
        raise ValueError("prepare_key: expected a digest of what the prepared entries depend on, got nothing")
    for name, value in first.items():
        if len(value) != 1:
            raise ValueError(f"prepare: entry {name!r} has shape {tuple(value.shape)}, expected the batch first")
    saved = path / "saved.json"
    done = read_json(saved, max_bytes=1 << 30) if saved.exists() else 0
    need_space(path, sum(v.nbytes for v in first.values()) * (len(rows) - done))
    with ExitStack() as stack, progress("preparing", len(rows)) as advance:
        arrays = {}
        for name, value in first.items():
            file = ArrayFile(path / f"{name}.npy", _as_numpy(value).dtype, (len(rows), *value.shape[1:]), done)
            arrays[name] = stack.enter_context(file)
        advance(done)
        for number, start in enumerate(range(done, len(rows), PREPARE_BATCH), 1):
            chunk = rows[start : start + PREPARE_BATCH]
            with torch.inference_mode():
                made = prepare(load(chunk))
            for name, array in arrays.items():
                array.write(_as_numpy(made[name].cpu()))
            advance(len(chunk))
            if number % SAVE_EVERY == 0:
                for array in arrays.values():
                    array.flush()
                with replacing(saved) as (file,):
                    file.write_text(json.dumps(start + len(chunk)))
        for array in arrays.values():
            array.flush()
    with replacing(path / "entries.json") as (file,):
        file.write_text(json.dumps({name: str(value.dtype).removeprefix("torch.") for name, value in first.items()}))
    saved.unlink(missing_ok=True)
    return True


def _as_numpy(value: Tensor) -> np.ndarray:
    """NumPy has no bfloat16: its bits are kept as int16."""
    return (value.view(torch.int16) if value.dtype == torch.bfloat16 else value).numpy()
