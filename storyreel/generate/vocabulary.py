"""Whether a prompt is in a model's language: its words against the list in the model's card."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    _WORD.findall(
        "a an the and or of in on at to from with without by for as is are was be being has have his her its their "
        "he she it they this that these those who which while then there no not very"
    )
)


def content_words(prompt: str) -> list[str]:
    """The words that carry meaning, lower-case: neither articles nor prepositions, nor alone-standing letters."""
    words = [word.lower() for word in _WORD.findall(prompt)]
    return [word for word in words if word not in _SMALL and (len(word) > 1 or word.isdigit())]


def knows_any(prompt: str, known: Iterable[str]) -> bool:
    """Whether some content word is among the known ones, as it stands or without a plural or verb ending."""
    vocabulary = {part for entry in known for part in _WORD.findall(entry.lower())}
    return any(form in vocabulary for word in content_words(prompt) for form in _forms(word))


def note_for(prompts: Iterable[str], known: Iterable[str] | None, model: str) -> str | None:
    """One line for the user when a prompt has no word that the model knows; None when all is well or not known."""
    if not known:
        return None
    known = list(known)
    for prompt in prompts:
        if prompt and not knows_any(prompt, known):
            return (
                f"{model} knows no word of {prompt[:60]!r}, so what comes is arbitrary; "
                f"its card lists what it knows: storyreel models show {model}"
            )
    return None


def _forms(word: str) -> set[str]:
    forms = {word}
    for ending in ("s", "es", "ing", "ed", "er", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            forms |= {stem, f"{stem}e"}
    return forms
