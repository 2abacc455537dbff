"""Cards that hubs read: Markdown below a header in YAML with licence, pipeline_tag, datasets and metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from storyreel.screen_text import one_line

MODEL = {"library_name": "storyreel", "pipeline_tag": "text-to-video"}
"""What the header of every model's card says."""
DATASET = {"task_categories": ["text-to-video"], "tags": ["video", "storyreel"]}
"""What the header of every dataset's card says."""
LICENCES = {"CC-BY-SA 3.0": "cc-by-sa-3.0", "Apache-2.0": "apache-2.0", "CC0 1.0": "cc0-1.0"}
"""What a world's sentence says -> the hub's name for it."""


def licence_of(sentence: str) -> str:
    """The hub's name of the licence that a sentence mentions; "unknown" where it is none of `LICENCES`."""
    return next((name for said, name in LICENCES.items() if said in sentence), "unknown")


def header(values: Mapping[str, Any]) -> str:
    """YAML between two lines of dashes. Every value is written as JSON, which YAML reads."""
    said = {key: value for key, value in values.items() if value not in (None, [])}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
    return "\n".join(["---", *lines, "---", "", ""])


def split(card: str, where: str) -> tuple[dict[str, Any], str]:
    """The header of a card and what stands below it. ValueError, one line: the header is no YAML mapping."""
    if not card.startswith("---\n"):
        return {}, card
    head, end, body = card.removeprefix("---\n").partition("\n---\n")
    if not end:
        raise ValueError(f"{where}: its header has no end, a line ---")
    try:
        import yaml
    except ImportError:
        raise ValueError("cards need PyYAML; run: pip install 'storyreel[hub]'") from None
    try:
        found = yaml.safe_load(head) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: its header is no YAML ({one_line(str(error))[:160]})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{where}: its header is no YAML mapping")
    return found, body.lstrip("\n")


def table(scores: Sequence[Mapping[str, Any]]) -> str:
    """Markdown of the scores of an evaluation."""
    rows = []
    for score in scores:
        low, high = score.get("interval") or ("", "")
        interval = f"{low:.4g} to {high:.4g}" if isinstance(low, float) and isinstance(high, float) else ""
        rows.append(f"| {one_line(str(score['name']))} | {score['value']:.4g} | {interval} | {score.get('n', '')} |")
    return "\n".join(["## Measured", "", "| metric | value | 95 % interval | clips |", "|---|---|---|---|", *rows, ""])
