"""What was found of Stable Video Diffusion's claims, as results.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.report import Part, commands, done, holds, number, why_not
from reproductions.svd_identity import MIN_ACTIONS, MIN_IDENTITY
from reproductions.svd_turnaround import ENOUGH as TURNED

BUCKETS = (0, 64, 127, 191, 255)
ENOUGH = 0.8  # rho that the motion bucket is to reach
TITLES = {
    "motion-text": "From a text, a video moves as much as asked",
    "motion-picture": "From a picture and a text, too",
    "motion-alone": "From a picture alone, too",
    "identity": f"A picture's character keeps {MIN_IDENTITY:.0%} of its attributes, and does what is said in "
    f"{MIN_ACTIONS:.0%}",
    "turnaround": f"A character seen from one side is turned around, {TURNED:.0%} of its attributes right",
    "guidance": "Guidance that rises with the frames beats one that is constant",
    "reuse": "The whole network at every second step alone costs no Frechet distance beyond the interval",
    "pretrained": "Pretraining on pictures beats none at equal steps",
    "curated": "Curated clips beat random ones, before and after stage III",
    "noise": "Larger frames gain more from more noise",
}


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = ["# Stable Video Diffusion's claims", ""]
    lines += ["Intervals are 95 %. A comparison holds where its whole interval lies above 0, the motion bucket's "
              f"Spearman's rho from {ENOUGH} on.", ""]  # fmt: skip
    lines += ["| claim | holds |", "|---|---|"]
    lines += [f"| {title} | {holds(parts.get(name))} |" for name, title in TITLES.items()]
    for name, title in TITLES.items():
        part = parts.get(name)
        lines += ["", f"## {title}", ""]
        if not done(part):
            lines += [why_not(part)]
            continue
        describe = next((tell for key, tell in KINDS.items() if key in part), _compared)
        lines += [*describe(part), *commands(part)]
    return lines


def _motion(part: Part) -> Iterator[str]:
    rho, within = number(part["rho"]), number({"value": part["within"]})
    yield f"{part['n']} prompts at {len(BUCKETS)} buckets. rho {rho} over all videos, {within} within a prompt."
    yield from ("", "| bucket | pixels a second |", "|---|---|")
    for bucket, speed in part["speeds"].items():
        yield f"| {bucket} | {speed:.2f} |"


def _views(part: Part) -> Iterator[str]:
    made, real = part["made"], part["real"]
    yield f"{part['n']} held-out characters, the three views of each that were not given."
    yield from ("", "| attribute | made | real drawings |", "|---|---|---|")
    yield from _rows(made, real)


def _rows(*reports: Part) -> Iterator[str]:
    """Each attribute and the mean, with a column for each report."""
    for name in reports[0]["attributes"]:
        yield "| " + " | ".join([name, *(number(each["attributes"][name], percent=True) for each in reports)]) + " |"
    yield "| " + " | ".join(["mean", *(number(each["mean"], percent=True) for each in reports)]) + " |"


def _identity(part: Part) -> Iterator[str]:
    yield f"{part['n']} held-out characters. The last frame is compared with what the judge reads of the picture."
    yield from ("", "| attribute | last frame as the picture | that of the real drawings |", "|---|---|---|")
    yield from _rows(part["kept"], part["real"])
    yield from ("", "| attribute | as the sentence says | the real drawings |", "|---|---|---|")
    yield from _rows(part["moves"], part["real_moves"])


def _compared(part: Part) -> Iterator[str]:
    steps = f", stages of {part['steps']} steps of `{part['recipe']}`" if "steps" in part else ""
    yield f"{part['n']} prompts{steps}. The judge's share of attributes that are right:"
    yield from ("", "| | attributes right |", "|---|---|")
    for name, value in part["rows"].items():
        yield f"| {name} | {number(value, percent=True)} |"
    yield from ("", "| difference | |", "|---|---|")
    for name, value in part["gaps"].items():
        yield f"| {name} | {number(value, percent=True)} |"
    if "psnr" in part:
        figures = ", ".join(f"{name} {number(value, 'dB')}" for name, value in part["psnr"].items())
        yield from ("", f"The first frame from the picture that was given: {figures}.")


def _reuse(part: Part) -> Iterator[str]:
    yield f"{part['n']} held-out prompts, one video each, before a refiner; distances from {part['against']}."
    yield from (
        "",
        "| whole network at | distance | more than at every step | PSNR to it | processor seconds a video |",
    )
    yield "|---|---|---|---|---|"
    for every, row in part["rows"].items():
        figures = (number(row["real"]), number(row["gap"]), number(row["psnr"], "dB"), number(row["seconds"]))
        yield f"| 1 of {every} steps | {' | '.join(figures)} |"


KINDS = {"reused": _reuse, "rho": _motion, "made": _views, "kept": _identity}
