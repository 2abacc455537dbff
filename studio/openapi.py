"""Writes studio/openapi.json, the API of the server, and src/openapi.ts, its types for the page: `make studio`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def document() -> dict[str, Any]:
    """The OpenAPI of the app, as `stable` leaves it."""
    from storyreel.serve.app import make_app
    from storyreel.serve.guard import Access
    from storyreel.serve.studio import Studio
    from storyreel.serve.worker_monitor import Hub

    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder))
        try:
            return stable(make_app(studio, Hub(), Access()).app.openapi())
        finally:
            studio.close()


def stable(value: Any) -> Any:
    """Without titles, which pydantic makes up, and without the version of the package."""
    if isinstance(value, list):
        return [stable(each) for each in value]
    if not isinstance(value, dict):
        return value
    made_up = {name for name in ("title", "version") if isinstance(value.get(name), str)}
    return {name: stable(each) for name, each in value.items() if name not in made_up}


def type_of(schema: dict[str, Any]) -> str:
    """A JSON schema as a TypeScript type."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "const" in schema or "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(each) for each in schema["anyOf"]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(PLAIN[each] for each in kind)
    if kind == "array":
        items = schema.get("items", {})
        return f"[{', '.join(map(type_of, items))}]" if isinstance(items, list) else f"Array<{type_of(items)}>"
    if kind == "object" and "properties" in schema:
        return "{ " + "; ".join(_members(schema)) + " }"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"Record<string, {type_of(more) if isinstance(more, dict) else 'unknown'}>"
    return PLAIN.get(str(kind), "unknown")


def _members(schema: dict[str, Any]) -> list[str]:
    required = schema.get("required", [])
    return [f"{name}{'' if name in required else '?'}: {type_of(each)}" for name, each in schema["properties"].items()]


def typescript(found: dict[str, Any]) -> str:
    """An interface for each object, and for each JSON body of requests, named after the first operation that has it."""
    named = dict(found["components"]["schemas"])
    for methods in found["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema is not None and schema not in named.values():
                words = operation["operationId"].partition("_v1_")[0].split("_")
                named["".join(map(str.capitalize, words)) + "Body"] = schema
    lines = ["// The server's API: written by `make studio` from its OpenAPI, see openapi.py. Do not edit."]
    for name, schema in named.items():
        lines += ["", f"export interface {name} {{", *(f"  {member};" for member in _members(schema)), "}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    found = document()
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    (HERE / "openapi.json").write_text(text + "\n", encoding="utf-8")
    (HERE / "src" / "openapi.ts").write_text(typescript(found), encoding="utf-8")


if __name__ == "__main__":
    main()
