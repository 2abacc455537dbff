"""Video GANs: one system whose switches are StyleSV and the networks that it is compared with.

StyleSV (Zhang et al. 2022, "Towards Smooth Video Composition", https://arxiv.org/abs/2212.07413):

    z --mapping--> w --with the motion code of each time--> style --alias-free synthesis--> frames, at any times
    a few frames and their times --critic--> real or made

Stages: `images` trains generator and critic on single frames; `videos` goes on from both, with motion. At its birth all
frames of a clip are equal. Axes: b clip, c channels, f frames, h, w pixels, m motion.

Differs from the paper: motion is fixed sines whose phases are splines (`video_gan_motion`), low-rank weights begin as
LoRA's do (as released they cannot learn), adaptive augmentation may be on in both stages, and text is ours: the mean
token state goes into style and score (`video_gan_text`). The files of the parts name their differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from storyreel.abilities import Abilities
from storyreel.clip import Clip, ClipStream
from storyreel.systems.base import Batch, OnProgress, Progress, Request, Stage, System, TextEncoder
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_stage import GanStage
from storyreel.systems.video_gan_take import TIMES, Take


class ImageGanStage(GanStage):
    """Single frames; motion is off. What it has learnt is where `videos` begins, so a model does not keep it."""

    training_only = ("generator", "critic", "read", "augment")

    def __init__(self, config: VideoGanConfig):
        super().__init__(config)
        for parameter in self.generator.motion_parts():
            parameter.requires_grad_(False)

    def real(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        return batch["video"][:, :, :1], None

    def made(self, b: int, rng: torch.Generator, text: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.generator(self.styles(b, rng, text)), None

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        made = self.generator(self.styles(4 * len(batch["video"]), rng, None if self.read is None else self.text_of(
            {k: v.repeat(4, *[1] * (v.ndim - 1)) for k, v in batch.items()})))  # fmt: skip
        return torch.cat(made.chunk(4), 2)


class VideoGanStage(GanStage):
    """A few frames of a clip, at real times; begins as a generator of images that stand still."""

    training_only = ("critic", "augment")

    def __init__(self, config: VideoGanConfig, images: ImageGanStage | None):
        self.seen = config.seen_frames
        super().__init__(config)
        self._images = (images,)  # in a tuple: what `images` learns is copied, and is none of this stage's

    @torch.no_grad()
    def begin(self) -> None:
        """Generator and critic are those of images, unless motion has learnt already."""
        if self._images[0] is None or self.generator.moves:
            return
        theirs = self._images[0].state_dict()
        for name, mine in self.state_dict(keep_vars=True).items():
            if name in theirs and theirs[name].shape == mine.shape:
                mine.copy_(theirs[name])

    def real(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Frames at whole times. ValueError: clips of another length than the model's."""
        video, count = batch["video"], self.config.clip_frames
        if video.shape[2] != count:
            raise ValueError(
                f"clip_frames: expected clips of {count} frames, got {video.shape[2]}; set system.clip_frames and "
                "stages.videos.data.frames to the same number"
            )
        times = self.clip_times(len(video), rng).to(video.device)
        index = times.long().view(len(video), 1, -1, 1, 1)
        return video.gather(2, index.expand(-1, video.shape[1], -1, *video.shape[3:])), times

    def made(self, b: int, rng: torch.Generator, text: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Frames as far apart as real ones are, from any time on; of recurrent motion, from a video's beginning."""
        w = self.styles(b, rng, text)
        start = torch.rand(b, generator=rng, device=rng.device, dtype=torch.float64).to(w.device) * TIMES
        if self.config.recurrent:
            start = torch.zeros_like(start)
        times = start[:, None] + self.clip_times(b, rng).to(w.device)
        noise = self.generator.motion.drawn(start, self.config.clip_frames, rng)
        return self.generator(w, noise, times), times

    def clip_times(self, b: int, rng: torch.Generator) -> Tensor:
        """`drawn_times`, or for a critic whose convolutions go over time frames in a row: float64 (b, seen)."""
        if self.config.critic != "image+3d":
            return self.drawn_times(b, rng)
        u = torch.rand(b, generator=rng, device=rng.device, dtype=torch.float64)
        first = (u * (self.config.clip_frames - self.seen + 1)).floor()
        return first[:, None] + torch.arange(self.seen, dtype=torch.float64, device=u.device)

    def drawn_times(self, b: int, rng: torch.Generator) -> Tensor:
        """float64 (b, seen), whole frames within a clip: the span between first and last is a power of two or all
        there is, the others lie anywhere between (StyleSV's sampling).

        Real clips and made ones alike: what tells them apart by their times alone learns nothing from the pictures.
        """
        c = self.config
        last = min(c.clip_frames - 1, c.max_distance)
        low = math.ceil(math.log2(max(1, self.seen - 1)))
        count = max(1, math.ceil(math.log2(max(1, last))) - low + 1)
        u = torch.rand(b, max(2, self.seen), generator=rng, device=rng.device, dtype=torch.float64)
        span = torch.exp2((u[:, 0] * count).floor() + low).clamp(max=last)[:, None]
        first = (u[:, 1:2] * (c.clip_frames - span)).floor()
        room = span - (self.seen - 1)
        steps = torch.arange(1, self.seen - 1, dtype=torch.float64, device=u.device)
        inner = (u[:, 2:].sort(1).values * (room + 1)).floor() + steps
        return first + torch.cat([torch.zeros_like(first), inner, span], 1)[:, : self.seen]


class VideoGan(System):
    """Videos of any length from noise, or from a text where it was trained on some."""

    name = "video_gan"
    serves = frozenset({"no prompt", "start"})
    refuses = ("story", "image", "extend", "transparent", "steps", "guidance")
    chunk = 16  # frames that are made at once

    def __init__(self, config: VideoGanConfig):
        super().__init__()
        self.config, self.text_dim = config, config.text_dim
        self.conditional = config.text != "none"
        self.images = ImageGanStage(config) if config.image_pretraining else None
        self.videos = VideoGanStage(config, self.images)

    @property
    def makes(self) -> Abilities:
        c, cannot = self.config, self.cannot(*self.refuses)
        return Abilities(width=c.size, height=c.size, frames=c.clip_frames, fps=Fraction(c.fps), cannot=cannot)

    @property
    def stages(self) -> dict[str, Stage]:
        return {"videos": self.videos} if self.images is None else {"images": self.images, "videos": self.videos}

    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        return self.stream(request, text, on_progress).gathered()

    def stream(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> ClipStream:
        """Frames at `start` seconds and after, `chunk` at a time. ValueError for what a video GAN cannot do."""
        c, options = self.config, request.options
        for name in self.refuses:
            if getattr(options, name):
                raise ValueError(f"{name}: a video GAN makes frames from noise, each in one step; leave it out")
        fps = options.fps or Fraction(c.fps)
        total = c.clip_frames if options.frames is None else options.frames
        first, step = Fraction(options.start or 0) * c.fps, c.fps / fps  # in frames of the model
        with torch.no_grad():
            take = Take(self.videos, request.rng(), self._text(request, text))
        self.videos.generator.motion.rows_for(float(first), float(first + total * step))

        def parts() -> Iterator[np.ndarray]:
            for start in range(0, total, self.chunk):
                end = min(total, start + self.chunk)
                times = torch.tensor([float(first + i * step) for i in range(start, end)], dtype=torch.float64)
                with torch.no_grad():
                    made = take.frames(times)
                yield Clip.from_tensor(made, fps).frames
                on_progress(Progress(end, total))

        return ClipStream(parts, total, (c.size, c.size), fps, options.prompt)

    def _text(self, request: Request, text: TextEncoder) -> Tensor | None:
        if self.config.text == "none":
            return None
        states, mask = text([request.options.prompt])
        return self.videos.text_of({"text": states, "text_mask": mask})
