"""Writes a model as a static page: networks, tokenizer, prompts, and onnxruntime-web, in one folder to be served.

FOLDER/index.html, *.js, style.css     the page
FOLDER/model.json                      what the model is, and how its networks are called
FOLDER/*.onnx.gz, prompts.json.gz      networks in int8, and what prompts are read with
FOLDER/vocabulary.txt                  word pieces of the text encoder, a line each
FOLDER/ort*                            onnxruntime-web

What is gzipped is unpacked by the page itself, so any server will do.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from storyreel.folder_replacement import replacing_folder
from storyreel.storage import write_bytes, write_text

PAGE = ("index.html", "style.css", "old.js", "app.js", "worker.js")
PAGE += ("wordpiece.js", "prompts.js", "sampler.js", "pixels.js")
MAX_TOKENS = 256  # of a sentence, as `text.minilm` has it
TEXT = "minilm"  # the only text encoder whose tokenizer the page has


@dataclass(frozen=True)
class Page:
    """What was written. bytes: of all files; differences: of each network, in float32 and in int8, from PyTorch."""

    folder: Path
    bytes: int
    differences: dict[str, tuple[float, float]]


def export_page(
    name: str, out: Path, *, runtime: Path | None = None, tell: Callable[[str], None] = lambda line: None
) -> Page:
    """Write the model `name` (or the folder of one) as a page, in place of one that is there.

    runtime: the folder of npm's package onnxruntime-web; None takes it from the cache, or downloads it.
    ValueError or OSError in one line: a model that no page can run, a folder that is not ours, nothing to download.
    ImportError: the extra `web` is not installed.
    """
    import onnx  # noqa: F401  before anything is loaded or downloaded
    import onnxruntime  # noqa: F401

    from storyreel.generate import registry
    from storyreel.generate.model import load
    from storyreel.ownership import check_owner
    from storyreel.web.runtime import find_runtime

    folder = registry.find(name)
    check_owner(out, "page")
    model = load(folder, device="cpu")
    graphs = model.system.graphs()
    if graphs is None:
        raise ValueError(f"{model.name}: a model of {model.info['system']} cannot be a page; those of phenaki can")
    if model.text.name != TEXT:
        raise ValueError(f"{model.name}: reads with {model.text.name}; a page has the text encoder {TEXT} alone")
    with replacing_folder(out, "page", inputs=[folder, runtime]) as made:
        libraries = find_runtime(runtime, tell=tell)
        differences, check = _write_networks(made, model, graphs, tell)
        prompts = _prompts(model)
        _write_gzipped(made / "prompts.json.gz", json.dumps(prompts, separators=(",", ":")).encode())
        write_text(made / "vocabulary.txt", _vocabulary(model.text))
        for library, path in libraries.items():
            content = path.read_bytes()
            if library.endswith(".wasm"):
                _write_gzipped(made / f"{library}.gz", content)
            else:
                write_bytes(made / library, content)
        for file in PAGE:
            write_bytes(made / file, files("storyreel.web").joinpath("page", file).read_bytes())
        write_bytes(made / ".nojekyll", b"")  # GitHub Pages: every file as it is
        write_text(made / "CREDITS.txt", _credits(model.name, registry.card(folder)))
        about: dict[str, Any] = {"name": model.name, "about": registry.describe(folder)["about"]}
        about["settings"] = graphs["settings"]
        about |= {"digest": model.digest, "max_tokens": MAX_TOKENS, "crisp": _has_palette(model)}
        about["check"] = check
        about["files"] = {p.name: p.stat().st_size for p in sorted(made.iterdir())}
        write_text(made / "model.json", json.dumps(about, indent=1) + "\n")
        size = sum(p.stat().st_size for p in made.iterdir())
    return Page(out, size, differences)


def _write_networks(
    made: Path, model: Any, graphs: dict[str, Any], tell: Callable[[str], None]
) -> tuple[dict[str, tuple[float, float]], dict[str, Any]]:
    """(what each network differs by, what the page checks its own numbers by: a sentence and its first logits)."""
    import torch

    from storyreel.web.graphs import TextGraph, difference, run_onnx, to_onnx
    from storyreel.web.int8 import store_int8

    ids = torch.tensor(model.text.ids(["a knight walking, seen from behind"]))
    found, made_of = {}, {}
    networks = {"text": (TextGraph(model.text._bert), {"ids": ids}), **graphs["networks"]}
    for name, (network, arguments) in networks.items():
        graph = to_onnx(network, arguments)
        exact = difference(graph, network, arguments)
        store_int8(graph)
        found[name] = exact, difference(graph, network, arguments)
        _write_gzipped(made / f"{name}.onnx.gz", graph.SerializeToString())
        tell(f"{name}: {(made / f'{name}.onnx.gz').stat().st_size / 1e6:.1f} MB")
        made_of[name] = graph
    text = torch.from_numpy(run_onnx(made_of["text"], {"ids": ids}))
    guidance = torch.tensor(float(graphs["settings"]["guidance"]))
    codes = graphs["networks"]["prior"][1]["codes"]
    logits = run_onnx(made_of["prior"], {"codes": codes, "text": text, "guidance": guidance})
    return found, {"ids": ids[0].tolist(), "logits": [round(float(x), 4) for x in logits.flatten()[:200]]}


def _prompts(model: Any) -> dict[str, Any]:
    """What the page reads prompts with: the world's own rules where it has them, and the words of the attributes."""
    from storyreel.generate.open_attributes import trained_world

    world = trained_world(model.info)
    own = world.page() if world and world.page else {}
    attributes = {name: attribute.as_json() for name, attribute in model.attributes.items()}
    if "thesaurus" in own:  # which reads the words
        for attribute in attributes.values():
            for value in attribute["values"].values():
                value.pop("words", None)
                value.pop("near", None)
    return {"attributes": attributes, **own}


def _has_palette(model: Any) -> bool:
    from storyreel.generate.crisp import palette_world

    return palette_world(model.info) is not None


def _vocabulary(text: Any) -> str:
    """The word pieces in the order of their numbers, a line each."""
    pieces = sorted(text._tokenizer.get_vocab().items(), key=lambda one: one[1])
    assert [number for _, number in pieces] == list(range(len(pieces)))
    return "\n".join(piece for piece, _ in pieces) + "\n"


def _credits(name: str, card: str) -> str:
    from storyreel.web.runtime import LICENCE, VERSION

    return (
        f"onnxruntime-web {VERSION}: {LICENCE}. https://github.com/microsoft/onnxruntime\n"
        "MiniLM-L6-v2: Apache-2.0. https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2\n"
        f"This page and its program: storyreel, Apache-2.0.\n\nThe card of {name}:\n\n{card}"
    )


def _write_gzipped(path: Path, content: bytes) -> None:
    """The same bytes each time."""
    write_bytes(path, gzip.compress(content, 9, mtime=0))
