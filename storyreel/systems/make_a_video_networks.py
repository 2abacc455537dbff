"""Make-A-Video's diffusion networks: those for pictures, and the layers in time around them (Sections 3.1 to 3.2.3).

The decoder D makes a small picture from an image embedding; SR_l makes it larger, SR_h larger still, from a small
picture and trained on crops. All learn from pictures alone. SR_h stays as it is and takes the frames of a video one by
one, all with the same noise, so that it invents the same details in all of them.

D, ^F and SR_l then learn to move. A pseudo-3D convolution is a 2-D one followed by a 1-D one in time that begins as the
identity; pseudo-3D attention is attention within the frame followed by attention in time whose last projection begins
at zero (Section 3.2.1). So a video network that was just grown from a trained network for pictures makes each frame as
that one would, and learns from there. It learns on videos without captions, and only what is new learns: the layers in
time, the embedding of the frame rate, and, in the interpolation network, the inputs for the known frames. The rest is
that of the network for pictures, whose very parameters it shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from storyreel.diffusion.sampling import check_guidance
from storyreel.field_ranges import Share
from storyreel.nn.null_text import drawn
from storyreel.nn.video_resample import random_crop, resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_blocks import SpatialConv, zeros
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.cascade_stage import CascadeStage, CascadeStageConfig, VideoShape
from storyreel.systems.make_a_video_prior import ImageTextStage


@dataclass(frozen=True, kw_only=True)
class NetConfig(CascadeStageConfig):
    """One network. shape: of the video that it makes in the end. unet: its `temporal` layers come with the training on
    videos. drop: share of the embeddings that are dropped, for guidance."""

    drop: Share = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape.height != self.shape.width:
            raise ValueError(f"shape.width: expected the height, {self.shape.height}, got {self.shape.width}")


class SpatialStage(CascadeStage[NetConfig]):
    """A network for pictures, under an image embedding or with a smaller picture to refine, not both. A video it takes
    frame by frame, with the same noise in each."""

    same_noise = True
    capturable = True
    stands_alone = True

    def __init__(
        self,
        name: str,
        config: NetConfig,
        shape: VideoShape,
        input_shape: VideoShape | None,
        channels: int,
        encoder: ImageTextStage | None,
        *,
        identity: str,
        unet: VideoUNet | None = None,
    ):
        super().__init__(name, config, shape, input_shape, channels, identity=identity)
        self.encoder = encoder
        self.unet = (
            unet
            or replace(
                config.unet,
                channels=channels,
                extra=channels if input_shape else 0,
                augmented=input_shape is not None,
                vector_dim=encoder.dim if encoder else 0,
                text_dim=0,
                temporal=("none",),
            ).build()
        )

    # -- conditioning ------------------------------------------------------------------------------------------

    def resolve(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """Without an embedding there is nothing to guide by."""
        if self.encoder is None and guidance is not None:
            check_guidance(guidance)
            guidance = 1.0
        return super().resolve(steps, guidance)

    def beside(self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """Inputs beside the embedding: the smaller video, noised."""
        if "low" not in cond:
            return {}
        return self.low_to_sample(resized(cond["low"], shape.height, shape.width), rng)

    def conditioning(
        self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """`cond["embedding"]` (b, e), where the network reads one; without conditioning it is zeros."""
        beside = self.beside(cond, shape, rng)
        if self.encoder is None:
            return beside, None
        embedding = cond["embedding"]
        return beside | {"vector": embedding}, beside | {"vector": torch.zeros_like(embedding)} if guided else None

    # -- training ----------------------------------------------------------------------------------------------

    def examples(self, video: Tensor, tick: Tick) -> tuple[Tensor, dict[str, Any]]:
        """(what it should make, its conditioning): a picture or video and its smaller self, cropped alike, or the
        embedding of one of its frames."""
        if self.encoder is not None:
            return resized(video, self.shape.height, self.shape.width), self.embedded(video, tick.rng)
        x = resized(video, self.shape.height, self.shape.width)
        if self.config.crop:
            x = random_crop(x, self.config.crop, tick.rng)
        return x, self.low_to_learn(self.coarse(x), tick.rng)

    def embedded(self, video: Tensor, rng: torch.Generator) -> dict[str, Any]:
        """The embedding of one frame of each video, any of them; zeros where it is dropped."""
        assert self.encoder is not None
        b, t = len(video), video.shape[2]
        at = torch.randint(t, (b,), generator=rng, device=rng.device).to(video.device)
        frame = video[torch.arange(b, device=video.device), :, at][:, :, None]
        dropped = drawn(b, self.config.drop, rng, video.device)
        return {"vector": self.encoder.images(frame)[:, 0] * ~dropped[:, None]}

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The weighted squared error of the network's prediction. A batch needs no captions, and none are read."""
        x, cond = self.examples(batch["video"], tick)
        return Loss(self.error(x, cond, tick.rng).mean(), {})

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """A few generated ones, and below them the real ones: for the trainer's contact sheet."""
        video = batch["video"][:4]
        x, cond = self.real(video)
        rngs = [torch.Generator().manual_seed(i) for i in range(len(x))]
        made = self.sample(cond, rng=rngs, steps=min(16, self.sampling.steps), shape=self.shape_of(x))
        return torch.cat([made, x])

    def real(self, video: Tensor) -> tuple[Tensor, Batch]:
        """Real clips as the stage would make them, and the condition under which it would."""
        x = resized(video, self.shape.height, self.shape.width)
        if self.encoder is not None:
            return x, {"embedding": self.encoder.together(self.encoder.images(video))}
        assert self.input_shape is not None
        return x, {"low": resized(x, self.input_shape.height, self.input_shape.width)}

    def shape_of(self, x: Tensor) -> VideoShape:
        return replace(self.shape, frames=x.shape[2], height=x.shape[3], width=x.shape[4])


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


