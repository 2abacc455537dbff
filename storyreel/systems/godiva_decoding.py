"""GODIVA's sampler: one token after the other, with the keys and values of every axis kept.

For a token, a layer needs the one line along its axis that ends at the token. So the cost of a token does not grow with
the tokens before it, and what is computed is what the whole forward pass computes (a test holds the two together).

    T  keeps every line: (places, frames)          R  keeps the columns of this frame, and of the one before if wide
    C  keeps this row, and the one above if wide

Axes: b videos, r rows of the batch (b, or with guidance those with text, then b without), a heads, k width of a head,
d width, l text tokens. Written with plain matrix products and buffers that are made once: at this size the
time goes into calling operators, not into arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.systems.sentences import branches, guided

if TYPE_CHECKING:
    from storyreel.systems.godiva import Generator


FEW = 8  # videos below which a CPU is quicker in float32: it waits for weights, not for arithmetic


@dataclass(frozen=True, kw_only=True)
class TokenSampling:
    """How a token is drawn from its logits.

    guidance: 1 the conditional model, 0 the unconditional one, more goes beyond. top_k: of so many likeliest values
    (0: all). top_p: of the likeliest values that come to this probability. temperature: 0 takes the likeliest.
    """

    guidance: float = 1.0
    top_k: int = 10
    top_p: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.top_k < 0:
            raise ValueError(f"top_k: expected at least 0, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: expected more than 0 and at most 1, got {self.top_p}")
        if not self.temperature >= 0:
            raise ValueError(f"temperature: expected at least 0, got {self.temperature}")

    def draw(self, logits: Tensor, chance: Tensor) -> Tensor:
        """Logits (b, k) and numbers in [0, 1) (b,) -> values (b,), by the inverse of the distribution."""
        if self.temperature == 0 or self.top_k == 1:
            return logits.argmax(-1)
        size = logits.shape[-1]
        values, which = logits.topk(min(self.top_k or size, size))
        p = values.mul_(1 / self.temperature).softmax(-1)
        sums = p.cumsum(-1)
        if self.top_p < 1:
            p = p.masked_fill(sums - p >= self.top_p, 0.0)  # the first is never left out
            sums = p.cumsum(-1)
        place = (sums <= chance[:, None] * sums[:, -1:]).sum(-1, keepdim=True).clamp(max=values.shape[-1] - 1)
        return which.gather(1, place)[:, 0]


class Layer:
    """The weights of a block as a step wants them, the keys and values of the text, and the axis's cache."""

    cache: Tensor
    keys: Tensor
    values: Tensor
    length: int  # of a line

    def __init__(self, block: Any, text: Tensor, mask: Tensor, dtype: torch.dtype):
        attention, cross = block.attention, block.to_text
        dim = attention.to_out.weight.shape[0]
        self.axis, self.wide, self.heads = attention.axis, attention.wide, attention.heads
        self.width = dim // self.heads
        self.norms = [
            (n.weight.to(dtype), n.bias.to(dtype)) for n in (block.norm_self, block.norm_text, block.norm_mlp)
        ]
        qkv = attention.to_qkv.weight.clone()
        qkv[:dim] *= self.width**-0.5
        self.qkv, self.out = qkv.to(dtype), attention.to_out.weight.to(dtype)
        self.to_q = (cross.to_q.weight * self.width**-0.5).to(dtype)
        self.text_out = cross.to_out.weight.to(dtype)
        self.first = (block.mlp[0].weight.to(dtype), block.mlp[0].bias.to(dtype))
        self.second = (block.mlp[2].weight.to(dtype), block.mlp[2].bias.to(dtype))
        k, v = cross.keys_values(text)
        self.text_k = k.flatten(0, 1).transpose(1, 2).to(dtype).contiguous()  # (r a, k, l)
        self.text_v = v.flatten(0, 1).to(dtype).contiguous()
        hidden = torch.zeros(mask.shape, device=text.device, dtype=dtype).masked_fill(~mask, -torch.inf)
        self.text_mask = hidden[:, None, None].expand(len(text), self.heads, 1, -1).flatten(0, 1).contiguous()

    def turn(self, i: int, j: int) -> None:
        """A new line begins: what was this one becomes the one before."""
        if self.wide and j == 0 and (self.axis == "C" or i == 0):
            self.cache[..., : self.length, :] = self.cache[..., self.length :, :]

    def place(self, t: int, i: int, j: int, width: int) -> tuple[int, int, int]:
        """For a token: its line, the first key that it sees, and where its own goes."""
        if self.axis == "T":
            return i * width + j, 0, t
        line, at, alone = (j, i, t == 0) if self.axis == "R" else (0, j, t == i == 0)
        if not self.wide:
            return line, 0, at
        return line, self.length if alone else 0, self.length + at


