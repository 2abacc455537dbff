"""The text towers of CLIP (Radford et al. 2021), whose states Make-A-Video's paper recipe reads, and of SigLIP (Zhai
et al. 2023)."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from storyreel.text.hub import HubEncoder


class ClipText(HubEncoder):
    """States (b, l, d) after the last norm; the last of a sentence is what its embedding is projected from."""

    kind, label, max_tokens = "clip", "CLIP", 77
    networks: ClassVar = dict.fromkeys(("clip", "clip_text_model"), "CLIPTextModel")


class SiglipText(HubEncoder):
    """States (b, l, d) after the last norm of SigLIP, or of SigLIP 2.

    It was trained on sentences that are padded to its full length, and sees the pads: so do these states, of which
    those of the sentence itself are given.
    """

    kind, label, max_tokens = "siglip", "SigLIP", 64
    networks: ClassVar = dict.fromkeys(("siglip", "siglip_text_model"), "SiglipTextModel")
    networks |= dict.fromkeys(("siglip2", "siglip2_text_model"), "Siglip2TextModel")

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        length = ids.shape[1]
        whole = F.pad(ids, (0, self.max_tokens - length), value=self._tokenizer.pad_token_id)
        return self._model(input_ids=whole).last_hidden_state[:, :length]
