"""What the stages of a video GAN share: the losses of generator and critic, which take turns, and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from storyreel.nn.augment import Augment
from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_critic import critic_of
from storyreel.systems.video_gan_generator import VideoGenerator
from storyreel.systems.video_gan_losses import collapse, critic_term, generator_term, gradient_penalty
from storyreel.systems.video_gan_take import Take


class GanStage(Stage):
    """Generator and critic, a turn each. `seen`: frames of a clip that the critic sees."""

    turns = ("generator", "critic")
    seen = 1

    def __init__(self, config: VideoGanConfig):
        super().__init__()
        self.config = c = config
        self.needs_text = c.text != "none"
        self.generator = VideoGenerator(c, c.text_code)
        self.critic = critic_of(c, self.seen, c.text_code)
        self.read = nn.Linear(c.text_dim, c.text_width) if self.needs_text else None
        self.augment = Augment(c.augment) if c.augment else None

    def parameters_for(self, turn: str) -> Iterable[nn.Parameter]:
        """The reader of the text learns with the critic."""
        parts: list[nn.Module] = [self.generator] if turn == "generator" else [self.critic]
        if self.read is not None and turn == "critic":
            parts.append(self.read)
        return [p for part in parts for p in part.parameters() if p.requires_grad]

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        real, times = self.real(batch, tick.rng)
        text = self.text_of(batch)
        if tick.turn == "generator":
            return self.generator_loss(real, times, text, batch, tick.rng)
        return self.critic_loss(real, times, text, batch, tick)

    def generator_loss(
        self, real: Tensor, times: Tensor | None, text: Tensor | None, batch: Batch, rng: torch.Generator
    ) -> Loss:
        c = self.config
        made, made_times = self.made(len(real), rng, text)
        scores, features = self.judged(made, made_times, text, rng)
        paired = self.score(real, times, text, rng) if c.loss == "rp+r1+r2" else None
        total, parts = generator_term(c.loss, scores, paired), {"made": scores.mean()}
        if c.text == "info":
            parts["info"] = self.unread(features, batch)
            total = total + c.info_weight * parts["info"]
        return Loss(total, {k: v.detach() for k, v in parts.items()})

    def critic_loss(self, real: Tensor, times: Tensor | None, text: Tensor | None, batch: Batch, tick: Tick) -> Loss:
        c, rng = self.config, tick.rng
        with torch.no_grad():
            made, made_times = self.made(len(real), rng, text)
        real_scores, features = self.judged(real, times, text, rng)
        made_scores = self.score(made, made_times, text, rng)
        parts = {"real": real_scores.mean(), "made": made_scores.mean()}
        wrong = None
        if c.negatives == "wrong_text":
            wrong = self.score_of_wrong_text(real, times, text, batch, made_scores, rng)
        total = critic_term(c.loss, real_scores, made_scores, wrong)
        if wrong is not None:
            parts["wrong"] = wrong.mean()
        if c.text == "info":
            parts["info"] = self.unread(features, batch)
            total = total + c.info_weight * parts["info"]
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
        return self.judged(video, times, text, rng)[0]

    def judged(
        self, video: Tensor, times: Tensor | None, text: Tensor | None, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The critic's scores of clips, and its features of them, float32."""
        scores, features = self.critic.judged(self.changed(video, rng), times, text)
        return scores.float(), features.float()

    def score_of_wrong_text(
        self, real: Tensor, times: Tensor | None, text: Tensor | None, batch: Batch, made: Tensor, rng: torch.Generator
    ) -> Tensor:
        """The scores of real clips under the text of the clip before; `made` where that is the same text."""
        assert text is not None
        states = mean_states(batch)
        other = (states != states.roll(1, 0)).any(1)
        scores = self.score(real, times, text.roll(1, 0), rng)
        return torch.where(other.view(-1, *[1] * (scores.ndim - 1)), scores, made)

    def unread(self, features: Tensor, batch: Batch) -> Tensor:
        """How badly the critic's features tell the text: the squared error of its mean state, over its square."""
        info = self.critic.info
        assert info is not None
        states = mean_states(batch)
        return (info(features) - states).square().mean() / states.square().mean().clamp(min=1e-8)

    def changed(self, video: Tensor, rng: torch.Generator) -> Tensor:
        return video if self.augment is None else self.augment(video, rng)

    def text_of(self, batch: Batch) -> Tensor | None:
        """The text code (b, d) of each clip, float32, as penalties are: the mean of its token states, read."""
        if self.read is None:
            return None
        return self.read(mean_states(batch)).float()

    def styles(self, b: int, rng: torch.Generator, text: Tensor | None) -> Tensor:
        device = self.generator.w_mean.device
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


def mean_states(batch: Batch) -> Tensor:
    """The mean of each clip's token states (b, d)."""
    mask = batch["text_mask"][..., None].float()
    return (batch["text"].float() * mask).sum(1) / mask.sum(1).clamp(min=1)
