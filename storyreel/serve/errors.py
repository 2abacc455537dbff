"""Errors of the API in OpenAI's form: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from typing import Any

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """An answer that is not what was asked for. param: the field of the request that is wrong."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    @classmethod
    def of(cls, error: Exception, names: dict[str, str] | None = None) -> ApiError:
        """From "name: what was expected"; `names` says how a request calls an option."""
        message = " ".join(str(error).split())
        name, colon, rest = message.partition(": ")
        if not colon or not name.isidentifier():
            return cls(400, message[:1000], code="invalid_value")
        param = (names or {}).get(name, name)
        return cls(400, f"{param}: {rest}"[:1000], param=param, code="invalid_value")

    def body(self) -> dict[str, Any]:
        kind = TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def install(app: Any) -> None:
    """Answer every error of a FastAPI app in this form."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    from storyreel.serve.json_answer import JsonAnswer

    def answer(error: ApiError, headers: Any = None) -> JsonAnswer:
        return JsonAnswer(error.body(), error.status, headers=headers)

    @app.exception_handler(ApiError)
    async def _api(request: Any, error: ApiError) -> JsonAnswer:
        return answer(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Any, error: HTTPException) -> JsonAnswer:
        message = "There is nothing here." if error.status_code == 404 else str(error.detail)
        return answer(ApiError(error.status_code, message, code="not_found" if error.status_code == 404 else None))

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Any, error: RequestValidationError) -> JsonAnswer:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if part not in ("query", "path", "body", "header")]
        param = ".".join(where) or None
        return answer(ApiError(400, f"{param}: {first['msg']}", param=param, code="invalid_value"))

    @app.exception_handler(Exception)
    async def _unexpected(request: Any, error: Exception) -> JsonAnswer:
        full = isinstance(error, OSError) and error.errno in (28, 122)  # no space, no quota
        if full:
            return answer(ApiError(507, "The disk of the server is full.", code="disk_full"))
        return answer(ApiError(500, "The server failed; see where it was started.", code="internal_error"))
