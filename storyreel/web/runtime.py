"""Finds onnxruntime-web, the program that runs ONNX graphs in a browser: npm's package, pinned, every byte checked.

It is taken from a folder that somebody gives, or from the cache; where it is in neither, it is downloaded once.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from storyreel.data.download import Opener, download, open_any
from storyreel.storage import digest_of, replacing
from storyreel.weights_registry import weights_folder

VERSION = "1.30.0"
LICENCE = "MIT, Microsoft Corporation"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
ARCHIVE = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
SIZE = 33_106_585  # bytes
CPU = {  # file -> sha256
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
GPU = {
    "ort.webgpu.bundle.min.mjs": "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
FILES = CPU | GPU


def find_runtime(
    folder: Path | None = None, *, opener: Opener = open_any, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Path]:
    """File name -> its path, of those that a page needs.

    folder: npm's package as it was unpacked, or its `dist`. tell: gets a line before a download.
    ValueError: the folder has not this version. OSError: nothing could be downloaded; both in one line.
    """
    if folder is not None:
        return _from_folder(folder)
    cache = weights_folder(f"onnxruntime-web-{VERSION}")
    files = {name: cache / name for name in FILES}
    if not all(path.is_file() and digest_of(path) == FILES[name] for name, path in files.items()):
        tell(f"onnxruntime-web {VERSION} ({LICENCE}): {SIZE / 1e6:.0f} MB from {URL} to {cache}, once")
        try:
            _download(files, opener)
        except OSError as error:
            raise OSError(
                f"{error}; where there is no network, give --runtime the folder of npm's package "
                f"onnxruntime-web {VERSION}"
            ) from None
    return files


def _from_folder(folder: Path) -> dict[str, Path]:
    places = [folder, folder / "dist", folder / "package" / "dist", folder / "node_modules/onnxruntime-web/dist"]
    place = next((each for each in places if (each / next(iter(FILES))).is_file()), None)
    if place is None:
        raise ValueError(f"{folder}: expected the folder of npm's package onnxruntime-web {VERSION}, or its dist")
    for name, digest in FILES.items():
        if not (place / name).is_file() or digest_of(place / name) != digest:
            raise ValueError(f"{place / name}: is missing, or not that of onnxruntime-web {VERSION}")
    return {name: place / name for name in FILES}


def _download(files: dict[str, Path], opener: Opener) -> None:
    """The archive, checked before it is opened, and its files of these names, each checked again."""
    archive = next(iter(files.values())).with_name(f"onnxruntime-web-{VERSION}.tgz")
    with replacing(archive, *files.values()) as (made, *targets):
        found = download(URL, made, limit=SIZE + 1, name="onnxruntime-web", expected=SIZE, opener=opener)
        if found != ARCHIVE:
            raise ValueError(f"{URL}: its sha256 is {found}, expected {ARCHIVE}; nothing is kept")
        with tarfile.open(made) as tar:
            for name, target in zip(files, targets, strict=True):
                member = tar.extractfile(f"package/dist/{name}")
                assert member is not None
                target.write_bytes(member.read())
                if digest_of(target) != FILES[name]:
                    raise ValueError(f"{URL}: {name} in it has another sha256 than expected; nothing is kept")
    archive.unlink()
