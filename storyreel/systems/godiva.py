"""GODIVA: text to video by three-dimensional sparse attention over frame tokens, one token after the other.

Wu et al., "GODIVA: Generating Open-DomaIn Videos from nAtural Descriptions", 2021, https://arxiv.org/abs/2104.14806.
Two stages, trained in this order (`refiner` may follow them; see docs/systems/godiva.md):

    video --FrameVQVAE.encode--> codes --Generator.sample(text)--> codes --FrameVQVAE.decode--> video

Axes: b batch, c channels, t frames, h rows, w columns, p = h * w tokens a frame, n = t * p tokens, g parts a code (a
codebook has one), l text tokens, d width. Videos are float (b, c, t, h, w) in [-1, 1]; codes are int64 (b, t, p, g).
A token comes before another if its frame does, or in the same frame its row, or in the same row its column.

Differs from the paper: see docs/systems/godiva.md. The shipped models read MiniLM's states, where the paper learns an
embedding of words (`words`, with the text encoder "words:N").

A token enters beside its three neighbours to be, so that exactly
the tokens of Eq. 10 and 11 are seen (`context` "sparse"); `context` "causal" sees all earlier tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.field_ranges import Count, Depth, Frames, FramesASecond, Layers, Share, Width
from storyreel.nn.attention import KeysValues
from storyreel.nn.axial import AxialBlock
from storyreel.nn.null_text import drawn, without_text
from storyreel.nn.text_adapter import LearnedText
from storyreel.systems.base import (
    Batch,
    Loss,
    OnProgress,
    Progress,
    Request,
    Stage,
    System,
    TextEncoder,
    Tick,
    first_texts,
)
from storyreel.systems.godiva_decoding import TokenDecoder, TokenSampling
from storyreel.systems.godiva_tokenizer import FrameVQVAE, FrameVQVAEConfig
from storyreel.systems.godiva_waves import WaveDecoder
from storyreel.systems.palette_refiner import PaletteRefinerConfig, refiner_of
from storyreel.systems.pixels import beginning, check_matte, shown
from storyreel.systems.sentences import encoded_sentences

Offset = tuple[int, int, int]  # frames, rows, columns

NEIGHBOURS: dict[str, tuple[Offset, ...]] = {  # the earlier tokens beside which a token enters
    "sparse": ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "causal": (*((-1, i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)), *((0, -1, j) for j in (-1, 0, 1)), (0, 0, -1)),
}


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Section 3.2 and 4.1. The defaults are the paper's."""

    frames: Frames = 10
    dim: Width = 1024
    heads: Width = 16
    mlp: Width = 4096
    layers: Layers = "TRC" * 4  # temporal, row, column
    context: Literal["sparse", "causal"] = "sparse"  # what a token sees: that of Eq. 10 and 11, or all earlier tokens
    text_dim: Width = 384
    text_layers: Depth = 0  # of a transformer on the text, which is trained with the network; not in the paper
    words: int = 0  # size of a learned word embedding, for the text encoder "words:N"; 0: the encoder's states
    text_tokens: Count = 35
    composed: bool = False  # captions tell one thing of several, and several sentences are asked for at once
    drop_text: Share = 0.1  # for guidance
    guidance: float = 1.0
    top_k: int = 10  # 0: all
    top_p: Share = 1.0  # nucleus: the most likely tokens that come to this probability
    temperature: float = 1.0

    @classmethod
    def current(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a file under the names that fields have now."""
        now = dict(saved)
        if "reach" in now:
            reach = now.pop("reach")
            now["context"] = {"octant": "sparse", "raster": "causal"}.get(reach, reach)
        return now

    def __post_init__(self) -> None:
        if not self.layers or set(self.layers) - set("TRC"):
            raise ValueError(f"layers: expected letters T, R and C, as in TRCTRC, got {self.layers!r}")
        if self.context not in NEIGHBOURS:
            raise ValueError(f"context: expected {' or '.join(NEIGHBOURS)}, got {self.context!r}")
        self.sampling(None)

    def sampling(self, guidance: float | None) -> TokenSampling:
        guidance = self.guidance if guidance is None else guidance
        return TokenSampling(guidance=guidance, top_k=self.top_k, top_p=self.top_p, temperature=self.temperature)


class Generator(Stage):
    """The decoder of Section 3.2: each token from the text and the tokens before it."""

    needs_text = True
    capturable = True

    def __init__(self, config: GeneratorConfig, tokenizer: FrameVQVAE):
        super().__init__()
        self.config = c = config
        self._frozen = (tokenizer,)  # in a tuple, so that its weights are not weights of this stage
        grid, width, offsets = tokenizer.config.grid, tokenizer.vector_dim, NEIGHBOURS[c.context]
        self.register_buffer("neighbours", neighbours(c.frames, grid, c.context), persistent=False)
        self.start = nn.Parameter(torch.randn(width) * 0.1)  # stands where there is no earlier token
        self.embed = nn.Linear(width * len(offsets), c.dim)
        self.time = nn.Parameter(torch.randn(c.frames, 1, 1, c.dim) * 0.02)
        self.row = nn.Parameter(torch.randn(grid, 1, c.dim) * 0.02)
        self.column = nn.Parameter(torch.randn(grid, c.dim) * 0.02)
        self.learned_text = LearnedText(
            c.text_dim, c.dim, layers=c.text_layers, words=c.words, tokens=c.text_tokens
        )  # fmt: skip
        memory_dim = self.learned_text.dim
        self.null_text = nn.Parameter(torch.zeros(memory_dim))
        self.blocks = nn.ModuleList(
            AxialBlock(c.dim, c.heads, c.mlp, memory_dim, axis, wide=c.context == "causal")  # pyright: ignore[reportArgumentType]
            for axis in c.layers
        )
        self.norm = nn.LayerNorm(c.dim)
        self.heads = nn.ModuleList(Head(c.dim, tokenizer.sizes[:i], size) for i, size in enumerate(tokenizer.sizes))
        self.gradient_checkpointing = False

    neighbours: Tensor

    @property
    def tokenizer(self) -> FrameVQVAE:
        return self._frozen[0]

    def text_memory(self, text: Tensor) -> list[KeysValues]:
        """The keys and values of what `learned_text` gave (b, l, d'), in every layer."""
        return [block.to_text.keys_values(text) for block in self.blocks]  # pyright: ignore

    def hidden(self, codes: Tensor, memory: list[KeysValues], mask: Tensor) -> Tensor:
        """Codes (b, t, p, g), t at most `frames` -> states (b, n, d), each of what comes before its own token."""
        b, t, p, _ = codes.shape
        if t > self.config.frames or p != self.grid[0] * self.grid[1]:
            raise ValueError(
                f"codes: this model has positions for {self.config.frames} frames of {self.grid[0] * self.grid[1]} "
                f"tokens, got {t} of {p}"
            )
        tables = self.tokenizer.tables()
        vectors = torch.cat([F.embedding(codes[..., i], table) for i, table in enumerate(tables)], -1).flatten(1, 2)
        vectors = torch.cat([vectors, self.start.expand(b, 1, -1)], 1)  # (b, n + 1, k)
        index = self.neighbours[: t * p]
        beside = vectors[:, torch.where(index < 0, t * p, index)]  # (b, n, neighbours, k)
        x = self.embed(beside.flatten(2)).unflatten(1, (t, *self.grid))
        x = x + self.time[:t] + self.row + self.column  # (b, t, h, w, d)
        for block, text in zip(self.blocks, memory, strict=True):
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, text, mask, use_reentrant=False)  # pyright: ignore[reportAssignmentType]
            else:
                x = block(x, text, mask)
        return self.norm(x.flatten(1, 3))  # pyright: ignore[reportOptionalMemberAccess]

    @property
    def grid(self) -> tuple[int, int]:
        return self.tokenizer.config.grid, self.tokenizer.config.grid

    def logits(self, codes: Tensor, text: Tensor, mask: Tensor) -> list[Tensor]:
        """For each part of a code, (b, n, values of the part): what the whole of `codes` gives at once."""
        text, mask = self.learned_text(text, mask)
        return self.logits_of(self.hidden(codes, self.text_memory(text), mask), codes.flatten(1, 2))

    def logits_of(self, x: Tensor, codes: Tensor) -> list[Tensor]:
        """States (b, n, d) and codes (b, n, g); each part is told those before it."""
        return [head(x, codes[..., :i]) for i, head in enumerate(self.heads)]

    @torch.no_grad()
    def prepare(self, batch: Batch) -> Batch:
        """Codes of the clips, by the frozen tokenizer."""
        small = torch.int16 if max(self.tokenizer.sizes) <= 2**15 else torch.int32
        return {"codes": self.tokenizer.encode(batch["video"]).to(small)}

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Cross-entropy of the tokens, those of all parts of a code added up.

        Of an image (`length` 1) the first frame is scored, of a clip with given frames (`context`) the others.
        """
        codes = (batch if "codes" in batch else self.prepare(batch))["codes"].long()
        text, mask = self.learned_text(batch["text"], batch["text_mask"])
        dropped = drawn(len(text), self.config.drop_text, tick.rng, text.device)
        text, mask = without_text(text, mask, self.null_text, dropped)
        flat = codes.flatten(1, 2)
        guesses = self.logits_of(self.hidden(codes, self.text_memory(text), mask), flat)
        scored = self._scored(batch, codes)  # (b, n)
        count = scored.sum().clamp(min=1)
        nll, hits = codes.new_zeros((), dtype=torch.float32), torch.ones_like(scored)
        for i, guess in enumerate(guesses):
            each = F.cross_entropy(guess.float().flatten(0, 1), flat[..., i].flatten(), reduction="none")
            nll = nll + (each * scored.flatten()).sum()
            hits = hits & (guess.argmax(-1) == flat[..., i])
        return Loss(nll / count, {"accuracy": ((hits & scored).sum() / count).detach()})

    def _scored(self, batch: Batch, codes: Tensor) -> Tensor:
        """Bool (b, n): the tokens that are scored."""
        b, t, p, _ = codes.shape
        frame = torch.arange(t, device=codes.device).repeat_interleave(p)
        none = torch.zeros(b, dtype=torch.long, device=codes.device)
        length = batch.get("length", none + t)[:, None]
        return (frame >= batch.get("context", none)[:, None]) & ((frame < 1) | (length != 1))

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: videos of the first captions of a batch."""
        cond, each = first_texts(batch, rng, 4)
        return self.tokenizer.decode(self.sample(cond, rng=each))

    @torch.no_grad()
    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        frames: int | None = None,
        guidance: float | None = None,
        on_token: Callable[[int, int, Tensor], None] | None = None,
    ) -> Tensor:
        """Text (b, l, d) and mask, perhaps `prefix` codes (b, t', p, g) -> codes (b, t, p, g), exact and cached.

        A text (b, k, l, d) are k sentences that hold at once (`systems.sentences`).
        on_token(done, of, codes so far) after each row. ValueError for a prefix that is no code or too long, more
        frames than there are positions, or a model that gives NaN.
        """
        c = self.config
        frames = c.frames if frames is None else frames
        if not 1 <= frames <= c.frames:
            raise ValueError(f"frames: this model has positions for 1 to {c.frames} frames, got {frames}")
        prefix = cond.get("prefix")
        if prefix is not None:
            self.tokenizer.check(prefix)
            if prefix.shape[1] > frames:
                raise ValueError(f"prefix: expected at most {frames} frames, got {prefix.shape[1]}")
        kind = WaveDecoder if c.context == "sparse" else TokenDecoder
        decoder = kind(self, cond["text"], cond["text_mask"], frames, c.sampling(guidance))
        return decoder.run(rng, prefix, on_token)


