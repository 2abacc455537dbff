"""A text-video dual encoder: sentences, frames and clips as unit vectors in one space, and a feature of whole clips.

    frame (b, t, 3, h, w) --FrameTower--> looks (b, t, d) --to_frame--> frame embeddings (b, t, e)
    looks and their changes --TimeTower--> feature (b, f) --to_video--> video embeddings (b, e)
    token states (b, l, s) --TextTower--> text embeddings (b, e)

A frame's embedding knows nothing of its neighbours, so single pictures can be compared with a text. The feature is
where Frechet distances are measured: what a caption says and how a clip is damaged must both be legible in it.
No statistic crosses a clip, so an embedding depends on its own clip (or sentence) alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.field_ranges import Count, Depth, Frames, Pixels, Width
from storyreel.nn.attention import PreNormBlock
from storyreel.nn.conv import ChannelNorm, Downsampler, ResidualBlock, channels_first, channels_last
from storyreel.nn.text_adapter import LearnedText

DAMAGES = ("none", "shuffled", "frozen", "warped", "jittered", "noisy", "blurred", "patched", "recoloured")
"""What can be wrong with a clip; index 0 is nothing."""


@dataclass(frozen=True, kw_only=True)
class DualEncoderConfig:
    size: Pixels = 64  # pixels, square
    frames: Frames = 8  # of a window; longer clips are read window by window
    patch: Pixels = 4
    widths: tuple[Width, ...] = (48, 96, 160)  # channels at size / patch, and halved from there
    dim: Width = 192  # of what is known of one frame, and inside the towers
    heads: Width = 6
    mlp: Width = 384
    time_depth: Depth = 2
    text_depth: Depth = 2
    text_dim: Width = 384  # of the token states
    words: int = 0  # size of a learned word embedding, for the text encoder "words:N"; 0: the encoder's states
    text_tokens: Count = 64  # places of learned words
    feature: Width = 256
    embed: Width = 128

    def build(self) -> DualEncoder:
        return DualEncoder(self)


class FrameTower(nn.Module):
    """One picture to one vector: patches, residual convolutions, and what stands where on a coarse grid."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        c = config
        grid, odd = divmod(c.size, c.patch * 2 ** (len(c.widths) - 1))
        if odd or not grid:
            raise ValueError(f"size: {c.size} cannot be cut into patches of {c.patch} and halved {len(c.widths) - 1}x")
        self.patches = nn.Conv2d(3, c.widths[0], c.patch, stride=c.patch)
        self.down = Downsampler(c.widths, 1)
        self.last = nn.Sequential(ResidualBlock(c.widths[-1]), ChannelNorm(c.widths[-1]), nn.SiLU())
        self.place = nn.Linear(c.widths[-1] * grid * grid, c.dim)
        self.norm = nn.LayerNorm(c.dim)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) in [-1, 1] -> (n, d)."""
        x = self.patches(images.contiguous(memory_format=torch.channels_last))
        x = self.last(channels_first(self.down(channels_last(x))))
        return self.norm(self.place(channels_last(x).flatten(1)))


class TimeTower(nn.Module):
    """What is known of the frames, and how that changes from one to the next -> one feature a clip."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        c = config
        self.join = nn.Linear(2 * c.dim, c.dim)
        self.blocks = nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp) for _ in range(c.time_depth))
        self.norm = nn.LayerNorm(c.dim)
        self.to_feature = nn.Linear(c.dim, c.feature)
        self.feature_norm = nn.LayerNorm(c.feature, elementwise_affine=False)
        self.register_buffer("positions", waves(c.frames, c.dim), persistent=False)

    positions: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """(b, t, d) -> (b, f)."""
        change = F.pad(features[:, 1:] - features[:, :-1], (0, 0, 1, 0))
        x = self.join(torch.cat([features, change], -1)) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.feature_norm(self.to_feature(self.norm(x).mean(1)))


class TextTower(nn.Module):
    """Token states of a frozen text encoder, or words that learn with the tower -> one vector a sentence."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        c = config
        self.learned_text = LearnedText(c.text_dim, c.dim, words=c.words, tokens=c.text_tokens if c.words else 0)
        self.states = nn.Linear(self.learned_text.dim, c.dim)
        self.blocks = nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp) for _ in range(c.text_depth))
        self.norm = nn.LayerNorm(c.dim)
        self.to_text = nn.Linear(c.dim, c.embed)

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """States (b, l, s) and mask (b, l), true where there is a token -> (b, e) of unit length."""
        text, mask = self.learned_text(text, mask)
        x = self.states(text)
        for block in self.blocks:
            x = block(x, mask[:, None, None, :])
        x = self.norm(x) * mask[..., None]
        return unit(self.to_text(x.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)))


class DualEncoder(nn.Module):
    """The three towers and their heads. Video is (b, 3 or 4, t, h, w) in [-1, 1]; a fourth channel is not looked at."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        self.config = c = config
        self.frame_tower, self.time_tower, self.text_tower = FrameTower(c), TimeTower(c), TextTower(c)
        self.to_frame = nn.Linear(c.dim, c.embed)
        self.to_video = nn.Linear(c.feature, c.embed)
        self.to_damage = nn.Linear(c.feature, len(DAMAGES))
        self.sharpness = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # log of 1 / temperature
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def frame_features(self, video: Tensor) -> Tensor:
        """What is known of every frame by itself: (b, t, d). ValueError for a video of another size."""
        c = self.config
        if video.ndim != 5 or video.shape[1] not in (3, 4) or tuple(video.shape[3:]) != (c.size, c.size):
            raise ValueError(f"video: expected (b, 3 or 4, t, {c.size}, {c.size}), got {tuple(video.shape)}")
        b, _, t = video.shape[:3]
        images = video[:, :3].transpose(1, 2).flatten(0, 1)  # (b * t, 3, h, w)
        return self.frame_tower(images).unflatten(0, (b, t))

    def frames(self, features: Tensor) -> Tensor:
        """Frame embeddings (b, t, e) of unit length."""
        return unit(self.to_frame(features))

    def feature(self, features: Tensor) -> Tensor:
        """The feature (b, f) of one window of `config.frames` frames. ValueError for another number of them."""
        if features.shape[1] != self.config.frames:
            raise ValueError(f"video: expected {self.config.frames} frames a window, got {features.shape[1]}")
        return self.time_tower(features)

    def video(self, feature: Tensor) -> Tensor:
        """Video embeddings (b, e) of unit length."""
        return unit(self.to_video(feature))

    def text(self, text: Tensor, mask: Tensor) -> Tensor:
        """Text embeddings (b, e) of unit length."""
        return self.text_tower(text, mask)

    def damage(self, feature: Tensor) -> Tensor:
        """Logits (b, len(DAMAGES)) of what is wrong with a clip."""
        return self.to_damage(feature)


def unit(x: Tensor) -> Tensor:
    """Scaled to length one, in float32."""
    return F.normalize(x.float(), dim=-1)


def waves(frames: int, dim: int) -> Tensor:
    """Sine and cosine positions (t, d) of up to `frames` frames."""
    at = torch.arange(frames)[:, None] * torch.exp(-math.log(1000.0) * torch.arange(0, dim, 2) / dim)
    return torch.cat([at.sin(), at.cos()], -1)[:, :dim]
