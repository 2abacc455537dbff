"""GODIVA side by side with nuwa-pytorch (lucidrains): a video, a training step, memory; and what the axes give.

    make bench-godiva                  or: python benchmarks/godiva.py [--reps 3] [--quick | --scale | --smoke]

Equal width (256), depth (6), heads (8) and tokens (2,560: ten frames of 16x16), guidance in both. Each contender runs
in a process of its own, and repetitions alternate between the processes, so that a busy moment of the machine hits
everybody. The peer takes over an hour for one video: its first frame is made as its `generate` makes it, then single
steps are timed after 256, 768, 1,536 and 2,559 tokens, and the time between is integrated (trapezoidal rule). The same
is done for a dense transformer of our own blocks whose keys and values are kept. Ours are whole videos. The peer is
installed without its dependencies into benchmarks/.peers, which git ignores; `contenders/godiva.py` says what it needs
to run. Text encoders: the peer's one layer is in its numbers, ours (frozen states) in none.
"""

from __future__ import annotations

import argparse
import sys
import time

from contenders.child import Child, Result, install
from parts.results import machine, write_results

PACKAGES = (
    "nuwa-pytorch==0.7.8",
    "unfoldNd==0.2.3",
    "vector-quantize-pytorch==1.32.0",
    "einx==0.4.3",
    "torch-einops-utils==0.2.0",
    "frozendict==2.5.1",
    "loguru==0.7.3",
)
TOKENS = 2560
TABLES: dict[str, dict[str, tuple[str, str, str]]] = {  # task -> label -> (who, how, precision)
    "video": {
        "nuwa-pytorch": ("peer", "", "fp32"),
        "dense, cached": ("dense", "", "fp32"),
        "ours, token by token": ("ours", "one", "fp32"),
        "ours, token by token, 8 candidates": ("ours", "eight", "fp32"),
        "ours, in waves": ("ours", "waves", "fp32"),
        "ours, in waves, bf16": ("ours", "waves", "bf16"),
    },
    "train": {
        "nuwa-pytorch": ("peer", "", "fp32"),
        "ours": ("ours", "", "fp32"),
        "ours, bf16": ("ours", "", "bf16"),
    },
}
SCALE = ("640", "2560", "5120", "10240")
TARGETS = """Targets: a whole video at least 500 times as fast as the peer, a training step at least 4 times, its memory
at most 0.4; under 2 ms a token at batch 1 with guidance; 8 candidates at least 4 times the throughput of one, token by
token; time a token flat to within 20 % from 640 to 10,240 tokens."""


def child_of(task: str, contender: tuple[str, str, str], threads: int, warm: int) -> Child:
    who, how, precision = contender
    return Child("godiva.py", task, who, how or "-", precision, threads, warm)


def measure(task: str, contenders: dict[str, tuple[str, str, str]], args: argparse.Namespace) -> dict[str, Result]:
    children = {}
    for label, each in contenders.items():
        quick = task == "train" or each[1] == "waves"
        children[label] = child_of(task, each, args.threads, 1 if quick else 0)
    for turn in range(args.reps):
        for label, child in children.items():
            if turn == 0 or task != "video" or contenders[label][0] != "peer":  # one run of the peer is minutes
                print(f"{task}: {label}, {turn + 1} of {args.reps}", file=sys.stderr)
                child.repeat()
    return {label: child.end() for label, child in children.items()}