class Head(nn.Module):
    """Logits of one part of a code, given the values of all the parts before it."""

    def __init__(self, dim: int, before: Sequence[int], size: int):
        super().__init__()
        self.given = nn.ModuleList(nn.Embedding(values, dim) for values in before)
        self.mix = nn.Linear(dim, dim) if before else None
        self.to_logits = nn.Linear(dim, size)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """States (..., d) and the parts before (..., parts) -> (..., size)."""
        if self.mix is not None:
            x = self.mix(x)
            for i, embedding in enumerate(self.given):
                x = x + embedding(before[..., i])
            x = F.gelu(x)
        return self.to_logits(x)


def neighbours(frames: int, grid: int, context: str) -> Tensor:
    """int64 (n, offsets): the raster number of the token at each offset from each token, -1 where there is none.

    In context "causal" the token to the left of a row's first is the last of the row before.
    """
    t, h, w = torch.meshgrid(torch.arange(frames), torch.arange(grid), torch.arange(grid), indexing="ij")
    found = []
    for dt, dh, dw in NEIGHBOURS[context]:
        a, b, c = t + dt, h + dh, w + dw
        inside = (a >= 0) & (b >= 0) & (b < grid) & (c >= 0) & (c < grid)
        if context == "causal" and (dt, dh) == (0, 0):
            inside = torch.ones_like(inside)
        found.append(torch.where(inside, (a * grid + b) * grid + c, -1).flatten())
    return torch.stack(found, -1)


