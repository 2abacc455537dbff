"""Phenaki: videos of any length from a text that may change, by masked prediction of video tokens.

Villegas et al., "Phenaki: Variable Length Video Generation From Open Domain Textual Descriptions", 2022,
https://arxiv.org/abs/2210.02399. Two stages, trained in this order, and one or two more where a recipe has them:

    video --CViViT.encode--> codes --MaskGit.sample(text)--> codes --CViViT.decode--> video
                                                             codes, text --PaletteDecoder.decode--> video
                                              video, text --PaletteRefiner.refined--> video

Axes: b batch, c channels, f frames of pixels, t latent frames, p patches a latent frame, g digits a code, n = t * p
tokens, u = n * g units (a vector quantiser has one digit, and then units are tokens), l text tokens, d width.
Videos are float (b, c, f, h, w) in [-1, 1]; codes are int64 (b, t, p, g).

Differs from the paper: a convolutional trunk between pixels and tokens (`widths` longer than one; the paper has linear
patches alone); finite scalar quantisation whose digits are masked and predicted one by one (`levels`); an L1 term
(`l1`); a decoder that reads the text and paints with a palette (`phenaki_decoder`), and one that paints what was
decoded once more (`palette_refiner`). The paper recipe leaves all of these off. T5 stands for T5X; the shipped models
read MiniLM's states, or a text encoder of the dataset's own words (`minilm-words`) where a recipe says. Words may
learn with the prior (`words`, `text_layers`), and a prompt that tells of several things be composed of a sentence for
each (`composed`), as Liu et al., "Compositional Visual Generation with Composable Diffusion Models", 2022,
https://arxiv.org/abs/2206.01714, Section 3, compose the noise of a diffusion model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.field_ranges import Count, Depth, Frames, FramesASecond, SamplingSteps, Share, Width
from storyreel.nn.attention import KeysValues, PreNormBlock
from storyreel.nn.gumbel import gumbel
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
from storyreel.systems.palette_refiner import PaletteRefinerConfig, refiner_of
from storyreel.systems.phenaki_decoder import PaletteDecoder, PaletteDecoderConfig
from storyreel.systems.phenaki_graphs import graphs_of
from storyreel.systems.phenaki_sampling import Guesses
from storyreel.systems.phenaki_tokenizer import CViViT, CViViTConfig
from storyreel.systems.pixels import beginning, check_matte, shown
from storyreel.systems.sentences import encoded_sentences


@dataclass(frozen=True, kw_only=True)
class MaskGitConfig:
    """Section 2.2 and Table 7. The defaults are the paper's 1.8 B model."""

    latent_frames: Frames = 6
    dim: Width = 2048
    depth: Depth = 24
    heads: Width = 32
    mlp: Width = 8192
    dropout: Share = 0.0
    text_dim: Width = 4096
    text_layers: Depth = 0  # of a transformer on the text, which is trained with the network; not in the paper
    words: int = 0  # size of a learned word embedding, for the text encoder "words:N"; 0: the encoder's states
    text_tokens: Count = 64  # places of learned words
    composed: bool = False  # captions tell one thing of several, and several sentences are asked for at once
    drop_text: Share = 0.1
    steps: SamplingSteps = 48  # Appendix: videos of the paper
    guidance: float = 12.0
    temperature: float = 8.0  # of the choice of what to keep


