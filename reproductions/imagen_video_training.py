"""The small networks that Imagen Video's claims compare: one stage each, on the same clips, for as many FLOPs.

All are stages of one recipe, with a setting or two changed, trained by the project's trainer. Networks that are
compared have the same parameters, batches, seeds and numbers of steps, hence the same cost. The cascade ends after its
third stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import storyreel
from reproductions.pace import seconds_of, steps_in
from reproductions.settings import Settings
from storyreel.data.folder import DatasetFolder, write_world
from storyreel.run import Run
from storyreel.systems.imagen_video import ImagenVideoConfig, ImagenVideoStage
from storyreel.train.command import resolve
from storyreel.train.stages import load_finals

RECIPE = "imagen_video_sprites"
PREFIX = ("base", "tsr1", "ssr1")
IMAGES = 0.125  # share of single frames in joint training, where the recipe has none
DISTILLED = 0.5  # steps of a distillation, in those of its teacher's training
HELD_OUT = 0.1  # of the clips
TEACHING = 1.7  # what a step of distillation costs, in steps of training, about


@dataclass(frozen=True)
class Size:
    """How large it is. clips: to train on. prompts, table: of each measurement, and of each
    sampler. rounds: timings of each sampler.

    paper: steps of the base and of the others, undistilled. solver: steps of DPM-Solver++ that are tried. start,
    finals: of the distilled networks, the steps of the first student, and of those that are measured. shown: on
    pictures.
    """

    clips: int = 4000
    prompts: int = 200
    table: int = 100
    rounds: int = 3
    paper: tuple[int, int] = (256, 128)
    solver: tuple[int, ...] = (16, 24, 32)
    start: int = 64
    finals: tuple[int, ...] = (8, 4, 2, 1)
    at_once: int = 25
    shown: int = 4

    @classmethod
    def of(cls, settings: Settings) -> Size:
        size = cls()
        if settings.quick:
            few = {"clips": 24, "prompts": 4, "rounds": 1, "at_once": 4, "shown": 1}
            size = replace(size, **few, paper=(8, 4), solver=(2,), start=2, finals=(2, 1))
        return replace(size, prompts=settings.count, table=settings.count) if settings.count else size


@dataclass(frozen=True)
class Net:
    """One training: of which stage, how its recipe differs, and the network that it goes on from."""

    name: str
    stage: str
    settings: tuple[str, ...]
    steps: int
    init: str = ""


@dataclass(frozen=True)
class Workshop:
    """Where the networks are trained; each is trained once, and kept.

    world, recipe, data: what they are trained on. nets: all that there may be.
    """

    settings: Settings
    world: str
    recipe: str
    data: DatasetFolder
    nets: dict[str, Net]

    @classmethod
    def of(cls, settings: Settings) -> Workshop:
        """ValueError for a recipe of another system."""
        size, world = Size.of(settings), "sprites" if settings.source else "digits"
        recipe = settings.recipe or RECIPE
        shared = _shared(recipe, world)
        folder = settings.out / "nets"
        data = make_data(settings, recipe, world, size.clips, folder)
        file = folder / f"steps-{recipe}-{world}-{settings.minutes:g}.txt"
        steps = settings.steps or steps_for(recipe, shared, settings.minutes, size, file)
        return cls(settings, world, recipe, data, nets_of(recipe, shared, steps, size))

    def run_of(self, name: str) -> Path:
        net = self.nets[name]
        return self.settings.out / "nets" / f"{self.data.path.name}-{self.recipe}-{net.steps}-{name}"

    def train(self, name: str) -> ImagenVideoStage:
        """The network of this name, trained from where it stands."""
        net, path = self.nets[name], self.run_of(name)
        recipe = resolve(self.recipe, net.settings)
        if net.init:
            self.train(net.init)
        if not (path / net.stage / "final.json").exists():
            self.settings.tell(f"training {name}, {net.steps} steps")
            storyreel.train(
                recipe, self.data.path, path, stage=net.stage, init=self.run_of(net.init) if net.init else None,
                cache=self.settings.out / "nets" / "cache", quiet=False,
            )  # fmt: skip
        system = recipe.system.build()
        load_finals(system, Run.open(path, recipe), [net.stage])
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return system.stages[net.stage].requires_grad_(False).eval().to(device)

    def losses(self, name: str) -> list[float]:
        """The loss of each step of training."""
        import json

        log = (self.run_of(name) / self.nets[name].stage / "log.jsonl").read_text()
        return [float(json.loads(line)["loss"]) for line in log.splitlines()]

    def command(self, name: str) -> str:
        """What to type to train it."""
        net = self.nets[name]
        words = [f"storyreel train {self.recipe} --data {self.data.path} -o {self.run_of(name)} --stage {net.stage}"]
        words += [f"--init {self.run_of(net.init)}"] if net.init else []
        return " ".join([*words, *(f"--set '{s}'" if "(" in s else f"--set {s}" for s in net.settings)])


def nets_of(recipe: str, shared: tuple[str, ...], steps: int, size: Size) -> dict[str, Net]:
    """Name -> network. `base`, `tsr1` and `ssr1` are the cascade, as the recipe has it."""
    resolved, made = resolve(recipe, shared), {}
    assert isinstance(resolved.system, ImagenVideoConfig)
    images = resolved.stages["base"].data.image_share or IMAGES

    def add(name: str, stage: str, *changes: str, init: str = "") -> None:
        own = max(1, round(steps * DISTILLED)) if init else steps
        length = (f"stages.{stage}.steps={own}", f"stages.{stage}.optim.warmup={max(1, min(100, own // 10))}")
        made[name] = Net(name, stage, (*shared, *changes, *length), own, init)

    share = "stages.base.data.image_share"
    add("base", "base", f"{share}={images}")
    add("base-alone", "base", f"{share}=0")
    add("tsr1", "tsr1")
    add("ssr1", "ssr1")
    add("ssr1-clean", "ssr1", "system.ssr1.max_augmentation_time=0")
    for stage in ("base", "ssr1"):  # both learn the squared error of the noise, as in the paper: one measure
        for kind in ("v", "eps"):
            images_too = (f"{share}={images}",) if stage == "base" else ()
            add(f"{stage}-{kind}", stage, f"system.{stage}.predict={kind}", f"system.{stage}.weight=eps", *images_too)
    for stage in PREFIX:
        guidance = resolved.system.stages[stage].sampling.guidance
        for final in size.finals:
            chain = [size.start >> i for i in range(int(math.log2(size.start // final)) + 1)]
            at, optim = f"system.{stage}", f"stages.{stage}.optim"
            changes = (
                f"{at}.distill.steps={tuple(chain)}", f"{at}.distill.guidance={guidance}",
                f"{at}.sampling.sampler=ddim", f"{at}.sampling.steps={final}", f"stages.{stage}.data.image_share=0",
                f"{optim}.lr=2e-4", f"{optim}.muon=0", f"{optim}.final_lr=0.2",
            )  # fmt: skip
            add(f"{stage}-{final}", stage, *changes, init=stage)
    return made


def make_data(settings: Settings, recipe: str, world: str, clips: int, folder: Path) -> DatasetFolder:
    """The world's clips; a tenth of combinations held out, which are never trained on."""
    data, made = resolve(recipe, ()).stages["base"].data, None
    if world == "sprites":
        from storyreel.worlds.sprites import Sprites

        assert settings.source is not None
        made = Sprites(source=settings.source, held_out_share=HELD_OUT)
    else:
        from storyreel.worlds.digits import Digits

        made = Digits(size=data.size, frames=max(8, data.frames), held_out_share=HELD_OUT)
    path = folder / f"data-{world}-{clips}-{data.size}-{settings.seed}"
    return write_world(path, made, clips, settings.seed, plan={"world": world, "made_for": "reproduce"})


