"""What all text encoders share: padding to one tensor, a memory of recent captions, the limit on length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NoReturn, Self

import torch
from torch import Tensor

FEW = 16  # captions up to which each is encoded by itself
REMEMBERED = 2_048  # captions kept in memory
MOST_CHARACTERS = 20_000  # refused without tokenizing


class StateEncoder(ABC):
    """Sentences to token states (b, l, dim) float32 with a mask (b, l), true where there is a token.

    A few captions (at most 16) are encoded one by one and remembered: the states of a sentence are then the same
    to the last bit whatever else is asked for, which "the same seed gives the same pixels" rests on. More are
    encoded in one padded batch, and not remembered; sort long lists by length before cutting them into batches.
    """

    name: str
    dim: int
    max_tokens: int
    truncate: bool
    device = torch.device("cpu")

    def __init__(self, *, truncate: bool = False) -> None:
        self.truncate = truncate
        self._memory: OrderedDict[str, Tensor] = OrderedDict()

    def to(self, device: torch.device | str) -> Self:
        """Itself, from now on with its weights and its states on this device."""
        self.device = torch.device(device)
        self._memory.clear()
        return self

    @abstractmethod
    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The states (b, l, dim) float32 and mask (b, l) of a batch padded to its longest caption."""

    @torch.inference_mode(False)  # training saves these states, also remembered ones, for its backward pass
    @torch.no_grad()
    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """-> states float32 (b, l, dim), mask bool (b, l). ValueError for a caption over `max_tokens`."""
        if isinstance(captions, str):
            raise ValueError("captions: expected a list of sentences, got one string; put it into a list")
        if not captions:
            raise ValueError("captions: expected at least one sentence, got an empty list")
        for caption in captions:
            if len(caption) > MOST_CHARACTERS and not self.truncate:
                self._refuse(caption, f"{len(caption)} characters")
        exact = nullcontext() if self.device.type == "cpu" else torch.autocast(self.device.type, enabled=False)
        with exact:  # a model in bfloat16 around it does not change what a sentence gives
            if len(captions) > FEW:
                states, mask = self.encode(captions)
                return states.to(self.device), mask.to(self.device)
            return pad([self._remembered(caption) for caption in captions])

    def _remembered(self, caption: str) -> Tensor:
        if caption in self._memory:
            self._memory.move_to_end(caption)
            return self._memory[caption]
        states, mask = self.encode([caption])
        self._memory[caption] = states[0, mask[0]].to(self.device, copy=True)
        if len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return self._memory[caption]

    def check_length(self, caption: str, tokens: int) -> None:
        """ValueError when the caption takes more than `max_tokens` and is not to be cut."""
        if tokens > self.max_tokens and not self.truncate:
            self._refuse(caption, f"{tokens} tokens")

    def _refuse(self, caption: str, size: str) -> NoReturn:
        raise ValueError(
            f"prompt: {caption[:40]!r}... has {size}; text encoder {self.name} takes at most "
            f"{self.max_tokens} tokens, about {self.max_tokens * 3 // 4} words"
        )


def pad(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows (l_i, dim) -> one tensor (b, max l, dim) with zeros after each row's end, and its mask (b, max l)."""
    longest = max(len(row) for row in rows)
    states = rows[0].new_zeros(len(rows), longest, rows[0].shape[-1], dtype=torch.float32)
    mask = rows[0].new_zeros(len(rows), longest, dtype=torch.bool)
    for i, row in enumerate(rows):
        states[i, : len(row)] = row
        mask[i, : len(row)] = True
    return states, mask
