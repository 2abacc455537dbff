"""Prompts of several sentences that hold at once, and what they and guidance make of a network's logits.

A system that `composes` adds up what each sentence adds to the logits without a text, as Liu et al., "Compositional
Visual Generation with Composable Diffusion Models", 2022, https://arxiv.org/abs/2206.01714, do with scores.

Axes: b videos, k sentences, l text tokens, d width, r rows of the branches: b (k + 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from storyreel.nn.null_text import everywhere, without_text
from storyreel.nn.text_adapter import LearnedText
from storyreel.systems.base import Request, TextEncoder


def encoded_sentences(prompts: Sequence[str], attempts: Sequence[Request], text: TextEncoder) -> tuple[Tensor, Tensor]:
    """States (b, l, d) of a prompt each and their mask (b, l); (b, k, l, d) and (b, k, l) where sentences hold at once,
    padded with what is no token. Each is encoded alone: the same bits in every batch."""
    sentences = [attempt.sentences.get(prompt, (prompt,)) for prompt, attempt in zip(prompts, attempts, strict=True)]
    encoded = {sentence: text([sentence]) for each in sentences for sentence in each}
    most = max(map(len, sentences))
    if most == 1:
        states, mask = zip(*(encoded[each[0]] for each in sentences), strict=True)
        return torch.cat(states), torch.cat(mask)
    longest = max(mask.shape[1] for _, mask in encoded.values())
    some = next(iter(encoded.values()))[0]
    states = some.new_zeros(len(sentences), most, longest, some.shape[-1])
    mask = torch.zeros(states.shape[:3], dtype=torch.bool, device=some.device)
    for row, each in enumerate(sentences):
        for place, sentence in enumerate(each):
            state, seen = encoded[sentence]
            states[row, place, : state.shape[1]], mask[row, place, : state.shape[1]] = state[0], seen[0]
    return states, mask


def branches(
    text: Tensor, mask: Tensor, guidance: float, learned: LearnedText, null_text: Tensor
) -> tuple[Tensor, Tensor, int]:
    """Text (b, l, d) or sentences (b, k, l, d) with their mask -> what is read in one batch (r, l, d'), its mask, and
    how many branches those are: first the sentences, then no text; a single one where it alone counts.

    A sentence without a token adds nothing.
    """
    b, sentences = len(text), text.shape[1] if text.ndim == 4 else 1
    if text.ndim == 4:
        text, mask = (each.transpose(0, 1).flatten(0, 1) for each in (text, mask))
    absent = ~mask.any(1)
    text, mask = learned(text, mask)
    if sentences > 1:
        text, mask = without_text(text, mask, null_text, absent)
    if guidance == 1 and sentences == 1:
        return text, mask, 1
    null, null_mask = without_text(text[:b], mask[:b], null_text, everywhere(text[:b]))
    if guidance == 0:
        return null, null_mask, 1
    return torch.cat([text, null]), torch.cat([mask, null_mask]), sentences + 1


def guided(logits: Tensor, num_branches: int, guidance: float, dim: int = 0) -> Tensor:
    """The logits of all `branches`, side by side along `dim`, as those of the videos."""
    if num_branches == 1:
        return logits
    *each, without = logits.chunk(num_branches, dim)
    if len(each) == 1:
        return without.lerp(each[0], guidance)
    return without + guidance * sum(with_sentence - without for with_sentence in each)
