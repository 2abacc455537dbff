"""Diffusion stages in a row, each making the video of the one before longer, larger or finer.

    text --base--> few small frames --tsr--> more frames --ssr--> larger frames ... --> video

A stage says which `Shape` of video it makes and which it takes. Any prefix of a cascade is a product: the first k
stages make the video of stage k. What a stage is given is noised a little, so that it forgives the faults of the stage
before (noise-conditioning augmentation), and a last stage that is fully convolutional runs in tiles on any size.

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from storyreel.clip import Clip
from storyreel.diffusion.samplers import OnStep, starting_noise
from storyreel.diffusion.sampling import Sampling, check_guidance, check_steps
from storyreel.diffusion.schedules import Level, Schedule
from storyreel.field_ranges import Frames, FramesASecond, Pixels
from storyreel.systems.base import Batch, OnProgress, Progress, Request, Stage, System, TextEncoder
from storyreel.systems.cascade_stream import Run, streamed
from storyreel.systems.pixels import shown

Kind: TypeAlias = Literal["base", "ssr", "tsr"]
"""The first stage; spatial super-resolution; temporal super-resolution."""

SHOWN_AT_ONCE = 16  # frames that are made into pixels together
AT_ONCE = (
    2**16
)  # values of a video up to which both halves of guidance are one batch on a CPU, where larger ones gain nothing


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A video: frames x height x width at `fps` frames a second."""

    frames: Frames
    height: Pixels
    width: Pixels
    fps: FramesASecond

    def __post_init__(self) -> None:
        for name in ("frames", "height", "width", "fps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: wanted at least 1, got {getattr(self, name)}")

    def __str__(self) -> str:
        return f"{self.frames}x{self.height}x{self.width} at {self.fps} fps"


