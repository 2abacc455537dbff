"""Measuring films beside the naive chain: accuracy on test movies with known cuts, and speed at two sizes, in one run.

    make bench-curate or: python benchmarks/curate.py [--seeds 12] [--first 3000] [--speed] [--accuracy] [--movies DIR]

Accuracy: movies of `tests.movies`, seeds from --first on; a transition counts as found within 5 frames,
each at most once. PySceneDetect is the oracle beside: its wheel goes into benchmarks/.peers without its dependencies,
because it asks for the OpenCV with windows. Speed: one pass of ours against decode alone and against what people chain
by hand (scenedetect and an ffmpeg split, Farneback at full size twice a second, rapidocr's defaults on three frames of
a shot), taking turns, medians, wall and processor time; models are loaded once. Written to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from parts.results import machine, write_results

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests.movies
HERE = Path(__file__).parent
PEERS = HERE / ".peers"
PEER = "scenedetect==0.7.2"
TOLERANCE = 5
SHORTEST = 1.0  # seconds of a span that is exported
MOVES = {"pan", "zoom", "plasma", "shapes", "digits", "water", "shake", "dark", "flicker"}


def peers() -> bool:
    """PySceneDetect is importable, installed into benchmarks/.peers when it is not."""
    sys.path.insert(0, str(PEERS))
    if not (PEERS / "scenedetect").is_dir():
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(PEERS), PEER]
        subprocess.run(command, check=False)
    try:
        import scenedetect  # noqa: F401  # pyright: ignore
    except ImportError as error:
        print(f"without PySceneDetect: {error}", file=sys.stderr)
        return False
    return True


def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    return max(0, min(a[1], b[1]) - max(a[0], b[0]) + 1) / (max(a[1], b[1]) - min(a[0], b[0]) + 1)


class Tally:
    """Found, missed and false transitions of one detector over many movies."""

    def __init__(self) -> None:
        self.expected: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.false = self.told = self.close = 0
        self.overlaps: list[float] = []

    def add(self, truth: Any, intervals: list[tuple[int, int]]) -> None:
        used: set[int] = set()
        self.told += len(intervals)
        for cut in truth.transitions:
            self.expected[cut.kind] += 1
            near = [
                (overlap((cut.start, cut.end), one), index)
                for index, one in enumerate(intervals)
                if index not in used and one[0] <= cut.end + TOLERANCE and one[1] >= cut.start - TOLERANCE
            ]
            if near:
                share, index = max(near)
                used.add(index)
                self.found[cut.kind] += 1
                if cut.kind != "hard":
                    self.overlaps.append(share)
                    self.close += share >= 0.6
        self.false += len(intervals) - len(used)

    def line(self, name: str) -> dict[str, Any]:
        kinds = ("hard", "dissolve", "fade-black", "fade-white", "wipe")
        gradual = [kind for kind in kinds if kind != "hard"]
        return {
            "detector": name,
            **{kind: f"{self.found[kind]}/{self.expected[kind]}" for kind in kinds},
            "gradual recall": round(
                sum(self.found[k] for k in gradual) / max(1, sum(self.expected[k] for k in gradual)), 4
            ),
            "precision": round(1 - self.false / max(1, self.told), 4),
            "mean IoU": round(statistics.fmean(self.overlaps), 3) if self.overlaps else None,
            "IoU >= 0.6": f"{self.close}/{len(self.overlaps)}",
        }


def oracles(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Points of change that PySceneDetect's detectors tell, as intervals of one frame."""
    import scenedetect  # pyright: ignore

    kinds: dict[str, Callable[[], Any]] = {
        "Content 27": lambda: scenedetect.ContentDetector(threshold=27, min_scene_len=5),
        "Adaptive 3": lambda: scenedetect.AdaptiveDetector(adaptive_threshold=3.0, min_scene_len=5),
        "Histogram": lambda: scenedetect.HistogramDetector(min_scene_len=5),
    }
    found = {}
    for name, make in kinds.items():
        scenes = scenedetect.detect(str(path), make())
        frames = [int(scene[0].frame_num) for scene in scenes[1:]]
        found[f"PySceneDetect {name}"] = [(frame, frame) for frame in frames]
    return found


