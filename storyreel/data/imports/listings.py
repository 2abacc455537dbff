"""Datasets whose list is their folders: frames (SkyTimelapse, Taichi-HD as pictures), UCF-101, Moving MNIST's array."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from storyreel.data.imports.entries import (
    SPLITS,
    AnnotatedClip,
    Annotation,
    ClipCut,
    Refused,
    digest_of_files,
    videos_in,
)
from storyreel.data.imports.folder import Imported, write_import
from storyreel.data.imports.pictures import array_of, frames_in
from storyreel.whole_file import lines_of


def import_frames(
    folder: Path, out: Path, *, rate: Fraction = Fraction(25), caption: str = "", shape: ClipCut | None = None,
    workers: int | None = None,
) -> Imported:  # fmt: skip
    """A clip of every folder of pictures below `folder`, at `rate` frames a second. The split is what a folder on the
    way is called: `sky_train`, `test`, ... ValueError: no pictures in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of frames")
    entries: list[AnnotatedClip] = []
    for each in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        if frames_in(each):
            inner = each.relative_to(folder)
            name = inner.as_posix() if inner.parts else folder.name
            entries.append(AnnotatedClip(
                index=len(entries), name=name, file=each, captions=(caption,) if caption else (), split=_split(inner),
                rate=rate, row={"id": name},
            ))  # fmt: skip
    if not entries:
        raise ValueError(f"{folder}: no folders with pictures in it")
    names = "\n".join(f"{entry.name} {len(frames_in(entry.file))}" for entry in entries)
    plan = {"import": "frames", "rate": str(rate), "caption": caption, "folders": _digest(names)}
    return write_import(out, Annotation(entries, []), shape or ClipCut(), plan=plan, workers=workers, inputs=[folder])


def import_ucf101(
    videos: Path, splits: Path, out: Path, *, fold: int = 1, shape: ClipCut | None = None, workers: int | None = None
) -> Imported:
    """UCF-101 by `trainlist0N.txt` and `testlist0N.txt` ("Class/v_Class_g01_c01.avi 1"); the class is the caption
    ("apply eye makeup"). ValueError, OSError: no such lists."""
    files = [splits / f"{part}list{fold:02d}.txt" for part in ("train", "test")]
    there, entries, refused = videos_in(videos), [], []
    for file, split in zip(files, ("train", "test"), strict=True):
        for number, line in enumerate(lines_of(file)):
            if not line.strip():
                continue
            name = Path(line.split()[0])
            action = name.parent.name or (re.findall(r"v_(\w+?)_g\d+", name.stem) or [""])[0]
            index = len(entries) + len(refused)
            if name.stem not in there:
                refused.append((f"{file.name}, line {number + 1}", f"no video {name} in {videos}"))
                continue
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", action).lower()
            captions = (words,) if words else ()
            row = {"id": name.stem, "action": action}
            file_of = there[name.stem]
            entries.append(
                AnnotatedClip(index=index, name=name.stem, file=file_of, split=split, captions=captions, row=row)
            )
    plan = {"import": "ucf101", "lists": digest_of_files(files)}
    annotation = Annotation(entries, refused)
    return write_import(out, annotation, shape or ClipCut(), plan=plan, workers=workers, inputs=[videos, *files])


def import_array(
    file: Path, out: Path, *, rate: Fraction = Fraction(10), caption: str = "", shape: ClipCut | None = None,
    workers: int | None = None,
) -> Imported:  # fmt: skip
    """A clip of each of the clips of an array of grey frames, `mnist_test_seq.npy`: (frames, clips, height, width)."""
    count = array_of(file).shape[1]
    entries = [
        AnnotatedClip(
            index=i,
            name=f"clip {i}",
            file=file,
            captions=(caption,) if caption else (),
            split="test",
            rate=rate,
            part=i,
        )
        for i in range(count)
    ]
    refused: list[Refused] = []
    plan = {"import": "array", "rate": str(rate), "caption": caption, "file": digest_of_files([file])}
    return write_import(
        out, Annotation(entries, refused), shape or ClipCut(), plan=plan, workers=workers, inputs=[file]
    )


def _split(path: Path) -> str:
    """What the folders on the way say: "sky_train/a/b" is of `train`."""
    words = (word for part in path.parts[:-1] for word in re.split(r"[^a-z]+", part.lower()))
    return next((SPLITS[word] for word in words if word in SPLITS), "train")


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