class CascadeStage(Stage):
    """One diffusion network of a cascade. What it is told is its system's affair; how it is sampled is here.

    shape, takes: of the video that it makes, and of the one that it is given (None: the first stage). of: what else
    the cascade is known by, such as the digest of an encoder.
    """

    two_passes = False  # guidance asks twice, one after the other, even where one batch of both would be faster
    same_noise = False  # every frame begins with the same noise: for networks that see frames one by one

    def __init__(
        self, name: str, shape: Shape, takes: Shape | None, channels: int, sampling: Sampling, *, of: str = ""
    ):
        super().__init__()
        self.name, self.shape, self.takes, self.channels, self.sampling = name, shape, takes, channels, sampling
        digest = hashlib.sha256(f"{name}: {takes} -> {shape}, {channels} channels{of}".encode()).digest()
        self._place = digest
        self.register_buffer("place", torch.tensor(list(digest), dtype=torch.uint8))

    place: Tensor
    """sha256 of the stage's place in its cascade, kept with its weights."""

    def check_place(self) -> None:
        """ValueError where the weights are those of another stage, or of a stage of another cascade."""
        if self.place.is_meta or (found := bytes(self.place.tolist())) == self._place:
            return
        raise ValueError(
            f"stage {self.name!r}: its weights are of another stage or of another cascade: their digest is "
            f"{found.hex()[:12]}, wanted {self._place.hex()[:12]} ({self.takes or 'text'} -> {self.shape})"
        )

    def notes(self) -> list[str]:
        self.check_place()
        return []

    # -- for a system to fill in -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def schedule(self) -> Schedule: ...

    @abstractmethod
    def network(self, z: Tensor, logsnr: Tensor, cond: Any) -> Tensor:
        """v of the noisy video (b, c, t, h, w), told `cond`."""

    @abstractmethod
    def told(self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator], *, both: bool) -> tuple[Any, Any]:
        """What `network` is told for a condition (`text`, `text_mask`, `low`, ...), and, where `both`, what it is told
        when it is to be told nothing; once a sample."""

    def runs(self, shape: Shape) -> list[Run]:
        """Runs of frames in which a large video is sampled, where the stage can do that; else none."""
        return []

    def cut(self, told: Any, seen: slice) -> Any:
        """What `told` gave, for some of the frames alone."""
        raise NotImplementedError

    def asked(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """The steps and the guidance of a sample. ValueError for what this stage cannot do."""
        s = self.sampling
        steps, guidance = s.steps if steps is None else steps, s.guidance if guidance is None else guidance
        check_steps(steps)
        check_guidance(guidance)
        return steps, guidance

    # -- sampling ----------------------------------------------------------------------------------------------

    @torch.no_grad()
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
        """Videos (b, c, t, h, w) in [-1, 1], one a generator. cond["low"]: the videos of the stage before.

        shape: instead of the stage's own; its networks take any size that they can halve.
        ValueError for steps or guidance out of range, a size that does not divide, NaN (stage and step are named), or
        too little memory (what would help is named).
        """
        shape = shape or self.shape
        steps, scale = self.asked(steps, guidance)
        self._check_low(cond.get("low"), len(rng))
        with self._explained(shape):
            told, untold = self.told(cond, shape, rng, both=scale != 1)
            levels, method = self.sampling.levels(self.schedule, steps), self.sampling.method
            size = (len(rng), self.channels, shape.frames, shape.height, shape.width)
            device = next(self.parameters()).device
            z = starting_noise(size, levels, rng, same_noise=self.same_noise).to(device, torch.float32)
            at_once = not self.two_passes and (z.is_cuda or z.numel() <= AT_ONCE)
            if runs := self.runs(shape):

                def run(part: Tensor, level: Level, seen: slice) -> Tensor:
                    now, nothing = self.cut(told, seen), None if untold is None else self.cut(untold, seen)
                    guided = self.sampling.guided(self.network, now, nothing, scale, levels, at_once=at_once)
                    return guided(part, level)

                return streamed(run, z, levels, runs, sampler=method, on_step=on_step).clamp_(-1, 1)
            denoise = self.sampling.guided(self.network, told, untold, scale, levels, at_once=at_once)
            gamma = self.sampling.gamma or None
            made = method(denoise, z, levels, rng=rng, on_step=on_step, same_noise=self.same_noise, gamma=gamma)
            return made.clamp(-1, 1)

    def _check_low(self, low: Tensor | None, count: int) -> None:
        if (low is None) != (self.takes is None):
            raise ValueError(
                f"stage {self.name!r}: {'takes no video' if low is not None else 'wants a video to refine'}"
            )
        if low is not None and (low.ndim != 5 or low.shape[:2] != (count, self.channels)):
            raise ValueError(
                f"stage {self.name!r}: wanted a video ({count}, {self.channels}, t, h, w), got {tuple(low.shape)}"
            )

    @contextmanager
    def _explained(self, shape: Shape) -> Iterator[None]:
        """Errors that say in which stage, and what would help."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            short = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)
            if not short:
                raise
            raise ValueError(
                f"stage {self.name!r}: out of memory at {shape}; a smaller {self.name}.sampling.tile (pixels) or "
                f"{self.name}.sampling.chunk (frames) would help where the stage has no attention, else fewer frames"
            ) from None
        except ValueError as error:
            raise ValueError(f"stage {self.name!r}: {error}") from None


class Cascade(System):
    """A system whose stages refine one video in turn; they are trained in any order."""

    row: nn.ModuleDict

    @property
    def stages(self) -> dict[str, Stage]:
        return {name: stage for name, stage in self.row.items() if isinstance(stage, Stage)}

    def cascade(self) -> dict[str, CascadeStage]:
        """The diffusion stages, in the order in which they make a video."""
        return {name: stage for name, stage in self.row.items() if isinstance(stage, CascadeStage)}

    @property
    def products(self) -> dict[str, Fraction]:
        return {name: Fraction(stage.shape.fps) for name, stage in self.cascade().items()}

    def shapes_of(self, request: Request) -> dict[str, Shape]:
        """Of the videos of stages for which a request wants others than their own."""
        return {}

    def conditions(self, request: Request, text: TextEncoder) -> Batch:
        """What all stages are told of a request."""
        states, mask = text([request.options.prompt])
        return {"text": states, "text_mask": mask}

    def check(self, request: Request) -> None:
        """ValueError names the field that cannot be served."""
        for name in ("image", "extend", "story"):
            if getattr(request.options, name):
                raise ValueError(f"{name}: this model makes a video from one prompt alone")
        if request.options.transparent and next(iter(self.cascade().values())).channels == 3:
            raise ValueError("transparent: this model has no matte; it was trained without transparency")

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
        shapes: Mapping[str, Shape] | None = None,
    ) -> Clip:
        """The video of a request, after all stages or up to the one named `upto`.

        shapes: of the videos of some stages, instead of their own. ValueError for a stage that is not there.
        """
        self.check(request)
        shapes = self.shapes_of(request) if shapes is None else shapes
        row = upto_stage(self.cascade(), upto)
        shapes = {name: shapes.get(name, stage.shape) for name, stage in row.items()}
        last = list(shapes.values())[-1]
        if request.options.frames is not None and not 1 <= request.options.frames <= last.frames:
            raise ValueError(f"frames: this model makes 1 to {last.frames} frames, got {request.options.frames}")
        for stage in row.values():
            stage.check_place()
        counts = {name: stage.asked(request.options.steps, request.options.guidance)[0] for name, stage in row.items()}
        cond, rng, video, done = self.conditions(request, text), [request.rng()], None, 0

        def clip_of(video: Tensor, shape: Shape) -> Clip:
            clips = []
            for part in video.split(SHOWN_AT_ONCE, 2):
                seen = shown(part.clamp(-1, 1), transparent=request.options.transparent)[0]
                clips.append(Clip.from_tensor(seen, Fraction(shape.fps), request.options.prompt))
            return clips[0].replace(frames=np.concatenate([clip.frames for clip in clips]))

        for name, stage in row.items():
            shape, total = shapes[name], sum(counts.values())
            tell = _teller(on_progress, name, done, total, lambda x, shape=shape: clip_of(x, shape))
            told = cond if video is None else {**cond, "low": video}
            video = stage.sample(
                told, rng=rng, steps=request.options.steps, guidance=request.options.guidance, shape=shape, on_step=tell
            )
            done += counts[name]
        assert video is not None
        clip = clip_of(video[:, :, : request.options.frames], last)
        return clip if request.options.fps is None else clip.replace(fps=request.options.fps)


def _teller(
    on_progress: OnProgress, name: str, done: int, total: int, clip_of: Callable[[Tensor], Clip]
) -> Callable[[int, int, Tensor], None]:
    def tell(step: int, steps: int, x: Tensor) -> None:
        on_progress(Progress(done + step, total, name, lambda: clip_of(x)))

    return tell


def upto_stage(row: dict[str, CascadeStage], upto: str | None) -> dict[str, CascadeStage]:
    """The stages up to and with the one named. ValueError for one that is not there."""
    if upto is None:
        return row
    if upto not in row:
        raise ValueError(f"stage: wanted one of {', '.join(row)}, got {upto!r}")
    names = list(row)
    return {name: row[name] for name in names[: names.index(upto) + 1]}


def check_row(row: Sequence[tuple[str, Kind, Shape]]) -> None:
    """ValueError where stages do not follow on one another: a base first, then each makes frames more (tsr) or larger
    (ssr) and leaves the other alone."""
    before: Shape | None = None
    for name, kind, shape in row:
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
