"""Phenaki side by side with phenaki-pytorch (lucidrains): training steps, sampling and memory, in one run.

    make bench-phenaki                 or: python benchmarks/phenaki.py [--reps 7] [--threads N] [--smoke]

Both have the same width, depth, heads, tokens, steps and batch; each runs in a process of its own, and repetitions
alternate between the processes, so that a busy moment of the machine hits everybody. What is told is the median after
warm-up, and the peak of resident memory above what was there when the imports were done. Text is random states: no
text encoder is in any number. The peer is installed without its dependencies into benchmarks/.peers, which git
ignores; see `contenders/phenaki.py` for what it needs to run.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from contenders.child import Child, Result, alternate, install
from parts.results import machine, write_results

HERE = Path(__file__).parent
PACKAGES = (
    "phenaki-pytorch==0.5.0",
    "vector-quantize-pytorch==1.32.0",
    "ema-pytorch==0.8.3",
    "einx==0.4.3",
    "torch-einops-utils==0.2.0",
    "beartype==0.23.1",
    "frozendict==2.5.1",
    "loguru==0.7.3",
)

TASKS = {
    "tokenizer": "tokenizer, train step (4 clips)",
    "prior": "prior, train step (4 clips, codes given)",
    "both": "both, a train step each",
    "sample": "sample a video (18 steps, guidance 3, decoded)",
}
CONTENDERS = ("peer fp32", "ours fp32", "peer bf16", "ours bf16")
TARGETS = """Targets: a train step at least 1.6x as fast, sampling at least 3x, peak memory at most 0.7x; the ratios are
to the peer in fp32, the only precision that it was written for."""


def measure(task: str, args: argparse.Namespace) -> dict[str, Result]:
    children = {
        name: Child("phenaki.py", task, *name.split(), args.threads, 1 if args.smoke else 3) for name in CONTENDERS
    }
    return alternate(children, args.reps, TASKS[task])


def table(results: dict[str, dict[str, Result]]) -> str:
    lines = [
        "| task | who | parameters | median s | range s | faster than peer fp32 | peak MB | memory of peer fp32 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for task, each in results.items():
        base = each["peer fp32"]
        for name, r in each.items():
            if r.failed or not r.seconds:
                lines.append(f"| {TASKS[task]} | {name} | | fails | | | | {r.failed.replace('|', '/')[:160]} |")
                continue
            ratio = f"{base.median / r.median:.2f}x" if base.seconds else "--"
            memory = f"{r.peak / base.peak:.2f}x" if base.peak else "--"
            spread = f"{min(r.seconds):.3f} to {max(r.seconds):.3f}"
            lines.append(
                f"| {TASKS[task]} | {name} | {r.parameters / 1e6:.2f} M | {r.median:.3f} | {spread} "
                f"| {ratio} | {r.peak:.0f} | {memory} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--smoke", action="store_true", help="one repetition; writes no result")
    args = parser.parse_args()
    args.reps = 1 if args.smoke else args.reps
    install(PACKAGES)
    began = time.perf_counter()
    results = {task: measure(task, args) for task in args.tasks}
    told = table(results)
    print(told)
    if args.smoke:
        return
    on = machine(args.threads, PACKAGES[0])
    page = (
        f"{on}.\nMedian of {args.reps} repetitions "
        f"after three to warm up, contenders taking turns; {time.perf_counter() - began:.0f} s in all. "
        f"`make bench-phenaki` repeats it.\n\n"
        f"{told}\n\n{TARGETS}\n\n{(HERE / 'contenders' / 'phenaki.md').read_text().rstrip()}"
    )
    data = {
        t: {
            n: {"seconds": r.seconds, "peak": r.peak, "parameters": r.parameters, "failed": r.failed}
            for n, r in each.items()
        }
        for t, each in results.items()
    }
    write_results("phenaki", "Phenaki beside phenaki-pytorch", page, machine=on, reps=args.reps, results=data)


if __name__ == "__main__":
    main()
