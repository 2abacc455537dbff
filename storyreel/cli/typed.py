"""Makes the parameters of a command from declared options, and the options from what was typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

from storyreel.cli.config import sources_of
from storyreel.options.declare import ConflictError, Field, Options, fields_of, layered

O = TypeVar("O", bound=Options)  # noqa: E741
CONTEXT = "typer_context"
EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class Typed:
    """Values by their names: what the command line says, and the defaults of the environment and the file."""

    explicit: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # name -> where its default comes from

    def without(self, names: Collection[str]) -> Typed:
        """These without the defaults of some settings."""
        return replace(self, defaults={name: value for name, value in self.defaults.items() if name not in names})

    def of(self, kind: type[Options]) -> dict[str, Any]:
        """The settings of one kind of options; the command line's take the place of defaults."""
        names = fields_of(kind)
        return layered(
            kind, *({k: v for k, v in each.items() if k in names} for each in (self.defaults, self.explicit))
        )

    def make(self, kind: type[O]) -> O:
        """The options. A setting that does not go with another, or is out of range, is wrong usage (exit code 2)."""
        try:
            with self.usage(kind):
                return kind.of(self.of(kind))
        except ValueError as error:
            name, _, reason = str(error).partition(": ")
            found = fields_of(kind).get(name)
            raise typer.BadParameter(reason if found else str(error), param_hint=found and flag(found)) from None

    @contextmanager
    def usage(self, *kinds: type[Options]) -> Iterator[None]:
        """Settings that do not go together are wrong usage in this block; they are named as they were given."""
        try:
            yield
        except ConflictError as error:
            fields = {name: each for kind in kinds for name, each in fields_of(kind).items()}
            first, _, rest = error.reason.partition(" ")
            reason = f"{flag(fields[first])} {rest}" if first in fields else error.reason
            source = None if error.name in self.explicit else self.sources.get(error.name)
            raise typer.BadParameter(reason, param_hint=source or flag(fields[error.name])) from None


def takes(*kinds: type[Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose first parameter, a `Typed`, has the settings of these kinds; it keeps its own parameters."""

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        fields = {name: each for kind in kinds for name, each in fields_of(kind).items()}
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        derived = [
            inspect.Parameter(n, keyword, annotation=_annotation(f), default=EMPTY if f.required else None)
            for n, f in fields.items()
        ]
        context = inspect.Parameter(CONTEXT, keyword, annotation=typer.Context)

        @wraps(function)
        def command(**values: Any) -> None:
            found = values.pop(CONTEXT)
            explicit, defaults = {}, {}
            for name in fields:
                value = values.pop(name)
                source = found.get_parameter_source(name)
                if value is not None and value != [] and value != ():
                    (explicit if source is not None and source.name == "COMMANDLINE" else defaults)[name] = value
            sources = sources_of(found)
            for name, value in defaults.items():
                try:
                    fields[name].checked(value)
                except ValueError as error:
                    raise ValueError(f"{sources[name]}: {str(error).removeprefix(f'{name}: ')}") from None
            function(Typed(explicit, defaults, sources), **values)

        parameters = [context, *derived, *(each.replace(kind=keyword) for each in own)]
        command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        del command.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]
        return command

    return wrap


def flag(each: Field) -> str:
    """How the command line calls a setting."""
    if each.setting.argument:
        return each.name.upper()
    return next(iter(each.setting.flags), f"--{each.name.replace('_', '-')}").partition("/")[0]


def _annotation(each: Field) -> Any:
    setting = each.setting
    kind = setting.text or each.kind
    if setting.argument:
        found = typer.Argument(help=setting.help, show_default=False, metavar=setting.metavar or each.name.upper())
        return Annotated[_optional(each, kind), found]
    flags = setting.flags or (flag(each),)
    if kind is bool and not setting.flags:
        flags = (f"{flags[0]}/--no-{flags[0][2:]}",)
    choices = list(each.choices)
    complete = (lambda incomplete: [c for c in choices if c.startswith(incomplete)]) if choices else None
    option = typer.Option(
        *flags, help=_help(each), rich_help_panel=setting.panel, autocompletion=complete,
        metavar=setting.metavar or "|".join(choices) or None, show_default=False, show_envvar=False,
    )  # fmt: skip
    return Annotated[_optional(each, kind), option]


def _help(each: Field) -> str:
    """What a setting is for, and its default where the help does not say it."""
    number = isinstance(each.default, (int, float)) and not isinstance(each.default, bool)
    default = f"  [default: {each.default}]" if number and "default" not in each.setting.help else ""
    return each.setting.help + default


def _optional(each: Field, kind: Any) -> Any:
    kind = list[kind] if each.many else kind
    return kind if each.required else kind | None
