"""StyleSV side by side with its released code: a step of generator and critic, a sampled frame, memory.

    git clone https://github.com/genforce/StyleSV DIR       a licence for research alone; nothing of it is ours
    STYLESV=DIR make bench-stylesv
    python benchmarks/stylesv.py --checkout DIR [--reps 5] [--threads 2] [--smoke]

Equal sizes (64 pixels, 8 filtered layers, 512 channels at the bottom, three frames of one clip), random weights, the
peer's reference operations, since its own are for CUDA alone. Each contender runs in a process of its own, and
repetitions alternate between the processes. Without a checkout ours are timed alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

from contenders.child import Child, Result, alternate
from parts.results import machine, write_results

PEER = "released code"
WHO = {  # label -> who, precision
    PEER: ("peer", "fp32"),
    "ours": ("ours", "fp32"),
    "ours, bf16": ("ours", "bf16"),
}
TASKS = {"train": "A step of generator and critic", "sample": "A sampled frame, 16 at a time"}
TARGETS = """Targets: a step at least 3 times as fast, a frame at least 5 times, at most half of the memory."""
NOTES = """Processor seconds, the median: on a busy machine they say more than seconds on the wall, which stand beside
them. Neither step has R1, nor augmentation. Memory is the rise of resident memory at its peak, in a process of its own.
"""


def measure(task: str, args: argparse.Namespace) -> dict[str, Result]:
    who = {label: each for label, each in WHO.items() if args.checkout or label != PEER}
    children = {
        label: Child("stylesv.py", task, name, args.checkout or "-", precision, args.threads, 1)
        for label, (name, precision) in who.items()
    }
    return alternate(children, args.reps, task)


def processor(result: Result) -> float:
    return statistics.median(run["cpu"] for run in result.runs)


def table(results: dict[str, Result]) -> str:
    lines = [
        "| who | parameters | processor s | range s | wall s | faster than the peer | peak MB | of the peer |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = results.get(PEER, Result())
    for label, r in results.items():
        if r.failed or not r.runs:
            lines.append(f"| {label} | | fails | | | | | {r.failed.replace('|', '/')[:160]} |")
            continue
        used = [run["cpu"] for run in r.runs]
        ratio = f"{processor(base) / processor(r):.1f}x" if base.runs else "--"
        memory = f"{r.peak / base.peak:.2f}x" if base.peak else "--"
        lines.append(
            f"| {label} | {r.parameters / 1e6:.2f} M | {processor(r):.3f} | {min(used):.3f} to {max(used):.3f} "
            f"| {r.median:.3f} | {ratio} | {r.peak:.0f} | {memory} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", default=os.environ.get("STYLESV", ""), help="of the released code")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="one repetition; writes no result")
    args = parser.parse_args()
    args.reps = 1 if args.smoke else args.reps
    networks = Path(args.checkout) / "src" / "training" / "networks.py"
    if args.checkout and not networks.is_file():
        parser.error(f"--checkout {args.checkout}: no {networks}; expected a clone of github.com/genforce/StyleSV")
    if not args.checkout:
        print("no checkout of the released code (--checkout DIR, or $STYLESV): ours alone", file=sys.stderr)
    results = {task: measure(task, args) for task in TASKS}
    told = "\n\n".join(f"## {title}\n\n{table(results[task])}" for task, title in TASKS.items())
    print(told)
    if args.smoke or not args.checkout:
        return
    on = machine(args.threads, "StyleSV as released")
    page = f"{on}.\n{args.reps} repetitions after one to warm up, contenders taking turns; `make bench-stylesv`."
    page += f"\n\n{told}\n\n{TARGETS}\n\n{NOTES.rstrip()}"
    plain = {task: {label: vars(r) for label, r in found.items()} for task, found in results.items()}
    write_results("stylesv", "StyleSV beside its released code", page, machine=on, reps=args.reps, results=plain)


if __name__ == "__main__":
    main()
