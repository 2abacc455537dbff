"""Cards that hubs read: Markdown below a header in YAML with licence, pipeline_tag, datasets and metrics."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from storyreel.json_file import parse_json
from storyreel.screen_text import one_line

MODEL = {"library_name": "storyreel", "pipeline_tag": "text-to-video"}
"""What the header of every model's card says."""
DATASET = {"task_categories": ["text-to-video"], "tags": ["video", "storyreel"]}
"""What the header of every dataset's card says."""
MAX_HEADER = 1 << 16  # characters
MAX_OPEN = 500  # lists within one another, which PyYAML takes the square of their number for
_OPENS = re.compile(r"[\[{]|[-?:] (?=[-?:] )")
LICENCES = {"CC-BY-SA 3.0": "cc-by-sa-3.0", "Apache-2.0": "apache-2.0", "CC0 1.0": "cc0-1.0"}
"""What a world's sentence says -> the hub's name for it."""


def licence_of(sentence: str) -> str:
    """The hub's name of the licence that a sentence mentions; "unknown" where it is none of `LICENCES`."""
    return next((name for phrase, name in LICENCES.items() if phrase in sentence), "unknown")


def header(values: Mapping[str, Any]) -> str:
    """YAML between two lines of dashes. Every value is written as JSON, which YAML reads."""
    fields = {key: value for key, value in values.items() if value not in (None, [])}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", "", ""])


def split(card: str, where: str) -> tuple[dict[str, Any], str]:
    """The header of a card, as JSON values, and what stands below it. ValueError, one line: it is no YAML mapping.

    An anchor is refused: a few lines that refer to one another would be gigabytes where they are written out.
    """
    if not card.startswith("---\n"):
        return {}, card
    head, end, body = card.removeprefix("---\n").partition("\n---\n")
    if not end:
        raise ValueError(f"{where}: its header has no end, a line ---")
    for what, count, most in (("characters", len(head), MAX_HEADER), ("brackets", len(_OPENS.findall(head)), MAX_OPEN)):
        if count > most:
            raise ValueError(f"{where}: its header has {count} {what}, expected at most {most}")
    try:
        import yaml
    except ImportError:
        raise ValueError("cards need PyYAML; run: pip install 'storyreel[hub]'") from None
    try:
        if any(getattr(event, "anchor", None) is not None for event in yaml.parse(head, Loader=yaml.SafeLoader)):
            raise ValueError("it has an anchor or an alias")
        text = json.dumps(yaml.safe_load(head) or {}, ensure_ascii=False, allow_nan=False, default=_date)
        text.encode()
        found = parse_json(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}: its header is no YAML ({one_line(str(error))[:160]})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{where}: its header is no YAML mapping")
    return found, body.lstrip("\n")


def _date(value: Any) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"expected texts, numbers, lists and mappings, got {type(value).__name__}")


def table(scores: Sequence[Mapping[str, Any]]) -> str:
    """Markdown of the scores of an evaluation."""
    rows = []
    for score in scores:
        low, high = score.get("interval") or ("", "")
        interval = f"{low:.4g} to {high:.4g}" if isinstance(low, float) and isinstance(high, float) else ""
        rows.append(f"| {one_line(str(score['name']))} | {score['value']:.4g} | {interval} | {score.get('n', '')} |")
    return "\n".join(["## Measured", "", "| metric | value | 95 % interval | clips |", "|---|---|---|---|", *rows, ""])
