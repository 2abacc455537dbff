"""What the call of a pipeline class takes, read in diffusers' source: nothing is imported, PyTorch least of all."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any


class Required:
    """In the place of the default of an argument that has none."""


REQUIRED = Required()


@dataclass(frozen=True)
class Signature:
    """arguments: of `__call__`, name -> default, None where that is more than a constant. bases: names of classes."""

    arguments: Mapping[str, Any]
    bases: tuple[str, ...]

    @property
    def takes_lora(self) -> bool:
        return any(base.endswith("LoraLoaderMixin") for base in self.bases)


@cache
def signature_of(kind: str) -> Signature:
    """Of a class of diffusers. ValueError: diffusers is missing, or this version has no such pipeline."""
    spec = importlib.util.find_spec("diffusers")
    if spec is None or spec.origin is None:
        raise ValueError("pipelines of the hub need diffusers; run: pip install 'storyreel[diffusers]'")
    for file in sorted((Path(spec.origin).parent / "pipelines").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if f"class {kind}(" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and node.name == kind:
                calls = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__call__"]
                if calls:
                    bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
                    return Signature(_arguments(calls[0].args, file.parent), bases)
    raise ValueError(f"{kind}: is no pipeline of diffusers {version('diffusers')}")


def _arguments(found: ast.arguments, folder: Path) -> dict[str, Any]:
    plain = [*found.posonlyargs, *found.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(found.defaults)) + list(found.defaults)
    pairs = [*zip(plain, defaults, strict=True), *zip(found.kwonlyargs, found.kw_defaults, strict=True)]
    return {each.arg: REQUIRED if default is None else _constant(default, folder) for each, default in pairs[1:]}


def _constant(value: ast.expr, folder: Path) -> Any:
    """folder: where the value of a name is looked for, as in `height: int = TARGET_HEIGHT`."""
    with suppress(ValueError):
        return ast.literal_eval(value)
    if isinstance(value, ast.Name):
        for file in folder.glob("*.py"):
            if found := re.search(rf"^{value.id} = ([\d.]+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                return ast.literal_eval(found[1])
    return None
