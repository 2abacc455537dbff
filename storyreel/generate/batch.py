"""Many videos: one job each, run by an engine, written by the calling process as they come, and not made twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel import own_clips
from storyreel.clip import Clip, ClipStream
from storyreel.engine import Engine
from storyreel.generate.prompts import PromptRow
from storyreel.generate.provenance import is_from
from storyreel.options.generation import GenerateOptions
from storyreel.options.input_clip import INPUTS

if TYPE_CHECKING:
    from storyreel.generate.model import Model
    from storyreel.systems.base import OnProgress


@dataclass(frozen=True)
class Job:
    """One video to be made. Picklable; `model` is a name in the registry or a path."""

    model: str
    options: GenerateOptions
    seed: int
    index: int
    path: Path
    where: str = ""  # the line of the prompt file


@dataclass(frozen=True)
class JobResult:
    """What became of a job: a file that was written or found, or the reason why there is none.

    clip: until it is written; `facts` (JSON values) are what is kept of it then.
    """

    job: Job
    clip: Clip | ClipStream | None = None
    error: str | None = None
    reused: bool = False
    facts: dict[str, Any] | None = None

    def without_clip(self) -> JobResult:
        """The same with the facts of the clip in its place: a clip has megabytes, and a batch many of them."""
        return self if self.clip is None else replace(self, clip=None, facts=_facts(self.clip))

    def as_json(self) -> dict[str, Any]:
        about = self.job.options.as_json()
        for name in INPUTS:
            if (clip := getattr(self.job.options, name)) is not None:
                about[name] = clip.path or "a clip"
        out: dict[str, Any] = {**about, "seed": self.job.seed, "index": self.job.index}
        if self.error is not None:
            return {**out, "where": self.job.where or None, "error": self.error}
        out = {"path": str(self.job.path), **out, "reused": self.reused}
        return {**out, **(self.facts or ({} if self.clip is None else _facts(self.clip)))}


def _facts(clip: Clip | ClipStream) -> dict[str, Any]:
    """What `--json` says of a clip."""
    height, width = clip.size
    facts: dict[str, Any] = {"frames": len(clip), "fps": str(clip.fps), "seconds": round(clip.seconds, 4)}
    facts |= {"width": width, "height": height, "transparent": clip.has_alpha}
    facts |= {key: clip.meta.get(key) for key in ("model", "digest", "steps", "guidance")}
    return facts | {key: value for key, value in clip.meta.items() if key == "candidates"}


def jobs_for(
    rows: Sequence[PromptRow], model: str, digest: str, folder: Path, suffix: str, *, seed: int, count: int
) -> list[Job]:
    """The jobs of a prompt file, in its order.

    A row's videos have (seed, 0), (seed, 1), ... exactly as if it were alone; a prompt that comes again with the same
    settings and seed goes on counting. Names come from the options, not from the place in the file, so that lines
    can be added and moved.
    """
    seen: Counter[bytes] = Counter()  # by digest: the options of a row with a picture are 40 kB
    jobs: list[Job] = []
    codes: list[str] = []
    for row in rows:
        row_seed = seed if row.seed is None else row.seed
        key = hashlib.sha256(json.dumps([row.options.as_json(), row_seed, digest], sort_keys=True).encode())
        for _ in range(row.count or count):
            index = seen[key.digest()]
            seen[key.digest()] += 1
            of_index = key.copy()
            of_index.update(f"#{index}".encode())
            codes.append("" if row.name else of_index.hexdigest())
            name = _named(row.name, index, suffix) if row.name else _name(row.options, codes[-1][:8], suffix)
            jobs.append(Job(model, row.options, row_seed, index, folder / name, row.where))
    return _named_apart(jobs, codes, suffix)


def is_made(job: Job, digest: str) -> bool:
    """Whether the job's file is there, with metadata that says it was made by this very job."""
    from storyreel.video_io import read_meta

    if not job.path.is_file():
        return False
    try:
        meta = read_meta(job.path)
    except (ValueError, OSError):
        return False  # some other program's, or half of a file: made again
    return is_from(meta, job.options.as_json(), job.seed, job.index, digest) and own_clips.is_whole(job.path, meta)


