"""`storyreel evaluate` side by side: the Frechet distance against other ways to it, and one pass against its network.

    make bench-evaluate                or: python benchmarks/evaluate.py [--reps 3] [--threads N] [--smoke]

Frechet: the same features for all, 400 (I3D) and 2048 (Inception) of them, 2048 clips a side; means and covariances are
formed beforehand for everybody (but at d = 2048 ours starts from the features, and needs no covariance). `sqrtm` is
scipy's, as StyleGAN-V and most others use it; `eigvals` is what torchmetrics does (it is run itself where it is
installed). Repetitions alternate, so that a busy moment of the machine hits everybody; what is told is the median.

Throughput: features of clips from lossless files through the whole pass (read, decode, cut, batch, network) against
the network alone on frames that are already in memory. Both take turns over 16 clips, now one first and now the other;
every turn of the pass begins with nothing decoded. A clip's network takes a hundred times as long as its decoding, so
that a machine with something else to do moves the ratio more than the pass can: the CPU time, and the time that the
pass spends outside its network, stand beside it. The network is I3D with random weights, as slow as with real ones.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.results import machine, write_results
from torch import Tensor

PIECE, BATCH = 16, 4  # clips of a turn, and of one call of the network
TARGETS = {400: 8.0, 2048: 10.0}
BAR = """Bars: at least 8 times as fast as sqrtm at d = 400 and 10 times at d = 2048, to 1e-8; the pass within 10 % of
its network alone. torchmetrics, where it is not installed, is the form `torch eigvals`."""


def features(n: int, d: int, seed: int, scale: float) -> Tensor:
    """float32 (n, d) with a spectrum that falls as 1/k, as that of networks does."""
    rng = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(d, d, generator=rng))[0]
    return torch.randn(n, d, generator=rng) * torch.arange(1, d + 1).float().rsqrt() @ turn * scale + 0.02


class Sides:
    """Features of both sides, and their moments in each contender's form."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        from storyreel.evaluate.moments import Moments

        self.x, self.y = x, y
        self.moments = (Moments.of(x), Moments.of(y))
        self.apart = (self.moments[0].mean - self.moments[1].mean).square().sum()
        self.s1, self.s2 = (m.covariance() for m in self.moments)

    def distance(self, root: float) -> float:
        return float(self.apart + self.s1.trace() + self.s2.trace() - 2 * root)


def ours(sides: Sides) -> float:
    from storyreel.evaluate.frechet import frechet_distance, frechet_of_moments

    if len(sides.x) > sides.x.shape[1]:
        return frechet_of_moments(*sides.moments)
    return frechet_distance(sides.x, sides.y)


def by_sqrtm(sides: Sides) -> float:
    from scipy.linalg import sqrtm

    root: Any = sqrtm(sides.s1.numpy() @ sides.s2.numpy())
    return sides.distance(float(np.trace(root).real))


def by_eigvals(sides: Sides) -> float:
    return sides.distance(float(torch.linalg.eigvals(sides.s1 @ sides.s2).sqrt().real.sum()))


def by_torchmetrics(sides: Sides) -> float:
    from torchmetrics.image.fid import _compute_fid  # pyright: ignore[reportMissingImports]

    one, other = sides.moments
    return float(_compute_fid(one.mean, sides.s1, other.mean, sides.s2))


def contenders() -> dict[str, Callable[[Sides], float]]:
    found = {"ours": ours, "scipy sqrtm": by_sqrtm, "torch eigvals": by_eigvals}
    try:
        import torchmetrics.image.fid  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        return found
    return found | {"torchmetrics": by_torchmetrics}


def frechet(n: int, d: int, reps: int) -> dict[str, dict[str, Any]]:
    """Name -> median seconds (wall and CPU), value, relative difference from sqrtm, times as fast as sqrtm."""
    sides = Sides(features(n, d, 1, 1.0), features(n, d, 2, 1.1))
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders()}
    ours(Sides(sides.x[:64], sides.y[:64]))
    for turn in range(reps):
        for name, function in contenders().items():
            print(f"d {d}: {name}, {turn + 1} of {reps}", file=sys.stderr)
            wall, cpu = time.perf_counter(), time.process_time()
            value = function(sides)
            runs[name].append((time.perf_counter() - wall, time.process_time() - cpu, value))
    wanted = runs["scipy sqrtm"][0][2]
    median = {name: statistics.median(r[0] for r in each) for name, each in runs.items()}
    cpus = {name: statistics.median(r[1] for r in each) for name, each in runs.items()}
    return {
        name: {
            "seconds": median[name],
            "cpu_seconds": cpus[name],
            "value": each[0][2],
            "relative": abs(each[0][2] - wanted) / wanted,
            "faster": median["scipy sqrtm"] / median[name],
            "faster_cpu": cpus["scipy sqrtm"] / cpus[name],
        }
        for name, each in runs.items()
    }


