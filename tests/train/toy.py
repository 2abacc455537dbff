"""A toy system of two stages that trains in milliseconds, and a loader that is a pure function of the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.systems.base import Batch, Loss, Stage, System, Tick


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    dim: int = 8
    dropout: float = 0.1

    def build(self) -> ToySystem:
        return ToySystem(self)


class ToyTokenizer(Stage):
    """Codes a clip's mean colour; adversarial, so that there are two turns."""

    turns = ("generator", "discriminator")
    training_only = ("critic",)

    def __init__(self, config: ToyConfig):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, config.dim), nn.GELU(), nn.Dropout(config.dropout))
        self.decoder = nn.Linear(config.dim, 3)
        self.critic = nn.Linear(3, 1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def parameters_for(self, turn: str):
        return (
            self.critic.parameters()
            if turn == "discriminator"
            else [*self.encoder.parameters(), *self.decoder.parameters()]
        )

    def encode(self, video: Tensor) -> Tensor:
        return self.encoder(video.mean((2, 3, 4)))  # (b, dim)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        colour = batch["video"].mean((2, 3, 4))
        made = self.decoder(self.encode(batch["video"]) + 0.01 * torch.randn(len(colour), 1, generator=tick.rng))
        if tick.turn == "discriminator":
            return Loss((self.critic(made.detach()) - self.critic(colour)).mean() + self.critic.weight.square().mean())
        self.seen += 1
        mse, fooled = (made - colour).square().mean(), -self.critic(made).mean()
        return Loss(mse + 0.01 * fooled, {"mse": mse.detach(), "fooled": fooled.detach()})

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        video = batch["video"]
        return self.decoder(self.encode(video))[:, :, None, None, None].expand_as(video)

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise NotImplementedError


class ToyPrior(Stage):
    """Predicts a frozen tokenizer's code from noise."""

    def __init__(self, config: ToyConfig, tokenizer: ToyTokenizer):
        super().__init__()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(2))

    def shard_units(self) -> nn.ModuleList:
        return self.blocks

    def prepare(self, batch: Batch) -> Batch:
        return {"latents": self.tokenizer.encode(batch["video"])}

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        x = target = batch["latents"]
        x = x + torch.randn(x.shape, generator=tick.rng)
        for block in self.blocks:
            x = x + block(x)
        return Loss((x - target).square().mean())

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise NotImplementedError


class ToySystem(System):
    name = "toy"
    text_dim = 4

    def __init__(self, config: ToyConfig):
        super().__init__()
        self.tokenizer = ToyTokenizer(config)
        self.prior = ToyPrior(config, self.tokenizer)

    @property
    def stages(self) -> dict[str, Stage]:
        return {"tokenizer": self.tokenizer, "prior": self.prior}

    def generate(self, request, text, on_progress):
        raise NotImplementedError


class ToyLoader:
    """Items of a step are drawn for the whole batch, and a rank takes its slice."""

    def __init__(self, data: Data, prepare=None, rank: int = 0, world: int = 1):
        self.data, self.make, self.rank, self.world = data, prepare, rank, world

    def batch(self, step: int) -> Batch:
        rng = torch.Generator().manual_seed(step)
        shape = (self.data.batch, self.data.channels, self.data.frames, self.data.size, self.data.size)
        video = torch.rand(shape, generator=rng)[self.rank :: self.world] * 2 - 1
        return self.make({"video": video}) if self.make else {"video": video}

    def prefetch(self, start: int) -> Iterator[Batch]:
        while True:
            yield self.batch(start)
            start += 1


def toy_stage(**changes) -> StageRecipe:
    settings = dict(steps=12, precision="fp32", checkpoint_every=5, sample_every=0, ema=0.9, accumulate=2)
    optim = Optim(lr=1e-2, warmup=3)
    return StageRecipe(data=Data(frames=2, size=4, batch=4), optim=optim, **{**settings, **changes})


def toy_recipe(**changes) -> Recipe:
    """Its tokenizer learns by AdamW, its prior by Muon."""
    stage = toy_stage(**changes)
    by_muon = replace(stage, optim=replace(stage.optim, muon=0.02))
    return Recipe(name="toy", system=ToyConfig(), stages={"tokenizer": stage, "prior": by_muon}, text="hash:4")


def toy_loader(name, settings, stage, prepare, key, rank=0, world=1):
    return ToyLoader(settings.data, prepare, rank, world)


def build(recipe: Recipe) -> ToySystem:
    torch.manual_seed(recipe.seed)
    return recipe.system.build()
