"""Claim (a): C-ViViT spends at least 40 % fewer tokens than per-frame coding, at equal or better reconstruction.

Both codings are the same network with the same quantiser, trained by the project's trainer on the same clips for as
many FLOPs (counted, see storyreel.train.cost). Per-frame coding is fed one-frame windows: to a causal tokenizer each
of them is a first frame. Its batches hold as many frames as cost what a batch of clips costs, so both take the same
number of optimizer steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import storyreel
from reproductions.pace import seconds_of, steps_in
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_world
from storyreel.evaluate.interval import mean_of
from storyreel.evaluate.judges import AnyJudge
from storyreel.recipe import StageRecipe
from storyreel.systems.phenaki import PhenakiConfig
from storyreel.systems.phenaki_tokenizer import CViViT
from storyreel.systems.pixels import for_model
from storyreel.train.command import resolve
from storyreel.train.cost import cost_of

SAVED = 0.4  # of the tokens, at least: the claim
EQUAL_DB = 0.1  # a PSNR that is lower by less than this counts as equal
HELD_OUT = 0.1  # of the clips are measured, and never trained on
BATCH = 16  # clips a step
SHOWN = 5  # clips on the picture


@dataclass(frozen=True)
class Coding:
    """One of the two: a name, the overrides of its recipe, FLOPs a step."""

    name: str
    settings: tuple[str, ...]
    stage: StageRecipe
    flops: float

    def command(self, recipe: str, data: Path, run: Path) -> str:
        changes = " ".join(f"--set {s}" for s in self.settings)
        return f"storyreel train {recipe} --data {data} -o {run} --stage tokenizer {changes}"


def measure(settings: Settings) -> dict[str, Any]:
    """Train both, measure both on held-out clips; a JSON document with the verdict. Resumes where it was stopped."""
    world = "sprites" if settings.source else "digits"
    name = settings.recipe or f"phenaki_{world}"
    folder = settings.out / "tokens"
    data = make_data(settings, world, name, folder / f"data-{world}")
    steps = settings.steps or steps_for(name, settings.minutes, folder / f"steps-{name}-{settings.minutes:g}.txt")
    clips, frames = codings(name, steps)
    settings.tell(
        f"tokens: {name}, {steps} steps each of {clips.flops / 1e9:.3g} GFLOP, C-ViViT, then per-frame coding"
    )
    runs = {c.name: folder / f"{data.path.name}-{name}-{steps}-{c.name}" for c in (clips, frames)}
    networks = {c.name: train(name, c, data, runs[c.name], folder / "cache") for c in (clips, frames)}
    found = compare(networks, [data.clip(i) for i, split in enumerate(data.splits) if split == "held_out"], clips)
    judged = judge_all(settings, world, data, found)
    rows = {c.name: _row(c, networks[c.name], clips, steps, found, judged) for c in (clips, frames)}
    write_sheet(settings.out / "tokens.png", _picture(found))
    better = mean_of([a - b for a, b in zip(found["clips"].psnr, found["frames"].psnr, strict=True)])
    saved = 1 - rows["clips"]["tokens"] / rows["frames"]["tokens"]
    low = better.value if better.low is None else better.low
    return {
        "world": world,
        "recipe": name,
        "steps": steps,
        "codings": rows,
        "tokens_saved": round(saved, 4),
        "psnr_gain": better.as_json(),
        "holds": bool(saved >= SAVED and low >= -EQUAL_DB),
        "commands": [c.command(name, data.path, runs[c.name]) for c in (clips, frames)],
        "pictures": ["tokens.png"],
    }


def make_data(settings: Settings, world: str, recipe: str, path: Path) -> DatasetFolder:
    """The world's clips, at the size that the recipe takes; a tenth of combinations (and handwriting) held out."""
    data = resolve(recipe, ()).stages["tokenizer"].data
    made: Any
    if world == "sprites":
        from storyreel.worlds.sprites import Sprites

        assert settings.source is not None
        made = Sprites(source=settings.source, held_out_share=HELD_OUT, captions=1)
    else:
        from storyreel.worlds.digits import Digits

        made = Digits(size=data.size, frames=max(8, data.frames), held_out_share=HELD_OUT, captions=1)
    path = path.with_name(f"{path.name}-{settings.clips}-{data.size}")
    return write_world(path, made, settings.clips, settings.seed, plan={"world": world, "made_for": "reproduce"})


def codings(recipe: str, steps: int) -> tuple[Coding, Coding]:
    """C-ViViT on clips and the same on single frames, with batches of equal FLOPs."""
    base = (f"stages.tokenizer.steps={steps}", f"stages.tokenizer.optim.warmup={max(1, min(200, steps // 10))}")
    settings = (*base, f"stages.tokenizer.data.batch={BATCH}")
    whole = coding("clips", recipe, settings)
    single = coding("frames", recipe, (*base, "stages.tokenizer.data.frames=1", f"stages.tokenizer.data.batch={BATCH}"))
    batch = max(1, round(BATCH * whole.flops / single.flops))
    settings = (*base, "stages.tokenizer.data.frames=1", f"stages.tokenizer.data.batch={batch}")
    return whole, coding("frames", recipe, settings)


def coding(name: str, recipe: str, settings: tuple[str, ...]) -> Coding:
    resolved = resolve(recipe, settings)
    with torch.device("meta"):
        system = resolved.system.build()
    stage = resolved.stages["tokenizer"]
    return Coding(name, settings, stage, cost_of(system, "tokenizer", stage).step)


