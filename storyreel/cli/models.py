"""storyreel models: the models that are here, their cards, to and from the hub, and weights that evaluate uses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from storyreel import worlds
from storyreel.screen_text import one_line
from storyreel.wording import columns

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the models that are here: name, system, size, and what they know.

    storyreel models

    storyreel models show phenaki-sprites
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Its model.json on stdout.")] = False,
) -> None:
    """Print a model's card.

    storyreel models show phenaki-sprites
    """
    from storyreel.generate import registry

    folder = registry.find(name)
    info = registry.describe(folder)
    if as_json:
        print(json.dumps(info, ensure_ascii=False, indent=1))
        return
    print(registry.card(folder).rstrip() or f"{info['name']} has no card; it lies in {folder}")
    from storyreel.generate.open_attributes import attributes_of

    if attributes := attributes_of(info):
        print(f"\nWords that {info['name']} knows, by attribute:")
        for attribute, declared in attributes.items():
            values = (name if value.words[:1] in ((name,), ()) else f"{name} ({value.words[0]})"
                      for name, value in declared.values.items())  # fmt: skip
            print(f"  {attribute.replace('_', ' ')}: {', '.join(values)}")
    elif words := registry.known_words(info):
        print(f"\nWords that {info['name']} knows: {', '.join(words)}")


@app.command()
def pack(
    name: Annotated[str, typer.Argument(help="Name or folder of a model.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the smaller one.")],
    step: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.5,
            help="Between two values of a weight, of the root mean square of its row: 0.1 saves a third more.",
        ),
    ] = 0.0,
    beside: Annotated[
        str | None,
        typer.Option(help="Model that it was trained from: networks that did not learn stay its files, byte by byte."),
    ] = None,
) -> None:
    """Write a model in half of the bytes: int8 weights with a scale a row. It makes other videos, nearly the same.

    storyreel models pack runs/mine/model -o small
    """
    from storyreel.generate import registry
    from storyreel.model import pack_model

    folder = registry.find(name)
    if out.resolve() == folder.resolve():
        raise typer.BadParameter("expected another folder than the model's own", param_hint="--out")
    made = pack_model(folder, out, step, beside=None if beside is None else registry.find(beside))
    before, after = (sum(f.stat().st_size for f in p.rglob("*.safetensors")) / 1e6 for p in (folder, made))
    print(f"{made}: {after:.1f} MB, was {before:.1f} MB")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Folder in diffusers' layout, or a single svd.safetensors.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A file that ends with .safetensors, or a folder.")],
) -> None:
    """Write published weights of Stable Video Diffusion in their other layout, every name checked.

    storyreel models convert svd.safetensors -o svd
    """
    from storyreel.published_svd.layouts import convert as convert_svd

    for line in convert_svd(source, out):
        print(line)
    print(f"{out}: written; its licence is that of {one_line(str(source))} (Stability AI's weights: not for all uses)")


@app.command()
def lora(
    source: Annotated[Path, typer.Argument(help="Model of svd_lora; with --into, a folder or file of PEFT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    into: Annotated[
        Path | None, typer.Option(help="Published weights, to write them with the factors merged into them.")
    ] = None,
) -> None:
    """Write the factors of Stable Video Diffusion in PEFT's layout, or merge such factors into published weights.

    storyreel models lora runs/walk/model -o walk-lora

    storyreel models lora walk-lora --into stable-video-diffusion-img2vid -o svd-walk
    """
    from storyreel.generate import registry
    from storyreel.published_svd.lora import export_lora, merge_lora

    if into is None:
        count = export_lora(registry.find(source), out)
        print(f"{out}: factors of {count} layers")
        return
    for line in merge_lora(source, into, out):
        print(f"storyreel: note: {one_line(line)}", file=sys.stderr)
    print(f"{out}: {one_line(str(into))} with the factors of {one_line(str(source))}")


@app.command()
def export(
    source: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="Run folder; with --web a model's name or folder.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the model of a run, whose training need not be finished."),
    ] = None,
    web: Annotated[
        Path | None,
        typer.Option("--web", help="Folder for a static page that runs the model in the visitor's browser."),
    ] = None,
    packed: Annotated[
        bool | None,
        typer.Option("--packed/--half", help="int8 or float16.  [default: float16 where the files are small enough]"),
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option("--max-mb", min=0.001, help="Megabytes that a file may have.  [default: 15]")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option("--init", help="Model that the run goes on from, where some of its networks are that's."),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option("--runtime", help="With --web: folder of npm's package onnxruntime-web.  [default: downloaded]"),
    ] = None,
) -> None:
    """Write a model from the newest average of each stage of a run; or a model as a page for browsers.

    storyreel models export runs/mine -o mine

    storyreel models export phenaki-sprites --web page
    """
    if (out is None) == (web is None):
        raise typer.BadParameter("give one of --out, for the model of a run, and --web, for a page of a model")
    if web is not None:
        if packed is not None or max_mb is not None or init is not None:
            raise typer.BadParameter("a page is always int8; --packed, --half, --max-mb and --init go with --out")
        _export_page(source, web, runtime)
    elif runtime is not None:
        raise typer.BadParameter("--runtime goes with --web")
    else:
        assert out is not None
        _export_run(Path(source), out, packed, 15.0 if max_mb is None else max_mb, init)


def _export_run(run: Path, out: Path, packed: bool | None, max_mb: float, init: str | None) -> None:
    from storyreel.generate import registry
    from storyreel.train.export import export_run

    begun = None if init is None else registry.find(init)
    made = export_run(run, out, packed=packed, max_mb=max_mb, init=begun)
    steps = ", ".join(f"{name} {done} of {goal} steps" for name, (done, goal) in made.steps.items())
    print(f"{out}: {steps}; largest file {made.largest:.1f} MB, {'packed' if made.packed else 'float16'}")


def _export_page(model: str, out: Path, runtime: Path | None) -> None:
    from storyreel.web.export import export_page

    made = export_page(model, out, runtime=runtime, tell=lambda line: print(f"storyreel: {line}", file=sys.stderr))
    for name, (exact, int8) in made.differences.items():
        print(f"{name}: differs from PyTorch by at most {exact:.1e}, in int8 {int8:.1e}")
    print(f"{out}: {made.bytes / 1e6:.1f} MB. To see it: python -m http.server -d {one_line(str(out))}")


@app.command()
def text(
    words: Annotated[
        str,
        typer.Option(
            help=f"Whose words: worlds ({','.join(worlds.names())}) or datasets with captions, with commas between."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the smaller text encoder.")],
) -> None:
    """Write the text encoder MiniLM in half precision with one vocabulary alone, for `--text` of train and generate.

    storyreel models text --words sprites -o text
    """
    from storyreel.data.dataset import open_dataset
    from storyreel.data.vocabulary import words_of
    from storyreel.text.minilm_words import pack_minilm

    found: list[str] = []
    names: list[str] = []
    for each in words.split(","):
        if each in worlds.names():
            found, names = [*found, *words_of(each)], [*names, each]
            continue
        dataset = open_dataset(each)
        if not dataset.has_captions:
            raise ValueError(f"{each}: has no captions to take words from")
        found += [caption for captions in dataset.all_captions for caption in captions]
        names.append(dataset.name)
    called = " and ".join(names)
    made = pack_minilm(found, called, out)
    print(f"{out}: {len(made['pieces']):,} word pieces of {called}, {made['bytes'] / 2**20:.1f} MiB")


@app.command()
def weights(as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False) -> None:
    """List the published weights that evaluate can use: what for, how large, and whether they are here.

    storyreel models weights
    """
    from storyreel.weights_registry import ENTRIES, weights_folder

    rows = []
    for name, entry in ENTRIES.items():
        folder = weights_folder(name)
        files = [
            {"name": f.name, "read": f.read, "url": f.url, "sha256": f.sha256, "bytes": f.size} for f in entry.files
        ]
        here = all((folder / f.read).is_file() for f in entry.files)
        own = {"name": name, "here": here, "folder": str(folder), "bytes": entry.size, "licence": entry.licence}
        rows.append({**own, "about": entry.about, "files": files, "mirrors": list(entry.mirrors)})
    if as_json:
        print(json.dumps({"weights": rows}, indent=1))
        return
    cells = [("NAME", "HERE", "SIZE", "FOR")]
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "unknown"
        cells.append((str(row["name"]), "yes" if row["here"] else "no", size, str(row["about"])))
    print(*columns(cells), sep="\n")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Whose weights: i3d-k400, inception-2015, ORG/NAME[@REVISION], ...")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to put them into; then name it to evaluate.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also files without a published digest; the first one is trusted.")
    ] = False,
) -> None:
    """Download published weights for evaluate, and check their sha256; or a model of the hub, into its cache.

    storyreel models fetch inception-2015

    storyreel models fetch hub:Wan-AI/Wan2.1-T2V-1.3B-Diffusers
    """
    from storyreel.hub import reference

    if reference.is_reference(name) or "/" in name:
        if out is not None or unverified:
            raise typer.BadParameter("a model goes into the hub's cache (HF_HOME), its files checked by their digests")
        print(reference.find(name))
        return
    from storyreel.evaluate.extractors.download import fetch as get
    from storyreel.weights_registry import entry

    print(f"storyreel: licence of {name}: {entry(name).licence}", file=sys.stderr)
    folder = get(name, out, unverified=unverified, tell=lambda line: print(f"storyreel: {line}", file=sys.stderr))
    print(folder)


@app.command()
def push(
    model: Annotated[str, typer.Argument(help="Name or folder of a model of storyreel.")],
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Where; it is made if it is not there.")],
    licence: Annotated[
        str | None, typer.Option("--license", help="Of the card, such as apache-2.0.  [default: what the card says]")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of storyreel evaluate, whose figures go into the card.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="For its owners alone, if it is new.")] = False,
) -> None:
    """Upload a model to the hub, as whoever is logged in (hf auth login, or HF_TOKEN); prints the commit's address.

    storyreel models push runs/mine/model me/walking-orcs --license cc-by-sa-3.0
    """
    from storyreel.generate import registry
    from storyreel.hub.push import push as upload

    folder = registry.find(model, download=False)
    print(upload(folder, repository, licence=licence, report=report, private=private))


def _list(as_json: bool) -> None:
    """What is here; a folder that cannot be opened is listed as bad, with the reason, and never the end."""
    from storyreel.generate import registry

    found: list[dict[str, Any]] = []
    bad: list[dict[str, str]] = []
    for name, folder in registry.here().items():
        try:
            found.append(_row(registry.describe(folder)))
        except Exception as error:  # whatever one folder does, the others are listed
            reason = str(error) if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {error}"
            bad.append({"name": name, "path": str(folder), "reason": one_line(reason)})
    if as_json:
        folders = [str(item) for item in registry.folders()]
        print(json.dumps({"models": found, "bad": bad, "folders": folders}, indent=1))
    else:
        _table(found)
    for item in bad:
        print(f"storyreel: note: skipped {one_line(item['name'])}, which is bad: {item['reason']}", file=sys.stderr)
    if not found and not as_json:
        print("storyreel: note: no model is here; storyreel train makes one", file=sys.stderr)


def _row(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "system", "parameters", "megabytes", "about", "path", "digest")
    return {key: info.get(key) for key in keys} | {"words": info.get("words")}


def _table(rows: list[dict[str, Any]]) -> None:
    """Plain columns: they go through a pipe as they are."""
    if not rows:
        return
    cells = [("NAME", "SYSTEM", "WEIGHTS", "SIZE", "KNOWS")]
    for row in rows:
        weights = f"{row['parameters'] / 1e6:.1f} M" if row["parameters"] else "--"
        cells.append(
            (one_line(row["name"]), one_line(row["system"]), weights, f"{row['megabytes']} MB", one_line(row["about"]))
        )
    print(*columns(cells), sep="\n")
