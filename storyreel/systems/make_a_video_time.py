"""How Make-A-Video's networks for pictures learn to move: layers in time, born as the identity (Section 3.2.1).

A pseudo-3D convolution is a 2-D one followed by a 1-D one in time that begins as the identity; pseudo-3D attention is
attention within the frame followed by attention in time whose last projection begins at zero. So a video network that
was just grown from a trained network for pictures makes each frame as that one would, and learns from there. It learns
on videos without captions, and only what is new learns: the layers in time, the embedding of the frame rate, and, in
the interpolation network, what the known frames enter by. The rest is that of the network for pictures, whose very
parameters it shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from storyreel.diffusion.samplers import OnStep
from storyreel.nn.video_resample import resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_blocks import SpatialConv, zeros
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.cascade import Shape
from storyreel.systems.make_a_video_images import DenoisingStage, ImageStage


class GrownStem(nn.Module):
    """A first convolution that takes more channels than it did: the new ones enter by weights that begin at zero."""

    def __init__(self, old: SpatialConv, more: int):
        super().__init__()
        self.old, self.new = old, zeros(SpatialConv(more, old.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, h, w, channels + more) -> (b, t, h, w, width)."""
        known = self.old.in_channels
        return self.old(x[..., :known]) + self.new(x[..., known:])


def grown(image: VideoUNet, config: VideoUNetConfig) -> VideoUNet:
    """A video network around a network for pictures: it shares all parameters of that, and gives the same at birth."""
    net = config.build()
    more = config.extra - image.config.extra
    if more:
        old = SpatialConv((config.channels + image.config.extra) * config.patch**2, config.widths[0])
        net.stem = GrownStem(old, more * config.patch**2)  # pyright: ignore[reportAttributeAccessIssue]
    for new in (net.from_fps if image.from_fps is None else None, net.from_skip if image.from_skip is None else None):
        if new is not None:
            zeros(new[-1])  # pyright: ignore[reportArgumentType]
    for name, parameter in image.named_parameters():
        owner, _, leaf = (name.replace("stem.", "stem.old.") if more else name).rpartition(".")
        setattr(net.get_submodule(owner), leaf, parameter)
    return net