class TokenDecoder:
    """The videos of one batch in the making. `run` draws them; `replay` gives the logits of known ones."""

    def __init__(self, model: Generator, text: Tensor, mask: Tensor, frames: int, sampling: TokenSampling):
        self.model, self.sampling = model, sampling
        self.frames, self.grid = frames, model.grid
        device, self.videos = model.start.device, len(text)
        self.dtype = self._dtype(device.type)
        with torch.autocast(device.type, enabled=False):
            text, mask, self.branches = branches(
                text.to(device), mask.to(device), sampling.guidance, model.learned_text, model.null_text
            )
            text = text.float()
            self.rows = len(text)
            self.tables = [table.to(self.dtype) for table in model.tokenizer.tables()]
            self.embed = model.embed.weight.to(self.dtype).T
            places = (model.time[:frames] + model.row + model.column).flatten(0, 2) + model.embed.bias
            self.places = places.to(self.dtype)[:, None]  # (n, 1, d)
            self.layers = [Layer(b, text, mask, self.dtype) for b in model.blocks]
            for layer in self.layers:
                self._make_cache(layer)
        self.tokens = len(self.places)
        index = model.neighbours[: self.tokens]
        self.neighbours = torch.where(index < 0, self.tokens, index)  # (n, neighbours)
        self.beside = self.neighbours.unbind(0)
        self.vectors = torch.zeros(
            self.videos, self.tokens + 1, model.tokenizer.vector_dim, device=device, dtype=self.dtype
        )
        self.vectors[:, -1] = model.start
        self.codes = torch.zeros(self.videos, self.tokens, len(self.tables), device=device, dtype=torch.long)

    def _dtype(self, device: str) -> torch.dtype:
        """What it computes in: float32, or that of autocast where there are rows enough for it to pay."""
        if not torch.is_autocast_enabled(device) or (device == "cpu" and self.videos < FEW):
            return torch.float32
        return torch.get_autocast_dtype(device)

    def _make_cache(self, layer: Layer) -> None:
        height, width = self.grid
        lines, layer.length = {"T": (height * width, self.frames), "R": (width, height), "C": (1, width)}[layer.axis]
        room = layer.length * 2 if layer.wide else layer.length
        layer.cache = self.places.new_zeros(2, self.rows, layer.heads, lines, room, layer.width)
        layer.keys, layer.values = layer.cache.flatten(1, 2)  # (r a, lines, room, k) each

    def run(
        self, rng: Sequence[torch.Generator], prefix: Tensor | None, on_token: Callable[[int, int, Tensor], None] | None
    ) -> Tensor:
        """-> codes (b, t, p, g). A video's numbers come from its own generator, whatever else is in the batch.

        prefix: codes (b, t', p, g) that are given. on_token(done, of, codes so far) now and then.
        """
        with torch.autocast(self.codes.device.type, enabled=False):  # the types are chosen already
            return self._run(rng, prefix, on_token)

    def _run(
        self, rng: Sequence[torch.Generator], prefix: Tensor | None, on_token: Callable[[int, int, Tensor], None] | None
    ) -> Tensor:
        chances, known, width = self._chances(rng), self._begin(prefix), self.grid[1]
        for n in range(self.tokens):
            x = self.step(n)
            if n >= known:
                self._draw(n, x, chances[n])
            self._enter(n)
            if (n + 1) % width == 0:
                if not bool(x.isfinite().all()):
                    raise ValueError("generator: the model gave NaN or infinity; nothing was sampled")
                if on_token:
                    on_token(n + 1, self.tokens, self._grid())
        return self._grid()

    def _chances(self, rng: Sequence[torch.Generator]) -> Tensor:
        """A number in [0, 1) for each part of each token of each video (n, g, b), whatever the order of drawing."""
        shape = self.tokens, len(self.tables)
        return torch.stack([torch.rand(shape, generator=g) for g in rng], -1).to(self.codes.device)

    def _begin(self, prefix: Tensor | None) -> int:
        """Enter the codes that are given (b, t', p, g); how many tokens they are."""
        if prefix is None:
            return 0
        known = prefix.shape[1] * prefix.shape[2]
        self.codes[:, :known] = prefix.flatten(1, 2)
        return known

    def replay(self, codes: Tensor) -> list[Tensor]:
        """Logits of each part (r, n, values), token by token, where the tokens are `codes` (b, t, p, g)."""
        self.codes[:] = codes.flatten(1, 2)
        states = []
        for n in range(self.tokens):
            states.append(self.step(n))
            self._enter(n)
        return self._logits(torch.stack(states, 1))

    def _logits(self, states: Tensor) -> list[Tensor]:
        """Of states (r, n, d) of known tokens."""
        cond = self.codes.repeat(self.branches, 1, 1)
        with torch.autocast(self.codes.device.type, enabled=False):
            return self.model.logits_of(self.model.norm(states.float()), cond)

    def step(self, n: int) -> Tensor:
        """The state (r, d) of token n, of all before it."""
        height, width = self.grid
        t, i, j = n // (height * width), n // width % height, n % width
        beside = self.vectors.index_select(1, self.beside[n]).view(self.videos, -1)
        x = torch.addmm(self.places[n], beside, self.embed)
        if self.branches > 1:
            x = x.repeat(self.branches, 1)
        for layer in self.layers:
            if n:
                layer.turn(i, j)
            x = _through(layer, x, *layer.place(t, i, j, width))
        return x

    def _draw(self, n: int, x: Tensor, chances: Tensor) -> None:
        """Parts of the codes of token n, one after the other, from its states (r, d)."""
        x = self.model.norm(x.float())
        for part, head in enumerate(self.model.heads):
            before = self.codes[:, n, :part]
            logits = head(x, before.repeat(self.branches, 1)).float()
            logits = guided(logits, self.branches, self.sampling.guidance)
            self.codes[:, n, part] = self.sampling.draw(logits, chances[part])

    def _enter(self, n: int) -> None:
        """Token n is known: later ones may look at its vector."""
        first = 0
        for part, table in enumerate(self.tables):
            last = first + table.shape[1]
            self.vectors[:, n, first:last] = table.index_select(0, self.codes[:, n, part])
            first = last

    def _grid(self) -> Tensor:
        return self.codes.unflatten(1, (self.frames, -1)).clone()


