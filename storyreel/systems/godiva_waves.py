"""GODIVA's sampler in waves: all tokens that do not depend on one another are drawn at once.

By Eq. 10 and 11 a token depends on those that are behind it on no axis. So the tokens with one sum of frame, row and
column number depend on none of each other, and a video takes t + h + w - 2 steps in place of t * h * w. Nothing is
approximated: each token has its own random number, and what is drawn is what `TokenDecoder` draws one by one.

Axes: m tokens of a wave, b videos, r rows of the batch (b, or more with guidance), a heads, k width of a head, d width,
l tokens of text, s tokens of a line. In a wave each line of an axis has one token at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.systems.godiva_decoding import Layer, TokenDecoder
from storyreel.systems.sentences import guided


class WaveDecoder(TokenDecoder):
    """For reach "octant" alone."""

    def _dtype(self, device: str) -> torch.dtype:
        return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32

    def _make_cache(self, layer: Layer) -> None:
        (height, width), t = self.grid, self.frames
        lines, layer.length = {"T": (height * width, t), "R": (t * width, height), "C": (t * height, width)}[layer.axis]
        shape = (lines, self.rows, layer.heads, layer.length, layer.width)
        layer.keys, layer.values = self.places.new_zeros(shape), self.places.new_zeros(shape)

    def waves(self) -> list[Tensor]:
        """The raster numbers of the tokens of each wave."""
        (height, width), n = self.grid, torch.arange(self.tokens, device=self.codes.device)
        depth = n // (height * width) + n // width % height + n % width
        return [(depth == step).nonzero()[:, 0] for step in range(self.frames + height + width - 2)]

    def _run(
        self, rng: Sequence[torch.Generator], prefix: Tensor | None, on_token: Callable[[int, int, Tensor], None] | None
    ) -> Tensor:
        """-> codes (b, t, p, g); on_token after each wave, codes that are not known yet being 0."""
        chances = self._chances(rng)  # (n, g, b)
        known = self._begin(prefix)
        done = 0
        for wave in self.waves():
            x = self.step_wave(wave)
            if not bool(x.isfinite().all()):
                raise ValueError("generator: the model gave NaN or infinity; nothing was sampled")
            drawn = self._draw_wave(x, chances[wave])
            self.codes[:, wave] = torch.where((wave < known)[:, None], self.codes[:, wave], drawn)
            self._enter_wave(wave)
            done += len(wave)
            if on_token:
                on_token(done, self.tokens, self._grid())
        return self._grid()

    def replay(self, codes: Tensor) -> list[Tensor]:
        self.codes[:] = codes.flatten(1, 2)
        states = self.places.new_zeros(self.rows, self.tokens, self.places.shape[-1])
        for wave in self.waves():
            states[:, wave] = self.step_wave(wave).transpose(0, 1)
            self._enter_wave(wave)
        return self._logits(states)

    def step_wave(self, wave: Tensor) -> Tensor:
        """The states (m, r, d) of the tokens of a wave, of all before them."""
        height, width = self.grid
        t, i, j = wave // (height * width), wave // width % height, wave % width
        beside = self.vectors[:, self.neighbours[wave]].flatten(2)  # (b, m, neighbours of it)
        x = (beside @ self.embed).transpose(0, 1) + self.places[wave]
        if self.branches > 1:
            x = x.repeat(1, self.branches, 1)
        place = {"T": (i * width + j, t), "R": (t * width + j, i), "C": (t * height + i, j)}
        for layer in self.layers:
            x = _through(layer, x, *place[layer.axis])
        return x

    def _draw_wave(self, x: Tensor, chances: Tensor) -> Tensor:
        """Codes (b, m, g) from states (m, r, d) and numbers (m, g, b)."""
        m, b = len(x), self.videos
        x = self.model.norm(x.float())
        drawn = torch.zeros(m, b, len(self.model.heads), dtype=torch.long, device=x.device)
        for part, head in enumerate(self.model.heads):
            logits = head(x, drawn[..., :part].repeat(1, self.branches, 1)).float()  # (m, r, values)
            logits = guided(logits, self.branches, self.sampling.guidance, 1)
            drawn[..., part] = self.sampling.draw(logits.flatten(0, 1), chances[:, part].flatten()).view(m, b)
        return drawn.transpose(0, 1)

    def _enter_wave(self, wave: Tensor) -> None:
        codes = self.codes[:, wave]
        self.vectors[:, wave] = torch.cat([F.embedding(codes[..., i], t) for i, t in enumerate(self.tables)], -1)


def _through(layer: Layer, x: Tensor, line: Tensor, at: Tensor) -> Tensor:
    """One block, for the tokens of a wave: (m, r, d) -> (m, r, d). Token i is number at[i] of line[i]."""
    m, r, d = x.shape
    heads, width, shape = layer.heads, layer.width, (d,)
    qkv = F.linear(F.layer_norm(x, shape, *layer.norms[0]), layer.qkv).view(m, r, 3, heads, width)
    layer.keys[line, :, :, at], layer.values[line, :, :, at] = qkv[:, :, 1], qkv[:, :, 2]
    last = int(at.max()) + 1
    keys = layer.keys[:, :, :, :last].index_select(0, line).flatten(0, 2)  # (m r a, s, k)
    values = layer.values[:, :, :, :last].index_select(0, line).flatten(0, 2)
    late = torch.arange(last, device=x.device) > at[:, None]  # (m, s)
    scores = torch.bmm(qkv[:, :, 0].reshape(-1, 1, width), keys.transpose(1, 2)).view(m, r * heads, last)
    scores = scores.masked_fill_(late[:, None], -torch.inf).softmax(-1)
    x = x + F.linear(torch.bmm(scores.view(-1, 1, last), values).view(m, r, d), layer.out)
    q = F.linear(F.layer_norm(x, shape, *layer.norms[1]), layer.to_q).view(m, r * heads, width).transpose(0, 1)
    attended = torch.bmm(torch.baddbmm(layer.text_mask, q, layer.text_k).softmax(-1), layer.text_v)  # (r a, m, k)
    x = x + F.linear(attended.transpose(0, 1).reshape(m, r, d), layer.text_out)
    h = F.gelu(F.linear(F.layer_norm(x, shape, *layer.norms[2]), *layer.first))
    return x + F.linear(h, *layer.second)
