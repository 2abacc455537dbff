"""results.md of Imagen Video's reproduction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.report import NOTHING, Part, commands, done, holds, number, why_not, yes_or_no


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = [
        "# What Imagen Video claims for itself, at small scale",
        "",
        "Intervals are 95 %, by resampling prompts. `--`: not measured. *FD*: Frechet distance to real clips of the "
        "same prompts in the features of the world's encoder; of few clips it is too large, for all that alike. "
        "A claim holds when its difference is beyond its interval. All prompts are of combinations that "
        "training never had.",
        "",
        *(["Made with `--quick`: a look at everything, no result.", ""] if any(map(_quick, parts.values())) else []),
        "| claim | holds |",
        "|---|---|",
    ]
    claims = {
        "prediction": "v-prediction drifts less in colour than eps, and converges faster",
        "augmentation": "noise in what super-resolution is given makes its videos better",
        "joint": "single frames beside videos make the base better",
        "distillation": "eight steps are 18 times as fast as the undistilled sampler, and within 5 % as good",
    }
    lines += [f"| {words} | {holds(parts.get(name))} |" for name, words in claims.items()]
    for name, section in SECTIONS.items():
        title, body = section
        lines += ["", f"## {title}", ""]
        part = parts.get(name)
        lines += [*body(part), *commands(part)] if done(part) else [why_not(part)]
    return lines


def _quick(part: Part) -> bool:
    return bool(part["asked"]["quick"])


def _on(part: Part) -> str:
    encoder = part.get("encoder")
    by = f" FD by the encoder {encoder['name']} (digest {encoder['digest'][:12]})." if encoder else ""
    return f"`{part['recipe']}` on the world {part['world']}, {part['steps']} steps each, {part['n']} prompts.{by}"


def _prediction(part: Part) -> Iterator[str]:
    yield (
        f"{_on(part)} Both networks learn the squared error of the noise, on the same batches and noise. *Drift*: how "
        "far the mean colour of a frame is from that of the one before, 0 to 255; of an ssr that is given real small "
        "videos, the drift of its error. *Shift*: how far the mean colour of its videos is from the real one."
    )
    yield ""
    yield "| network | drift | real clips | shift | FD | loss at the end | n |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in part["rows"].items():
        cells = [number(row[key], digits=3) for key in ("drift", "drift_real", "shift")]
        cells += [number(row["frechet"]), number(row["loss"], digits=4), str(part["n"])]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "| stage | drift, v less eps | loss, v less eps | share of the steps after which v is where eps ends |"
    yield "|---|---|---|---|"
    for name, gap in part["gaps"].items():
        share = "never" if gap["reached"] is None else f"{gap['reached']:.2f}"
        yield f"| {name} | {number(gap['drift'], digits=3)} | {number(gap['loss'], digits=4)} | {share} |"
    yield ""
    yield f"The claim holds: {holds(part)}."


def _augmentation(part: Part) -> Iterator[str]:
    yield (
        f"{_on(part)} The first ssr, trained on noised videos or on clean ones, refines what base and tsr1 make, and "
        "real videos made small."
    )
    yield ""
    yield "| trained on | sampled with | FD, of made | attributes right | FD, of real | PSNR, of real | n |"
    yield "|---|---|---|---|---|---|---|"
    words = {"noise": "noised", "silent": "noised", "clean": "clean"}
    for name, row in part["rows"].items():
        snr = f"SNR {row['snr']:g}" if row["snr"] else "no noise"
        cells = [words[name], snr, number(row["frechet"]), number(row["judged"], percent=True)]
        cells += [number(row["frechet_real"]), number(row["psnr_real"], "dB"), str(part["n"])]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"FD of made videos, with noise less without: {number(part['gap'])}. The claim holds: {holds(part)}."


def _joint(part: Part) -> Iterator[str]:
    yield f"{_on(part)} The base alone, trained on batches of as many items."
    yield ""
    yield "| share of single frames | FD | attributes right | n |"
    yield "|---|---|---|---|"
    for row in part["rows"].values():
        right = number(row["judged"], percent=True)
        yield f"| {100 * row['images']:g} % | {number(row['frechet'])} | {right} | {part['n']} |"
    yield ""
    yield f"FD, with images less without: {number(part['gap'])}. The claim holds: {holds(part)}."


def _whose(part: Part) -> str:
    if not part["models"]:
        on = f"`{part['recipe']}` on the world {part['world']}, {part['steps']} steps each"
        return f"A cascade of three small stages, {on}."
    lines = [
        f"`{name}` (digest {model['digest'][:12]}"
        + (f", distilled to {model['distilled']} steps)" if model["distilled"] else ")")
        for name, model in part["models"].items()
    ]
    return f"The whole cascade of {' and '.join(lines)}."


def _distillation(part: Part) -> Iterator[str]:
    yield (
        f"{_whose(part)} {part['n']} prompts. The first row has the undistilled step counts of the paper, of the base "
        "and of the others, with the two passes of guidance one after the other. Seconds are of one video, alone, the "
        "median; all samplers in turn in one run."
    )
    yield ""
    yield "| network, sampler | steps | network calls | FD | attributes right | n | seconds | timed | times as fast |"
    yield "|---|---|---|---|---|---|---|---|---|"
    slow = (part["rows"].get("paper") or {}).get("seconds", {}).get("value")
    for row in part["rows"].values():
        seconds, steps = row["seconds"]["value"], "/".join(map(str, dict.fromkeys(row["steps"])))
        times = NOTHING if slow is None or not seconds else f"{slow / seconds:.1f}"
        cells = [f"{row['network']}, {row['sampler']}", steps, str(row["asks"]), number(row["frechet"])]
        cells += [number(row["judged"], percent=True), str(part["n"]), f"{seconds:.3g}", str(row["seconds"]["n"])]
        yield f"| {' | '.join([*cells, times])} |"
    yield ""
    if part["faster"] is not None:
        yield (
            f"`{part['of']}` is {part['faster']:.1f} times as fast as the paper's counts; within 5 % as good: "
            f"{yes_or_no(part['as_good'])}. The claim holds: {holds(part)}."
        )


def _stages(part: Part) -> Iterator[str]:
    yield f"{_whose(part)} What each stage makes of what the one before made: {', '.join(part['shapes'])}."


SECTIONS = {
    "prediction": ("v against eps", _prediction),
    "augmentation": ("Noise augmentation", _augmentation),
    "joint": ("Images beside videos", _joint),
    "distillation": ("Samplers and distillation", _distillation),
    "stages": ("The cascade, stage by stage", _stages),
}
