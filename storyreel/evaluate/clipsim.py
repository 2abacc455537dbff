"""How well clips fit their prompts, in the space of a text-and-video encoder: CLIPSIM, RM and R-precision.

All three stand on cosines between a text and a picture. They are only as good as the encoder: one that cannot count
does not see a wrong count. CLIP reads at most 77 tokens of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate.uncertainty import group_means
from storyreel.wording import counted

CANDIDATES = 100  # captions of one R-precision question: the right one and 99 others
LEAST_REAL = 0.05  # a real clip that fits its own caption less than this says nothing about a generated one


def clipsim(frames: Tensor, texts: Tensor) -> Tensor:
    """CLIPSIM (Wu et al. 2021) of each clip: the mean over frames of the cosine of frame and prompt.

    frames: (n, t, d), texts: (n, d), of unit length. -> float64 (n,), -1 to 1, higher is better; CLIP ViT-B/32 gives
    real clips about 0.3. Differences below 0.005 want several hundred prompts.
    """
    return torch.einsum("ntd,nd->nt", frames.double(), texts.double()).mean(1)


@dataclass(frozen=True)
class Matched:
    """RM of each prompt that counts, and the prompts whose real clip fits too badly to be a measure."""

    ratios: dict[str, float]
    dropped: tuple[str, ...]


def relative_matching(made: Mapping[str, float], real: Mapping[str, float], least: float = LEAST_REAL) -> Matched:
    """RM (GODIVA, Wu et al. 2021): for each prompt CLIPSIM of what was made over CLIPSIM of the real clip.

    The score is the mean of these ratios, not the ratio of means; 1 is as good as real, higher is better (papers print
    it times 100). Prompts without a real clip are left out; those whose real clip scores at most `least` are dropped
    and told. ValueError when none is left.
    """
    shared = [prompt for prompt in made if prompt in real]
    if not shared:
        raise ValueError("rm: no prompt of these clips is a caption of the real ones")
    dropped = tuple(prompt for prompt in shared if real[prompt] <= least)
    ratios = {prompt: made[prompt] / real[prompt] for prompt in shared if real[prompt] > least}
    if not ratios:
        raise ValueError(f"rm: the real clips of {counted(len(shared), 'prompt')} fit no better than {least}")
    return Matched(ratios, dropped)


def r_precision(videos: Tensor, texts: Tensor, prompts: Sequence[str], *, seed: int = 0) -> Tensor:
    """R-precision (Xu et al. 2018) of each clip: 1 where its own prompt is nearer than 99 others drawn, else 0.

    videos, texts: (n, d) of unit length. -> float64 (n,); chance is 1 %; higher is better. With fewer than 100
    different prompts all of them are the candidates, so chance is higher: `candidates` says how many there were.
    A tie is not right. A few hundred clips give it to within three points. ValueError for a single prompt.
    """
    first: dict[str, int] = {}
    for i, prompt in enumerate(prompts):
        first.setdefault(prompt, i)
    if len(first) < 2:
        raise ValueError("r-precision: expected clips of at least 2 different prompts")
    rows = np.array(list(first.values()))
    rng, near = np.random.default_rng(seed), (videos.double() @ texts.double()[torch.from_numpy(rows)].T).numpy()
    own = {prompt: k for k, prompt in enumerate(first)}
    found = []
    for i, prompt in enumerate(prompts):
        others = np.delete(np.arange(len(rows)), own[prompt])
        if len(others) >= CANDIDATES:
            others = rng.choice(others, CANDIDATES - 1, replace=False)
        found.append(float(near[i, own[prompt]] > near[i, others].max()))
    return torch.tensor(found, dtype=torch.float64)


def candidates(prompts: Sequence[str]) -> int:
    """How many captions an R-precision question has."""
    return min(CANDIDATES, len(set(prompts)))


def by_prompt(values: Tensor, prompts: Sequence[str]) -> dict[str, float]:
    """Prompt -> mean over its clips."""
    return group_means(values.tolist(), prompts)
