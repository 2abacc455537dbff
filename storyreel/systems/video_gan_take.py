"""One video of a video GAN, frame by frame, at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from storyreel.systems.video_gan_motion import Memory, Noise, keyed_noise

if TYPE_CHECKING:
    from storyreel.systems.video_gan_stage import GanStage


TIMES = 2**20  # frames: videos begin anywhere before, so that their waves are at every phase


class Take:
    """One video: its content, and its endless motion. A frame depends on the generator's first numbers and its time.

    Its own time 0 is one of the model's times, another one in each video: else all would swell and fade together.
    Recurrent motion is run from frame 0, or from where the last frames left it, to the frame that is wanted.
    """

    walk = 64  # frames of recurrent motion that are run at once

    def __init__(self, stage: GanStage, rng: torch.Generator, text: Tensor | None = None):
        self.stage, self.generator = stage, stage.generator
        self.key = int(torch.randint(2**62, (1,), generator=rng))
        self.w = self.generator.truncated(stage.styles(1, rng, text), stage.config.truncation)
        self.memory = Memory()
        distance = stage.config.anchor_distance
        self.begins = 0 if stage.config.recurrent else self.key % (TIMES // distance) * distance  # at an anchor

    def frames(self, times: Tensor) -> Tensor:
        """At `times` (f,) in frames -> (c, f, h, w). ValueError for times that cannot be."""
        motion, times = self.generator.motion, times.double() + self.begins
        start, end = float(times.min()), float(times.max())
        first, count = motion.rows_for(start, end)
        if not self.stage.config.recurrent:
            return self._frames(times, first, count, None)
        if start < self.memory.frame:
            self.memory = Memory()
        while self.memory.frame + self.walk <= start:
            self._recurrent(torch.tensor([float(self.memory.frame + self.walk)]))
        return self._recurrent(times)

    def _recurrent(self, times: Tensor) -> Tensor:
        first, last = self.memory.frame, int(times.max())
        made = self._frames(times, first, last + 2 - first, self.memory)
        self.memory.frame = last
        return made

    def _frames(self, times: Tensor, first: int, count: int, memory: Memory | None) -> Tensor:
        device = self.w.device
        rows = keyed_noise(self.key, first, count, self.generator.motion.dim)[None].to(device)
        noise = Noise(rows, torch.tensor([first], device=device), memory)
        return self.generator(self.w, noise, times[None].double().to(device))[0]
