"""What each sampler errs by at equal evaluations of the network, on a denoiser that has no error of its own.

    make bench-samplers                or: python benchmarks/samplers.py [--smoke]

The data is a mixture of eight narrow Gaussians on a circle, whose denoiser is a formula. First: the root mean square
distance, over 1,000 starts, to where the exact flow ends. Then, for samplers that draw noise too: the sliced
Wasserstein distance of 10,000 samples to the data. Half a minute; no network is in it, so it ranks samplers and grids,
and says nothing of guidance or of errors that a network makes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

import torch
from parts.exact import ring
from parts.results import write_results
from torch import Tensor

from storyreel.diffusion.samplers import Sampler, ancestral, ddim, dpm_solver, heun, starting_noise, stochastic
from storyreel.diffusion.schedules import Cosine, NoiseLevel, karras, uniform_logsnr, uniform_time

BUDGETS = (4, 8, 16, 32, 64, 128)
DATA, SCHEDULE = ring(8, deviation=0.1), Cosine()

Grid = Callable[[int], NoiseLevel]
TIME: Grid = partial(uniform_time, SCHEDULE)
LOGSNR: Grid = partial(uniform_logsnr, SCHEDULE)
KARRAS: Grid = partial(karras, SCHEDULE)
EXACT: dict[str, tuple[Sampler, Grid]] = {
    "DDIM, equal times": (ddim, TIME),
    "DDIM, equal log-SNR": (ddim, LOGSNR),
    "DDIM, Karras": (ddim, KARRAS),
    "DPM-Solver++(2M), equal times": (dpm_solver, TIME),
    "DPM-Solver++(2M), equal log-SNR": (dpm_solver, LOGSNR),
    "DPM-Solver++(2M), equal log-SNR from -20 to 20": (
        dpm_solver,
        partial(uniform_logsnr, SCHEDULE, start=-20, end=20),
    ),
    "DPM-Solver++(2M), Karras": (dpm_solver, KARRAS),
    "Heun, Karras": (heun, lambda budget: KARRAS((budget + 1) // 2)),
}
DRAWN: dict[str, tuple[Sampler, Grid]] = {
    "DDIM, equal times": (ddim, TIME),
    "DPM-Solver++(2M), equal log-SNR": (dpm_solver, LOGSNR),
    "ancestral, gamma 0, equal times": (partial(ancestral, gamma=0.0), TIME),
    "ancestral, gamma 0.3, equal times": (partial(ancestral, gamma=0.3), TIME),
    "ancestral, gamma 1, equal times": (partial(ancestral, gamma=1.0), TIME),
    "stochastic (of distilled nets), equal times": (stochastic, TIME),
}


def rng(seed: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed)]


def from_flow(budgets: tuple[int, ...], starts: int, steps: int) -> dict[str, list[float]]:
    """RMS distances to the flow's end, which many small steps of the best of them find."""
    noise = torch.randn(1, starts, 2, generator=rng(0)[0], dtype=torch.float64)
    end = dpm_solver(DATA, noise, uniform_logsnr(SCHEDULE, steps, start=-20, end=20))

    def error(sampler: Sampler, levels: NoiseLevel) -> float:
        return float((sampler(DATA, noise, levels) - end).square().sum(-1).mean().sqrt())

    return {name: [error(sampler, grid(n)) for n in budgets] for name, (sampler, grid) in EXACT.items()}


def sliced(one: Tensor, other: Tensor) -> float:
    """Sliced 2-Wasserstein distance of equally many points (n, 2), over 32 directions."""
    angle = torch.arange(32, dtype=torch.float64) * torch.pi / 32
    along = torch.stack([angle.cos(), angle.sin()])
    return float(((one @ along).sort(0).values - (other @ along).sort(0).values).square().mean().sqrt())


def from_data(budgets: tuple[int, ...], count: int) -> dict[str, list[float]]:
    data = DATA.draw(count, rng(1)[0])

    def error(sampler: Sampler, levels: NoiseLevel) -> float:
        z = starting_noise((1, count, 2), levels, rng(2)).double()
        return sliced(sampler(DATA, z, levels, rng=rng(3))[0], data)

    found = {name: [error(sampler, grid(n)) for n in budgets] for name, (sampler, grid) in DRAWN.items()}
    return found | {"(other samples of the data)": [sliced(DATA.draw(count, rng(4)[0]), data)] * len(budgets)}


def table(results: dict[str, list[float]], budgets: tuple[int, ...]) -> str:
    best = [min(column) for column in zip(*(v for k, v in results.items() if k[0] != "("), strict=True)]
    lines = ["| evaluations | " + " | ".join(map(str, budgets)) + " |", "| --- |" + " ---: |" * len(budgets)]
    for name, values in results.items():
        cells = [f"**{v:.4f}**" if v == low else f"{v:.4f}" for v, low in zip(values, best, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="small; writes no result")
    args = parser.parse_args()
    torch.set_num_threads(1)
    budgets = BUDGETS[:2] if args.smoke else BUDGETS
    print("samplers: half a minute", file=sys.stderr)
    flow = from_flow(budgets, 100 if args.smoke else 1000, 200 if args.smoke else 1000)
    drawn = from_data(budgets, 500 if args.smoke else 10_000)
    told = (
        f"RMS distance to the end of the exact flow\n\n{table(flow, budgets)}\n\n"
        f"Sliced Wasserstein distance to the data\n\n{table(drawn, budgets)}\n"
    )
    print(told)
    if args.smoke:
        return
    found = {"torch": torch.__version__, "budgets": budgets, "flow": flow, "data": drawn}
    write_results("samplers", "Samplers on an exact mixture", told.rstrip(), **found)


if __name__ == "__main__":
    main()
