"""One HTML file from its parts: style and script are inlined, and nothing else may load or run.

Text from files gets in two ways, and neither can become markup: through `html.escape`, or as JSON in which `<` is
written as an escape, that the script puts on the page as text. A content policy names the page's own script by its
sha256, so that no other would run even so, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent / "page"


def assemble(title: str, body: str, data: dict[str, Any], script: str) -> str:
    """A whole page. `body` is HTML that is safe already; `data` is what `script`, a file of page/, reads."""
    style = _part("report.css")
    code = f"{_part('table.js')}\n{_part(script)}"
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{as_script(data)}</script>
<script>{code}</script>
</body>
</html>
"""


def as_script(data: Any) -> str:
    """JSON that can stand inside a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
