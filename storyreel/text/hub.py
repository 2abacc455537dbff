"""Text encoders that transformers knows: from the hub or a folder, a network's last states with its own tokenizer.

Needs transformers (`pip install 'storyreel[hub]'`). Only safetensors checkpoints are loaded, never pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import ClassVar, Self

import torch
from torch import Tensor

from storyreel import hub_network
from storyreel.text.states import StateEncoder


class HubEncoder(StateEncoder):
    """The last hidden states (b, l, dim) of a frozen network; `where` is a hub name or a folder.

    kind: what stands before the colon of the encoder's name. label: what errors call the network. networks: what its
    config.json may call it -> the class of transformers that opens it.
    """

    kind: str
    label: str
    networks: ClassVar[dict[str, str]]

    def __init__(self, where: str, *, bulk: str = "fp32", truncate: bool = False) -> None:
        super().__init__(truncate=truncate)
        self.name = f"{self.kind}:{where}"
        what = f"text encoder {self.name}"
        self._tokenizer, self._model = hub_network.load(where, what, self.networks, self.label)
        config = self._model.config
        self.dim = int(config.hidden_size)
        self.max_tokens = min(self.max_tokens, getattr(config, "max_position_embeddings", self.max_tokens))
        self._bulk = bulk

    def to(self, device: torch.device | str) -> Self:
        self._model.to(device)
        return super().to(device)

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        cut = {"truncation": True, "max_length": self.max_tokens} if self.truncate else {}
        tokens = self._tokenizer(
            list(captions), padding=True, return_tensors="pt", return_attention_mask=True, **cut
        )  # fmt: skip
        for caption, length in zip(captions, tokens["attention_mask"].sum(1).tolist(), strict=True):
            self.check_length(caption, length)
        ids, mask = (tokens[name].to(self.device) for name in ("input_ids", "attention_mask"))
        bf16 = self._bulk == "bf16" and len(captions) > 1
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16) if bf16 else nullcontext():
            states = self.states(ids, mask).float()
        return states * mask[..., None], mask.bool()

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids (b, l) and their mask (b, l) -> the network's states (b, l, d)."""
        return self._model(input_ids=ids, attention_mask=mask).last_hidden_state
