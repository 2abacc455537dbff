"""The metrics by name: what each stands on, which way is better, and whether it wants real clips."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher", "real"]
"""Which value is better; "real": the nearer to that of real clips the better."""


@dataclass(frozen=True)
class About:
    """gathers: what an extractor has to give. real: wants real clips, or can do without them."""

    direction: Direction
    gathers: Literal["features", "logits", "frames", "videos", ""] = ""
    kind: Literal["video", "frame", "text", ""] = ""
    real: bool = False


METRICS: dict[str, About] = {
    "fvd": About("lower", "features", "video", real=True),
    "kvd": About("lower", "features", "video", real=True),
    "fid": About("lower", "features", "frame", real=True),
    "kid": About("lower", "features", "frame", real=True),
    "is": About("higher", "logits"),
    "clipsim": About("higher", "frames", "text"),
    "rm": About("higher", "frames", "text", real=True),
    "r-precision": About("higher", "videos", "text"),
    "flicker": About("higher"),
    "jitter": About("real"),
    "sticking": About("lower"),
    "dynamic": About("real"),
    "seams": About("lower"),
    "psnr": About("higher", real=True),
    "ssim": About("higher", real=True),
    "lpips": About("lower", real=True),
    "judge": About("higher"),
}
MOTION = ("flicker", "jitter", "sticking", "dynamic")
PAIRED = ("psnr", "ssim", "lpips")
USUAL = tuple(name for name in METRICS if name not in PAIRED)
"""What runs when nobody says which: whatever can, of these. Reconstruction is asked for by name."""


def named(names: str) -> tuple[str, ...]:
    """ "fvd, judge" -> ("fvd", "judge"); "" -> (). ValueError suggests the nearest name."""
    found = tuple(dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip()))
    for name in found:
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METRICS)}"
            raise ValueError(f"metrics: no {name!r}; {hint}")
    return found
