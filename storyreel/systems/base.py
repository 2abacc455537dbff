"""What a system promises to the trainer and to the generator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip, ClipStream
from storyreel.options.generation import GenerateOptions

Batch: TypeAlias = dict[str, Tensor]
"""What a loss sees. Keys: `video` float (b, c, t, h, w) in [-1, 1]; `context` int64 (b,), how many leading
frames of each clip are given rather than told by its caption; `text` float (b, l, d) with `text_mask` bool
(b, l), true where there is a token; and whatever a stage's `prepare` adds (such as `codes`)."""


SERVED_BY_SOME = (
    "image_end", "backward", "variation", "interpolate", "motion", "reuse", "start", "negative", "precision",
)  # fmt: skip
"""Options that a system refuses unless its `serves` names them. `size` is another: see `Abilities.any_size`."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Where training stands; handed to every loss, so that no stage keeps a counter."""

    step: int
    turn: str
    rng: torch.Generator
    progress: float = 0.0  # step / steps, in [0, 1)


@dataclass(frozen=True, slots=True)
class Loss:
    """A scalar to descend and its named parts, detached, for the log."""

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


class Stage(nn.Module):
    """One network with one objective: a row of the paper's training table.

    Adversarial stages list two turns; the trainer keeps one optimizer for each and takes one step per turn.
    Everybody else inherits the single turn. Parameters that must not learn have `requires_grad` False.
    """

    turns: tuple[str, ...] = ("main",)
    training_only: tuple[str, ...] = ()  # names of modules that a model does not need once it is trained
    needs_text: bool = False
    capturable: bool = False
    """Every step does the same work on batches of the same shapes: the loss looks at neither `tick.step` nor
    `tick.progress`, and waits for nothing that the device has to say. Such steps may run as CUDA graphs."""
    stands_alone: ClassVar[bool] = False  # it needs no earlier stage, and may be trained before or beside it
    prepared_by: ClassVar[tuple[str, ...] | None] = None
    """The earlier stages that `prepare` depends on, where stages share what it gives; None: all, and not shared."""
    surveyed: ClassVar[tuple[str, ...]] = ()
    """Entries of `prepare` that `survey` is shown for all clips, such as one number a clip."""
    weights_from: str = ""  # the model that its weights come from, by name, where it is not trained here
    frozen: bool = False  # its weights are those of the model that training goes on from (--init)

    @property
    def prepared_from(self) -> str:
        """A digest of what `prepare` depends on beside the stages that were trained before, where there is any."""
        return ""

    def parameters_for(self, turn: str) -> Iterable[nn.Parameter]:
        return (p for p in self.parameters() if p.requires_grad)

    def notes(self) -> list[str]:
        """Lines that the trainer shows before it begins: what is left out, say, and how to have it.

        ValueError for what would stop training later.
        """
        return []

    def failure(self, numbers: Mapping[str, float]) -> str:
        """What in the numbers of a step (`loss`, the loss's parts, `norm`) says that training has failed; "" for
        nothing. The trainer then stops before the step is taken, at its last checkpoint."""
        return ""

    def take(self, tensors: Mapping[str, Tensor], sha256: str) -> None:
        """Fill in the weights of `weights_from`. ValueError where they are not those that are expected."""
        raise NotImplementedError

    def begin(self) -> None:
        """Called before training, when the earlier stages are finished: to begin with what one of them has learnt.

        Where there is a checkpoint, its weights take the place of these.
        """

    def prepare(self, batch: Batch) -> Batch:
        """The part of the work that depends on frozen weights alone; done once a clip and cached.

        Returns the entries that replace `video` in the batch (small integer or half tensors, batch first).
        The default, no entries, means that there is nothing to prepare and `video` stays.
        """
        return {}

    def survey(self, entries: Mapping[str, Tensor]) -> None:
        """Called before training with the entries named in `surveyed`, of all clips (n, ...)."""

    @abstractmethod
    def loss(self, batch: Batch, tick: Tick) -> Loss: ...

    @abstractmethod
    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        """One sample a generator; sample i depends on cond[i] and rng[i] alone."""