def accuracy(seeds: range, folder: Path, beside: bool, lines: int) -> dict[str, Any]:
    from storyreel.curate.measure import measure
    from tests.movies import movies

    tallies: dict[str, Tally] = {"storyreel": Tally()}
    checks: dict[str, Counter[str]] = {name: Counter() for name in ("static", "text", "bars", "spans")}
    for seed in seeds:
        path, size = folder / f"m{seed}-{lines}.mp4", (lines, lines * 16 // 9 // 2 * 2)
        made = path.exists()
        truth = movies.plan(seed, size=size).truth if made else movies.write_movie(path, seed, size=size)
        measures = measure(path)
        tallies["storyreel"].add(truth, [(one.start, one.end) for one in measures.transitions])
        judge(truth, measures, checks)
        if beside:
            for name, intervals in oracles(path).items():
                tallies.setdefault(name, Tally()).add(truth, intervals)
        print(f"seed {seed} done", file=sys.stderr)
    return {
        "seeds": [seeds.start, seeds.stop],
        "lines": lines,
        "cuts": [tally.line(name) for name, tally in tallies.items()],
        "checks": {name: dict(counts) for name, counts in checks.items()},
    }


def drawn(seeds: range) -> dict[str, Any]:
    """Cuts alone, of movies that are drawn at 72 lines with noise and go through no codec: many movies, little time."""
    import cv2
    import numpy as np

    from storyreel.curate.cuts import find_all
    from storyreel.curate.spans import spans_between
    from tests.movies import movies

    tally, spans = Tally(), Counter[str]()
    for seed in seeds:
        made = movies.plan(seed, size=(72, 128))
        rng = np.random.default_rng([seed, 99])
        noise, detail, chroma = rng.uniform(0, 1.5), [], []
        for picture in movies.drawing(made):
            planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
            luma = cv2.resize(planes[..., 0], (64, 36), interpolation=cv2.INTER_AREA)
            detail.append(np.clip(luma + rng.normal(0, noise, luma.shape) + 0.5, 0, 255).astype(np.uint8))
            small = cv2.resize(planes[..., 1:], (16, 9), interpolation=cv2.INTER_AREA)
            chroma.append(np.stack([small[..., 1], small[..., 0]]))
        found, doubts = find_all(np.stack(detail), np.stack(chroma))
        tally.add(made.truth, [(one.start, one.end) for one in found])
        spans["pure frames"] += sum(shot.end - shot.start for shot in made.truth.shots)
        for start, end in spans_between(found, made.truth.frames, doubts=doubts):
            if end - start >= SHORTEST * 24:
                spans["all"] += 1
                spans["frames"] += end - start
                spans["with a transition"] += blended(made.truth, start, end)
    cuts = [tally.line("storyreel")]
    return {"seeds": [seeds.start, seeds.stop], "lines": 72, "cuts": cuts, "checks": {"spans": dict(spans)}}


def blended(truth: Any, start: int, end: int) -> bool:
    """Whether frames [start, end) hold any of a transition."""
    return any(
        cut.start < end and cut.end >= start and not (cut.kind == "hard" and cut.start == start)
        for cut in truth.transitions
    )


def judge(truth: Any, measures: Any, checks: dict[str, Counter[str]]) -> None:
    """Static, text and bars of the spans that hold one shot alone, and how many spans hold a frame of a transition.

    A span is static, or has text, when the default thresholds reject it for that.
    """
    from storyreel.curate.thresholds import Thresholds, decide

    checks["spans"]["pure frames"] += sum(shot.end - shot.start for shot in truth.shots)
    for span in measures.spans:
        if span.end - span.start < SHORTEST * float(truth.fps):
            continue
        checks["spans"]["all"] += 1
        checks["spans"]["with a transition"] += blended(truth, span.start, span.end)
        checks["spans"]["frames"] += span.end - span.start
        shot = next((s for s in truth.shots if s.start <= span.start and span.end <= s.end), None)
        scores = span.scores
        if shot is None or scores["bars"] is None:
            continue
        wrong = max(abs(a - b) for a, b in zip(scores["bars"], truth.bars, strict=True))
        checks["bars"]["right" if wrong <= 2 else "wrong"] += 1
        reasons = {reason.name for reason in decide(scores, Thresholds())}
        if scores["motion_flow"] is not None and (shot.static or shot.material in MOVES):
            said = "static" if "motion.min" in reasons else "moving"
            checks["static"][f"{'static' if shot.static else 'moving'} said {said}"] += 1
        # Digits that fly about are no text laid over the picture, but whoever finds characters in them is right.
        if scores["text_share"] is not None and not truth.mark and shot.material != "digits":
            said = "text" if "text.max" in reasons else "none"
            checks["text"][f"{'text' if shot.text else 'none'} said {said}"] += 1


def looks(seeds: range, folder: Path, lines: int, keep: Path | None = None) -> dict[str, Any]:
    """Static, text and bars of many shots: encoded films of twelve shots of a second and a half, cut hard."""
    import numpy as np

    from reproductions.encode import write_pictures
    from storyreel.curate.measure import measure
    from tests.movies import movies
    from tests.movies.shots import make_shot

    checks: dict[str, Counter[str]] = {name: Counter() for name in ("static", "text", "bars", "spans")}
    size, frames, fps, told = (lines, lines * 16 // 9 // 2 * 2), 36, Fraction(24), []
    for seed in seeds:
        rng = np.random.default_rng([seed, 5])
        bars = movies._bars(rng, *size)  # pyright: ignore[reportPrivateUsage]
        inner = (size[0] - bars[0] - bars[1], size[1] - bars[2] - bars[3])
        pictures, shots, cuts = [], [], []
        for number in range(12):
            material = str(rng.choice(["static", "text", str(rng.choice(sorted(MOVES)))], p=[0.35, 0.3, 0.35]))
            shot = make_shot(material, np.random.default_rng([seed, 7, number]), inner, frames)
            start = number * frames
            shots.append(movies.TrueShot(start, start + frames, material, shot.static, shot.text))
            cuts += [movies.TrueTransition(start, start, "hard")] if number else []
            for index in range(frames):
                whole = np.zeros((*size, 3), np.uint8)
                whole[bars[0] : size[0] - bars[1], bars[2] : size[1] - bars[3]] = shot.frame(index)
                pictures.append(whole)
        path = folder / f"looks{seed}-{lines}.mp4"
        write_pictures(path, pictures, fps, crf=int(rng.integers(18, 29)))
        truth = movies.Truth(seed, size[1], size[0], fps, len(pictures), tuple(shots), tuple(cuts), bars, mark=False)
        measures = measure(path)
        judge(truth, measures, checks)
        for shot in shots:
            span = next((s for s in measures.spans if shot.start <= s.start and s.end <= shot.end), None)
            if span is not None:
                told.append({"seed": seed, "material": shot.material, "bars": bars, "scores": span.scores})
        print(f"seed {seed} done", file=sys.stderr)
    if keep is not None:
        keep.write_text("".join(json.dumps(one) + "\n" for one in told))
    found = {name: dict(counts) for name, counts in checks.items()}
    return {"seeds": [seeds.start, seeds.stop], "lines": lines, "cuts": [], "checks": found}


WAYS = ("again", "mirrored", "upside down", "turned left", "turned right", "trimmed", "trimmed and mirrored")


def copies(seeds: range, folder: Path, lines: int) -> dict[str, Any]:
    """Which copies of shots are found: of whole films, encoded again, mirrored, turned and with shots trimmed.

    A pair of spans is true where both show the same shot of the same movie; every pair of spans of all films counts.
    """
    import numpy as np

    from reproductions.encode import write_pictures
    from storyreel.curate.duplicates import pairs_of
    from storyreel.curate.measure import measure
    from storyreel.curate.thresholds import Thresholds
    from tests.movies import movies

    def turned(picture: np.ndarray, way: str) -> np.ndarray:
        quarter = {"turned left": 1, "upside down": 2, "turned right": 3}.get(way, 0)
        picture = picture[:, ::-1] if "mirrored" in way else picture
        return np.ascontiguousarray(np.rot90(picture, quarter))

    rows: list[dict[str, Any]] = []
    for seed in seeds:
        plan = movies.plan(seed, size=(lines, lines * 16 // 9 // 2 * 2), shots=8)
        pictures, shots = list(movies.drawing(plan)), plan.truth.shots
        for way in ("", *WAYS):
            at = list(range(len(pictures)))
            if "trimmed" in way:
                inner = [(shot.start, shot.end, (shot.end - shot.start) // 5) for shot in shots]
                at = [i for start, end, off in inner for i in range(start + off, end - off)]
            path = folder / f"copies{seed}-{way.replace(' ', '-') or 'first'}.mp4"
            write_pictures(path, (turned(pictures[i], way) for i in at), plan.truth.fps, crf=28 if way else 20)
            for span in measure(path).spans:
                first, last = at[span.start], at[span.end - 1]
                of = next((n for n, shot in enumerate(shots) if shot.start <= (first + last) // 2 < shot.end), None)
                hashes = {name: span.scores[name] for name in ("phash", "frame_hashes")}
                rows.append({"shot": (seed, of), "way": way, "frames": (first, last), **hashes})
        print(f"seed {seed} done", file=sys.stderr)
    share = Thresholds().duplicates.share
    assert share is not None
    found = {(i, j) for i, j, _ in pairs_of(rows, share)}
    true = [(i, j) for i, j in found if rows[i]["shot"] == rows[j]["shot"]]
    told: list[dict[str, Any]] = []
    for way in WAYS:
        first, made = ([i for i, row in enumerate(rows) if row["way"] == of] for of in ("", way))
        meant = [(i, j) for i in first for j in made if rows[i]["shot"] == rows[j]["shot"]
                 and _overlap(rows[i]["frames"], rows[j]["frames"])]  # fmt: skip
        hit = sum((min(pair), max(pair)) in found for pair in meant)
        told.append({"copy": way, "pairs": len(meant), "found": hit, "recall": round(hit / max(1, len(meant)), 3)})
    total = {name: sum(line[name] for line in told) for name in ("pairs", "found")}
    told.append({"copy": "all", **total, "recall": round(total["found"] / max(1, total["pairs"]), 3)})
    precision = {"pairs found": len(found), "of one shot": len(true), "precision": round(len(true) / len(found), 4)}
    return {"seeds": [seeds.start, seeds.stop], "lines": lines, "spans": len(rows), "copies": told, **precision}


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether spans of these first and last frames share half a second, about."""
    shared = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return shared >= 12


def decode_only(path: Path) -> None:
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            pass


def ours(path: Path, text: bool = True) -> Any:
    from storyreel.curate.measure import MeasureSettings, measure

    return measure(path, MeasureSettings(text_long_side=320 if text else 0))


def exported(path: Path) -> None:
    """Our pass, and a quarter of the spans written as files, as much as is kept of usual footage."""
    measures = ours(path)
    for span in measures.spans[::4]:
        _split(path, measures.info.time_of(span.start), measures.info.time_of(span.end))


def _split(path: Path, start: float, end: float) -> None:
    out = path.with_name("part.mp4")
    times = ["-ss", f"{start:.3f}", "-i", str(path), "-t", f"{end - start:.3f}"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", *times, "-c:v", "libx264", "-preset", "veryfast", str(out)], check=True
    )


def naive(path: Path) -> None:
    """scenedetect, a split of all shots; per shot Farneback at full size every half second, and rapidocr."""
    import cv2
    import scenedetect  # pyright: ignore

    scenes = scenedetect.detect(str(path), scenedetect.ContentDetector())
    for start, end in scenes:
        _split(path, start.get_seconds(), end.get_seconds())
        film = cv2.VideoCapture(str(path.with_name("part.mp4")))
        step = max(1, round(film.get(cv2.CAP_PROP_FPS) / 2))
        kept, last, index = [], None, 0
        while (read := film.read())[0]:
            if index % step == 0:
                grey = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)
                if last is not None:
                    cv2.calcOpticalFlowFarneback(last, grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # pyright: ignore
                last = grey
                kept.append(read[1])
            index += 1
        for frame in {0, len(kept) // 2, len(kept) - 1} if kept else ():
            _ocr()(kept[frame])


def _ocr(made: list[Any] = []) -> Any:  # noqa: B006
    if not made:
        import logging

        logging.disable(logging.INFO)
        from rapidocr import RapidOCR

        made.append(RapidOCR())
    return made[0]


def spent() -> float:
    """Processor seconds of this process and of the programs that it has waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def films_for_speed(folder: Path, sizes: list[int]) -> dict[int, Path]:
    """A film of 360 lines, and the same at 720 lines with some grain, since scaling alone makes it easy to decode."""
    from tests.movies import movies

    small, large = folder / "speed360.mp4", folder / "speed720.mp4"
    if not small.exists():
        movies.write_movie(small, 1, size=(360, 640), shots=4)
    if 720 in sizes and not large.exists() and shutil.which("ffmpeg"):
        filters = "scale=1280:720,noise=alls=4:allf=t"
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(small), "-frames:v", "160", "-vf", filters]
        subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", str(large)], check=True)
    return {height: path for height, path in ((360, small), (720, large)) if height in sizes and path.exists()}


def speed(folder: Path, beside: bool, repeats: int, sizes: list[int]) -> list[dict[str, Any]]:
    """Frames a second of wall time and of processor time, and how often as fast as the naive chain."""
    rows = []
    for height, path in films_for_speed(folder, sizes).items():
        ways: dict[str, Callable[[Path], Any]] = {"decode": decode_only}
        ways |= {"ours, no text": lambda film: ours(film, text=False), "ours": ours}
        if shutil.which("ffmpeg"):
            ways["ours, exported"] = exported
            if beside:
                ways["naive"] = naive
        frames = ours(path, text=False).info.frames
        walls: dict[str, list[float]] = {name: [] for name in ways}
        cpus: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                start, used = time.perf_counter(), spent()
                way(path)
                walls[name].append(time.perf_counter() - start)
                cpus[name].append(spent() - used)
        for name in ways:
            wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
            row = {"lines": height, "frames": frames, "way": name, "wall": frames / wall, "cpu": frames / cpu}
            if "naive" in ways:
                row["faster"] = statistics.median(walls["naive"]) / wall
                row["faster, cpu"] = statistics.median(cpus["naive"]) / cpu
            row["of decode, cpu"] = statistics.median(cpus["decode"]) / cpu
            rows.append({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def page(result: dict[str, Any]) -> str:
    """The results as markdown."""
    parts = [result["machine"], f"`{result['command']}` repeats it."]
    if "accuracy" in result:
        first, stop = result["accuracy"]["seeds"]
        parts.append(
            f"Test movies of seeds {first} to {stop - 1}, {result['accuracy']['lines']} lines; +-{TOLERANCE} frames."
        )
        if result["accuracy"]["cuts"]:
            parts.append(_table(result["accuracy"]["cuts"]))
        parts.append(_table([{"check": name, **counts} for name, counts in result["accuracy"]["checks"].items()]))
    if "speed" in result:
        told = "Frames a second of wall and of processor time; times as fast as the naive chain; share of decode alone."
        parts += [told, _table(result["speed"])]
    return "\n\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12, help="how many movies")
    parser.add_argument("--first", type=int, default=3000, help="seed of the first movie")
    parser.add_argument("--lines", type=int, default=180, help="height of the movies whose cuts are looked for")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[360, 720], help="lines of the films that are timed")
    parser.add_argument("--accuracy", action="store_true", help="only this part")
    parser.add_argument("--drawn", action="store_true", help="cuts alone, of movies that go through no codec")
    parser.add_argument("--looks", action="store_true", help="static, text and bars alone, of shots that are cut hard")
    parser.add_argument("--copies", action="store_true", help="copies alone: mirrored, turned and trimmed films")
    parser.add_argument("--list", type=Path, help="with --looks: file for the scores of every shot, lines of JSON")
    parser.add_argument("--speed", action="store_true", help="only this part")
    parser.add_argument("--movies", type=Path, help="folder that keeps the movies")
    options = parser.parse_args()
    beside = peers()
    if not shutil.which("ffmpeg"):
        print(
            "without the naive chain, export and 720 lines: expected the program ffmpeg (apt install ffmpeg)",
            file=sys.stderr,
        )
    said = shlex.join(["python", "benchmarks/curate.py", *sys.argv[1:]])
    if options.movies:
        said = said.replace(shlex.quote(str(options.movies)), "DIR")
    result: dict[str, Any] = {"command": said}
    if options.copies:
        with tempfile.TemporaryDirectory() as scratch:
            seeds = range(options.first, options.first + options.seeds)
            found = copies(seeds, options.movies or Path(scratch), options.lines)
        print(_table(found.pop("copies")), json.dumps(found), sep="\n")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.movies or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = range(options.first, options.first + options.seeds)
        if options.drawn:
            result["accuracy"] = drawn(seeds)
        elif options.looks:
            result["accuracy"] = looks(seeds, folder, options.lines, options.list)
        elif not options.speed:
            result["accuracy"] = accuracy(seeds, folder, beside, options.lines)
        if not options.accuracy and not options.drawn and not options.looks:
            result["speed"] = speed(folder, beside, options.repeats, options.sizes)
    result["machine"] = machine(os.cpu_count() or 1)
    parts = [part for part in ("speed", "accuracy", "drawn", "looks") if getattr(options, part)]
    write_results("-".join(["curate", *parts]), "Measuring films", page(result), **result)
    print(page(result))


if __name__ == "__main__":
    main()