def _through(layer: Layer, x: Tensor, line: int, first: int, at: int) -> Tensor:
    """One block, for one token of each row: (r, d) -> (r, d)."""
    r, d = x.shape
    width = layer.cache.shape[-1]
    cells, shape = r * d // width, (d,)
    weight, bias = layer.norms[0]
    qkv = F.linear(F.layer_norm(x, shape, weight, bias), layer.qkv).view(r, 3, -1, width)
    layer.cache[:, :, :, line, at] = qkv[:, 1:].transpose(0, 1)
    q = qkv[:, 0].reshape(cells, 1, width)
    keys, values = layer.keys[:, line, first : at + 1], layer.values[:, line, first : at + 1]
    seen = torch.bmm(torch.bmm(q, keys.transpose(1, 2)).softmax(-1), values)
    x = torch.addmm(x, seen.view(r, d), layer.out.T)
    weight, bias = layer.norms[1]
    q = F.linear(F.layer_norm(x, shape, weight, bias), layer.to_q).view(cells, 1, width)
    attended = torch.bmm(torch.baddbmm(layer.text_mask, q, layer.text_k).softmax(-1), layer.text_v)
    x = torch.addmm(x, attended.view(r, d), layer.text_out.T)
    weight, bias = layer.norms[2]
    h = F.gelu(F.linear(F.layer_norm(x, shape, weight, bias), *layer.first))
    return x.add_(layer.second[1]).addmm_(h, layer.second[0].T)
