"""Defaults of options from a file and from the environment.

The file is `config.toml` in the user's configuration folder, or the one that STORYREEL_CONFIG names: a table for each
verb, `[generate]` with `steps = 20`, and one below it for a command of a verb, `[evaluate.judge]`. A variable is named
after the verb and the option: STORYREEL_GENERATE_STEPS=20. The command line comes first, then variables, then the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def config_file() -> Path:
    if named := os.environ.get("STORYREEL_CONFIG"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("storyreel")) / "config.toml"


def read_config() -> dict[str, Any]:
    """Verb -> option -> default; empty where there is no file. ValueError: it is not TOML, or not of tables."""
    file = config_file()
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if "STORYREEL_CONFIG" in os.environ:
            raise
        return {}
    except ValueError as error:
        raise ValueError(f"{file}: expected TOML: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{file}: {name} is in no table; expected one such as [generate]")
    return tables


def check_names(context: Any, known: Mapping[str, Any]) -> None:
    """ValueError where the file has a table's option that the command of this context does not know."""
    for name, value in (context.default_map or {}).items():
        if name not in known and not isinstance(value, dict):
            raise ValueError(f"{config_file()}: {context.info_name} has no option {name!r}")
