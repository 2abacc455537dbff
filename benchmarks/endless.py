"""Memory of a video of ten minutes by a video GAN, written while it is made.

    make bench-endless                 or: python benchmarks/endless.py [--recipe NAME | --model FOLDER] [--seconds 600]

A process of its own streams the video to an .mp4 and tells its resident memory after each part of 16 frames. The first
and the last minute of the video are compared by their medians. Without `--model` the weights of `--recipe` are random:
memory does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from parts.results import machine, write_results

LIMIT = 50  # MiB


def memory(name: str) -> float:
    """MiB resident now (VmRSS) or at most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def child(recipe: str, folder: str, seconds: float) -> None:
    """Streams, and prints what was resident after each part."""
    import torch

    from storyreel import load, recipes
    from storyreel.clip import ClipStream
    from storyreel.model import save_model
    from storyreel.options.generation import GenerateOptions
    from storyreel.video_io import write

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as place:
        if not folder:
            made = recipes.get(recipe)
            folder = str(save_model(Path(place) / "random", made.system.build(), recipe=made, card="", training={}))
        stream = load(folder).stream(GenerateOptions.of({"seconds": seconds}), 0)
        if not isinstance(stream, ClipStream):
            raise SystemExit(f"{folder}: its videos are made as a whole")
        sizes: list[float] = []

        def parts() -> Iterator[np.ndarray]:
            for part in stream.parts():
                yield part
                sizes.append(memory("VmRSS"))  # when the writer wants the next part

        file = write(stream.replace(parts=parts), Path(place) / "video.mp4")
        found = {"frames": len(stream), "fps": float(stream.fps), "size": stream.size, "file": file.stat().st_size}
    peak = memory("VmHWM")
    print(json.dumps({**found, "sizes": sizes, "peak": peak, "processor": time.process_time()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="video_gan_tiny", help="whose random weights make the video")
    parser.add_argument("--model", default="", help="a model folder instead")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true", help="two seconds; writes no result")
    args = parser.parse_args()
    seconds = 2 if args.smoke else args.seconds
    if args.child:
        child(args.recipe, args.model, args.seconds)
        return
    command = [sys.executable, __file__, "--child", "--recipe", args.recipe, "--model", args.model]
    told = subprocess.run([*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(told.splitlines()[-1])
    sizes = found["sizes"]
    minute = max(1, round(60 * len(sizes) / seconds))
    first, last = (statistics.median(part) for part in (sizes[:minute], sizes[-minute:]))
    page = (
        f"{machine(1)}.\n`{args.model or args.recipe}`: {found['frames']} frames of {found['size'][0]}x"
        f"{found['size'][1]}, {seconds:g} s at {found['fps']:g} frames a second, {found['processor']:.0f} s of "
        f"processor, a file of {found['file'] / 2**20:.1f} MiB.\n\n"
        f"| resident MiB | |\n| --- | ---: |\n| first minute, median | {first:.1f} |\n"
        f"| last minute, median | {last:.1f} |\n| after any part, at most | {max(sizes):.1f} |\n"
        f"| peak of the process | {found['peak']:.1f} |\n| growth | {last - first:.1f} |\n\n"
        f"Target: the last minute, and any part, at most {LIMIT} MiB above the first minute: "
        f"{'met' if max(sizes) - first <= LIMIT else 'missed'}."
    )
    print(page)
    if not args.smoke:
        write_results("endless", "Memory of a video of ten minutes", page, seconds=seconds, **found)


if __name__ == "__main__":
    main()
