"""How long the browse page waits for its server with many clips: made-up scores, real requests, no film.

    make bench-browse                  or: python benchmarks/browse.py [--clips 100000] [--twins 0.1] [--tries 15]

Prints a line a request: median and slowest of the tries, and how long the processor worked for it (browser and server
together), milliseconds, and bytes. Every try of a threshold is another one, so that nothing is answered from memory.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browse"))

from curated import BrowseServer, serving

from storyreel.browse.table import MEASURED
from storyreel.curate.rows import COLUMNS
from storyreel.curate.store import write_lines, write_text
from storyreel.curate.thresholds import Thresholds
from storyreel.parquet_file import write_parquet

WORDS = [
    *("a", "the", "red", "blue", "dog", "cat", "walks", "runs", "sits", "car"),
    *("street", "night", "rain", "boat", "river", "slow", "close", "wide", "old", "tree"),
]
SPANS_A_FILM = 200


def table_of(clips: int, twins: float, seed: int = 0) -> pa.Table:
    """Made-up spans; a share of them are near copies of another one."""
    rng = np.random.default_rng(seed)
    film, number = np.divmod(np.arange(clips), SPANS_A_FILM)
    bits = rng.integers(0, 256, (clips, 32), np.uint8)
    copies = rng.random(clips) < twins
    bits[copies] = bits[rng.integers(0, clips, int(copies.sum()))]
    bits[copies, 0] ^= 1
    lengths = np.round(rng.gamma(2.0, 2.0, clips) + 0.2, 3)
    captions = [" ".join(rng.choice(WORDS, 9)) for _ in range(clips)]
    made: dict[str, Any] = {
        "clip": [f"{i:020x}" for i in range(clips)],
        "source": [f"film {f:04d}.mp4" for f in film],
        "source_path": [f"/footage/film {f:04d}.mp4" for f in film],
        "source_digest": [f"{f:064x}" for f in film],
        "start": number * 100,
        "end": number * 100 + 90,
        "start_seconds": number * 4.0,
        "end_seconds": number * 4.0 + lengths,
        "seconds": lengths,
        "num_frames": np.maximum(1, lengths * 24).astype(np.int32),
        "fps": np.full(clips, 24.0),
        "fps_exact": ["24"] * clips,
        "start_exact": [str(4 * n) for n in number],
        "slack": np.full(clips, 0.02),
        "width": np.full(clips, 640, np.int32),
        "height": np.full(clips, 360, np.int32),
        "bars": [[0, 0, 0, 0]] * clips,
        "phash": [row.tobytes().hex() for row in bits],
        "caption": captions,
        "captions": [[c] for c in captions],
        "captions_made": [[c] for c in captions],
        "caption_words": np.full(clips, 9, np.int32),
        "kept": rng.random(clips) < 0.3,
        "reasons": [[]] * clips,
    }
    for name in MEASURED:
        scale = {"side": 200.0, "motion_flow": 3.0, "motion_difference": 6.0}.get(name, 0.2)
        made.setdefault(name, rng.gamma(1.0, scale, clips))
    made["side"] = made["side"].astype(np.int32)
    return pa.table(
        {name: pa.array(made[name], kind) if name in made else pa.nulls(clips, kind) for name, kind in COLUMNS.items()}
    )


def make(folder: Path, clips: int, twins: float) -> Path:
    """A curated folder without films: what is measured of film 0 is there for its time line."""
    inside = folder / "curation"
    inside.mkdir(parents=True)
    write_parquet(inside / "spans.parquet", table_of(clips, twins))
    write_text(inside / "thresholds.json", json.dumps(Thresholds().as_json()))
    films = -(-clips // SPANS_A_FILM)
    facts = {"size": 1, "mtime_ns": 1}
    write_lines(inside / "manifest.jsonl", ({"name": f"film {f:04d}.mp4", "film": "x", **facts} for f in range(films)))
    (inside / "films").mkdir()
    cuts = [{"start": n * 100 + 90, "end": n * 100 + 99, "kind": "dissolve", "strength": 0.9} for n in range(200)]
    info = dict(name="film 0000.mp4", digest="0", container="mp4", codec="h264", width=640, height=360, rotation=0)
    info |= dict(fps="24", times=None, frames=20000, seconds=833.0, audio=False)
    write_text(inside / "films" / "x.json", json.dumps({"info": info, "transitions": cuts, "spans": []}))
    return folder


def measure(server: BrowseServer, tries: int) -> list[tuple[str, float, float, float, int]]:
    """(request, median and slowest seconds, median of processor seconds, bytes)."""
    line = http.client.HTTPConnection("127.0.0.1", server.port)

    def ask(path: str, said: dict[str, Any] | None = None) -> tuple[float, float, int]:
        began, worked = time.perf_counter(), time.process_time()
        body = None if said is None else json.dumps(said)
        line.request("GET" if said is None else "POST", path, body, {"Content-Type": "application/json"})
        reply = line.getresponse()
        data = reply.read()
        assert reply.status == 200, data
        return time.perf_counter() - began, time.process_time() - worked, len(data)

    def moved(n: int) -> dict[str, Any]:
        return {**Thresholds().as_json(), "motion": {"min": 0.2 + 0.01 * n, "max": None, "difference_min": 0.5}}

    def first(n: int, **asked: Any) -> dict[str, Any]:
        return {"thresholds": moved(n), "count": 48, **asked}

    rows = server.session.state().table.clips
    requests: dict[str, Any] = {
        "the set, its histograms": lambda n: ask("/api/set"),
        "a threshold moves": lambda n: ask("/api/decide", {"thresholds": moved(n + 100)}),
        "first page after it": lambda n: ask("/api/clips", first(n + 200, view="rejected")),
        "another page": lambda n: ask("/api/clips", first(200, view="rejected", offset=48 * 97 * n)),
        "ordered by the margin": lambda n: ask(
            "/api/clips", first(200, order="margin", reason=["", "motion.min"][n % 2], query=f"{'a' * (n // 2)}")
        ),
        "search of two words": lambda n: ask("/api/clips", first(200, query=f"{WORDS[n % 20]} {WORDS[n % 7]} {n}")),
        "one clip, its film": lambda n: ask("/api/clip", {"thresholds": moved(200), "clip": rows[n * 7]}),
        "keep one by hand": lambda n: ask("/api/edit", {"thresholds": moved(200), "clip": rows[n], "keep": True}),
        "a caption by hand": lambda n: ask(
            "/api/edit", {"thresholds": moved(200), "clip": rows[n], "caption": f"new {n}"}
        ),
        "counts after a decision": lambda n: (
            ask("/api/edit", {"clip": rows[n], "keep": None}) and ask("/api/decide", {})
        ),
    }
    found = []
    for name, request in requests.items():
        took = [request(n) for n in range(tries)]
        times, work = sorted(seconds for seconds, *_ in took), sorted(seconds for _, seconds, _ in took)
        found.append((name, times[len(times) // 2], times[-1], work[len(work) // 2], took[-1][2]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--twins", type=float, default=0.1)
    parser.add_argument("--tries", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = make(Path(folder) / "set", asked.clips, asked.twins)
        began = time.perf_counter()
        with serving(dataset) as server:
            seconds = time.perf_counter() - began
            print(f"{asked.clips:,} spans, {asked.twins:.0%} of them copies; opened in {seconds:.1f} s")
            began = time.perf_counter()
            while not server.session.state().all_pairs:
                time.sleep(0.2)
            print(f"all twins found after {time.perf_counter() - began:.1f} s more, beside the page")
            for name, median, slowest, work, size in measure(server, asked.tries):
                times = f"{1000 * median:7.1f} ms, slowest {1000 * slowest:7.1f}, of the processor {1000 * work:7.1f}"
                print(f"{name:26} {times} {size:9,} bytes")


if __name__ == "__main__":
    main()
