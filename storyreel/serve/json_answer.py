"""Answers in JSON that can always be sent."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class JsonAnswer(JSONResponse):
    """A JSON document in ASCII: half a character, which a folder of an earlier version may hold, is an escape as well,
    and no reason to show nothing at all."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
