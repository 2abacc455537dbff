"""One question to an OpenAI-style chat endpoint (vLLM, llama.cpp, LM Studio, Ollama), and the sentence that it answers.

Only the standard library sends it. A slow, failing or talkative endpoint costs one answer, not the run.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from storyreel.json_file import parse_json
from storyreel.numbers import is_digits
from storyreel.wording import counted

if TYPE_CHECKING:
    from storyreel.curate.model_settings import ModelSettings

Messages = Sequence[Mapping[str, Any]]
LONGEST = 600  # characters of an answer
MOST = 1 << 20  # bytes of an answer that are read
GRACE = 1.0  # seconds after which a head that still drips is cut off; silence ends by itself
_REFUSALS = re.compile(
    r"\b(as an ai|i cannot|i can't|i'm sorry|i am sorry|unable to (view|see|watch)|language model)\b"
)
_CHATTER = re.compile(r"^(sure|certainly|of course|here is|here's)[^:\n]{0,60}:\s*", re.IGNORECASE)


class NoAnswer(Exception):
    """The endpoint gave nothing that can be used; `again` where another try may help."""

    def __init__(self, why: str, *, again: bool = True, after: float = 0.0) -> None:
        super().__init__(why)
        self.again, self.after = again, after


def answered(url: str, messages: Messages, models: ModelSettings, check: Callable[[Any], str]) -> str:
    """What `check` makes of the answer, asked for at most `chat_tries` times. NoAnswer: why the last try failed."""
    last = NoAnswer("it was not asked")
    for number in range(models.chat_tries):
        try:
            return check(_ask(url, messages, models))
        except NoAnswer as error:
            last = error
        if not last.again:
            break
        if number + 1 < models.chat_tries:
            time.sleep(min(30.0, max(last.after, 0.25 * 2**number)))
    raise last


def _ask(url: str, messages: Messages, models: ModelSettings) -> Any:
    """The text of the first choice. The whole of an answer must come within `chat_seconds`."""
    url = url.rstrip("/")
    url = url if url.endswith("/chat/completions") else f"{url}/chat/completions"
    if not url.startswith(("http://", "https://")):
        raise NoAnswer(f"{url}: expected an http address", again=False)
    body = {"model": models.chat_model, "messages": list(messages), "temperature": 0, "max_tokens": 200, "seed": 0}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if models.chat_key and (key := os.environ.get(models.chat_key)):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with _within(models.chat_seconds) as opener, opener.open(request, timeout=models.chat_seconds) as answer:
            content = _read(answer, time.monotonic() + models.chat_seconds)
    except NoAnswer:
        raise
    except urllib.error.HTTPError as error:
        after = error.headers.get("Retry-After", "") if error.headers else ""
        again = error.code in (408, 409, 425, 429) or error.code >= 500
        raise NoAnswer(
            f"{url} answers {error.code}", again=again, after=float(after) if is_digits(after) else 0.0
        ) from None
    except (OSError, ValueError) as error:  # refused, reset, timed out; a broken head is a ValueError of http.client
        raise NoAnswer(f"{url}: {getattr(error, 'reason', None) or error}") from None
    except Exception as error:
        raise NoAnswer(f"{url}: {type(error).__name__}: {error}") from None
    try:
        return parse_json(content)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise NoAnswer(f"{url}: answers something else than a chat completion") from None


@contextmanager
def _within(seconds: float) -> Iterator[urllib.request.OpenerDirector]:
    """Opens addresses as urllib does; the connections are cut off when the time is over, whatever is still awaited."""
    opened: list[socket.socket] = []
    late = threading.Event()

    def noting(kind: Any) -> Any:
        class Noting(kind):
            def connect(self) -> None:
                super().connect()
                opened.append(self.sock)

        return Noting

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(noting(http.client.HTTPConnection), req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(noting(http.client.HTTPSConnection), req)

    def cut_off() -> None:
        late.set()
        for each in opened:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds + GRACE, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield urllib.request.build_opener(Http, Https)
    except Exception:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():  # also where a head that was cut off looks whole
        raise NoAnswer("the answer takes too long")


def _read(answer: Any, end: float) -> bytes:
    """The body, if it comes in time: a drip of single bytes keeps a socket's own timeout from ever passing."""
    parts, length = [], 0
    while part := answer.read1(1 << 16):
        parts.append(part)
        length += len(part)
        if length > MOST:
            raise NoAnswer("the answer is over 1 MiB", again=False)
        if time.monotonic() > end:
            raise NoAnswer("the answer takes too long")
    return b"".join(parts)


def plain_sentence(answer: Any) -> str:
    """The answer as one plain sentence. NoAnswer for what is no caption: empty, endless, a refusal, repetition."""
    if not isinstance(answer, str):
        raise NoAnswer("the answer is no text")
    text = re.sub(r"<think>.*?</think>", " ", answer, flags=re.DOTALL)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = _CHATTER.sub("", text).strip().strip('"*`').strip()
    if len(text.split()) < 3 or len(text) > LONGEST:
        length = f"{counted(len(text.split()), 'word')} and {counted(len(text), 'character')}"
        raise NoAnswer(f"the answer has {length}, expected a sentence")
    if _REFUSALS.search(text.lower()):
        raise NoAnswer("the answer is a refusal")
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    if not words or len(set(words)) < len(words) / 4:
        raise NoAnswer("the answer repeats itself")
    return text
