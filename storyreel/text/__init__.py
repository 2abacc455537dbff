"""Text encoders: sentences to token states, frozen. One Protocol, `storyreel.systems.base.TextEncoder`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.names import expanded
from storyreel.numbers import is_digits
from storyreel.wording import nearest

if TYPE_CHECKING:
    from storyreel.text.states import StateEncoder

__all__ = ["load_text_encoder"]

PACKED = "STORYREEL_TEXT"
"""The environment variable that names the folder of a packed MiniLM, which then stands in for MiniLM."""

_KINDS = {
    "minilm": "MiniLM-L6-v2, 384 wide",
    "minilm-words:<folder>": "MiniLM with the words of one world",
    "t5:<hub name or folder>": "the encoder of any T5",
    "clip:<hub name or folder>": "the text tower of any CLIP",
    "siglip:<hub name or folder>": "the text tower of any SigLIP",
    "hash:<dim>": "hashed words, without weights",
    "words:<count>": "numbers of words, for a model that learns its own embedding",
}


@contextmanager
def using(folder: Path | None) -> Iterator[None]:
    """In the block a packed encoder stands in for MiniLM, here and in the processes that this one starts."""
    if folder is None:
        yield
        return
    from storyreel.text.minilm_words import read_info

    read_info(folder)
    before = os.environ.get(PACKED)
    os.environ[PACKED] = str(expanded(folder).absolute())
    try:
        yield
    finally:
        os.environ.pop(PACKED)
        if before is not None:
            os.environ[PACKED] = before


def load_text_encoder(name: str, *, bulk: str = "fp32", truncate: bool = False) -> StateEncoder:
    """The encoder that `name` names: "minilm", "minilm-words:<folder>", "t5:<hub name or folder>", "clip:...",
    "siglip:...", "hash:<dim>" or "words:<count>".

    bulk: arithmetic for more than a few captions at once, "fp32" or "bf16" (autocast; about 1e-2 off, faster
    where the processor has bf16). A few captions are always encoded in float32.
    With $STORYREEL_TEXT, "minilm" is the packed one in that folder (`storyreel models text`).
    truncate: cut captions that are longer than the encoder's `max_tokens` instead of raising ValueError.
    """
    if bulk not in ("fp32", "bf16"):
        raise ValueError(f"bulk: expected fp32 or bf16, got {bulk!r}")
    kind, _, rest = name.partition(":")
    if name == "minilm" and os.environ.get(PACKED):
        name, kind, rest = f"minilm-words:{os.environ[PACKED]}", "minilm-words", os.environ[PACKED]
    if name == "minilm":
        from storyreel.text.minilm import MiniLM

        return MiniLM(bulk=bulk, truncate=truncate)
    if kind == "minilm-words" and rest:
        from storyreel.text.minilm_words import MiniLMWords

        return MiniLMWords(rest, bulk=bulk, truncate=truncate)
    if kind == "t5" and rest:
        from storyreel.text.t5 import T5

        return T5(rest, bulk=bulk, truncate=truncate)
    if kind == "clip" and rest:
        from storyreel.text.clip import ClipText

        return ClipText(rest, bulk=bulk, truncate=truncate)
    if kind == "siglip" and rest:
        from storyreel.text.clip import SiglipText

        return SiglipText(rest, bulk=bulk, truncate=truncate)
    if kind == "hash":
        from storyreel.text.hashed import HashedWords

        if not is_digits(rest) or not 1 <= int(rest) <= 65_536:
            raise ValueError(f"text encoder {name!r}: expected hash:<dim> with dim from 1 to 65536, such as hash:64")
        return HashedWords(int(rest), truncate=truncate)
    if kind == "words":
        from storyreel.text.numbered import NumberedWords

        if not is_digits(rest) or not 2 <= int(rest) <= 65_536:
            raise ValueError(
                f"text encoder {name!r}: expected words:<count> with 2 to 65536 words, such as words:16384"
            )
        return NumberedWords(int(rest), truncate=truncate)
    near = nearest(kind, [known.partition(":")[0] for known in _KINDS])
    hint = f"did you mean {near!r}? " if near else ""
    raise ValueError(f"text encoder {name!r} is not known; {hint}There are: {', '.join(_KINDS)}")
