"""What a system takes from a trained encoder and does not train itself, by name and digest."""

from __future__ import annotations

from torch import Tensor

from storyreel.encoder import PREFIX, STAGE, find_encoder
from storyreel.packed import read_weights
from storyreel.storage import digest_of, read_json
from storyreel.systems.base import System
from storyreel.tensor_file import read_tensors
from storyreel.weights_registry import find_weights


def take_encoders(system: System) -> None:
    """Fill in all stages that are taken from elsewhere. ValueError names an encoder that is not here, or is another."""
    for stage in system.stages.values():
        if stage.weights_from:
            stage.take(*encoder_tensors(stage.weights_from))


def encoder_tensors(name: str) -> tuple[dict[str, Tensor], str]:
    """(name -> tensor, sha256 of the file) of an encoder of the worlds (`encoder-sprites`) or of published weights
    (`clip-vit-l-14`)."""
    if not name.startswith(PREFIX):
        files = find_weights(name)
        path = next(path for path in files.values() if path.suffix == ".safetensors")
        return read_tensors(path), digest_of(path)
    folder = find_encoder(name)
    try:
        digest = str(read_json(folder / "model.json")["components"][STAGE]["sha256"])
    except (KeyError, TypeError):
        raise ValueError(
            f"{folder / 'model.json'}: expected the model of an encoder, with a component {STAGE}"
        ) from None
    found = read_weights(folder / STAGE / "model.safetensors", digest)
    return {n.removeprefix("net."): tensor for n, tensor in found.items()}, digest
