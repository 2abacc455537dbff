"""Who sees what: items, sides and order of one rater, from the seed of the study and the number of the rater."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from storyreel.study.plan import NOISE, PAIR, SAME, Study

CATCH_EVERY = 12  # pairs


@dataclass(frozen=True)
class Presentation:
    """An item as one rater sees it: its place in the study, and whether clip a stands left."""

    item: int
    a_left: bool


NOBODY: Mapping[int, int] = {}


def assign(
    study: Study, rater: int, load: Mapping[int, int], unanswered: Mapping[int, int] = NOBODY
) -> list[Presentation]:
    """The items for rater number `rater`, in the order in which they are shown.

    load: how many raters voted on each item, or are at work and will. unanswered: how many got it and have not voted
    on anything yet, who count for the order alone. The least seen pairs come first, chance decides among equals; pairs
    with enough raters are not given any more, so the list may be empty. Catch trials never come first.
    """
    rng = np.random.default_rng([study.seed, 1, rater])
    pairs = [i for i in study.indices(PAIR) if load.get(i, 0) < study.raters]
    if not pairs:
        return []
    chance = rng.random(len(pairs))
    order = sorted(range(len(pairs)), key=lambda n: (load.get(pairs[n], 0) + unanswered.get(pairs[n], 0), chance[n]))
    chosen = [pairs[n] for n in order[: study.per_rater or None]]
    rng.shuffle(chosen)
    for item in _catch_items(study, len(chosen), rng):
        chosen.insert(int(rng.integers(1, len(chosen) + 1)), item)
    return [Presentation(item, bool(rng.integers(2))) for item in chosen]


def _catch_items(study: Study, pairs: int, rng: np.random.Generator) -> list[int]:
    count = max(1, round(pairs / CATCH_EVERY)) if study.catch < 0 else study.catch
    items: list[int] = []
    for kind in (NOISE, SAME):
        pool = study.indices(kind)
        items += rng.permutation(pool)[:count].tolist()
    return items
