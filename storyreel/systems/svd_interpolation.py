"""Frames between those of a clip, by Stable Video Diffusion: four times as many.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Section 4.5 and Appendix D.5.

    first and last of five frames --encoder, noised--> z_s m m m z_e, and which of them are given
    noisy latents of five frames, and these beside them (4 + 4 + 1 channels) --unet--> the five frames

m is a learned mask, a latent in place of a frame that is not given. What attention reads are the text and the tokens
of both frames. Without them (for guidance) all five are masked. Neighbouring frames of a clip are interpolated one
pair apart from the other; the frames that were given stay as they are.

Axes: b batch, c channels, t frames, h rows, w columns. Latents are float (b, c, t, h, w) at deviation one.

Differs from the paper: it goes on from our model for text, reads the text as well, and the tokens of both frames where
the paper has CLIP's embeddings.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.diffusion.noise_laws import LAWS
from storyreel.diffusion.samplers import draw_noise
from storyreel.diffusion.schedules import draw_times
from storyreel.options.generation import GenerateOptions
from storyreel.systems.base import Batch, OnProgress, Progress, Request, TextEncoder, first_texts, generators
from storyreel.systems.cascade_stage import VideoShape, noise_like
from storyreel.systems.pixels import for_model, shown
from storyreel.systems.svd_diffusion import AUGMENTATION, DiffusionConfig
from storyreel.systems.svd_reconstruction import DecoderStage
from storyreel.systems.svd_request import check_request, makes_of, request_conditions
from storyreel.systems.svd_turnaround import LaterStage, LaterSvd
from storyreel.systems.svd_unet import SvdUNetConfig

TIMES = 4  # as many frames a second
WINDOW = TIMES + 1  # frames that the network makes, with both ends
PAIRS = 8  # that are made at once


class InterpolationStage(LaterStage):
    """See the module. It learns from any five frames of a clip that follow one another."""

    def __init__(
        self, name: str, config: DiffusionConfig, unet: SvdUNetConfig, shape: VideoShape, decoder: DecoderStage
    ):
        super().__init__(name, config, unet, shape, decoder)
        self.mask_latent = nn.Parameter(torch.zeros(self.unet.config.out_channels))

    def _frames(self, x: Tensor, known: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        b, t, device = len(x), x.shape[2], x.device
        first = (torch.rand(b, generator=rng, device=rng.device).to(device) * (t - TIMES)).long()
        at = (first[:, None] + torch.arange(WINDOW, device=device)).clamp(max=t - 1)
        rate = torch.full((b,), float(self.shape.fps), device=device)
        return x.gather(2, at[:, None, :, None, None].expand(b, x.shape[1], WINDOW, *x.shape[3:])), rate

    @torch.no_grad()
    def _noised(self, x: Tensor, entries: Batch, times: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        sigma = torch.full((len(x),), AUGMENTATION, device=x.device)
        if self.diffusion.cond_noise != "fixed":
            sigma = LAWS["svd-augmentation"].level(draw_times(len(x), rng)).each(x).ratio.view(-1)
        ends = torch.stack([x[:, :, 0], x[:, :, -1]], 2)
        return ends + sigma.view(-1, 1, 1, 1, 1) * noise_like(ends, rng), sigma

    def _beside(self, latents: Tensor, shown: Tensor) -> dict[str, Tensor]:
        """latents: of both ends (b, c, 2, h, w)."""
        b, _, _, h, w = latents.shape
        tokens = [super(InterpolationStage, self)._beside(latents[:, :, i : i + 1], shown)["tokens"] for i in (0, 1)]
        known = shown.view(-1, 1, 1, 1, 1)
        masked = self.mask_latent.view(1, -1, 1, 1, 1).to(latents.dtype)
        ends = torch.where(known, latents, masked)
        between = masked.expand(b, -1, TIMES - 1, h, w)
        flags = known.to(latents.dtype).expand(b, 1, 1, h, w)
        mask = torch.cat([flags, torch.zeros_like(flags).expand(-1, -1, TIMES - 1, -1, -1), flags], 2)
        beside = torch.cat([ends[:, :, :1], between, ends[:, :, 1:]], 2)
        return {"beside": torch.cat([beside, mask], 1), "tokens": torch.cat(tokens, 1)}

    def _picture(self, image: Tensor, rng: Sequence[torch.Generator]) -> Tensor:
        """image: both ends (b, c', 2, h', w')."""
        latents = self.autoencoder.encode(image)
        return latents + AUGMENTATION * draw_noise(latents.shape, rng).to(latents)

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: five frames between two of each of the first clips."""
        cond, each = first_texts(batch, rng, 6)
        latents = (batch if "latents" in batch else self.prepare(batch))["latents"][:6, :, :WINDOW].float()
        cond["image"] = self.decoder.decode(latents)[:, :, [0, -1]]
        return self.decoder.decode(self.sample(cond, rng=each, frames=WINDOW))


class InterpolatingSvd(LaterSvd):
    """A clip to one with four times as many frames a second; two pictures to what lies between them."""

    serves = frozenset({"no prompt", "motion", "image_end", "interpolate", "reuse"})
    from_stages = ("text_to_video", "image_to_video")

    @property
    def makes(self) -> Abilities:
        return makes_of(self, None, needs="interpolate")

    def build_stage(self) -> InterpolationStage:
        c = self.config
        assert c.interpolation is not None
        latents = c.autoencoder.latent_channels
        unet = replace(c.unet, in_channels=2 * latents + 1, out_channels=latents)
        return InterpolationStage("interpolation", c.interpolation, unet, c.shape, self.decoder)

    @torch.no_grad()
    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        options = request.options
        video, fps = self._clip(options)  # (1, c, n, h, w)
        self.stage.check_fingerprint()
        pairs = torch.cat([video[:, :, i : i + 2] for i in range(video.shape[2] - 1)])
        each, between, rng = len(pairs), [], generators(len(pairs), request.rng())
        for first in range(0, each, PAIRS):
            some, batches = pairs[first : first + PAIRS], -(-each // PAIRS)

            def report(step: int, steps: int, latents: Tensor, before: int = first // PAIRS, of: int = batches) -> None:
                on_progress(Progress(before * steps + step, of * steps, self.stage.name))

            cond = request_conditions(options, text, len(some))
            latents = self.stage.sample(
                {**cond, "image": some}, rng=rng[first : first + PAIRS],
                steps=options.steps, guidance=options.guidance, frames=WINDOW, reuse=options.reuse,
                on_step=report,
            )  # fmt: skip
            between += list(self.decoder.decode(latents)[:, :, 1:-1].float().clamp(-1, 1).cpu())
        parts = [part for i in range(each) for part in (video[0, :, i : i + 1], between[i])]
        whole = torch.cat([*parts, video[0, :, -1:]], 1)[None]
        return Clip.from_tensor(shown(whole, transparent=options.transparent)[0], fps, options.prompt)

    def _clip(self, options: GenerateOptions) -> tuple[Tensor, Fraction]:
        """The frames to put others between (1, c, n, h, w), and the rate of the result. ValueError names an option."""
        config = self.config
        check_request(options, config, "this model makes frames between those of a clip")
        size, channels = config.shape.height, config.channels
        clip = options.interpolate
        if clip is not None:
            if len(clip) < 2:
                raise ValueError("interpolate: expected a clip of at least 2 frames, got 1")
            if options.fps is not None:
                raise ValueError(f"fps: the result has {TIMES} times the frame rate of the clip; leave it out")
            if clip.fps * TIMES < config.fps:
                warnings.warn(f"interpolate: the clip has {clip.fps} frames a second; it was trained to fill gaps of "
                              f"clips of {Fraction(config.fps, TIMES)} or more", stacklevel=2)  # fmt: skip
            return for_model(clip, size, channels, options.fit), clip.fps * TIMES
        if options.image is None or options.image_end is None:
            raise ValueError("interpolate: this model makes frames between others; expected a clip, or an image and "
                             "an image_end")  # fmt: skip
        if options.frames not in (None, WINDOW):
            raise ValueError(f"frames: between two pictures it makes {WINDOW}, with both of them, got {options.frames}")
        ends = [for_model(each, size, channels, options.fit) for each in (options.image, options.image_end)]
        return torch.cat(ends, 2), Fraction(config.fps) if options.fps is None else options.fps
