"""Two captions of a clip fused into one by a language model, through any OpenAI-style chat endpoint.

Only the standard library talks to it. A slow, failing or talkative endpoint costs that clip its fused caption, not the
run: after the tries are spent the captions stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from storyreel.json_file import parse_json

if TYPE_CHECKING:
    from storyreel.curate.model_work import Models, Work

ASKED = (
    "You are given several descriptions of one short video clip, one of its middle frame and one of the whole clip. "
    "Write one sentence in English that says what is to be seen in the clip and how it moves. Add nothing that is not "
    "in the descriptions. Answer with that sentence alone."
)
LONGEST = 600  # characters of an answer
MOST = 1 << 20  # bytes of an answer that are read
_REFUSALS = re.compile(
    r"\b(as an ai|i cannot|i can't|i'm sorry|i am sorry|unable to (view|see|watch)|language model)\b"
)
_CHATTER = re.compile(r"^(sure|certainly|of course|here is|here's)[^:\n]{0,60}:\s*", re.IGNORECASE)


class NoAnswer(Exception):
    """The endpoint gave nothing that can be used; `again` where another try may help."""

    def __init__(self, why: str, *, again: bool = True, after: float = 0.0) -> None:
        super().__init__(why)
        self.again, self.after = again, after


def fuse(work: Work, texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Clip -> one sentence, of all clips with at least two captions. Each answer is stored as it comes."""
    from storyreel.curate.model_work import key_of

    models = work.models
    stored = work.store.answers(f"fused-{key_of(f'{models.chat} {models.chat_model} {ASKED}')}")
    asked = {clip: list(said) for clip, said in texts.items() if len(set(said)) > 1}
    known = {clip: v["text"] for clip, v in stored.values.items() if v.get("of") == asked.get(clip)}
    todo = [clip for clip in asked if clip not in known]
    work.screen.begin("fusing captions", len(todo))
    failures: list[str] = []
    with ThreadPoolExecutor(max(1, models.chat_at_once)) as pool:
        flying = {pool.submit(fused_caption, asked[clip], models): clip for clip in todo}
        for done in as_completed(flying):
            clip = flying[done]
            try:
                known[clip] = done.result()
                stored.put(clip, {"of": asked[clip], "text": known[clip]})
            except NoAnswer as error:
                failures.append(str(error))
            work.screen.advance()
    stored.settle()
    if failures:
        note = f"fusion: {len(failures)} of {len(todo)} clips got no fused caption: {failures[0]}"
        work.notes.append(f"fusion: {len(failures)} clips got no fused caption")
        work.screen.say(note)
    return known


def fused_caption(texts: Sequence[str], models: Models) -> str:
    """One sentence from several. NoAnswer after `chat_tries` tries."""
    last = NoAnswer("it was not asked")
    for number in range(models.chat_tries):
        try:
            return check_answer(_ask(texts, models), texts)
        except NoAnswer as error:
            last = error
        if not last.again:
            break
        if number + 1 < models.chat_tries:
            time.sleep(min(30.0, max(last.after, 0.25 * 2**number)))
    raise last


def _ask(texts: Sequence[str], models: Models) -> Any:
    """The text of the first choice. The whole of an answer must come within `chat_seconds`."""
    url = str(models.chat).rstrip("/")
    url = url if url.endswith("/chat/completions") else f"{url}/chat/completions"
    if not url.startswith(("http://", "https://")):
        raise NoAnswer(f"{url}: wanted an http address", again=False)
    said = "\n".join(f"Description {i}: {text}" for i, text in enumerate(texts, 1))
    messages = [{"role": "system", "content": ASKED}, {"role": "user", "content": said}]
    body = {"model": models.chat_model, "messages": messages, "temperature": 0, "max_tokens": 200, "seed": 0}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if models.chat_key and (key := os.environ.get(models.chat_key)):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=models.chat_seconds) as answer:
            content = _read(answer, time.monotonic() + models.chat_seconds)
    except NoAnswer:
        raise
    except urllib.error.HTTPError as error:
        after = error.headers.get("Retry-After", "") if error.headers else ""
        again = error.code in (408, 409, 425, 429) or error.code >= 500
        raise NoAnswer(
            f"{url} answers {error.code}", again=again, after=float(after) if after.isdigit() else 0.0
        ) from None
    except (OSError, ValueError) as error:  # refused, reset, timed out; a broken head is a ValueError of http.client
        raise NoAnswer(f"{url}: {getattr(error, 'reason', None) or error}") from None
    except Exception as error:
        raise NoAnswer(f"{url}: {type(error).__name__}: {error}") from None
    try:
        return parse_json(content)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise NoAnswer(f"{url}: answers something else than a chat completion") from None


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


def check_answer(answer: Any, texts: Sequence[str]) -> str:
    """The answer as one plain sentence. NoAnswer for what is no caption: empty, endless, a refusal, another subject."""
    if not isinstance(answer, str):
        raise NoAnswer("the answer is no text")
    text = re.sub(r"<think>.*?</think>", " ", answer, flags=re.DOTALL)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = _CHATTER.sub("", text).strip().strip('"*`').strip()
    if len(text.split()) < 3 or len(text) > LONGEST:
        raise NoAnswer(f"the answer has {len(text.split())} words and {len(text)} characters, wanted a sentence")
    if _REFUSALS.search(text.lower()):
        raise NoAnswer("the answer is a refusal")
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    if not words or len(set(words)) < len(words) / 4:
        raise NoAnswer("the answer repeats itself")
    given = {word for one in texts for word in re.findall(r"[^\W\d_]{4,}", one.lower())}
    if given and not given & set(words):
        raise NoAnswer("the answer shares no word with the captions")
    return text
