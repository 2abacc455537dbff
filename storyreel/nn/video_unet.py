"""One Video U-Net for every pixel cascade: noisy video, noise level and text in, video out.

Factorised over space and time (Ho et al. 2022, "Video Diffusion Models" and "Imagen Video"; Singer et al. 2022,
"Make-A-Video"): 2-D convolution and attention of each frame, then convolution or attention through time.

    video ⊕ extra --stem--> level 0 --half--> level 1 ... middle ... --double--> level 0 --head--> video
                               |__________________ skips ____________________________|

Axes: b batch, c channels, t frames, h rows, w columns, l text tokens, d width of the text, e width of the embedding.
Any number of frames, and any h and w that `VideoUNet.multiple` divides. No shape or branch depends on what a tensor
holds, so that torch.compile takes the net whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.field_ranges import Depth, Pixels, Width
from storyreel.nn.attention import KeysValues
from storyreel.nn.text_adapter import TextAdapter
from storyreel.nn.video_unet_blocks import (
    FEATURES,
    FinePath,
    NearestUpsample,
    RMSNorm,
    SpatialAttention,
    SpatialConv,
    TemporalAttention,
    TemporalConv,
    TextMemory,
    UNetUnit,
    features,
    zeros,
)

T = TypeVar("T")
TEMPORAL = ("attention", "conv", "both", "none")


@dataclass(frozen=True, kw_only=True)
class VideoUNetConfig:
    """Sizes of a Video U-Net. A tuple has an entry a level, finest first; one entry stands for all levels.

    channels, extra: of the video, and of the conditioning video that is laid beside it (low resolution, known frames).
    attention, text: whether a level attends within frames, and to the text; the middle always reads it.
    temporal: what mixes frames, a convolution in every residual block ("conv"), attention after it ("attention"),
        "both" or "none".
    fps, skip, augmented, vector_dim: whether the net reads a frame rate, how far apart the known frames lie, a second
        noise level (of the conditioning video) and one vector (such as an image embedding).
    patch: the net works on patches of so many pixels a side; everything is as many times coarser.
    fine: channels of a path at full size beside the patches (`FinePath`), without which detail must pass through
        `widths[0]` channels a patch; 0: none.
    """

    channels: Width = 3
    out_channels: int = 0  # 0: as many as `channels`
    extra: int = 0
    widths: tuple[Width, ...] = (64, 128, 256)
    blocks: tuple[Depth, ...] = (1,)
    middle: Depth = 2  # blocks between the way down and the way up
    attention: tuple[bool, ...] = (False,)
    text: tuple[bool, ...] = (True,)
    temporal: tuple[str, ...] = ("conv",)
    head_dim: Width = 64
    mlp: float = 2.0  # hidden width of the MLP behind an attention, in widths
    text_dim: int = 0  # 0: no text
    text_layers: int = 0  # of a trainable transformer on the text's states, `text_width` wide; 0: none
    text_width: int = 192
    vector_dim: int = 0
    fps: bool = False
    skip: bool = False
    augmented: bool = False
    patch: Pixels = 1
    fine: int = 0
    residual: bool = False  # born as the conditioning video itself, to which it then adds; wants `fine`
    emb: int = 0  # 0: four times the first width

    def __post_init__(self) -> None:
        for name in ("blocks", "attention", "text", "temporal"):
            count = len(getattr(self, name))
            if count not in (1, len(self.widths)):
                raise ValueError(
                    f"{name}: expected one entry or one for each of {len(self.widths)} widths, got {count}"
                )
        if unknown := set(self.temporal) - set(TEMPORAL):
            raise ValueError(f"temporal: expected {', '.join(TEMPORAL)}, got {', '.join(sorted(unknown))}")
        for width in self.widths:
            if width % max(1, width // self.head_dim):
                raise ValueError(f"head_dim: {self.head_dim} does not divide width {width}")
        if self.residual and not self.fine:
            raise ValueError("residual: expected `fine` of at least 1, the path that the conditioning video takes")

    @property
    def memory_dim(self) -> int:
        """Width of the text's states as attention reads them; 0: no text."""
        return self.text_width if self.text_dim and self.text_layers else self.text_dim

    def build(self) -> VideoUNet:
        return VideoUNet(self)


