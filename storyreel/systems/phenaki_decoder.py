"""A decoder of Phenaki's codes that reads the text and paints with a palette. It is not in the paper.

    codes (b, t, p, g), text --> colors of a palette, alpha --> video (b, 4, f, h, w)

C-ViViT's own decoder gives the mean of all videos that a code may stand for, so what a code does not tell is blurred
and its colors are mixed. Two things help pixel art: the text tells again what the codes have lost (which color, which
garment), and each pixel is a choice among the colors of a palette, which is never a mixture. The codes, and so the
prior, stay as they are: the tokenizer is frozen. It begins with the weights of the tokenizer's decoder.

Axes as in `phenaki_tokenizer`; k colors, d width, e width of a pixel's features, v visible pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from storyreel.field_ranges import Colors, Count, Depth, Share, Width
from storyreel.nn.attention import Block
from storyreel.nn.conv import Upsampler
from storyreel.nn.gumbel import gumbel
from storyreel.nn.null_text import drawn, without_text
from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.systems.phenaki_tokenizer import CViViT, unfolded
from storyreel.systems.pixels import BACKGROUND


@dataclass(frozen=True, kw_only=True)
class PaletteDecoderConfig:
    """Its blocks and its trunk have the tokenizer's widths."""

    palette: Colors  # its colors, six hex digits each
    text_dim: Width = 384
    depth: Depth = 3  # blocks in space, which read the text; the first ones begin as the tokenizer's
    features: Width = 24  # e
    frames: Count = 3  # of each clip that are painted in a step of training
    pixels: Count = 500  # visible pixels a clip whose color is learned in a step
    near: float = 4.0  # weight of the expected squared distance from the right color
    drop_text: Share = 0.1
    wrong_digits: Share = 0.03  # of the digits of a code at most, in training: a prior makes mistakes
    refilled: Share = 0.0  # of the tokens at most, in training: hidden, and filled in by the prior as the text says

    def colors(self) -> Tensor:
        """uint8 (k, 3). ValueError where the palette is no list of colors."""
        digits = "".join(self.palette.split())
        if not digits or len(digits) % 6 or not all(c in "0123456789abcdefABCDEF" for c in digits):
            raise ValueError("palette: wanted colors of six hex digits each")
        return torch.frombuffer(bytearray.fromhex(digits), dtype=torch.uint8).view(-1, 3)


class Prior(Protocol):
    """What fills in codes with holes."""

    mask_id: Tensor

    def logits(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]: ...


