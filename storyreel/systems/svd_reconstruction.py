"""The first two stages of Stable Video Diffusion: the autoencoder of pictures, then its decoder in time.

    autoencoder   encoder and decoder learn from single frames
    decoder       the decoder goes on, with its layers in time, on clips; the encoder is frozen (Appendix D.1)

    L = L_2 + l1 L_1 + chroma L_chroma + kl KL(q(z|x) || N(0, 1))

The error of colour alone is that of `nn/chroma.py`: small things of another colour hardly show in squared errors.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from storyreel.nn.chroma import chroma_loss
from storyreel.nn.video_resample import cut_to_aspect
from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.systems.cascade_stage import noise_like
from storyreel.systems.svd_autoencoder import AutoencoderConfig, Decoder

ENCODED = 64  # frames at once
FOLLOWED = 0.02  # share of a batch in the running mean and deviation of latents


@dataclass(frozen=True, kw_only=True)
class ReconstructionLoss:
    """Weights of the terms beside the squared error."""

    l1: float = 0.5
    chroma: float = 0.0
    kl: float = 1e-6

    def of(self, made: Tensor, video: Tensor) -> dict[str, Tensor]:
        """The terms, and `total`, their weighted sum; both (b, c, t, h, w)."""
        off = made.float() - video
        l2, l1 = off.square().mean(), off.abs().mean()
        parts = {"total": l2 + self.l1 * l1, "l2": l2, "l1": l1, "psnr": 10 * torch.log10(4 / l2)}
        if self.chroma:
            parts["chroma"] = chroma_loss(made, video)
            parts["total"] = parts["total"] + self.chroma * parts["chroma"]
        return parts


class AutoencoderStage(Stage):
    """Encoder and decoder of pictures. A model keeps the encoder alone, since videos have a decoder of their own."""

    training_only = ("net.decoder",)
    mean: Tensor
    deviation: Tensor
    """Of each channel of the latents (c,): followed in training, or what the settings say."""

    def __init__(self, config: AutoencoderConfig, terms: ReconstructionLoss, size: tuple[int, int]):
        """size: height and width of the videos; of others the middle is learnt from."""
        super().__init__()
        self.config, self.terms, self.size, self.net = config, terms, size, config.build()
        one = torch.ones(config.latent_channels)
        self.register_buffer("mean", torch.zeros_like(one))
        self.register_buffer("deviation", one / config.scale if config.scale else one)

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        """All but the layers in time."""
        later = {id(p) for p in self.net.decoder.temporal_parameters()}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in later]

    def encode(self, video: Tensor) -> Tensor:
        """(b, c, t, h, w) -> latents at deviation one: the mode."""
        frames = video.transpose(1, 2).flatten(0, 1)[:, :, None]
        mode = torch.cat([self.net.encode(part).mode for part in frames.split(ENCODED)])
        mode = mode.view(len(video), -1, *mode.shape[1:2], *mode.shape[3:]).transpose(1, 2)
        return (mode - self._over(self.mean)) / self._over(self.deviation)

    def unscaled(self, latents: Tensor) -> Tensor:
        """Latents at deviation one as the decoder takes them."""
        return latents * self._over(self.deviation) + self._over(self.mean)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        video = cut_to_aspect(batch["video"], *self.size)
        latents = self.net.encode(video)
        noise = noise_like(latents.mean, tick.rng)
        made = self.net.decode(latents.mean + (latents.logvar / 2).exp() * noise, in_time=False)
        parts = self.terms.of(made, video)
        parts["kl"] = latents.divergence().float().mean()
        if not self.config.scale:
            self._follow(latents.mean.detach().float(), tick.step)
        total = parts.pop("total") + self.terms.kl * parts["kl"]
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.net.decode(self.unscaled(cond["latents"]), in_time=False)

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: each picture above what is left of it."""
        video = batch["video"][:4]
        made = self.net.decode(self.net.encode(video).mode, in_time=False)
        return torch.stack([video, made.to(video.dtype)], 1).flatten(0, 1)

    @torch.no_grad()
    def _follow(self, mode: Tensor, step: int) -> None:
        share = max(FOLLOWED, 1 / (1 + step))
        self.mean.lerp_(mode.mean((0, 2, 3, 4)), share)
        self.deviation.lerp_(mode.std((0, 2, 3, 4)).clamp(min=1e-4), share)

    def _over(self, values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1, 1)


class DecoderStage(Stage):
    """Latents to videos: the decoder of pictures, which begins as it was, with layers in time."""

    def __init__(self, config: AutoencoderConfig, terms: ReconstructionLoss, autoencoder: AutoencoderStage):
        super().__init__()
        self.config, self.terms, self.decoder = config, terms, Decoder(config)
        self.decoder.begin_in_time()
        self._frozen = (autoencoder,)  # in a tuple, so that its weights are not weights of this stage

    @property
    def autoencoder(self) -> AutoencoderStage:
        return self._frozen[0]

    @torch.no_grad()
    def begin(self) -> None:
        """With the weights of the decoder of pictures, unless the layers in time have learnt already."""
        temporal = self.decoder.temporal_parameters()
        if self.decoder.learnt_in_time():
            return
        later = {id(p) for p in temporal}
        theirs = self.autoencoder.net.decoder.state_dict()
        for name, parameter in self.decoder.named_parameters():
            if id(parameter) not in later:
                parameter.copy_(theirs[name])

    def decode(self, latents: Tensor, *, chunk: int = 0) -> Tensor:
        """Latents (b, c, t, h, w) at deviation one -> video (b, c', t, h', w'), about [-1, 1].

        chunk: frames at once; 0: all.
        """
        latents = self.autoencoder.unscaled(latents)
        return torch.cat([self.decoder(part) for part in latents.split(chunk or latents.shape[2], 2)], 2)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        with torch.no_grad():
            video = cut_to_aspect(batch["video"], *self.autoencoder.size)
            latents = self.autoencoder.net.encode(video)
            noise = noise_like(latents.mean, tick.rng)
            drawn = latents.mean + (latents.logvar / 2).exp() * noise
        parts = self.terms.of(self.decoder(drawn), video)
        total = parts.pop("total")
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.decode(cond["latents"])

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: each clip above what is left of it."""
        video = batch["video"][:4]
        made = self.decode(self.autoencoder.encode(video))
        return torch.stack([video, made.to(video.dtype)], 1).flatten(0, 1)
