"""Benchmark `sprites`: does a video show the character that the prompt describes, however it is worded?

Four groups of prompts. "plain", "training" and "held-out" describe the same 150 characters of combinations that
training never has: in the sixteen forms of the first version, by the grammar of training captions, and by its forms and
words that no training caption has. "natural" are 125 sentences written by hand, as strangers write them
(sprites_natural.jsonl). The judge `sprites` reads each video. Beside the mean over attributes stand the share of videos
with all attributes right, and both relative to what the judge says of real clips of the same prompts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.evaluate.benchmarks.prompt_list import Found, Prompt, PromptList, find_videos, to_text
from storyreel.evaluate.score import AttributeAccuracy, labels

if TYPE_CHECKING:
    from storyreel.worlds.sprites import Character

FILE = Path(__file__).with_suffix(".json")
NATURAL = Path(__file__).with_name("sprites_natural.jsonl")
JUDGE = "sprites"
SEED = 220502115  # of the characters; never a training seed
EACH = 150  # prompts a group, but for those written by hand
GROUPS = ("plain", "training", "held-out", "natural")


def prompts() -> PromptList:
    return PromptList.read(FILE)


def run(path: str | Path, *, quiet: bool = False, judge: str | Path = "") -> tuple[dict[str, Any], list[str]]:
    """Score the videos of a folder. See `storyreel.evaluate.benchmarks.run`."""
    from storyreel.data.folder import read_clip
    from storyreel.data.parallel import progress
    from storyreel.evaluate.judges import load_judge

    asked = prompts()
    found = find_videos(path, asked)
    reader = load_judge(judge or JUDGE)
    metrics = {group: AttributeAccuracy(reader.attributes) for group in GROUPS}
    broken: list[str] = []
    bar = nullcontext(lambda n: None) if quiet else progress("judging", len(found.files))
    with bar as advance:
        for index, file in sorted(found.files.items()):
            advance(1)
            try:
                clip = read_clip(file)
            except (ValueError, OSError) as error:
                broken.append(" ".join(str(error).split()))
                continue
            prompt = asked.prompts[index]
            metrics[prompt.group].update((next(iter(reader.read([clip]))), labels(prompt.wanted)))
    if len(broken) == len(found.files):
        raise ValueError(f"{path}: none of its videos can be read: {broken[0]}")
    document = report(path, asked, found, metrics, broken, str(judge or JUDGE))
    return document, list(_lines(document))


def report(
    path: str | Path,
    asked: PromptList,
    found: Found,
    metrics: Mapping[str, AttributeAccuracy],
    broken: list[str],
    judge: str,
) -> dict[str, Any]:
    """The document. A group without a video is left out; one that lacks some is not comparable."""
    from storyreel.evaluate.judge_folder import find_judge
    from storyreel.storage import digest_of

    digest = digest_of(find_judge(judge) / "model.safetensors")
    own = digest == asked.protocol["judge_sha256"]
    groups: dict[str, Any] = {}
    for group, metric in metrics.items():
        there = sum(p.group == group for p in asked.prompts)
        if not metric.right:
            continue
        groups[group] = metric.compute().as_json() | {"missing": there - len(metric.right)}
        if own and len(metric.right) == there:
            real = asked.protocol["real"][group]
            groups[group]["real"] = real
            groups[group]["relative"] = {
                name: round(groups[group][name]["accuracy"] / real[name], 5) for name in ("mean", "all_right")
            }
    return {
        "benchmark": "sprites",
        "version": asked.protocol["version"],
        "sha256": asked.digest,
        "judge": {"name": judge, "sha256": digest, "own": own},
        "path": str(path),
        "prompts": len(asked.prompts),
        "videos": sum(len(metric.right) for metric in metrics.values()),
        "broken": broken,
        "strangers": [str(f) for f in found.strangers],
        "again": [str(f) for f in found.again],
        "comparable": [g for g in groups if own and not groups[g]["missing"]],
        "groups": groups,
    }


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"sprites, version {document['version']}, {document['videos']} of {document['prompts']} prompts"
    yield ""
    yield f"{'':9}  mean %  95 % interval  all right %  95 % interval     n  relative to real clips %: mean, all right"
    for group, row in document["groups"].items():
        line = f"{group:9}"
        for name, wide in (("mean", 6), ("all_right", 11)):
            low, high = (f"{100 * x:.1f}" for x in row[name]["interval"])
            line += f"  {100 * row[name]['accuracy']:{wide}.1f}  {low:>5} - {high:>5}"
        relative = row.get("relative")
        said = f"{100 * relative['mean']:.1f}, {100 * relative['all_right']:.1f}" if relative else "--"
        yield f"{line}  {row['clips']:4d}  {said}"
    yield ""
    yield f"protocol {document['sha256'][:12]}, judge {document['judge']['sha256'][:12]}"
    if not document["judge"]["own"]:
        yield "note: another judge than the benchmark's own; not to be compared with other results"
    for group, row in document["groups"].items():
        if row["missing"]:
            yield f"note: {row['missing']} prompts of the group {group} have no video; a result to be compared has all"
    for name, what in (("broken", "cannot be read"), ("strangers", "answer no prompt"), ("again", "came second")):
        if document[name]:
            yield f"note: {len(document[name])} videos {what}, such as {document[name][0]}"


# -- how the list was made -------------------------------------------------------------------------------------


def draw_prompts(each: int = EACH) -> list[Prompt]:
    """The prompts of all groups, in order."""
    import numpy as np

    from storyreel.worlds import sprites_language
    from storyreel.worlds.sprites_captions import Mix, caption

    drawn: list[Prompt] = []
    for group in GROUPS[:-1]:
        for index in range(each):
            seen = character(Prompt(0, "", group, {}, (SEED, index))).attributes
            rng = np.random.default_rng([SEED, index, GROUPS.index(group)])
            if group == "plain":
                text, told = sprites_language.caption(seen, rng, full=True)
            else:
                text, told, _ = caption(seen, rng, full=True, phrasing=group, mix=Mix(typos=0.0))
            drawn.append(Prompt(len(drawn), text, group, {name: seen[name] for name in told}, (SEED, index)))
    for number, line in enumerate(NATURAL.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        drawn.append(Prompt(len(drawn), row["prompt"], "natural", row["attributes"], (SEED, number)))
    return drawn


def character(prompt: Prompt) -> Character:
    """Somebody whom the prompt describes: its own character, or one drawn until all that it says is true."""
    import numpy as np

    from storyreel.worlds.sprites import held_out
    from storyreel.worlds.sprites_balance import draw_balanced, shipped_weights

    rng = np.random.default_rng(list(prompt.source))
    weights = None
    if prompt.group == "natural":
        forced = {name: {value: 1e6} for name, value in prompt.wanted.items() if value}
        weights = {name: own | forced.get(name, {}) for name, own in shipped_weights().items()}
    for _ in range(20_000):
        who = draw_balanced(rng, weights)
        if prompt.group == "natural":
            if all(who.attributes.get(name) == value for name, value in prompt.wanted.items()):
                return who
        elif held_out(who.attributes):
            return who
    raise ValueError(f"{prompt.prompt!r}: no character of the world is all of {prompt.wanted}")


def real_clip(prompt: Prompt, source: Path | None) -> Clip:
    """A clip of the world of which the prompt is true: what a model cannot do better than. Needs the sheets."""
    from storyreel.worlds.sprites import Sprites

    if source is None:
        raise ValueError("sprites: real clips are drawn from the LPC sheets; name their folder with --source")
    return Sprites(source=source).clip_of(character(prompt), prompt.prompt)


def write_prompts(source: Path, path: Path = FILE) -> Path:
    """Write the list that ships, with what the judge says of real clips of its prompts."""
    from storyreel.evaluate.judge_folder import find_judge
    from storyreel.evaluate.judges import load_judge
    from storyreel.storage import digest_of, replacing

    reader, drawn, real = load_judge(JUDGE), draw_prompts(), {}
    for group in GROUPS:
        mine = [p for p in drawn if p.group == group]
        metric = AttributeAccuracy(reader.attributes)
        for prompt, seen in zip(mine, reader.read([real_clip(p, source) for p in mine]), strict=True):
            metric.update((seen, labels(prompt.wanted)))
        found = metric.compute()
        real[group] = {"mean": round(found.mean, 5), "all_right": round(found.all_right.accuracy, 5)}
    protocol = {
        "benchmark": "sprites",
        "version": 1,
        "seed": SEED,
        "prompts_a_group": EACH,
        "judge": JUDGE,
        "judge_sha256": digest_of(find_judge(JUDGE) / "model.safetensors"),
        "right": "the judge sees what the prompt says, of what the judge reads",
        "real": real,
    }
    with replacing(path) as (made,):
        made.write_text(to_text(protocol, drawn), encoding="utf-8")
    return path


if __name__ == "__main__":
    import sys

    print(write_prompts(Path(sys.argv[1])))