class PaletteDecoder(Stage):
    """Codes and a text to a video whose pixels have colors of a palette."""

    needs_text = True
    capturable = True

    def __init__(self, config: PaletteDecoderConfig, tokenizer: CViViT, prior: Prior | None = None):
        """prior: fills in codes (`refilled`)."""
        super().__init__()
        self.config, c = config, tokenizer.config
        if c.channels != 4 or not c.widths:
            raise ValueError("decoder: wanted a tokenizer of four channels, with a convolutional trunk (`widths`)")
        self._frozen, self._prior = (tokenizer,), (prior,)  # in tuples, so that their weights are not this stage's
        colors = config.colors().float() / 127.5 - 1
        self.register_buffer("colors", colors, persistent=False)
        self.register_buffer("sizes", torch.tensor(tokenizer.sizes), persistent=False)  # values of each digit
        self.time = nn.ModuleList(Block(c.dim, c.heads, c.mlp) for _ in range(c.time_depth))
        self.position = nn.Parameter(torch.zeros(c.grid**2, c.dim))
        self.space = nn.ModuleList(Block(c.dim, c.heads, c.mlp, config.text_dim) for _ in range(config.depth))
        self.null_text = nn.Parameter(torch.zeros(config.text_dim))
        self.to_frame = nn.Linear(c.dim, c.widths[-1])
        self.to_tube = nn.Linear(c.dim, c.widths[-1] * c.tube)
        self.up = Upsampler(c.widths, c.blocks)
        self.cell = c.patch // 2 ** (len(c.widths) - 1)
        self.to_pixels = nn.Linear(self.up.width, config.features * self.cell**2)
        self.to_alpha = nn.Linear(config.features, 1)
        self.to_color = nn.Linear(config.features, len(colors))
        for block in self.space:
            nn.init.zeros_(block.to_text.to_out.weight)  # pyright: ignore
        for block in self.space[c.space_depth :]:
            nn.init.zeros_(block.attention.to_out.weight)  # pyright: ignore
            nn.init.zeros_(block.mlp[-1].weight)  # pyright: ignore

    colors: Tensor
    sizes: Tensor

    @property
    def tokenizer(self) -> CViViT:
        return self._frozen[0]

    @torch.no_grad()
    def begin(self) -> None:
        """With the weights of the tokenizer's decoder, where it has not learned yet."""
        if self.position.any():
            return
        t = self.tokenizer
        pairs = [(self.time, t.decode_time), (self.to_frame, t.to_frame), (self.to_tube, t.to_tube)]
        pairs += [(self.up, t.trunk_back.up), *zip(self.space, t.decode_space, strict=False)]
        for mine, theirs in pairs:
            mine.load_state_dict(theirs.state_dict(), strict=False)  # all but the attention to the text
        self.position.copy_(t.decode_position)

    def decode(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Codes (b, t, p, g), text (b, l, text_dim) and its mask -> (b, 4, f, h, w): colors of the palette, alpha.

        Alpha is in [-1, 1]; where it is not above 0, the color is that of the background.
        """
        self.tokenizer.check(codes)
        x = self.features(codes, text, text_mask)
        alpha = 2 * self.to_alpha(x).float().sigmoid() - 1  # (b, f, h, w, 1)
        solid = alpha[..., 0] > 0
        rgb = x.new_full((*x.shape[:-1], 3), BACKGROUND, dtype=torch.float32)
        rgb[solid] = self.colors[self.to_color(x[solid]).argmax(-1)]
        return rearrange(torch.cat([rgb, alpha], -1), "b f h w c -> b c f h w")

    def features(self, codes: Tensor, text: Tensor, text_mask: Tensor, some: Tensor | None = None) -> Tensor:
        """Of each pixel, (b, f, h, w, e); of the frames `some` (b, f) of each clip, where not all are wanted."""
        c, (b, t) = self.tokenizer.config, codes.shape[:2]
        with torch.no_grad():
            x = self.tokenizer.quantize.lookup(codes)
        x = self.tokenizer.through_time(self.time, x.flatten(0, 1), b).flatten(0, 1) + self.position
        mask = text_mask.repeat_interleave(t, 0)
        for block in self.space:
            keys, values = (each.repeat_interleave(t, 0) for each in block.to_text.keys_values(text))  # pyright: ignore
            x = block(x, None, (keys, values), mask)
        frames = unfolded(x.unflatten(0, (b, t)), self.to_frame, self.to_tube, c.tube)
        if some is not None:
            frames = frames.take_along_dim(some[:, :, None, None], 1)
        x = self.up(rearrange(frames, "b f (h w) d -> (b f) h w d", h=c.grid))
        x = rearrange(self.to_pixels(x), "n h w (e p1 p2) -> n (h p1) (w p2) e", p1=self.cell, p2=self.cell)
        return x.unflatten(0, (b, -1))

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Nats a visible pixel: of its color, and its share of those of alpha; plus `near` times the distance."""
        video, c = batch["video"], self.config
        with torch.no_grad():
            codes = self.tokenizer.encode(video)
            if c.refilled:
                codes = self._refilled(codes, batch["text"], batch["text_mask"], tick.rng)
            codes = self._disturbed(codes, tick.rng)
        dropped = drawn(len(video), c.drop_text, tick.rng, video.device)
        text, text_mask = without_text(batch["text"], batch["text_mask"], self.null_text, dropped)
        some = torch.rand(len(video), video.shape[2], generator=tick.rng, device=tick.rng.device)
        some = some.argsort(1)[:, : c.frames].to(video.device)
        x = self.features(codes, text, text_mask, some)
        video = video.take_along_dim(some[:, None, :, None, None], 2)
        solid = video[:, 3] > 0
        alpha = F.binary_cross_entropy_with_logits(self.to_alpha(x)[..., 0].float(), solid.float())
        at = self._visible(solid.flatten(), c.pixels * len(video), tick.rng)
        counts = solid.flatten()[at].float()  # where there are too few visible pixels, others are among them
        logits = self.to_color(x.flatten(0, 3)[at]).float()
        target = self._nearest(rearrange(video[:, :3], "b c f h w -> (b f h w) c")[at])
        color = F.cross_entropy(logits, target, reduction="none")
        near = (logits.softmax(-1) * self._distances()[target]).sum(-1)
        hits = (logits.argmax(-1) == target).float()
        color, near, hits = ((each * counts).sum() / counts.sum().clamp(min=1) for each in (color, near, hits))
        total = color + alpha * solid.numel() / solid.sum().clamp(min=1) + c.near * near
        return Loss(total, {k: v.detach() for k, v in dict(color=color, alpha=alpha, near=near, hits=hits).items()})

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.decode(cond["codes"], cond["text"], cond["text_mask"])

    @torch.no_grad()
    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: each clip above what is left of it."""
        video, text, mask = (batch[k][:4] for k in ("video", "text", "text_mask"))
        return torch.stack([video, self.decode(self.tokenizer.encode(video), text, mask)], 1).flatten(0, 1)

    def _refilled(self, codes: Tensor, text: Tensor, text_mask: Tensor, rng: torch.Generator) -> Tensor:
        """With a share of tokens, another one in each clip, drawn at once from what the prior says of them.

        It errs as it does when it generates, in what the text says as well; the clip and the text are right.
        """
        (prior,) = self._prior
        if prior is None:
            raise ValueError("refilled: this decoder has no prior that could fill in codes")
        share = torch.rand(len(codes), 1, 1, 1, generator=rng, device=rng.device)
        draw = torch.rand((*codes.shape[:3], 1), generator=rng, device=rng.device)
        hidden = (draw < share * self.config.refilled).to(codes.device)
        logits = prior.logits(torch.where(hidden, prior.mask_id, codes), text, text_mask)
        drawn_anew = [(each.float() + gumbel(each.shape, rng).to(each.device)).argmax(-1) for each in logits]
        return torch.where(hidden, torch.stack(drawn_anew, -1), codes)

    def _disturbed(self, codes: Tensor, rng: torch.Generator) -> Tensor:
        """With a share of digits drawn anew, another share in each clip."""
        draw = torch.rand(codes.shape, generator=rng, device=rng.device).to(codes.device)
        share = torch.rand(len(codes), 1, 1, 1, generator=rng, device=rng.device).to(codes.device)
        anew = torch.rand(codes.shape, generator=rng, device=rng.device).to(codes.device)
        return torch.where(draw < share * self.config.wrong_digits, (anew * self.sizes).long(), codes)

    @staticmethod
    def _visible(solid: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """Places (count,) of visible pixels, drawn from bool (n,), and of others where there are too few."""
        draw = torch.rand(len(solid), generator=rng, device=rng.device).to(solid.device)
        return torch.where(solid, draw + 1, draw).topk(min(count, len(solid)), sorted=False).indices

    def _nearest(self, real: Tensor) -> Tensor:
        """Colors (v, 3) in [-1, 1] -> the nearest of the palette, int64 (v,)."""
        device = "cpu" if real.is_meta else real.device.type  # when costs are counted there is no device
        with torch.autocast(device, enabled=False):  # bfloat16 would miss the nearest
            return (self.colors.square().sum(-1) - 2 * real.float() @ self.colors.T).argmin(-1)

    def _distances(self) -> Tensor:
        """Squared, in units of [-1, 1], between all colors (k, k)."""
        return (self.colors[:, None] - self.colors).square().sum(-1)