class VideoTokenizer(Stage):
    """A stage that turns videos into codes and back."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Codes -> a video (b, c, t, h, w) in [-1, 1]."""

    @abstractmethod
    def reconstruct(self, video: Tensor) -> Tensor:
        """What is left of a video (b, c, t, h, w) in [-1, 1] after its codes."""

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        return self.decode(cond["codes"])

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: each clip above what is left of it."""
        video = batch["video"][:4]
        return torch.stack([video, self.reconstruct(video).to(video.dtype)], 1).flatten(0, 1)


def first_texts(batch: Batch, rng: torch.Generator, count: int) -> tuple[Batch, list[torch.Generator]]:
    """For a contact sheet: the texts of the first `count` items of a batch, and the generator of each sample."""
    cond = {name: value[:count] for name, value in batch.items() if name in ("text", "text_mask")}
    return cond, generators(len(cond["text"]), rng)


def generators(count: int, rng: torch.Generator) -> list[torch.Generator]:
    """A generator on the CPU for each of so many samples."""
    seeds = torch.randint(2**31, (count,), generator=rng, device=rng.device)
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


class TextEncoder(Protocol):
    """Sentences to token states. `storyreel.text` has the implementations."""

    name: str
    dim: int

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """-> states float32 (b, l, dim), mask bool (b, l)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Request:
    """One video to be made: the options, and where its noise comes from."""

    options: GenerateOptions = field(default_factory=GenerateOptions)
    seed: int = 0
    index: int = 0  # which video of this seed
    candidate: int = 0  # which attempt at this video, where several are made to choose from
    appearance: str = ""  # who the picture that is given shows, for a system that `paints`
    views: Sequence[str] = ()  # the same from each side, in the order of a turn, for a system that `turns`
    sentences: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For a system that `composes`: prompts that tell of several things -> a sentence for each of them."""

    @classmethod
    def of(cls, *, seed: int = 0, index: int = 0, candidate: int = 0, **options: Any) -> Request:
        """With the options by their names. ValueError for one that does not exist, or does not go with another."""
        return cls(options=GenerateOptions.of(options), seed=seed, index=index, candidate=candidate)

    def rng(self) -> torch.Generator:
        """The one source of randomness of this video: depends on (seed, index), and on which candidate it is."""
        mixed = (self.seed * 0x9E3779B97F4A7C15 + self.index * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
        mixed = (mixed + self.candidate * 0xD6E8FEB86659FD93) % 2**63
        return torch.Generator().manual_seed(mixed)


@dataclass(frozen=True, slots=True)
class Progress:
    """ClipRows to the caller while a video is being made; `preview()` gives what there is so far."""

    done: int
    total: int
    what: str = "sampling"
    preview: Callable[..., Clip] | None = None  # of a batch: preview(i), the first by default


OnProgress: TypeAlias = Callable[[Progress], None]
"""Called after each step; raising from it cancels the generation."""


class System(nn.Module):
    """The stages of one paper, in training order, and how they make a video together."""

    name: ClassVar[str]
    serves: frozenset[str] = frozenset()
    """Which of the options beyond the usual it can serve: image_end, backward, variation, interpolate, size, motion,
    reuse, start, negative, precision, lora, tiling, layerwise, step_cache, and "no prompt" where a video needs none."""
    autocast: ClassVar[bool] = True
    """Whether it computes in bfloat16 on a device that has it; else it chooses its precision itself."""
    conditional: bool = True
    """Whether a prompt says what a video shows."""
    paints: bool = False
    """Whether it repaints the video of a picture where a request says who is in it (`Request.appearance`)."""
    turns: bool = False
    """Whether it turns whom a picture shows around, a side a frame, and paints each by what is seen of it
    (`Request.views`)."""
    composes: bool = False
    """Whether it asks for several things at once by a sentence each (`Request.sentences`)."""
    together: ClassVar[int] = 1
    """How many candidates are made in one batch."""
    mixes: bool = False
    """Whether requests of one batch may differ in prompt, seed and index too: their prompts have as many tokens each,
    all else is the same, and there is no input."""
    text_dim: int

    @property
    def makes(self) -> Abilities | None:
        """What it can make, for those who ask its model.json without opening it; None of what makes no videos."""
        return None

    def cannot(self, *more: str, channels: int = 4) -> frozenset[str]:
        """The options that it refuses: `more`, what its `serves` lacks, and transparency where it has no matte."""
        lacks = {name for name in SERVED_BY_SOME if name not in self.serves}
        lacks |= {"stage"} if not self.products else set()
        return frozenset({*more, *lacks, *({"transparent"} if channels == 3 else ())})

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))

    @property
    def products(self) -> dict[str, Fraction]:
        """Stages that a video may end after (the option `stage`), with their frame rates; none, where only whole videos
        are made."""
        return {}

    @property
    @abstractmethod
    def stages(self) -> dict[str, Stage]:
        """Name -> stage, in training order. A later stage may hold earlier ones, frozen."""

    def adopt(self, found: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, Mapping[str, Tensor]]:
        """Called with the weights of the model that training goes on from, stage -> name -> tensor: those that stages
        here are to have, by name. A system with a stage that begins as another one does fills it in by itself."""
        return found

    def graphs(self) -> dict[str, Any] | None:
        """What runs this model without Python: `networks`, name -> (module of tensors, its arguments by name), and
        `settings`, JSON that says how they are called; None where nobody has written that down."""
        return None

    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        """One clip, at the model's own size. ValueError names the field that cannot be served.

        A system has its own of this or of `generate_batch`: each is made of the other.
        """
        return self.generate_batch([request], text, on_progress)[0]

    def stream(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> ClipStream | None:
        """What `generate` gives, made part after part while it is read; None of a system that makes whole videos."""
        return None

    def candidates(self, request: Request, count: int, text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        """`count` attempts at the video of a request, the first being what `generate` gives; `together` in a batch."""
        made: list[Clip] = []
        batches = -(-count // self.together)
        for number in range(batches):
            first = number * self.together
            attempts = [replace(request, candidate=n) for n in range(first, min(count, first + self.together))]

            def report(step: Progress, before: int = number) -> None:
                on_progress(replace(step, done=step.done + before * step.total, total=step.total * batches))

            made += self.generate_batch(attempts, text, report)
        return made

    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        """A clip for each of at most `together` requests that differ in `candidate` alone, or as `mixes` says."""
        return [self.generate(request, text, on_progress) for request in attempts]


class SystemConfig(Protocol):
    """A frozen dataclass tree of hyperparameters that knows what it describes."""

    def build(self) -> Any: ...
