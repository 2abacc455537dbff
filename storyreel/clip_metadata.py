"""What made a file: one JSON document, `{"storyreel": 1, ...}`, kept in the comment tag that each format has.

The document holds `Clip.meta` as it is, `caption`, and under `file` what the container itself may not be able to say:
the exact frame rate, the number of frames, the size before padding and the whole factor of enlargement.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import cache
from typing import Any

from storyreel.clip import Clip, ClipStream
from storyreel.json_file import parse_json
from storyreel.numbers import is_whole

LIMIT = 1 << 20  # characters; a longer comment is some other program's, and is not read
MAX_FRAMES, MAX_SIDE = 10**9, 1 << 20  # what a document may say of a file, at most
VERSION = 1
OWN_KEYS = ("storyreel", "caption", "file")


@cache
def made_by() -> str:
    """This program and its version, as files name it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"storyreel {version('storyreel')}"
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "storyreel"


def document(clip: Clip | ClipStream, scale: int = 1) -> dict[str, Any]:
    """The document for a clip that is written `scale` times as large as it is."""
    height, width = clip.size
    file = {
        "by": made_by(),
        "fps": str(clip.fps),
        "frames": len(clip),
        "size": [width * scale, height * scale],
        "scale": scale,
        "alpha": clip.has_alpha,
    }
    return {**clip.meta, "storyreel": VERSION, "caption": clip.caption, "file": file}


def dump(doc: dict[str, Any], ascii_only: bool = False) -> str:
    """JSON text. Raises ValueError when the meta holds something JSON cannot say, or is too long to be read back."""
    try:
        text = json.dumps(doc, ensure_ascii=ascii_only, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: only the escaped form can hold it
        text = json.dumps(doc, ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"meta: expected values that JSON can hold: {error}") from error
    if len(text) > LIMIT:
        raise ValueError(f"meta: the JSON is {len(text)} characters long, expected at most {LIMIT}")
    parse_json(text, "meta")
    return text


def parse(text: str | None) -> dict[str, Any] | None:
    """The document in a comment, or None: foreign or malformed comments are no error."""
    if not text or len(text) > LIMIT or not text.lstrip().startswith("{"):
        return None
    try:
        doc = parse_json(text)
    except ValueError:
        return None
    return doc if isinstance(doc, dict) and "storyreel" in doc else None


def clip_fields(doc: dict[str, Any] | None) -> dict[str, Any]:
    """`caption` and `meta` for a Clip, from a document (or none)."""
    if doc is None:
        return {}
    caption = doc.get("caption")
    return {
        "caption": caption if isinstance(caption, str) else "",
        "meta": {key: value for key, value in doc.items() if key not in OWN_KEYS},
    }


def file_facts(doc: dict[str, Any] | None) -> dict[str, Any]:
    """The `file` part with its types checked: `fps` Fraction, `frames` int, `size` (width, height), `alpha`, `crc32`;
    absent if unfit."""
    file = (doc or {}).get("file")
    facts: dict[str, Any] = {}
    if not isinstance(file, dict):
        return facts
    fps, frames, size = file.get("fps"), file.get("frames"), file.get("size")
    if isinstance(fps, str) and re.fullmatch(r"[1-9]\d{0,9}(/[1-9]\d{0,9})?", fps, re.ASCII):
        facts["fps"] = Fraction(fps)
    if is_whole(frames, 1, MAX_FRAMES):
        facts["frames"] = frames
    if isinstance(size, list) and len(size) == 2 and all(is_whole(n, 1, MAX_SIDE) for n in size):
        facts["size"] = tuple(size)
    if is_whole(file.get("crc32"), 0, 2**32 - 1):
        facts["crc32"] = file["crc32"]  # of the pixels; only lossless video has it
    if isinstance(file.get("alpha"), bool):
        facts["alpha"] = file["alpha"]
    return facts
