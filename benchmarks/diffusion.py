"""Our Video U-Net side by side with three published ones: a training step, a step of sampling, memory.

    make bench-diffusion               or: python benchmarks/diffusion.py [--reps 3] [--threads N] [--quick | --smoke]

Peers: imagen-pytorch's Unet3D, make-a-video-pytorch's SpaceTimeUnet, diffusers' UNetSpatioTemporalConditionModel. Two
videos of 16 frames of 32x32, width 64 with multiples 1-2-4, text of 32 states of 512 (random: no text encoder is in any
number), AdamW; what each is given is told in `contenders/NAME.py`. Each contender runs in a process of its own, and
repetitions alternate between the processes, so that a busy moment of the machine hits everybody. What is told is the
median, by the wall and by the seconds of processor that were used, which a busy machine changes less. The peers are
installed without their dependencies into benchmarks/.peers, which git ignores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time

from contenders.child import Child, Result, alternate, install
from parts.results import machine, write_results

PACKAGES = ("imagen-pytorch==2.1.0", "make-a-video-pytorch==0.4.0", "diffusers==0.42.1", "beartype==0.23.1")
PEERS = {
    "imagen": "imagen-pytorch `Unet3D`",
    "make_a_video": "make-a-video-pytorch `SpaceTimeUnet`",
    "svd": "diffusers `UNetSpatioTemporalConditionModel`",
}
TASKS = {"train": "a training step", "sample": "a step of sampling"}
CONTENDERS = ("peer fp32", "peer bf16", "ours fp32", "ours bf16", "deeper bf16")
TARGETS = """Targets, against the faster of the peer's two precisions: imagen-pytorch at least 3 times as fast at both,
with at most 0.6 of the memory; make-a-video-pytorch 2.5 times; diffusers, the same network, 2 times with at most 0.6 of
the memory."""


def measure(peer: str, task: str, args: argparse.Namespace) -> dict[str, Result]:
    names = [name for name in args.who if peer != "svd" or not name.startswith("deeper")]
    children = {}
    for name in names:
        print(f"{PEERS[peer]}, {TASKS[task]}: {name} begins", file=sys.stderr)
        script = ("diffusion.py", peer, task, *name.split(), args.threads, args.warm, args.size)
        children[name] = Child(*script)
    return alternate(children, args.reps, f"{PEERS[peer]}, {TASKS[task]}")


def processor(result: Result) -> float:
    """Median seconds of processor."""
    return statistics.median(run["cpu"] for run in result.runs)


def table(results: dict[str, dict[str, Result]]) -> str:
    lines = [
        "| task | who | parameters | wall s | processor s | faster than the peer's best | by processor | peak MB "
        "| of the peer's best |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for task, each in results.items():
        peers = [r for n, r in each.items() if n.startswith("peer") and r.runs]
        for name, r in each.items():
            if r.failed or not r.runs:
                lines.append(f"| {TASKS[task]} | {name} | | fails | | | | | {r.failed.replace('|', '/')[:160]} |")
                continue
            wall = min((p.median for p in peers), default=0.0) / r.median
            used = min((processor(p) for p in peers), default=0.0) / processor(r)
            lines.append(
                f"| {TASKS[task]} | {name} | {r.parameters / 1e6:.2f} M | {r.median:.3f} | {processor(r):.3f} "
                f"| {wall:.2f}x | {used:.2f}x | {r.peak:.0f} "
                f"| {r.peak / min((p.peak for p in peers), default=float('nan')):.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--warm", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--who", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--quick", action="store_true", help="one repetition without warming up")
    parser.add_argument("--smoke", action="store_true", help="that at 8x8; writes no result")
    args = parser.parse_args()
    if args.quick or args.smoke:
        args.reps, args.warm = 1, 0
    args.size = 8 if args.smoke else args.size
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait in a loop would count as work
    install(PACKAGES[2:3] if args.peers == ["svd"] else PACKAGES)
    began = time.perf_counter()
    results = {peer: {task: measure(peer, task, args) for task in args.tasks} for peer in args.peers}
    told = "\n\n".join(f"## {PEERS[peer]}\n\n{table(each)}" for peer, each in results.items())
    print(told)
    if args.smoke:
        return
    on = machine(args.threads, ", ".join(PACKAGES[:3]))
    page = (
        f"{on}.\nTwo videos of 16 frames of {args.size}x{args.size}. Median of "
        f"{args.reps} repetitions after {args.warm} to warm up, contenders taking turns; "
        f"{time.perf_counter() - began:.0f} s in all. `make bench-diffusion` repeats it.\n\n{told}\n\n{TARGETS}\n\n"
        f"{NOTES.rstrip()}"
    )
    plain = {peer: {t: {n: vars(r) for n, r in e.items()} for t, e in each.items()} for peer, each in results.items()}
    found = {"machine": on, "reps": args.reps, "size": args.size, "results": plain}
    write_results("diffusion", "Video U-Nets side by side", page, **found)


NOTES = """## What is compared

- They are not the same network, but for diffusers', which ours is, with as many parameters. "ours" has one block a
  level, as the peers' setting says; the first two peers count that without a first block that every level has, so
  "deeper" has two.
- A step of sampling: imagen-pytorch by its own sampler (guidance in two passes, dynamic thresholding), ours the same
  with the text's keys and values made once for the two steps that are timed; make-a-video-pytorch has no sampler, and
  that of diffusers wants the other networks of its pipeline, so that our DDIM and Euler steps are on both sides.
- "bf16" is `torch.autocast("cpu", torch.bfloat16)` around the loss or the sampling, on both sides.
- Memory is the rise of resident memory at its peak, in a process of its own.
- No torch.compile on either side.
"""


if __name__ == "__main__":
    main()
