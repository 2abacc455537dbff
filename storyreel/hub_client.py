"""The one client of the hub, by huggingface_hub: its shared cache, downloads and uploads, and when it is not asked.

What is in the cache is not asked for again. A connection that breaks off goes on where it stopped; of a download that
was given up, the files that were finished stay. `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what
they mean everywhere.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from storyreel.screen_text import one_line
from storyreel.tensor_header import SHARDS, sha256_of, shards

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja")  # settings and vocabularies
CARD = ("README.md", "LICENSE*")
VARIANTS = ("*.fp16.*", "*.bf16.*", "*.non_ema.*")  # second copies of weights, taken only where there is no other
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
_REPOSITORY = re.compile(rf"({_PART}/{_PART})(?:@([A-Za-z0-9_][A-Za-z0-9_./-]{{0,199}}))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class RefusedDownload(Exception):
    """Nobody agreed to a download."""


def repository(text: str) -> tuple[str, str | None] | None:
    """ "org/name@revision" -> ("org/name", "revision"); None where it is no name of a repository."""
    found = _REPOSITORY.fullmatch(text)
    return None if found is None or ".." in text else (found[1], found[2])


def called(name: str, revision: str | None) -> str:
    """What errors call a repository."""
    return f"hub:{name}@{revision}" if revision else f"hub:{name}"


def is_offline() -> bool:
    """Whether the environment says that the hub is not to be asked, as huggingface_hub reads it."""
    setting = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return setting.upper() in ("1", "ON", "YES", "TRUE")


def check_online(name: str, download: bool, why: str) -> None:
    """OSError, one line, where a repository is not to be downloaded. why: what is missing."""
    if not download:
        raise OSError(f"{name}: {why}, and is not downloaded for this; get it with: storyreel models fetch {name}")
    if is_offline():
        raise OSError(f"{name}: {why}, and HF_HUB_OFFLINE keeps it from being downloaded")
    with in_one_line(name):  # once: a download would ask six times before it gives up
        library().get_session().head(_endpoint() or library("constants").ENDPOINT, timeout=10)


def agree_to_download(what: str, where: str) -> None:
    """Ask, on a terminal, whether `where` may be downloaded from the hub; STORYREEL_DOWNLOAD=yes or =no answers.

    what: as in "text encoder t5:NAME". A model folder names its text encoder, and the folder may be a stranger's.
    RefusedDownload says how to agree.
    """
    answer = os.environ.get("STORYREEL_DOWNLOAD", "").strip().lower()
    if answer in ("yes", "1", "true"):
        return
    if not answer and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        print(f"The {one_line(what)} is not on this machine.", file=sys.stderr)
        print(f"Download {one_line(where)} from huggingface.co? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise RefusedDownload(
        f"{what}: is not on this machine, and nothing is downloaded unasked; STORYREEL_DOWNLOAD=yes in "
        f"the environment allows to get {where} from huggingface.co"
    )


def cached(name: str, revision: str | None, file: str) -> Path | None:
    """The folder of a repository in the cache, whole or not, if `file` is there; the hub is not asked."""
    found = library().try_to_load_from_cache(name, file, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def cached_network(name: str) -> Path | None:
    """The folder that the cache has of a network with its tokenizer, as far as is known whole; the hub is not asked.

    ValueError, one line: an index of its shards is wrong.
    """
    patterns = {"allow_patterns": [*WEIGHTS, *SETTINGS], "ignore_patterns": list(VARIANTS)}
    try:
        folder = Path(library().snapshot_download(name, local_files_only=True, **patterns))
    except Exception:  # of huggingface_hub, which has many: it is not there, or is no name
        return None
    named = [folder / shard for index in folder.glob(SHARDS) for shard in shards(index)]
    return folder if any(folder.glob(WEIGHTS[0])) and all(file.is_file() for file in named) else None


def network(name: str, what: str) -> Path:
    """Download a network with its tokenizer once that is agreed to; its folder. `what`: as in "text encoder t5:NAME".

    RefusedDownload, or ValueError or OSError of one line.
    """
    if not is_offline():
        agree_to_download(what, name)
    check_online(what, True, "is not on this machine")
    return snapshot(name, None, [*WEIGHTS, *SETTINGS], VARIANTS)


def fetch(name: str, revision: str | None, file: str) -> Path | None:
    """One file of a repository, downloaded if need be; None where the repository has no such file."""
    errors = library("errors")
    with in_one_line(called(name, revision)):
        try:
            return Path(library().hf_hub_download(name, file, revision=revision, endpoint=_endpoint()))
        except errors.LocalEntryNotFoundError:
            raise
        except errors.EntryNotFoundError:
            return None


def snapshot(name: str, revision: str | None, patterns: Iterable[str], left: Sequence[str] = ()) -> Path:
    """The folder of a repository in the cache, with all files of some patterns, but those of `left`.

    Of what is downloaded the sha256 of each large file is checked. ValueError or OSError, one line.
    """
    hub = library()
    blobs = Path(library("constants").HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "blobs"
    before = set(os.listdir(blobs)) if blobs.is_dir() else set()
    with in_one_line(called(name, revision)):
        found = hub.snapshot_download(
            name, revision=revision, allow_patterns=list(patterns), ignore_patterns=list(left) or None,
            endpoint=_endpoint(),
        )  # fmt: skip
    for file in sorted(Path(found).rglob("*")):
        blob = file.resolve()
        if blob.parent == blobs.resolve() and blob.name not in before and _SHA256.fullmatch(blob.name):
            _check(called(name, revision), file, blob)
    return Path(found)


def _check(name: str, file: Path, blob: Path) -> None:
    if (digest := sha256_of(blob)) != blob.name:
        file.unlink()
        blob.unlink()
        raise ValueError(f"{name}: sha256 of {file.name} is {digest}, expected {blob.name}; it is not kept")


def push(files: Mapping[str, Path | bytes], name: str, *, private: bool = False) -> str:
    """Upload files (path in the repository -> where they are, or their content) in one commit; its address.

    The repository is made where there is none. ValueError or OSError, one line: nobody is logged in, it is somebody
    else's, the hub broke off.
    """
    if is_offline():
        raise OSError(f"hub:{name}: HF_HUB_OFFLINE keeps it from being uploaded to")
    hub = library()
    with in_one_line(f"hub:{name}"):
        api = hub.HfApi(endpoint=_endpoint())
        api.create_repo(name, private=private, exist_ok=True)
        added = [
            hub.CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in files.items()
        ]
        made = api.create_commit(name, added, commit_message="Upload a model of storyreel")
    return str(made.commit_url)


@contextmanager
def in_one_line(name: str) -> Iterator[None]:
    """What goes wrong between here and the hub, as one line that begins with `name`."""
    errors = library("errors")
    reasons: list[tuple[str, str]] = [
        ("GatedRepoError", "its owner gives it only to those who agree to its terms: agree on its page, and log in"),
        ("RepositoryNotFoundError", "there is no such repository, or it is private (then log in: hf auth login)"),
        ("RevisionNotFoundError", "has no such revision"),
        ("LocalTokenNotFoundError", "nobody is logged in: hf auth login, or HF_TOKEN"),
        ("HFValidationError", "is not the name of a repository"),
    ]
    try:
        yield
    except Exception as error:  # of huggingface_hub and of the HTTP library below it
        for kind, reason in reasons:
            if isinstance(error, getattr(errors, kind, ())):
                raise ValueError(f"{name}: {reason}") from None
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise ValueError(f"{name}: the hub refuses it ({status}); log in as its owner: hf auth login") from None
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise ValueError(f"{name}: {shorten(one_line(str(error)), 200)}") from None
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise  # of this machine: a full disk, no permission
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        why = shorten(one_line(lines[0]), 200)
        raise OSError(f"{name}: the hub could not be reached or broke off ({why})") from None


def library(part: str = "") -> Any:
    """huggingface_hub. ValueError says how to get it."""
    try:
        return importlib.import_module(f"huggingface_hub.{part}" if part else "huggingface_hub")
    except ImportError:
        raise ValueError("the hub needs huggingface_hub; run: pip install 'storyreel[hub]'") from None


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
