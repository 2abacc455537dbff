"""A small trainable transformer on the states of a frozen text encoder, or on words that learn with it.

A frozen encoder knows what words mean, and not which colour belongs to which garment as far as a small network needs
it; two layers that are trained with the network bind them.

Axes: b batch, l text tokens, d width.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from storyreel.nn.attention import PreNormBlock

HEAD_DIM = 32


class TextAdapter(nn.Module):
    """States (b, l, text_dim) of an encoder to (b, l, width), each token having attended to all tokens of its text."""

    def __init__(self, text_dim: int, width: int, layers: int):
        super().__init__()
        if width % HEAD_DIM:
            raise ValueError(f"text_width: expected a multiple of {HEAD_DIM}, got {width}")
        self.project = nn.Linear(text_dim, width)
        self.blocks = nn.ModuleList(PreNormBlock(width, width // HEAD_DIM, 2 * width) for _ in range(layers))

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """mask (b, l): true where there is text."""
        x = self.project(text)
        for block in self.blocks:
            x = block(x, mask[:, None, None, :])
        return x


class LearnedText(nn.Module):
    """What a network reads of a caption: the states of its encoder as they are, or what learns with the network.

    words: the size of a learned embedding of words, for the encoder "words:N"; 0: the encoder's states. layers: of a
    `TextAdapter` on either. tokens: that are read at most, and places that learned words have; 0: all. `dim` is the
    width of what is read.
    """

    def __init__(self, text_dim: int, width: int, *, layers: int = 0, words: int = 0, tokens: int = 0):
        super().__init__()
        if words and text_dim != 2:
            raise ValueError(f"text_dim: the encoder words:{words} is 2 wide, got {text_dim}")
        self.dim, self.tokens = width if words or layers else text_dim, tokens
        self.words = nn.Embedding(words, width) if words else None
        if self.words is not None:
            nn.init.normal_(self.words.weight, std=0.02)
        self.places = nn.Parameter(torch.randn(tokens, width) * 0.02) if words else None
        self.adapter = TextAdapter(width if words else text_dim, width, layers) if layers else None
        self._warned = False

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States (b, l, text_dim) and their mask -> (b, l, dim) and its mask; cut to `tokens`, which is said once."""
        most = self.tokens
        if 0 < most < text.shape[1]:
            if not text.is_meta and not self._warned and bool(mask[:, most:].any()):
                self._warned = True
                warnings.warn(f"prompt: captions longer than {most} tokens are cut to {most}", stacklevel=2)
            text, mask = text[:, :most], mask[:, :most]
        if self.words is not None and self.places is not None:
            numbers = (text[..., 0] * 256 + text[..., 1]).round().long().clamp(0, self.words.num_embeddings - 1)
            text = self.words(numbers) + self.places[: text.shape[1]]
        return text if self.adapter is None else self.adapter(text, mask), mask
