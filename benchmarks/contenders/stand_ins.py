"""Stand-ins for what a peer imports and never runs here."""

from __future__ import annotations

import importlib.machinery
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class StandIns:
    """Finds the packages in `absent`, and whatever is in them, as modules in which every name is an empty class."""

    def __init__(self, absent: Sequence[str]):
        self.absent = absent

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name.partition(".")[0] in self.absent:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **more: cls


class _Absent(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {"__init__": lambda self, *args, **more: None})
