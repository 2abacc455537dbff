"""Valid films, broken in thousands of ways, and measured in a process that may die or hang without taking others along.

    python tests/curate/mutated.py [--count 10000] [--first 0] [--limit 20] [--list FILE]

Prints how many were measured or refused in one line, and each that crashed, hung or raised anything else; exits 1 if
there is one. FILE gets every mutation with what was said of it, as lines of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import subprocess
import sys
import tempfile
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

KINDS = (
    ("mp4", "libx264"),
    ("mkv", "ffv1"),
    ("webm", "libvpx-vp9"),
    ("avi", "mpeg4"),
    ("gif", "gif"),
    ("ts", "mpeg2video"),
)
_WORKER = """
import json, sys
import cv2
cv2.setNumThreads(1)
from storyreel.curate.measure import MeasureSettings, measure
for line in sys.stdin:
    path = json.loads(line)
    try:
        said = {"frames": measure(path, MeasureSettings(text_long_side=0, max_pixels=4_000_000)).info.frames}
    except (ValueError, OSError) as error:
        said = {"refused": str(error)}
    except BaseException as error:
        said = {"raised": repr(error)}
    print("=" + json.dumps(said), flush=True)
"""


def films(folder: Path) -> list[bytes]:
    """One small valid film of each kind."""
    import av

    rng = np.random.default_rng(0)
    wide = np.repeat(rng.integers(0, 256, (48, 20, 3), np.uint8), 8, 1)
    out = []
    for suffix, codec in KINDS:
        path = folder / f"whole.{suffix}"
        with av.open(str(path), "w", format="mpegts" if suffix == "ts" else None) as container:
            stream: Any = container.add_stream(codec, rate=Fraction(24))
            stream.width, stream.height = 64, 48
            stream.pix_fmt = {"gif": "rgb8"}.get(suffix, "yuv420p")
            for index in range(20):
                picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + 64])
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=stream.pix_fmt))
                )
            container.mux(stream.encode(None))
        out.append(path.read_bytes())
    return out


def mutate(whole: list[bytes], seed: int) -> tuple[str, bytes]:
    """(what was done, the broken film): bits, zeros, a part cut out, doubled, of another film, or the end lost."""
    rng = random.Random(seed)
    kind = seed % len(whole)
    data = bytearray(whole[kind])
    ways = ("bits", "few bits", "zeros", "cut", "doubled", "other", "end")
    way = rng.choice(ways)
    at, length = rng.randrange(len(data)), rng.randint(1, max(2, len(data) // 8))
    if way in ("bits", "few bits"):
        for _ in range(rng.randint(1, 60) if way == "bits" else rng.randint(1, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif way == "cut":
        del data[at : at + length]
    elif way == "doubled":
        data[at:at] = data[at : at + length]
    elif way == "other":
        other = whole[rng.randrange(len(whole))]
        data[at : at + length] = other[at % len(other) :][:length]
    else:
        del data[at:]
    return f"{KINDS[kind][0]} {way}", bytes(data)


class Worker:
    """A process that measures films one after the other; started anew when it died or was killed for its slowness."""

    def __init__(self, limit: float):
        self.limit = limit
        self.process: subprocess.Popen[str] | None = None

    def ask(self, path: Path) -> dict[str, Any]:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-c", _WORKER]
            quiet = subprocess.DEVNULL
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet, text=True
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(str(path)) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self.limit)[0]:
            self.close()
            return {"hung": f"longer than {self.limit:g} s"}
        line = process.stdout.readline()
        if not line.startswith("="):
            return {"crashed": f"exit status {process.wait()}"}
        return json.loads(line[1:])

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def run(seeds: range, folder: Path, limit: float, show: bool = False) -> list[dict[str, Any]]:
    """What was said of the mutation of each seed: {seed, way, and one of frames, refused, raised, crashed, hung}."""
    whole = films(folder)
    worker, told = Worker(limit), []
    steps: Any = seeds
    if show and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        steps = track(seeds, "mutations", console=Console(stderr=True))
    try:
        for seed in steps:
            way, data = mutate(whole, seed)
            path = folder / f"broken.{way.split()[0]}"
            path.write_bytes(data)
            said = worker.ask(path)
            if "\n" in said.get("refused", ""):
                said = {"raised": f"several lines: {said['refused']!r}"}
            told.append({"seed": seed, "way": way, **said})
    finally:
        worker.close()
    return told


def bad(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in told if not ("frames" in one or "refused" in one)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one film")
    parser.add_argument("--list", type=Path, help="file for all that was said, lines of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run(range(options.first, options.first + options.count), Path(folder), options.limit, show=True)
    if options.list:
        options.list.write_text("".join(json.dumps(one) + "\n" for one in told))
    outcomes = Counter(next(k for k in ("frames", "refused", "raised", "crashed", "hung") if k in one) for one in told)
    print(json.dumps({"count": len(told), **outcomes}))
    for one in bad(told):
        print(json.dumps(one))
    return 1 if bad(told) else 0


if __name__ == "__main__":
    sys.exit(main())