def run(
    jobs: Sequence[Job],
    engine: Engine,
    write: Callable[[Clip | ClipStream, Path], Any],
    *,
    digest: str = "",
    resume: bool = False,
    on_progress: OnProgress | None = None,
    on_done: Callable[[JobResult], None] | None = None,
) -> list[JobResult]:
    """Make the jobs' videos and write each as soon as it is there; results in the order of the jobs.

    resume: jobs whose file is there already are left as they are. A job that cannot be served gives a Done with an
    `error`, and the others go on; a file that cannot be written (OSError) ends the run. Clips are let go once written.
    on_progress sees the steps; it works where the engine runs in this process alone, and long videos are then made
    while they are written, where the model can.
    """
    results: dict[int, JobResult] = {}
    report = on_done or (lambda _: None)
    for place, job in enumerate(jobs):
        if resume and is_made(job, digest):
            results[place] = JobResult(job, reused=True)
            report(results[place])
    todo = [place for place in range(len(jobs)) if place not in results]

    def finish(number: int, done: JobResult) -> JobResult:
        if done.clip is not None:
            write(done.clip, done.job.path)
        report(done)
        results[todo[number]] = replace(done.without_clip(), job=jobs[todo[number]])  # a worker's has its pictures
        return results[todo[number]]

    function = partial(make, on_progress=on_progress, stream=True) if on_progress else make
    engine.run(function, [jobs[place] for place in todo], on_result=finish)
    return [results[place] for place in range(len(jobs))]


def make(job: Job, on_progress: OnProgress | None = None, stream: bool = False) -> JobResult:
    """What an engine runs. The model stays loaded in the process for the next job; one that cannot be loaded raises."""
    model = _model(job.model)
    try:
        made = model.stream if stream else model.make
        clip = made(job.options, job.seed, job.index, on_progress)
    except (ValueError, OSError) as error:
        return JobResult(job, error=" ".join(str(error).split()))
    return JobResult(job, clip)


@cache
def _model(name: str) -> Model:
    from storyreel.generate.model import load

    return load(name)


def slug(text: str, longest: int = 48) -> str:
    """A file name from a sentence."""
    words = re.findall(r"[^\W_]+", text.lower())
    name = ""
    for word in words:
        if name and len(name) + len(word) + 1 > longest:
            break
        name = f"{name}-{word}" if name else word[:longest]
    return name or "video"


def _name(options: GenerateOptions, code: str, suffix: str) -> str:
    return f"{slug(options.prompts[0])}-{code}{suffix}"


def _named(name: str, index: int, suffix: str) -> str:
    path = Path(name) if Path(name).suffix.lower() == suffix else Path(f"{name}{suffix}")
    return str(path) if index == 0 else numbered(path, index).name


def numbered(path: Path, index: int) -> Path:
    """video.mp4 -> video-002.mp4"""
    return path.with_name(f"{path.stem}-{index:03d}{path.suffix}")


def _named_apart(jobs: Sequence[Job], codes: Sequence[str], suffix: str) -> list[Job]:
    """The jobs, with longer codes where two names are the same: among 100,000 of 8 digits, one pair is to be expected.

    All that share a name get longer ones, so that names do not depend on the order. ValueError: a row's own name.
    """
    count = Counter(job.path for job in jobs)
    apart: list[Job] = []
    jobs_by_path: dict[Path, Job] = {}
    for job, code in zip(jobs, codes, strict=True):
        if code and count[job.path] > 1:
            job = replace(job, path=job.path.with_name(_name(job.options, code[:32], suffix)))
        apart.append(job)
        other = jobs_by_path.setdefault(job.path, job)
        if other is not job:
            raise ValueError(f"{job.where}: name {job.path.name!r} is taken by {other.where}")
    return apart


def many(job: Job, count: int) -> list[Job]:
    """`count` videos of one key: the same file name, numbered."""
    if count == 1:
        return [job]
    return [replace(job, index=i, path=numbered(job.path, i)) for i in range(count)]
