"""The settings that all worlds share, checked."""

from __future__ import annotations

from typing import Any


def check_ranges(world: Any, *, min_frames: int = 1) -> None:
    """ValueError names the first setting of a world that is out of range."""
    for name, low, high in (("size", 16, 256), ("frames", min_frames, 256), ("captions", 1, 64)):
        if not low <= getattr(world, name) <= high:
            raise ValueError(f"{name}: expected {low} to {high}, got {getattr(world, name)}")
    for name in ("held_out_share", "carried"):
        if not 0 <= getattr(world, name) <= 1:
            raise ValueError(f"{name}: expected 0 to 1, got {getattr(world, name)}")
    if not 0 < world.fps <= 240:
        raise ValueError(f"fps: expected more than 0 and at most 240, got {world.fps}")
