"""Where the files of videos lie in the folder of a server, and how they appear: all of a video at once, or none.

studio.sqlite3          the table
videos/ID/video.mp4     what was made, with thumbnail.webp, sheet.png, sheet.json, clip.mkv (lossless), video.json
inputs/ID-image.png     what was sent with a request
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.names import bare, is_bare
from storyreel.storage import check_no_link, read_json, sweep, sync_folder, temporary_name

if TYPE_CHECKING:
    from storyreel.clip import Clip

VIDEOS, INPUTS = "videos", "inputs"
ID = re.compile(r"video_[0-9a-f]{32}")
FACTS, LOSSLESS, SHEET, ATLAS, THUMBNAIL = "video.json", "clip.mkv", "sheet.png", "sheet.json", "thumbnail.webp"
THUMBNAIL_SIDE = 256  # pixels that a thumbnail's longer side has at least


class VideoFiles:
    """The files of the videos in one folder. Ids are checked: no name of a request is ever a path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (VIDEOS, INPUTS):
            if (folder / name).is_symlink():
                raise ValueError(f"{folder / name}: is a link, expected a folder")
            (folder / name).mkdir(exist_ok=True)

    def sweep(self) -> None:
        """Remove what workers that are gone had begun to write."""
        for name in (VIDEOS, INPUTS):
            sweep(self.folder / name)

    def place(self, id: str) -> Path:
        if ID.fullmatch(id) is None:
            raise ValueError(f"{id!r} is no id of a video")
        return self.folder / VIDEOS / id

    def file(self, id: str, name: str) -> Path | None:
        """A file of a video, or None where there is none. OSError for a link, or a folder that is one."""
        place = self.place(id)
        if not is_bare(name):  # of a format that stands in a table of somebody else's
            return None
        if place.is_symlink():
            raise OSError(errno.ELOOP, "is a link, expected a folder", str(place))
        file = place / name
        check_no_link(file)
        return file if file.is_file() else None

    def input_file(self, id: str, name: str, suffix: str) -> Path:
        """Where something that was sent with the request of a video is kept; `name` is the option."""
        return self.folder / INPUTS / bare(f"{self.place(id).name}-{name}{suffix}", "inputs")

    def take_end_of(self, id: str, target: Path) -> None:
        """Keep the clip of a video as the beginning of another one. ValueError: it was not made to its end."""
        source, facts = self.file(id, LOSSLESS), self.facts(id)
        if source is None or facts is None or facts.get("partial"):
            raise ValueError("video: the scene that it goes on from was not made")
        linked(source, target)

    def facts(self, id: str) -> dict[str, Any] | None:
        """What `video.json` says; None where the files of the video have not appeared."""
        file = self.file(id, FACTS)
        return read_json(file) if file is not None else None

    def remove(self, id: str) -> None:
        """Take away the files of a video: out of sight at once, then from the disk."""
        place = self.place(id)
        if place.is_dir() and not place.is_symlink():
            gone = temporary_name(place)
            os.replace(place, gone)
            shutil.rmtree(gone, ignore_errors=True)
        for file in (self.folder / INPUTS).glob(f"{place.name}-*"):
            with suppress(OSError):
                file.unlink()

    def prepare(self, id: str, clip: Clip, format: str, scale: int | None, result: Mapping[str, Any]) -> PendingFiles:
        """Write the files of a video under a temporary name. OSError: the disk is full."""
        place = self.place(id)
        made = temporary_name(place)
        try:
            made.mkdir()
            _write(made, clip, format, scale, result)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return PendingFiles(made, place)


def linked(source: Path, target: Path) -> None:
    """A second name of the same content where the disk has links, so that its video may be deleted; else a copy."""
    made = temporary_name(target)
    try:
        os.link(source, made, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, made)
    os.replace(made, target)


class PendingFiles:
    """Files that are whole, and not to be seen yet."""

    def __init__(self, made: Path, place: Path) -> None:
        self._made, self._place = made, place

    def publish(self) -> None:
        """Let them appear, all at once. What another worker left there before it died is replaced."""
        if self._place.exists():
            shutil.rmtree(self._place)
        os.replace(self._made, self._place)
        sync_folder(self._place.parent)

    def discard(self) -> None:
        shutil.rmtree(self._made, ignore_errors=True)


def _write(folder: Path, clip: Clip, format: str, scale: int | None, result: Mapping[str, Any]) -> None:
    from PIL import Image

    from storyreel import video_io

    video_io.write(clip, folder / bare(f"video.{format}", "format"), scale=scale or "auto")
    video_io.write(clip, folder / LOSSLESS, scale=1)
    video_io.write(clip, folder / SHEET, scale=1)
    frame = clip.over().frames[len(clip) // 2] if format == "mp4" else clip.frames[len(clip) // 2]
    factor = max(1, -(-THUMBNAIL_SIDE // max(frame.shape[:2])))
    Image.fromarray(frame.repeat(factor, 0).repeat(factor, 1)).save(folder / THUMBNAIL, "WEBP", lossless=True)
    (folder / FACTS).write_text(json.dumps(result), encoding="utf-8")
    for file in folder.iterdir():
        with file.open("rb") as content:
            os.fsync(content.fileno())
