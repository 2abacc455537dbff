"""Make-A-Video's claims, one after the other; each finished one is kept in results.json and not measured again.

`motion`, `interpolation` and `noise` ask a trained model; `start` and `pairs` train its layers in time anew, from its
own decoder for pictures, on the same batches in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reproductions import make_a_video_training as training
from reproductions.claims import MissingError, Todo, run_claims
from reproductions.interpolation_baselines import FILLERS
from reproductions.make_a_video_report import report
from reproductions.pictures import write_sheet
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_world
from storyreel.encoder import as_frames
from storyreel.evaluate.interval import mean_of
from storyreel.evaluate.motion import measures_of
from storyreel.generate.model import Model, load
from storyreel.systems.base import Request
from storyreel.systems.make_a_video import MakeAVideo
from storyreel.systems.pixels import for_model, shown
from storyreel.worlds.digits import Digits
from storyreel.worlds.sprites import Sprites

MODEL = "make-a-video-sprites"
CLAIMS = ("motion", "start", "interpolation", "noise", "pairs")
SHOWN = 4


@dataclass(frozen=True)
class Size:
    """Clips to train on and to measure, and optimizer steps, where `--train-steps` does not say."""

    clips: int = 4_000
    held: int = 64
    steps: int = 600

    @classmethod
    def of(cls, settings: Settings) -> Size:
        size = cls(clips=24, held=3, steps=3) if settings.quick else cls()
        return replace(size, held=settings.count or size.held, steps=settings.steps or size.steps)


@dataclass
class Bench:
    """What the claims are measured with."""

    settings: Settings
    model: Model
    system: MakeAVideo
    size: Size

    @classmethod
    def of(cls, settings: Settings) -> Bench:
        """ValueError where there is no model, or one of another system."""
        model = load(settings.models.get("sprites", MODEL))
        if not isinstance(model.system, MakeAVideo):
            raise ValueError(f"--model sprites={model.name}: expected a model of Make-A-Video")
        return cls(settings, model, model.system, Size.of(settings))

    def data(self, *, held: bool = False) -> DatasetFolder:
        """Clips with captions: sprites, drawn from the sheets, for a model with a matte, else digits.

        MissingError where sprites are wanted and the sheets are not named, or are no sheets.
        """
        c, source = self.system.config, self.settings.source
        side = c.clips["decoder_video"][0]
        count, seed = (self.size.held, self.settings.seed + 1) if held else (self.size.clips, self.settings.seed)
        path = self.settings.out / f"data-{'held' if held else 'train'}-{count}-{side}"
        try:
            if c.channels == 3:
                world = Digits(size=side, frames=max(8, c.frames))
            elif source is None:
                raise MissingError("sprites are drawn from the LPC sheets; name their folder with --source")
            else:
                world = Sprites(source=source)
            return write_world(path, world, count, seed, plan={"world": type(world).__name__, "made_for": "reproduce"})
        except ValueError as error:
            raise MissingError(str(error)) from None

    def real(self) -> list[Clip]:
        """Real clips of as many frames as the model makes."""
        folder, frames = self.data(held=True), self.system.config.frames
        clips = [folder.clip(i) for i in range(len(folder))]
        return [c.replace(frames=c.frames[:frames]) for c in clips if len(c) >= frames]

    def rng(self, index: int) -> list[torch.Generator]:
        return [Request.of(seed=self.settings.seed, index=index).rng()]

    def clip(self, video: Tensor, prompt: str = "") -> Clip:
        return Clip.from_tensor(shown(video, transparent=False)[0], self.system.config.fps, prompt)


def run(settings: Settings, only: str | None = None) -> dict[str, Any]:
    """Measure what is not yet measured with these settings; write results.json, results.md and pictures.

    What cannot be measured is left out, and the reason is written down. ValueError for an unknown claim, a folder of
    other results, or a model of another system.
    """
    return run_claims(settings, only, CLAIMS, todo, report)


def todo(settings: Settings, claims: Sequence[str]) -> Todo:
    """How to measure each, and what the result depends on."""
    bench = Bench.of(settings)
    how = settings.how | {"steps": bench.size.steps, "model": bench.model.digest}
    conditions = how | {"source": settings.source is not None}
    return {name: (partial(MEASURES[name], bench), conditions) for name in claims}


# -- claims on the trained model -------------------------------------------------------------------------------


def measure_motion(bench: Bench) -> dict[str, Any]:
    """The model as it is, and without its layers in time: what the videos without captions gave it."""
    still = deepcopy(bench.system)
    for name in ("decoder_video", "interpolation", "sr_l_video"):
        training.forget(still, name, "identity")
    real = bench.real()
    made: dict[str, list[Clip]] = {"trained": [], "pictures alone": []}
    for index, clip in enumerate(real):
        states, mask = bench.model.text([clip.caption])
        embedding = bench.system.prior.sample({"text": states, "text_mask": mask}, rng=bench.rng(index))
        for name, system in (("trained", bench.system), ("pictures alone", still)):
            made[name].append(bench.clip(_refined(system, embedding, bench.rng(index)), clip.caption))
    rows = {name: _motion(clips) for name, clips in (*made.items(), ("real", [c.over() for c in real]))}
    few = range(min(SHOWN, len(real)))
    sheet = [(f"{name}: {clips[i].caption}", clips[i]) for i in few for name, clips in made.items()]
    write_sheet(bench.settings.out / "motion.png", sheet, side=64)
    better = abs(rows["trained"]["change"]["value"] - rows["real"]["change"]["value"]) < abs(
        rows["pictures alone"]["change"]["value"] - rows["real"]["change"]["value"]
    )
    return {"n": len(real), "rows": rows, "holds": bool(better), "pictures": ["motion.png"]}


def measure_interpolation(bench: Bench) -> dict[str, Any]:
    """The frames of real clips that lie between those that the decoder would make, filled in three ways."""
    stage, encoder, c = bench.system.interpolation, bench.system.encoder, bench.system.config
    side, rows, sheet = stage.shape.height, {name: [] for name in ("learned", *FILLERS)}, []
    for index, clip in enumerate(bench.real()):
        x = for_model(clip, side, c.channels)
        places = stage.places(c.decoder.shape.frames)
        embedded = encoder.together(encoder.images(for_model(clip, encoder.config.size, c.channels)[:, :, places]))
        filled = {"learned": stage.sample({"low": x[:, :, places], "embedding": embedded}, rng=bench.rng(index))}
        filled |= {name: fill(x[:, :, places], places, x.shape[2]) for name, fill in FILLERS.items()}
        missing = [t for t in range(x.shape[2]) if t not in places.tolist()]
        for name, video in filled.items():
            away = (video[:, :3, missing] - x[:, :3, missing]).square().mean() / 4  # of a range of one
            rows[name].append(float(-10 * away.clamp(min=1e-9).log10()))
        if index < SHOWN:
            sheet += [(name, bench.clip(video)) for name, video in {"real": x, **filled}.items()]
    write_sheet(bench.settings.out / "interpolation.png", sheet, side=64)
    psnr = {name: mean_of(values).as_json() for name, values in rows.items()}
    best = max(psnr, key=lambda name: psnr[name]["value"])
    return {"n": len(rows["learned"]), "psnr": psnr, "holds": best == "learned", "pictures": ["interpolation.png"]}


def measure_noise(bench: Bench) -> dict[str, Any]:
    """The last stage with one noise for all frames, and with noise of their own."""
    stage, c = bench.system.cascade()["sr_h"], bench.system.config
    rows: dict[str, list[float]] = {"same noise": [], "own noise": []}
    sheet = []
    for index in range(bench.size.held):
        rng = bench.rng(index)
        embedding = torch.randn(1, c.encoder.dim, generator=rng[0])
        embedding = embedding / embedding.norm() * c.encoder.dim**0.5
        low = _refined(bench.system, embedding, rng, upto="sr_l_video")
        for name in rows:
            stage.same_noise = name == "same noise"
            video = stage.sample({"low": low}, rng=bench.rng(index))
            still = stage.sample({"low": low[:, :, :1].expand_as(low)}, rng=bench.rng(index))
            rows[name].append(float(still[:, :3].diff(dim=2).abs().mean() * 127.5))
            if index < SHOWN:
                sheet.append((name, bench.clip(video)))
        stage.same_noise = True
    write_sheet(bench.settings.out / "noise.png", sheet, side=64)
    found = {name: mean_of(values).as_json() for name, values in rows.items()}
    holds = found["same noise"]["value"] < found["own noise"]["value"]
    return {"n": bench.size.held, "flicker": found, "holds": bool(holds), "pictures": ["noise.png"]}


# -- claims on training ----------------------------------------------------------------------------------------


def measure_start(bench: Bench) -> dict[str, Any]:
    """Layers in time that begin as the identity against ones that begin at random: the loss on real clips that were
    not trained on, after the same steps on the same batches."""
    data, held = bench.data(), bench.data(held=True)
    rows = {}
    for start in ("identity", "random"):
        system = deepcopy(bench.system)
        training.forget(system, "decoder_video", start)
        curve = training.train(system, bench.model.text, data, held, bench.size.steps, bench.settings)
        rows[start] = {"curve": curve, "loss": curve[-1][1]}
    return {"steps": bench.size.steps, "rows": rows, "holds": bool(rows["identity"]["loss"] < rows["random"]["loss"])}


def measure_pairs(bench: Bench) -> dict[str, Any]:
    """The decoder in time, trained on bare videos and asked by way of the prior, against the same trained on videos
    with their captions: how well prompts fit what is made, by the model's own encoder of sentences and frames."""
    data, real = bench.data(), bench.real()
    rows, sheet = {}, []
    for conditioning in ("pictures", "captions"):
        system = deepcopy(bench.system)
        training.forget(system, "decoder_video", "identity")
        training.train(
            system, bench.model.text, data, None, bench.size.steps, bench.settings, conditioning=conditioning
        )
        fits, made = [], []
        for index, clip in enumerate(real):
            states, mask = bench.model.text([clip.caption])
            sentence = system.encoder.texts(states, mask)
            embedding = (
                sentence
                if conditioning == "captions"
                else system.prior.sample({"text": states, "text_mask": mask}, rng=bench.rng(index))
            )
            video = system.cascade()["decoder_video"].sample({"embedding": embedding}, rng=bench.rng(index))
            made.append(bench.clip(video, clip.caption))
            fits.append(float((system.encoder.images(video)[0] @ sentence[0]).mean() / system.encoder.dim))
        rows[conditioning] = {"fit": mean_of(fits).as_json(), **_motion(made)}
        sheet += [(f"{conditioning}: {c.caption}", c) for c in made[:SHOWN]]
    write_sheet(bench.settings.out / "pairs.png", sheet, side=64)
    return {"n": len(real), "steps": bench.size.steps, "rows": rows, "pictures": ["pairs.png"]}


MEASURES: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "motion": measure_motion,
    "start": measure_start,
    "interpolation": measure_interpolation,
    "noise": measure_noise,
    "pairs": measure_pairs,
}


def _refined(system: MakeAVideo, embedding: Tensor, rng: Sequence[torch.Generator], upto: str = "sr_h") -> Tensor:
    """A video (1, c, t, h, w) of an embedding, after the stages up to `upto`."""
    video: Tensor | None = None
    for name, stage in system.cascade().items():
        cond = {"embedding": embedding} | ({} if video is None else {"low": video})
        video = stage.sample(cond, rng=rng)
        if name == upto:
            break
    assert video is not None
    return video


def _motion(clips: Sequence[Clip]) -> dict[str, Any]:
    """Mean change from frame to frame in grey levels, and how unsteadily things move (see `measures_of`)."""
    frames = [as_frames(clip) for clip in clips]
    change = [float(f.float().diff(dim=0).abs().mean()) for f in frames]
    jitter = [value for f in frames if math.isfinite(value := measures_of(f, ("jitter",))["jitter"])]
    return {"change": mean_of(change).as_json(), "jitter": mean_of(jitter).as_json() if jitter else None}
