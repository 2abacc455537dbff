"""Videos of stages of a cascade, and what is measured of them.

Axes: n prompts, c channels, t frames, h rows, w columns. Videos are float32 (n, c, t, h, w) in [-1, 1], on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproductions.combinations import Case, cases_of, score
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.encoder import TextVideoEncoder, as_frames
from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.interval import Measured, mean_of
from storyreel.evaluate.judges import AnyJudge
from storyreel.precision import has_bf16
from storyreel.systems.base import Request, TextEncoder
from storyreel.systems.imagen_video import ImagenVideoStage
from storyreel.systems.pixels import for_model, shown

RESAMPLES = 200
Row = Mapping[str, ImagenVideoStage]


@dataclass(frozen=True)
class Examined:
    """The prompts, held-out combinations all, and those who look at what comes of them.

    real: clips of the prompts, where the world can make them. judge, encoder: None where there is none.
    """

    cases: Sequence[Case]
    seed: int
    at_once: int
    judge: AnyJudge | None
    encoder: TextVideoEncoder | None

    @classmethod
    def of(cls, settings: Settings, world: str, count: int, at_once: int) -> Examined:
        cases = cases_of(settings, world, "held_out")[:count]
        try:
            judge = settings.judge(world)
        except ValueError as error:
            settings.tell(f"nothing is judged: {error}")
            judge = None
        return cls(cases, settings.seed, at_once, judge, encoder_of(settings, world))

    @property
    def prompts(self) -> list[str]:
        return [case.prompt for case in self.cases]

    def real(self, size: int, channels: int) -> Tensor | None:
        """The real clips, all their frames, `size` pixels a side; None where there are none."""
        clips = [case.real for case in self.cases if case.real is not None]
        if len(clips) < len(self.cases):
            return None
        return torch.cat([for_model(clip, size, channels) for clip in clips])

    def make(
        self,
        row: Row,
        text: TextEncoder,
        *,
        low: Tensor | None = None,
        steps: tuple[int, int] | None = None,
        what: str = "",
    ) -> Tensor:
        """The last video of stages in a row, of each prompt. low: given to the first of them, (n, c, t, h, w). steps:
        of the first and of the others, in place of their own."""
        from storyreel.data.parallel import progress

        device, made = next(next(iter(row.values())).parameters()).device, []
        with progress(f"sampling {what or ', '.join(row)}", len(self.cases)) as advance:
            for first in range(0, len(self.cases), self.at_once):
                part = slice(first, first + self.at_once)
                states, mask = text(self.prompts[part])
                rng = [Request.of(seed=self.seed, index=first + i).rng() for i in range(len(states))]
                texts, video = {"text": states.to(device), "text_mask": mask.to(device)}, None
                video = None if low is None else low[part].to(device)
                with torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device)):  # as a user has it
                    for i, stage in enumerate(row.values()):
                        cond, count = (
                            texts if video is None else {**texts, "low": video},
                            steps and steps[i > 0],
                        )
                        video = stage.sample(cond, rng=rng, steps=count)
                assert video is not None
                made.append(video.float().cpu())
                advance(len(states))
        return torch.cat(made)

    def clips(self, videos: Tensor, fps: int) -> list[Clip]:
        """As a person would see them; before nothing where there is a matte."""
        seen = shown(videos, transparent=videos.shape[1] == 4)
        return [Clip.from_tensor(v, Fraction(fps), p) for v, p in zip(seen, self.prompts, strict=True)]

    def judged(self, videos: Tensor, fps: int) -> dict[str, Any] | None:
        """Mean share of the told attributes that the judge sees, with its interval."""
        if self.judge is None:
            return None
        return score(self.judge, self.clips(videos, fps), list(self.cases)).compute().as_json()["mean"]

    def features(self, videos: Tensor | None, fps: int) -> Tensor | None:
        """The encoder's, (n, d); None without an encoder or videos."""
        if self.encoder is None or videos is None:
            return None
        return torch.cat([self.encoder.features(as_frames(clip)[None]) for clip in self.clips(videos, fps)])


def encoder_of(settings: Settings, world: str) -> TextVideoEncoder | None:
    """The world's own, unless another was named."""
    return settings.find_encoder("there are no Frechet distances", world if settings.encoder == "digits" else "")


def frechet(made: Tensor | None, real: Tensor | None) -> dict[str, Any] | None:
    """The distance, and n; without an interval, since resampling a set moves its distance."""
    if made is None or real is None or len(made) < 2:
        return None
    return {"value": round(frechet_distance(made, real), 4), "interval": None, "n": len(made)}


def frechet_gap(one: Tensor | None, other: Tensor | None, real: Tensor | None, seed: int = 0) -> Measured | None:
    """The distance of `one` to real clips less that of `other`; prompts are resampled, the same ones in all three."""
    if one is None or other is None or real is None or len(one) < 4:
        return None
    rng, gaps = np.random.default_rng(seed), []
    for i in range(RESAMPLES + 1):
        pick = np.arange(len(one)) if i == 0 else rng.integers(len(one), size=len(one))
        gaps.append(frechet_distance(one[pick], real[pick]) - frechet_distance(other[pick], real[pick]))
    middle = float(np.mean(gaps[1:])) - gaps[0]  # a resampled set is further away: that much is taken off
    low, high = (np.quantile(gaps[1:], [0.025, 0.975]) - middle).tolist()
    return Measured(gaps[0], low, high, len(one))


def colours(videos: Tensor) -> Tensor:
    """Mean colour of each frame, 0 to 255: (n, 3, t)."""
    return (videos[:, :3].mean((3, 4)) + 1) * 127.5


def drift(videos: Tensor, real: Tensor | None = None) -> list[float]:
    """By how much the mean colour of a frame differs from that of the one before, in each video; of the error, where
    the real videos are given."""
    series = colours(videos) if real is None else colours(videos) - colours(real)
    return series.diff(dim=2).abs().mean((1, 2)).tolist()


def shift(videos: Tensor, real: Tensor) -> list[float]:
    """By how much the mean colour of a whole video differs from that of the real one."""
    return (colours(videos) - colours(real)).mean(2).abs().mean(1).tolist()


def psnr(videos: Tensor, real: Tensor) -> list[float]:
    """Of each video, in dB; at most 60."""
    error = ((videos - real) / 2).square().mean((1, 2, 3, 4)).clamp_min(1e-6)
    return (-10 * error.log10()).tolist()


def less(one: Sequence[float], other: Sequence[float]) -> Measured:
    """By how much the mean of `one` differs from that of `other`, pair by pair."""
    return mean_of([a - b for a, b in zip(one, other, strict=True)])


def below(measured: Measured | None) -> bool | None:
    """Whether it is below zero by more than its interval; None where it was not measured."""
    return None if measured is None else measured.high is not None and measured.high < 0
