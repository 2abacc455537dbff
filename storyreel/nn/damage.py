"""What goes wrong with generated videos, done to real ones at random strength, so that a network learns to see it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.nn.dual_encoder import DAMAGES

CELLS = 8  # blocks in a row, for `patched`


def damage(video: Tensor, kinds: Tensor, rng: torch.Generator) -> Tensor:
    """A copy of video (b, 3, t, h, w) in [-1, 1] in which clip i has the damage DAMAGES[kinds[i]].

    The random numbers that a clip takes do not depend on what the others get.
    """
    out = video.clone()
    draws = torch.rand(len(video), 4, generator=rng, device=video.device)
    noise = torch.randn(video.shape[1:], generator=rng, device=video.device)
    order = torch.rand(len(video), video.shape[2], generator=rng, device=video.device)
    shifts = torch.rand(len(video), video.shape[2], 2, generator=rng, device=video.device)
    cells = torch.rand(len(video), video.shape[2], CELLS, CELLS, generator=rng, device=video.device)
    if video.is_meta:  # when costs are counted there are no kinds to tell apart
        return out
    host = torch.cat([kinds[:, None].float(), draws, shifts.flatten(1)], 1).cpu()  # the only wait for the device
    for i, (which, a, b) in enumerate(host[:, :3].tolist()):
        clip, kind = video[i], DAMAGES[int(which)]
        if kind == "none":
            continue
        if kind == "shuffled":
            clip = clip[:, unlike_itself(order[i])]
        elif kind == "frozen":
            clip = frozen(clip, a, b)
        elif kind == "warped":
            clip = warped(clip, a)
        elif kind == "jittered":
            clip = jittered(clip, host[i, 1 + draws.shape[1] :].view(-1, 2), 1 + 3 * a)
        elif kind == "noisy":
            clip = (clip + noise.roll(i, -1) * (0.05 + 0.35 * a)).clamp(-1, 1)
        elif kind == "blurred":
            clip = blurred(clip, 0.4 + 0.5 * a)
        elif kind == "patched":
            clip = patched(clip, video[i - 1], cells[i], a)
        elif kind == "recoloured":
            clip = recoloured(clip, draws[i])
        out[i] = clip
    return out


def unlike_itself(draws: Tensor) -> Tensor:
    """A random order of t frames that is not the order of time, where t is more than one."""
    order = draws.argsort()
    there = torch.arange(len(order), device=order.device)
    return torch.where((order == there).all(), order.roll(1), order)


def frozen(clip: Tensor, where: float, share: float) -> Tensor:
    """From some frame of the first half on nothing moves any more, or never did."""
    t = clip.shape[1]
    start = int(where * (t // 2)) if share > 0.5 else 0
    return clip[:, torch.arange(t, device=clip.device).clamp(max=start)]


def warped(clip: Tensor, strength: float) -> Tensor:
    """Time runs backwards, or jumps: pairs of neighbours change places."""
    t = clip.shape[1]
    if strength > 0.5:
        return clip.flip(1)
    at = torch.arange(t, device=clip.device)
    return clip[:, (at ^ 1).clamp(max=t - 1)]


def jittered(clip: Tensor, draws: Tensor, pixels: float) -> Tensor:
    """Every frame moves by itself, up to `pixels` up, down, left and right."""
    steps = ((draws * 2 - 1) * pixels).round().long().tolist()
    return torch.stack([clip[:, f].roll((y, x), (1, 2)) for f, (y, x) in enumerate(steps)], 1)


def blurred(clip: Tensor, scale: float) -> Tensor:
    """Made smaller and larger again: details are gone."""
    small = max(1, round(clip.shape[-1] * (1 - scale)))
    x = F.interpolate(clip.transpose(0, 1), (small, small), mode="bilinear", antialias=True)
    return F.interpolate(x, tuple(clip.shape[-2:]), mode="bilinear").transpose(0, 1)


def patched(clip: Tensor, other: Tensor, draws: Tensor, strength: float) -> Tensor:
    """Blocks of every frame show another clip, as wrong tokens do."""
    wrong = (draws < 0.05 + 0.25 * strength)[None].float()  # (1, t, cells, cells)
    return torch.where(F.interpolate(wrong, tuple(clip.shape[-2:])) > 0, other, clip)


def recoloured(clip: Tensor, draws: Tensor) -> Tensor:
    """Colours shift and lose or gain contrast, the same in all frames."""
    shift = (draws[:3] * 2 - 1) * 0.5
    gain = 0.6 + 0.7 * draws[3]
    return (clip * gain + shift[:, None, None, None]).clamp(-1, 1)
