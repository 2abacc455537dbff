"""Where models lie: the ones that ship with the package, the user's own, or any folder. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storyreel import hub_client
from storyreel.hub import describe as pipelines
from storyreel.hub import reference
from storyreel.model_folder import own_folders, read_card, read_headers, read_model, weights_file
from storyreel.names import expanded
from storyreel.published_svd.files import describe as describe_published
from storyreel.published_svd.files import opens_here
from storyreel.wording import nearest

PREFERRED = ("phenaki-sprites", "phenaki-digits")


def folders() -> list[Path]:
    """Folders of model folders, in the order in which names are looked up.

    They are: the package's own; those in STORYREEL_MODELS (a path list); `models` in the user's data folder.
    """
    import platformdirs

    return [
        Path(__file__).parents[1] / "pretrained",
        *own_folders(),
        Path(platformdirs.user_data_dir("storyreel")) / "models",
    ]


def here() -> dict[str, Path]:
    """Name -> folder of every model that is here; the preferred ones first."""
    found: dict[str, Path] = {}
    for folder in folders():
        for card in sorted(folder.glob("*/model.json")):
            found.setdefault(card.parent.name, card.parent)
    return {name: found[name] for name in sorted(found, key=lambda n: ((*PREFERRED, n).index(n), n))}


def names() -> list[str]:
    """Names of the models that `storyreel.load` knows: those that are here and make videos."""
    return [name for name, folder in here().items() if makes_videos(folder)]


def makes_videos(folder: Path) -> bool:
    """Whether it is no encoder's; a folder whose model.json cannot be read is counted as a model's."""
    try:
        return read_model(folder).get("system") != "encoder"
    except (ValueError, OSError):
        return True


def find(name: str | Path | None, *, download: bool = True) -> Path:
    """The folder of a model by its name, or by its path (also that of the run folder that made it).

    `hub:FOLDER` is a pipeline of diffusers; `hub:ORG/NAME[@REVISION]`, or ORG/NAME where no such folder is here, a
    model of the hub, which is downloaded if it is not in its cache and `download`.

    None gives the first one that makes videos. ValueError suggests the nearest name of such.
    """
    found = here()
    if name is None:
        if not (first := names()):
            raise ValueError("no model is here; train one (storyreel train) or name a model folder with -m")
        return found[first[0]]
    if str(name) in found:
        return found[str(name)]
    if reference.is_reference(name):
        return reference.find(str(name), download=download)
    path = expanded(name)
    for folder in (path, path / "model"):
        if (folder / "model.json").is_file():
            return folder
    if opens_here(path) or reference.is_pipeline(path):
        return path
    if path.exists() and (path.is_dir() or len(path.parts) > 1 or path.suffix):
        raise ValueError(f"model {str(name)!r}: expected a folder with a model.json in it")
    if hub_client.repository(str(name)) is not None:
        try:
            return reference.find(str(name), download=download)
        except (ValueError, OSError) as error:
            kind = ValueError if isinstance(error, ValueError) else OSError
            raise kind(f"model {name}: there is no such folder; {error}") from None
    makers = names()
    near = nearest(str(name).lower(), makers)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(makers)};" if makers else ""
    raise ValueError(f"model {str(name)!r} is not known; {hint} `storyreel models` lists what is here")


def describe(folder: Path) -> dict[str, Any]:
    """`model.json` with name, path, megabytes, parameters and `about` (one line on what the model knows) added.

    ValueError, one line, where the folder could not be opened: model.json and the headers of the weights are read.
    """
    if opens_here(folder):
        return describe_published(folder)
    if reference.is_pipeline(folder):
        return pipelines.describe(folder)
    info = read_model(folder)
    headers = read_headers(folder, info)
    size = sum(weights_file(folder, name).stat().st_size for name in headers)
    own: dict[str, Any] = {"name": display_name(folder), "path": str(folder), "megabytes": round(size / 1e6, 1)}
    own["parameters"] = sum(c.get("parameters", 0) for c in info["components"].values())
    about = info.get("about")
    own["about"] = about if isinstance(about, str) else _first_paragraph(card(folder))
    return {**info, **own}


def display_name(folder: Path) -> str:
    """The name by which a file's metadata names the model: its folder's, its run's for `RUN/model`, or `hub:...`
    of one in the hub's cache."""
    if (name := reference.name_in_cache(folder)) is not None:
        return name
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def origin(folder: Path) -> str:
    """Where a model comes from: "ours" (it ships with the package), "hub" (a pipeline of diffusers) or "folder"."""
    if reference.is_pipeline(folder):
        return "hub"
    return "ours" if folder.resolve().parent == folders()[0].resolve() else "folder"


def is_conditional(info: Mapping[str, Any]) -> bool:
    """Whether a prompt says what the model's videos show, from its `model.json`."""
    return info.get("conditional") is not False


def known_words(info: dict[str, Any]) -> list[str] | None:
    """`words` of a model.json, at its top or under `training`; None where there is no list of texts."""
    if not is_conditional(info):
        return None
    training = info.get("training")
    words = info.get("words") or (training.get("words") if isinstance(training, dict) else None)
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else None


def card(folder: Path) -> str:
    """The text of the model's card, empty when it has none."""
    return read_card(folder)


def _first_paragraph(text: str) -> str:
    """The first paragraph of a card, after its header block and its title, in one line."""
    if text.startswith("---\n"):
        text = text.partition("\n---\n")[2]
    parts = (" ".join(part.split()) for part in text.split("\n\n"))
    return next((part for part in parts if part and part[0] not in "#|![<"), "")
