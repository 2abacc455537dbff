"""A stage of many steps becomes one of few (Imagen Video, Section 2.7; Salimans & Ho 2022; Meng et al. 2022).

A stage whose config has a `distill` is trained further, beginning with the weights of the same stage of a trained model
(`storyreel train ... --init MODEL`): it is the student, and its first weights are the teacher's. In the first phase it
learns to predict in one pass what the teacher predicts in the two of guidance; in each later phase to do in one step
what the teacher does in two, whereupon it becomes the teacher. The phases share the training in equal parts, the first
as `first` says. The teacher is kept in checkpoints, so that a run resumes exactly, and left out of the model.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from storyreel.diffusion.denoiser import Denoiser
from storyreel.diffusion.distill import draw_halving, guidance_target, progressive_target
from storyreel.diffusion.parameterisation import diffuse, to_x, x_loss
from storyreel.diffusion.schedules import draw_times, uniform_time
from storyreel.field_ranges import SamplingSteps
from storyreel.nn.null_text import everywhere, without_text
from storyreel.nn.video_unet import VideoUNet
from storyreel.systems.base import Loss, Tick
from storyreel.systems.cascade_stage import noise_like

if TYPE_CHECKING:
    from storyreel.systems.imagen_video import ImagenVideoStage


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """guidance: the scale that is distilled; 0: the stage is not distilled at all. steps: of the students, each half
    of the one before, such as (64, 32, 16, 8); the first one's teacher takes twice as many. first: the share of the
    training that goes to guidance.
    """

    guidance: float = 0.0
    steps: tuple[SamplingSteps, ...] = ()
    first: float = 0.3

    def __post_init__(self) -> None:
        if self.guidance < 0:
            raise ValueError(f"distill.guidance: expected 0 or more, got {self.guidance:g}")
        if self.on and not self.steps:
            raise ValueError("distill.steps: expected the steps of the students, such as (64, 32, 16, 8)")
        if any(one != 2 * other for one, other in pairwise(self.steps)) or min(self.steps, default=1) < 1:
            raise ValueError(f"distill.steps: expected each to be half of the one before, got {self.steps}")
        if not 0 < self.first < 1:
            raise ValueError(f"distill.first: expected more than 0 and less than 1, got {self.first:g}")

    @property
    def on(self) -> bool:
        return self.guidance > 0

    @property
    def final(self) -> int:
        """Steps of the last student."""
        return self.steps[-1]

    def phase(self, progress: float) -> int:
        """0: guidance; n: the n-th student of fewer steps. progress: of the training, in [0, 1)."""
        if progress < self.first:
            return 0
        return 1 + min(len(self.steps) - 1, int((progress - self.first) / (1 - self.first) * len(self.steps)))


def text_inputs(net: VideoUNet, text: Tensor, mask: Tensor, fps: int) -> dict[str, Any]:
    """What a network reads of a text and a frame rate."""
    return {"memory": net.text_memory(text, mask), "fps": torch.full((len(text),), float(fps), device=text.device)}


class Teacher(nn.Module):
    """The network that is taught from, and the phase that it teaches."""

    phase: Tensor

    def __init__(self, net: VideoUNet):
        super().__init__()
        self.net: VideoUNet = copy.deepcopy(net).requires_grad_(False)
        self.register_buffer("phase", torch.tensor(-1))

    def loss(
        self, stage: ImagenVideoStage, x: Tensor, text: tuple[Tensor, Tensor], beside: dict[str, Any], tick: Tick
    ) -> Loss:
        """max(SNR, 1) |x_hat - x of the teacher|^2 (Salimans & Ho 2022, Section 4)."""
        d, phase = stage.config.distill, stage.config.distill.phase(tick.progress)
        self._begin(stage, phase)
        noise, fps = noise_like(x, tick.rng), stage.shape.fps
        teacher = partial(stage.v, self.net)
        with torch.no_grad():
            cond = text_inputs(self.net, *text, fps) | beside
            if phase:
                levels = uniform_time(stage.schedule, 2 * d.steps[phase - 1])
                here, middle, there = draw_halving(levels, len(x), tick.rng)
                z = diffuse(x, noise, here)
                target = progressive_target(Denoiser(teacher, cond), z, here, middle, there)
            else:
                here = stage.schedule.level(draw_times(len(x), tick.rng, spread=True))
                z = diffuse(x, noise, here)
                null = without_text(*text, self.net.null_text, everywhere(x))
                uncond = text_inputs(self.net, *null, fps) | beside
                target = guidance_target(teacher, z, here, cond=cond, uncond=uncond, guidance=d.guidance)
        v = stage.v(stage.unet, z, here.each(z).logsnr, text_inputs(stage.unet, *text, fps) | beside)
        each = x_loss(to_x(v.float(), z, here, "v"), target, here, weight="truncated")
        return Loss(each.mean(), {"phase": self.phase.detach().float()})

    @torch.no_grad()
    def _begin(self, stage: ImagenVideoStage, phase: int) -> None:
        """At the first step of a phase the student becomes the teacher."""
        if self.phase.is_meta or int(self.phase) == phase:
            return
        if int(self.phase) < 0 and not bool(stage.unet.last.weight.any()):
            raise ValueError(
                f"stage {stage.name!r}: there is nothing to distil, it was never trained; begin from a trained model "
                "(--init MODEL)"
            )
        self.net.load_state_dict(stage.unet.state_dict())
        self.net.eval()
        self.phase.fill_(phase)
