"""Names in the package and the reproductions are the field's; words that once stood for them are barred."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARRED = {  # word -> what to use
    "told": "cond, captions, info, found",
    "untold": "uncond",
    "wish": "expected",
    "wishes": "options, expected",
    "shelf": "registry",
    "heat": "choice_temperature, maps",
    "twice": "num_branches, repeated",
    "octant": "sparse",
    "raster": "causal",
    "most_noise": "max_augmentation_time",
    "taken": "weights_from, accepted, by_path",
    "readiness": "stage_setup",
    "sniff": "file_type",
    "stamp": "clip_metadata, file_version",
    "desk": "session",
    "filling": "interpolation_baselines",
    "unasked": "default, automatic",
    "fewest": "min_",
    "wanted": "expected, requested",
    "asked": "requested, options, conditions",
    "kept": "selected, retained, cached",
    "given": "known, inputs, provided",
    "looks": "appearance",
    "said": "message, captions, document, named",
}

EXCUSED = {
    ("storyreel/systems/godiva.py", "given"),  # a module whose name is in the tensors of model folders
}


def identifiers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of all that a file names: variables, parameters, functions, classes, attributes that are set."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def barred_in(name: str) -> list[str]:
    """The barred words of a name: `_told_real`, `ToldClips` and `told` have one."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().strip("_")
    return [word for word in BARRED if re.search(rf"(^|_){word}(_|$)", words)]


def test_names_have_no_barred_words():
    found = []
    for file in sorted([*ROOT.glob("storyreel/**/*.py"), *ROOT.glob("reproductions/**/*.py")]):
        names = [(0, file.stem), *identifiers(ast.parse(file.read_text()))]
        where = file.relative_to(ROOT).as_posix()
        names = [(line, name) for line, name in names if (where, name) not in EXCUSED]
        found += [f"{where}:{line}: {name}: use {BARRED[word]}" for line, name in names for word in barred_in(name)]
    assert found == []


def test_barred_words_are_found_wherever_they_are():
    code = "class ToldClips:\n    def wish(self, untold_states):\n        self.shelf = heat = 1\nmost_noise = 2\n"
    found = [word for _, name in identifiers(ast.parse(code)) for word in barred_in(name)]
    assert sorted(found) == ["heat", "most_noise", "shelf", "told", "untold", "wish"]
    assert barred_in("toldness") == barred_in("heated") == []
