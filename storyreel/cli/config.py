"""Defaults of options from a file and from the environment.

The file is `config.toml` in the user's configuration folder, or the one that STORYREEL_CONFIG names: a table for each
verb, `[generate]` with `steps = 20`, and one below it for a command of a verb, `[data.make]`. A variable is named after
the verb and the option: STORYREEL_GENERATE_STEPS=20. The command line comes first, then variables, then the file.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from storyreel.whole_file import read_text
from storyreel.wording import nearest

SOURCES = "storyreel.sources"  # in Context.meta: (verb, ..., parameter) -> where its default comes from


def config_file() -> Path:
    if named := os.environ.get("STORYREEL_CONFIG"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("storyreel")) / "config.toml"


def read_config(verbs: Collection[str]) -> dict[str, Any]:
    """Verb -> option -> default; empty where there is no file. ValueError: it is not TOML, or has no such verb."""
    file = config_file()
    try:
        tables = tomllib.loads(read_text(file))
    except FileNotFoundError:
        if os.environ.get("STORYREEL_CONFIG"):
            raise
        return {}
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: expected TOML: {error}") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{file}: {name}: is in no table; expected one such as [generate]")
        if name not in verbs:
            raise ValueError(f"{file}: [{name}]: {_nearest(name, verbs, 'verb')}")
    return tables


def set_defaults(command: Any, commands: Mapping[str, Any], context: Any, name: str) -> None:
    """Gives the defaults of the verb `name`, and of its commands, to `context`, which is above it.

    ValueError says where a wrong one stands.
    """
    tables = context.default_map or {}
    sources = context.meta.setdefault(SOURCES, {})
    table = tables.get(name, {})
    found = _defaults(command, context, (name,), table, sources, commands)
    context.default_map = {**tables, name: found}


def sources_of(context: Any) -> dict[str, str]:
    """Parameter -> where its default comes from, of the command of this context."""
    words, each = (), context
    while each.parent is not None:
        words, each = (each.info_name, *words), each.parent
    return {name: where for (*path, name), where in context.meta.get(SOURCES, {}).items() if tuple(path) == words}


def _defaults(
    command: Any,
    parent: Any,
    words: tuple[str, ...],
    table: Mapping[str, Any],
    sources: dict[tuple[str, ...], str],
    commands: Mapping[str, Any],
) -> dict[str, Any]:
    context = typer.Context(command, parent=parent, info_name=words[-1])
    parameters = {_key(each): each for each in command.params}
    found: dict[str, Any] = {}
    for name, below in commands.items():
        values = table.get(name, {})
        values = values if isinstance(values, dict) else {}
        found[name] = _defaults(below, context, (*words, name), values, sources, getattr(below, "commands", {}))
    settings = {name: value for name, value in table.items() if name not in commands or not isinstance(value, dict)}
    for where, key, value in (*_of_file(words, settings), *_of_environment(words, commands, parameters)):
        if key not in parameters:
            raise ValueError(f"{where}: {_nearest(key, parameters, 'option')}")
        parameter = parameters[key]
        found[parameter.name] = _value(parameter, context, value, where)
        sources[*words, parameter.name] = where
    return found


def _of_file(words: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(where, key, value) of each default of a table."""
    for name, value in table.items():
        yield f"{config_file()}: [{'.'.join(words)}] {name}", name.replace("-", "_"), value


def _of_environment(
    words: tuple[str, ...], commands: Collection[str], parameters: Mapping[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """The same of each variable of a command; those of its own commands are theirs. An empty one is as if not set."""
    start = _variable(*words)
    others = tuple(_variable(*words, name) for name in commands)
    for name, value in os.environ.items():
        if name.startswith(start) and value and not (others and name.startswith(others)):
            key = name.removeprefix(start).lower()
            yield name, key, _words(name, value) if _many(parameters.get(key)) else value


def _words(name: str, value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected words between spaces: {str(error).lower()}") from None


def _variable(*words: str) -> str:
    return "_".join(("STORYREEL", *words, "")).upper().replace("-", "_")


def _key(parameter: Any) -> str:
    """How the file calls a parameter: by its flag, as_json is `json`."""
    flag = next((option for option in parameter.opts if option.startswith("--")), parameter.name)
    return flag.removeprefix("--").replace("-", "_")


def _value(parameter: Any, context: Any, value: Any, where: str) -> Any:
    """A default as the command line would read it."""
    many = _many(parameter)
    if isinstance(value, dict) or (isinstance(value, list) and not many):
        raise ValueError(f"{where}: expected one value, got a {'table' if isinstance(value, dict) else 'list'}")
    if many and not isinstance(value, list):
        value = [value]
    texts = [each if isinstance(each, bool) else str(each) for each in (value if many else [value])]
    try:
        return parameter.process_value(context, texts if many else texts[0])
    except typer.BadParameter as error:
        raise ValueError(f"{where}: {error.message}") from None


def _many(parameter: Any) -> bool:
    """Whether it takes several values: a list in the file, words between spaces in a variable."""
    return parameter is not None and (getattr(parameter, "multiple", False) or parameter.nargs != 1)


def _nearest(name: str, known: Collection[str], what: str) -> str:
    near = nearest(name, known)
    return f"there is no such {what}" + (f"; the nearest is {near}" if near else f"; there are {', '.join(known)}")
