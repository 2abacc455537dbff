"""Two thousand broken tables, prompt files, stories, manifests, annotations, stamps, atlases and spans.

    python tests/campaigns/tables.py [--count 2000] [--first 0] [--list FILE]

Prints as `media.py` does, and exits 1 if there is a fault. A parquet file is broken in its bytes, or rewritten whole
with odd values and columns of other types.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from mutations import VALUES, broken_bytes, broken_json, broken_text
from watched import Mutation, main

PROMPTS = [{"prompt": f"a red ball {n}", "seed": n, "frames": 8, "fps": "8", "guidance": 2.5} for n in range(4)]
CSV = (
    "prompt,seed,count,frames,seconds,fps,guidance,size,name\n"
    'a ball,1,2,8,,8,2.5,64x64,x\n"a, b",,,,1.5,30000/1001,,,\n'
)
MANIFEST = "path,licence,caption\na.mp4,CC-BY,one\nb.mp4,,two\n"
TABLE = "video_id,category_1,category_2,rank,task_id\naaaaaaaaaaa,Food,Drink,1,2\n"
STORY = "3s: a ball\n# a comment\na cat | 2.5\n"
SRT = "1\n00:00:01,000 --> 00:00:02,500\na ball\n\n2\n00:00:03,000 --> 00:00:04,000\na cat\n"
MSR = {
    "videos": [{"video_id": "video0", "split": "train", "start time": 0.0, "end time": 4.5, "category": 3, "url": "x"}],
    "sentences": [{"video_id": "video0", "caption": "a ball", "sen_id": 1}] * 3,
}
HOWTO = {"aaaaaaaaaaa": {"start": [0.5, 3.0], "end": [2.0, 5.5], "text": ["a ball", "a cat"]}}
SIDECAR = {"captions": ["a ball"], "spans": [{"start": 0, "end": 2.5, "text": "a ball"}]}
STAMP = {"storyreel": 1, "caption": "x", "file": {"fps": "8", "frames": 8, "size": [64, 48], "crc32": 7, "scale": 2}}
SPAN = {"span": 1, "path": "film.mkv", "start": "1/4", "frames": 8, "fps": "8", "shown": [0, 2], "bars": [0, 0, 0, 0]}
SPAN |= {"slack": 0.05, "skip": None}
ATLAS = {
    "frames": {f"x_{n}": {"frame": {"x": n, "y": 0, "w": 1, "h": 1}, "duration": 125} for n in range(2)},
    "meta": {"image": "x.png", "storyreel": STAMP},
}
STUDY = {
    "storyreel_study": 1,
    "id": "x",
    "preset": "godiva",
    "seed": 0,
    "models": ["a", "b"],
    "ties": ["tie"],
    "raters": 3,
}
STUDY |= {"per_rater": 0, "catch": -1, "questions": [{"name": "q", "text": "t", "shows_prompt": False}]}
STUDY |= {"items": [{"kind": "pair", "prompt": "x", "models": [0, 1], "files": ["0" * 16 + ".mp4"] * 2, "watch": 1.0}]}
REPORT = {"kind": "evaluation", "storyreel": 1, "scores": [{"name": "fvd", "value": 1.0, "fingerprint": {}}]}
JUDGE = {"kind": "judge", "config": {"dim": 8}, "sha256": "0" * 64, "facts": {"n": [1, 2]}}
DOCUMENTS = (PROMPTS, MSR, HOWTO, SIDECAR, STAMP, ATLAS, STUDY, REPORT, JUDGE)
LINES = "".join(json.dumps(each) + "\n" for each in (*PROMPTS, {"path": "a.mp4", "caption": "x"}))
ROWS: dict[str, list[Any]] = {
    "file_name": ["clips/0.mkv", "clips/1.mkv"],
    "caption": ["a ball", None],
    "captions": [["a ball", "a cat"], []],
    "split": ["train", None],
    "context": [0, 2],
    "num_frames": [8, 16],
    "fps": [8.0, 24.0],
    "attributes": ['{"n": 1}', None],
    "path": ["a.mp4", "b.mp4"],
}


def mutation(number: int, folder: Path) -> tuple[Path, str]:
    """(the broken file, what was done): mutation `number`, in the emptied `folder`."""
    rng = random.Random(f"tables {number}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kind = number % 8
    if kind == 0:
        way, data = _parquet(rng)
        suffix = "parquet"
    elif kind == 1:
        suffix, way, data = "csv", "text", broken_text(rng, rng.choice((CSV, CSV, MANIFEST, TABLE)))
    elif kind == 2:
        suffix, way, data = "jsonl", "text", broken_text(rng, LINES)
        if rng.random() < 0.5:
            lines = [broken_json(rng, each) if rng.random() < 0.5 else json.dumps(each) for each in PROMPTS]
            way, data = "values", "\n".join(lines).encode("utf-8", "surrogatepass")
    elif kind in (3, 4):
        suffix, way, data = "json", "values", broken_json(rng, rng.choice(DOCUMENTS)).encode("utf-8", "surrogatepass")
    elif kind == 5:
        suffix, way, data = "stamp", "values", broken_json(rng, STAMP).encode("utf-8", "surrogatepass")
    elif kind == 6:
        suffix, way, data = "span", "values", broken_json(rng, SPAN).encode("utf-8", "surrogatepass")
    else:
        suffix, text = rng.choice(
            (("txt", STORY), ("txt", "a.mp4\nb.mp4\n"), ("srt", SRT), ("vtt", "WEBVTT\n\n" + SRT))
        )
        way, data = "text", broken_text(rng, text)
    path = folder / f"broken.{suffix}"
    path.write_bytes(data)
    return path, f"{suffix} {way}"


def _parquet(rng: random.Random) -> tuple[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {name: list(values) for name, values in ROWS.items()}
    whole = rng.random() < 0.5
    if not whole:
        for _ in range(rng.choice((1, 2))):
            name = rng.choice(sorted(rows))
            chance = rng.random()
            if chance < 0.2:
                del rows[name]
            elif chance < 0.4:
                rows[rng.choice(("", "x", "clip", "start", "seconds", name.upper()))] = rows.pop(name)
            else:
                value = rng.choice(VALUES)
                rows[name] = [value, value if rng.random() < 0.5 else None]
    out = io.BytesIO()
    try:
        pq.write_table(pa.table(rows), out)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):  # what no parquet file can hold
        out = io.BytesIO()
        pq.write_table(pa.table(ROWS), out)
        whole = True
    return ("bytes", broken_bytes(rng, out.getvalue(), [b"PAR1" * 50])[1]) if whole else ("values", out.getvalue())


def begin(folder: Path) -> Mutation:
    return lambda number: mutation(number, folder / "broken")


if __name__ == "__main__":
    sys.exit(main(__doc__, "table_doors", begin, 2_000))
