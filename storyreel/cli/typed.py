"""Makes the parameters of a command from declared options, and the options from what was typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

from storyreel.cli.config import check_names
from storyreel.options.declare import ConflictError, Field, Options, fields_of, layered

O = TypeVar("O", bound=Options)  # noqa: E741
T = TypeVar("T")
CONTEXT = "typer_context"


class Typed:
    """Values by their names: what the command line says, and the defaults of the environment and the file."""

    def __init__(self, explicit: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self.explicit, self.defaults = dict(explicit), dict(defaults)

    def of(self, kind: type[Options], *, defaults: bool = True) -> dict[str, Any]:
        """The settings of one kind of options; the command line's take the place of defaults."""
        names = fields_of(kind)
        layers = [{k: v for k, v in each.items() if k in names} for each in (self.defaults, self.explicit)]
        return layered(kind, *(layers if defaults else layers[1:]))

    def make(self, kind: type[O]) -> O:
        """The options. A setting that does not go with another, or is out of range, is wrong usage (exit code 2)."""
        try:
            return usage(lambda: kind.of(self.of(kind)), kind)
        except ValueError as error:
            name, _, reason = str(error).partition(": ")
            field = fields_of(kind).get(name)
            raise typer.BadParameter(reason if field else str(error), param_hint=field and flag(field)) from None


def takes(*kinds: type[Options]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose first parameter, a `Typed`, has the settings of these kinds; it keeps its own parameters."""

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        fields = {name: field for kind in kinds for name, field in fields_of(kind).items()}
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        derived = [inspect.Parameter(n, keyword, default=None, annotation=_annotation(f)) for n, f in fields.items()]
        context = inspect.Parameter(CONTEXT, keyword, annotation=typer.Context)

        @wraps(function)
        def command(**values: Any) -> None:
            found = values.pop(CONTEXT)
            check_names(found, values)
            explicit, defaults = {}, {}
            for name in fields:
                value = values.pop(name)
                source = found.get_parameter_source(name)
                if value is not None and value != [] and value != ():
                    (explicit if source is not None and source.name == "COMMANDLINE" else defaults)[name] = value
            function(Typed(explicit, defaults), **values)

        parameters = [context, *derived, *(each.replace(kind=keyword) for each in own)]
        command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        del command.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]
        return command

    return wrap


def usage(make: Callable[[], T], *kinds: type[Options]) -> T:
    """What `make` gives; settings that do not go together are wrong usage, by the names of their flags."""
    try:
        return make()
    except ConflictError as error:
        fields = {name: field for kind in kinds for name, field in fields_of(kind).items()}
        first, _, rest = error.reason.partition(" ")
        reason = f"{flag(fields[first])} {rest}" if first in fields else error.reason
        raise typer.BadParameter(reason, param_hint=flag(fields[error.name])) from None


def flag(field: Field) -> str:
    """How the command line calls a setting."""
    if field.setting.argument:
        return field.name.upper()
    return next(iter(field.setting.flags), f"--{field.name.replace('_', '-')}").partition("/")[0]


def _annotation(field: Field) -> Any:
    setting = field.setting
    kind = setting.text or field.kind
    if setting.argument:
        found = typer.Argument(help=setting.help, show_default=False, metavar=setting.metavar)
        return Annotated[list[kind] | None if field.many else kind | None, found]
    flags = setting.flags or (flag(field),)
    if kind is bool and not setting.flags:
        flags = (f"{flags[0]}/--no-{flags[0][2:]}",)
    choices = list(field.choices)
    complete = (lambda incomplete: [c for c in choices if c.startswith(incomplete)]) if choices else None
    option = typer.Option(
        *flags, help=setting.help, rich_help_panel=setting.panel, autocompletion=complete, metavar=setting.metavar,
        show_default=False, show_envvar=False,
    )  # fmt: skip
    return Annotated[(list[kind] if field.many else kind) | None, option]
