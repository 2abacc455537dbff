"""Networks of transformers by the name of a repository or a folder: whole, in safetensors, no code of their own."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storyreel import hub_client
from storyreel.hub_client import RefusedDownload
from storyreel.json_file import read_object
from storyreel.names import expanded
from storyreel.network_folder import check_network_folder
from storyreel.screen_text import one_line


def folder_of(where: str, what: str) -> Path:
    """A folder, or what the cache has of a repository of that name; else it is downloaded, once that is agreed to.

    what: as in "text encoder t5:NAME". ValueError, one line: there is no such folder, or it cannot be had.
    """
    path = expanded(where)
    if path.is_dir():
        return path
    if where.startswith((".", "/", "~")):
        raise ValueError(f"{what}: there is no folder {where}")
    try:
        return hub_client.cached_network(where) or hub_client.network(where, what)
    except (RefusedDownload, ValueError, OSError) as error:
        reason = one_line(str(error))
        raise ValueError(reason if reason.startswith(one_line(what)) else f"{one_line(what)}: {reason}") from None


def load(where: str, what: str, kinds: dict[str, str], label: str) -> tuple[Any, Any]:
    """(tokenizer, network in eval mode, float32, frozen) from a folder or the hub.

    kinds: what config.json may call the network (`model_type`) -> the class of transformers that opens it. label: what
    errors call the network. ValueError, one line, for anything that is wrong, such as weights that are missing.
    """
    try:
        import transformers
    except ImportError:
        raise ValueError(f"{what} needs transformers; run: pip install 'storyreel[hub]'") from None
    import torch

    folder = folder_of(where, what)
    try:
        # Code that comes with a repository is never run, and its weights are safetensors or nothing.
        check_network_folder(folder)
        _check_tokenizer(folder)
        kind = str(read_object(folder / "config.json").get("model_type"))
        if kind not in kinds:
            raise ValueError(f"it is a {one_line(kind)[:40]}")
        own: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        with in_silence():
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **own)
            network, found = getattr(transformers, kinds[kind]).from_pretrained(
                str(folder), use_safetensors=True, dtype=torch.float32, output_loading_info=True, **own
            )
        if missing := sorted(found["missing_keys"]):
            raise ValueError(f"it lacks {missing[0]}")
    except Exception as error:  # of transformers, the hub, safetensors, tokenizers: each has its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{what}: expected a {label} with model.safetensors ({one_line(reason)[:160]})") from None
    tokenizer.padding_side = "right"  # that of SigLIP 2 says left, and the network reads the pads on the right
    return tokenizer, network.eval().requires_grad_(False)


@contextmanager
def in_silence() -> Iterator[None]:
    """Neither diffusers nor transformers shows bars, lists of weights or advice in the block: who loads has a screen of
    their own."""
    here = [name for name in ("diffusers", "transformers") if name in sys.modules]
    loggings = [importlib.import_module(f"{name}.utils.logging") for name in here]
    before = [logging.get_verbosity() for logging in loggings]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that HF_HUB_DISABLE_PROGRESS_BARS has priority
        for logging in loggings:
            logging.set_verbosity_error()
            logging.disable_progress_bar()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for logging, verbosity in zip(loggings, before, strict=True):
                logging.set_verbosity(verbosity)
                logging.enable_progress_bar()


def _check_tokenizer(folder: Path) -> None:
    """transformers would make one that knows no words."""
    alone, pair = ("tokenizer.json", "*.model", "vocab.txt"), ("vocab.json", "merges.txt")
    if not any(any(folder.glob(file)) for file in alone) and not all((folder / file).is_file() for file in pair):
        raise ValueError("expected tokenizer.json, or vocab.json with merges.txt, or a *.model beside it")