@dataclass(frozen=True, kw_only=True)
class GodivaConfig:
    tokenizer: FrameVQVAEConfig = field(default_factory=FrameVQVAEConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    refiner: PaletteRefinerConfig | None = None  # paints what the tokenizer decodes anew; not in the paper
    fps: FramesASecond = 8

    def __post_init__(self) -> None:
        if self.generator.composed and self.refiner:
            raise ValueError("generator.composed: a refiner reads one sentence alone")

    @property
    def frames(self) -> int:
        """Frames a clip."""
        return self.generator.frames

    def build(self) -> Godiva:
        return Godiva(self)


class Godiva(System):
    """A text, or a text and the first frames, to a clip of at most `frames` frames."""

    name = "godiva"
    together = 32

    def __init__(self, config: GodivaConfig):
        super().__init__()
        self.config = config
        self.tokenizer = config.tokenizer.build()
        self.generator = Generator(config.generator, self.tokenizer)
        self.text_dim = config.generator.text_dim
        self.composes = config.generator.composed
        self.refiner = refiner_of(config.refiner, config.tokenizer.channels, self.text_dim)

    @property
    def makes(self) -> Abilities:
        c, size = self.config, self.config.tokenizer.size
        cannot = self.cannot("story", "steps", channels=c.tokenizer.channels)
        return Abilities(
            width=size, height=size, frames=c.frames, fps=Fraction(c.fps), max_frames=c.frames, cannot=cannot
        )

    @property
    def stages(self) -> dict[str, Stage]:
        stages: dict[str, Stage] = {"tokenizer": self.tokenizer, "generator": self.generator}
        return stages if self.refiner is None else {**stages, "refiner": self.refiner}

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        """Token after token; the frames that a request begins with are the first tokens."""
        request, rng = attempts[0], [attempt.rng() for attempt in attempts]
        start = self._start(request)
        frames = self._frames(request, start.shape[2])
        new = frames - (request.options.image is not None)
        known = start[:, :, max(0, start.shape[2] + new - self.config.frames) :]  # as far back as there are positions
        device = self.generator.start.device
        states, mask = encoded_sentences([request.options.prompt], [request], text)
        count = len(rng)
        cond: Batch = {
            "text": states.expand(count, *states.shape[1:]), "text_mask": mask.expand(count, *mask.shape[1:])
        }  # fmt: skip
        if known.shape[2]:
            cond["prefix"] = self.tokenizer.encode(known.to(device)).expand(count, -1, -1, -1)

        def clip(codes: Tensor) -> Clip:
            made = self.tokenizer.decode(codes)
            if self.refiner is not None and request.options.image is None:
                made = self.refiner.refined(made, states, mask)
            video = torch.cat([start, made.float().cpu()[:, :, known.shape[2] :]], 2)
            video = shown(video, transparent=request.options.transparent)
            return Clip.from_tensor(video[0], request.options.fps or Fraction(self.config.fps), request.options.prompt)

        def report(done: int, of: int, codes: Tensor) -> None:
            on_progress(Progress(done, of, "sampling", lambda: clip(codes[:1])))

        total = known.shape[2] + new
        codes = self.generator.sample(cond, rng=rng, frames=total, guidance=request.options.guidance, on_token=report)
        return [clip(each[None]) for each in codes]

    def _start(self, request: Request) -> Tensor:
        """The frames to begin with (1, c, t, h, w); none for a text alone. ValueError for what cannot be served."""
        c = self.config.tokenizer
        if request.options.story:
            raise ValueError("story: this model makes one clip of one prompt; expected a prompt")
        if request.options.steps is not None:
            raise ValueError("steps: this model draws one token after the other and has no steps; leave it out")
        check_matte(request.options, c.channels)
        return beginning(request.options, c.size, c.channels)

    def _frames(self, request: Request, start: int) -> int:
        """How many frames to make, an image that begins them included; of an extension, the new ones."""
        longest = self.config.frames - (1 if request.options.extend is not None else 0)
        usual = longest if request.options.extend is None else max(1, self.config.frames - start, longest // 2)
        frames = usual if request.options.frames is None else request.options.frames
        if not 1 <= frames <= longest:
            raise ValueError(f"frames: this model makes 1 to {longest} frames, got {frames}")
        return frames
