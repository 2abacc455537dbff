"""What is wrong with a dataset folder, clip by clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from storyreel.data.folder import SPLITS, DatasetFolder, FileReader
from storyreel.data.parallel import progress, run
from storyreel.engine import cores
from storyreel.wording import counted

CHUNK = 64


@dataclass(frozen=True)
class CheckReport:
    """What `check` found. `refused` and `notes`: (file name, what is wrong); a refused clip is never trained on."""

    path: str
    rows: int
    usable: int
    captioned: int
    captions: int  # distinct ones
    splits: dict[str, int]
    sizes: dict[str, int]  # "WIDTHxHEIGHT" -> clips
    frames: dict[int, int]
    seconds: float
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.usable} of {self.rows} clips can be used, {self.seconds:.1f} s of video",
            f"  splits    {_counts(self.splits)}",
            f"  sizes     {_counts(self.sizes)}",
            f"  frames    {_counts(self.frames)}",
            f"  captions  {self.captions:,} different, on {counted(self.captioned, 'clip')}",
        ]
        for title, found in (("refused", self.refused), ("noticed", self.notes)):
            if found:
                lines.append(f"{title}:")
                lines += [f"  {name}: {why}" for name, why in found]
        return "\n".join(lines)


def check(folder: DatasetFolder, workers: int | None = None) -> CheckReport:
    """Decode every clip and compare it with its row."""
    spans = [range(start, min(start + CHUNK, len(folder))) for start in range(0, len(folder), CHUNK)]
    jobs = [folder.reader(span) for span in spans]
    found: list[tuple[str | None, tuple[int, int, int, float]]] = []
    workers = min(workers or cores(), len(jobs)) or 1
    with progress("checking", len(folder)) as advance:
        for chunk in run(_look, jobs, workers=workers, without=FileReader.without):
            found += chunk
            advance(len(chunk))
    good = [facts for why, facts in found if why is None]
    names = folder.file_names
    return CheckReport(
        path=str(folder.path),
        rows=len(folder),
        usable=len(good),
        captioned=sum(bool(c) for c in folder.all_captions),
        captions=len({c for captions in folder.all_captions for c in captions}),
        splits=dict(Counter(folder.splits)),
        sizes=dict(Counter(f"{w}x{h}" for _, h, w, _ in good).most_common()),
        frames=dict(sorted(Counter(t for t, *_ in good).items())),
        seconds=sum(facts[3] for facts in good),
        refused=[(name, why) for name, (why, _) in zip(names, found, strict=True) if why],
        notes=_notes(folder, found),
    )


def _look(files: FileReader) -> list[tuple[str | None, tuple[int, int, int, float]]]:
    """For each file why it is refused (None when it is not), and its frames, height, width, seconds."""
    return [
        (clip, (0, 0, 0, 0.0)) if isinstance(clip, str) else (None, (len(clip), *clip.size, clip.seconds))
        for clip in files
    ]


def _notes(folder: DatasetFolder, found: list[tuple[str | None, tuple[int, int, int, float]]]) -> list[tuple[str, str]]:
    """What does not keep a clip from being used, but may not be meant."""
    notes = []
    names = folder.file_names
    claimed = folder.column("num_frames")
    repeated = {name for name, count in Counter(names).items() if count > 1}
    for row, (name, (why, facts)) in enumerate(zip(names, found, strict=True)):
        if not folder.all_captions[row]:
            notes.append((name, "no caption: not used where a model learns from text"))
        if folder.splits[row] not in SPLITS:
            notes.append((name, f"split {folder.splits[row]!r}: not used; known are {' and '.join(SPLITS)}"))
        if claimed and why is None and claimed[row] is not None and claimed[row] != facts[0]:
            notes.append((name, f"the row says {claimed[row]} frames, the file has {facts[0]}"))
        if name in repeated:
            notes.append((name, "named by several rows"))
    here = {f"clips/{file.name}" for file in (folder.path / "clips").glob("*") if not file.name.startswith(".")}
    notes += [(name, "no row names this file") for name in sorted(here - set(names))]
    return notes


def _counts(counted: dict) -> str:
    shown = [f"{name}: {count}" for name, count in list(counted.items())[:8]]
    return ", ".join(shown) + (f" and {len(counted) - 8} more" if len(counted) > 8 else "") or "none"
