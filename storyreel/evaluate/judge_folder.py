"""A judge on disk: `judge.json` (its kind, settings, facts and a digest), `model.safetensors`, `README.md`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import nn

from storyreel.evaluate.judge_registry import document_of
from storyreel.field_ranges import checked
from storyreel.numbers import shown
from storyreel.outline import build_to_fit
from storyreel.packed import deflated, packed, read_weights, unpacked_header
from storyreel.tensor_file import copy_into
from storyreel.tensor_header import check_regular, read_header, sha256_of

STEP = 0.05  # how coarse the weights become
M = TypeVar("M", bound=nn.Module, covariant=True)


class Config(Protocol[M]):
    """A frozen dataclass of a judge's settings."""

    def build(self) -> M: ...


def write_judge(path: Path, kind: str, config: Any, judge: nn.Module, *, card: str, facts: Mapping[str, Any]) -> Path:
    """Write the folder: parameters packed (`storyreel.packed`) or in half precision, running statistics in single.

    facts: what its training wrote down, JSON values: data, steps, accuracy on unseen clips.
    """
    from safetensors.torch import save

    from storyreel.folder_replacement import replacing_folder
    from storyreel.storage import with_names_escaped, write_bytes, write_json, write_text

    parameters = {name for name, _ in judge.named_parameters()}
    tensors = {
        name: (value.detach().cpu().half() if name in parameters else value.detach().cpu()).contiguous()
        for name, value in judge.state_dict().items()
    }
    blob = save(deflated(packed(tensors, STEP)))
    document = {"storyreel_judge": 1, "kind": kind, "config": asdict(config), "facts": dict(facts)}
    document["sha256"] = hashlib.sha256(blob).hexdigest()
    with replacing_folder(path, "judge") as made:
        write_bytes(made / "model.safetensors", blob)
        write_json(made / "judge.json", document)
        write_text(made / "README.md", with_names_escaped(card))
    return path


def read_judge(path: Path, kind: str, make: type[Config[M]]) -> M:
    """The judge in a folder: its settings as the frozen dataclass `make`, its network with the weights, in eval mode.

    ValueError names the file and the field or tensor: another kind, settings out of range, weights that were changed or
    that are not those of such a network (which is found out before it is built).
    """
    document, file = document_of(path), path / "model.safetensors"
    if document["kind"] != kind:
        raise ValueError(f"{path}: a judge of the kind {shown(document['kind'])}, expected {kind!r}")
    try:
        config = checked(make, document["config"], "config")
    except ValueError as error:
        raise ValueError(f"{path / 'judge.json'}: not the settings of a judge ({error})") from None
    check_regular(file)
    if sha256_of(file) != document["sha256"]:
        raise ValueError(f"{file}: its SHA-256 is not the one in judge.json; the file is damaged or was changed")
    judge = build_to_fit(config.build, unpacked_header(read_header(file), str(file)), str(file))
    copy_into(judge.state_dict(), read_weights(file), str(file))
    return judge.eval()
