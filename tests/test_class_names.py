"""A name of a public class says which one it is: no two modules of the package define one of the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1] / "storyreel"
SHARED = {  # name -> why two modules have it
    "Model": "storyreel.Model is the public face's; the HTTP API has an object of this name (serve/objects.py)",
    "Tick": "every loss takes a Tick (systems/base.py); the HTTP API has an object of this name (serve/objects.py)",
}


def public_classes(file: Path) -> list[str]:
    """The names of the public classes that stand at the top of a file."""
    return [
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def repeated(files: list[Path]) -> dict[str, list[str]]:
    """Class -> the files that define it, where they are several."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for name in public_classes(file):
            found[name].append(str(file))
    return {name: places for name, places in found.items() if len(places) > 1}


def test_public_classes_have_names_of_their_own():
    found = repeated(sorted(ROOT.rglob("*.py")))
    assert {name: places for name, places in found.items() if name not in SHARED} == {}
    assert set(SHARED) <= set(found), "what is not shared any more need not be excused"


def test_a_name_that_stands_twice_is_found(tmp_path):
    for name, code in {"a": "class Plan: ...\nclass _Own: ...", "b": "class Plan: ...\nclass _Own: ..."}.items():
        (tmp_path / f"{name}.py").write_text(code)
    assert list(repeated(sorted(tmp_path.glob("*.py")))) == ["Plan"]