class Watched:
    """A consumer of a pass, and the seconds that it itself took."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.seconds = inner, 0.0

    def take(self, batch: Any) -> None:
        began = time.perf_counter()
        self.inner.take(batch)
        self.seconds += time.perf_counter() - began


def write_clips(folder: Path, clips: int, side: int) -> None:
    """Lossless clips of 16 frames: blocks of noise that move sideways."""
    from storyreel.clip import Clip

    rng = np.random.default_rng(0)
    for i in range(clips):
        ground = rng.integers(0, 255, (side // 8, side // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        Clip(np.stack([np.roll(ground, 2 * t, 1) for t in range(16)])).save(folder / f"{i:04}.mkv")


def throughput(clips: int, side: int, reps: int) -> dict[str, Any]:
    """Seconds of the network alone and of the whole pass over the same clips, PIECE clips at a time, in turns."""
    from storyreel.clip import Clip
    from storyreel.evaluate.decode import Cut, one_pass
    from storyreel.evaluate.extractors import load_extractor
    from storyreel.evaluate.gather import Network
    from storyreel.evaluate.protocols import PROTOCOLS
    from storyreel.evaluate.sources import find

    extractor, cut = load_extractor("random-i3d"), Cut(PROTOCOLS["stylegan-v-fvd16"], 16)
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder), clips, side)
        sources = find(folder).sources
        held: list[Any] = [cut(Clip.open(s.file), 0) for s in sources]
        watched = Watched(Network(extractor))

        def alone(piece: slice) -> None:
            with torch.inference_mode():
                for at in range(0, len(held[piece]), BATCH):
                    extractor.features(torch.stack(held[piece][at : at + BATCH]))

        def whole(piece: slice) -> None:
            one_pass(sources[piece], cut, [watched], batch=BATCH)

        pieces = [slice(at, at + PIECE) for at in range(0, clips, PIECE)]
        alone(slice(BATCH))
        whole(slice(BATCH))  # both are warm now
        each = []
        for turn in range(reps):
            print(f"throughput: {turn + 1} of {reps}", file=sys.stderr)
            took = {name: np.zeros(2) for name in ("alone", "whole")}  # wall and CPU
            watched.seconds = 0.0
            for i, piece in enumerate(pieces):
                for way in (alone, whole) if (i + turn) % 2 else (whole, alone):
                    began = np.array([time.perf_counter(), time.process_time()])
                    way(piece)
                    took[way.__name__] += np.array([time.perf_counter(), time.process_time()]) - began
            each.append([took["alone"][0], took["whole"][0], *(took["whole"] / took["alone"]), watched.seconds])
    names = ("alone", "whole", "ratio", "ratio_cpu", "inside")
    found: dict[str, Any] = {n: statistics.median(c) for n, c in zip(names, zip(*each, strict=True), strict=True)}
    return {"clips": clips, "side": side, **found, "ratios": [e[2] for e in each]}


def page(each: dict[int, dict[str, dict[str, Any]]], passed: dict[str, Any], n: int) -> str:
    lines = ["| n | d | way | median s | CPU s | times sqrtm | times sqrtm, CPU | relative difference |"]
    lines.append("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for d, found in each.items():
        for name, r in found.items():
            lines.append(
                f"| {n} | {d} | {name} | {r['seconds']:.3f} | {r['cpu_seconds']:.3f} | {r['faster']:.1f} "
                f"| {r['faster_cpu']:.1f} | {r['relative']:.1e} |"
            )
    per = passed["clips"] / passed["whole"]
    lines += [
        "",
        f"A pass over {passed['clips']} clips of 16 frames, {passed['side']}x{passed['side']}, through I3D at 224x224: "
        f"{passed['whole']:.2f} s ({per:.2f} clips/s), {100 * (passed['ratio'] - 1):+.1f} % against the network alone "
        f"({passed['alone']:.2f} s); {100 * (passed['ratio_cpu'] - 1):+.1f} % in CPU time. Outside the network, "
        f"waiting for the decoder above all, {100 * (1 - passed['inside'] / passed['whole']):.1f} % of the pass.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--smoke", action="store_true", help="small sizes, one repetition; writes no result")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.smoke:
        args.n, args.clips, args.reps = 96, 4, 1
    sizes = (32, 128) if args.smoke else tuple(TARGETS)
    each = {d: frechet(args.n, d, args.reps) for d in sizes}
    passed = throughput(args.clips, 128, args.reps)
    told = page(each, passed, args.n)
    print(told)
    if args.smoke:
        return
    on = machine(args.threads)
    head = f"{on}.\nMedian of {args.reps} repetitions, taking turns. `make bench-evaluate` repeats it."
    found = {"machine": on, "reps": args.reps, "frechet": each, "throughput": passed}
    write_results(
        "evaluate", "Evaluating, beside other ways to the same figures", f"{head}\n\n{told}\n\n{BAR}", **found
    )


if __name__ == "__main__":
    main()