class VideoUNet(nn.Module):
    """See the module. `gradient_checkpointing` recomputes each block in the backward pass."""

    null_text: nn.Parameter  # (text_dim,), the state of no text; None without text

    def __init__(self, config: VideoUNetConfig):
        super().__init__()
        self.config = c = config
        self.emb = c.emb or 4 * c.widths[0]
        self.gradient_checkpointing = False
        area = c.patch**2
        self.stem = SpatialConv((c.channels + c.extra) * area, c.widths[0])
        self.from_noise = self._embedded(FEATURES)
        self.from_augmentation = self._embedded(FEATURES) if c.augmented else None
        self.from_fps = self._embedded(FEATURES) if c.fps else None
        self.from_skip = self._embedded(FEATURES) if c.skip else None
        self.from_vector = self._embedded(c.vector_dim) if c.vector_dim else None
        self.from_text = self._embedded(c.memory_dim) if c.text_dim else None
        self.adapter = TextAdapter(c.text_dim, c.text_width, c.text_layers) if c.text_dim and c.text_layers else None
        self.register_parameter("null_text", nn.Parameter(torch.zeros(c.text_dim)) if c.text_dim else None)

        levels = range(len(c.widths))
        blocks = _each(c.blocks, len(c.widths))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.shrink, self.widen = nn.ModuleList(), nn.ModuleList()
        width = c.widths[0]
        for level in levels:
            if level:
                self.shrink.append(SpatialConv(width, c.widths[level], stride=2))
                width = c.widths[level]
            self.down.append(nn.ModuleList(self._unit(level, width) for _ in range(blocks[level])))
        self.middle = nn.ModuleList(self._unit(len(c.widths) - 1, width, middle=True) for _ in range(c.middle))
        for level in reversed(levels):
            width = c.widths[level]
            self.up.append(nn.ModuleList(self._unit(level, 2 * width) for _ in range(blocks[level])))
            if level:
                self.widen.append(NearestUpsample(width, c.widths[level - 1]))
        out = c.out_channels or c.channels
        self.norm = RMSNorm(c.widths[0])
        self.head = SpatialConv(c.widths[0], (c.fine or out) * area)
        self.fine = FinePath(c.channels, c.extra, c.fine, out, self.emb, residual=c.residual) if c.fine else None
        zeros(self.last)

    def _embedded(self, dim: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dim, self.emb), nn.SiLU(), nn.Linear(self.emb, self.emb))

    def _unit(self, level: int, channels: int, *, middle: bool = False) -> UNetUnit:
        c, count = self.config, len(self.config.widths)
        width = c.widths[level]
        attention = _each(c.attention, count)[level]
        text_dim = c.memory_dim if middle or _each(c.text, count)[level] else 0
        spatial = None
        if attention or text_dim:
            spatial = SpatialAttention(width, c.head_dim, attention=attention, text_dim=text_dim, mlp=c.mlp)
        return UNetUnit(channels, width, self.emb, spatial, _each(c.temporal, count)[level], c.head_dim)

    @property
    def last(self) -> SpatialConv:
        """The layer that is zero until it has learnt."""
        return self.head if self.fine is None else self.fine.head

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of it."""
        return self.config.patch * 2 ** (len(self.config.widths) - 1)

    @property
    def reach(self) -> tuple[int, int]:
        """(pixels, frames) on each side of a place that it sees at most, where nothing attends."""
        c, count = self.config, len(self.config.widths)
        blocks, space, units = _each(c.blocks, count), 2, c.middle * (_each(c.temporal, count)[-1] != "none")
        for level in range(count):
            convolutions = 4 * blocks[level] + (2 * c.middle if level == count - 1 else 0)
            space += convolutions * 2**level + (2**level if level else 0)
            units += 2 * blocks[level] * (_each(c.temporal, count)[level] != "none")
        return (space + 1) * c.patch + (FinePath.reach if c.fine else 0), 2 * units

    # -- text --------------------------------------------------------------------------------------------------

    def text_memory(self, text: Tensor, mask: Tensor) -> TextMemory:
        """What every call needs of a text (b, l, d) with mask (b, l): once a sample, not once a step."""
        assert self.from_text is not None
        text = text if self.adapter is None else self.adapter(text, mask)
        weight = mask[..., None].to(text.dtype)
        pooled = (text * weight).sum(1) / weight.sum(1).clamp(min=1)
        spatial = [unit.spatial for unit in self._units() if unit.reads]
        return TextMemory([s.keys_values(text) for s in spatial if s is not None], mask, self.from_text(pooled))

    # -- the net -----------------------------------------------------------------------------------------------

    def forward(
        self,
        x: Tensor,
        logsnr: Tensor,
        memory: TextMemory | None = None,
        *,
        extra: Tensor | None = None,
        augmentation: Tensor | None = None,
        fps: Tensor | None = None,
        skip: Tensor | None = None,
        vector: Tensor | None = None,
        video: Tensor | None = None,
    ) -> Tensor:
        """x (b, c, t, h, w) -> (b, out_channels, t, h, w).

        logsnr (b,): the noise level of x. memory: of `text_memory`. extra (b, extra, t, h, w): the conditioning
        video; augmentation (b,): the log-SNR of noise in it. fps (b,): frames a second. skip (b,): frames from each
        known one to the next. vector (b, vector_dim).
        video (b,) bool: where False, temporal layers are the identity; None is all True.
        ValueError for a size that `multiple` does not divide, and for an input that is missing or not expected.
        """
        c = self.config
        self._check(x, memory, extra, augmentation, fps, skip, vector)
        entered = x if extra is None else torch.cat([x, extra.to(x.dtype)], 1)
        x = self.stem(_patches(entered, c.patch))  # (b, t, h, w, c)
        emb = self._embedding(logsnr, memory, augmentation, fps, skip, vector)
        texts = iter(memory.keys_values) if memory is not None else iter(())
        mask = None if memory is None else memory.mask

        skips: list[Tensor] = []
        for level, units in enumerate(self.down):
            x = self.shrink[level - 1](x) if level else x
            for unit in units:  # pyright: ignore[reportGeneralTypeIssues]
                x = self._run(unit, x, emb, texts, mask, video)
                skips.append(x)
        for unit in self.middle:
            x = self._run(unit, x, emb, texts, mask, video)
        for step, units in enumerate(self.up):
            x = self.widen[step - 1](x) if step else x
            for unit in units:  # pyright: ignore[reportGeneralTypeIssues]
                x = self._run(unit, torch.cat([x, skips.pop() * 2**-0.5], -1), emb, texts, mask, video)
        y = _pixels(self.head(F.silu(self.norm(x))), c.patch)
        return y if self.fine is None else self.fine(entered, y, emb)

    def _run(
        self,
        unit: nn.Module,
        x: Tensor,
        emb: Tensor,
        texts: Iterator[KeysValues],
        mask: Tensor | None,
        video: Tensor | None,
    ) -> Tensor:
        text = next(texts) if unit.reads else None
        if self.gradient_checkpointing and self.training:
            return checkpoint(unit, x, emb, text, mask, video, use_reentrant=False)  # pyright: ignore[reportReturnType]
        return unit(x, emb, text, mask, video)

    def _embedding(
        self,
        logsnr: Tensor,
        memory: TextMemory | None,
        augmentation: Tensor | None,
        fps: Tensor | None,
        skip: Tensor | None,
        vector: Tensor | None,
    ) -> Tensor:
        """All numbers and vectors that condition a sample as one (b, e)."""
        emb = self.from_noise(features(logsnr))
        if self.from_augmentation is not None and augmentation is not None:
            emb = emb + self.from_augmentation(features(augmentation))
        if self.from_fps is not None and fps is not None:
            emb = emb + self.from_fps(features(fps.float().log2()))
        if self.from_skip is not None and skip is not None:
            emb = emb + self.from_skip(features(skip.float().log2()))
        if self.from_vector is not None and vector is not None:
            emb = emb + self.from_vector(vector)
        if memory is not None:
            emb = emb + memory.pooled
        return F.silu(emb)

    def _check(
        self,
        x: Tensor,
        memory: TextMemory | None,
        extra: Tensor | None,
        augmentation: Tensor | None,
        fps: Tensor | None,
        skip: Tensor | None,
        vector: Tensor | None,
    ) -> None:
        c = self.config
        if x.ndim != 5 or x.shape[1] != c.channels:
            raise ValueError(f"video: expected (b, {c.channels}, t, h, w), got {tuple(x.shape)}")
        if x.shape[3] % self.multiple or x.shape[4] % self.multiple:
            raise ValueError(
                f"size: expected height and width that {self.multiple} divides, got {x.shape[3]}x{x.shape[4]}"
            )
        expected = (x.shape[0], c.extra, *x.shape[2:])
        if (0 if extra is None else extra.shape[1]) != c.extra or (extra is not None and extra.shape != expected):
            got = "none" if extra is None else tuple(extra.shape)
            raise ValueError(f"extra: expected {tuple(expected) if c.extra else 'none'}, got {got}")
        pairs = {
            "text": (c.text_dim, memory),
            "augmentation": (c.augmented, augmentation),
            "fps": (c.fps, fps),
            "skip": (c.skip, skip),
            "vector": (c.vector_dim, vector),
        }
        for name, (configured, value) in pairs.items():
            if bool(configured) != (value is not None):
                raise ValueError(f"{name}: this net {'needs it' if configured else 'takes none'}")

    # -- temporal layers ---------------------------------------------------------------------------------------

    def _units(self) -> Iterator[UNetUnit]:
        """In the order in which `forward` comes to them."""
        for group in (*self.down, self.middle, *self.up):
            yield from group  # pyright: ignore[reportReturnType, reportGeneralTypeIssues]

    def temporal_layers(self) -> Iterator[TemporalConv | TemporalAttention]:
        return (m for m in self.modules() if isinstance(m, (TemporalConv, TemporalAttention)))

    def temporal_parameters(self) -> list[nn.Parameter]:
        """What a net for images lacks; the rest is a net for images."""
        return [p for layer in self.temporal_layers() for p in layer.parameters()]


def _each(values: tuple[T, ...], count: int) -> tuple[T, ...]:
    return values * count if len(values) == 1 else values


def _patches(x: Tensor, p: int) -> Tensor:
    """(b, c, t, h, w) -> (b, t, h / p, w / p, c p p)."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c, t, h // p, p, w // p, p)
    return x.permute(0, 2, 3, 5, 1, 4, 6).reshape(b, t, h // p, w // p, c * p * p)


def _pixels(x: Tensor, p: int) -> Tensor:
    """(b, t, h, w, c p p) -> (b, c, t, h p, w p)."""
    b, t, h, w, c = x.shape
    x = x.reshape(b, t, h, w, c // (p * p), p, p)
    return x.permute(0, 4, 1, 2, 5, 3, 6).reshape(b, c // (p * p), t, h * p, w * p)
