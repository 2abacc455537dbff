"""The distillation table, sampler by sampler: how good, and how long; and what each stage of a cascade makes.

The cascade is a trained model where one is given (`--model`), else the small one of three stages. The undistilled
paper counts are 256 steps of the base and 128 of every other stage, ancestral, each with the two passes of guidance
one after the other. Every sampler makes videos of the same prompts and seeds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproductions.imagen_video_claims import Bench
from reproductions.imagen_video_sampling import Examined, Row, frechet
from reproductions.imagen_video_training import PREFIX, Size
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.generate.model import load
from storyreel.storage import replacing
from storyreel.systems.base import TextEncoder
from storyreel.systems.imagen_video import ImagenVideo, ImagenVideoStage

FASTER, WITHIN = 18.0, 0.05  # times, against the undistilled paper counts; and how much worse it may be


@dataclass(frozen=True)
class Way:
    """One row of the table. steps: of the base, and of the others. two_passes: of guidance, not in one batch."""

    name: str
    row: Row
    sampler: str
    steps: tuple[int, int]
    made_by: str  # digest of the model
    two_passes: bool = False

    @property
    def network(self) -> str:
        distill = next(iter(self.row.values())).config.distill
        return f"distilled to {distill.final}" if distill.on else "undistilled"

    @property
    def asks(self) -> int:
        """How often a network is asked for one video."""
        evaluations = 0
        for i, stage in enumerate(self.row.values()):
            passes = 1 if stage.config.distill.on or stage.sampling.guidance == 1 else 2
            evaluations += passes * self.steps[i > 0]
        return evaluations

    def sampled(self) -> ExitStack:
        """While it is open, the stages are sampled in this way."""
        stack = ExitStack()
        for stage in self.row.values():
            stack.enter_context(_sampled(stage, self.sampler, self.two_passes))
        return stack

    def make(self, examined: Examined, text: TextEncoder) -> Tensor:
        with self.sampled():
            return examined.make(self.row, text, steps=self.steps, what=self.name)


@dataclass(frozen=True)
class Trained:
    """The cascades: undistilled, and distilled to so many steps; their digests, by steps, 0 for the undistilled; by
    whom they were made; the prompts, and real clips of the last size."""

    whole: Row | None
    distilled: Mapping[int, Row]
    digests: Mapping[int, str]
    facts: dict[str, Any]
    examined: Examined
    text: TextEncoder
    real: Tensor | None


def measure_distillation(settings: Settings) -> dict[str, Any]:
    """Every sampler's Frechet distance, attributes, network calls and seconds a video."""
    trained, size = cascades(settings, distilled=True), Size.of(settings)
    examined = replace(trained.examined, cases=trained.examined.cases[: size.table])
    trained = replace(trained, examined=examined, real=None if trained.real is None else trained.real[: size.table])
    rows: dict[str, Any] = {}
    last = next(iter([trained.whole, *trained.distilled.values()]))
    assert last is not None
    fps = list(last.values())[-1].shape.fps
    seen = trained.examined.features(trained.real, fps)
    found = {way.name: way for way in ways(trained, size)}
    for name, way in found.items():
        videos = _cached(settings.out / "distillation" / f"{way.made_by[:12]}-{name}.npz", way, trained)
        rows[name] = {
            "network": way.network,
            "sampler": way.sampler,
            "steps": list(way.steps),
            "asks": way.asks,
            "frechet": frechet(trained.examined.features(videos, fps), seen),
            "judged": trained.examined.judged(videos, fps),
        }
        settings.tell(f"distillation: {name}, {way.asks} network calls a video, done")
    for name, seconds in timed(found, trained, size.rounds).items():
        rows[name]["seconds"] = {"value": round(statistics.median(seconds), 4), "interval": None, "n": len(seconds)}
    return {**trained.facts, "n": len(trained.examined.cases), "rows": rows, **verdict(rows)}


def measure_stages(settings: Settings) -> dict[str, Any]:
    """What each stage makes of a few prompts: a picture, and for each stage what the next is given."""
    trained, size = cascades(settings, distilled=False), Size.of(settings)
    row = trained.whole or next(iter(trained.distilled.values()))
    few = replace(trained.examined, cases=trained.examined.cases[: size.shown])
    shown: list[list[Any]] = [[] for _ in few.cases]
    video, shapes = None, {}
    for name, stage in row.items():
        video = few.make({name: stage}, trained.text, low=video, what=name)
        shapes[name] = str(stage.shape)
        for lines, clip, prompt in zip(shown, few.clips(video, stage.shape.fps), few.prompts, strict=True):
            lines.append((f"{prompt} {name}: {stage.shape}" if not lines else f"{name}: {stage.shape}", clip))
    write_sheet(settings.out / "stages.png", [line for lines in shown for line in lines], side=96)
    return {**trained.facts, "n": len(few.cases), "shapes": shapes, "pictures": ["stages.png"]}


def cascades(settings: Settings, *, distilled: bool) -> Trained:
    """The given models, else the small networks, trained. ValueError for a model of another system."""
    size = Size.of(settings)
    if settings.models:
        return _trained_models(settings, size)
    bench = Bench.of(settings)
    shop = bench.workshop
    whole = {name: shop.train(name) for name in PREFIX}
    fast = {final: {n: shop.train(f"{n}-{final}") for n in PREFIX} for final in size.finals} if distilled else {}
    names = [*PREFIX, *(f"{n}-{final}" for final in fast for n in PREFIX)]
    digest = _short("-".join([shop.data.path.name, shop.recipe, str(shop.nets["base"].steps)]))
    digests = dict.fromkeys([0, *fast], digest)
    facts = {"world": shop.world, "recipe": shop.recipe, "steps": shop.nets["base"].steps, "models": {}}
    facts["commands"] = [shop.command(name) for name in names]
    return Trained(whole, fast, digests, facts, bench.examined, bench.text, bench.real_of(whole["ssr1"]))