def steps_for(recipe: str, shared: tuple[str, ...], minutes: float, size: Size, file: Path) -> int:
    """Steps such that all trainings together take so many minutes here; measured once, kept in `file`."""

    def seconds() -> float:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        resolved, distilled = resolve(recipe, shared), DISTILLED * TEACHING * len(size.finals)
        system, whole = resolved.system.build().to(device), 0.0
        for name, count in zip(PREFIX, (4, 1, 4), strict=True):
            d = resolved.stages[name].data
            batch = {"video": torch.rand(d.batch, d.channels, d.frames, d.size, d.size) * 2 - 1}
            batch |= {"text": torch.rand(d.batch, 16, system.text_dim), "length": torch.full((d.batch,), d.frames)}
            batch |= {"text_mask": torch.ones(d.batch, 16, dtype=torch.bool)}
            once = seconds_of(system.stages[name].train(), batch, resolved.stages[name].precision)
            whole += 1.2 * once * (count + distilled)
        return whole

    return steps_in(minutes, file, seconds)


def _shared(recipe: str, world: str) -> tuple[str, ...]:
    """What all networks change: digits have no matte."""
    resolved = resolve(recipe, ())
    if not isinstance(resolved.system, ImagenVideoConfig):
        raise ValueError(f"--recipe {recipe}: expected a recipe of Imagen Video")
    if world == "sprites" or resolved.system.channels == 3:
        return ()
    return ("system.channels=3", *(f"stages.{stage}.data.channels=3" for stage in resolved.stages))
