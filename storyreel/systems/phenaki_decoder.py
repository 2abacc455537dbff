"""A decoder of Phenaki's codes that reads the text and paints with a palette. It is not in the paper.

    codes (b, t, p, g), text --> colors of a palette, alpha --> video (b, 4, f, h, w)

C-ViViT's own decoder gives the mean of all videos that a code may stand for, so what a code does not tell is blurred
and its colors are mixed. Two things help pixel art: the text tells again what the codes have lost (which color, which
garment), and each pixel is a choice among the colors of a palette, which is never a mixture. The codes, and so the
prior, stay as they are: the tokenizer is frozen. It begins with the weights of the tokenizer's decoder.

Axes as in `phenaki_tokenizer`; d width, e width of a pixel's features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from storyreel.field_ranges import Share
from storyreel.nn.attention import PreNormBlock
from storyreel.nn.gumbel import gumbel
from storyreel.nn.null_text import drawn, without_text
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.palette import PaletteConfig, PaletteStage, ReadText
from storyreel.systems.phenaki_tokenizer import CViViT, unfolded


@dataclass(frozen=True, kw_only=True)
class PaletteDecoderConfig(PaletteConfig):
    """Its blocks and its trunk have the tokenizer's widths."""

    wrong_digits: Share = 0.03  # of the digits of a code at most, in training: a prior makes mistakes
    refilled: Share = 0.0  # of the tokens at most, in training: hidden, and filled in by the prior as the text says


class Prior(Protocol):
    """What fills in codes with holes."""

    mask_id: Tensor

    def logits(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]: ...


class PaletteDecoder(PaletteStage[PaletteDecoderConfig]):
    """Codes and a text to a video whose pixels have colors of a palette."""

    def __init__(self, config: PaletteDecoderConfig, tokenizer: CViViT, prior: Prior | None = None):
        """prior: fills in codes (`refilled`)."""
        super().__init__(config)
        c = tokenizer.config
        if c.channels != 4 or not c.widths:
            raise ValueError("decoder: expected a tokenizer of four channels, with a convolutional trunk (`widths`)")
        self._frozen, self._prior = (tokenizer,), (prior,)  # in tuples, so that their weights are not this stage's
        self.register_buffer("sizes", torch.tensor(tokenizer.sizes), persistent=False)  # values of each digit
        self.time = nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp) for _ in range(c.time_depth))
        self.add_space(c.grid, c.dim, c.heads, c.mlp)
        self.to_frame = nn.Linear(c.dim, c.widths[-1])
        self.to_tube = nn.Linear(c.dim, c.widths[-1] * c.tube)
        self.add_pixels(c.widths, c.blocks, c.patch)
        for block in self.space[c.space_depth :]:
            nn.init.zeros_(block.attention.to_out.weight)  # pyright: ignore
            nn.init.zeros_(block.mlp[-1].weight)  # pyright: ignore

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
        read = self.read_text(text, text_mask)
        return self.painted(self.features(codes, read), read.colors)

    def features(self, codes: Tensor, read: ReadText, some: Tensor | None = None) -> Tensor:
        """Of each pixel, (b, f, h, w, e); of the frames `some` (b, f) of each clip, where not all are wanted."""
        c, (b, t) = self.tokenizer.config, codes.shape[:2]
        with torch.no_grad():
            x = self.tokenizer.quantize.lookup(codes)
        x = self.tokenizer.through_time(self.time, x.flatten(0, 1), b).flatten(0, 1) + self.position
        x = self.with_text(x, read)
        frames = unfolded(x.unflatten(0, (b, t)), self.to_frame, self.to_tube, c.tube)
        if some is not None:
            frames = frames.take_along_dim(some[:, :, None, None], 1)
        return self.pixels(frames)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """As `loss_of` says, of `frames` frames of each clip."""
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
        read = self.read_text(text, text_mask)
        x = self.features(codes, read, some)
        return self.loss_of(x, video.take_along_dim(some[:, None, :, None, None], 2), tick.rng, read.colors)

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
