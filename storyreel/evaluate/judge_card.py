"""The README of a judge folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storyreel.evaluate.score import AttributeScores
from storyreel.worlds import find, named_in


def write_card(name: str, facts: Mapping[str, Any], report: AttributeScores, held_out: AttributeScores) -> str:
    """What the judge is, what it was trained on, and how often it is right on real clips that it never saw."""
    table, rare = "\n".join(report.lines()), "\n".join(held_out.lines())
    world = named_in(name)
    licence = find(world).licence if world else "Licence: Apache-2.0."
    return f"""# {name}

A judge: says which attributes a clip shows (`storyreel evaluate CLIPS --judge {name.removeprefix("judge-")}`). It was
trained on real clips only, {facts["steps"]} steps of {facts["batch"]} clips, seed {facts["seed"]}, from a
dataset of {facts["clips"]} clips (digest `{str(facts["data"])[:16]}`), with
`storyreel evaluate train-judge --data DATASET -o FOLDER`.

On real clips that it never saw (every tenth row of the dataset):

```
{table}
```

On those of them whose combination of attributes is held out from the training of generators (the judge has met such
combinations, in other clips, so that it does not take them for something else):

```
{rare}
```

It knows this world alone: shown anything else, it still names one of its classes. {licence}
"""
