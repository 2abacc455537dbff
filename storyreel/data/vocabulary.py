"""The words that the captions of a world are made of: those drawn, those its code names, and their typing errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import numpy as np

from storyreel.worlds import code_of, find

DRAWS = 20_000
WORD = re.compile(r"[^\W_]+")
LONG = re.compile(r"[a-z]{4,}")


def words_of(world: str, draws: int = DRAWS) -> list[str]:
    """Lower-case words, sorted. ValueError for an unknown world.

    Drawing alone could miss a rare word, so every word of the string literals of the world's modules is taken too;
    and each long word with one inner letter swapped with the next, left out or doubled, since captions have such
    errors on purpose.
    """
    declared = find(world)
    known: set[str] = set(literal_words(declared.maker))
    for seed in range(draws):
        for caption in declared.say(np.random.default_rng([1, seed])):
            known.update(WORD.findall(caption.lower()))
    return sorted(known | {typo for word in known for part in LONG.findall(word) for typo in typos(part)})


def literal_words(kind: type) -> Iterator[str]:
    """The words of the string literals, docstrings left out, of a world's modules."""
    for each in (file for file in code_of(kind) if file.suffix == ".py"):
        tree = ast.parse(each.read_text(encoding="utf-8"))
        docs = {id(doc) for node in ast.walk(tree) if (doc := _docstring(node)) is not None}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield from WORD.findall(node.value.lower())


def typos(word: str) -> Iterator[str]:
    """`word` with one inner letter swapped with the next, left out, or doubled."""
    for at in range(1, len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at] + word[at:]


def _docstring(node: ast.AST) -> ast.expr | None:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
        first = node.body[0]
        return first.value if isinstance(first, ast.Expr) else None
    return None
