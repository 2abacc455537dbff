"""Which models a curation asks, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from storyreel.field_ranges import Range


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Folders, names and addresses of the models; None for none. chat_seconds: of one answer, at most."""

    captioner: str | None = None  # of `--captions`: a folder, a name OWNER/NAME of the hub, or an http address
    before: int = 0  # kinds of `--captions` that stand before it: what they caption, it does not
    pictures: Annotated[int, Range(1, 32)] = 3  # of a clip that it is shown
    image: str | None = None
    video: str | None = None
    chat: str | None = None
    chat_model: str = "default"
    chat_key: str | None = None  # name of the environment variable that holds the key, never the key
    chat_seconds: float = 60.0
    chat_tries: int = 4
    chat_at_once: int = 4
    encoder: str | None = None
    aesthetics: str | None = None
    batch: int = 8
