"""The text tower of CLIP (Radford et al. 2021), whose states Make-A-Video's paper recipe reads."""

from __future__ import annotations

from typing import Any

from storyreel.text.hub import HubEncoder


class ClipText(HubEncoder):
    """States (b, l, d) after the last norm; the last of a sentence is what its embedding is projected from."""

    kind, label, max_tokens = "clip", "CLIP", 77

    @staticmethod
    def network() -> Any:
        from transformers import CLIPTextModel

        return CLIPTextModel
