"""The benchmarks are run seldom: what they take from the package must still be there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("script", [s for s in SCRIPTS if ".peers" not in s.parts], ids=lambda s: s.stem)
def test_what_a_benchmark_imports_is_there(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for node in taken:
        if node.module and node.module.partition(".")[0] == "storyreel":
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
