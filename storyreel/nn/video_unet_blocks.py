"""What a Video U-Net is made of: factorised convolution and attention over space and over time.

Axes: b batch, t frames, h rows, w columns, c channels, n = h * w places, l text tokens, a heads, k width of a head.
Activations are (b, t, h, w, c) in memory, so that every convolution runs channels-last and every linear layer and norm
sees its channels side by side. Temporal layers are the identity when they are born, and for every sample whose `video`
is False: an image packed as a clip passes frame by frame. Nothing else mixes frames.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.attention import KeysValues, attend

M = TypeVar("M", bound="nn.Linear | nn.Conv2d")

FEATURES = 64  # sines and cosines of a scalar that a net is told
SHORT = 64  # at or below this many frames a plain batched matmul beats the fused kernel


class TextMemory(NamedTuple):
    """All that a net needs of a text, made once a sample: keys and values a cross-attention, mask (b, l), and one
    embedding (b, e) of the whole."""

    keys_values: list[KeysValues]
    mask: Tensor
    pooled: Tensor


class _RMSNorm(torch.autograd.Function):
    """PyTorch's own rms_norm is a chain of float32 operations on a CPU, a third of a step in bfloat16; this keeps what
    it gives and one number a place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True).float() * x.shape[-1] ** -0.5
        inverse = size.clamp(min=1e-6).reciprocal().to(x.dtype)
        y = x * inverse
        ctx.save_for_backward(y, inverse)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        y, inverse = ctx.saved_tensors
        along = (grad * y).sum(-1, keepdim=True) / y.shape[-1]
        return torch.addcmul(grad, y, along, value=-1).mul_(inverse)


def rms_norm(x: Tensor) -> Tensor:
    """x (..., c) divided by its root mean square over c, in the dtype of x."""
    if x.is_cuda:  # where PyTorch's own is one kernel
        return F.rms_norm(x, x.shape[-1:], eps=1e-12).to(x.dtype)
    y = _RMSNorm.apply(x)
    assert isinstance(y, Tensor)
    return y


class RMSNorm(nn.Module):
    """Root-mean-square norm over the channels, which `scale` (b, c) and `shift` (b, c) may modulate."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor, film: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(b, ..., c) -> the same, in the dtype of x."""
        y = rms_norm(x)
        if film is None:
            return y * self.weight.to(y.dtype)
        scale, shift = film
        wide = (len(x), *[1] * (x.ndim - 2), x.shape[-1])
        scale, shift = (self.weight * (1 + scale)).to(y.dtype).view(wide), shift.to(y.dtype).view(wide)
        return torch.addcmul(shift, y, scale)