class MaskGit(Stage):
    """Bidirectional transformer that fills masked video tokens given a text (Section 2.2)."""

    needs_text = True
    capturable = True

    def __init__(self, config: MaskGitConfig, tokenizer: CViViT):
        super().__init__()
        self.config = c = config
        self._frozen = (tokenizer,)  # in a tuple, so that its weights are not weights of this stage
        sizes, patches = tokenizer.sizes, tokenizer.config.grid**2
        rows = torch.tensor([sum(sizes[:i]) + i for i in range(len(sizes))])  # of value 0 of each digit
        self.register_buffer("first_row", rows, persistent=False)
        self.register_buffer("mask_id", torch.tensor(sizes), persistent=False)  # one past the last value of a digit
        self.embed = nn.Embedding(sum(sizes) + len(sizes), c.dim)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.time = nn.Parameter(torch.randn(c.latent_frames, 1, c.dim) * 0.02)
        self.space = nn.Parameter(torch.randn(patches, c.dim) * 0.02)
        self.learned_text = LearnedText(
            c.text_dim, c.dim, layers=c.text_layers, words=c.words, tokens=c.text_tokens if c.words else 0
        )  # fmt: skip
        read = self.learned_text.dim
        self.null_text = nn.Parameter(torch.zeros(read))
        self.blocks = nn.ModuleList(PreNormBlock(c.dim, c.heads, c.mlp, read, c.dropout) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.dim)
        self.to_logits = nn.Linear(c.dim, sum(sizes))
        self.gradient_checkpointing = False

    first_row: Tensor
    mask_id: Tensor

    @property
    def tokenizer(self) -> CViViT:
        return self._frozen[0]

    def text_memory(self, text: Tensor) -> list[KeysValues]:
        """The keys and values of what `learned_text` gave (b, l, d') in every layer: once a sample, not once a step."""
        return [block.to_text.keys_values(text) for block in self.blocks]  # pyright: ignore

    def hidden(self, codes: Tensor, memory: list[KeysValues], text_mask: Tensor) -> Tensor:
        """Codes (b, t, p, g) with `mask_id` holes -> states (b, n, d)."""
        x = self.embed(codes + self.first_row).sum(-2)  # (b, t, p, d)
        x = (x + self.time[: codes.shape[1]] + self.space).flatten(1, 2)
        for block, text in zip(self.blocks, memory, strict=True):
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, None, text, text_mask, use_reentrant=False)  # pyright: ignore[reportAssignmentType]
            else:
                x = block(x, None, text, text_mask)
        return self.norm(x)  # pyright: ignore[reportArgumentType]

    def logits(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]:
        """For each digit, (b, t, p, size of the digit)."""
        text, text_mask = self.learned_text(text, text_mask)
        x = self.to_logits(self.hidden(codes, self.text_memory(text), text_mask))
        return x.unflatten(1, codes.shape[1:3]).split(self.tokenizer.sizes, -1)

    @torch.no_grad()
    def prepare(self, batch: Batch) -> Batch:
        """Codes of the whole clip; by causality those of its first frame alone are the first ones."""
        small = torch.int16 if max(self.tokenizer.sizes) <= 2**15 else torch.int32
        return {"codes": self.tokenizer.encode(batch["video"]).to(small)}

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Cross-entropy on the masked units only, at a random cosine mask ratio.

        An image (`length` 1) masks and scores the tokens of its first frame alone; frames that are given (`context`)
        are never masked.
        """
        codes = (batch if "codes" in batch else self.prepare(batch))["codes"].long()
        text, text_mask = self.learned_text(batch["text"], batch["text_mask"])
        dropped = drawn(len(text), self.config.drop_text, tick.rng, text.device)
        text, text_mask = without_text(text, text_mask, self.null_text, dropped)
        context = batch.get("context", torch.zeros(len(codes), dtype=torch.long, device=codes.device))
        known = torch.where(context > 0, 1 + (context - 1).clamp(min=0) // self.tokenizer.config.tube, 0)
        parts = [
            self._nll(codes[pick, :frames], text[pick], text_mask[pick], known[pick], tick.rng)
            for pick, frames in self._kinds(batch, codes)
        ]
        nll, count, hits = (torch.stack(values).sum() for values in zip(*parts, strict=True))
        count = count.clamp(min=1)  # of a batch in which everything is given there is nothing to learn
        return Loss(nll / count, {"accuracy": (hits / count).detach()})

    def _kinds(self, batch: Batch, codes: Tensor) -> list[tuple[slice | Tensor, int]]:
        """Which items are clips and which are images, and how many latent frames of them count.

        Known without waiting for the device where the batch has no `length`, and so no images.
        """
        clips, t = slice(None), codes.shape[1]
        if "length" not in batch or batch["length"].is_meta:
            return [(clips, t)]
        image = (batch["length"] == 1).cpu()
        if not image.any():
            return [(clips, t)]
        rows = (pick.nonzero()[:, 0].to(codes.device) for pick in (~image, image))
        return [(pick, frames) for pick, frames in zip(rows, (t, 1), strict=True) if len(pick)]

    def _nll(self, codes: Tensor, text: Tensor, text_mask: Tensor, known: Tensor, rng: torch.Generator):
        """(summed loss, number of units, number of right guesses) over the masked units of like-shaped codes."""
        b, t, p, g = codes.shape
        device = codes.device
        ratio = torch.cos(torch.rand(b, 1, generator=rng, device=device) * math.pi / 2)
        free = (torch.arange(t, device=device) >= known[:, None])[:, :, None, None].expand(b, t, p, g).flatten(1)
        noise = torch.rand(b, t * p * g, generator=rng, device=device).masked_fill(~free, 2.0)
        count = (ratio * free.sum(1, keepdim=True)).ceil().clamp(min=1)
        hidden = (noise.argsort(1).argsort(1) < count).view(b, t, p, g) & free.view(b, t, p, g)
        x = self.hidden(torch.where(hidden, self.mask_id, codes), self.text_memory(text), text_mask)
        x, masked, targets = (v.flatten(0, -2) for v in (x, hidden, codes))  # (b n, d), (b n, g)
        if not x.is_cuda:  # only where a digit is hidden; a GPU would have to wait until that is known
            open_tokens = masked.any(-1)
            x, masked, targets = x[open_tokens], masked[open_tokens], targets[open_tokens]
        logits = self.to_logits(x).float().split(self.tokenizer.sizes, -1)
        nll, hits = x.new_zeros((), dtype=torch.float32), x.new_zeros((), dtype=torch.float32)
        for digit, guess in enumerate(logits):
            ask, want = masked[:, digit], targets[:, digit]
            nll = nll + (F.cross_entropy(guess, want, reduction="none") * ask).sum()
            hits = hits + ((guess.argmax(-1) == want) & ask).sum()
        return nll, masked.sum(), hits

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """For the contact sheet: videos of the first captions of a batch."""
        cond, each = first_texts(batch, rng, 6)
        return self.tokenizer.decode(self.sample(cond, rng=each))

    @torch.no_grad()
    def sample(
        self,
        cond: Batch,
        *,
        rng: Sequence[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
        temperature: float | None = None,
        known_weight: float | None = None,
        on_step: Callable[[int, int, Tensor], None] | None = None,
    ) -> Tensor:
        """MaskGIT's sampler: text (b, l, d) and mask, optionally `prefix` codes (b, t', p, g) -> codes (b, t, p, g).

        A text (b, k, l, d) are k sentences that hold at once: what each of them adds to the logits without a text is
        added up. A sentence without a token adds nothing.

        All begins masked but the prefix; at every step all holes are guessed, the surest are kept, the others masked
        again on a cosine schedule. What is sure is judged by log-probability plus Gumbel noise that cools down
        (`temperature`; 8 in the paper's appendix). `guidance` 1 is the conditional model, 0 the unconditional one.
        More steps than there are holes fill one hole each, and the rest have nothing to do.
        known_weight: see `Guesses`.

        on_step(step, steps, codes with every hole guessed) after each step.
        ValueError for fewer than one step, a prefix that is no code, or a model that gives NaN.
        """
        c = self.config
        steps, guidance = c.steps if steps is None else steps, c.guidance if guidance is None else guidance
        if steps < 1:
            raise ValueError(f"steps: expected at least 1, got {steps}")
        choice_temperature = c.temperature if temperature is None else temperature
        known = cond["prefix"].shape[1] if "prefix" in cond else 0
        guesses = Guesses(self, cond["text"], cond["text_mask"], guidance, known, known_weight)
        codes = self._begin(cond)
        units = holes_left = int((codes[0] == self.mask_id).sum())
        for step in range(steps):
            if not holes_left:
                if on_step:
                    on_step(step + 1, steps, codes)
                continue
            guess, confidence = guesses(codes, rng)
            left = math.floor(units * math.cos(math.pi / 2 * (step + 1) / steps)) if step + 1 < steps else 0
            noise = torch.stack([gumbel(codes.shape[1:], g) for g in rng]).to(confidence.device)
            confidence = confidence + choice_temperature * (1 - (step + 1) / steps) * noise
            holes = codes == self.mask_id
            filled = torch.where(holes, guess, codes)
            holes_left = min(left, holes_left - 1)
            remasked = confidence.masked_fill(~holes, torch.inf).flatten(1).topk(holes_left, largest=False).indices
            codes = filled.flatten(1).scatter(1, remasked, self._mask_ids(remasked)).view_as(codes)
            if on_step:
                on_step(step + 1, steps, filled)
        return codes

    def _begin(self, cond: Batch) -> Tensor:
        """Codes (b, t, p, g) that are all holes but the prefix."""
        b, c = len(cond["text"]), self.config
        codes = self.mask_id.expand(b, c.latent_frames, self.space.shape[0], -1).clone()
        if "prefix" in cond:
            self.tokenizer.check(cond["prefix"])
            codes[:, : cond["prefix"].shape[1]] = cond["prefix"]
        return codes

    def _mask_ids(self, units: Tensor) -> Tensor:
        return self.mask_id[units % len(self.mask_id)]


@dataclass(frozen=True, kw_only=True)
class PhenakiConfig:
    """The stages, and how clips are joined into a longer video."""

    tokenizer: CViViTConfig = field(default_factory=CViViTConfig)
    prior: MaskGitConfig = field(default_factory=MaskGitConfig)
    decoder: PaletteDecoderConfig | None = None  # in place of the tokenizer's own; not in the paper
    refiner: PaletteRefinerConfig | None = None  # paints what is decoded anew; not in the paper
    fps: FramesASecond = 8
    carry: Frames = 5  # K, the last frames of a clip that the next one begins with
    carried_weight: float | None = None  # of the frames carried from what the text alone began; see `Guesses`

    def __post_init__(self) -> None:
        if self.prior.composed and (self.decoder or self.refiner):
            raise ValueError("prior.composed: a decoder or a refiner that reads the text reads one sentence alone")
        if not 1 <= self.tokenizer.latent_frames(self.carry) < self.prior.latent_frames:
            raise ValueError(f"carry: {self.carry} frames leave nothing to make in a clip of {self.frames}")

    @property
    def frames(self) -> int:
        """Frames of pixels a clip."""
        return 1 + (self.prior.latent_frames - 1) * self.tokenizer.tube

    def carried(self, made: int) -> int:
        """How many of the `made` frames so far the next clip begins with: at most `carry`, and whole tubes."""
        tube = self.tokenizer.tube
        return 1 + (min(made, self.carry) - 1) // tube * tube if made else 0

    def build(self) -> Phenaki:
        return Phenaki(self)


class Phenaki(System):
    """Text, story, image or clip to a video of any length (Section 2.3)."""

    name = "phenaki"
    together = 4
    longest = 4096  # frames a request may ask for

    def __init__(self, config: PhenakiConfig):
        super().__init__()
        self.config = config
        self.tokenizer = config.tokenizer.build()
        self.prior = MaskGit(config.prior, self.tokenizer)
        self.decoder = PaletteDecoder(config.decoder, self.tokenizer, self.prior) if config.decoder else None
        self.text_dim = config.prior.text_dim
        self.refiner = refiner_of(config.refiner, config.tokenizer.channels, self.text_dim)
        self.paints = self.refiner is not None
        self.composes = config.prior.composed
        self.mixes = not self.composes

    @property
    def stages(self) -> dict[str, Stage]:
        stages: dict[str, Stage | None] = {"tokenizer": self.tokenizer, "prior": self.prior}
        stages |= {"decoder": self.decoder, "refiner": self.refiner}
        return {name: stage for name, stage in stages.items() if stage is not None}

    @property
    def makes(self) -> Abilities:
        c, size = self.config, self.config.tokenizer.size
        cannot = self.cannot(channels=c.tokenizer.channels)
        return Abilities(
            width=size, height=size, frames=c.frames, fps=Fraction(c.fps), max_frames=self.longest, cannot=cannot
        )

    def graphs(self) -> dict[str, Any]:
        return graphs_of(self)

    def decode(self, codes: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Codes (b, t, p, g) and the text (b, l, d) with its mask that they were made for -> (b, c, f, h, w), which
        the refiner has not seen yet."""
        if self.decoder is None:
            return self.tokenizer.decode(codes)
        return self.decoder.decode(codes, text, text_mask)

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        """Clip after clip: each begins with the last `carry` frames of the one before, and follows its own prompt."""
        request, rng = attempts[0], [attempt.rng() for attempt in attempts]
        parts = self._parts(request)
        prompts = [[prompt for prompt, _ in self._parts(attempt)] for attempt in attempts]
        c = self.config.tokenizer
        made = beginning(request.options, c.size, c.channels).to(self.prior.space.device)
        made = made.expand(len(rng), -1, -1, -1, -1)
        start = 0 if request.options.image or not request.options.extend else made.shape[2]
        total = sum(frames for _, frames in parts)
        appearance = (
            encoded_sentences([attempt.appearance for attempt in attempts], attempts, text)
            if request.appearance
            else None
        )
        run = _Run(self, request, rng, on_progress, self._clips(parts, made.shape[2], start), made[:1], appearance)
        ends = 0
        for number, (_, frames) in enumerate(parts):
            ends += frames
            cond = appearance if appearance is not None and not request.options.story else None
            states, mask = cond or encoded_sentences([each[number] for each in prompts], attempts, text)
            while made.shape[2] - start < ends:
                made = torch.cat([made, run.clip(made, states, mask)], 2)[:, :, : start + ends]
        fps = request.options.fps or Fraction(self.config.fps)
        videos = shown(made, transparent=request.options.transparent)
        return [
            Clip.from_tensor(video[:, : start + total], fps, each[0])
            for video, each in zip(videos, prompts, strict=True)
        ]

    def _parts(self, request: Request) -> list[tuple[str, int]]:
        """(prompt, frames) each. ValueError for what cannot be made."""
        c = self.config
        check_matte(request.options, c.tokenizer.channels)
        fps = request.options.fps or Fraction(c.fps)
        if request.options.story:
            short = [s for _, s in request.options.story if not s > 0]
            if short:
                raise ValueError(f"story: a part of {short[0]} seconds; expected more than 0")
            parts = [(prompt, max(1, round(seconds * fps))) for prompt, seconds in request.options.story]
        else:
            parts = [(request.options.prompt, c.frames if request.options.frames is None else request.options.frames)]
        total = sum(frames for _, frames in parts)
        if not 1 <= total <= self.longest:
            raise ValueError(f"frames: this model makes 1 to {self.longest} frames, got {total}")
        return parts

    def _clips(self, parts: list[tuple[str, int]], made: int, start: int) -> int:
        """How many times the sampler will run, where `made` frames are there and the first part is at `start`."""
        count, ends = 0, start
        for _, frames in parts:
            ends += frames
            while made < ends:
                made += self.config.frames - self.config.carried(made)
                count += 1
            made = min(made, ends)
        return count


class _Run:
    """Videos in the making, one a generator: the settings, and how far they are."""

    def __init__(
        self,
        system: Phenaki,
        request: Request,
        rng: Sequence[torch.Generator],
        on_progress: OnProgress,
        clips: int,
        input_frames: Tensor,
        appearance: tuple[Tensor, Tensor] | None,
    ):
        """clips: how many times the sampler will run. input_frames: those of the request, (1, c, t, h, w).
        appearance: states (b, l, d) and mask of a sentence about who they show."""
        self.system, self.options, self.on_progress = system, request.options, on_progress
        self.rng, self.clips, self.done, self.input_frames, self.appearance = rng, clips, 0, input_frames, appearance

    def clip(self, made: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """The frames that follow what is `made` (b, c, f, h, w): a whole clip, or one after the carried frames.

        A picture that no text tells of is heard as the prior has learned to, and so keeps who it shows.
        """
        s, c = self.system, self.system.config
        cond: Batch = {"text": text, "text_mask": mask}
        carried = c.carried(made.shape[2])
        if carried:
            # As they are seen, with a matte that is on or off. A soft matte, and a stain outside of it, would be coded
            # again, clip after clip, and grow.
            seen = shown(made[:, :, -carried:].clamp(-1, 1), transparent=True)
            cond["prefix"] = s.tokenizer.encode(seen)
        codes = s.prior.sample(
            cond,
            rng=self.rng,
            steps=self.options.steps,
            guidance=self.options.guidance,
            known_weight=None if self.input_frames.shape[2] and self.appearance is None else c.carried_weight,
            on_step=self._report(made, carried, text, mask),
        )
        self.done += 1
        return self._decode(codes, text, mask)[:, :, carried:]

    def _decode(self, codes: Tensor, text: Tensor, mask: Tensor, which: slice = slice(None)) -> Tensor:
        """The refiner takes the looks from the text; from a sentence about what is given; or, without one, leaves who
        is given as they are. which: of the videos, those of the codes."""
        video, refiner = self.system.decode(codes, text, mask), self.system.refiner
        if refiner is None or (self.input_frames.shape[2] and self.appearance is None):
            return video
        if self.appearance is None:
            return refiner.refined(video, text, mask)
        text, mask = (each[which].to(video.device) for each in self.appearance)
        return refiner.refined(video, text, mask, picture=self.input_frames)

    def _report(self, made: Tensor, carried: int, text: Tensor, mask: Tensor) -> Callable[[int, int, Tensor], None]:
        """Tells of a step. A preview is all that is there: what is `made`, and the clip that is being sampled."""
        fps = self.options.fps or Fraction(self.system.config.fps)

        def report(step: int, steps: int, codes: Tensor) -> None:
            def preview(number: int = 0) -> Clip:
                one = slice(number, number + 1)
                new = self._decode(codes[one], text[one], mask[one], one)[:, :, carried:]
                video = shown(torch.cat([made[one], new], 2), transparent=self.options.transparent)
                return Clip.from_tensor(video[0], fps)

            self.on_progress(Progress(self.done * steps + step, self.clips * steps, "sampling", preview))

        return report
