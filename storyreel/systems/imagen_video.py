"""Imagen Video: from a sentence to high-definition video, by a cascade of seven video diffusion models.

Ho et al., "Imagen Video: High Definition Video Generation with Diffusion Models", 2022,
https://arxiv.org/abs/2210.02303. A base makes a few small frames, and three temporal (tsr) and three spatial (ssr)
super-resolution models refine them (Figure 6):

    text --base--> --tsr1--> --ssr1--> --ssr2--> --tsr2--> --tsr3--> --ssr3--> video
    paper: 16x24x40   32 fr.   48x80     192x320   64 fr.    128 fr.   128x768x1280 at 24 fps

Axes: b batch, c channels, t frames, h rows, w columns, l text tokens, d width of the text. Videos are float
(b, c, t, h, w) in [-1, 1]. Every stage is trained by itself, in any order, on real videos and images; `distill` goes
on from a trained stage to one of few steps (Section 2.7; `imagen_video_distill.py`).

Differs from the paper: a stage may see patches (`unet.patch`, with a path of full size beside them, `unet.fine`), and
the mean text state is added to the embedding; a small transformer may be trained on the states of the text
(`unet.text_layers`), colour may count more (`chroma`), and stages may be left out. The paper recipe leaves these off.
Frames are counted from the first, and a tsr copies those that it is given (`counted`, `fill`); the paper does not say.
It does not print widths and depths either: ours meet its parameter counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from storyreel.diffusion.parameterisation import Kind as Target
from storyreel.diffusion.parameterisation import Weight, convert
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import preserving
from storyreel.field_ranges import Share, Width
from storyreel.nn.video_resample import Counted, at_frames, blank_filled, cut_to_aspect, random_crop, resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_tiles import Tiles, spans
from storyreel.systems.base import Batch, Loss, Request, Tick
from storyreel.systems.cascade import Cascade, Kind, Shape, check_row
from storyreel.systems.cascade_net import BESIDE, NetSettings, NetStage
from storyreel.systems.cascade_stream import Run
from storyreel.systems.imagen_video_distill import Distillation, Teacher

LARGE = 2**26  # values of a video from which on stages without attention make it piece by piece
TILE, CHUNK = 256, 32  # pixels a side and frames of a piece, where settings say nothing
MOST_PIXELS, MOST_FRAMES = 4096, 1024  # a side, and of a video, that may be asked for


@dataclass(frozen=True, kw_only=True)
class StageConfig(NetSettings):
    """One of the seven; `NetSettings` says what is not said here.

    fill: how a tsr is given its frames, repeated, or in their places with blanks between. counted: whether a frame that
    stands for its span is the one in its middle, or its first one: counted from the first, a tsr copies the frames that
    it is given (`fill` blank). drop_text: share of the captions that are dropped. predict, weight: Section 2.4.
    """

    kind: Kind
    shape: Shape
    unet: VideoUNetConfig
    sampling: Sampling = field(default_factory=Sampling)
    crop: int = 0
    fill: Literal["repeat", "blank"] = "repeat"
    shift: float = 0.0
    drop_text: Share = 0.1
    most_noise: Share = 1.0
    predict: Target = "v"
    weight: Weight = "v"
    distill: Distillation = field(default_factory=Distillation)
    counted: Counted = "middle"
    chroma: float = 0.0

    @property
    def copies(self) -> bool:
        """Whether the input frames are among those that the stage makes, and pass through it as they are."""
        return self.kind == "tsr" and self.fill == "blank" and self.counted == "first"


class DiffusionStage(NetStage[StageConfig]):
    """A Video U-Net that takes noise from videos, told a text and the video of the stage before (Sections 2.2-2.5)."""

    needs_text = True
    stands_alone = True
    training_only = ("teacher",)

    def __init__(self, name: str, config: StageConfig, takes: Shape | None, channels: int, text_dim: int):
        super().__init__(name, config.shape, takes, channels, config)
        c = config
        given = 0 if takes is None else channels + (c.kind == "tsr" and c.fill == "blank")
        self.unet: VideoUNet = replace(
            c.unet, channels=channels, extra=given, augmented=given > 0, text_dim=text_dim, fps=True
        ).build()
        self.teacher = Teacher(self.unet) if c.distill.on else None
        self.capturable = self.teacher is None

    # -- what it is told ---------------------------------------------------------------------------------------

    def _laid_beside(self, low: Tensor, shape: Shape) -> Tensor:
        """The video of the stage before at this stage's size and frames (Section 2.2)."""
        low = resized(low, shape.height, shape.width)
        if self.config.kind == "tsr" and self.config.fill == "blank":
            return blank_filled(low, shape.frames, self.config.counted)
        return at_frames(low, shape.frames, self.config.counted)

    def _cond(self, text: Tensor, mask: Tensor, fps: int) -> dict[str, Any]:
        told = torch.full((len(text),), float(fps), device=text.device)
        return {"memory": self.unet.text_memory(text, mask), "fps": told}

    def told(
        self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator], *, both: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Texts' keys and values, frame rate, and the video to refine, noised with `sampling.snr` (Section 2.5)."""
        text, mask = cond["text"], cond["text_mask"]
        rest: dict[str, Any] = {}
        if "low" in cond:
            low = self._laid_beside(cond["low"], shape)
            rest = self.low_to_sample(low, rng) | ({"known": low} if self.config.copies else {})
        told = self._cond(text, mask, shape.fps) | rest
        if not both:
            return told, None
        nothing = self.unet.without_text(text, mask, torch.ones(len(text), dtype=torch.bool, device=text.device))
        return told, self._cond(*nothing, shape.fps) | rest

    # -- the network -------------------------------------------------------------------------------------------

    def v_of(self, net: VideoUNet, z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        """v of a noisy video; where frames are known (`known`: frames, and 1 in the last channel), that of these."""
        known = cond.get("known")
        v = super().v_of(net, z, logsnr, {name: value for name, value in cond.items() if name != "known"})
        if known is None:
            return v
        right = convert(known[:, :-1], z.float(), preserving(logsnr), "x", "v")
        return torch.where(known[:, -1:] > 0, right, v.float())

    def tiles(self, z: Tensor) -> Tiles:
        """Those of `sampling`, or what is usual for large videos where the network sees surroundings alone."""
        pixels, neighbours = self.unet.reach
        s = self.sampling
        # a run of a streamed video is no longer than this, and is not cut again
        chunk = s.chunk if z.shape[2] > s.chunk + 2 * neighbours else 0
        tile = s.tile or (TILE if self.config.convolutional and z[0].numel() > LARGE else 0)
        return Tiles(size=tile, frames=chunk, halo=pixels, halo_frames=neighbours)

    def runs(self, shape: Shape) -> list[Run]:
        """`sampling.chunk` frames at a time, or what is usual for large videos, where the network sees surroundings
        alone and nothing needs the whole video."""
        s, size = self.sampling, self.channels * shape.frames * shape.height * shape.width
        chunk = s.chunk or (CHUNK if size > LARGE else 0)
        if not chunk or shape.frames <= chunk or not self.config.convolutional:
            return []
        if s.threshold or not s.method.local:
            return []
        return list(spans(shape.frames, chunk, self.unet.reach[1]))

    def cut(self, told: dict[str, Any], seen: slice) -> dict[str, Any]:
        return told | {name: told[name][:, :, seen] for name in BESIDE if name in told}

    # -- training ----------------------------------------------------------------------------------------------

    def examples(self, video: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """(what the stage should make, what it is given of it): from clips of any size that last as long."""
        c, shape = self.config, self.shape
        video = cut_to_aspect(video, shape.height, shape.width)
        whole = resized(at_frames(video, shape.frames, c.counted), shape.height, shape.width)
        if self.takes is None:
            return whole, None
        low = whole
        if c.kind == "tsr":
            low = resized(at_frames(video, self.takes.frames, c.counted), shape.height, shape.width)
            return whole, self._laid_beside(low, shape)
        if c.crop:
            whole = low = random_crop(whole, c.crop, rng)
        return whole, self.coarse(low)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The weighted squared error of v (Section 2.4), images and videos side by side (Section 2.3).

        A sample of `length` 1 is an image: its frames are pictures that do not see one another.
        """
        rng = tick.rng
        x, low = self.examples(batch["video"], rng)
        text, mask = batch["text"], batch["text_mask"]
        if self.teacher is None:
            dropped = torch.rand(len(text), generator=rng, device=rng.device) < self.config.drop_text
            text, mask = self.unet.without_text(text, mask, dropped.to(text.device))
        rest: dict[str, Any] = {}
        if low is not None:
            rest = self.low_to_learn(low, rng)
        if "length" in batch:
            rest["video"] = (batch["length"] != 1).to(x.device)
        copies = low if self.config.copies else None
        if self.teacher is not None:
            rest |= {} if copies is None else {"known": copies}
            return self.teacher.loss(self, x, (text, mask), rest, tick)
        unknown = None if copies is None else 1 - copies[:, -1:]
        told = self._cond(text, mask, self.shape.fps) | rest
        return Loss(self.error(x, told, rng, unknown).mean(), {})

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """A few made videos, and below them the real ones: for the trainer's contact sheet."""
        few = {k: v[:4] for k, v in batch.items()}
        x, low = self.examples(few["video"], rng)
        cond = {"text": few["text"], "text_mask": few["text_mask"]} | ({} if low is None else {"low": self._small(few)})
        rngs = [torch.Generator().manual_seed(i) for i in range(len(x))]
        steps = None if self.teacher is not None else min(16, self.sampling.steps)
        return torch.cat([self.sample(cond, rng=rngs, steps=steps), resized(x, self.shape.height, self.shape.width)])

    def _small(self, batch: Batch) -> Tensor:
        """Real videos as the stage before would make them."""
        assert self.takes is not None
        video = cut_to_aspect(batch["video"], self.shape.height, self.shape.width)
        frames = at_frames(video, self.takes.frames, self.config.counted)
        video = resized(frames, self.shape.height, self.shape.width)
        return resized(video, self.takes.height, self.takes.width)

    # -- distilled ---------------------------------------------------------------------------------------------

    def asked(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """A distilled stage has its guidance within, and at most the steps that it was distilled to."""
        d = self.config.distill
        if not d.on:
            return super().asked(steps, guidance)
        if guidance is not None and guidance != d.guidance:
            raise ValueError(
                f"guidance: stage {self.name!r} was distilled at {d.guidance:g} and has no other; got {guidance:g}"
            )
        count, _ = super().asked(d.final if steps is None else steps, None)
        if count > d.final:
            raise ValueError(f"steps: stage {self.name!r} was distilled to {d.final} steps, got {count}")
        return count, 1.0


@dataclass(frozen=True, kw_only=True)
class ImagenVideoConfig:
    """The stages, in the order in which they make a video: the paper's seven, or those of them that a smaller video
    needs, the others None."""

    base: StageConfig
    tsr1: StageConfig | None = None
    ssr1: StageConfig | None = None
    ssr2: StageConfig | None = None
    tsr2: StageConfig | None = None
    tsr3: StageConfig | None = None
    ssr3: StageConfig | None = None
    channels: Width = 3  # 4 makes a matte too
    text_dim: Width = 4096
    whole_clips: bool = False  # every stage is fed clips of the last one's size, and makes them smaller itself

    def __post_init__(self) -> None:
        check_row([(name, stage.kind, stage.shape) for name, stage in self.row.items()])

    @property
    def row(self) -> dict[str, StageConfig]:
        return {f.name: stage for f in fields(self) if isinstance(stage := getattr(self, f.name), StageConfig)}

    @property
    def last(self) -> Shape:
        """Of the video."""
        return list(self.row.values())[-1].shape

    @property
    def clips(self) -> dict[str, tuple[int, int]]:
        """Height and width of the clips that each stage is trained on. All of them last as long as the video."""
        last = self.last
        return {n: (s.height, s.width) for n, c in self.row.items() for s in [last if self.whole_clips else c.shape]}

    @property
    def frames(self) -> int:
        return self.last.frames

    @property
    def fps(self) -> int:
        return self.last.fps

    @property
    def steps(self) -> int:
        """Of the base, where a request says nothing."""
        return self.base.distill.final if self.base.distill.on else self.base.sampling.steps

    @property
    def guidance(self) -> float:
        return self.base.distill.guidance or self.base.sampling.guidance

    def build(self) -> ImagenVideo:
        return ImagenVideo(self)


class ImagenVideo(Cascade):
    """Text to video; every stage before the last is a smaller product (`make(..., upto="ssr1")`)."""

    name = "imagen_video"
    serves = frozenset({"size"})

    def __init__(self, config: ImagenVideoConfig):
        super().__init__()
        self.config = config
        self.text_dim = config.text_dim
        self.row, takes = nn.ModuleDict(), None
        for name, stage in config.row.items():
            self.row[name] = DiffusionStage(name, stage, takes, config.channels, config.text_dim)
            takes = stage.shape

    def check(self, request: Request) -> None:
        super().check(request)
        if request.options.size and max(request.options.size) > MOST_PIXELS:
            raise ValueError(
                f"size: wanted at most {MOST_PIXELS} pixels a side, got {'x'.join(map(str, request.options.size))}"
            )
        if request.options.size and (request.options.frames or 1) > MOST_FRAMES:
            raise ValueError(f"frames: wanted at most {MOST_FRAMES}, got {request.options.frames}")

    def shapes_of(self, request: Request) -> dict[str, Shape]:
        """Another size, and then any number of frames, from the same networks.

        The last stage makes the size that is wanted; those before it keep their shorter side, at the wanted aspect.
        All make as many times more frames, at their own frame rates.
        """
        if request.options.size is None:
            return {}
        row = {name: stage for name, stage in self.cascade().items() if isinstance(stage, DiffusionStage)}
        last, (width, height) = list(row.values())[-1], request.options.size
        longer = Fraction(max(request.options.frames or 1, last.shape.frames), last.shape.frames)
        if height % last.unet.multiple or width % last.unet.multiple:
            raise ValueError(f"size: wanted multiples of {last.unet.multiple}, got {width}x{height}")
        shapes = {}
        for name, stage in row.items():
            side, step = min(stage.shape.height, stage.shape.width), stage.unet.multiple
            high, wide = (max(step, round(side * n / min(height, width) / step) * step) for n in (height, width))
            if stage is last:
                high, wide = height, width
            frames = -int(-stage.shape.frames * longer // 1)
            shapes[name] = replace(stage.shape, frames=frames, height=high, width=wide)
        return shapes
