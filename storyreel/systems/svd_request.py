"""What a request becomes for the diffusion stages of Stable Video Diffusion, and what they refuse or warn of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from storyreel.options.generation import GenerateOptions
from storyreel.systems.base import Batch, TextEncoder
from storyreel.systems.pixels import check_matte

if TYPE_CHECKING:
    from storyreel.systems.svd import SvdConfig


def request_conditions(
    options: GenerateOptions, text: TextEncoder, count: int, *, image: Tensor | None = None, fps: float | None = None
) -> Batch:
    """What the network reads, the same for each of `count` videos. image: (1, c, t, h, w). fps: None: the usual one."""
    states, mask = text([options.prompt])
    if not options.prompt:  # nothing is said
        mask = torch.zeros_like(mask)
    cond: Batch = {"text": states, "text_mask": mask}
    if fps is not None:
        cond["fps"] = torch.tensor([fps])
    if options.motion is not None:
        cond["motion"] = torch.tensor([float(options.motion)])
    if image is not None:
        cond["image"] = image
    return {name: value.expand(count, *value.shape[1:]) for name, value in cond.items()}


def check_request(options: GenerateOptions, config: SvdConfig, makes: str) -> None:
    """ValueError for a clip to go on from, a story, and a matte that the model has not; a matte that is lost is warned
    of. makes: what the model makes, for the error."""
    for name in ("extend", "story"):
        if getattr(options, name):
            raise ValueError(f"{name}: {makes}")
    check_matte(options, config.channels)
    for name in ("image", "image_end", "interpolate"):
        given = getattr(options, name)
        if config.channels == 3 and given is not None and given.has_alpha:
            warnings.warn(f"{name}: this model has no matte; what is transparent becomes grey", stacklevel=3)
