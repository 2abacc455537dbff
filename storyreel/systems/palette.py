"""Stages that read the text and paint: each pixel is a choice among the colors of a palette.

Pixel art has few colors, and a network that gives the mean of what is likely mixes them. A classifier has nothing to
average. It is in none of the papers.

Axes: b batch, f frames, p patches of a frame, d width, h rows, w columns, e features of a pixel, k colors, v visible
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from storyreel.field_ranges import Colors, Count, Depth, Share, Width
from storyreel.nn.attention import PreNormBlock
from storyreel.nn.conv import Upsampler
from storyreel.nn.text_adapter import TextAdapter
from storyreel.systems.base import Loss, Stage
from storyreel.systems.pixels import BACKGROUND

TEXT_WIDTH = 192  # of the transformer on the text
AT_ONCE = 512  # pixels that are painted at a time: their logits stay in the cache of a processor
PREFERRED, UNSEEN = 0.6, 0.2  # power of the counts of a picture's colors; count of a color that it has not


@dataclass(frozen=True, kw_only=True)
class PaletteConfig:
    """What stages that paint with a palette and read the text have in common."""

    palette: Colors  # its colors, six hex digits each
    text_dim: Width = 384
    text_layers: Depth = 0  # of a transformer on the text, which is trained with the stage
    text_colors: bool = False  # the text alone, through that transformer, makes colors of the palette likelier
    depth: Depth = 3  # blocks in space, which read the text
    features: Width = 24  # e
    frames: Count = 3  # of each clip that are painted in a step of training
    pixels: Count = 500  # visible pixels a clip whose color is learned in a step
    balance: Share = 0.0  # of colors: 0 draws every visible pixel alike, 1 every color of a clip
    near: float = 4.0  # weight of the expected squared distance from the right color
    drop_text: Share = 0.1

    def __post_init__(self) -> None:
        if self.text_colors and not self.text_layers:
            raise ValueError("text_colors: expected text_layers of 1 or more")

    def colors(self) -> Tensor:
        """uint8 (k, 3). ValueError where the palette is no list of colors."""
        digits = "".join(self.palette.split())
        if not digits or len(digits) % 6 or not all(c in "0123456789abcdefABCDEF" for c in digits):
            raise ValueError("palette: expected colors of six hex digits each")
        return torch.frombuffer(bytearray.fromhex(digits), dtype=torch.uint8).view(-1, 3)


class ReadText(NamedTuple):
    """What a stage reads of texts: states (b, l, text_dim), their mask (b, l), and what the text adds to the logits of
    the colors of each pixel (b, k), or None."""

    states: Tensor
    mask: Tensor
    colors: Tensor | None


C = TypeVar("C", bound=PaletteConfig)


class PaletteStage(Stage, Generic[C]):
    """A stage that ends in features of each pixel, from which its alpha and color are read."""

    needs_text = True
    capturable = True

    def __init__(self, config: C):
        super().__init__()
        self.config = config
        self.register_buffer("colors", config.colors().float() / 127.5 - 1, persistent=False)

    colors: Tensor
    config: C

    def add_space(self, grid: int, dim: int, heads: int, mlp: int) -> None:
        """Blocks in space over grid x grid patches; the text changes nothing before it is learned."""
        c = self.config
        self.grid = grid
        self.position = nn.Parameter(torch.zeros(grid**2, dim))
        self.space = nn.ModuleList(PreNormBlock(dim, heads, mlp, c.text_dim) for _ in range(c.depth))
        self.null_text = nn.Parameter(torch.zeros(c.text_dim))
        if c.text_layers:
            self.adapter = TextAdapter(c.text_dim, TEXT_WIDTH, c.text_layers)
            self.adapted = nn.Linear(TEXT_WIDTH, c.text_dim, bias=False)
            nn.init.zeros_(self.adapted.weight)
        if c.text_colors:
            self.named = nn.Sequential(
                nn.Linear(TEXT_WIDTH, TEXT_WIDTH), nn.GELU(), nn.Linear(TEXT_WIDTH, len(self.colors), bias=False)
            )
            nn.init.zeros_(self.named[-1].weight)  # pyright: ignore
        for block in self.space:
            nn.init.zeros_(block.to_text.to_out.weight)  # pyright: ignore

    def add_pixels(self, widths: tuple[int, ...], blocks: int, patch: int) -> None:
        """The way from patches to pixels, and what reads alpha and color from their features."""
        e = self.config.features
        self.up = Upsampler(widths, blocks)
        self.cell = patch // 2 ** (len(widths) - 1)
        self.to_pixels = nn.Linear(self.up.width, e * self.cell**2)
        self.to_alpha, self.to_color = nn.Linear(e, 1), nn.Linear(e, len(self.colors))

    def read_text(self, text: Tensor, text_mask: Tensor) -> ReadText:
        """Of states (b, l, text_dim) and their mask."""
        colors = None
        if self.config.text_layers:
            adapted = self.adapter(text, text_mask)
            text = text + self.adapted(adapted)
            if self.config.text_colors:
                there = text_mask[..., None].to(adapted.dtype)
                colors = self.named((adapted * there).sum(1) / there.sum(1).clamp(min=1))
        return ReadText(text, text_mask, colors)

    def with_text(self, x: Tensor, read: ReadText) -> Tensor:
        """Patches (b f, p, d), of f frames that belong to each text, after the blocks in space."""
        frames = len(x) // len(read.states)
        mask = read.mask.repeat_interleave(frames, 0)
        for block in self.space:
            keys, values = block.to_text.keys_values(read.states)  # pyright: ignore
            x = block(x, None, (keys.repeat_interleave(frames, 0), values.repeat_interleave(frames, 0)), mask)
        return x

    def pixels(self, x: Tensor) -> Tensor:
        """Patches (b, f, p, width) -> features (b, f, h, w, e)."""
        return self.features_of(self.up(rearrange(x, "b f (h w) d -> (b f) h w d", h=self.grid)), len(x))

    def features_of(self, x: Tensor, clips: int) -> Tensor:
        """Cells (b f, h', w', width of `up`), of b clips -> features (b, f, h, w, e)."""
        x = rearrange(self.to_pixels(x), "n h w (e p1 p2) -> n (h p1) (w p2) e", p1=self.cell, p2=self.cell)
        return x.unflatten(0, (clips, -1))

    def painted(self, x: Tensor, colors: Tensor | None = None) -> Tensor:
        """Features (b, f, h, w, e), and `ReadText.colors` -> (b, 4, f, h, w): colors of the palette, alpha.

        Alpha is in [-1, 1]; where it is not above 0, the color is that of the background.
        """
        alpha = 2 * self.to_alpha(x).float().sigmoid() - 1  # (b, f, h, w, 1)
        solid = alpha[..., 0] > 0
        rgb = x.new_full((*x.shape[:-1], 3), BACKGROUND, dtype=torch.float32)
        parts = zip(x[solid].split(AT_ONCE), solid.nonzero()[:, 0].split(AT_ONCE), strict=True)
        chosen = [self._likeliest(pixels, clip, colors) for pixels, clip in parts]
        rgb[solid] = self.colors[torch.cat(chosen)]
        return rearrange(torch.cat([rgb, alpha], -1), "b f h w c -> b c f h w")

    def _likeliest(self, x: Tensor, clip: Tensor, colors: Tensor | None) -> Tensor:
        """Features (v, e) of pixels and the clips (v,) that they are of -> the likeliest color of each, int64 (v,)."""
        logits = self.to_color(x)
        return (logits if colors is None else logits + colors[clip]).argmax(-1)

    def loss_of(self, x: Tensor, video: Tensor, rng: torch.Generator, colors: Tensor | None = None) -> Loss:
        """Nats a visible pixel: of its color, and its share of those of alpha; plus `near` times the distance.

        x: features (b, f, h, w, e) of each pixel of `video` (b, 4, f, h, w). colors: `ReadText.colors`.
        """
        c = self.config
        solid = video[:, 3] > 0
        alpha = F.binary_cross_entropy_with_logits(self.to_alpha(x)[..., 0].float(), solid.float())
        at = _visible(solid.flatten(), self._weights(video, solid), c.pixels * len(video), rng)
        counts = solid.flatten()[at].float()  # where there are too few visible pixels, others are among them
        logits = self.to_color(x.flatten(0, 3)[at]).float()
        if colors is not None:
            logits = logits + colors.float()[at // solid[0].numel()]
        target = self._nearest(rearrange(video[:, :3], "b c f h w -> (b f h w) c")[at])
        color = F.cross_entropy(logits, target, reduction="none")
        near = (logits.softmax(-1) * self._distances()[target]).sum(-1)
        hits = (logits.argmax(-1) == target).float()
        color, near, hits = ((each * counts).sum() / counts.sum().clamp(min=1) for each in (color, near, hits))
        total = color + alpha * solid.numel() / solid.sum().clamp(min=1) + c.near * near
        return Loss(total, {k: v.detach() for k, v in dict(color=color, alpha=alpha, near=near, hits=hits).items()})

    def preferred(self, picture: Tensor) -> Tensor:
        """What makes the colors of a picture (1, 4, t, h, w) likelier, the more the more of its pixels have them: to be
        added to the logits of each pixel, (1, k)."""
        pixels = rearrange(picture.float(), "1 c t h w -> (t h w) c")
        near = self._nearest(pixels[pixels[:, 3] > 0][:, :3])
        counts = torch.bincount(near, minlength=len(self.colors)).to(self.colors)
        return PREFERRED * (counts + UNSEEN).log()[None]

    def _weights(self, video: Tensor, solid: Tensor) -> Tensor | None:
        """Of each pixel, (b f h w,): n ** -balance, where n visible pixels of its clip have its color, to 5 bits."""
        if not self.config.balance:
            return None
        bits = ((video[:, :3] + 1) * 15.5).round().long()
        color = (bits[:, 0] * 32 + bits[:, 1]) * 32 + bits[:, 2]
        color = color + 32**3 * torch.arange(len(video), device=video.device)[:, None, None, None]
        n = torch.zeros(32**3 * len(video), device=video.device).index_add_(0, color.flatten(), solid.flatten().float())
        return n[color.flatten()].clamp(min=1) ** -self.config.balance

    def _nearest(self, real: Tensor) -> Tensor:
        """Colors (v, 3) in [-1, 1] -> the nearest of the palette, int64 (v,)."""
        device = "cpu" if real.is_meta else real.device.type  # when costs are counted there is no device
        with torch.autocast(device, enabled=False):  # bfloat16 would miss the nearest
            return (self.colors.square().sum(-1) - 2 * real.float() @ self.colors.T).argmin(-1)

    def _distances(self) -> Tensor:
        """Squared, in units of [-1, 1], between all colors (k, k)."""
        return (self.colors[:, None] - self.colors).square().sum(-1)


def _visible(solid: Tensor, weights: Tensor | None, count: int, rng: torch.Generator) -> Tensor:
    """Places (count,) of visible pixels, drawn from bool (n,) by their weights, and of others if there are too few."""
    draw = torch.rand(len(solid), generator=rng, device=rng.device).to(solid.device)
    if weights is not None:
        draw = draw ** (1 / weights)  # its largest are drawn by weight (Efraimidis and Spirakis 2006)
    return torch.where(solid, draw + 1, draw).topk(min(count, len(solid)), sorted=False).indices
