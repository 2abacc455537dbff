"""C-ViViT, the video tokenizer of Phenaki (Villegas et al. 2022, Section 2.1), https://arxiv.org/abs/2210.02399.

    video (b, c, f, h, w) --patches, tubes--> space transformer --> causal time transformer --> codes (b, t, p, g)
    codes --> causal time transformer --> space transformer --tubes, patches--> video

Axes: b batch, c channels, f frames of pixels, t latent frames (the first is one frame, each later one a tube of
several), p patches a latent frame, g digits a code (a vector quantiser has one), d width.

Differs from the paper where a recipe says so: a convolutional trunk between pixels and patches, the same for every
frame (`widths`; the paper has linear patches alone), finite scalar quantisation (`levels`), an L1 term (`l1`),
more weight on colour (`chroma`).
The perceptual and adversarial terms are in `phenaki_losses`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.field_ranges import Count, Depth, Frames, Pixels, Width
from storyreel.nn.attention import PreNormBlock, causal_alibi
from storyreel.nn.chroma import chroma_loss
from storyreel.nn.conv import Downsampler, Upsampler
from storyreel.nn.discriminator import Discriminator
from storyreel.nn.quantize import FiniteScalarQuantizer, VectorQuantizer
from storyreel.nn.video_resample import random_frames
from storyreel.systems.base import Batch, Loss, Tick, VideoTokenizer
from storyreel.systems.phenaki_losses import Judges, discriminator_loss, generator_loss


@dataclass(frozen=True, kw_only=True)
class CViViTConfig:
    """Section 2.1. The defaults are the paper's."""

    size: Pixels = 128  # pixels, square
    channels: Width = 3  # 4: the fourth is the matte
    patch: Pixels = 8  # pixels a side of a token
    tube: Frames = 2  # frames a latent frame, after the first, which stands alone
    dim: Width = 512
    space_depth: Depth = 4
    time_depth: Depth = 4
    heads: Width = 8
    mlp: Width = 2048
    num_codes: Count = 8192
    code_dim: Width = 32
    levels: tuple[Count, ...] = ()  # finite scalar quantisation instead, so many levels a digit
    widths: tuple[Width, ...] = ()  # channels of the convolutional trunk of a frame, finest first; (): linear patches
    blocks: Depth = 1  # residual blocks of the trunk at each width
    l2: float = 1.0
    l1: float = 0.0
    chroma: float = 0.0  # of what is colour and not brightness, which squared errors hardly feel on small things
    frozen_codes: bool = False  # only what decodes learns: the codes, and a prior trained on them, stay as they are
    first_frame: float = 1.0  # weight of the first frame's pixels beside those of each later one
    adversarial: float = 0.1
    image_perceptual: float = 0.1
    video_perceptual: float = 1.0
    vgg: str = ""  # safetensors file for the image perceptual term; see phenaki_losses. Only training reads it
    i3d: str = ""  # the same for the video perceptual term
    judged_frames: int = 1  # random frames a clip that VGG and the discriminator see; 0: all
    discriminator: int = 512  # its channels where it is coarsest
    r1: float = 10.0  # weight of the discriminator's gradient penalty
    r1_every: Count = 16  # steps

    def __post_init__(self) -> None:
        if self.size % self.patch:
            raise ValueError(f"patch: {self.patch} does not divide size {self.size}")
        if self.judged_frames < 0 or self.discriminator < 1 or self.r1_every < 1:
            raise ValueError("judged_frames: expected at least 0, discriminator and r1_every at least 1")
        if self.patch % 2 ** max(len(self.widths) - 1, 0):
            raise ValueError(f"widths: {len(self.widths) - 1} halvings do not fit into patches of {self.patch}")

    @property
    def grid(self) -> int:
        """Tokens a side."""
        return self.size // self.patch

    def latent_frames(self, frames: int) -> int:
        """Frames of pixels -> latent frames. ValueError where they do not fill the last tube."""
        if frames < 1 or (frames - 1) % self.tube:
            low = 1 + (max(frames, 1) - 1) // self.tube * self.tube
            near = f"{low} or {low + self.tube}"
            raise ValueError(f"frames: expected 1 + a multiple of {self.tube} (as {near}), got {frames}")
        return 1 + (frames - 1) // self.tube

    def build(self) -> CViViT:
        return CViViT(self)


