"""What is said of prompts before anything is made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from storyreel.cli import generate
from storyreel.options.generation import GenerateOptions

INFO: dict[str, Any] = {"name": "tiny", "vocabulary": ["a", "knight", "walking"]}


def rows(*prompts: str) -> list[Any]:
    made = [GenerateOptions.of({"prompt": prompt}) for prompt in prompts]
    return [SimpleNamespace(where=f"p.txt, line {i}", options=options) for i, options in enumerate(made, 1)]


def notes(*prompts: str, monkeypatch: Any) -> list[str]:
    """Of a file of prompts, with words of one letter repeated as what the model knows nothing of."""
    monkeypatch.setattr("storyreel.generate.registry.is_conditional", lambda info: True)
    monkeypatch.setattr("storyreel.generate.vocabulary.note_for", lambda prompts, *_: "".join(prompts).strip("k"))
    return generate._unknown_words(rows(*prompts), GenerateOptions.of({"prompt": "k"}), INFO)


def test_each_prompt_of_a_file_has_its_own_note(monkeypatch: Any):
    assert notes("kk", "ka", "kb", "ka", monkeypatch=monkeypatch) == ["p.txt, line 2: a", "p.txt, line 3: b"]


def test_of_very_many_the_first_are_told(monkeypatch: Any):
    told = notes(*(f"k{chr(97 + i // 10)}{i}" for i in range(50)), monkeypatch=monkeypatch)
    assert len(told) == generate.MAX_NOTES + 1
    assert told[-1].startswith("and so on")
