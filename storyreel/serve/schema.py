"""The bodies of requests in OpenAPI, from the one declaration of the options."""

from __future__ import annotations

from typing import Any

from storyreel.options.declare import Field, fields_of
from storyreel.options.generation import MAX_SEED, GenerateOptions
from storyreel.serve.settings import ALIASES, FORMATS, MAX_PROMPT, MAX_TRIES, OPTIONS

TYPES = {int: "integer", float: "number", bool: "boolean"}


def _of_field(each: Field) -> dict[str, Any]:
    """JSON schema of an option."""
    found: dict[str, Any] = {"description": each.setting.help}
    if each.choices:
        return {**found, "type": "string", "enum": list(each.choices)}
    found["type"] = TYPES.get(each.kind, "string")
    if each.limits is not None:
        found["exclusiveMinimum" if each.limits.above else "minimum"] = each.limits.low
        found["maximum"] = each.limits.high
    return found


def _properties() -> dict[str, Any]:
    known = fields_of(GenerateOptions)
    found = {name: _of_field(known[name]) for name in OPTIONS}
    found |= {alias: _of_field(known[name]) for alias, name in ALIASES.items()}
    pair = {"type": "array", "items": [{"type": "string"}, {"type": "number"}], "minItems": 2, "maxItems": 2}
    found["prompt"]["maxLength"] = MAX_PROMPT
    found["seconds"]["description"] += " A number, or its text."
    found["story"] = {"description": "Parts, each a prompt and its seconds.", "type": "array", "items": pair}
    found["size"]["description"] = "Width x height: the model's own, or a whole multiple of it; see /v1/models."
    return {
        **found,
        "model": {"type": "string", "description": "One of /v1/models; the first by default."},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
        "format": {"type": "string", "enum": list(FORMATS), "description": "mp4; webm where it is transparent."},
        "max_tries": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_TRIES,
            "description": "Make it with the next seeds, until a judge of the model's world sees all that the prompt "
            "says, at most so often. The best one is kept.",
        },
    }


def _body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    form = {**properties}
    if "input_reference" in form:
        form["input_reference"] = {"type": "string", "format": "binary"}
    kinds = {"application/json": {"schema": schema}}
    kinds["multipart/form-data"] = {"schema": {**schema, "properties": form}}
    return {"requestBody": {"required": True, "content": kinds}}


_OPTIONS = _properties()
_REFERENCE = {"type": "object", "properties": {"image_url": {"type": "string", "description": "A data: URL."}}}
CREATE = _body({**_OPTIONS, "input_reference": _REFERENCE}, [])
REMIX = _body(_OPTIONS, [])
_ID = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
EXTEND = _body({**_OPTIONS, "video": _ID}, ["video"])
FILE = _body({"input_reference": _REFERENCE}, ["input_reference"])
CHANGE = _body({"favourite": {"type": "boolean"}, "before": {"type": ["string", "null"]}}, [])