class CViViT(VideoTokenizer):
    """Causal video tokenizer (Section 2.1): space attends fully, time only to the past.

    Being causal in time it codes an image, a clip or an hour with the same weights, and the codes of a clip never
    change when frames are appended: the property that Phenaki lives on.
    """

    training_only = ("discriminator",)

    def __init__(self, config: CViViTConfig):
        super().__init__()
        self.config = c = config
        self.trunk = FrameEncoder(c)
        width = self.trunk.width
        self.from_frame = nn.Linear(width, c.dim)
        self.from_tube = nn.Linear(width * c.tube, c.dim)
        self.position = nn.Parameter(torch.randn(c.grid**2, c.dim) * 0.02)
        self.encode_space = _blocks(c, c.space_depth)
        self.encode_time = _blocks(c, c.time_depth)
        self.quantize = (
            FiniteScalarQuantizer(c.dim, c.levels) if c.levels else VectorQuantizer(c.dim, c.num_codes, c.code_dim)
        )
        self.decode_time = _blocks(c, c.time_depth)
        self.decode_position = nn.Parameter(torch.randn(c.grid**2, c.dim) * 0.02)
        self.decode_space = _blocks(c, c.space_depth)
        self.to_frame = nn.Linear(c.dim, width)
        self.to_tube = nn.Linear(c.dim, width * c.tube)
        self.trunk_back = FrameDecoder(c)
        self.discriminator: Discriminator | None = None
        if c.adversarial:
            self.turns = ("generator", "discriminator")
            self.discriminator = Discriminator(c.size, c.channels, c.discriminator)
        if c.frozen_codes:
            encoder = (self.trunk, self.from_frame, self.from_tube, self.encode_space, self.encode_time)
            for part in (*encoder, self.quantize):
                part.requires_grad_(False)
            self.position.requires_grad_(False)
            self.quantize.up.requires_grad_(True)
        self._judges = Judges(image=c.image_perceptual, vgg=c.vgg, video=c.video_perceptual, i3d=c.i3d)
        self.gradient_checkpointing = False
        self.capturable = self.discriminator is None

    def parameters_for(self, turn: str) -> Iterable[nn.Parameter]:
        """The discriminator's in its own turn, all others in the other."""
        theirs = list(self.discriminator.parameters()) if self.discriminator is not None else []
        if turn == "discriminator":
            return theirs
        out = {id(p) for p in theirs}
        return [p for p in self.parameters() if p.requires_grad and id(p) not in out]

    def notes(self) -> list[str]:
        return self._judges.notes()

    def shard_units(self) -> Iterable[nn.Module]:
        """The blocks to shard one by one; not those of the discriminator, whose penalty is differentiated twice."""
        blocks = (self.encode_space, self.encode_time, self.decode_time, self.decode_space)
        return (block for each in blocks for block in each)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values of each digit of a code."""
        return self.quantize.sizes

    def encode(self, video: Tensor) -> Tensor:
        """(b, c, f, h, w) in [-1, 1], f = 1 + a multiple of the tube -> codes (b, t, p, g)."""
        return self.quantize(self._encode(video))[1]

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (b, t, p, g) -> (b, c, f, h, w) in [-1, 1] or a little beyond."""
        self.check(codes)
        return self._decode(self.quantize.lookup(codes))

    def check(self, codes: Tensor) -> None:
        """ValueError unless these are codes (b, t, p, g) of this tokenizer, every digit in its range."""
        expected = (self.config.grid**2, len(self.sizes))
        if codes.ndim != 4 or tuple(codes.shape[2:]) != expected or 0 in codes.shape:
            raise ValueError(f"codes: expected (b, t, {expected[0]}, {expected[1]}), got {tuple(codes.shape)}")
        for digit, size in enumerate(self.sizes):
            low, high = (int(v) for v in codes[..., digit].aminmax())
            if low < 0 or high >= size:
                raise ValueError(f"codes: digit {digit} must be in [0, {size}), got {low if low < 0 else high}")

    def reconstruct(self, video: Tensor) -> Tensor:
        return self._decode(self.quantize(self._encode(video))[0])

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Section 2.1: what the recipe weighs of L_VQ, L_2 and the terms of `phenaki_losses`; L_VQ always."""
        video = batch["video"]
        if tick.turn == "discriminator":
            return self._discriminator_loss(video, tick)
        z, codes, vq = self.quantize(self._encode(video))
        made = self._decode(z)
        weight = self._weight(video)
        l2, l1 = ((made - video) ** 2 * weight).mean(), ((made - video).abs() * weight).mean()
        total = self.config.l2 * l2 + self.config.l1 * l1 + vq
        parts = {"l2": l2, "l1": l1, "vq": vq, "psnr": 10 * torch.log10(4 / l2), "usage": self._usage(codes)}
        if self.config.chroma:
            parts["chroma"] = chroma_loss(made, video, weight)
            total = total + self.config.chroma * parts["chroma"]
        for name, (weight, term) in self._judged(made, video, tick).items():
            total, parts[name] = total + weight * term, term
        return Loss(total, {k: v.detach() for k, v in parts.items()})

    def _judged(self, made: Tensor, video: Tensor, tick: Tick) -> dict[str, tuple[float, Tensor]]:
        """name -> (weight, term) of what other networks judge."""
        c, judges, found = self.config, self._judges, {}
        if judges.on("video_perceptual"):
            found["video_perceptual"] = c.video_perceptual, judges.video_perceptual(made, video)
        if self.discriminator is None and not judges.on("image_perceptual"):
            return found
        some, real = random_frames([made, video], c.judged_frames, tick.rng)
        if judges.on("image_perceptual"):
            found["image_perceptual"] = c.image_perceptual, judges.image_perceptual(some, real)
        if self.discriminator is not None:
            found["adversarial"] = c.adversarial, generator_loss(self.discriminator, some)
        return found

    def _discriminator_loss(self, video: Tensor, tick: Tick) -> Loss:
        c = self.config
        if self.discriminator is None:
            raise ValueError("turn 'discriminator': the adversarial term of this tokenizer is off")
        with torch.no_grad():
            made = self.reconstruct(video)
        some, real = random_frames([made, video], c.judged_frames, tick.rng)
        return discriminator_loss(self.discriminator, some, real, tick, c.r1, c.r1_every)

    def _weight(self, video: Tensor) -> Tensor:
        """(f, 1, 1) weights of mean one; the first frame stands alone in its tokens and may count more."""
        weight = torch.ones(video.shape[2], 1, 1, device=video.device)
        weight[0] = self.config.first_frame
        return weight / weight.mean()

    def _usage(self, codes: Tensor) -> Tensor:
        """Share of the values of the digits that occur in this batch."""
        used = [
            torch.zeros(size, device=codes.device).index_fill_(0, codes[..., i].flatten(), 1.0).mean()
            for i, size in enumerate(self.sizes)
        ]
        return torch.stack(used).mean()

    def _encode(self, video: Tensor) -> Tensor:
        c = self.config
        if video.shape[1] != c.channels or video.shape[-2:] != (c.size, c.size):
            raise ValueError(f"video: expected {c.channels} channels of {c.size}x{c.size}, got {tuple(video.shape)}")
        b, t = len(video), c.latent_frames(video.shape[2])
        x = rearrange(self.trunk(rearrange(video, "b c f h w -> (b f) c h w")), "(b f) p d -> b f p d", b=b)
        tokens = self.from_frame(x[:, :1])
        if t > 1:
            tubes = self.from_tube(rearrange(x[:, 1:], "b (t f) p d -> b t p (f d)", f=c.tube))
            tokens = torch.cat([tokens, tubes], 1)
        x = tokens.flatten(0, 1) + self.position  # (b t, p, d)
        x = self._run(self.encode_space, x)
        return self.through_time(self.encode_time, x, b)

    def _decode(self, z: Tensor) -> Tensor:
        c = self.config
        b = len(z)
        x = self.through_time(self.decode_time, z.flatten(0, 1), b).flatten(0, 1) + self.decode_position
        x = self._run(self.decode_space, x)  # (b t, p, d)
        x = rearrange(x, "(b t) p d -> b t p d", b=b)
        frames = unfolded(x, self.to_frame, self.to_tube, c.tube)
        return rearrange(self.trunk_back(frames.flatten(0, 1)), "(b f) c h w -> b c f h w", b=b)

    def through_time(self, blocks: nn.ModuleList, x: Tensor, b: int) -> Tensor:
        """(b t, p, d) -> (b, t, p, d): each patch attends to its own past."""
        t = len(x) // b
        x = rearrange(x, "(b t) p d -> (b p) t d", b=b)
        x = self._run(blocks, x, causal_alibi(t, self.config.heads, x.device))
        return rearrange(x, "(b p) t d -> b t p d", b=b)

    def _run(self, blocks: nn.ModuleList, x: Tensor, bias: Tensor | None = None) -> Tensor:
        for block in blocks:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, bias, use_reentrant=False)  # pyright: ignore[reportAssignmentType]
            else:
                x = block(x, None if bias is None else bias.to(x.dtype))
        return x


class FrameEncoder(nn.Module):
    """Each frame by itself to what its patches are made of: their pixels (the paper), or channels of a trunk.

    Frames share its weights, so that what one frame teaches all have learnt.
    """

    def __init__(self, c: CViViTConfig):
        super().__init__()
        self.cell = c.patch // 2 ** max(len(c.widths) - 1, 0)  # pixels a side of what is projected linearly
        pixels = c.channels * self.cell**2
        self.width = c.widths[-1] if c.widths else pixels
        self.from_pixels = nn.Linear(pixels, c.widths[0]) if c.widths else nn.Identity()
        self.down = Downsampler(c.widths, c.blocks) if c.widths else nn.Identity()

    def forward(self, frames: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, p, width)."""
        x = rearrange(frames, "n c (h p1) (w p2) -> n h w (c p1 p2)", p1=self.cell, p2=self.cell)
        return self.down(self.from_pixels(x)).flatten(1, 2)


