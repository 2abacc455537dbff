"""What every request passes: the names of hosts, origins, the token, the size of head and body; and the headers that
every answer has. `connections` has the deadlines."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect

from storyreel.numbers import is_digits
from storyreel.serve.connections import MAX_HEAD
from storyreel.serve.errors import ApiError
from storyreel.serve.json_answer import JsonAnswer

MAX_BODY = 18 << 20  # bytes: an input_reference and its form
MAX_JSON = 24 << 20  # bytes: the same as base64
MAX_DRAINED = 128 << 20  # bytes of a body that is too large, which are thrown away
LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN = ("/healthz", "/readyz")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "img-src 'self' data: blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (  # of an answer that has none of its own
    (b"content-security-policy", POLICY.encode()), (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"), (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"), (b"cache-control", b"no-store"),
)  # fmt: skip

Scope = MutableMapping[str, Any]


@dataclass(frozen=True)
class Access:
    """Who may ask. host: the address that is listened at; token: what a request must show, None where anybody may;
    hosts: further names of this server; everybody: who can reach the address may ask, by whatever name."""

    host: str = "127.0.0.1"
    token: str | None = None
    hosts: frozenset[str] = field(default_factory=frozenset)
    everybody: bool = False

    def __post_init__(self) -> None:
        if not self.local and self.token is None and not self.everybody:
            raise ValueError(f"--host {self.host}: others can reach this address; expected --token as well")
        if self.token is not None and (len(self.token) < 8 or not self.token.isascii() or not self.token.isprintable()):
            raise ValueError("--token: expected at least 8 characters of ASCII")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host in LOOPBACK

    def allows_host(self, header: str) -> bool:
        """Whether a Host header names this server: a page elsewhere may have made its own name lead here."""
        name = _name_of(header)
        if name in LOOPBACK or name == self.host or name in self.hosts:
            return True
        if self.local:
            return False
        return self.everybody or _is_address(name) or name == socket.gethostname().lower()

    def allows_token(self, header: str) -> bool:
        if self.token is None:
            return True
        shown = bearer(header)
        return shown is not None and hmac.compare_digest(shown.encode(), self.token.encode())


def bearer(header: str) -> str | None:
    """The token of `Authorization: Bearer TOKEN`; None where the header is of another kind."""
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


class Guard:
    """An ASGI application around another one. public: paths that need no token, such as the page itself; what lies
    under one that ends with / as well."""

    def __init__(self, app: Any, access: Access, public: Iterable[str] = ()) -> None:
        self.app, self.access = app, access
        self.public = frozenset((*OPEN, *public))
        self.folders = tuple(path for path in self.public if path.endswith("/") and path != "/")

    async def __call__(self, scope: Scope, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        number = secrets.token_hex(8)

        async def send_more(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                more = [(n, v) for n, v in (*HEADERS, (b"x-request-id", f"req_{number}".encode())) if n not in own]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            body = self._check(scope)
            await self.app(scope, _Body(receive, body), send_more)
        except ApiError as error:
            if error.status == 413 and _is_sending(dict(scope["headers"])):
                await _drained(receive)
            await _answer(error, send_more)
        except ClientDisconnect:
            return

    def _check(self, scope: Scope) -> int:
        """How many bytes the body may have. ApiError where the request may not pass."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        if not self.access.allows_host(headers.get("host", "")):
            raise ApiError(421, "This server does not answer to that name; see --allow-host.", code="host_not_allowed")
        if scope["http_version"] not in ("1.0", "1.1"):
            raise ApiError(505, "Expected HTTP/1.1.")
        if len(scope["raw_path"]) + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
            raise ApiError(431, f"The headers are too large; expected at most {MAX_HEAD} bytes.")
        if not _is_same_site(scope["method"], headers):
            raise ApiError(403, "Pages of other sites may not use this server.", code="origin_not_allowed")
        public = scope["path"] in self.public or scope["path"].startswith(self.folders)
        if not public and not self.access.allows_token(headers.get("authorization", "")):
            raise ApiError(
                401, "Expected the token of this server: Authorization: Bearer TOKEN.", code="invalid_api_key"
            )
        limit = MAX_JSON if "json" in headers.get("content-type", "") else MAX_BODY
        length = headers.get("content-length", "0")
        if not is_digits(length) or len(length) > 15 or int(length) > limit:
            raise ApiError(413, f"The body is too large; expected at most {limit} bytes.", code="too_large")
        return limit


class _Body:
    """Receives a body, up to a number of bytes."""

    def __init__(self, receive: Callable[[], Any], limit: int) -> None:
        self.receive, self.limit, self.left = receive, limit, limit

    async def __call__(self) -> Any:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise ApiError(413, f"The body is too large; expected at most {self.limit} bytes.", code="too_large")
        return message


def _is_sending(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a client sends its body, of at most MAX_DRAINED bytes as far as it says, without asking first."""
    length = headers.get(b"content-length", b"0").decode("latin-1")
    return b"expect" not in headers and is_digits(length) and len(length) < 15 and int(length) <= MAX_DRAINED


async def _drained(receive: Callable[[], Any]) -> None:
    """Let a body pass, up to MAX_DRAINED bytes: who is still sending does not read an answer. Its time is limited as
    that of every request (`connections`)."""
    left = MAX_DRAINED
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _answer(error: ApiError, send: Callable[[Any], Any]) -> None:
    response = JsonAnswer(error.body(), error.status, headers={"connection": "close"})
    headers = response.raw_headers
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _is_same_site(method: str, headers: Mapping[str, str]) -> bool:
    """Whether no page of another site asks; where such a page only leads here, it may. Browsers say where a request
    comes from in Sec-Fetch-Site, which no page can change, or else in Origin."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is None:
        return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
    return site in ("same-origin", "none") or (origin is None and method in ("GET", "HEAD"))


def _name_of(header: str) -> str:
    """The name or address in a Host header, without its port: "[::1]:80" -> "::1"."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
