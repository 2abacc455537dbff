"""results.md of the curation's reproduction: the filters against the truth, and what a model learns from each set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.curation_sets import ARMS
from reproductions.report import NOTHING, Part, commands, done, number, pictures, why_not, yes_or_no


def verdict(parts: dict[str, Part]) -> dict[str, Any]:
    """Whether curated beats random by each measure, and surely so (their intervals do not overlap); None: unknown.

    The claim holds where it is better by all that were measured.
    """
    curated, random = parts.get("arm-curated"), parts.get("arm-random")
    found: dict[str, Any] = {"better": {}, "surely": {}}
    if curated is not None and random is not None and curated["asked"] == random["asked"]:
        for name, key, up in (("mean", "accuracy", True), ("frechet", "value", False), ("cut", "accuracy", False)):
            ours, theirs = curated.get(name), random.get(name)
            if not ours or not theirs or ours[key] is None or theirs[key] is None:
                continue
            sign = 1 if up else -1
            found["better"][name] = sign * ours[key] > sign * theirs[key]
            if ours.get("interval") and theirs.get("interval"):
                apart = (
                    ours["interval"][0] > theirs["interval"][1] if up else ours["interval"][1] < theirs["interval"][0]
                )
                found["surely"][name] = bool(apart)
    return found | {"holds": all(found["better"].values()) if found["better"] else None}


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts = results["parts"]
    lines = ["# What Stable Video Diffusion claims for its curation, at small scale", ""]
    lines += ["Intervals are 95 %: Wilson for shares, else by resampling or linearised. `--`: not measured.", ""]
    return [*lines, *_filters(parts.get("filters")), "", *_training(parts, results.get("verdict") or verdict(parts))]


def _filters(part: Part | None) -> Iterator[str]:
    yield "## The filters against the truth"
    yield ""
    if not done(part):
        yield why_not(part)
        return
    limits = part["thresholds"]
    fit = limits.get("similarity", {}).get("min")
    yield (
        f"{part['films']} films, {part['shots']} shots; `storyreel curate` found {part['spans']} spans and kept "
        f"{part['kept']}. Defaults, but for two limits that 95 % of clean clips of another seed pass: text.max "
        f"{limits['text']['max']}, similarity.min {NOTHING if fit is None else fit}."
    )
    yield ""
    yield "| filter | recall | n | precision | n |"
    yield "|---|---|---|---|---|"
    cuts = part["cuts"]
    found = f"| {number(cuts['precision'], percent=True)} | {cuts['precision']['n']} |"
    yield f"| hard cuts, within 3 frames | {_share(cuts['recall_hard'])} {found}"
    yield f"| dissolves, within 3 frames | {_share(cuts['recall_dissolve'])} | (of all) | |"
    names = {"motion": "static", "text": "text overlays", "similarity": "wrong captions", "duplicates": "copies"}
    for name, word in names.items():
        yield f"| {word} ({name}) | {_share(part[name]['recall'])} | {_share(part[name]['precision'])} |"
    yield ""
    yield "| share of spans with | of all | n | of kept | n |"
    yield "|---|---|---|---|---|"
    for name in part["left"]:
        yield f"| {name} | {_share(part['dirt'][name])} | {_share(part['left'][name])} |"
    yield ""
    yield (
        "Similarity is that of the whole clip, without the set around it, and its caption: `storyreel curate` itself "
        "looks at three frames, which cannot show a motion. Copies count beyond the first that is there."
    )
    yield from commands(part)


def _training(parts: dict[str, Part], training: dict[str, Any]) -> Iterator[str]:
    yield "## The same model on each set"
    yield ""
    arms = {name: parts[f"arm-{name}"] for name in ARMS if f"arm-{name}" in parts}
    if not arms:
        yield "Not measured."
        return
    first, *others = arms.values()
    yield (
        f"Phenaki's prior, dim 96, 4 layers, from nothing, {first['steps']} steps of {first['batch']} clips each, on "
        f"the shipped tokenizer (frozen); then {first['mean']['n']} captions of new clean clips. Digits and motions "
        "are judged by `judge-digits`; Frechet is the distance, by `digits-v1`, from the real clips of these captions; "
        "a cut is a frame that no shift of the one before explains."
    )
    yield ""
    yield "| trained on | clips | of these cut | digits | motions | mean of attributes | Frechet | outputs with a cut |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, arm in arms.items():
        word = f"{ARMS[name]} (the same clips)" if arm.get("same") else ARMS[name]
        yield _row(word, arm, str(arm["set"]["clips"]), number(arm["set"]["cut"], percent=True))
    if real := parts.get("real"):
        yield _row("real clips through the tokenizer", real, NOTHING, NOTHING)
        yield ""
        yield (
            f"Of real clips that were cut and spliced, {number(real['spliced'], percent=True)} are found to have a cut "
            f"(n {real['spliced']['n']})."
        )
    yield ""
    words = {"mean": "attribute accuracy", "frechet": "Frechet distance", "cut": "share of outputs with a cut"}
    lines = [
        f"{word} {yes_or_no(training['better'].get(n))} (beyond both intervals: {yes_or_no(training['surely'].get(n))})"
        for n, word in words.items()
    ]
    yield f"Curated is better than four times as much uncurated: {'; '.join(lines)}."
    yield ""
    yield f"The claim, all three, holds: {yes_or_no(training['holds'])}."
    yield from commands(first)
    for arm in others:
        yield from pictures(arm)


def _row(word: str, arm: Part, clips: str, cut: str) -> str:
    judged = arm["judged"]
    cells = [word, clips, cut, *(number(judged.get(n), percent=True) for n in ("digits", "motions"))]
    cells += [number(arm["mean"], percent=True), number(arm.get("frechet")), number(arm["cut"], percent=True)]
    return f"| {' | '.join(cells)} |"


def _share(share: dict[str, Any]) -> str:
    return f"{number(share, percent=True)} | {share['n']}"
