"""A text encoder without weights: each word's state is drawn from the word's own hash. For tests and tiny recipes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from storyreel.text.states import StateEncoder, pad

_WORD = re.compile(r"\w+|[^\w\s]")


class HashedWords(StateEncoder):
    """Deterministic on every machine: word vectors of unit variance, plus a weak sinusoid that tells the place."""

    max_tokens = 256

    def __init__(self, dim: int, *, truncate: bool = False) -> None:
        super().__init__(truncate=truncate)
        self.name, self.dim = f"hash:{dim}", dim

    def words(self, caption: str) -> list[str]:
        """The words, lower-case, after a mark for the start that even an empty caption has."""
        return ["<start>", *_WORD.findall(caption.lower())][: self.max_tokens if self.truncate else None]

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = []
        for caption in captions:
            words = self.words(caption)
            self.check_length(caption, len(words))
            state = np.stack([_word_vector(word, self.dim) for word in words]) + 0.25 * _places(len(words), self.dim)
            rows.append(torch.from_numpy(state.astype(np.float32)))  # (l, d)
        return pad(rows)


@lru_cache(maxsize=8192)
def _word_vector(word: str, dim: int) -> np.ndarray:
    raw = np.frombuffer(hashlib.shake_256(word.encode()).digest(dim), np.uint8)
    return (raw.astype(np.float32) - 127.5) / 73.9  # uniform with variance 1


def _places(length: int, dim: int) -> np.ndarray:
    angle = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(dim)[None] / dim)
    return np.sin(angle + (np.arange(dim) % 2) * np.pi / 2)
