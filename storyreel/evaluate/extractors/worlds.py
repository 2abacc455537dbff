"""The encoders of our own worlds as extractors: `sprites-v1`, `digits-v1`."""

from __future__ import annotations

from pathlib import Path

from storyreel.encoder import TextVideoEncoder, load_encoder


def load(name: str, weights: Path | None) -> TextVideoEncoder:
    """The encoder, from the model folder `weights` or where models are looked for. ValueError when it is another's."""
    encoder = load_encoder(name if weights is None else weights)
    if encoder.name != name:
        raise ValueError(f"{weights}: is the extractor {encoder.name!r}, expected {name!r}")
    return encoder
