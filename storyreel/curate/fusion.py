"""Two captions of a clip fused into one by a language model, through any OpenAI-style chat endpoint.

A clip whose answer does not come, or is no caption, keeps the captions that it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from storyreel.curate.chat import NoAnswer, answered, plain_sentence
from storyreel.wording import counted

if TYPE_CHECKING:
    from storyreel.curate.model_work import ModelSettings, Work

INSTRUCTION = (
    "You are given several descriptions of one short video clip, one of its middle frame and one of the whole clip. "
    "Write one sentence in English that says what is to be seen in the clip and how it moves. Add nothing that is not "
    "in the descriptions. Answer with that sentence alone."
)


def fuse(work: Work, texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Clip -> one sentence, of all clips with at least two captions. Each answer is stored as it comes."""
    from storyreel.curate.model_work import key_of

    models = work.models
    stored = work.store.answers(f"fused-{key_of(f'{models.chat} {models.chat_model} {INSTRUCTION}')}")
    descriptions = {clip: list(captions) for clip, captions in texts.items() if len(set(captions)) > 1}
    known = {clip: v["text"] for clip, v in stored.values.items() if v.get("of") == descriptions.get(clip)}
    todo = [clip for clip in descriptions if clip not in known]
    work.screen.begin("fusing captions", len(todo))
    failures: list[str] = []
    with ThreadPoolExecutor(max(1, models.chat_at_once)) as pool:
        flying = {pool.submit(fused_caption, descriptions[clip], models): clip for clip in todo}
        for done in as_completed(flying):
            clip = flying[done]
            try:
                known[clip] = done.result()
                stored.put(clip, {"of": descriptions[clip], "text": known[clip]})
            except NoAnswer as error:
                failures.append(str(error))
            work.screen.advance()
    stored.settle()
    if failures:
        note = f"fusion: {counted(len(failures), 'clip')} of {len(todo)} got no fused caption: {failures[0]}"
        work.notes.append(f"fusion: {counted(len(failures), 'clip')} got no fused caption")
        work.screen.say(note)
    return known


def fused_caption(texts: Sequence[str], models: ModelSettings) -> str:
    """One sentence from several. NoAnswer after `chat_tries` tries."""
    listing = "\n".join(f"Description {i}: {text}" for i, text in enumerate(texts, 1))
    messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": listing}]
    return answered(str(models.chat), messages, models, lambda answer: check_answer(answer, texts))


def check_answer(answer: Any, texts: Sequence[str]) -> str:
    """The answer as one plain sentence about the same subject as the captions, else NoAnswer."""
    text = plain_sentence(answer)
    words = set(re.findall(r"[^\W\d_]{2,}", text.lower()))
    source_words = {word for one in texts for word in re.findall(r"[^\W\d_]{4,}", one.lower())}
    if source_words and not source_words & words:
        raise NoAnswer("the answer shares no word with the captions")
    return text
