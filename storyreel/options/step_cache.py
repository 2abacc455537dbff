"""Which cache of diffusers a pipeline keeps between the steps of a video, as a person says it: `KIND[:NUMBER]`."""

from __future__ import annotations

from typing import Any

from storyreel.numbers import number, shown, whole

FIRST_BLOCK, TAYLORSEER, BROADCAST = "first-block", "taylorseer", "pab"
DEFAULTS: dict[str, int | float] = {FIRST_BLOCK: 0.05, TAYLORSEER: 5, BROADCAST: 2}
"""Kind -> its number where none is said: how little the first block may change, or one step in so many."""


def read_step_cache(value: Any, name: str) -> str:
    """ "first-block" -> "first-block:0.05", "pab:3" -> "pab:3". ValueError for anything else."""
    kind, colon, text = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in DEFAULTS:
        raise ValueError(f"{name}: expected {', '.join(DEFAULTS)}, or one with its number, got {shown(value)}")
    setting: Any = text if colon else DEFAULTS[kind]
    found = (
        number(setting, f"{name}: {kind}", 0, 1000)
        if kind == FIRST_BLOCK
        else whole(setting, f"{name}: {kind}", 2, 100)
    )
    return f"{kind}:{found:g}"
