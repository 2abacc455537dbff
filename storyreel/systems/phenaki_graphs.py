"""Phenaki's two networks of generation, as functions of tensors alone, which can be written as ONNX graphs.

    codes with holes, text, guidance --PriorGraph--> logits
    codes, text --FramesGraph--> pixels

One video at a time: axes as in `phenaki`, without b but for the text (1, l, d), of which every token counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from storyreel.systems.palette import PaletteStage, ReadText
from storyreel.systems.pixels import shown

if TYPE_CHECKING:
    from storyreel.systems.phenaki import MaskGit, Phenaki


class PriorGraph(nn.Module):
    """Codes int64 (t, p, g) with `mask_id` holes, text (1, l, d), guidance () -> logits (n, sum of the sizes)."""

    def __init__(self, prior: MaskGit) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, codes: Tensor, text: Tensor, guidance: Tensor) -> Tensor:
        p = self.prior
        everything = torch.ones_like(text[..., 0]) > 0
        text, everything = p.learned_text(text, everything)
        null = p.null_text.expand(1, text.shape[1], -1)
        first = torch.cumsum(torch.ones_like(text[..., 0]), 1) < 1.5
        memory = p.text_memory(torch.cat([text, null]))
        states = p.hidden(codes[None].repeat(2, 1, 1, 1), memory, torch.cat([everything, first]))
        cond, uncond = p.to_logits(states)
        return uncond + (cond - uncond) * guidance


class FramesGraph(nn.Module):
    """Codes int64 (t, p, g), text (1, l, d) -> uint8 (f, h, w, 4); alpha is 0 or 255, and color 0 where it is 0."""

    def __init__(self, system: Phenaki) -> None:
        super().__init__()
        self.tokenizer, self.decoder, self.refiner = system.tokenizer, system.decoder, system.refiner

    def forward(self, codes: Tensor, text: Tensor) -> Tensor:
        everything = torch.ones_like(text[..., 0]) > 0
        if self.decoder is None:
            video = self.tokenizer.decode(codes[None])
        else:
            read = self.decoder.read_text(text, everything)
            video = _painted(self.decoder, self.decoder.features(codes[None], read), read)
        if self.refiner is not None:
            read = self.refiner.read_text(text, everything)
            video = _painted(self.refiner, self.refiner.features(video.clamp(-1, 1), read), read)
        video = shown(video, transparent=True)[0]
        pixels = ((video.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0)  # (f, h, w, c)
        opaque = torch.full_like(pixels[..., :1], 255)
        seen = torch.cat([pixels[..., :3], opaque], -1)
        return seen if pixels.shape[-1] == 3 else torch.where(pixels[..., 3:] > 127, seen, torch.zeros_like(opaque))


def _painted(stage: PaletteStage[Any], x: Tensor, read: ReadText) -> Tensor:
    """As `PaletteStage.painted` of one video, frame by frame, to save memory: (1, f, h, w, e) -> (1, 4, f, h, w)."""
    named = 0 if read.colors is None else read.colors[0]
    at = torch.stack([(stage.to_color(frame) + named).argmax(-1) for frame in x[0]])
    alpha = 2 * stage.to_alpha(x[0]).sigmoid() - 1
    return torch.cat([stage.colors[at], alpha], -1).permute(3, 0, 1, 2)[None]


def graphs_of(system: Phenaki) -> dict[str, Any]:
    """What a page needs to run this model; see `System.graphs`."""
    c, prior = system.config, system.config.prior
    codes = system.prior.mask_id.expand(prior.latent_frames, c.tokenizer.grid**2, -1).clone()
    text = torch.randn(1, 7, system.text_dim, generator=torch.Generator().manual_seed(0))
    filled = torch.zeros_like(codes)
    return {
        "networks": {
            "prior": (PriorGraph(system.prior), {"codes": codes, "text": text, "guidance": torch.tensor(2.0)}),
            "frames": (FramesGraph(system), {"codes": filled, "text": text}),
        },
        "settings": {
            "sizes": list(system.tokenizer.sizes),
            "tokens": codes.shape[0] * codes.shape[1],
            "frames": c.frames,
            "side": c.tokenizer.size,
            "fps": float(c.fps),
            "steps": prior.steps,
            "guidance": prior.guidance,
            "temperature": prior.temperature,
            "shape": list(codes.shape),
        },
    }