class FrameDecoder(nn.Module):
    """The way back of `FrameEncoder`."""

    def __init__(self, c: CViViTConfig):
        super().__init__()
        self.cell, self.grid = c.patch // 2 ** max(len(c.widths) - 1, 0), c.grid
        self.up = Upsampler(c.widths, c.blocks) if c.widths else nn.Identity()
        pixels = c.channels * self.cell**2
        self.to_pixels = nn.Linear(self.up.width, pixels) if isinstance(self.up, Upsampler) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, p, width) -> (n, c, h, w)."""
        x = self.to_pixels(self.up(rearrange(x, "n (h w) d -> n h w d", h=self.grid)))
        return rearrange(x, "n h w (c p1 p2) -> n c (h p1) (w p2)", p1=self.cell, p2=self.cell)


def unfolded(x: Tensor, to_frame: nn.Module, to_tube: nn.Module, tube: int) -> Tensor:
    """Latent frames (b, t, p, d) -> frames (b, f, p, width): the first is one, each later one a tube of several."""
    frames = to_frame(x[:, :1])
    if x.shape[1] == 1:
        return frames
    return torch.cat([frames, rearrange(to_tube(x[:, 1:]), "b t p (f d) -> b (t f) p d", f=tube)], 1)


def _blocks(c: CViViTConfig, depth: int) -> nn.ModuleList:
    return nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp) for _ in range(depth))
