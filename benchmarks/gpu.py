"""Networks on one device: clips a second trained and sampled, share of its peak, ours and the peers'.

    make bench-gpu                     or: python benchmarks/gpu.py [--device cuda] [--quick] [--batch 16]

The peers are those of benchmarks/phenaki.py and benchmarks/diffusion.py at the same settings, and run where they are
installed (in Python's path, or in benchmarks/.peers); `--install` fetches them. Each runs eagerly, then compiled. A
training step is a forward and a backward pass on a batch and a step of fused AdamW, under bf16 autocast on a GPU. A
clip is sampled by 8 steps of two passes each (with and without the text), without a decoder, of ours and of theirs
alike. The peak is that of a large matrix product in bf16, timed in the same run; FLOPs are counted by PyTorch in the
eager run. On a CPU it is always `--quick`: one small clip, one repetition, nothing compiled and nothing written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parts.results import write_results

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "contenders")]
ABSENT = {  # what the peers import and never run here
    "phenaki": ("torchvision", "transformers", "accelerate", "cv2"),
    "imagen": ("torchvision", "transformers", "accelerate", "kornia", "datasets", "pytorch_warmup", "ema_pytorch"),
}
STEPS = 8  # of sampling, two passes each
PAIRS = ("phenaki", "imagen", "make_a_video", "svd")


@dataclass
class Row:
    """One network in one way: milliseconds of a training step and of a pass, clips a second, share of the peak."""

    name: str
    compiled: bool
    parameters: int = 0
    train_ms: float = 0.0
    pass_ms: float = 0.0
    trained: float = 0.0
    sampled: float = 0.0
    peak_share: float = 0.0
    failed: str = ""


@dataclass
class Network:
    """The networks that learn, the loss of a batch, and what is compiled."""

    net: Any
    loss: Callable[[], Any]
    batch: int
    compile: Callable[[], object]


@contextmanager
def standing_in(absent: Sequence[str]) -> Iterator[None]:
    """Modules of these packages are stand-ins for the length of the block, and are forgotten afterwards."""
    from stand_ins import StandIns

    def ours(name: str) -> bool:
        return name.partition(".")[0] in absent

    before = {name: module for name, module in sys.modules.items() if ours(name)}
    for name in before:
        del sys.modules[name]
    finder: Any = StandIns(absent)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def networks(pair: str, who: str, device: Any, batch: int, size: int) -> Network:
    """ours or peer, of one pair, on the device. ImportError where a peer is not installed."""
    import torch

    torch.manual_seed(0)
    if pair == "phenaki":
        return _phenaki(who, device, batch)
    import diffusion  # benchmarks/contenders

    frames, words, dim = diffusion.FRAMES, diffusion.WORDS, diffusion.TEXT_DIM
    channels = 4 if pair == "svd" else 3
    x = torch.randn(batch, channels, frames, size, size, device=device)
    text, mask = (
        torch.randn(batch, words, dim, device=device),
        torch.ones(batch, words, dtype=torch.bool, device=device),
    )
    level = torch.linspace(-4, 4, batch, device=device)
    contender = __import__(pair)  # the file of the peer's name
    net = (contender.peer(size) if who == "peer" else contender.ours(size, deeper=False)).net.to(device)

    def output() -> Any:
        if pair == "imagen":
            return net(x, level, text_embeds=text) if who == "peer" else net(x, level, net.text_memory(text, mask))
        if pair == "make_a_video":
            return net(x, timestep=level) if who == "peer" else net(x, level)
        if who == "peer":
            ids = torch.tensor([[6.0, 127.0, 0.02]], device=device).expand(batch, -1)
            both = torch.cat([x, x], 1).transpose(1, 2)
            return net(both, level, text, ids, return_dict=False)[0].transpose(1, 2)
        told = torch.ones(batch, device=device)
        return net(x, level, net.text_memory(text, mask), extra=x, augmentation=7.8 * told, fps=6 * told)

    return Network(net, lambda: (output().float() - x).square().mean(), batch, net.compile)


def _phenaki(who: str, device: Any, batch: int) -> Network:
    """The masked transformer over codes that are given: phenaki-pytorch's, or ours."""
    import phenaki  # benchmarks/contenders
    import torch

    codes = torch.randint(phenaki.CODES, (batch, phenaki.LATENTS, phenaki.GRID, phenaki.GRID), device=device)
    text = torch.randn(batch, phenaki.WORDS, phenaki.TEXT_DIM, device=device)
    if who == "peer":
        from phenaki_pytorch import CViViT, MaskGit, Phenaki  # type: ignore[import-not-found]

        cvivit = CViViT(
            dim=phenaki.DIM, codebook_size=phenaki.CODES, image_size=phenaki.SIZE, patch_size=phenaki.PATCH,
            temporal_patch_size=phenaki.TUBE, spatial_depth=1, temporal_depth=1, dim_head=32, heads=phenaki.HEADS,
            use_vgg_and_gan=False,
        )  # fmt: skip
        net = MaskGit(
            dim=phenaki.DIM, num_tokens=phenaki.CODES, max_seq_len=1024, dim_head=phenaki.DIM // phenaki.HEADS,
            heads=phenaki.HEADS, depth=phenaki.PRIOR_DEPTH, dim_context=phenaki.TEXT_DIM,
        )  # fmt: skip
        whole = Phenaki(cvivit=cvivit, maskgit=net, steps=18, text_embed_dim=phenaki.TEXT_DIM).to(device)
        return Network(net, lambda: whole(video_codebook_ids=codes, text_embeds=text), batch, net.compile)
    from storyreel.systems.base import Tick
    from storyreel.systems.phenaki import MaskGit, MaskGitConfig
    from storyreel.systems.phenaki_tokenizer import CViViTConfig
    from storyreel.train.stage_setup import compile_stage

    tokenizer = CViViTConfig(
        size=phenaki.SIZE, patch=phenaki.PATCH, tube=phenaki.TUBE, dim=phenaki.DIM, space_depth=1, time_depth=1,
        heads=phenaki.HEADS, mlp=4 * phenaki.DIM, num_codes=phenaki.CODES, adversarial=0.0, image_perceptual=0.0,
        video_perceptual=0.0,
    ).build()  # fmt: skip
    prior = MaskGit(
        MaskGitConfig(
            latent_frames=phenaki.LATENTS, dim=phenaki.DIM, depth=phenaki.PRIOR_DEPTH, heads=phenaki.HEADS,
            mlp=4 * phenaki.DIM, text_dim=phenaki.TEXT_DIM,
        ),
        tokenizer.requires_grad_(False),
    ).to(device)  # fmt: skip
    given = {"codes": codes.flatten(2)[..., None], "text": text}
    given["text_mask"] = torch.ones(text.shape[:2], dtype=torch.bool, device=device)
    rng = torch.Generator(device).manual_seed(0)
    return Network(prior, lambda: prior.loss(given, Tick(0, "main", rng)).total, batch, lambda: compile_stage(prior))


