"""What a leaderboard compares: a model that makes its clips now, a folder of clips, or one that is measured already."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from storyreel.evaluate.evaluation import Bar
from storyreel.hub.reference import INDEX, title
from storyreel.leaderboard.prompts import SeededPrompts
from storyreel.names import expanded, inside

if TYPE_CHECKING:
    from storyreel.evaluate.report.leaderboard import Entrant

MADE = "made_in"  # key of a clip's metadata: seconds that it took, where, and whether the model had run before


@dataclass(frozen=True)
class LeaderboardEntry:
    """A word of the command line: NAME=PATH or PATH."""

    name: str
    kind: Literal["model", "clips", "report"]
    path: Path

    @classmethod
    def of(cls, text: str) -> LeaderboardEntry:
        """ValueError, in one line, where it names neither a folder of clips nor a model."""
        name, equals, place = text.partition("=")
        if not equals or os.path.exists(text):
            name, place = "", text
        path = expanded(place)
        if path.is_file() and path.suffix == ".json":
            return cls(name or _name_in(path), "report", path)
        if path.is_dir() and not any(map(_is_model, (path, path / "model"))):
            if (path / "report.json").is_file():
                return cls(name or _name_in(path), "report", path / "report.json")
            return cls(name or path.resolve().name, "clips", path)
        from storyreel.generate import registry

        folder = registry.find(place)
        return cls(name or title(registry.display_name(folder)), "model", folder)


def _is_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("model.json", INDEX))


def _name_in(report: Path) -> str:
    from storyreel.evaluate.compare import read_report

    return str(read_report(report).get("name") or report.parent.resolve().name)


def folder_of_clips(entry: LeaderboardEntry, prompts: SeededPrompts | None, out: Path) -> Path | None:
    """Where an entry's clips lie, or will; None for one that is measured already."""
    if entry.kind != "model":
        return entry.path if entry.kind == "clips" else None
    from storyreel.generate import registry

    assert prompts is not None
    return out / "clips" / f"{entry.name}-{prompts.digest(str(registry.describe(entry.path).get('digest')))}"


def has_matte(folder: Path) -> bool:
    """Whether a model can make transparent clips, from its model.json alone."""
    from storyreel.generate import registry

    found: Any = registry.describe(folder)
    for key in ("recipe", "system", "tokenizer"):
        found = found.get(key) if isinstance(found, dict) else None
    return isinstance(found, dict) and found.get("channels") == 4


def make_clips(entry: LeaderboardEntry, prompts: SeededPrompts, folder: Path, bar: Bar) -> None:
    """The clips that are not there yet, lossless, one after the other; each file says how long it took, and where."""
    from storyreel.engine import cores, wait_calmly
    from storyreel.generate import batch, registry
    from storyreel.storage import check_writable, sweep

    wait_calmly()
    import torch

    from storyreel.generate.model import load

    digest = str(registry.describe(entry.path).get("digest", ""))
    jobs = batch.jobs_for(prompts.rows, str(entry.path), digest, folder, ".mkv", seed=0, count=1)
    check_writable(folder)
    sweep(folder)
    todo = [job for job in jobs if not batch.is_made(job, digest)]
    if not todo:
        return
    torch.set_num_threads(min(torch.get_num_threads(), cores()))
    model = load(entry.path)
    here = machine_of(model.system.device.type)
    with bar(f"{entry.name}: making clips", len(todo)) as advance:
        for place, job in enumerate(todo):
            begun = time.perf_counter()
            clip = model.make(job.options, job.seed, job.index)
            about: dict[str, Any] = {
                MADE: {"seconds": round(time.perf_counter() - begun, 4), "machine": here, "warm": place > 0}
            }
            if expected := prompts.expected.get(job.options.prompt):
                about["attributes"] = expected
            clip.replace(meta=clip.meta | about).save(job.path, scale=None)
            advance(1)


def machine_of(device: str) -> str:
    """The processor with its usable cores, or the GPU."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        name = platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' * (threads != 1)}"


def entrant_of(entry: LeaderboardEntry, report: dict[str, Any], clips: Path, page: Path | None, out: Path) -> Entrant:
    """A model as the leaderboard wants it: its report, and what its clips and its model folder say beside it."""
    from storyreel.evaluate.report.leaderboard import Entrant

    files = [inside(clips, clip["file"], f"{entry.path}: per_clip: file") for clip in report["per_clip"]]
    about = _model_of(entry, files)
    return Entrant(
        entry.name,
        report,
        path=str(entry.path),
        system=str(about.get("system") or ""),
        digest=str(about.get("digest") or ""),
        seconds=seconds_of(files),
        parameters=about.get("parameters"),
        training=training_of(about) if about else None,
        link=os.path.relpath(page, out) if page is not None and page.is_file() else "",
        files=files,
    )


def _meta(file: Path) -> dict[str, Any]:
    from storyreel.video_io import read_meta

    try:
        return read_meta(file) or {}
    except (ValueError, OSError):
        return {}


def _model_of(entry: LeaderboardEntry, files: Sequence[Path]) -> dict[str, Any]:
    """model.json of the model that made the clips, where it is at hand: on the registry, with the same weights."""
    from storyreel.generate import registry

    if entry.kind == "model":
        return registry.describe(entry.path)
    meta = _meta(files[0]) if files else {}
    folder = registry.here().get(str(meta.get("model")))
    about = registry.describe(folder) if folder else {}
    return about if about.get("digest") == meta.get("digest") else {}


def seconds_of(files: Sequence[Path]) -> dict[str, Any] | None:
    """The median of what the files say that they took on one machine, with its interval; the first after loading the
    model does not count where there are others. None where none says it."""
    import numpy as np

    from storyreel.evaluate.interval import resampled

    measured = [made for file in files if isinstance(made := _meta(file).get(MADE), dict)]
    measured = [made for made in measured if isinstance(made.get("seconds"), float)]
    warm = [made for made in measured if made.get("warm")] or measured
    if not warm:
        return None
    machine = str(warm[-1].get("machine"))
    seconds = np.array([made["seconds"] for made in warm if str(made.get("machine")) == machine])
    found = resampled(len(seconds), lambda pick: np.median(seconds[pick], axis=-1))
    return {**found.as_json(), "machine": machine}


def training_of(about: dict[str, Any]) -> dict[str, Any] | None:
    """FLOPs of the training: what model.json says, or counted from its recipe and the steps that it says were done."""
    training = about.get("training")
    if not isinstance(training, dict):
        return None
    if isinstance(flops := training.get("flops"), (int, float)):
        return {"flops": float(flops), "note": "as its model.json says"}
    steps = training.get("steps")
    if not isinstance(steps, dict) or not all(isinstance(n, int) for n in steps.values()) or not steps:
        return None
    text = " + ".join(f"{n:,}" for n in steps.values()) + " steps"
    flops = _counted(Path(about["path"]), steps)
    return {"flops": flops, "note": text, "steps": steps}


def _counted(folder: Path, steps: dict[str, int]) -> float | None:
    """None where a stage's cost cannot be counted."""
    from storyreel.model import load_model
    from storyreel.train.cost import costs

    try:
        _, recipe, _ = load_model(folder)
        found = costs(recipe)
        return float(sum(found[name].step * n for name, n in steps.items()))
    except (ValueError, OSError, KeyError):
        return None
