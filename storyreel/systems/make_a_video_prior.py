"""Make-A-Video's image embeddings: the encoder that defines them, and the prior P that makes one of a sentence.

An image embedding stands between a sentence and a video: the prior makes it from the sentence, and everything after it
reads nothing else (Section 3.1). So the pictures may have captions and the videos need none.

    frames --ImageTextStage.images--> (b, t, e)      token states --texts--> (b, e)      sentence --PriorStage--> (b, e)

The encoder is taken from a model that is there already, whose digest is part of the recipe, and its weights are saved
in the model folder; it is never trained here. Embeddings have the length sqrt(e), so that their entries have deviation
one. The prior is DALL-E 2's (Ramesh et al. 2022, Section 2.2): a transformer over the token states of the sentence, its
text embedding, the noise level, the noised image embedding and a last token of its own, at which it predicts the image
embedding (x-prediction, mean squared error). Only it reads sentences.

Differs from DALL-E 2: attention goes both ways along the tokens; embeddings are sampled on the sphere that they lie on.

Axes: b batch, l text tokens, d width, e width of an embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.diffusion.denoiser import Denoiser, is_guided
from storyreel.diffusion.parameterisation import diffuse, diffusion_loss
from storyreel.diffusion.samplers import OnStep, draw_noise
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import Cosine, draw_times
from storyreel.field_ranges import Depth, Share, Tries, Width
from storyreel.nn.attention import PreNormBlock
from storyreel.nn.clip import MEAN, STD, ClipConfig, vision_network
from storyreel.nn.dual_encoder import DualEncoderConfig, FrameTower, TextTower
from storyreel.nn.null_text import drawn, everywhere, without_text
from storyreel.nn.video_unet_blocks import FEATURES, features
from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.systems.cascade_stage import FingerprintedStage, noise_like

ENDS = 4  # tokens beside those of the sentence: text embedding, noise level, noised embedding, the answer


@dataclass(frozen=True, kw_only=True)
class ImageTextConfig:
    """kind: an encoder of the worlds (`dual`, docs/encoders.md) or CLIP (`clip`).

    source: the encoder that its weights are taken from, by name; "": none, its weights are random, for tests.
    sha256: of the weights there.
    """

    kind: Literal["dual", "clip"] = "dual"
    source: str = ""
    sha256: str = ""
    dual: DualEncoderConfig = field(default_factory=DualEncoderConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)

    @property
    def size(self) -> int:
        """Pixels a side of the frames that it reads."""
        return self.dual.size if self.kind == "dual" else self.clip.vision.image_size

    @property
    def dim(self) -> int:
        return self.dual.embed if self.kind == "dual" else self.clip.projection_dim

    @property
    def text_dim(self) -> int:
        """Width of the token states that it reads."""
        return self.dual.text_dim if self.kind == "dual" else self.clip.text.hidden_size

    @property
    def identity(self) -> str:
        """What models with the same embeddings have in common."""
        return f", embeddings of {self.source or 'no encoder'} {self.sha256}"


class ImageTextStage(Stage):
    """The encoder as a component of the model. It is not trained."""

    def __init__(self, config: ImageTextConfig):
        super().__init__()
        self.config, self.dim, self.weights_from = config, config.dim, config.source
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net: DualTowers | ClipTowers = (
                DualTowers(config.dual) if config.kind == "dual" else ClipTowers(config.clip)
            )
        self.requires_grad_(False)

    def take(self, tensors: Mapping[str, Tensor], sha256: str) -> None:
        """Fill in the weights of a trained encoder. ValueError for those of another than the recipe's."""
        if sha256 != self.config.sha256:
            raise ValueError(
                f"encoder {self.config.source!r}: is another than the recipe's: the digest of its weights is "
                f"{sha256[:12]}, expected {self.config.sha256[:12]}"
            )
        for name, mine in self.net.state_dict().items():
            theirs = tensors.get(name)
            if theirs is None or theirs.shape != mine.shape:
                found = "missing" if theirs is None else list(theirs.shape)
                raise ValueError(f"encoder {self.config.source!r}: {name} is {found}, expected {list(mine.shape)}")
            mine.copy_(theirs)

    @torch.no_grad()
    def images(self, video: Tensor) -> Tensor:
        """Video (b, 3 or 4, t, h, w) in [-1, 1], square -> (b, t, e) float32. A matte is ignored."""
        b, _, t = video.shape[:3]
        flat, size = video[:, :3].transpose(1, 2).flatten(0, 1).float(), self.config.size
        if flat.shape[-2:] != (size, size):
            mode = "bilinear" if self.config.kind == "dual" else "bicubic"
            flat = F.interpolate(flat, (size, size), mode=mode, antialias=True, align_corners=False)
        return self._scaled(self.net.images(flat)).unflatten(0, (b, t))

    @torch.no_grad()
    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        """Token states (b, l, d) with mask (b, l) -> (b, e) float32."""
        return self._scaled(self.net.texts(states, mask))

    def together(self, embeddings: Tensor) -> Tensor:
        """The mean of several, (b, n, e) -> (b, e), of the length of one."""
        return self._scaled(embeddings.mean(1))

    def _scaled(self, embeddings: Tensor) -> Tensor:
        return F.normalize(embeddings.float(), dim=-1) * self.dim**0.5

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        raise ValueError("stage 'encoder': is taken as it is; storyreel train encoder_sprites makes another")

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise ValueError("stage 'encoder': makes nothing; it reads pictures and sentences")