class VideoStage(DenoisingStage):
    """The layers in time around a stage for pictures, which it holds and leaves as it is."""

    def __init__(
        self,
        name: str,
        image: ImageStage,
        shape: Shape,
        takes: Shape | None,
        *,
        clip_fps: int,
        most_skip: int = 1,
        told_fps: bool = False,
        known: bool = False,
        of: str,
    ):
        super().__init__(name, shape, takes, image.channels, image.config, of=of)
        self.encoder, self.image = image.encoder, image
        self.clip_fps, self.most_skip = clip_fps, most_skip
        self.capturable = not told_fps  # frame rates change as training goes on
        new = image.channels + 1 if known else 0
        inside = image.unet.config
        self.unet = grown(
            image.unet,
            replace(inside, temporal=image.config.unet.temporal, fps=told_fps, extra=inside.extra + new, skip=known),
        )

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        """What it adds to the network for pictures."""
        old = {id(p) for p in self.image.unet.parameters()}
        return [p for p in self.unet.parameters() if id(p) not in old]

    def given(self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        rest = super().given(cond, shape, rng)
        if self.unet.from_fps is not None:
            rest["fps"] = torch.full((len(rng),), float(shape.fps), device=next(self.parameters()).device)
        return rest

    def examples(self, video: Tensor, tick: Tick) -> tuple[Tensor, dict[str, Any]]:
        """Clips at a frame rate of their own each, which the network is told (Section 3.2.1)."""
        if self.unet.from_fps is None:
            return super().examples(video, tick)
        video, fps = self.at_rates(video, tick)
        x, rest = super().examples(video, tick)
        return x, rest | {"fps": fps}

    def at_rates(self, video: Tensor, tick: Tick) -> tuple[Tensor, Tensor]:
        """`shape.frames` frames of each clip, one in `skip`, and the frame rates (b,).

        High rates first, and lower ones, in which more moves, as training goes on (Section 3.4): the skip is
        1 + floor(most x), with x of a beta distribution that moves from 0 to 1. ValueError for clips too short.
        """
        b, t, frames, rng = len(video), video.shape[2], self.shape.frames, tick.rng
        longest = (t - 1) // (frames - 1) if frames > 1 else 1
        if longest < 1:
            raise ValueError(f"stage {self.name!r}: wanted clips of at least {frames} frames, got {t}")
        most = min(self.most_skip, longest)
        draws = torch.rand(b, 2, generator=rng, device=rng.device).double()
        skips = 1 + (most * draws[:, 0] ** (3.0 ** (1 - 2 * tick.progress))).long().clamp(max=most - 1)
        starts = (draws[:, 1] * (t - (frames - 1) * skips)).long()
        index = (starts[:, None] + skips[:, None] * torch.arange(frames, device=rng.device)).to(video.device)
        cut = video[torch.arange(b, device=video.device)[:, None], :, index].transpose(1, 2)
        return cut, (self.clip_fps / skips).float().to(video.device)

    def real(self, video: Tensor) -> tuple[Tensor, Batch]:
        frames = min(self.shape.frames, video.shape[2])
        skip = max(1, min(round(self.clip_fps / self.shape.fps), (video.shape[2] - 1) // max(1, frames - 1)))
        return super().real(video[:, :, : (frames - 1) * skip + 1 : skip])


class InterpolationStage(VideoStage):
    """The masked frame interpolation and extrapolation network (Section 3.2.3): it fills in the frames between, after
    or before those that are known.

    The decoder's layers, told an embedding too, with 4 more channels: the known frames, black where unknown, and where
    they are. It begins with what the decoder in time has learnt.
    """

    def __init__(self, name: str, before: VideoStage, shape: Shape, *, skip: int, clip_fps: int, of: str):
        super().__init__(
            name, before.image, shape, before.shape, clip_fps=clip_fps, most_skip=before.most_skip,
            told_fps=True, known=True, of=of,
        )  # fmt: skip
        self.before, self.skip = before, skip
        self.sampling = before.sampling

    @torch.no_grad()
    def begin(self) -> None:
        """The layers in time are the decoder's, unless they have learnt already."""
        if any(not _is_identity(layer) for layer in self.unet.temporal_layers()):
            return
        theirs = self.before.unet.state_dict()
        old = {id(p) for p in self.image.unet.parameters()}
        for name, mine in self.unet.state_dict(keep_vars=True).items():
            if id(mine) not in old and name in theirs and theirs[name].shape == mine.shape:
                mine.copy_(theirs[name])

    # -- known frames ------------------------------------------------------------------------------------------

    def places(self, count: int) -> Tensor:
        """Where the decoder's frames stand among those that are made: one in `skip`, from the first on."""
        return torch.arange(count) * self.skip

    def given(self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """`cond["low"]` (b, c, k, h, w), the known frames, at `cond["places"]` (k,); without it, one in `skip`.

        ValueError for fewer than one known frame, and for a place that is not there.
        """
        low, places = cond["low"], cond.get("places")
        places = self.places(low.shape[2]) if places is None else places
        if len(places) != low.shape[2] or int(places.min()) < 0 or int(places.max()) >= shape.frames:
            raise ValueError(
                f"known frames: wanted a place from 0 to {shape.frames - 1} for each of {low.shape[2]}, "
                f"got {places.tolist()}"
            )
        low = resized(low, shape.height, shape.width)
        full = low.new_zeros(len(low), self.channels, shape.frames, shape.height, shape.width)
        full[:, :, places] = low
        known = torch.zeros(len(low), shape.frames, dtype=torch.bool, device=low.device)
        known[:, places] = True
        return super().given({}, shape, rng) | self.masked(full, known)

    def _check_low(self, low: Tensor | None, count: int) -> None:
        if low is None or low.ndim != 5 or low.shape[2] < 1:
            raise ValueError(f"stage {self.name!r}: wanted at least 1 known frame, got 0")
        super()._check_low(low, count)

    def masked(self, video: Tensor, known: Tensor) -> dict[str, Any]:
        """The further inputs for videos (b, c, t, h, w) whose `known` (b, t) frames are told: those frames, zeros
        elsewhere, and a channel that says which; and how far apart they lie."""
        where = known[:, None, :, None, None].to(video.dtype).expand(-1, 1, -1, *video.shape[3:])
        count, t = known.sum(1), known.shape[1]
        at = torch.arange(t, device=known.device)
        first = torch.where(known, at, t).amin(1)
        last = torch.where(known, at, -1).amax(1)
        skip = ((last - first).float() / (count - 1).clamp(min=1)).clamp(min=1)
        return {"extra": torch.cat([video * where, where], 1), "skip": skip}

    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
        shape: Shape | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """As `CascadeStage.sample`; the known frames come out as they went in."""
        made = super().sample(cond, rng=rng, steps=steps, guidance=guidance, shape=shape, on_step=on_step)
        low = resized(cond["low"], *made.shape[3:]).to(made)
        places = cond["places"] if "places" in cond else self.places(low.shape[2])
        made[:, :, places] = low.clamp(-1, 1)
        return made

    # -- training ----------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The error of the frames that are not known."""
        x, cond = self.examples(batch["video"], tick)
        known = draw_known(len(x), x.shape[2], tick.rng).to(x.device)
        cond |= self.masked(x, known)
        return Loss(self.error(x, cond, tick.rng, (~known)[:, None, :, None, None].to(x.dtype)).mean(), {})

    def real(self, video: Tensor) -> tuple[Tensor, Batch]:
        x, cond = super().real(video)
        places = torch.arange(0, x.shape[2], self.skip)
        return x, cond | {"low": x[:, :, places], "places": places}


def draw_known(count: int, frames: int, rng: torch.Generator) -> Tensor:
    """Which frames are known (b, t), between one and all but one: every n-th (half of the clips), the first few, the
    last few, or both ends, for interpolation and extrapolation."""
    draws = torch.rand(count, 2, generator=rng, device=rng.device).double()
    kind, size = draws[:, :1], draws[:, 1:]
    few = 1 + (size * (frames - 1)).long()
    at = torch.arange(frames, device=rng.device)
    spaced = at % (2 + (size * min(4, max(1, frames - 2))).long()) == 0
    ends = (at == 0) | ((at == frames - 1) & (frames > 2))
    late = torch.where(kind < 0.85, at >= frames - few, ends)
    return torch.where(kind < 0.5, spaced, torch.where(kind < 0.7, at < few, late))


def _is_identity(layer: nn.Module) -> bool:
    """Whether a layer in time is as it was born."""
    weight = layer.weight if isinstance(layer, nn.Conv2d) else layer.to_out.weight  # pyright: ignore
    assert isinstance(weight, Tensor)
    born = nn.init.dirac_(torch.empty_like(weight)) if isinstance(layer, nn.Conv2d) else torch.zeros_like(weight)
    return bool(weight.equal(born))