class SpatiotemporalStage(SpatialStage):
    """The layers in time around a stage for pictures, which it holds and leaves as it is."""

    same_noise = False
    stands_alone = False

    def __init__(
        self,
        name: str,
        image: SpatialStage,
        shape: VideoShape,
        input_shape: VideoShape | None,
        *,
        clip_fps: int,
        max_skip: int = 1,
        fps: bool = False,
        known: bool = False,
        identity: str,
    ):
        inside, new = image.unet.config, image.channels + 1 if known else 0
        config = replace(inside, temporal=image.config.unet.temporal, fps=fps, extra=inside.extra + new, skip=known)
        unet = grown(image.unet, config)
        super().__init__(
            name, image.config, shape, input_shape, image.channels, image.encoder, identity=identity, unet=unet
        )
        self.image, self.clip_fps, self.max_skip = image, clip_fps, max_skip
        self.capturable = not fps  # frame rates change as training goes on

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        """What it adds to the network for pictures."""
        old = {id(p) for p in self.image.unet.parameters()}
        return [p for p in self.unet.parameters() if id(p) not in old]

    def beside(self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        inputs = super().beside(cond, shape, rng)
        if self.unet.from_fps is not None:
            inputs["fps"] = torch.full((len(rng),), float(shape.fps), device=self.fingerprint.device)
        return inputs

    def examples(self, video: Tensor, tick: Tick) -> tuple[Tensor, dict[str, Any]]:
        """Clips at a frame rate of their own each, which the network reads (Section 3.2.1)."""
        if self.unet.from_fps is None:
            return super().examples(video, tick)
        video, fps = self.at_rates(video, tick)
        x, inputs = super().examples(video, tick)
        return x, inputs | {"fps": fps}

    def at_rates(self, video: Tensor, tick: Tick) -> tuple[Tensor, Tensor]:
        """`shape.frames` frames of each clip, one in `skip`, and the frame rates (b,).

        High rates first, and lower ones, in which more moves, as training goes on (Section 3.4): the skip is
        1 + floor(most x), with x of a beta distribution that moves from 0 to 1. ValueError for clips too short.
        """
        b, t, frames, rng = len(video), video.shape[2], self.shape.frames, tick.rng
        longest = (t - 1) // (frames - 1) if frames > 1 else 1
        if longest < 1:
            raise ValueError(f"stage {self.name!r}: expected clips of at least {frames} frames, got {t}")
        most = min(self.max_skip, longest)
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


class FrameInterpolationStage(SpatiotemporalStage):
    """The masked frame interpolation and extrapolation network (Section 3.2.3): it fills in the frames between, after
    or before those that are known.

    The decoder's layers, under an embedding too, with 4 more channels: the known frames, black where unknown, and where
    they are. It begins with what the decoder in time has learnt.
    """

    def __init__(
        self, name: str, before: SpatiotemporalStage, shape: VideoShape, *, skip: int, clip_fps: int, identity: str
    ):
        super().__init__(
            name, before.image, shape, before.shape, clip_fps=clip_fps, max_skip=before.max_skip,
            fps=True, known=True, identity=identity,
        )  # fmt: skip
        self.before, self.skip = before, skip

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

    def beside(self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """`cond["low"]` (b, c, k, h, w), the known frames, at `cond["places"]` (k,); without it, one in `skip`.

        ValueError for fewer than one known frame, and for a place that is not there.
        """
        low, places = cond["low"], cond.get("places")
        places = self.places(low.shape[2]) if places is None else places
        if len(places) != low.shape[2] or int(places.min()) < 0 or int(places.max()) >= shape.frames:
            raise ValueError(
                f"known frames: expected a place from 0 to {shape.frames - 1} for each of {low.shape[2]}, "
                f"got {places.tolist()}"
            )
        low = resized(low, shape.height, shape.width)
        full = low.new_zeros(len(low), self.channels, shape.frames, shape.height, shape.width)
        full[:, :, places] = low
        known = torch.zeros(len(low), shape.frames, dtype=torch.bool, device=low.device)
        known[:, places] = True
        return super().beside({}, shape, rng) | self.masked(full, known)

    def _check_low(self, low: Tensor | None, count: int) -> None:
        if low is None or low.ndim != 5 or low.shape[2] < 1:
            raise ValueError(f"stage {self.name!r}: expected at least 1 known frame, got 0")
        super()._check_low(low, count)

    def masked(self, video: Tensor, known: Tensor) -> dict[str, Any]:
        """Inputs for videos (b, c, t, h, w) whose `known` (b, t) frames the network reads: those frames, zeros
        elsewhere, and a channel that says which; and how far apart they lie."""
        where = known[:, None, :, None, None].to(video.dtype).expand(-1, 1, -1, *video.shape[3:])
        count, t = known.sum(1), known.shape[1]
        at = torch.arange(t, device=known.device)
        first = torch.where(known, at, t).amin(1)
        last = torch.where(known, at, -1).amax(1)
        skip = ((last - first).float() / (count - 1).clamp(min=1)).clamp(min=1)
        return {"extra": torch.cat([video * where, where], 1), "skip": skip}

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator], **settings: Any) -> Tensor:
        """As `CascadeStage.sample`; the known frames come out as they went in."""
        made = super().sample(cond, rng=rng, **settings)
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