def table(results: dict[str, Result], unit: str, per: int) -> str:
    lines = [
        f"| who | parameters | median s | range s | ms a {unit} | faster than the peer | peak MB | of the peer |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base = results.get("nuwa-pytorch", Result())
    for label, r in results.items():
        if r.failed or not r.runs:
            lines.append(f"| {label} | | fails | | | | | {r.failed.replace('|', '/')[:160]} |")
            continue
        ratio = f"{base.median / r.median:,.1f}x" if base.runs else "--"
        memory = f"{r.peak / base.peak:.2f}x" if base.peak else "--"
        lines.append(
            f"| {label} | {r.parameters / 1e6:.2f} M | {r.median:.3f} | {min(r.seconds):.3f} to {max(r.seconds):.3f} "
            f"| {1e3 * r.median / per:.3f} | {ratio} | {r.peak:.0f} | {memory} |"
        )
    return "\n".join(lines)


def scale(args: argparse.Namespace) -> tuple[str, dict[str, dict[str, Result]]]:
    """Time a token against the number of tokens, one by one and in waves."""
    found: dict[str, dict[str, Result]] = {}
    hows = {"token by token": ("ours", "one", "fp32"), "in waves": ("ours", "waves", "fp32")}
    children = {(t, h): child_of(t, each, args.threads, 0) for t in SCALE for h, each in hows.items()}
    for turn in range(args.reps):
        for (task, how), child in children.items():
            print(f"{task} tokens, {how}: {turn + 1} of {args.reps}", file=sys.stderr)
            child.repeat()
    for (task, how), child in children.items():
        found.setdefault(how, {})[task] = child.end()
    lines = [
        "| ms a token, fastest run | " + " | ".join(f"{int(n):,} tokens" for n in SCALE) + " | largest to smallest |"
    ]
    lines.append("| --- |" + " ---: |" * (len(SCALE) + 1))
    for how, each in found.items():
        ms = [1e3 * min(each[n].seconds, default=float("nan")) / int(n) for n in SCALE]
        lines.append(f"| {how} | " + " | ".join(f"{v:.3f}" for v in ms) + f" | {max(ms) / min(ms):.2f}x |")
    return "\n".join(lines), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the peer's first frame too from single steps")
    parser.add_argument("--scale", action="store_true", help="time a token against tokens alone; writes no result")
    parser.add_argument("--smoke", action="store_true", help="one repetition of the training step; writes no result")
    args = parser.parse_args()
    args.reps = 1 if args.smoke else args.reps
    if args.scale:
        print(scale(args)[0])
        return
    install(PACKAGES)
    began = time.perf_counter()
    train = measure("train", TABLES["train"], args)
    told = f"## A training step (one clip, codes given)\n\n{table(train, 'step', 1)}"
    print(told)
    if args.smoke:
        return
    if args.quick:
        TABLES["video"]["nuwa-pytorch"] = ("peer", "quick", "fp32")
    video = measure("video", TABLES["video"], args)
    grown, scaled = scale(args)
    told = f"## A video of {TOKENS:,} tokens, guidance 2\n\n{table(video, 'token', TOKENS)}\n\n{told}"
    told = f"{told}\n\n## Time a token against the number of tokens\n\n{grown}"
    print(told)
    on, notes = machine(args.threads, PACKAGES[0]), NOTES + (QUICK if args.quick else "")
    page = (
        f"{on}.\nMedian of {args.reps} repetitions (the peer's "
        f"video: one), training steps and waves after one to warm up, contenders taking turns; "
        f"{time.perf_counter() - began:.0f} s in all. `make bench-godiva` repeats it.\n\n"
        f"{told}\n\n{TARGETS}\n\n{notes.rstrip()}"
    )
    plain = {
        "video": {n: vars(r) for n, r in video.items()},
        "train": {n: vars(r) for n, r in train.items()},
        "scale": {how: {n: vars(r) for n, r in each.items()} for how, each in scaled.items()},
    }
    write_results("godiva", "GODIVA beside nuwa-pytorch", page, machine=on, reps=args.reps, results=plain)


QUICK = """- This was a `--quick` run: the peer's first frame, too, was integrated, from steps after 1, 64, 128 and 256
  tokens.
"""
NOTES = """## What is compared

- The peer's and the dense video are **integrated**, not made whole: the first frame is timed as a whole, single steps
  after 256, 768, 1,536 and 2,559 tokens, the trapezoidal rule between.
- The peer attends to a neighbourhood of 3x3x3 tokens, ours along three axes; both make 2,560 tokens from a text at
  equal width, depth and heads. The peer also has token shift, sandwich norms and talking heads.
- The peer keeps no keys and values, runs the whole prefix again for each token, and computes all logits each time.
- "In waves" draws all tokens at once that cannot see one another; the codes are those of "token by token" (a test).
- "8 candidates" and the time token by token against the number of tokens come from 160 tokens spread over the video: a
  token's cost does not depend on what comes before it. The video "token by token" is made whole.
- Memory is the rise of resident memory at its peak, in a process of its own.
"""


if __name__ == "__main__":
    main()
