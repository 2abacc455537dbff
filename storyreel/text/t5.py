"""The encoder of any T5 (Raffel et al. 2020), the text encoder of Phenaki's and Imagen Video's papers."""

from __future__ import annotations

from typing import ClassVar

from storyreel.text.hub import HubEncoder


class T5(HubEncoder):
    """States (b, l, d_model) of the last encoder layer."""

    kind, label, max_tokens = "t5", "T5", 256
    networks: ClassVar = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"}
