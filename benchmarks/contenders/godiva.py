"""One contender at one task, for `benchmarks/godiva.py`: python FILE TASK WHO PRECISION THREADS WARM-UPS.

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end".

The peer is nuwa-pytorch 0.7.8, which runs after some work-arounds: `enc_reversible=True` (the default fails at the
first call), codes as wide as the last layer of its VQGAN (else `generate` fails). torchvision and the packages of its
trainers are stood in for; nothing of them runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from process import Inside, Work, serve, timed, training
from torch import Tensor, nn

SIZE, FRAMES, GRID, CODES = 64, 10, 16, 1024
DIM, HEADS, DEPTH, TEXT_DIM, WORDS, GUIDANCE = 256, 8, 6, 256, 16, 2.0
PLACE = GRID * GRID
TOKENS = FRAMES * PLACE
PREFIXES = (256, 768, 1536, 2559)  # beside the first frame
SOME = 160  # tokens that stand for all, where the cost of a token against others is asked

ABSENT = ("torchvision", "transformers", "accelerate", "ftfy", "regex", "imageio", "cv2")

Figures = dict[str, float]


def text(b: int) -> Tensor:
    return torch.randn(b, WORDS, TEXT_DIM, generator=torch.Generator().manual_seed(2))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def integrated(first_frame: float, points: dict[int, float]) -> Figures:
    """Seconds of a whole video: the first frame as measured, the rest by the trapezoidal rule between the prefixes."""
    rest = sum((points[a] + points[b]) / 2 * (b - a) for a, b in pairwise(sorted(points)))
    return {"seconds": first_frame + rest, "first_frame": first_frame, **{f"step_{n}": s for n, s in points.items()}}


# -- ours --------------------------------------------------------------------------------------------------------


def generator(frames: int = FRAMES, grid: int = GRID, context: str = "sparse") -> Any:
    from storyreel.systems.godiva import Generator, GeneratorConfig
    from storyreel.systems.godiva_tokenizer import FrameVQVAEConfig

    tokenizer = FrameVQVAEConfig(size=grid * 4, num_codes=CODES).build()
    config = GeneratorConfig(
        frames=frames, dim=DIM, heads=HEADS, mlp=4 * DIM, layers="TRC" * (DEPTH // 3), text_dim=TEXT_DIM,
        guidance=GUIDANCE, context=context,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return Generator(config, tokenizer)


def rngs(b: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(i) for i in range(b)]


def decoder(model: Any, b: int, one_by_one: bool) -> Any:
    from storyreel.systems.godiva_decoding import TokenDecoder
    from storyreel.systems.godiva_waves import WaveDecoder

    kind = TokenDecoder if one_by_one else WaveDecoder
    c = model.config
    return kind(model, text(1).expand(b, -1, -1), torch.ones(b, WORDS, dtype=torch.bool), c.frames, c.sampling(None))


def ours(task: str, how: str, inside: Inside) -> tuple[nn.Module, Work]:
    if task == "train":
        return ours_train(inside)
    one_by_one, b = how != "waves", 8 if how == "eight" else 1
    frames, grid = {"video": (FRAMES, GRID), "640": (10, 8), "2560": (10, 16), "5120": (20, 16), "10240": (10, 32)}[
        task
    ]
    model = generator(frames, grid).eval().requires_grad_(False)

    def video() -> Figures:
        with torch.inference_mode(), inside():
            return {"seconds": seconds(lambda: decoder(model, b, one_by_one).run(rngs(b), None, None)) / b}

    def some() -> Figures:
        """Every so many tokens alone: what comes before them does not change what they cost."""
        with torch.inference_mode(), inside():
            made = decoder(model, b, True)
            for layer in made.layers:
                layer.cache.fill_(0.1)  # memory that nobody has touched costs more than a whole video feels
            chances = made._chances(rngs(b))
            places = range(0, made.tokens, made.tokens // SOME)

            def draw(n: int) -> None:
                made._draw(n, made.step(n), chances[n])
                made._enter(n)

            return {"seconds": seconds(lambda: [draw(n) for n in places]) / len(places) * made.tokens / b}

    return model, some if one_by_one and (b > 1 or task != "video") else video


def ours_train(inside: Inside) -> tuple[nn.Module, Work]:
    from storyreel.systems.base import Tick

    model = generator().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    codes = torch.randint(CODES, (1, FRAMES, PLACE, 1), generator=torch.Generator().manual_seed(1))
    batch = {"codes": codes, "text": text(1), "text_mask": torch.ones(1, WORDS, dtype=torch.bool)}
    tick = Tick(step=0, turn="main", rng=torch.Generator().manual_seed(0))
    return model, timed(training(lambda: model.loss(batch, tick).total, optimizer, inside))


class Dense(nn.Module):
    """Our block with attention to all earlier tokens, and its keys and values kept: what the axes are compared with."""

    def __init__(self) -> None:
        super().__init__()
        from storyreel.nn.attention import PreNormBlock

        self.blocks = nn.ModuleList(PreNormBlock(DIM, HEADS, 4 * DIM, TEXT_DIM) for _ in range(DEPTH))
        self.to_logits = nn.Linear(DIM, CODES)

    def begin(self, r: int) -> None:
        self.cache = [torch.randn(2, r, HEADS, TOKENS, DIM // HEADS) for _ in self.blocks]
        self.memory = [block.to_text.keys_values(text(r)) for block in self.blocks]  # pyright: ignore
        self.mask = torch.ones(r, WORDS, dtype=torch.bool)

    def token(self, x: Tensor, n: int) -> Tensor:
        """States (r, 1, d) of token n -> logits."""
        for block, cache, memory in zip(self.blocks, self.cache, self.memory, strict=True):
            b: Any = block
            qkv = b.attention.to_qkv(b.norm_self(x)).view(len(x), 1, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            cache[:, :, :, n : n + 1] = qkv[1:]
            seen = F.scaled_dot_product_attention(qkv[0], cache[0][:, :, : n + 1], cache[1][:, :, : n + 1])
            x = x + b.attention.to_out(seen.transpose(1, 2).flatten(2))
            x = x + b.to_text(b.norm_text(x), memory, self.mask)
            x = x + b.mlp(b.norm_mlp(x))
        return self.to_logits(x)


def dense(task: str, how: str, inside: Inside) -> tuple[nn.Module, Work]:
    model = Dense().eval().requires_grad_(False)
    model.begin(2)
    x = torch.randn(2, 1, DIM)

    def video() -> Figures:
        with torch.inference_mode(), inside():
            first = seconds(lambda: [model.token(x, n) for n in range(PLACE)])
            points = {n: seconds(lambda n=n: [model.token(x, n) for _ in range(16)]) / 16 for n in PREFIXES}
        return integrated(first, points)

    return model, video


# -- the peer ----------------------------------------------------------------------------------------------------


def peer(task: str, how: str, inside: Inside) -> tuple[nn.Module, Work]:
    from nuwa_pytorch import NUWA, VQGanVAE  # type: ignore[import-not-found]

    vae = VQGanVAE(
        dim=128, image_size=SIZE, num_layers=2, vq_codebook_size=CODES, vq_codebook_dim=256, use_vgg_and_gan=False
    )
    nuwa = NUWA(
        dim=DIM, vae=vae, max_video_frames=FRAMES, text_num_tokens=1024, text_max_seq_len=WORDS, text_enc_depth=1,
        text_enc_heads=HEADS, text_enc_dim_head=DIM // HEADS, enc_reversible=True, dec_depth=DEPTH, dec_heads=HEADS,
        dec_dim_head=DIM // HEADS, sparse_3dna_kernel_size=3,
    )  # fmt: skip
    words = torch.randint(1, 1024, (1, WORDS), generator=torch.Generator().manual_seed(0))
    counted = nn.ModuleList([nuwa.video_transformer, nuwa.to_logits, nuwa.image_embedding, nuwa.video_pos_emb])
    if task == "train":
        nuwa.train()
        params = [p for n, p in nuwa.named_parameters() if not n.startswith("vae.")]
        optimizer = torch.optim.AdamW(params, lr=1e-4, fused=True)
        video = torch.randint(CODES, (1, FRAMES, GRID, GRID), generator=torch.Generator().manual_seed(1))
        return counted, timed(training(lambda: nuwa(text=words, video=video, return_loss=True), optimizer, inside))
    nuwa.eval().requires_grad_(False)

    def one(n: int) -> None:
        """What its `generate` does for the token after n others, its two passes and all logits."""
        mask = words != 0
        said = nuwa.embed_text(words, mask=mask)
        x = nuwa.image_embedding(torch.randint(CODES, (1, n))) + nuwa.video_pos_emb()[:n]
        x = nuwa.video_transformer(torch.cat([nuwa.video_bos.expand(1, 1, -1), x], 1), context=said, context_mask=mask)
        nuwa.to_logits(x)
        nuwa.to_logits(nuwa.video_transformer(x, context=said, context_mask=torch.zeros_like(mask)))

    def first_frame() -> float:
        if how != "quick":
            return seconds(lambda: nuwa.generate(text=words, num_frames=1, cond_scale=GUIDANCE))
        points = {n: seconds(lambda n=n: one(n)) for n in (1, 64, 128, 256)}
        return sum((points[a] + points[b]) / 2 * (b - a) for a, b in pairwise(sorted(points)))

    def video() -> Figures:
        with torch.inference_mode(), inside():
            one(1)  # the first call is slow
            return integrated(first_frame(), {n: seconds(lambda n=n: one(n)) for n in PREFIXES})

    return counted, video


# -- the process -------------------------------------------------------------------------------------------------


def main() -> None:
    task, who, how, precision, threads, warm = sys.argv[1:]

    def build(inside: Inside) -> tuple[nn.Module, Work]:
        return {"ours": ours, "peer": peer, "dense": dense}[who](task, how, inside)

    imports = ("nuwa_pytorch",) if who == "peer" else ("storyreel.systems.godiva", "storyreel.nn.attention")
    absent = ABSENT if who == "peer" else None
    serve(build, imports=imports, absent=absent, precision=precision, threads=int(threads), warm=int(warm))


if __name__ == "__main__":
    main()