def steps_for(recipe: str, minutes: float, file: Path) -> int:
    """Steps that both trainings can take in so many minutes here; measured once, and kept in `file` for resuming."""

    def seconds() -> float:
        stage = resolve(recipe, (f"stages.tokenizer.data.batch={BATCH}",)).stages["tokenizer"]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network, d = tokenizer_of(recipe).train().to(device), stage.data
        video = torch.rand(BATCH, d.channels, d.frames, d.size, d.size) * 2 - 1
        return 2 * 1.2 * seconds_of(network, {"video": video}, stage.precision)

    return steps_in(minutes, file, seconds)


def tokenizer_of(recipe: str) -> CViViT:
    config = resolve(recipe, ()).system
    if not isinstance(config, PhenakiConfig):
        raise ValueError(f"--recipe {recipe}: expected a recipe of Phenaki")
    return config.tokenizer.build()


def train(recipe: str, one: Coding, data: DatasetFolder, run: Path, cache: Path) -> CViViT:
    """What `storyreel train ... --stage tokenizer` does; the averaged weights."""
    from storyreel.model import own_tensors
    from storyreel.run import StageRun
    from storyreel.tensor_file import copy_into

    part = StageRun(run / "tokenizer", "tokenizer")
    if (part.final() or {}).get("step") != one.stage.steps:
        storyreel.train(recipe, data.path, run, sets=one.settings, stage="tokenizer", cache=cache, quiet=False)
    network = tokenizer_of(recipe)
    copy_into(own_tensors(network), part.final_tensors(), f"{part.path}/final.safetensors")
    return network.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@dataclass
class Reconstructions:
    """Of held-out clips: what went in, what came out, dB of each, tokens of one."""

    real: list[Clip]
    made: list[Clip]
    psnr: list[float]
    tokens: int
    bits: float


def compare(networks: dict[str, CViViT], clips: Sequence[Clip], whole: Coding) -> dict[str, Reconstructions]:
    """Every clip through both networks: as a clip, and frame by frame."""
    frames = whole.stage.data.frames
    found = {}
    for name, network in networks.items():
        got = Reconstructions([], [], [], 0, 0.0)
        for clip, video in _prepared(clips, network, frames):
            made, codes = reconstruct(network, video, single=name == "frames")
            got.real.append(seen(video, clip))
            got.made.append(seen(made, clip))
            got.psnr.append(psnr(got.real[-1], got.made[-1]))
            got.tokens = codes.shape[0] * codes.shape[1] * codes.shape[2]
            got.bits = got.tokens * sum(math.log2(size) for size in network.sizes)
        found[name] = got
    return found


@torch.inference_mode()
def reconstruct(network: CViViT, video: Tensor, *, single: bool) -> tuple[Tensor, Tensor]:
    """Video (1, c, t, h, w) -> what is left of it, and its codes (clips, latent frames, patches, digits)."""
    video = video.to(next(network.parameters()).device)
    if not single:
        codes = network.encode(video)
        return network.decode(codes).cpu(), codes
    frames = video[0].transpose(0, 1)[:, :, None]  # (t, c, 1, h, w)
    codes = network.encode(frames)
    return network.decode(codes)[:, :, 0].transpose(0, 1)[None].cpu(), codes


def seen(video: Tensor, like: Clip) -> Clip:
    """(1, c, t, h, w) -> the clip that a person is shown: with a matte, colours where it is solid, RGBA."""
    if video.shape[1] == 4:
        video = torch.cat([video[:, :3], torch.where(video[:, 3:] > 0, 1.0, -1.0)], 1)
    return Clip.from_tensor(video[0], like.fps, like.caption)


def psnr(real: Clip, made: Clip) -> float:
    """Of the colours as one sees them, over grey; dB, 60 for no difference that can be told."""
    error = real.over().frames.astype(np.float64) - made.over().frames
    return float(10 * np.log10(255**2 / max(float((error**2).mean()), 255**2 / 1e6)))


def judge_all(settings: Settings, world: str, data: DatasetFolder, found: dict[str, Reconstructions]) -> dict[str, Any]:
    """Coding -> the judge's report on what is left of the clips, and on the clips; {} without a judge."""
    from storyreel.evaluate.judges import check_known

    try:
        judge: AnyJudge = settings.judge(world)
    except ValueError as error:
        settings.tell(f"tokens: reconstructions are not judged: {error}")
        return {}
    every = data.attributes
    expected = [every[i] for i, split in enumerate(data.splits) if split == "held_out"]
    check_known(judge, expected)
    sets = {name: got.made for name, got in found.items()} | {"real": found["clips"].real}
    return {name: judge.accuracy(clips, expected).as_json() for name, clips in sets.items()}


def _prepared(clips: Sequence[Clip], network: CViViT, frames: int) -> Iterator[tuple[Clip, Tensor]]:
    for clip in clips:
        first = clip.replace(frames=clip.frames[:frames])
        yield first, for_model(first, network.config.size, network.config.channels)


def _row(
    one: Coding, network: CViViT, whole: Coding, steps: int, found: dict[str, Reconstructions], judged: dict[str, Any]
) -> dict[str, Any]:
    got = found[one.name]
    return {
        "tokens": got.tokens,
        "bits": round(got.bits),
        "frames": whole.stage.data.frames,
        "parameters": sum(p.numel() for p in network.parameters()),
        "batch": one.stage.data.batch,
        "flops": one.flops * steps,
        "psnr": mean_of(got.psnr).as_json(),
        "judged": judged.get(one.name),
        "judged_real": judged.get("real"),
    }


def _picture(found: dict[str, Reconstructions]) -> list[tuple[str, Clip]]:
    rows = []
    for i in range(min(SHOWN, len(found["clips"].real))):
        rows.append((f"real: {found['clips'].real[i].caption}", found["clips"].real[i]))
        for name, word in (("clips", "C-ViViT"), ("frames", "per frame")):
            rows.append((f"{word}, {found[name].tokens} tokens, {found[name].psnr[i]:.1f} dB", found[name].made[i]))
    return rows
