"""Text encoders that transformers knows: from the hub or a folder, a network's last states with its own tokenizer.

Needs transformers (`pip install 'storyreel[hub]'`). Only safetensors checkpoints are loaded, never pickles.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from storyreel import hub_client
from storyreel.hub_client import RefusedDownload
from storyreel.tensor_header import check_shards
from storyreel.text.states import StateEncoder


class HubEncoder(StateEncoder):
    """The last hidden states (b, l, dim) of a frozen network; `where` is a hub name or a folder.

    kind: what stands before the colon of the encoder's name. label: what errors call the network.
    """

    kind: str
    label: str

    @staticmethod
    @abstractmethod
    def network() -> Any:
        """The class of transformers that loads the network. ImportError where transformers is not there."""

    def __init__(self, where: str, *, bulk: str = "fp32", truncate: bool = False) -> None:
        super().__init__(truncate=truncate)
        self.name = f"{self.kind}:{where}"
        try:
            network = self.network()
        except ImportError:
            raise ValueError(f"text encoder {self.name} needs transformers; run: pip install transformers") from None
        if where.startswith((".", "/", "~")) and not Path(where).expanduser().is_dir():
            raise ValueError(f"text encoder {self.name}: there is no folder {where}")
        where = str(Path(where).expanduser()) if where.startswith("~") else where
        self._tokenizer, self._model = self._load(where, network)
        self._model.eval().requires_grad_(False)
        self.dim = int(self._model.config.hidden_size)
        self._bulk = bulk

    def _load(self, where: str, network: Any) -> tuple[Any, Any]:
        """(tokenizer, network) from a folder or from what was downloaded before; else, once that is agreed to, from the
        hub. ValueError, one line, for anything that goes wrong."""
        from transformers import AutoTokenizer

        def load(folder: Path) -> tuple[Any, Any]:
            # Code that comes with a repository is never run, and its weights are safetensors or nothing.
            check_shards(folder)
            own: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
            tokenizer = AutoTokenizer.from_pretrained(str(folder), **own)
            return tokenizer, network.from_pretrained(str(folder), use_safetensors=True, dtype=torch.float32, **own)

        try:
            if Path(where).is_dir():
                return load(Path(where))
            if (here := hub_client.cached_network(where)) is not None:
                return load(here)
            return load(hub_client.network(where, f"text encoder {self.name}"))
        except RefusedDownload as refused:
            raise ValueError(str(refused)) from None
        except Exception as error:  # of transformers, the hub, safetensors, tokenizers: each has its own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"text encoder {self.name}: wanted a {self.label} with model.safetensors ({reason[:160]})"
            ) from None

    def to(self, device: torch.device | str) -> Self:
        self._model.to(device)
        return super().to(device)

    def count_tokens(self, caption: str) -> int:
        return len(self._tokenizer(caption)["input_ids"])

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        cut = {"truncation": True, "max_length": self.max_tokens} if self.truncate else {}
        tokens = self._tokenizer(list(captions), padding=True, return_tensors="pt", **cut)
        for caption, length in zip(captions, tokens["attention_mask"].sum(1).tolist(), strict=True):
            self.check_length(caption, length)
        tokens = {name: tokens[name].to(self.device) for name in ("input_ids", "attention_mask")}
        mask = tokens["attention_mask"].bool()
        bf16 = self._bulk == "bf16" and len(captions) > 1
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16) if bf16 else nullcontext():
            out = self._model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return out.last_hidden_state.float() * mask[..., None], mask