def _trained_models(settings: Settings, size: Size) -> Trained:
    world = "digits" if any("digits" in name for name in settings.models) else "sprites"
    whole, fast, digests, text, facts = None, {}, {}, None, {}
    for name, place in settings.models.items():
        model = load(place)
        if not isinstance(model.system, ImagenVideo):
            raise ValueError(f"--model {name}={place}: expected a model of Imagen Video")
        row = {n: s for n, s in model.system.cascade().items() if isinstance(s, ImagenVideoStage)}
        distill, text = row["base"].config.distill, model.text
        facts[name] = {"digest": model.digest, "distilled": distill.final if distill.on else None}
        digests[distill.final if distill.on else 0] = _short(model.digest + world)
        if distill.on:
            fast[distill.final] = row
        else:
            whole = row
    row = whole or next(iter(fast.values()))
    last = list(row.values())[-1]
    examined = Examined.of(settings, world, size.prompts, size.at_once)
    real = examined.real(last.shape.height, last.channels)
    real = None if real is None else last.examples(real, torch.Generator())[0]
    assert text is not None
    return Trained(whole, fast, digests, {"world": world, "models": facts}, examined, text, real)


def ways(trained: Trained, size: Size) -> list[Way]:
    """The rows of the table, the slowest first."""
    found: list[Way] = []
    if trained.whole:
        row, by = trained.whole, trained.digests[0]
        most = (max(size.solver), max(size.solver))
        found = [Way("paper", row, "ancestral", size.paper, by, two_passes=True)]
        found += [Way(f"ddim-{most[0]}", row, "ddim", most, by)]
        found += [Way(f"dpm-solver-{n}", row, "dpm-solver", (n, n), by) for n in sorted(size.solver)[::-1]]
    for final, row in sorted(trained.distilled.items(), reverse=True):
        counts = [final]
        if len(trained.distilled) == 1:  # one network, in as few steps as it takes
            counts += [n for n in (4, 2, 1) if n < final]
        for n in counts:
            name = f"distilled-{final}" + (f"-in-{n}" if n < final else "")
            found.append(Way(name, row, "ddim", (n, n), trained.digests[final]))
    return found


def timed(found: Mapping[str, Way], trained: Trained, rounds: int) -> dict[str, list[float]]:
    """Seconds for one video of one prompt, alone: every way in turn, so that a busy machine is busy for all."""
    from storyreel.data.parallel import progress

    one = replace(trained.examined, cases=trained.examined.cases[:1])
    seconds: dict[str, list[float]] = {name: [] for name in found}
    with progress("timing", rounds * len(found)) as advance:
        for _ in range(rounds):
            for name, way in found.items():
                began = time.perf_counter()
                way.make(one, trained.text)
                seconds[name].append(time.perf_counter() - began)
                advance(1)
    return seconds


def verdict(rows: Mapping[str, Any]) -> dict[str, Any]:
    """How many times as fast the network of eight steps is, or of the most there is, and whether it is as good."""
    paper = rows.get("paper")
    names = [n for n in rows if n.startswith("distilled") and "-in-" not in n]
    if paper is None or not names:
        return {"of": None, "faster": None, "as_good": None, "holds": None}
    name = "distilled-8" if "distilled-8" in rows else names[0]
    fast = rows[name]
    faster = paper["seconds"]["value"] / max(fast["seconds"]["value"], 1e-9)
    as_good = _all(
        _compared(fast["frechet"], paper["frechet"], lambda a, b: a <= (1 + WITHIN) * b, "value"),
        _compared(fast["judged"], paper["judged"], lambda a, b: a >= (1 - WITHIN) * b, "accuracy"),
    )
    summary = {"of": name, "faster": round(faster, 2), "as_good": as_good}
    known = as_good is not None and name == "distilled-8"  # the claim is of eight steps
    return summary | {"holds": bool(as_good and faster >= FASTER) if known else None}


def _compared(one: Any, other: Any, test: Callable[[float, float], bool], key: str) -> bool | None:
    if not one or not other or one.get(key) is None or other.get(key) is None:
        return None
    return test(one[key], other[key])


def _all(*answers: bool | None) -> bool | None:
    return False if False in answers else None if None in answers else True


def _cached(file: Path, way: Way, trained: Trained) -> Tensor:
    """The videos of a way, (n, c, t, h, w) rounded to 8 bits; made once."""
    if file.is_file():
        try:
            with np.load(file, allow_pickle=False) as saved:
                if saved["seed"] == trained.examined.seed and list(saved["prompts"]) == trained.examined.prompts:
                    return torch.from_numpy(saved["videos"]).float() / 127.5 - 1
        except (ValueError, OSError, KeyError, EOFError):
            pass  # half of a file, or another program's: made again
    videos = way.make(trained.examined, trained.text)
    small = ((videos + 1) * 127.5).round().to(torch.uint8)
    with replacing(file) as (made,):
        np.savez_compressed(made, videos=small.numpy(), seed=trained.examined.seed, prompts=trained.examined.prompts)
    return small.float() / 127.5 - 1


@contextmanager
def _sampled(stage: ImagenVideoStage, sampler: str, two_passes: bool) -> Iterator[None]:
    previous = stage.sampling, stage.two_passes
    stage.sampling, stage.two_passes = replace(previous[0], sampler=sampler), two_passes
    try:
        yield
    finally:
        stage.sampling, stage.two_passes = previous


def _short(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
