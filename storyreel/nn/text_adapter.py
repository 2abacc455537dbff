"""A small trainable transformer on the states of a frozen text encoder.

A frozen encoder knows what words mean, and not which colour belongs to which garment as far as a small network needs
it; two layers that are trained with the network bind them.

Axes: b batch, l text tokens, d width.
"""

from __future__ import annotations

from torch import Tensor, nn

from storyreel.nn.attention import Block

HEAD_DIM = 32


class TextAdapter(nn.Module):
    """States (b, l, text_dim) of an encoder to (b, l, width), each token having attended to all tokens of its text."""

    def __init__(self, text_dim: int, width: int, layers: int):
        super().__init__()
        if width % HEAD_DIM:
            raise ValueError(f"text_width: expected a multiple of {HEAD_DIM}, got {width}")
        self.project = nn.Linear(text_dim, width)
        self.blocks = nn.ModuleList(Block(width, width // HEAD_DIM, 2 * width) for _ in range(layers))

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """mask (b, l): true where there is text."""
        x = self.project(text)
        for block in self.blocks:
            x = block(x, mask[:, None, None, :])
        return x
