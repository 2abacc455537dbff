"""Gets repositories of the hub into its shared cache, by huggingface_hub: what is there already is not asked for again.

A download that broke off goes on where it stopped. Files are those that a pipeline or a model of ours reads: JSON,
vocabularies, safetensors. `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storyreel.hub.reference import INDEX, OTHERS, WEIGHTS, components, is_offline, missing, read_index
from storyreel.screen_text import one_line

VARIANTS = ("*.fp16.*", "*.bf16.*", "*.non_ema.*")  # second copies of weights, taken only where there is no other


def pipeline(repository: str, revision: str | None, *, download: bool = True) -> Path:
    """The folder of a pipeline in the cache, whole. ValueError or OSError, one line, where it cannot be had."""
    called = _called(repository, revision)
    here = cached(repository, revision)
    lacks = "" if here is None else missing(here)
    if here is not None and lacks is None:
        return here
    _check_online(called, download, f"lacks {lacks or INDEX}" if here is not None else "is not on this machine")
    hub = _library()
    with in_one_line(called):
        file = hub.hf_hub_download(repository, INDEX, revision=revision)
    parts = components(read_index(Path(file).parent))
    wanted = [
        INDEX,
        "README.md",
        "LICENSE*",
        *(f"{part}/{pattern}" for part in parts for pattern in (*WEIGHTS, *OTHERS)),
    ]
    folder = _snapshot(repository, revision, wanted, VARIANTS)
    if (lacks := missing(folder)) is not None:
        folder = _snapshot(repository, revision, wanted)
        lacks = missing(folder)
    if lacks is not None:
        raise ValueError(f"{called}: has no {lacks or INDEX}; only weights in safetensors are loaded")
    return folder


def _snapshot(repository: str, revision: str | None, wanted: Sequence[str], left: Sequence[str] = ()) -> Path:
    with in_one_line(_called(repository, revision)):
        found = _library().snapshot_download(
            repository, revision=revision, allow_patterns=list(wanted), ignore_patterns=list(left) or None
        )
    return Path(found)


def cached(repository: str, revision: str | None, file: str = INDEX) -> Path | None:
    """The folder of a repository in the cache, whole or not, if `file` is there; the hub is not asked."""
    found = _library().try_to_load_from_cache(repository, file, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


@contextmanager
def in_one_line(called: str) -> Iterator[None]:
    """What goes wrong between here and the hub, as one line that begins with `called`."""
    errors = _library("errors")
    reasons: list[tuple[tuple[str, ...], str]] = [
        (("GatedRepoError",), "its owner gives it to those alone who agree to its terms: do so on its page and log in"),
        (("RepositoryNotFoundError",), "there is no such repository, or it is private (then log in: hf auth login)"),
        (("RevisionNotFoundError",), "has no such revision"),
        (("RemoteEntryNotFoundError", "EntryNotFoundError"), f"has no {INDEX}; modular pipelines are not opened"),
    ]
    try:
        yield
    except ValueError:
        raise
    except Exception as error:  # of huggingface_hub and of the HTTP library below it
        for names, reason in reasons:
            kinds = tuple(kind for name in names if (kind := getattr(errors, name, None)) is not None)
            if kinds and isinstance(error, kinds) and not isinstance(error, FileNotFoundError):
                raise ValueError(f"{called}: {reason}") from None
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise  # of this machine: a full disk, no permission
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise OSError(f"{called}: the hub could not be reached or broke off ({one_line(lines[0])[:160]})") from None


def _check_online(called: str, download: bool, why: str) -> None:
    if not download:
        raise OSError(f"{called}: {why}, and is not downloaded for this; get it with: storyreel models fetch {called}")
    if is_offline():
        raise OSError(f"{called}: {why}, and HF_HUB_OFFLINE keeps it from being downloaded")


def _called(repository: str, revision: str | None) -> str:
    return f"hub:{repository}@{revision}" if revision else f"hub:{repository}"


def _library(part: str = "") -> Any:
    """huggingface_hub. ValueError says how to get it."""
    import importlib

    try:
        return importlib.import_module(f"huggingface_hub.{part}" if part else "huggingface_hub")
    except ImportError:
        raise ValueError("the hub needs huggingface_hub; run: pip install 'storyreel[hub]'") from None
