"""Makes a package callable: `storyreel.train(...)` is a function, and `storyreel.train.loop` a module in it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def call(name: str, place: str) -> None:
    """The package `name` is called as its function `place`, "module:function", which is imported at the first call."""
    module, _, function = place.partition(":")

    def __call__(self: ModuleType, *args: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(f"{name}.{module}"), function)(*args, **options)

    sys.modules[name].__class__ = type("CallablePackage", (ModuleType,), {"__call__": __call__})
