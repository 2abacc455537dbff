"""The prompts that all models of a leaderboard get, with a seed each: a file's, a benchmark's, or a world's own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel import worlds

if TYPE_CHECKING:
    from storyreel.generate.prompts import Row

STREAM = 0xB0A2D  # of random numbers, apart from those of data sets


@dataclass(frozen=True)
class Wishes:
    """Prompts in order, each with its own seed, and what each should show where that is known (by prompt)."""

    said: str  # where they are from, in words
    rows: list[Row]
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)

    def digest(self, *more: str) -> str:
        """Eight hex digits of all that is asked for, and of `more`."""
        asked = [[row.options.as_json(), row.seed, row.count] for row in self.rows]
        return hashlib.sha256(json.dumps([asked, more], sort_keys=True).encode()).hexdigest()[:8]


def wishes_of(
    file: Path | None, benchmark: str, world: str, count: int | None, seed: int, settings: dict[str, Any]
) -> Wishes:
    """From one of the three. Row i without a seed of its own gets `seed` + i, so that no two share their noise.

    count: at most so many: a file's first, a benchmark's evenly spread, since its prompts stand in groups.
    settings: keyword arguments of every generation. ValueError, OSError, in one line: no such file, list or world.
    """
    from storyreel.generate.prompts import Row, read_prompts
    from storyreel.options.generation import GenerateOptions

    if file is not None:
        rows = read_prompts(file, settings)[:count]
        rows = [
            Row(r.where, r.options, seed + i if r.seed is None else r.seed, r.count, r.name) for i, r in enumerate(rows)
        ]
        return Wishes(file.name, rows)
    if benchmark:
        from storyreel.evaluate import benchmarks

        each = benchmarks.prompts(benchmark).prompts
        n = min(count or len(each), len(each))
        told = [(p.prompt, p.wanted) for p in (each[i * len(each) // n] for i in range(n))]
        said = benchmark
    else:
        describe = worlds.find(world).describe
        told = [describe((seed, STREAM, i), "held_out", "plain")[:2] for i in range(count or 64)]
        said = f"{world}, held-out combinations"
    rows = [
        Row(f"{said}, prompt {i}", GenerateOptions.of({"prompt": prompt, "as_written": True, **settings}), seed + i)
        for i, (prompt, _) in enumerate(told)
    ]
    return Wishes(said, rows, dict(told))
