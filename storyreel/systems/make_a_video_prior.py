"""Make-A-Video's prior P: from a sentence to the embedding of a picture that shows it (Section 3.1).

As in DALL-E 2 (Ramesh et al. 2022, Section 2.2): a transformer that is given, in a row, the token states of the
sentence, its text embedding, the noise level, the noised image embedding and a last token of its own, and says at that
last one what the image embedding is (x-prediction, mean squared error). The only part that ever reads a sentence.

Differs from DALL-E 2: attention goes both ways along the row; embeddings are sampled on the sphere that they live on.

Axes: b batch, l text tokens, d width, e width of an embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
from storyreel.diffusion.samplers import OnStep, draw_noise
from storyreel.diffusion.sampling import Sampling, check_guidance, check_steps
from storyreel.diffusion.schedules import Cosine, draw_times
from storyreel.field_ranges import Depth, Share, Tries, Width
from storyreel.nn.attention import Block
from storyreel.nn.video_unet_blocks import FEATURES, features
from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.systems.make_a_video_encoder import ImageTextStage

ENDS = 4  # tokens beside those of the sentence: text embedding, noise level, noised embedding, the answer


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """tries: embeddings that are made, of which the one nearest to the sentence is kept."""

    dim: Width = 2048
    depth: Depth = 24
    heads: Width = 32
    mlp: Width = 8192
    drop_text: Share = 0.1
    tries: Tries = 2
    sampling: Sampling = field(default_factory=lambda: Sampling(steps=64))

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"prior.tries: wanted at least 1, got {self.tries}")
        usual = Sampling()
        for name in ("threshold", "snr", "tile", "chunk"):
            if getattr(self.sampling, name) != getattr(usual, name):
                raise ValueError(f"prior.sampling.{name}: an embedding is no video; leave it at {getattr(usual, name)}")


class PriorStage(Stage):
    """Trained on pictures with captions; holds the encoder, which says what is to be learnt."""

    needs_text = True
    capturable = True
    stands_alone = True

    def __init__(self, config: PriorConfig, encoder: ImageTextStage):
        super().__init__()
        self.config = c = config
        self.gradient_checkpointing = False
        self.encoder = encoder
        e, d = encoder.dim, c.dim
        self.from_states, self.from_text = nn.Linear(encoder.config.text_dim, d), nn.Linear(e, d)
        self.from_noise = nn.Sequential(nn.Linear(FEATURES, d), nn.SiLU(), nn.Linear(d, d))
        self.from_image = nn.Linear(e, d)
        self.ends = nn.Parameter(torch.randn(ENDS, d) * 0.02)
        self.no_text = nn.Parameter(torch.randn(2, d) * 0.02)  # one state, and one embedding, that tell nothing
        self.blocks = nn.ModuleList(Block(d, c.heads, c.mlp) for _ in range(c.depth))
        self.norm = nn.LayerNorm(d)
        self.to_image = nn.Linear(d, e)
        self._place = hashlib.sha256(f"prior{encoder.config.identity}".encode()).digest()
        self.register_buffer("place", torch.tensor(list(self._place), dtype=torch.uint8))

    place: Tensor
    """sha256 of the encoder that it was trained for, kept with its weights."""

    schedule = Cosine()

    def check_place(self) -> None:
        """ValueError where the weights were trained for another encoder's embeddings."""
        if not self.place.is_meta and (found := bytes(self.place.tolist())) != self._place:
            raise ValueError(
                f"stage 'prior': its weights are of another cascade: their digest is {found.hex()[:12]}, "
                f"wanted {self._place.hex()[:12]} (for the encoder {self.encoder.config.source!r})"
            )

    def notes(self) -> list[str]:
        self.check_place()
        return []

    # -- the network -------------------------------------------------------------------------------------------

    def told(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What it is told of sentences: tokens (b, l + 1, d), the text embedding last, and their mask (b, l + 1)."""
        states, one = self.from_states(text), self.from_text(self.encoder.texts(text, mask))
        return torch.cat([states, one[:, None]], 1), F.pad(mask, (0, 1), value=True)

    def untold(self, told: tuple[Tensor, Tensor], where: Tensor) -> tuple[Tensor, Tensor]:
        """The same, with nothing told of the samples `where` (b,)."""
        tokens, mask = told
        state, embedding = self.no_text.to(tokens.dtype).split(1)
        nothing = torch.cat([state.expand(tokens.shape[1] - 1, -1), embedding]).expand_as(tokens)
        empty = torch.zeros_like(mask)
        empty[:, 0] = empty[:, -1] = True
        return torch.where(where[:, None, None], nothing, tokens), torch.where(where[:, None], empty, mask)

    def network(self, z: Tensor, logsnr: Tensor, cond: tuple[Tensor, Tensor]) -> Tensor:
        """Noised embeddings (b, e) -> what they were (b, e)."""
        tokens, mask = cond
        noise, image = self.from_noise(features(logsnr)), self.from_image(z)
        ends = torch.stack([noise, image, torch.zeros_like(image)], 1).to(tokens.dtype)
        x = torch.cat([tokens, ends], 1)
        x = torch.cat([x[:, :-ENDS], x[:, -ENDS:] + self.ends.to(x.dtype)], 1)
        seen = F.pad(mask, (0, ENDS - 1), value=True)[:, None, None, :]
        for block in self.blocks:
            again = self.gradient_checkpointing and self.training
            x = checkpoint(block, x, seen, use_reentrant=False) if again else block(x, seen)
        return self.to_image(self.norm(x[:, -1]))

    # -- training ----------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """|e - e_hat|^2 of the embedding of a picture, under its caption. Of a clip one frame is taken."""
        rng, video = tick.rng, batch["video"]
        at = torch.randint(video.shape[2], (len(video),), generator=rng, device=rng.device).to(video.device)
        frame = video[torch.arange(len(video), device=video.device), :, at][:, :, None]
        x = self.encoder.images(frame)[:, 0]
        dropped = torch.rand(len(x), generator=rng, device=rng.device) < self.config.drop_text
        cond = self.untold(self.told(batch["text"], batch["text_mask"]), dropped.to(x.device))
        level = self.schedule.level(draw_times(len(x), rng, spread=True))
        noise = torch.randn(x.shape, generator=rng, device=rng.device).to(x.device)
        z = diffuse(x, noise, level)
        output = self.network(z, level.each(z).logsnr, cond)
        total = diffusion_loss(output, x, noise, level, kind="x", weight="x").mean()
        return Loss(total, {})

    # -- sampling ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Image embeddings (b, e) for the sentences of `cond`, the best of `tries` each."""
        s = self.config.sampling
        steps, scale = s.steps if steps is None else steps, s.guidance if guidance is None else guidance
        check_steps(steps)
        check_guidance(scale)
        told = self.told(cond["text"], cond["text_mask"])
        everywhere = torch.ones(len(rng), dtype=torch.bool, device=told[0].device)
        levels, made = s.levels(self.schedule, steps), []
        untold = None if scale == 1 else self.untold(told, everywhere)
        denoise = s.guided(self.network, told, untold, scale, levels, kind="x", clip=False)
        try:
            for _ in range(self.config.tries):
                z = draw_noise((len(rng), self.encoder.dim), rng).to(told[0].device)
                made.append(s.method(denoise, z, levels, rng=rng, on_step=on_step, gamma=s.gamma or None))
        except ValueError as error:
            raise ValueError(f"stage 'prior': {error}") from None
        x = F.normalize(torch.stack(made).float(), dim=-1) * self.encoder.dim**0.5  # (tries, b, e)
        near = (x * self.encoder.texts(cond["text"], cond["text_mask"])).sum(-1).argmax(0)  # (b,)
        return x[near, torch.arange(len(rng), device=x.device)]
