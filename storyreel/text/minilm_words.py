"""MiniLM with the word pieces of one vocabulary alone, in half precision: a quarter of the size, to take along.

FOLDER/text.json            what it was made from, the word pieces that it has, and the sha256 of both files
FOLDER/model.safetensors    float16; of the word embedding only the rows of these pieces
FOLDER/tokenizer.json       the published tokenizer, so that a caption gets the same pieces as ever

States differ from MiniLM's by the rounding of the weights, about 1e-3. A caption that needs another word piece is
refused, with the word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from storyreel.folder_replacement import replacing_folder
from storyreel.names import expanded
from storyreel.ownership import check_owner
from storyreel.storage import digest_of, read_json, write_bytes, write_json
from storyreel.tensor_file import write_tensors
from storyreel.text.bert import Bert, BertConfig
from storyreel.text.minilm import MiniLM, find_weights, load_tokenizer
from storyreel.text.states import StateEncoder

FILE, FORMAT = "text.json", 1
EMBEDDING = "embeddings.word_embeddings.weight"
ALWAYS = "abcdefghijklmnopqrstuvwxyz0123456789"
MARKS = "!\"'(),-./:;?[]&+%/|"
WORD = re.compile(r"\w+|[^\w\s]")


class MiniLMWords(MiniLM):
    """States (b, l, 384) as MiniLM's. ValueError names the first word of a caption whose pieces are not here."""

    def __init__(self, folder: str | Path, *, bulk: str = "fp32", truncate: bool = False) -> None:
        from safetensors.torch import load_file

        StateEncoder.__init__(self, truncate=truncate)
        folder = expanded(folder)
        info = read_info(folder)
        self.folder, self.words, self.digest = folder, str(info["words"]), str(info["digest"])
        self.name = f"minilm-words:{self.digest[:16]}"
        self._tokenizer = load_tokenizer(folder / "tokenizer.json")
        self._row = {piece: row for row, piece in enumerate(info["pieces"])}
        weights = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
        if len(weights.get(EMBEDDING, ())) != len(self._row):
            raise ValueError(f"{folder}: has {len(self._row)} word pieces and another number of embeddings")
        self._bert = Bert(BertConfig(), weights)
        self._bulk = bulk

    def ids(self, captions: Sequence[str]) -> list[list[int]]:
        rows = super().ids(captions)
        for caption, row in zip(captions, rows, strict=True):
            if any(piece not in self._row for piece in row):
                raise ValueError(
                    f"text encoder {self.folder}: has only the words of {self.words}, and not "
                    f"{self._foreign(caption)!r} in {caption[:80]!r}; use minilm, or pack another with "
                    "`storyreel models text`"
                )
        return [[self._row[piece] for piece in row] for row in rows]

    def _foreign(self, caption: str) -> str:
        """The first word of which a piece is missing."""
        for word in WORD.findall(caption):
            if any(piece not in self._row for piece in self._tokenizer.encode(word).ids):
                return word
        return caption[:40]


def pack_minilm(words: Iterable[str], called: str, out: Path, source: Path | None = None) -> dict[str, Any]:
    """Write the folder whole, in place of one that is there. What text.json says, with `bytes`.

    called: whose words they are, for errors. source: as in `find_weights`.
    """
    from safetensors.torch import load_file

    check_owner(out, "text")
    files = find_weights(source)
    tokenizer = load_tokenizer(files["tokenizer.json"])
    pieces = {piece for encoding in tokenizer.encode_batch(list(words)) for piece in encoding.ids}
    pieces |= {piece for letter in ALWAYS + MARKS for piece in tokenizer.encode(letter).ids}
    pieces |= {number for letter in ALWAYS if (number := tokenizer.token_to_id(f"##{letter}")) is not None}
    pieces.discard(tokenizer.token_to_id("[UNK]"))
    retained = sorted(pieces)
    whole = load_file(files["model.safetensors"])
    weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in whole.items()}
    weights[EMBEDDING] = weights[EMBEDDING][torch.tensor(retained)].contiguous()
    with replacing_folder(out, "text") as made:
        digests = {"model.safetensors": write_tensors(made / "model.safetensors", weights)}
        write_bytes(made / "tokenizer.json", files["tokenizer.json"].read_bytes())
        digests["tokenizer.json"] = digest_of(made / "tokenizer.json")
        info = {"storyreel_text": FORMAT, "base": "minilm", "words": called, "pieces": retained, "sha256": digests}
        write_json(made / FILE, {**info, "digest": _digest(info)})
        size = sum(file.stat().st_size for file in made.iterdir())
    return {**info, "bytes": size}


def read_info(folder: Path) -> dict[str, Any]:
    """text.json, checked against the two files. ValueError says what is wrong with the folder."""
    if not (folder / FILE).is_file():
        raise ValueError(f"{folder}: is no packed text encoder (there is no {FILE} in it)")
    info = read_json(folder / FILE)
    sums, pieces = info.get("sha256") or {}, info.get("pieces")
    whole = isinstance(sums, dict) and isinstance(pieces, list) and all(type(piece) is int for piece in pieces)
    if info.get("storyreel_text") != FORMAT or not whole or info.get("digest") != _digest(info):
        raise ValueError(f"{folder / FILE}: expected what `storyreel models text` wrote; it was changed")
    for name in ("model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file() or digest_of(folder / name) != sums.get(name):
            raise ValueError(f"{folder / name}: is missing, damaged or was changed")
    return info


def _digest(info: dict[str, Any]) -> str:
    parts = [info.get(name) for name in ("base", "words", "pieces", "sha256")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
