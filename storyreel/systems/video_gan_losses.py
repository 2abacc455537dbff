"""What generator and critic of a video GAN descend: three pairs of losses by name, and the penalties of gradients.

| name        | critic                                          | generator             | penalty          |
| ----------- | ----------------------------------------------- | --------------------- | ---------------- |
| `nonsat+r1` | -log D(real) - log(1 - D(made))                 | -log D(made)          | R1, lazily       |
| `bce`       | the same                                        | the same              | none             |
| `rp+r1+r2`  | -log sigmoid(D(real) - D(made)), pair by pair   | the other way round   | R1 and R2        |

Non-saturating and R1: Goodfellow et al. 2014, Mescheder et al. 2018; lazily: every so many steps, so many times as
heavy (StyleGAN2, Appendix B). Relativistic pairs with both penalties: R3GAN, Huang et al. 2024, Section 2,
https://arxiv.org/abs/2501.05441. Real clips under a wrong text are made ones, half of all (TFGAN, Balaji et al., IJCAI
2019). Scores are (b,), or (b, heads) whose losses are added up; penalties are summed over the pixels of
a frame, and meaned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

LossKind: TypeAlias = Literal["nonsat+r1", "bce", "rp+r1+r2"]
SATURATED = 100.0  # a mean score beyond which a critic teaches nothing any more


def critic_term(kind: LossKind, real: Tensor, made: Tensor, wrong: Tensor | None = None) -> Tensor:
    """wrong (b, heads): scores of real clips under the text of another."""
    if kind == "rp+r1+r2":
        total = over_heads(F.softplus(made - real))
        return total if wrong is None else (total + over_heads(F.softplus(wrong - real.mean(0)))) / 2
    false = over_heads(F.softplus(made))
    if wrong is not None:
        false = (false + over_heads(F.softplus(wrong))) / 2
    return over_heads(F.softplus(-real)) + false


def generator_term(kind: LossKind, made: Tensor, real: Tensor | None) -> Tensor:
    """real: scores of as many real clips, which relativistic pairs need."""
    if kind == "rp+r1+r2":
        assert real is not None
        return over_heads(F.softplus(real - made))
    return over_heads(F.softplus(-made))


def over_heads(each: Tensor) -> Tensor:
    """(b,) or (b, heads) -> the mean over clips, added up over heads."""
    return each.mean(0).sum()


def gradient_penalty(score: Callable[[Tensor], Tensor], video: Tensor) -> Tensor:
    """The squared gradient of the scores by the clips (b, c, f, h, w), in float32: R1 of real ones, R2 of made ones."""
    video = video.detach().float().requires_grad_()
    with torch.autocast(video.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(score(video).sum(), video, create_graph=True)
    return gradient.square().sum((1, 2, 3, 4)).mean() / video.shape[2]


def collapse(numbers: Mapping[str, float]) -> str:
    """What in the numbers of a step says that the critic has failed; "" for nothing."""
    for name in ("real", "made"):
        if abs(numbers.get(name, 0.0)) > SATURATED:
            return (
                f"the critic's scores are saturated ({name} clips score {numbers[name]:.3g} in the mean, expected at "
                f"most {SATURATED:g} either way), so that the generator learns nothing; a lower learning rate or a "
                "larger system.r1 keeps it in bounds"
            )
    return ""
