"""Pages of one file each, from the templates in page/: style and script are inlined, and nothing else may load or run.

Text from files gets in two ways, and neither can become markup: escaped by Jinja, or as JSON in which `<` is written as
an escape, that the script puts on the page as text. A content policy names the page's own script by its sha256, so that
no other would run even so, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from storyreel.wording import amount

FOLDER = Path(__file__).parent / "page"


def render(name: str, title: str, data: dict[str, Any], **values: Any) -> str:
    """The page of `name`.html and `name`.js. `data` is what the script reads, `values` what the template does."""
    return environment().get_template(f"{name}.html").render(
        title=title, policy=policy(name), style=Markup(_text("report.css")), code=Markup(_code(name)),
        data=as_script(data), **values,
    )  # fmt: skip


def policy(name: str) -> str:
    """The content policy of a page, by which its own script alone runs."""
    digest = base64.b64encode(hashlib.sha256(_code(name).encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _code(name: str) -> str:
    return f"{_text('table.js')}\n{_text(f'{name}.js')}"


def plots() -> Any:
    """The plots of plots.html: `bars(score)` and the others, each SVG, empty where there is nothing to draw."""
    return environment().get_template("plots.html").module


def as_script(data: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@lru_cache(maxsize=1)
def environment() -> Environment:
    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals["scale"] = scale
    made.filters |= {
        "short": short, "day": day, "amount": lambda n: amount(n).rstrip(), "beside": beside, "shares": shares,
        "signed": lambda v: f"{v:+.3g}".replace("-", "−") if v else "0",
        "key": lambda v: "" if v is None else repr(v),
        "words": lambda v: v if isinstance(v, str) else json.dumps(v),
        "known": lambda spots: [spot for spot in spots or [] if None not in spot],
        "without": lambda all_of, *names: {k: v for k, v in all_of.items() if k not in names},
        "only": lambda all_of, *names: {k: all_of[k] for k in names if all_of.get(k)},
    }  # fmt: skip
    return made


def short(value: float | None) -> str:
    """Four digits; a dash for nothing."""
    return "–" if value is None else f"{value:.4g}"


def day(made: Any) -> str:
    return str(made).replace("T", " ").removesuffix("+00:00") + " UTC" * str(made).endswith("+00:00")


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From values to places from `start` to `end`; the middle where the scale is a single point."""
    return lambda value: round(start + (end - start) * ((value - low) / (high - low) if high > low else 0.5), 1)


def shares(counts: Sequence[int] | None) -> list[float]:
    total = sum(counts or ())
    return [c / total for c in counts or ()] if total else []


def beside(score: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """(label, value, class) of the score itself and of what stands beside it, where it is known."""
    controls = score.get("controls") or {}
    floor_n = f" ({score['floor_n']})" if score.get("floor_n") else ""
    rows = [
        ("these clips", score["value"], "made"),
        ("n → ∞", score.get("extrapolated"), "made faint"),
        ("real clips", score.get("real"), "real"),
        (f"floor{floor_n}", score.get("floor"), "real"),
        *((name, controls[name], "damaged") for name in controls),
    ]
    return [(label, value, kind) for label, value, kind in rows if value is not None]


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