def measure(name: str, made: Network, *, compiled: bool, reps: int, peak: float) -> Row:
    """Milliseconds are medians of `reps`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    learning = [p for p in made.net.parameters() if p.requires_grad]
    device = learning[0].device
    row = Row(name, compiled, sum(p.numel() for p in learning))
    optimizer = torch.optim.AdamW(learning, lr=1e-4, fused=True)

    def inside() -> Any:
        return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def step() -> None:
        with inside():
            loss = made.loss()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def one_pass() -> None:
        with torch.no_grad(), inside():
            made.loss()

    with FlopCounterMode(display=False) as counter:
        step()
    flops = counter.get_total_flops()
    if compiled:
        made.compile()
    row.train_ms, row.pass_ms = (_median(work, reps, device) * 1e3 for work in (step, one_pass))
    row.trained = made.batch / row.train_ms * 1e3
    row.sampled = made.batch / (2 * STEPS * row.pass_ms) * 1e3
    row.peak_share = flops / (row.train_ms / 1e3) / peak
    return row


def peak_of(device: Any, size: int, reps: int) -> float:
    """FLOP/s of a square matrix product, in bf16 on a GPU and fp32 on a CPU."""
    import torch

    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    a = torch.randn(size, size, device=device, dtype=kind)
    return 2 * size**3 / _median(lambda: a @ a, reps, device)


def _median(work: Callable[[], object], reps: int, device: Any) -> float:
    import statistics

    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = []
    for rep in range(reps + 2):  # two to warm up
        wait()
        began = time.perf_counter()
        work()
        wait()
        if rep >= 2:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def table(rows: list[Row]) -> str:
    lines = [
        "| network | | parameters | train step | clips/s trained | pass | clips/s sampled | share of peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        how = "compiled" if row.compiled else "eager"
        if row.failed:
            lines.append(f"| {row.name} | {how} | {row.failed} | | | | | |")
            continue
        lines.append(
            f"| {row.name} | {how} | {row.parameters / 1e6:.1f} M | {row.train_ms:.1f} ms | {row.trained:.1f} | "
            f"{row.pass_ms:.1f} ms | {row.sampled:.2f} | {row.peak_share:.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=32, help="pixels of the U-Nets' videos")
    parser.add_argument("--reps", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="one clip of 16 pixels, one repetition, nothing compiled")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--install", action="store_true", help="fetch the peers first")
    parser.add_argument("--pairs", default=",".join(PAIRS))
    args = parser.parse_args()
    import torch

    if args.install:
        _install()
    sys.path.append(str(HERE / ".peers"))  # once it is there: Python remembers paths that are not
    name = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    device = torch.device(name)
    args.quick = args.quick or device.type == "cpu"
    if args.quick:
        args.batch, args.size, args.reps, args.no_compile = 1, 16, 1, True
    peak = peak_of(device, 8192 if device.type == "cuda" else 512, max(3, args.reps))
    rows = []
    for pair in args.pairs.split(","):
        for who in ("ours", "peer"):
            for compiled in (False,) if args.no_compile else (False, True):
                label = f"{pair}, {who}"
                try:
                    with standing_in(ABSENT.get(pair, ()) if who == "peer" else ()):
                        made = networks(pair, who, device, args.batch, args.size)
                    rows.append(measure(label, made, compiled=compiled, reps=args.reps, peak=peak))
                except Exception as error:
                    why = f"{type(error).__name__}: {error}".splitlines()[0][:120]
                    rows.append(Row(label, compiled, failed=why))
                print(f"{label}: {asdict(rows[-1])}", file=sys.stderr, flush=True)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    head = f"{card}, torch {torch.__version__}, batch {args.batch}, peak measured {peak / 1e12:.2f} TFLOP/s"
    print(f"{head}\n\n{table(rows)}")
    if any(row.failed for row in rows if row.name.endswith("ours")):
        sys.exit(1)
    if args.quick:
        return
    found = {"peak": peak, "rows": [asdict(row) for row in rows]}
    write_results("gpu", "Networks on one device", f"{head}\n\n{table(rows)}", machine=head, **found)


def _install() -> None:
    import ast

    from child import install

    for file in ("phenaki.py", "diffusion.py"):
        tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PACKAGES":
                install(ast.literal_eval(node.value))


if __name__ == "__main__":
    main()
