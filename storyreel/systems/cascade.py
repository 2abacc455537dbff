"""A cascade: diffusion stages that refine one video in turn, each making it longer, larger or finer.

    text --base--> few small frames --tsr--> more frames --ssr--> larger frames ... --> video

A stage has the `VideoShape` of the video that it makes, a denoiser and its sampling (`cascade_stage.py`). Any prefix of
a cascade is a product: the first k stages make the video of stage k.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.systems.base import Batch, OnProgress, Progress, Request, Stage, System, TextEncoder
from storyreel.systems.cascade_stage import CascadeStage, VideoShape
from storyreel.systems.palette_refiner import PaletteRefiner, PaletteRefinerConfig, refiner_of
from storyreel.systems.pixels import check_matte, shown

Kind: TypeAlias = Literal["base", "ssr", "tsr"]
"""The first stage; spatial super-resolution; temporal super-resolution."""

SHOWN_AT_ONCE = 16  # frames that are made into pixels together


class Cascade(System):
    """A system whose stages refine one video in turn; they are trained in any order."""

    parts: nn.ModuleDict
    refuses: ClassVar[tuple[str, ...]] = ("story", "image", "extend")
    longest: int | None = None
    """Frames that a request may ask for; None: those of the last stage."""

    @property
    def makes(self) -> Abilities:
        last = list(self.cascade().values())[-1]
        shape = last.shape
        return Abilities(
            width=shape.width, height=shape.height, frames=shape.frames, fps=Fraction(shape.fps),
            max_frames=self.longest or shape.frames, cannot=self.cannot(*self.refuses, channels=last.channels),
        )  # fmt: skip

    @property
    def stages(self) -> dict[str, Stage]:
        return {name: stage for name, stage in self.parts.items() if isinstance(stage, Stage)}

    def cascade(self) -> dict[str, CascadeStage]:
        """The diffusion stages, in the order in which they make a video."""
        return {name: stage for name, stage in self.parts.items() if isinstance(stage, CascadeStage)}

    @property
    def products(self) -> dict[str, Fraction]:
        return {name: Fraction(stage.shape.fps) for name, stage in self.cascade().items()}

    def shapes_of(self, request: Request) -> dict[str, VideoShape]:
        """Of the videos of stages that a request gives others than their own."""
        return {}

    def add_refiner(self, config: PaletteRefinerConfig | None, channels: int, text_dim: int) -> None:
        """The last part, where a recipe has one."""
        if (refiner := refiner_of(config, channels, text_dim)) is not None:
            self.parts["refiner"] = refiner

    def refined(self, video: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """The video (b, 4, t, h, w) as a refiner paints it for a text (b, l, d); as it is where there is none."""
        refiner = self.stages.get("refiner")
        return refiner.refined(video, text, text_mask) if isinstance(refiner, PaletteRefiner) else video

    def conditions(self, request: Request, text: TextEncoder) -> Batch:
        """The conditioning of all stages."""
        states, mask = text([request.options.prompt])
        return {"text": states, "text_mask": mask}

    def check(self, request: Request) -> None:
        """ValueError names the field that cannot be served."""
        for name in self.refuses:
            if getattr(request.options, name):
                raise ValueError(f"{name}: this model makes a video from one prompt alone")
        check_matte(request.options, next(iter(self.cascade().values())).channels)

    @torch.no_grad()
    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        return self.make(request, text, on_progress, upto=request.options.stage)

    @torch.no_grad()
    def make(
        self,
        request: Request,
        text: TextEncoder,
        on_progress: OnProgress = lambda progress: None,
        *,
        upto: str | None = None,
        shapes: Mapping[str, VideoShape] | None = None,
    ) -> Clip:
        """The video of a request, after all stages or up to the one named `upto`.

        shapes: of the videos of some stages, instead of their own. ValueError for a stage that is not there.
        """
        self.check(request)
        shapes = self.shapes_of(request) if shapes is None else shapes
        stages = upto_stage(self.cascade(), upto)
        shapes = {name: shapes.get(name, stage.shape) for name, stage in stages.items()}
        last = list(shapes.values())[-1]
        if request.options.frames is not None and not 1 <= request.options.frames <= last.frames:
            raise ValueError(f"frames: this model makes 1 to {last.frames} frames, got {request.options.frames}")
        for stage in stages.values():
            stage.check_fingerprint()
        counts = {
            name: stage.resolve(request.options.steps, request.options.guidance)[0] for name, stage in stages.items()
        }
        cond, rng, video, done = self.conditions(request, text), [request.rng()], None, 0

        def clip_of(video: Tensor, shape: VideoShape) -> Clip:
            clips = []
            for part in video.split(SHOWN_AT_ONCE, 2):
                seen = shown(part.clamp(-1, 1), transparent=request.options.transparent)[0]
                clips.append(Clip.from_tensor(seen, Fraction(shape.fps), request.options.prompt))
            return clips[0].replace(frames=np.concatenate([clip.frames for clip in clips]))

        for name, stage in stages.items():
            shape, total = shapes[name], sum(counts.values())
            report = _reporter(on_progress, name, done, total, lambda x, shape=shape: clip_of(x, shape))
            inputs = cond if video is None else {**cond, "low": video}
            video = stage.sample(
                inputs,
                rng=rng,
                steps=request.options.steps,
                guidance=request.options.guidance,
                shape=shape,
                on_step=report,
            )
            done += counts[name]
        assert video is not None
        if upto is None:
            video = self.refined(video, cond["text"], cond["text_mask"])
        clip = clip_of(video[:, :, : request.options.frames], last)
        return clip if request.options.fps is None else clip.replace(fps=request.options.fps)


def _reporter(
    on_progress: OnProgress, name: str, done: int, total: int, clip_of: Callable[[Tensor], Clip]
) -> Callable[[int, int, Tensor], None]:
    def report(step: int, steps: int, x: Tensor) -> None:
        on_progress(Progress(done + step, total, name, lambda: clip_of(x)))

    return report


def upto_stage(stages: dict[str, CascadeStage], upto: str | None) -> dict[str, CascadeStage]:
    """The stages up to and with the one named. ValueError for one that is not there."""
    if upto is None:
        return stages
    if upto not in stages:
        raise ValueError(f"stage: expected one of {', '.join(stages)}, got {upto!r}")
    names = list(stages)
    return {name: stages[name] for name in names[: names.index(upto) + 1]}


def check_order(stages: Sequence[tuple[str, Kind, VideoShape]]) -> None:
    """ValueError where stages do not follow on one another: a base first, then each makes frames more (tsr) or larger
    (ssr) and leaves the other alone."""
    before: VideoShape | None = None
    for name, kind, shape in stages:
        if (kind == "base") != (before is None):
            raise ValueError(f"{name}: {'a base has to be first' if before else f'a {kind} cannot be first'}")
        if before is not None:
            size, former = (shape.height, shape.width), (before.height, before.width)
            larger = size[0] >= former[0] and size[1] >= former[1] and size != former
            longer = shape.frames > before.frames and shape.fps > before.fps
            if kind == "ssr" and not (larger and (shape.frames, shape.fps) == (before.frames, before.fps)):
                raise ValueError(f"{name}: an ssr makes frames larger and no more of them; {before} -> {shape}")
            if kind == "tsr" and not (longer and size == former):
                raise ValueError(f"{name}: a tsr makes more frames of the same size; {before} -> {shape}")
        before = shape
