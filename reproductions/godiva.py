"""GODIVA's claims: the ablation of Table 1, and the held-out captions of Figure 4. What is finished is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reproductions import ablation
from reproductions.ablation import NAMES, RECIPE, Variant
from reproductions.cached_clips import make_once
from reproductions.claims import Todo, run_claims
from reproductions.godiva_report import report
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.encoder import TextVideoEncoder
from storyreel.evaluate.benchmarks import moving_digits
from storyreel.evaluate.benchmarks.prompt_list import Prompt
from storyreel.evaluate.interval import mean_of
from storyreel.evaluate.locator import Locator
from storyreel.generate.model import Model, load
from storyreel.options.generation import GenerateOptions

CLAIMS = ("ablation", "figure4")
UNRANKED = "candidates are not ranked"
FIGURE4 = (
    ("Digit 9 is moving down then up.", {"digits": [9], "motions": ["down then up"]}),
    (
        "Digit 7 moves right then left while digit 3 moves down then up.",
        {"digits": [7, 3], "motions": ["right then left", "down then up"]},
    ),
)


@dataclass(frozen=True)
class Size:
    """How large it is: clips to train on, prompts a group, candidates, seeds of Figure 4."""

    clips: int = 8000
    each: int = 25
    candidates: int = 32
    seeds: int = 3

    @classmethod
    def of(cls, settings: Settings) -> Size:
        size = cls(clips=48, each=1, candidates=2, seeds=1) if settings.quick else cls()
        return replace(size, each=settings.count) if settings.count else size


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    ValueError for an unknown claim, or a folder of other results.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    """How to measure each, and what the result depends on."""
    measures = {"ablation": measure_ablation, "figure4": measure_figure4}
    conditions = _conditions(settings)
    return {name: (partial(measures[name], settings), conditions) for name in claims}


def measure_ablation(settings: Settings) -> dict[str, Any]:
    """Train the five, measure them and the ranking; a JSON document with the verdict."""
    size, judge, encoder = (
        Size.of(settings),
        Locator.load(settings.judges.get("digits", "digits")),
        settings.find_encoder(UNRANKED),
    )
    prompts = _some_prompts(size.each)
    real = [moving_digits.real_clip(p) for p in prompts]
    rows: dict[str, Any] = {}
    trained, made = _train(settings), {}
    for name in NAMES:
        one, model = trained[name].variant, trained[name].model
        made[name] = _clips(settings, model, prompts, name, {})
        rows[name] = _row(judge, made[name], prompts) | _fit(encoder, made[name], real)
        rows[name] |= {"layers": one.layers, "steps": one.steps, "flops": one.flops * one.steps}
        rows[name] |= _losses(model, real, prompts)
        settings.tell(f"ablation: {NAMES[name]}: {100 * rows[name]['right']['accuracy']:.1f} % right")
    if encoder is not None:
        more = {"candidates": size.candidates, "encoder": settings.encoder}
        made["ranked"] = _clips(settings, trained["full"].model, prompts, f"ranked-{encoder.digest[:8]}", more)
        rows["ranked"] = _row(judge, made["ranked"], prompts) | _fit(encoder, made["ranked"], real)
    words = NAMES | {"ranked": f"full, best of {size.candidates}"}
    shown = [(f"{words[name]}: {prompts[i].prompt}", clips[i]) for i in _shown(prompts) for name, clips in made.items()]
    write_sheet(settings.out / "ablation.png", shown, side=64)
    return {
        "recipe": settings.recipe or RECIPE,
        "prompts": len(prompts),
        "candidates": size.candidates,
        "encoder": None if encoder is None else {"name": encoder.name, "digest": encoder.digest},
        "rows": rows,
        **_verdict(rows),
        "commands": [each.command for each in trained.values()],
        "pictures": ["ablation.png"],
    }


def measure_figure4(settings: Settings) -> dict[str, Any]:
    """The two captions of Figure 4, whose combinations training never had: pictures, and what the judge says."""
    size, judge, encoder = (
        Size.of(settings),
        Locator.load(settings.judges.get("digits", "digits")),
        settings.find_encoder(UNRANKED),
    )
    model = _train(settings, only="full")["full"].model
    groups = ("single, held out", "double, held out")
    prompts = [Prompt(i, words, groups[i], expected) for i, (words, expected) in enumerate(FIGURE4)]
    rows, found = [], []
    tried: dict[str, Any] = {"first": {}}
    if encoder is not None:
        tried["best"] = {"candidates": size.candidates, "encoder": settings.encoder}
    for seed in range(settings.seed, settings.seed + size.seeds):
        for prompt in prompts:
            for which, more in tried.items():
                name = f"{prompt.name}-{seed}-{which if encoder is None or not more else encoder.digest[:8]}.mkv"
                clip = make_once(
                    model,
                    GenerateOptions(prompt=prompt.prompt, as_written=True, **more),
                    seed,
                    settings.out / "figure4" / name,
                )
                verdict = next(iter(moving_digits.judge_clips(judge, [(prompt, clip)])))
                entry = {"prompt": prompt.prompt, "seed": seed, "which": which, "seen": verdict.seen}
                found.append(entry | {name: getattr(verdict, name) for name in ("right", "digits", "motions")})
                word = "first video" if which == "first" else f"best of {size.candidates}"
                rows.append((f"{prompt.prompt} ({word}, seed {seed})", clip))
    write_sheet(settings.out / "figure4.png", rows, frames=10, side=64)
    return {
        "recipe": settings.recipe or RECIPE,
        "candidates": size.candidates,
        "clips": found,
        "pictures": ["figure4.png"],
    }


@dataclass(frozen=True)
class Trained:
    """One of the five, and what to type for it."""

    variant: Variant
    model: Model
    command: str


def _train(settings: Settings, only: str | None = None) -> dict[str, Trained]:
    """Trained, each from where it stands; the full one first, whose tokenizer the others take."""
    recipe, size = settings.recipe or RECIPE, Size.of(settings)
    folder = settings.out / "ablation"
    steps = settings.steps or ablation.steps_for(
        recipe, settings.minutes, folder / f"steps-{recipe}-{settings.minutes:g}.txt"
    )
    usual = ablation.resolve(recipe, ()).stages["tokenizer"].steps
    tokenizer = min(usual, steps) if settings.quick or settings.steps else usual
    data = ablation.make_data(settings, recipe, size.clips)
    chosen = {n: v for n, v in ablation.variants(recipe, steps, tokenizer).items() if only in (None, n)}
    runs = {n: folder / f"{data.path.name}-{recipe}-{steps}-{n}" for n in NAMES}
    found = {}
    for name, one in chosen.items():
        settings.tell(f"ablation: training {NAMES[name]}, layers {one.layers}, {one.steps} steps")
        path = ablation.train(recipe, one, data, runs[name], runs["full"])
        found[name] = Trained(one, load(path), one.command(recipe, data.path, runs[name]))
    return found


def _clips(settings: Settings, model: Model, prompts: Sequence[Prompt], name: str, more: dict[str, Any]) -> list[Clip]:
    """A video of each prompt, with `more` settings; those that are there are not made again."""
    from storyreel.data.parallel import progress

    made, folder = [], settings.out / "ablation" / "clips" / name
    with progress(f"making videos, {name}", len(prompts)) as advance:
        for prompt in prompts:
            made.append(
                make_once(
                    model,
                    GenerateOptions(prompt=prompt.prompt, as_written=True, **more),
                    settings.seed,
                    folder / f"{prompt.name}.mkv",
                )
            )  # pyright: ignore[reportArgumentType]
            advance(1)
    return made


def _row(judge: Locator, clips: Sequence[Clip], prompts: Sequence[Prompt]) -> dict[str, Any]:
    shares = moving_digits.score(moving_digits.judge_clips(judge, zip(prompts, clips, strict=True)))
    groups = {group: moving_digits.share_json(row["right"]) for group, row in shares.items() if group != "all"}
    return {n: moving_digits.share_json(shares["all"][n]) for n in ("right", "digits", "motions")} | {"groups": groups}


def _fit(encoder: TextVideoEncoder | None, clips: Sequence[Clip], real: Sequence[Clip]) -> dict[str, Any]:
    """SIM, and RM as the mean of the ratios, of the in-domain encoder; {} without one."""
    if encoder is None:
        return {}
    from storyreel.encoder import as_frames
    from storyreel.evaluate.clipsim import LEAST_REAL, clipsim

    def each(some: Sequence[Clip]) -> list[float]:
        texts = encoder.text_embeddings([clip.caption for clip in real])
        frames = [encoder.frame_embeddings(as_frames(clip)[None]) for clip in some]
        return [float(clipsim(f, t[None])[0]) for f, t in zip(frames, texts, strict=True)]

    ours, theirs = each(clips), each(real)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b > LEAST_REAL]
    return {"sim": mean_of(ours).as_json(), "rm": mean_of(ratios).as_json(), "sim_real": mean_of(theirs).as_json()}


def _losses(model: Model, real: Sequence[Clip], prompts: Sequence[Prompt]) -> dict[str, Any]:
    values = ablation.losses(model, real)
    held = [v for v, p in zip(values, prompts, strict=True) if "held out" in p.group]
    seen = [v for v, p in zip(values, prompts, strict=True) if "held out" not in p.group]
    return {"loss_held_out": mean_of(held).as_json(), "loss_seen": mean_of(seen).as_json()}


def _verdict(rows: dict[str, Any]) -> dict[str, Any]:
    """Whether the full model is the best of the five, by both measures, and whether ranking makes it better still."""
    others = [row for name, row in rows.items() if name not in ("full", "ranked")]
    full, ranked = rows["full"], rows.get("ranked")
    best = {
        "right": all(full["right"]["accuracy"] > row["right"]["accuracy"] for row in others),
        "loss": all(full["loss_held_out"]["value"] < row["loss_held_out"]["value"] for row in others),
        "ranked": None if ranked is None else bool(ranked["right"]["accuracy"] > full["right"]["accuracy"]),
    }
    return {"best": best, "holds": None if ranked is None else bool(best["right"] and best["ranked"])}


def _some_prompts(each: int) -> list[Prompt]:
    """The first so many of each group of the benchmark."""
    prompts = moving_digits.prompts().prompts
    return [p for group in moving_digits.GROUPS for p in [q for q in prompts if q.group == group][:each]]


def _shown(prompts: Sequence[Prompt]) -> list[int]:
    """One prompt with one digit, one with two, held-out both."""
    groups = [p.group for p in prompts]
    return [groups.index("single, held out"), groups.index("double, held out")]


def _conditions(settings: Settings) -> dict[str, Any]:
    """What a result depends on."""
    encoder = settings.find_encoder(UNRANKED)
    how = settings.how | settings.training | {"recipe": settings.recipe or RECIPE}
    return how | {"judge": settings.judge_digest("digits"), "encoder": encoder.digest if encoder else ""}
