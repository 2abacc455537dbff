"""Video GANs: one system whose switches are StyleSV and the networks that it is compared with.

StyleSV (Zhang et al. 2022, "Towards Smooth Video Composition", https://arxiv.org/abs/2212.07413):

    z --mapping--> w --with the motion code of each time--> style --alias-free synthesis--> frames, at any times
    a few frames and their times --critic--> real or made

Stages: `images` trains generator and critic on single frames; `videos` goes on from both, with motion. At its birth all
frames of a clip are equal. Axes: b clip, c channels, f frames, h, w pixels, m motion.

Differs from the paper: motion is fixed sines whose phases are splines (`video_gan_motion`), low-rank weights begin as
LoRA's do (as released they cannot learn), adaptive augmentation may be on in both stages, and text is ours: the mean
token state is projected into style and score. The files of the parts name their differences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from storyreel.clip import Clip, ClipStream
from storyreel.nn.augment import Augment
from storyreel.systems.base import Batch, Loss, OnProgress, Progress, Request, Stage, System, TextEncoder, Tick
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_critic import Critic
from storyreel.systems.video_gan_generator import Generator
from storyreel.systems.video_gan_losses import collapse, critic_term, generator_term, gradient_penalty
from storyreel.systems.video_gan_motion import Noise, keyed_noise

TIMES = 2**20  # frames: training clips begin anywhere before, so that waves are seen at every phase


class GanStage(Stage):
    """Generator and critic, a turn each. `seen`: frames of a clip that the critic sees."""

    turns = ("generator", "critic")
    seen = 1

    def __init__(self, config: VideoGanConfig):
        super().__init__()
        self.config = c = config
        self.needs_text = c.text != "none"
        self.generator = Generator(c, c.text_code)
        self.critic = Critic(c, self.seen, c.text_code)
        self.read = nn.Linear(c.text_dim, c.text_width) if self.needs_text else None
        self.augment = Augment(c.augment) if c.augment else None

    def parameters_for(self, turn: str) -> Iterable[nn.Parameter]:
        """The reader of the text learns with the critic."""
        parts: list[nn.Module] = [self.generator] if turn == "generator" else [self.critic]
        if self.read is not None and turn == "critic":
            parts.append(self.read)
        return [p for part in parts for p in part.parameters() if p.requires_grad]

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        c, rng = self.config, tick.rng
        real, times = self.real(batch, rng)
        text = self.text_of(batch)
        if tick.turn == "generator":
            made, made_times = self.made(len(real), rng, text)
            scores = self.score(made, made_times, text, rng)
            paired = self.score(real, times, text, rng) if c.loss == "rp+r1+r2" else None
            total = generator_term(c.loss, scores, paired)
            return Loss(total, {"made": scores.detach().mean()})
        with torch.no_grad():
            made, made_times = self.made(len(real), rng, text)
        real_scores, made_scores = self.score(real, times, text, rng), self.score(made, made_times, text, rng)
        total = critic_term(c.loss, real_scores, made_scores)
        parts = {"real": real_scores.mean(), "made": made_scores.mean()}
        if self.augment is not None:
            self.augment.note(real_scores)
            parts["augment"] = self.augment.p
        if c.loss != "bce" and tick.step % c.r1_every == 0 and not real.is_meta:
            pairs = [("r1", real, times), ("r2", made, made_times)][: 2 if c.loss == "rp+r1+r2" else 1]
            for name, video, at in pairs:
                penalty = gradient_penalty(lambda x, at=at: self.critic.forward(x, at, text), self.changed(video, rng))
                total, parts[name] = total + c.r1 / 2 * c.r1_every * penalty, penalty
        return Loss(total, {k: v.detach() for k, v in parts.items()})

    def failure(self, numbers: Mapping[str, float]) -> str:
        return collapse(numbers)

    def score(self, video: Tensor, times: Tensor | None, text: Tensor | None, rng: torch.Generator) -> Tensor:
        return self.critic(self.changed(video, rng), times, text).float()

    def changed(self, video: Tensor, rng: torch.Generator) -> Tensor:
        return video if self.augment is None else self.augment(video, rng)

    def text_of(self, batch: Batch) -> Tensor | None:
        """The text code (b, d) of each clip: the mean of its token states, read."""
        if self.read is None:
            return None
        mask = batch["text_mask"][..., None].float()
        return self.read((batch["text"].float() * mask).sum(1) / mask.sum(1).clamp(min=1))

    def styles(self, b: int, rng: torch.Generator, text: Tensor | None) -> Tensor:
        device = self.generator.mask.device
        z = torch.randn(b, self.config.z_dim, generator=rng, device=rng.device).to(device)
        w = self.generator.styles(z, text)
        if self.training:
            self.generator.note_mean(w)
        return w

    def real(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """What the critic sees of real clips (b, c, f, h, w), and their times (b, f) in frames; None of images."""
        raise NotImplementedError

    def made(self, b: int, rng: torch.Generator, text: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The same of the generator's."""
        raise NotImplementedError

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        """cond["times"] (b, f) in frames, and text where the model reads it -> (b, c, f, h, w)."""
        text = self.text_of(cond)
        videos = []
        for i, each in enumerate(rng):
            code = None if text is None else text[i : i + 1]
            videos.append(Take(self, each, code).frames(cond["times"][i]))
        return torch.stack(videos)

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet."""
        text = self.text_of(batch)
        return self.made(len(batch["video"]), rng, text)[0]


class ImageStage(GanStage):
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


class VideoStage(GanStage):
    """A few frames of a clip, at real times; begins as a generator of images that stand still."""

    training_only = ("critic", "augment")

    def __init__(self, config: VideoGanConfig, images: ImageStage | None):
        self.seen = config.seen_frames
        super().__init__(config)
        self._images = (images,)  # in a tuple: what `images` learns is copied, and is none of this stage's

    @torch.no_grad()
    def begin(self) -> None:
        """Generator and critic are those of images, unless motion has learnt already."""
        if self._images[0] is None or bool(self.generator.mask.any()):
            return
        theirs = self._images[0].state_dict()
        for name, mine in self.state_dict(keep_vars=True).items():
            if name in theirs and theirs[name].shape == mine.shape:
                mine.copy_(theirs[name])

    def real(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Frames at whole times."""
        video = batch["video"]
        times = self.drawn_times(len(video), rng, whole=True).to(video.device)
        index = times.long().view(len(video), 1, -1, 1, 1)
        return video.gather(2, index.expand(-1, video.shape[1], -1, *video.shape[3:])), times

    def made(self, b: int, rng: torch.Generator, text: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Frames at times between."""
        w = self.styles(b, rng, text)
        start = torch.rand(b, generator=rng, device=rng.device, dtype=torch.float64).to(w.device) * TIMES
        times = start[:, None] + self.drawn_times(b, rng, whole=False).to(w.device)
        noise = self.generator.motion.drawn(start, self.config.clip_frames, rng)
        return self.generator(w, noise, times), times

    def drawn_times(self, b: int, rng: torch.Generator, *, whole: bool) -> Tensor:
        """float64 (b, seen) within a clip: the span between first and last is a power of two or all there is, the
        others lie anywhere between (StyleSV's sampling)."""
        c = self.config
        last = min(c.clip_frames - 1, c.max_distance)
        low = math.ceil(math.log2(max(1, self.seen - 1)))
        count = max(1, math.ceil(math.log2(max(1, last))) - low + 1)
        u = torch.rand(b, self.seen + 1, generator=rng, device=rng.device, dtype=torch.float64)
        span = torch.exp2((u[:, 0] * count).floor() + low).clamp(max=last)
        first = (u[:, 1] * (c.clip_frames - span)).floor() if whole else u[:, 1] * (c.clip_frames - span - 1)
        inner = u[:, 2:].sort(1).values[:, : self.seen - 2] * span[:, None]
        if whole:
            room = span[:, None] - (self.seen - 1)
            steps = torch.arange(1, self.seen - 1, dtype=torch.float64, device=u.device)
            inner = (inner / span[:, None] * (room + 1)).floor() + steps
        offsets = torch.cat([torch.zeros_like(first)[:, None], inner, span[:, None]], 1)[:, : self.seen]
        return first[:, None] + offsets


class Take:
    """One video: its content, and its endless motion. A frame depends on the generator's first numbers and its time."""

    def __init__(self, stage: GanStage, rng: torch.Generator, text: Tensor | None = None):
        self.stage, self.generator = stage, stage.generator
        self.key = int(torch.randint(2**62, (1,), generator=rng))
        self.w = self.generator.truncated(stage.styles(1, rng, text), stage.config.truncation)

    def frames(self, times: Tensor) -> Tensor:
        """At `times` (f,) in frames -> (c, f, h, w). ValueError for times that cannot be."""
        motion, device = self.generator.motion, self.w.device
        first, count = motion.rows_for(float(times.min()), float(times.max()))
        rows = keyed_noise(self.key, first, count, motion.dim)[None].to(device)
        noise = Noise(rows, torch.tensor([first], device=device))
        return self.generator(self.w, noise, times[None].double().to(device))[0]


class VideoGan(System):
    """Videos of any length from noise, or from a text where it was trained on some."""

    name = "video_gan"
    serves = frozenset({"no prompt", "start"})
    chunk = 16  # frames that are made at once

    def __init__(self, config: VideoGanConfig):
        super().__init__()
        self.config, self.text_dim = config, config.text_dim
        self.conditional = config.text != "none"
        self.images = ImageStage(config) if config.image_pretraining else None
        self.videos = VideoStage(config, self.images)

    @property
    def stages(self) -> dict[str, Stage]:
        return {"videos": self.videos} if self.images is None else {"images": self.images, "videos": self.videos}

    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        return self.stream(request, text, on_progress).gathered()

    def stream(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> ClipStream:
        """Frames at `start` seconds and after, `chunk` at a time. ValueError for what a video GAN cannot do."""
        c, options = self.config, request.options
        for name in ("story", "image", "extend", "transparent", "steps", "guidance"):
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