class SpatialConv(nn.Conv2d):
    """A 2-D convolution of each frame, (b, t, h, w, c) -> (b, t, h', w', c')."""

    def __init__(self, channels: int, width: int, kernel: int = 3, stride: int = 1):
        super().__init__(channels, width, kernel, stride, kernel // 2)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        y = super().forward(x.flatten(0, 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return y.unflatten(0, x.shape[:2])


class TemporalConv(nn.Conv2d):
    """A convolution over three frames at each place, run as a 2-D one over (t, n). Born as the identity."""

    def __init__(self, width: int):
        super().__init__(width, width, (3, 1), padding=(1, 0))
        self.become_identity()

    def become_identity(self) -> None:
        nn.init.dirac_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, video: Tensor | None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        y = super().forward(x.flatten(2, 3).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).unflatten(2, x.shape[2:4])
        return y if video is None else torch.where(video.view(-1, 1, 1, 1, 1), y, x.to(y.dtype))


class TemporalAttention(nn.Module):
    """Attention through the frames at each place. Frames carry sinusoidal positions, so any number of them will do.

    The output projection begins at zero: the identity, since it stands beside a skip.
    """

    def __init__(self, width: int, head_dim: int):
        super().__init__()
        self.heads = max(1, width // head_dim)
        self.norm = RMSNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)
        self.become_identity()

    def become_identity(self) -> None:
        nn.init.zeros_(self.to_out.weight)

    def forward(self, x: Tensor, video: Tensor | None) -> Tensor:
        b, t, h, w, c = x.shape
        y = self.norm(x) + positions(t, c, x.device).to(x.dtype).view(t, 1, 1, c)
        q, k, v = self.to_qkv(y).view(b, t, h * w, 3, self.heads, -1).permute(3, 0, 2, 4, 1, 5).flatten(1, 2)
        if t > SHORT or x.is_cuda:
            out = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # (b n, a, t, t)
            out = scores.softmax(-1).to(v.dtype) @ v
        out = out.view(b, h * w, self.heads, t, -1).permute(0, 3, 1, 2, 4).reshape(b, t, h, w, c)
        out = self.to_out(out)
        return x + (out if video is None else out * video.view(-1, 1, 1, 1, 1).to(out.dtype))


class SpatialAttention(nn.Module):
    """Within each frame: self-attention, attention to a text, and a two-layer MLP; each may be left out."""

    def __init__(self, width: int, head_dim: int, *, attention: bool, text_dim: int, mlp: float):
        super().__init__()
        self.heads = max(1, width // head_dim)
        self.norm = RMSNorm(width) if attention else None
        self.to_qkv = nn.Linear(width, 3 * width, bias=False) if attention else None
        self.to_out = zeros(nn.Linear(width, width, bias=False)) if attention else None
        self.norm_text = RMSNorm(width) if text_dim else None
        self.to_q = nn.Linear(width, width, bias=False) if text_dim else None
        self.to_kv = nn.Linear(text_dim, 2 * width, bias=False) if text_dim else None
        self.from_text = zeros(nn.Linear(width, width, bias=False)) if text_dim else None
        hidden = int(mlp * width)
        self.norm_mlp = RMSNorm(width) if hidden else None
        self.mlp = (
            nn.Sequential(nn.Linear(width, hidden), nn.GELU(), zeros(nn.Linear(hidden, width))) if hidden else None
        )

    def keys_values(self, text: Tensor) -> KeysValues:
        """Text (b, l, text_dim) -> two of (b, a, l, k)."""
        assert self.to_kv is not None
        k, v = self.to_kv(text).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return k, v

    def forward(self, x: Tensor, text: KeysValues | None, mask: Tensor | None) -> Tensor:
        """x (b, t, h, w, c), keys and values (b, a, l, k), mask (b, l)."""
        b, t, h, w, c = x.shape
        if self.norm is not None and self.to_qkv is not None and self.to_out is not None:
            y = self.to_qkv(self.norm(x)).view(b * t, h * w, 3, self.heads, -1)
            out = attend(*y.permute(2, 0, 3, 1, 4))  # (b t, a, n, k)
            x = x + self.to_out(out.transpose(1, 2).reshape(b, t, h, w, c))
        if self.norm_text is not None and self.to_q is not None and self.from_text is not None:
            assert text is not None
            assert mask is not None
            q = self.to_q(self.norm_text(x)).view(b, t * h * w, self.heads, -1).transpose(1, 2)
            out = attend(q, *text, mask[:, None, None, :])
            x = x + self.from_text(out.transpose(1, 2).reshape(b, t, h, w, c))
        if self.norm_mlp is not None and self.mlp is not None:
            x = x + self.mlp(self.norm_mlp(x))
        return x


class ResBlock(nn.Module):
    """Two convolutions beside a skip, each followed by one in time where there is one; the second norm is modulated."""

    def __init__(self, channels: int, width: int, emb: int, *, temporal: bool):
        super().__init__()
        self.norm1, self.conv1 = RMSNorm(channels), SpatialConv(channels, width)
        self.norm2, self.conv2 = RMSNorm(width), zeros(SpatialConv(width, width))
        self.time1 = TemporalConv(width) if temporal else None
        self.time2 = TemporalConv(width) if temporal else None
        self.film = zeros(nn.Linear(emb, 2 * width))
        self.skip = nn.Linear(channels, width, bias=False) if channels != width else None

    def forward(self, x: Tensor, emb: Tensor, video: Tensor | None) -> Tensor:
        """x (b, t, h, w, c), emb (b, e) -> (b, t, h, w, width)."""
        y = self.conv1(F.silu(self.norm1(x)))
        y = y if self.time1 is None else self.time1(y, video)
        scale, shift = self.film(emb).chunk(2, -1)
        y = self.conv2(F.silu(self.norm2(y, (scale, shift))))
        y = y if self.time2 is None else self.time2(y, video)
        return y + (x if self.skip is None else self.skip(x))


class UNetUnit(nn.Module):
    """A residual block, then what there is of attention in space and in time."""

    def __init__(
        self, channels: int, width: int, emb: int, spatial: SpatialAttention | None, temporal: str, head_dim: int
    ):
        super().__init__()
        self.block = ResBlock(channels, width, emb, temporal=temporal in ("conv", "both"))
        self.spatial = spatial
        self.temporal = TemporalAttention(width, head_dim) if temporal in ("attention", "both") else None

    @property
    def reads(self) -> bool:
        """Whether it attends to the text."""
        return self.spatial is not None and self.spatial.to_kv is not None

    def forward(
        self, x: Tensor, emb: Tensor, text: KeysValues | None, mask: Tensor | None, video: Tensor | None
    ) -> Tensor:
        x = self.block(x, emb, video)
        x = x if self.spatial is None else self.spatial(x, text, mask)
        return x if self.temporal is None else self.temporal(x, video)


class FinePath(nn.Module):
    """Every pixel by itself, beside a net that sees patches: what the net was given, and what it says of each pixel, go
    through one residual block, and what is noise and what is detail is told apart where it is seen.

    What the net was given also passes straight to what it says, in shares that the embedding tells: at little noise a
    clean video is nearly the noisy one, and one of super-resolution nearly the one it refines. `residual`: it begins
    with the whole of the one that it refines.
    """

    reach = 3  # pixels that it sees on each side, at most

    def __init__(self, channels: int, extra: int, width: int, out: int, emb: int, *, residual: bool = False):
        super().__init__()
        self.out = out
        self.stem = SpatialConv(channels + extra, width)
        self.block = ResBlock(2 * width, width, emb, temporal=False)
        self.norm, self.head = RMSNorm(width), SpatialConv(width, out)
        self.from_noisy = zeros(nn.Linear(emb, out)) if channels == out else None
        self.from_extra = zeros(nn.Linear(emb, out)) if extra >= out else None
        if residual and self.from_extra is not None:
            nn.init.ones_(self.from_extra.bias)
        self.channels = channels

    def forward(self, inputs: Tensor, features: Tensor, emb: Tensor) -> Tensor:
        """Noisy video and extra (b, channels + extra, t, h, w), what the net says (b, width, t, h, w) and the embedding
        (b, e) -> (b, out, t, h, w)."""
        fine = self.stem(inputs.permute(0, 2, 3, 4, 1).contiguous())
        y = self.block(torch.cat([fine, features.permute(0, 2, 3, 4, 1)], -1), emb, None)
        y = self.head(F.silu(self.norm(y))).permute(0, 4, 1, 2, 3)
        for share, first in ((self.from_noisy, 0), (self.from_extra, self.channels)):
            if share is not None:
                y = y + share(emb)[:, :, None, None, None] * inputs[:, first : first + self.out]
        return y


class NearestUpsample(nn.Module):
    """Each place becomes four; the channels are brought to `width` before, where that is cheap."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.linear = nn.Linear(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)  # (b, t, h, w, width)
        b, t, h, w, c = y.shape
        return y[:, :, :, None, :, None].expand(b, t, h, 2, w, 2, c).reshape(b, t, 2 * h, 2 * w, c)


def features(x: Tensor) -> Tensor:
    """A scalar a sample (b,), of a size between 0.01 and 40, as FEATURES sines and cosines of it."""
    steps = torch.arange(FEATURES // 2, device=x.device, dtype=torch.float32) / (FEATURES // 2 - 1)
    angles = x.float()[:, None] * (0.04 * 250**steps)  # from a sixth of a turn over [-20, 20] to ten radians a unit
    return torch.cat([angles.sin(), angles.cos()], -1)


def positions(frames: int, width: int, device: torch.device) -> Tensor:
    """(t, width) sinusoidal positions (Vaswani et al. 2017), with periods from 6 to 6000 frames."""
    half = (width + 1) // 2
    rates = torch.exp(-math.log(1000.0) * torch.arange(half, device=device, dtype=torch.float32) / half)
    angles = torch.arange(frames, device=device, dtype=torch.float32)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)[:, :width]


def zeros(layer: M) -> M:
    """A layer that gives zero until it has learnt."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
