"""Tells video files that were written here from others, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from storyreel import atlas, clip_metadata, video_io
from storyreel.layouts import VIDEO_SUFFIXES, files_below, is_passed
from storyreel.ownership import check_file


def is_own(file: Path) -> bool:
    """Whether the metadata in a video, or beside a sheet, says that it was written here. A link never is."""
    if file.is_symlink() or not file.is_file() or file.suffix.lower() not in VIDEO_SUFFIXES:
        return False
    try:
        return video_io.read_meta(file) is not None
    except (ValueError, OSError):
        return False


def may_write(file: Path) -> bool:
    """Whether `file`, and the atlas that a .png has beside it, are new or were written here.

    The atlas is written first: where a process was killed between the two, it stands alone, and says whose it is.
    """
    new, beside = is_free(file), file.with_suffix(".json")
    if file.suffix.lower() == ".png" and not is_free(beside):
        return atlas.is_own(file) if new else is_own(file) and atlas.atlas_of(file) is not None
    return new or is_own(file)


def is_free(file: Path) -> bool:
    """Whether nothing has this name, not even a link that leads nowhere."""
    return not (file.exists() or file.is_symlink())


def check_place(file: Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """OSError or ValueError where `file`, or the atlas that a .png has beside it, is somebody else's, or is read."""
    own = may_write(file)
    check_file(file, own, inputs)
    if file.suffix.lower() == ".png":
        check_file(file.with_suffix(".json"), own, inputs)


def is_whole(file: Path, meta: dict[str, Any] | None) -> bool:
    """Whether nothing is missing beside a file with this metadata: a .png of several frames has an atlas."""
    several = clip_metadata.file_facts(meta).get("frames", 1) > 1
    return not (file.suffix.lower() == ".png" and several and atlas.atlas_of(file) is None)


def first_foreign(folder: Path, kind: str) -> str | None:
    """The first file below a folder that is no clip of ours (nor the atlas of one); None where all of them are."""
    found = False
    for name in files_below(folder):
        file = folder / name
        if is_own(file) or (
            file.suffix == ".json" and is_own(file.with_suffix(".png")) and atlas.atlas_of(file.with_suffix(".png"))
        ):
            found = True
        elif not is_passed(name):
            return name
    return None if found else next(folder.iterdir()).name
