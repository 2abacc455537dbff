"""MSR-VTT (Xu et al. 2016): `train_val_videodatainfo.json`, `test_videodatainfo.json`, and a folder of videos.

Both files hold "videos" (video_id, url, "start time", "end time", split, category) and "sentences" (video_id, caption,
sen_id), twenty captions a video. The published videos are `video0.mp4`, ... and are cut already; a file that has the
name of the source on YouTube instead is cut to the span here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from storyreel.data.imports.entries import (
    AnnotatedClip,
    Annotation,
    ClipCut,
    Refused,
    digest_of_files,
    seconds_of,
    videos_in,
)
from storyreel.data.imports.folder import Imported, write_import
from storyreel.json_file import read_json

MAX_BYTES = 1 << 30  # of an annotation file; the published ones have 60 MB
SPLITS = {"train": "train", "validate": "val", "val": "val", "validation": "val", "test": "test"}


def import_msr_vtt(
    annotations: Sequence[str | Path],
    videos: str | Path,
    out: str | Path,
    *,
    shape: ClipCut | None = None,
    workers: int | None = None,
) -> Imported:
    """Write the dataset folder `out`, one clip a video, with all its captions and its split (train, val, test).

    Missing and broken videos, broken entries and files that are no JSON are left out and listed. ValueError or
    OSError, of one line, when nothing is left.
    """
    files = [Path(file) for file in annotations]
    plan = {"import": "msr-vtt", "annotations": digest_of_files(files)}
    annotation = read(files, Path(videos))
    return write_import(out, annotation, shape or ClipCut(), plan=plan, workers=workers, inputs=[*files, videos])


def read(files: Sequence[Path], videos: Path) -> Annotation:
    """What the annotation files ask for, with the files of the folder `videos`."""
    there = videos_in(videos)
    refused: list[Refused] = []
    listed: dict[str, dict[str, Any]] = {}
    documents = list(_documents(files, refused))
    for where, document in documents:
        for number, video in enumerate(document["videos"]):
            why = _wrong_with(video, listed)
            if why:
                refused.append((_name(video, f"{where}: videos[{number}]"), why))
            else:
                listed[video["video_id"]] = video
    captions = _captions(documents, listed, refused)
    entries = []
    for index, (name, video) in enumerate(listed.items()):
        source = _youtube(video.get("url"))
        file = there.get(name) or there.get(source or "")
        if not captions[name]:
            refused.append((name, "has no caption"))
        elif file is None:
            refused.append((name, f"no such video in {videos}"))
        else:
            entries.append(_entry(index, video, captions[name], file, cut=name not in there))
    return Annotation(entries, refused)


def _documents(files: Sequence[Path], refused: list[Refused]) -> Iterator[tuple[str, dict[str, Any]]]:
    good = 0
    for file in files:
        try:
            document = read_json(file, max_bytes=MAX_BYTES)
        except ValueError as error:
            refused.append((str(file), str(error).removeprefix(f"{file}: ")))
            continue
        lists = [document.get(name) if isinstance(document, dict) else None for name in ("videos", "sentences")]
        if not all(isinstance(each, list) for each in lists):
            refused.append((str(file), 'expected an object with the lists "videos" and "sentences"'))
            continue
        good += 1
        yield file.name, document
    if not good:
        what, why = refused[0] if refused else ("annotations", "expected at least one file")
        raise ValueError(f"{what}: {why}")


def _wrong_with(video: Any, listed: dict[str, dict[str, Any]]) -> str | None:
    """Why an item of "videos" cannot be used; None when it can."""
    if not isinstance(video, dict) or not isinstance(video.get("video_id"), str) or not video["video_id"]:
        return 'expected an object with a "video_id"'
    if video["video_id"] in listed:
        return "comes a second time"
    if video.get("split") not in SPLITS:
        return f"split {video.get('split')!r}: expected train, validate or test"
    if "start time" in video or "end time" in video:
        start, end = seconds_of(video.get("start time")), seconds_of(video.get("end time"))
        if start is None or end is None or end <= start:
            return f"times {video.get('start time')!r} to {video.get('end time')!r}: expected seconds, the end later"
    return None


def _captions(
    documents: list[tuple[str, dict[str, Any]]], listed: dict[str, dict[str, Any]], refused: list[Refused]
) -> dict[str, list[str]]:
    """Video -> its captions in the order of their ids, without repetition."""
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in listed}
    for where, document in documents:
        for number, sentence in enumerate(document["sentences"]):
            caption = sentence.get("caption") if isinstance(sentence, dict) else None
            if not isinstance(caption, str) or not caption.strip() or not isinstance(sentence.get("video_id"), str):
                refused.append((f"{where}: sentences[{number}]", 'expected an object with "video_id" and "caption"'))
                continue
            if sentence["video_id"] in found:  # one of a video that was refused went with it
                place = sentence.get("sen_id")
                place = place if isinstance(place, int) else number
                found[sentence["video_id"]].append((place, " ".join(caption.split())))
    return {name: list(dict.fromkeys(text for _, text in sorted(several))) for name, several in found.items()}


def _entry(index: int, video: dict[str, Any], captions: list[str], file: Path, *, cut: bool) -> AnnotatedClip:
    start, end = seconds_of(video.get("start time")), seconds_of(video.get("end time"))
    category = video.get("category")
    return AnnotatedClip(
        index=index,
        name=video["video_id"],
        file=file,
        captions=tuple(captions),
        split=SPLITS[video["split"]],
        span=(start, end) if cut and start is not None and end is not None else None,
        row={
            "id": video["video_id"],
            "source": str(video.get("url") or ""),
            "source_start": start,
            "source_end": end,
            "category": category if isinstance(category, int) else None,
        },
    )


def _youtube(url: Any) -> str | None:
    found = re.search(r"(?:[?&]v=|youtu\.be/)([\w-]{11})", url) if isinstance(url, str) else None
    return found.group(1) if found else None


def _name(video: Any, otherwise: str) -> str:
    name = video.get("video_id") if isinstance(video, dict) else None
    return name if isinstance(name, str) and name else otherwise
