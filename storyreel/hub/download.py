"""Models of the hub in its shared cache: pipelines of diffusers and our own. Only what they read is downloaded."""

from __future__ import annotations

from pathlib import Path

from storyreel import hub_client
from storyreel.hub.reference import INDEX, components, missing, read_index
from storyreel.hub_client import CARD, SETTINGS, VARIANTS, WEIGHTS, called
from storyreel.model_folder import PART, read_model, weights_file
from storyreel.tensor_header import damaged, sha256_once

OURS = "model.json"


def model(repository: str, revision: str | None, *, download: bool = True) -> Path:
    """The folder of a model in the cache, whole. ValueError or OSError, one line, where it cannot be had."""
    name, why = called(repository, revision), "is not on this machine"
    for file, lacking in ((OURS, missing_of_ours), (INDEX, missing)):
        if (here := hub_client.cached(repository, revision, file)) is not None:
            if (lacks := lacking(here)) is None:
                return here
            why = f"lacks {lacks or file}"
    hub_client.check_online(name, download, why)
    if (index := hub_client.fetch(repository, revision, INDEX)) is not None:
        return _pipeline(repository, revision, index.parent)
    if (file := hub_client.fetch(repository, revision, OURS)) is not None:
        return _own(repository, revision, file.parent)
    raise ValueError(f"{name}: has neither {INDEX} nor {OURS}; modular pipelines are not opened")


def _pipeline(repository: str, revision: str | None, folder: Path) -> Path:
    parts = components(read_index(folder))
    patterns = [INDEX, *CARD, *(f"{part}/{pattern}" for part in parts for pattern in (*WEIGHTS, *SETTINGS))]
    folder = hub_client.snapshot(repository, revision, patterns, VARIANTS)
    if (lacks := missing(folder)) is not None:
        folder = hub_client.snapshot(repository, revision, patterns)
        lacks = missing(folder)
    if lacks is not None:
        name = called(repository, revision)
        raise ValueError(f"{name}: has no {lacks or INDEX}; only weights in safetensors are loaded")
    return folder


def _own(repository: str, revision: str | None, folder: Path) -> Path:
    folder = hub_client.snapshot(repository, revision, [*CARD, *files_of(folder)])
    if (lacks := missing_of_ours(folder)) is not None:
        raise ValueError(f"{called(repository, revision)}: has no {lacks}")
    check_digests(folder)
    return folder


def files_of(folder: Path) -> list[str]:
    """The files of a model of ours, beside its card. ValueError, one line: its model.json is wrong."""
    parts = read_model(folder)["components"]
    return [OURS, *(f"{name}/{file}" for name in parts for file in PART)]


def missing_of_ours(folder: Path) -> str | None:
    """The first file that a model of ours lacks to be whole."""
    return next((file for file in files_of(folder) if not (folder / file).is_file()), None)


def check_digests(folder: Path) -> None:
    """ValueError names the first file whose sha256 is not the one in model.json."""
    for name, component in read_model(folder)["components"].items():
        if sha256_once(file := weights_file(folder, name)) != component["sha256"]:
            raise damaged(file)