class DualTowers(nn.Module):
    """What a dual encoder has for single frames and sentences; its names of weights."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        self.frame_tower, self.text_tower = FrameTower(config), TextTower(config)
        self.to_frame = nn.Linear(config.dim, config.embed)

    def images(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, e)."""
        return self.to_frame(self.frame_tower(pictures))

    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        return self.text_tower(states, mask)


class ClipTowers(nn.Module):
    """CLIP's vision tower, and the projection of the last token's state; token states are its text encoder's."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        network = vision_network(config.vision, config.projection_dim)
        self.vision_model, self.visual_projection = network.vision_model, network.visual_projection
        self.text_projection = nn.Linear(config.text.hidden_size, config.projection_dim, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    mean: Tensor
    std: Tensor

    def images(self, pictures: Tensor) -> Tensor:
        pixels = ((pictures + 1) / 2 - self.mean) / self.std
        return self.visual_projection(self.vision_model(pixels).pooler_output)

    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        last = mask.sum(1).clamp(min=1) - 1
        return self.text_projection(states[torch.arange(len(states), device=states.device), last])


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """tries: embeddings that are sampled, of which the one nearest to the sentence is the result."""

    dim: Width = 2048
    depth: Depth = 24
    heads: Width = 32
    mlp: Width = 8192
    drop_text: Share = 0.1
    tries: Tries = 2
    sampling: Sampling = field(default_factory=lambda: Sampling(steps=64))

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"prior.tries: expected at least 1, got {self.tries}")
        usual = Sampling()
        for name in ("threshold", "tile", "chunk", "frame_guidance"):
            if getattr(self.sampling, name) != getattr(usual, name):
                raise ValueError(f"prior.sampling.{name}: an embedding is no video; leave it at {getattr(usual, name)}")


class PriorStage(FingerprintedStage):
    """Trained on pictures with captions; holds the encoder, which gives the embeddings to learn."""

    name = "prior"
    schedule = Cosine()

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
        self.null_text = nn.Parameter(torch.randn(2, d) * 0.02)  # one state and one embedding
        self.blocks = nn.ModuleList(PreNormBlock(d, c.heads, c.mlp) for _ in range(c.depth))
        self.norm = nn.LayerNorm(d)
        self.to_image = nn.Linear(d, e)
        self.set_fingerprint(f"prior{encoder.config.identity}", f"(for the encoder {encoder.config.source!r})")

    # -- the network -------------------------------------------------------------------------------------------

    def conditioning(self, text: Tensor, mask: Tensor, null: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens of sentences (b, l + 1, d), the text embedding last, and their mask (b, l + 1).

        null: the samples (b,) without conditioning; None: none of them.
        """
        states, embedding = self.from_states(text), self.from_text(self.encoder.texts(text, mask))
        if null is not None:
            state, other = self.null_text.to(states.dtype)
            states, mask = without_text(states, mask, state, null)
            embedding = torch.where(null[:, None], other, embedding)
        return torch.cat([states, embedding[:, None]], 1), F.pad(mask, (0, 1), value=True)

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
        """|e - e_hat|^2 of the embedding of a picture, under its caption. Of a clip one frame is used."""
        rng, video = tick.rng, batch["video"]
        at = torch.randint(video.shape[2], (len(video),), generator=rng, device=rng.device).to(video.device)
        frame = video[torch.arange(len(video), device=video.device), :, at][:, :, None]
        x = self.encoder.images(frame)[:, 0]
        dropped = drawn(len(x), self.config.drop_text, rng, x.device)
        cond = self.conditioning(batch["text"], batch["text_mask"], dropped)
        level = self.schedule.level(draw_times(len(x), rng, spread=True))
        noise = noise_like(x, rng)
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
        s, text, mask = self.config.sampling, cond["text"], cond["text_mask"]
        steps, guidance = s.resolve(steps, guidance)
        levels, made = s.levels(self.schedule, steps), []
        guidances = s.guidance_of(guidance, levels, 1)
        uncond = self.conditioning(text, mask, everywhere(text)) if is_guided(guidances) else None
        denoiser = Denoiser(self.network, self.conditioning(text, mask), uncond, guidances, "x")
        try:
            for _ in range(self.config.tries):
                z = draw_noise((len(rng), self.encoder.dim), rng).to(text.device)
                made.append(s.method(denoiser, z, levels, rng=rng, on_step=on_step, gamma=s.gamma or None))
        except ValueError as error:
            raise ValueError(f"stage 'prior': {error}") from None
        x = F.normalize(torch.stack(made).float(), dim=-1) * self.encoder.dim**0.5  # (tries, b, e)
        near = (x * self.encoder.texts(text, mask)).sum(-1).argmax(0)  # (b,)
        return x[near, torch.arange(len(rng), device=x.device)]
