"""A refiner that ends a cascade: it reads the video made so far and the text, and paints with a palette.

    video of any size (b, 4, f, h', w'), text --> colors of a palette, alpha --> video (b, 4, f, h, w)

It is not in the papers. Small cascades get the pose right and the character wrong: of `imagen-video-sprites` the judge
read the action in 97 % of the clips and the color of the feet in 14 %. So this stage learns to take the pose from
the video and the looks from the text. It is trained on real clips that are made worse, each in its own way: blurred
to a quarter of their size, noised, in other colors, or replaced by another clip of the batch whose mattes overlap with
theirs, which is somebody else in the same pose.

Axes: b batch, f frames, h rows, w columns, p patches, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from torch import Tensor, nn

from storyreel.field_ranges import Count, Depth, Pixels, Share, Width
from storyreel.nn.attention import PreNormBlock, causal_alibi
from storyreel.nn.conv import Downsampler, ResidualBlock, channels_first, channels_last
from storyreel.nn.null_text import drawn, without_text
from storyreel.nn.video_resample import resized
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.palette import PaletteConfig, PaletteStage, ReadText


@dataclass(frozen=True, kw_only=True)
class PaletteRefinerConfig(PaletteConfig):
    """The widths of the decoder of `phenaki-sprites`, whose weights it may begin with."""

    size: Pixels = 64  # of what it paints, a side
    patch: Pixels = 8
    dim: Width = 192
    heads: Width = 6
    mlp: Width = 640
    widths: tuple[Width, ...] = (24, 64, 128)
    blocks: Depth = 1
    time_depth: Depth = 0  # blocks in time: the text says what frames have in common
    text_layers: Depth = 2
    frames: Count = 1  # in a row, of each clip, in a step of training: more captions are worth more than more frames
    pixels: Count = 200
    balance: Share = 0.5  # trousers and shoes have few pixels
    noise: float = 0.5  # standard deviation at most of what is added to a clip, in units of [-1, 1]
    tint: float = 0.4  # standard deviation of the change of each coefficient of the colors of a clip
    tinted: Share = 0.6  # of the clips whose colors are exchanged and changed
    swapped: Share = 0.5  # of the clips that another in the same pose stands for, where the batch has one
    partly: Share = (
        0.0  # of what is swapped or tinted, that of which some rows alone are: not all that is made is wrong
    )
    overlap: Share = 0.7  # of two mattes, intersection over union, from which on the pose is the same

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size % self.patch or self.patch % 2 ** (len(self.widths) - 1):
            raise ValueError(
                f"patch: expected a divisor of size {self.size} and a multiple of {2 ** (len(self.widths) - 1)}, got "
                f"{self.patch}"
            )

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.size // self.patch

    def build(self) -> PaletteRefiner:
        return PaletteRefiner(self)


def refiner_of(config: PaletteRefinerConfig | None, channels: int, text_dim: int) -> PaletteRefiner | None:
    """A system's refiner, which reads the system's text. ValueError where its videos have no matte."""
    if config is None:
        return None
    if channels != 4:
        raise ValueError(f"refiner: expected videos of 4 channels, got {channels}")
    return replace(config, text_dim=text_dim).build()


class PaletteRefiner(PaletteStage[PaletteRefinerConfig]):
    """A video and a text to the video that the text says, in the same pose, in colors of a palette."""

    stands_alone = True

    def __init__(self, config: PaletteRefinerConfig):
        super().__init__(config)
        c = config
        cell = c.patch // 2 ** (len(c.widths) - 1)
        self.from_pixels = nn.Linear(4 * cell**2, c.widths[0])
        self.down = Downsampler(c.widths, c.blocks)
        self.to_patch = nn.Linear(c.widths[-1], c.dim)
        self.time = nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp) for _ in range(c.time_depth))
        self.add_space(c.grid, c.dim, c.heads, c.mlp)
        self.to_frame = nn.Linear(c.dim, c.widths[-1])
        self.add_pixels(c.widths, c.blocks, c.patch)
        self.skip = nn.Linear(c.widths[0], self.up.width)
        self.finish = ResidualBlock(self.up.width)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    def refined(self, video: Tensor, text: Tensor, text_mask: Tensor, picture: Tensor | None = None) -> Tensor:
        """(b, 4, f, h', w') and text (b, l, text_dim) with its mask -> (b, 4, f, h, w): palette's colors, alpha.

        picture: (1, 4, t, h'', w'') of whom it shows, whose colors are preferred (`PaletteStage.preferred`).
        """
        if video.ndim != 5 or video.shape[1] != 4:
            raise ValueError(f"video: expected (b, 4, f, h, w), got {tuple(video.shape)}")
        read = self.read_text(text, text_mask)
        colors = read.colors
        if picture is not None:
            preferred = self.preferred(picture).expand(len(video), -1)
            colors = preferred if colors is None else colors + preferred
        return self.painted(self.features(video.clamp(-1, 1), read), colors)

    def features(self, video: Tensor, read: ReadText) -> Tensor:
        """Of each pixel, (b, f, h, w, e)."""
        c, b = self.config, len(video)
        video = resized(video, c.size, c.size)
        cells = self.from_pixels(
            rearrange(video, "b c f (h p1) (w p2) -> (b f) h w (c p1 p2)", p1=self.cell, p2=self.cell)
        )
        x = self.to_patch(self.down(cells)).flatten(1, 2)
        x = rearrange(x, "(b f) p d -> (b p) f d", b=b)
        bias = causal_alibi(x.shape[1], c.heads, x.device).to(x.dtype)
        for block in self.time:
            x = block(x, bias)
        x = rearrange(x, "(b p) f d -> (b f) p d", b=b) + self.position
        x = self.to_frame(self.with_text(x, read))
        x = self.up(rearrange(x, "n (h w) d -> n h w d", h=self.grid)) + self.skip(cells)
        return self.features_of(channels_last(self.finish(channels_first(x))), b)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """As `loss_of` says, of `frames` frames in a row of each clip, which the stage sees made worse."""
        c, rng, video = self.config, tick.rng, batch["video"]
        count = min(c.frames, video.shape[2])
        first = torch.randint(video.shape[2] - count + 1, (1,), generator=rng, device=rng.device).to(video.device)
        run = first + torch.arange(count, device=video.device)
        video = resized(video.index_select(2, run), c.size, c.size)
        dropped = drawn(len(video), c.drop_text, rng, video.device)
        text, text_mask = without_text(batch["text"], batch["text_mask"], self.null_text, dropped)
        read = self.read_text(text, text_mask)
        return self.loss_of(self.features(self.worse(video, rng), read), video, rng, read.colors)

    @torch.no_grad()
    def worse(self, video: Tensor, rng: torch.Generator) -> Tensor:
        """(b, 4, f, h, w) as a cascade may have made them."""
        c, b = self.config, len(video)

        def draw(*shape: int) -> Tensor:
            return torch.rand((b, *shape), generator=rng, device=rng.device).to(video)

        def normal(*shape: int) -> Tensor:
            return torch.randn((b, *shape), generator=rng, device=rng.device).to(video)

        def rows() -> Tensor:
            """Bool (b, 1, 1, h, 1): all rows, or, of a share of the clips, 0.2 to 0.5 of them."""
            if not c.partly:
                return torch.ones(1, dtype=torch.bool, device=video.device)
            center, height, whole = draw(3).T[..., None]
            row = torch.arange(c.size, device=video.device) / c.size
            return ((row - center).abs() < 0.1 + 0.15 * height).logical_or(whole >= c.partly)[:, None, None, :, None]

        other = video[self._somebody_else(video[:, 3] > 0, draw() < c.swapped)]
        video = torch.where(rows(), other, video)
        sizes = (draw() * 3).long()
        small = [resized(resized(video, c.size // n, c.size // n), c.size, c.size) for n in (2, 4)]
        video = torch.stack([video, *small])[sizes, torch.arange(b, device=video.device)]
        order = draw(3).argsort(1)  # of red, green and blue
        mix = torch.eye(3, device=video.device)[order] + c.tint * normal(3, 3)
        tinted = torch.einsum("bij,bjfhw->bifhw", mix, video[:, :3]) + c.tint / 2 * normal(3, 1, 1, 1)
        inside = (draw() < c.tinted)[:, None, None, None, None] & (video[:, 3:] > -0.5)  # the background would tell
        inside = inside & rows()
        video = torch.cat([torch.where(inside, tinted, video[:, :3]), video[:, 3:]], 1)
        return (video + c.noise * draw(1, 1, 1, 1) ** 2 * normal(*video.shape[1:])).clamp(-1, 1)

    def _somebody_else(self, solid: Tensor, chosen: Tensor) -> Tensor:
        """int64 (b,): for the `chosen` clips the one whose mattes bool (b, f, h, w) overlap most with theirs, if they
        do enough; for the others themselves."""
        flat = solid.flatten(1).float()
        both = flat @ flat.T
        size = flat.sum(1)
        overlap = both / (size[:, None] + size - both).clamp(min=1)
        own = torch.arange(len(flat), device=flat.device)
        overlap[own, own] = 0
        most, which = overlap.max(1)
        return torch.where(chosen & (most >= self.config.overlap), which, own)

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.refined(cond["low"], cond["text"], cond["text_mask"])

    @torch.no_grad()
    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: each clip made worse, above what becomes of it."""
        video, text, mask = (batch[k][:4] for k in ("video", "text", "text_mask"))
        worse = self.worse(resized(video, self.config.size, self.config.size), rng)
        return torch.stack([worse, self.refined(worse, text, mask)], 1).flatten(0, 1)
