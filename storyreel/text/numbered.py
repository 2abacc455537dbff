"""Words as numbers, for a model that learns its own word embedding. No weights, no vocabulary file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from storyreel.text.hashed import HashedWords
from storyreel.text.states import pad


class NumberedWords(HashedWords):
    """A word's number in [0, count) is a hash of its letters; its state is (number // 256, number % 256).

    Two numbers below 256 are exact in half precision, in which states are kept. Now and then two words share a number.
    """

    def __init__(self, count: int, *, truncate: bool = False) -> None:
        super().__init__(2, truncate=truncate)
        self.name, self.count = f"words:{count}", count

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = []
        for caption in captions:
            words = self.words(caption)
            self.check_length(caption, len(words))
            numbers = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) % self.count for word in words]
            rows.append(torch.tensor([[n // 256, n % 256] for n in numbers], dtype=torch.float32))
        return pad(rows)
