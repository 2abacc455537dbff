"""What plain sentences are read as, of each world: `benchmarks/parts/plain_sentences.txt`. No model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.generate.open_attributes import drawn
from storyreel.worlds import find

FILE = Path(__file__).parents[2] / "benchmarks" / "parts" / "plain_sentences.txt"


def sentences() -> Iterator[tuple[str, str, str]]:
    """(world, sentence, what it should be read as)."""
    world = ""
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith("["):
            world = line.strip("[]").partition(":")[0]
        elif line and not line.startswith("#"):
            prompt, _, expected = line.partition(" -> ")
            yield world, prompt, expected


def found_in(world: str, prompt: str) -> dict[str, str]:
    """What the world's reader finds, and what goes with it; of scenes, what is drawn, too."""
    declared = find(world)
    assert declared.read
    said = dict(declared.read(prompt))
    if declared.implied:
        return {**declared.implied(prompt, said), **said}
    return said if world == "digits" else {**drawn(prompt, declared.attributes, 0, 0, declared), **said}


def wrong(world: str, prompt: str, expected: str) -> list[str]:
    """Each attribute that is not as expected: "torso: red dress, not white dress"."""
    found = found_in(world, prompt)
    pairs = [pair.partition("=")[::2] for pair in expected.split(", ")]
    right = {name: values.split("|") for name, values in pairs}
    return [f"{name}: {found.get(name, '-')}, not {'|'.join(values)}" for name, values in right.items()
            if found.get(name, "-") not in values]  # fmt: skip


@pytest.mark.parametrize("world", ["sprites", "digits", "skies", "road"])
def test_plain_sentences_are_read_right(world: str):
    read = [(prompt, wrong(name, prompt, expected)) for name, prompt, expected in sentences() if name == world]
    assert len(read) >= 20
    assert [(prompt, why) for prompt, why in read if why] == []


def test_sentences_differ_and_name_what_there_is():
    every = list(sentences())
    assert len({prompt.lower() for _, prompt, _ in every}) == len(every) >= 200
    for world, prompt, expected in every:
        for name, _, values in (pair.partition("=") for pair in expected.split(", ")):
            there = find(world).attributes[name].values
            assert all(value == "-" or value in there for value in values.split("|")), (prompt, name, values)
