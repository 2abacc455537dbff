"""What the tokenizer alone loses: real clips of held-out combinations, coded and decoded, by the judge.

No prior can be better than that: where a colour does not survive its codes, no prompt brings it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from reproductions.combinations import Wish, score, wishes_of
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.evaluate.interval import mean_of
from storyreel.systems.phenaki import Phenaki
from storyreel.systems.pixels import for_model, shown
from storyreel.worlds import find

KEPT = 0.97  # mean attribute accuracy after reconstruction alone
SHOWN = 8


def measure(settings: Settings, world: str) -> dict[str, Any]:
    """Judge the clips before and after. ValueError, of one line, without model, judge or (sprites) sheets."""
    model, judge = settings.model(world), settings.judge(world)
    if find(world).needs_folder and not settings.source:
        sheets = find(world).pictures_name
        raise ValueError(f"{world}: real clips are drawn from {sheets}; name their folder with --source")
    system: Any = model.system
    wishes = [w for w in wishes_of(settings, world, "held_out") if w.real is not None]
    made = list(_reconstructed(system, wishes))
    before = score(judge, [w.real for w in wishes if w.real], wishes).compute()
    after = score(judge, made, wishes).compute()
    psnr = [_psnr(w.real, clip) for w, clip in zip(wishes, made, strict=True) if w.real]
    picture = f"reconstruction-{world}.png"
    shown = [pair for w, clip in zip(wishes[:SHOWN], made, strict=False) if w.real for pair in _two(w, clip)]
    write_sheet(settings.out / picture, shown, side=64)
    return {
        "world": world,
        "model": {"name": model.name, "digest": model.digest},
        "n": len(wishes),
        "real": before.as_json(),
        "reconstructed": after.as_json(),
        "psnr": mean_of(psnr).as_json(),
        "holds": bool(after.mean >= KEPT),
        "pictures": [picture],
    }


@torch.inference_mode()
def _reconstructed(system: Phenaki, wishes: list[Wish]) -> Iterator[Clip]:
    from storyreel.data.parallel import progress

    c = system.config.tokenizer
    with progress("reconstructing", len(wishes)) as advance:
        for wish in wishes:
            assert wish.real is not None
            clip = wish.real
            frames = 1 + (len(clip) - 1) // c.tube * c.tube  # whole tubes
            video = for_model(clip.replace(frames=clip.frames[:frames]), c.size, c.channels)
            again = shown(system.tokenizer.reconstruct(video), transparent=c.channels == 4)
            yield Clip.from_tensor(again[0], clip.fps, clip.caption)
            advance(1)


def _two(wish: Wish, clip: Clip) -> list[tuple[str, Clip]]:
    assert wish.real is not None
    return [("real", wish.real), ("what is left of it", clip)]


def _psnr(real: Clip | None, clip: Clip) -> float:
    """In dB, over mid grey, of colours from 0 to 255."""
    assert real is not None
    again = clip.over().frames.astype(np.float64)
    seen = real.over() if real.size == clip.size else real.over().resize(*clip.size)
    a, b = seen.frames[: len(clip)].astype(np.float64), again
    return float(10 * np.log10(255**2 / max(1e-9, float(((a - b) ** 2).mean()))))
