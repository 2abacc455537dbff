"""Films that are no films: files that say what would be measured of them, and what they do to who measures them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

SCORES = {
    "motion_flow": 2.0,
    "motion_difference": 5.0,
    "camera_motion": 0.1,
    "object_motion": 1.5,
    "frozen_share": 0.0,
    "duplicate_share": 0.0,
    "jitter": 0.1,
    "text_share": 0.0,
    "mark_share": 0.0,
    "bars": [0, 0, 0, 0],
    "blur": 10.0,
    "exposure": 0.5,
    "clipped_share": 0.0,
    "blockiness": 0.1,
    "interlaced": 0.0,
}
FPS = 8


def hash_of(seed: int, flipped: int = 0) -> str:
    """A perceptual hash of 256 bits; the first `flipped` of them the other way round."""
    bits = np.random.default_rng(seed).integers(0, 2, 256)
    bits[:flipped] ^= 1
    return np.packbits(bits.astype(np.uint8)).tobytes().hex()


def film(path: Path, spans: int = 3, seed: int = 0, **does: Any) -> Path:
    """A stub film: `scores` is a list of changes, a span each; `does`: die, crash, hang, refuse, slow."""
    scores = does.pop("scores", [{}] * spans)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"scores": scores, "seed": seed, "does": does}))
    return path


def stub_measure(job: tuple[str, Any], beat: Any) -> dict[str, Any]:
    """What `measure_film` would give, made up from what the file says."""
    path = Path(job[0])
    said = json.loads(path.read_bytes())
    does = said["does"]
    marks = Path(does.get("marks", "/nonexistent"))
    tries = len(list(marks.glob(f"{path.stem}-*"))) if marks.is_dir() else 0
    if marks.is_dir():
        (marks / f"{path.stem}-{tries}").touch()
    if does.get("die", 0) > tries:
        os.kill(os.getpid(), signal.SIGKILL)
    if does.get("crash", 0) > tries:
        os.kill(os.getpid(), signal.SIGSEGV)
    if does.get("kill_parent", 0) > tries:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)
    if does.get("hang", 0) > tries:
        time.sleep(600)
    if does.get("fail", 0) > tries:
        raise RuntimeError("a library stumbled")
    if does.get("lacks"):
        raise ModuleNotFoundError(f"No module named {does['lacks']!r}")
    if does.get("refuse"):
        raise ValueError(f"{path.name}: is corrupt or truncated")
    time.sleep(does.get("slow", 0))
    frames = 16
    spans = []
    for index, change in enumerate(said["scores"]):
        scores = {**SCORES, "phash": hash_of(said["seed"] * 1000 + index), **change}
        spans.append({"start": index * frames + index, "end": (index + 1) * frames + index, "scores": scores})
        beat((index + 1) * frames)
    cuts = [{"start": s["end"], "end": s["end"] + 1, "kind": "dissolve", "strength": 0.9} for s in spans[:-1]]
    total = spans[-1]["end"] if spans else 0
    info = {
        "name": path.name,
        "digest": hashlib.sha256(path.read_bytes()).hexdigest(),
        "container": "mp4",
        "codec": "h264",
        "width": 320,
        "height": 180,
        "rotation": 0,
        "fps": str(FPS),
        "times": None,
        "frames": total,
        "seconds": total / FPS,
        "audio": False,
    }
    return {"info": info, "transitions": cuts, "spans": spans}


def measure_real(job: tuple[str, Any], beat: Any) -> dict[str, Any]:
    """Two halves of a real film, with made-up scores: for what needs frames before there is anything to measure."""
    from storyreel.curate.decode import FilmReader

    opened = FilmReader(job[0], max_pixels=1 << 28)
    count = sum(1 for _ in opened)
    halves = [(0, count // 2), (count // 2, count)] if count >= 20 else [(0, count)]
    seed = int(opened.info.digest[:8], 16)
    spans = [
        {"start": a, "end": b, "scores": {**SCORES, "phash": hash_of(seed + number)}}
        for number, (a, b) in enumerate(halves)
    ]
    return {"info": opened.info.as_json(), "transitions": [], "spans": spans}
