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
It has what the paper does not print: log-SNRs that are shifted for larger frames (`shift`), drawn noise of the least
variance (`sampling.gamma` 0), frames that are counted from the first, those of the input copied by a tsr (`counted`,
`fill`), widths and depths that meet the parameter counts. `--steps` and `--guidance` of a request are those of every
stage; the paper has its own for each, as a stage's `sampling` has. The shipped model reads MiniLM, not T5-XXL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.field_ranges import Share, Width
from storyreel.nn.null_text import drawn, everywhere, without_text
from storyreel.nn.video_resample import Counted, at_frames, blank_filled, cut_to_aspect, random_crop, resized
from storyreel.nn.video_unet import VideoUNet
from storyreel.systems.base import Batch, Loss, Request, Tick
from storyreel.systems.cascade import Cascade, Kind, VideoShape, check_order
from storyreel.systems.cascade_stage import CascadeStage, CascadeStageConfig
from storyreel.systems.imagen_video_distill import Distillation, Teacher, text_inputs
from storyreel.systems.palette_refiner import PaletteRefinerConfig

MAX_PIXELS, MAX_FRAMES = 4096, 1024  # a side, and of a video, in a request


@dataclass(frozen=True, kw_only=True)
class StageConfig(CascadeStageConfig):
    """One of the seven.

    fill: how a tsr reads its frames, repeated, or in their places with blanks between. counted: whether a frame that
    stands for its span is the one in its middle, or its first one: counted from the first, a tsr copies the frames of
    its input (`fill` blank). drop_text: share of the captions that are dropped. predict, weight: Section 2.4.
    """

    kind: Kind
    fill: Literal["repeat", "blank"] = "repeat"
    drop_text: Share = 0.1
    distill: Distillation = field(default_factory=Distillation)
    counted: Counted = "middle"

    @classmethod
    def current(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """As for any stage; a distilled one used to ignore its own steps and guidance."""
        now = super().current(saved)
        d = now.get("distill")
        if isinstance(d, Mapping) and d.get("guidance") and d.get("steps") and isinstance(now.get("sampling"), Mapping):
            now["sampling"] = {**now["sampling"], "steps": d["steps"][-1], "guidance": d["guidance"], "oscillate": 0}
        return now

    def __post_init__(self) -> None:
        super().__post_init__()
        d, s = self.distill, self.sampling
        if d.on and (s.steps, s.guidance, s.oscillate, s.frame_guidance) != (d.final, d.guidance, 0, "constant"):
            changing = f", oscillating after {s.oscillate}" if s.oscillate else f", {s.frame_guidance}"
            raise ValueError(
                f"sampling: expected the {d.final} steps and the constant guidance {d.guidance:g} that it is distilled "
                f"to, got {s.steps} and {s.guidance:g}{changing}"
            )

    @property
    def copies(self) -> bool:
        """Whether the input frames are among those that the stage makes, and pass through it as they are."""
        return self.kind == "tsr" and self.fill == "blank" and self.counted == "first"


class ImagenVideoStage(CascadeStage[StageConfig]):
    """A Video U-Net under a text and the video of the stage before (Sections 2.2-2.5)."""

    needs_text = True
    stands_alone = True
    training_only = ("teacher",)

    def __init__(self, name: str, config: StageConfig, input_shape: VideoShape | None, channels: int, text_dim: int):
        super().__init__(name, config, config.shape, input_shape, channels)
        c = config
        extra = 0 if input_shape is None else channels + (c.kind == "tsr" and c.fill == "blank")
        self.unet: VideoUNet = replace(
            c.unet, channels=channels, extra=extra, augmented=extra > 0, text_dim=text_dim, fps=True
        ).build()
        self.teacher = Teacher(self.unet) if c.distill.on else None
        self.capturable = self.teacher is None

    # -- conditioning ------------------------------------------------------------------------------------------

    def conditioning(
        self, cond: Batch, shape: VideoShape, rng: Sequence[torch.Generator], *, guided: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Texts' keys and values, frame rate, and the video to refine, noised (Section 2.5)."""
        text, mask = cond["text"], cond["text_mask"]
        beside: dict[str, Any] = {}
        if "low" in cond:
            low = self._laid_beside(cond["low"], shape)
            beside = self.low_to_sample(low, rng) | ({"known": low} if self.config.copies else {})
        inputs = text_inputs(self.unet, text, mask, shape.fps) | beside
        if not guided:
            return inputs, None
        null = without_text(text, mask, self.unet.null_text, everywhere(text))
        return inputs, text_inputs(self.unet, *null, shape.fps) | beside

    def _laid_beside(self, low: Tensor, shape: VideoShape) -> Tensor:
        """The video of the stage before at this stage's size and frames (Section 2.2)."""
        low = resized(low, shape.height, shape.width)
        if self.config.kind == "tsr" and self.config.fill == "blank":
            return blank_filled(low, shape.frames, self.config.counted)
        return at_frames(low, shape.frames, self.config.counted)

    # -- training ----------------------------------------------------------------------------------------------

    def examples(self, video: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """(what the stage should make, the video that it refines or None): from clips of any size that last as long."""
        c, shape = self.config, self.shape
        video = cut_to_aspect(video, shape.height, shape.width)
        whole = resized(at_frames(video, shape.frames, c.counted), shape.height, shape.width)
        if self.input_shape is None:
            return whole, None
        low = whole
        if c.kind == "tsr":
            low = resized(at_frames(video, self.input_shape.frames, c.counted), shape.height, shape.width)
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
            dropped = drawn(len(text), self.config.drop_text, rng, text.device)
            text, mask = without_text(text, mask, self.unet.null_text, dropped)
        beside: dict[str, Any] = {}
        if low is not None:
            beside = self.low_to_learn(low, rng)
        if "length" in batch:
            beside["video"] = (batch["length"] != 1).to(x.device)
        copies = low if self.config.copies else None
        if self.teacher is not None:
            beside |= {} if copies is None else {"known": copies}
            return self.teacher.loss(self, x, (text, mask), beside, tick)
        unknown = None if copies is None else 1 - copies[:, -1:]
        inputs = text_inputs(self.unet, text, mask, self.shape.fps) | beside
        return Loss(self.error(x, inputs, rng, unknown).mean(), {})

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
        assert self.input_shape is not None
        video = cut_to_aspect(batch["video"], self.shape.height, self.shape.width)
        frames = at_frames(video, self.input_shape.frames, self.config.counted)
        video = resized(frames, self.shape.height, self.shape.width)
        return resized(video, self.input_shape.height, self.input_shape.width)

    # -- distilled ---------------------------------------------------------------------------------------------

    def resolve(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """A distilled stage has its guidance within, and at most the steps that it was distilled to."""
        d = self.config.distill
        if not d.on:
            return super().resolve(steps, guidance)
        if guidance is not None and guidance != d.guidance:
            raise ValueError(
                f"guidance: stage {self.name!r} was distilled at {d.guidance:g} and has no other; got {guidance:g}"
            )
        count, _ = super().resolve(d.final if steps is None else steps, None)
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
    whole_clips: bool = False  # every stage reads clips of the last one's size, and makes them smaller itself
    refiner: PaletteRefinerConfig | None = None  # paints the video of the last stage anew; not in the paper

    def __post_init__(self) -> None:
        check_order([(name, stage.kind, stage.shape) for name, stage in self.stages.items()])

    @property
    def stages(self) -> dict[str, StageConfig]:
        return {f.name: stage for f in fields(self) if isinstance(stage := getattr(self, f.name), StageConfig)}

    @property
    def last(self) -> VideoShape:
        """Of the video."""
        return list(self.stages.values())[-1].shape

    @property
    def clips(self) -> dict[str, tuple[int, int]]:
        """Height and width of the clips that each stage is trained on. All of them last as long as the video."""
        last = self.last
        sizes = {n: last if self.whole_clips else stage.shape for n, stage in self.stages.items()}
        clips = {n: (shape.height, shape.width) for n, shape in sizes.items()}
        return clips if self.refiner is None else {**clips, "refiner": (self.refiner.size, self.refiner.size)}

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
        self.parts, before = nn.ModuleDict(), None
        for name, stage in config.stages.items():
            self.parts[name] = ImagenVideoStage(name, stage, before, config.channels, config.text_dim)
            before = stage.shape
        self.add_refiner(config.refiner, config.channels, config.text_dim)

    @property
    def makes(self) -> Abilities:
        if self.config.refiner is not None:
            return replace(super().makes, width=self.config.refiner.size, height=self.config.refiner.size)
        multiple = list(self.cascade().values())[-1].unet.multiple
        return replace(super().makes, any_size=True, multiple=multiple, max_side=MAX_PIXELS)

    def check(self, request: Request) -> None:
        super().check(request)
        refiner, own = self.config.refiner, list(self.cascade())[-1]
        if request.options.size and refiner is not None and request.options.stage is None:
            size = f"{refiner.size}x{refiner.size}"
            raise ValueError(f"size: this model ends with a refiner, which paints {size}; another needs stage {own}")
        if request.options.size and max(request.options.size) > MAX_PIXELS:
            raise ValueError(
                f"size: expected at most {MAX_PIXELS} pixels a side, got {'x'.join(map(str, request.options.size))}"
            )
        if request.options.size and (request.options.frames or 1) > MAX_FRAMES:
            raise ValueError(f"frames: expected at most {MAX_FRAMES}, got {request.options.frames}")

    def shapes_of(self, request: Request) -> dict[str, VideoShape]:
        """Another size, and then any number of frames, from the same networks.

        The last stage makes that size; those before it keep their shorter side, at its aspect.
        All make as many times more frames, at their own frame rates.
        """
        if request.options.size is None:
            return {}
        stages = self.cascade()
        last, (width, height) = list(stages.values())[-1], request.options.size
        longer = Fraction(max(request.options.frames or 1, last.shape.frames), last.shape.frames)
        if height % last.unet.multiple or width % last.unet.multiple:
            raise ValueError(f"size: expected multiples of {last.unet.multiple}, got {width}x{height}")
        shapes = {}
        for name, stage in stages.items():
            side, step = min(stage.shape.height, stage.shape.width), stage.unet.multiple
            high, wide = (max(step, round(side * n / min(height, width) / step) * step) for n in (height, width))
            if stage is last:
                high, wide = height, width
            frames = -int(-stage.shape.frames * longer // 1)
            shapes[name] = replace(stage.shape, frames=frames, height=high, width=wide)
        return shapes
