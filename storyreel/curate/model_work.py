"""What the steps that need a model share: which rows they look at, and the answers that are there.

Each step looks at a few frames of each span that nothing else rejects, and every answer is stored as it is made, under
the name of the model that gave it. So a run that is killed asks nothing twice, and another model's answers are kept
apart. A model that is not here leaves its column empty, with one note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from storyreel.curate.chat import NoAnswer
from storyreel.curate.export import span_of
from storyreel.curate.model_settings import ModelSettings
from storyreel.curate.screen import CurationScreen
from storyreel.curate.store import Store
from storyreel.wording import counted

GIVES_UP = 8  # clips without an answer, and not one with
FIRST_MIDDLE_LAST = (0.0, 0.5, 1.0)
LATER = ("duplicate", "similarity.min", "similarity.max", "aesthetics.min", "aesthetics.max", "caption_words.min")


class Captioner(Protocol):
    """Frames to sentences. `name` says which model, so that answers are never mixed up."""

    places: tuple[float, ...]  # of the span, 0 the first frame and 1 the last

    @property
    def name(self) -> str: ...

    def __call__(self, videos: Sequence[np.ndarray]) -> Sequence[str | NoAnswer]:
        """uint8 (t, h, w, 3) each, of any sizes; one sentence each, or why there is none."""
        ...


@dataclass
class Work:
    """What the steps share. `notes` go into the card."""

    store: Store
    rows: Sequence[dict[str, Any]]
    models: ModelSettings
    screen: CurationScreen
    notes: list[str]

    def candidates(self) -> list[dict[str, Any]]:
        """Rows that nothing rejects but what these steps themselves decide; and those that a person keeps."""
        return [row for row in self.rows if row["kept"] or all(r["name"] in LATER for r in row["reasons"])]


def ask(work: Work, captioner: Captioner, what: str, rows: Sequence[dict[str, Any]] | None = None) -> dict[str, str]:
    """Clip -> caption, of all candidates, or of `rows`; those that were answered before are not asked again.

    A model that answers nothing for the first GIVES_UP clips is not asked about the rest.
    """
    answers = work.store.answers(f"captions-{key_of(captioner.name)}")
    todo = [row for row in (work.candidates() if rows is None else rows) if row["clip"] not in answers.values]
    work.screen.begin(what, len(todo))
    failures: list[str] = []
    answered = 0
    for part, videos in looked_at(work, todo, captioner.places):
        for row, text in zip(part, captioner(videos), strict=True):
            if isinstance(text, str):
                answers.put(row["clip"], " ".join(text.split()))
                answered += 1
            else:
                failures.append(str(text))
            work.screen.advance()
        if not answered and len(failures) >= GIVES_UP:
            break
    answers.settle()
    if failures:
        work.screen.say(f"{what}: {counted(len(todo) - answered, 'clip')} of {len(todo)} got no caption: {failures[0]}")
        work.notes.append(f"{what}: {counted(len(todo) - answered, 'clip')} got no caption")
    return answers.values


def looked_at(
    work: Work, rows: Sequence[dict[str, Any]], places: Sequence[float]
) -> Iterator[tuple[list[dict[str, Any]], list[np.ndarray]]]:
    """Batches of (rows, frames of each). A film that cannot be read any more is passed over, with a note."""
    from storyreel.span import Span

    held: list[tuple[dict[str, Any], np.ndarray]] = []
    for row in rows:
        try:
            held.append((row, Span.from_json(span_of(row)).some(places)))
        except (ValueError, OSError) as error:
            note = f"{row['source']}: clip {row['clip']} cannot be looked at: {' '.join(str(error).split())}"
            work.notes.append(note)
            work.screen.say(note)
        if len(held) >= work.models.batch:
            yield [row for row, _ in held], [frames for _, frames in held]
            held = []
    if held:
        yield [row for row, _ in held], [frames for _, frames in held]


def key_of(name: str) -> str:
    """A file name for the answers of a model."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def digest_of_folder(folder: str | Path) -> str:
    """Of names and bytes of the weights and settings: where a model lies does not matter."""
    hashed = hashlib.sha256()
    for file in sorted(Path(folder).glob("*")):
        if file.suffix in (".safetensors", ".json", ".txt", ".model"):
            hashed.update(file.name.encode("utf-8", "surrogatepass"))
            with file.open("rb") as content:
                hashed.update(hashlib.file_digest(content, "sha256").digest())
    return hashed.hexdigest()
