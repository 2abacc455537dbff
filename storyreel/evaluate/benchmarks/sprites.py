"""Benchmark `sprites`: does a video show the character that the prompt describes, however it is worded?

Four groups of prompts. "plain", "training" and "held-out" describe the same 150 characters of combinations that
training never has: in the sixteen forms of the first version, by the grammar of training captions, and by its forms and
words that no training caption has. "natural" are 125 sentences written by hand, as strangers write them. The judge
`sprites` reads each video. Beside the mean over attributes stand the share of videos with all attributes right, and
both relative to what the judge says of real clips of the same prompts. benchmarks/parts/prompts.py makes the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.evaluate.benchmarks.prompt_list import Prompt, PromptFiles, PromptList, find_videos
from storyreel.evaluate.benchmarks.scoring import document_of, lines_of, readable
from storyreel.evaluate.score import AttributeAccuracy, labels
from storyreel.wording import counted

if TYPE_CHECKING:
    from storyreel.worlds.sprites import Character

FILE = Path(__file__).with_suffix(".json")
JUDGE = "sprites"
SEED = 220502115  # of the characters; never a training seed
GROUPS = ("plain", "training", "held-out", "natural")


def prompts() -> PromptList:
    return PromptList.read(FILE)


def run(path: str | Path, *, quiet: bool = False, judge: str | Path = "") -> tuple[dict[str, Any], list[str]]:
    """Score the videos of a folder. See `storyreel.evaluate.benchmarks.run`."""
    from storyreel.evaluate.judges import load_judge

    prompt_list, judge = prompts(), str(judge or JUDGE)
    found, reader = find_videos(path, prompt_list), load_judge(judge)
    metrics = {group: AttributeAccuracy(reader.attributes) for group in GROUPS}
    broken: list[str] = []
    for prompt, clip in readable(path, prompt_list, found, broken, quiet):
        metrics[prompt.group].update((next(iter(reader.read([clip]))), labels(prompt.expected)))
    document = report(path, prompt_list, found, metrics, broken, judge)
    missing = {group: row["missing"] for group, row in document["groups"].items() if row["missing"]}
    lacking = (
        f"note: no video of {counted(n, 'prompt')} of the group {group}; a result to be compared has all"
        for group, n in missing.items()
    )
    return document, lines_of(document, _table(document["groups"]), lacking)


def report(
    path: str | Path,
    prompt_list: PromptList,
    found: PromptFiles,
    metrics: Mapping[str, AttributeAccuracy],
    broken: list[str],
    judge: str,
) -> dict[str, Any]:
    """The document. A group without a video is left out; one that lacks some is not comparable."""
    document = document_of(path, prompt_list, found, broken, judge)
    document["groups"] = groups_of(prompt_list, metrics, document["judge"]["own"])
    document["comparable"] = [group for group, row in document["groups"].items() if "relative" in row]
    return document


def groups_of(prompt_list: PromptList, metrics: Mapping[str, AttributeAccuracy], own: bool) -> dict[str, Any]:
    """The scores of each group of which there are videos; beside real clips' where all are there and the judge is the
    benchmark's own."""
    groups: dict[str, Any] = {}
    for group, metric in metrics.items():
        there = sum(p.group == group for p in prompt_list.prompts)
        if not metric.right:
            continue
        groups[group] = metric.compute().as_json() | {"missing": there - len(metric.right)}
        if own and len(metric.right) == there:
            real = prompt_list.protocol["real"][group]
            groups[group]["real"] = real
            groups[group]["relative"] = {
                name: round(groups[group][name]["accuracy"] / real[name], 5) for name in ("mean", "all_right")
            }
    return groups


def _table(groups: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':9}  mean %  95 % interval  all right %  95 % interval     n  relative to real clips %: mean, all right"
    for group, row in groups.items():
        line = f"{group:9}"
        for name, wide in (("mean", 6), ("all_right", 11)):
            low, high = (f"{100 * x:.1f}" for x in row[name]["interval"])
            line += f"  {100 * row[name]['accuracy']:{wide}.1f}  {low:>5} - {high:>5}"
        relative = row.get("relative")
        shown = f"{100 * relative['mean']:.1f}, {100 * relative['all_right']:.1f}" if relative else "--"
        yield f"{line}  {row['clips']:4d}  {shown}"


def character(prompt: Prompt) -> Character:
    """Somebody whom the prompt describes: its own character, or one drawn until all that it says is true."""
    import numpy as np

    from storyreel.worlds.sprites import held_out
    from storyreel.worlds.sprites_balance import draw_balanced, shipped_weights

    rng = np.random.default_rng(list(prompt.source))
    weights = None
    if prompt.group == "natural":
        forced = {name: {value: 1e6} for name, value in prompt.expected.items() if value}
        weights = {name: own | forced.get(name, {}) for name, own in shipped_weights().items()}
    for _ in range(20_000):
        who = draw_balanced(rng, weights)
        if prompt.group == "natural":
            if all(who.attributes.get(name) == value for name, value in prompt.expected.items()):
                return who
        elif held_out(who.attributes):
            return who
    raise ValueError(f"{prompt.prompt!r}: no character of the world is all of {prompt.expected}")


def real_clip(prompt: Prompt, source: Path | None) -> Clip:
    """A clip of the world of which the prompt is true: what a model cannot do better than. Needs the sheets."""
    from storyreel.worlds.sprites import Sprites

    if source is None:
        raise ValueError("sprites: real clips are drawn from the LPC sheets; name their folder with --source")
    return Sprites(source=source).clip_of(character(prompt), prompt.prompt)
