"""results.md of Phenaki's reproduction: a table a claim, with n, 95 % intervals and the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from reproductions.report import NOTHING, Part, commands, done, holds, number, why_not
from reproductions.settings import WORLDS

PHRASED = {"training": "worded by the grammar of training captions", "held-out": "in words and forms never trained on"}


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = [
        "# What Phenaki claims for itself, at small scale",
        "",
        "Intervals are 95 %: Wilson for shares of right answers, else by resampling. `--`: not measured.",
        "",
        "| claim | measured | holds |",
        "|---|---|---|",
        *_summary(parts),
    ]
    lines += ["", *_tokens(parts.get("tokens"))]
    lines += ["", *_story(parts.get("story"))]
    lines += ["", "## (c) New combinations", *_by_world(parts, "combinations", _combinations)]
    lines += ["", "## What the tokenizer alone leaves", *_by_world(parts, "reconstruction", _reconstruction)]
    return lines


def _summary(parts: dict[str, Part]) -> Iterator[str]:
    a, b = parts.get("tokens"), parts.get("story")
    cell = NOTHING
    if done(a):
        gain = number(a["psnr_gain"], "dB")
        cell = f"{100 * a['tokens_saved']:.0f} % fewer tokens; PSNR less that of per-frame coding {gain}"
    yield f"| (a) C-ViViT spends at least 40 % fewer tokens at equal or better reconstruction | {cell} | {holds(a)} |"
    cell = NOTHING
    if done(b):
        judged, seams = b["parts_judged"], b["seams"]
        mean = number(judged["parts"]["mean"], percent=True) if judged else NOTHING
        cell = f"attributes of parts right {mean}; joints inside parts {number(seams['ratio_same_phase'])} times the "
        cell += f"steps at the same place of the cycle, {number(seams['ratio'])} times all ordinary steps"
    yield f"| (b) a story of a minute: parts follow their prompts, no jump at the seams | {cell} | {holds(b)} |"
    for world in WORLDS:
        c, cell = parts.get(f"combinations-{world}"), NOTHING
        if done(c):
            right = number(c["held_out"]["mean"], percent=True)
            cell = f"held-out {right}, seen {number(c['train']['mean'], percent=True)}; {_whole(c)}"
        yield f"| (c) new combinations come out right, {world} | {cell} | {holds(c)} |"
    for phrasing, word in PHRASED.items():
        c = parts.get(f"combinations-sprites-{phrasing}")
        if done(c):
            cell = f"held-out {number(c['held_out']['mean'], percent=True)}; {_whole(c)}"
            yield f"| (c) the same, {word}, sprites | {cell} | {holds(c)} |"
    for world in WORLDS:
        d, cell = parts.get(f"reconstruction-{world}"), NOTHING
        if done(d):
            cell = f"{number(d['reconstructed']['mean'], percent=True)}, PSNR {number(d['psnr'], 'dB')}"
            cell += f"; the clips themselves {number(d['real']['mean'], percent=True)}"
        yield f"| what the tokenizer alone leaves is still right, {world} | {cell} | {holds(d)} |"


def _whole(part: Part) -> str:
    """All attributes right, and accuracy relative to real clips, of held-out prompts."""
    cell = f"all attributes right {number(part['held_out'].get('all_right'), percent=True)}"
    relative = part.get("held_out_relative")
    return f"{cell}; relative to real clips {number(relative['mean'], percent=True)}" if relative else cell


def _tokens(part: Part | None) -> Iterator[str]:
    yield "## (a) Tokens"
    yield ""
    if not done(part):
        yield why_not(part)
        return
    rows = part["codings"]
    yield (
        f"`{part['recipe']}`'s tokenizer on the world {part['world']}: the same network and quantiser, fed clips or "
        f"single frames, {part['steps']} steps each; measured on clips of combinations held out from training."
    )
    yield ""
    yield "| coding | tokens a clip | bits a clip | trained with | PSNR, dB | judge right on what is left | n |"
    yield "|---|---|---|---|---|---|---|"
    for name, word in (("clips", "C-ViViT"), ("frames", "per frame")):
        row = rows[name]
        judged = number((row["judged"] or {}).get("mean"), percent=True)
        yield (
            f"| {word} | {row['tokens']} ({row['frames']} frames) | {row['bits']} | {row['flops']:.4g} FLOP | "
            f"{number(row['psnr'])} | {judged} | {row['psnr']['n']} |"
        )
    real = number((rows["clips"]["judged_real"] or {}).get("mean"), percent=True)
    yield ""
    yield (
        f"C-ViViT spends {100 * part['tokens_saved']:.1f} % fewer tokens; its PSNR differs by "
        f"{number(part['psnr_gain'], 'dB')} from that of per-frame coding, clip by clip. The judge is right on {real} "
        "of the clips themselves. The claim holds when 40 % are saved and the PSNR is not lower by 0.1 dB."
    )
    yield from commands(part)


def _story(part: Part | None) -> Iterator[str]:
    yield "## (b) A story of a minute"
    yield ""
    if not done(part):
        yield why_not(part)
        return
    yield (
        f"`{part['model']['name']}` (digest {part['model']['digest'][:12]}): {part['stories']} stories of "
        f"{part['parts']} parts, {part['frames']} frames each, made in {part['clips']} clips."
    )
    yield ""
    yield "| what | measured | n |"
    yield "|---|---|---|"
    judged = part["parts_judged"]
    if judged:
        for name, share in judged["parts"]["attributes"].items():
            if share["n"]:
                yield f"| {name} as told, by part | {number(share, percent=True)} | {share['n']} parts |"
        mean = judged["parts"]["mean"]
        yield f"| mean of attributes, by part | {number(mean, percent=True)} | {part['stories']} stories |"
        if part.get("parts_real"):
            acted = part["parts_real"]["parts"]
            for name, share in (("action", acted["attributes"]["action"]), ("mean of attributes", acted["mean"])):
                yield f"| {name}, real sprites read in the same way | {number(share, percent=True)} | |"
        for name, word in (("first_third", "first third of the minute"), ("last_third", "last third")):
            yield f"| all attributes, {word} | {number(judged[name], percent=True)} | {judged[name]['n']} answers |"
    else:
        yield f"| attributes of the parts | {NOTHING} | |"
    yield from _seams("", part["seams"])
    if part["seams_real"]:
        yield from _seams(", real sprites cut in the same way", part["seams_real"])
        cut = part["boundary_to_real"]
        yield f"| step at a boundary / that of the real sprite | {number(cut)} | {cut['n']} boundaries |"
    yield ""
    yield (
        "Steps are mean absolute differences of a frame and the one before, 0 to 255, over all pixels; n of ratios are "
        "parts. *Same place*: ordinary steps of the part at the same place of the action's cycle, since an action has "
        "large and small steps of its own. A boundary turns the character or changes the action, which is a jump in "
        "itself. The claim holds when 90 % of attributes are as told and the ratio at the same place is not above 1, "
        "or not by more than its interval."
    )
    yield from commands(part)


def _seams(of: str, seams: dict[str, Any]) -> Iterator[str]:
    beyond = seams["beyond"]
    rows = (
        ("ordinary step", seams["ordinary"], f"largest {seams['largest_ordinary']:.1f}"),
        ("step at a joint inside a part", seams["joint"], f"largest {seams['largest_joint']:.1f}"),
        ("joint / ordinary step of its part", seams["ratio"], ""),
        ("joint / ordinary step, same place", seams["ratio_same_phase"], ""),
        ("step at a boundary", seams["boundary"], f"largest {seams['largest_boundary']:.1f}"),
        ("boundary / ordinary step", seams["boundary_ratio"], ""),
    )
    for name, measured, more in rows:
        yield f"| {name}{of} | {number(measured)}{'; ' + more if more else ''} | {measured['n']} |"
    share = number(beyond, percent=True)
    yield f"| joints above every ordinary step of their part{of} | {share} | {beyond['n']} joints |"


def _by_world(parts: dict[str, Part], claim: str, table: Callable[[Part], Iterator[str]]) -> Iterator[str]:
    """The parts of a claim that is measured in each world."""
    for world in WORLDS:
        part = parts.get(f"{claim}-{world}")
        yield ""
        if not done(part):
            yield f"`{world}`: {why_not(part)}"
            continue
        yield from table(part)
    for phrasing in PHRASED:
        if done(part := parts.get(f"{claim}-sprites-{phrasing}")):
            yield ""
            yield from table(part)


def _combinations(part: Part) -> Iterator[str]:
    words = f", {word}" if (word := PHRASED.get(part.get("phrasing", ""))) else ""
    yield f"`{part['model']['name']}` (digest {part['model']['digest'][:12]}), {part['n']} prompts each{words}."
    yield ""
    real = "held_out_real" in part
    yield f"| attribute | held-out | n | seen | n |{' real clips, held-out |' if real else ''}"
    yield f"|---|---|---|---|---|{'---|' if real else ''}"
    for name, share in part["held_out"]["attributes"].items():
        other = part["train"]["attributes"][name]
        if share["n"] or other["n"]:
            row = f"| {name} | {number(share if share['n'] else None, percent=True)} | {share['n']} "
            row += f"| {number(other if other['n'] else None, percent=True)} | {other['n']} |"
            own = part["held_out_real"]["attributes"][name] if real else None
            yield row + (f" {number(own, percent=True)} |" if real else "")
    row = f"| mean | {number(part['held_out']['mean'], percent=True)} | {part['n']} clips "
    row += f"| {number(part['train']['mean'], percent=True)} | {part['n']} clips |"
    yield row + (f" {number(part['held_out_real']['mean'], percent=True)} |" if real else "")
    yield from _beside_the_mean(part, real)
    yield ""
    yield f"Held-out less seen: {number(part['gap'], percent=True)}. The claim holds at 90 % on held-out prompts."
    yield from commands(part)


def _beside_the_mean(part: Part, real: bool) -> Iterator[str]:
    """Rows: clips with all attributes right; and accuracy as a share of that on real clips of the same prompts."""
    whole, seen = part["held_out"].get("all_right"), part["train"].get("all_right")
    if whole and seen:
        row = f"| all attributes right | {number(whole, percent=True)} | {whole['n']} clips "
        row += f"| {number(seen, percent=True)} | {seen['n']} clips |"
        yield row + (f" {number(part['held_out_real']['all_right'], percent=True)} |" if real else "")
    for name, word in (("mean", "mean"), ("all_right", "all attributes right")):
        ours, other = ((part.get(f"{split}_relative") or {}).get(name) for split in ("held_out", "train"))
        if ours:
            row = f"| {word}, relative to real clips | {number(ours, percent=True)} | {ours['n']} clips "
            row += f"| {number(other, percent=True)} | {other['n'] if other else NOTHING} clips |"
            yield row + (f" {NOTHING} |" if real else "")


def _reconstruction(part: Part) -> Iterator[str]:
    yield f"The tokenizer of `{part['model']['name']}`, {part['n']} real clips of held-out combinations."
    yield ""
    yield "| attribute | reconstructed | the clips themselves | n |"
    yield "|---|---|---|---|"
    for name, share in part["reconstructed"]["attributes"].items():
        if share["n"]:
            own = number(part["real"]["attributes"][name], percent=True)
            yield f"| {name} | {number(share, percent=True)} | {own} | {share['n']} |"
    own = number(part["real"]["mean"], percent=True)
    yield f"| mean | {number(part['reconstructed']['mean'], percent=True)} | {own} | {part['n']} clips |"
    if whole := part["reconstructed"].get("all_right"):
        own = number(part["real"].get("all_right"), percent=True)
        yield f"| all attributes right | {number(whole, percent=True)} | {own} | {whole['n']} clips |"
    yield ""
    yield f"PSNR {number(part['psnr'], 'dB')}. Enough is left at 97 %."
    yield from commands(part)
