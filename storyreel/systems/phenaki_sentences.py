"""Prompts as Phenaki's prior reads them, where each of several sentences holds at once.

Axes: b videos, k sentences, l text tokens, d width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from storyreel.systems.base import Request, TextEncoder


def encoded_sentences(prompts: Sequence[str], attempts: Sequence[Request], text: TextEncoder) -> tuple[Tensor, Tensor]:
    """States (b, l, d) of a prompt each and their mask (b, l); (b, k, l, d) and (b, k, l) where sentences hold at once,
    padded with what is no token. Each is encoded alone: the same bits in every batch."""
    said = [attempt.sentences.get(prompt, (prompt,)) for prompt, attempt in zip(prompts, attempts, strict=True)]
    encoded = {sentence: text([sentence]) for each in said for sentence in each}
    most = max(map(len, said))
    if most == 1:
        states, mask = zip(*(encoded[each[0]] for each in said), strict=True)
        return torch.cat(states), torch.cat(mask)
    longest = max(mask.shape[1] for _, mask in encoded.values())
    some = next(iter(encoded.values()))[0]
    states = some.new_zeros(len(said), most, longest, some.shape[-1])
    mask = torch.zeros(states.shape[:3], dtype=torch.bool, device=some.device)
    for row, each in enumerate(said):
        for place, sentence in enumerate(each):
            state, seen = encoded[sentence]
            states[row, place, : state.shape[1]], mask[row, place, : state.shape[1]] = state[0], seen[0]
    return states, mask
