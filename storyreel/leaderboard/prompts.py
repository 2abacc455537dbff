"""The prompts that all models of a leaderboard get, with a seed each: a file's, a benchmark's, or a world's own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from storyreel import worlds
from storyreel.options.leaderboard import LeaderboardOptions

if TYPE_CHECKING:
    from storyreel.generate.prompts import PromptRow

STREAM = 0xB0A2D  # of random numbers, apart from those of data sets


@dataclass(frozen=True)
class SeededPrompts:
    """Prompts in order, each with its own seed, and what each should show where that is known (by prompt)."""

    source: str  # where they are from, in words
    rows: list[PromptRow]
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)

    def digest(self, *more: str) -> str:
        """Eight hex digits of all prompts with their settings, and of `more`."""
        made = [[row.options.as_json(), row.seed, row.count] for row in self.rows]
        return hashlib.sha256(json.dumps([made, more], sort_keys=True).encode()).hexdigest()[:8]


def prompts_of(options: LeaderboardOptions, settings: dict[str, Any]) -> SeededPrompts:
    """From a file, a benchmark or a world. Row i without a seed gets `seed` + i, so that no two share their noise.

    options.count: at most so many: a file's first, a benchmark's evenly spread, since its prompts stand in groups.
    settings: keyword arguments of every generation. ValueError, OSError, in one line: no such file, list or world.
    """
    from storyreel.generate.prompts import PromptRow, read_prompts
    from storyreel.options.generation import GenerateOptions

    if options.prompts is not None:
        rows = read_prompts(options.prompts, settings)[: options.count]
        rows = [replace(r, seed=options.seed + i if r.seed is None else r.seed) for i, r in enumerate(rows)]
        return SeededPrompts(options.prompts.name, rows)
    if options.benchmark:
        from storyreel.evaluate import benchmarks

        each = benchmarks.prompts(options.benchmark).prompts
        n = min(options.count or len(each), len(each))
        pairs = [(p.prompt, p.expected) for p in (each[i * len(each) // n] for i in range(n))]
        source = options.benchmark
    else:
        describe = worlds.find(options.world).describe
        pairs = [describe((options.seed, STREAM, i), "held_out", "plain")[:2] for i in range(options.count or 64)]
        source = f"{options.world}, held-out combinations"
    rows = []
    for i, (prompt, _) in enumerate(pairs):
        each = GenerateOptions.of({"prompt": prompt, "as_written": True, **settings})
        rows.append(PromptRow(f"{source}, prompt {i}", each, options.seed + i))
    return SeededPrompts(source, rows, dict(pairs))
