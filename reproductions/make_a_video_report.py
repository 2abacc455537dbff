"""results.md of Make-A-Video's reproduction: a table a claim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.report import NOTHING, Part, commands, done, holds, number, why_not

TITLES = {
    "motion": "Motion is learnt from videos without captions",
    "start": "Layers in time that begin as the identity learn faster",
    "interpolation": "The learnt interpolation beats repeated frames and optical flow",
    "noise": "One noise for all frames keeps the last stage from flickering",
    "pairs": "Videos without captions do as well as videos with them",
}


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = ["# What Make-A-Video claims for itself, at small scale", ""]
    lines += ["Intervals are 95 %, by resampling. `--`: not measured.", "", "| claim | holds |", "|---|---|"]
    lines += [f"| {title} | {holds(parts.get(name))} |" for name, title in TITLES.items()]
    for name, title in TITLES.items():
        part = parts.get(name)
        lines += ["", f"## {title}", ""]
        lines += [*_table(name, part), *commands(part)] if done(part) else [why_not(part)]
    return lines


def _table(name: str, part: Part) -> Iterator[str]:
    if name == "interpolation":
        yield from (f"{part['n']} real clips; PSNR of the frames that are not known.", "", "| filled by | PSNR, dB |")
        yield "|---|---|"
        yield from (f"| {row} | {number(value)} |" for row, value in part["psnr"].items())
    elif name == "noise":
        yield from (f"{part['n']} still videos, refined; what changes from frame to frame, in grey levels.", "")
        yield from ("| frames have | change |", "|---|---|")
        yield from (f"| {row} | {number(value)} |" for row, value in part["flicker"].items())
    elif name == "start":
        yield from (f"{part['steps']} steps on the same batches; loss on clips not trained on.", "")
        steps = [step for step, _ in part["rows"]["identity"]["curve"]]
        yield f"| begins | {' | '.join(f'step {step}' for step in steps)} |"
        yield "|---" * (len(steps) + 1) + "|"
        for row, found in part["rows"].items():
            yield f"| {row} | {' | '.join(f'{loss:.4f}' for _, loss in found['curve'])} |"
    else:
        more = f", {part['steps']} steps each" if "steps" in part else ""
        yield from (
            f"{part['n']} prompts{more}. Change is in grey levels; jitter is of the motion, lower is smoother.",
            "",
        )
        yield from ("| model | fits its prompt | change from frame to frame | jitter |", "|---|---|---|---|")
        for row, found in part["rows"].items():
            fit = number(found["fit"], digits=3) if "fit" in found else NOTHING
            yield f"| {row} | {fit} | {number(found['change'])} | {number(found['jitter'])} |"
