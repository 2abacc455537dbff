"""What the tokenizer alone loses: real clips of held-out combinations, coded and decoded, by the judge.

No prior can be better than that: where a colour does not survive its codes, no prompt brings it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from reproductions.combinations import Case, cases_of, score
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.evaluate.interval import mean_of
from storyreel.systems.phenaki import Phenaki
from storyreel.systems.pixels import for_model, shown
from storyreel.worlds import find

MIN_ACCURACY = 0.97  # mean attribute accuracy after reconstruction alone
SHOWN = 8


def measure(settings: Settings, world: str) -> dict[str, Any]:
    """Judge the clips before and after. ValueError, of one line, without model, judge or (sprites) sheets."""
    model, judge = settings.model(world), settings.judge(world)
    if find(world).needs_folder and not settings.source:
        sheets = find(world).pictures_name
        raise ValueError(f"{world}: real clips are drawn from {sheets}; name their folder with --source")
    system: Any = model.system
    cases = [w for w in cases_of(settings, world, "held_out") if w.real is not None]
    made = list(_reconstructed(system, cases))
    before = score(judge, [w.real for w in cases if w.real], cases).compute()
    after = score(judge, made, cases).compute()
    psnr = [_psnr(w.real, clip) for w, clip in zip(cases, made, strict=True) if w.real]
    picture = f"reconstruction-{world}.png"
    shown = [pair for w, clip in zip(cases[:SHOWN], made, strict=False) if w.real for pair in _two(w, clip)]
    write_sheet(settings.out / picture, shown, side=64)
    return {
        "world": world,
        "model": {"name": model.name, "digest": model.digest},
        "n": len(cases),
        "real": before.as_json(),
        "reconstructed": after.as_json(),
        "psnr": mean_of(psnr).as_json(),
        "holds": bool(after.mean >= MIN_ACCURACY),
        "pictures": [picture],
    }


@torch.inference_mode()
def _reconstructed(system: Phenaki, cases: list[Case]) -> Iterator[Clip]:
    from storyreel.data.parallel import progress

    c = system.config.tokenizer
    with progress("reconstructing", len(cases)) as advance:
        for case in cases:
            assert case.real is not None
            clip = case.real
            frames = 1 + (len(clip) - 1) // c.tube * c.tube  # whole tubes
            video = for_model(clip.replace(frames=clip.frames[:frames]), c.size, c.channels)
            again = shown(system.tokenizer.reconstruct(video), transparent=c.channels == 4)
            yield Clip.from_tensor(again[0], clip.fps, clip.caption)
            advance(1)


def _two(case: Case, clip: Clip) -> list[tuple[str, Clip]]:
    assert case.real is not None
    return [("real", case.real), ("what is left of it", clip)]


def _psnr(real: Clip | None, clip: Clip) -> float:
    """In dB, over mid grey, of colours from 0 to 255."""
    assert real is not None
    again = clip.over().frames.astype(np.float64)
    seen = real.over() if real.size == clip.size else real.over().resize(*clip.size)
    a, b = seen.frames[: len(clip)].astype(np.float64), again
    return float(10 * np.log10(255**2 / max(1e-9, float(((a - b) ** 2).mean()))))
