"""Pictures of handwritten digits: from MNIST's IDX files, or the samples that come with the package, enlarged."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from storyreel.whole_file import gunzipped, read_bytes

SAMPLES = Path(__file__).parent / "digits.npz"  # Alpaydin and Kaynak (1998), CC-BY 4.0; see NOTICE
HELD_OUT_SAMPLES = 300  # the last of the 1,797: other writers than the first
MAX_BYTES = 1 << 28  # of an IDX file, unpacked; the largest of MNIST has 47 MB
IMAGES, LABELS = 2051, 2049  # magic numbers of IDX files: uint8 in three dimensions, and in one


@lru_cache(maxsize=4)
def glyphs(mnist: str | None, side: int) -> dict[str, list[np.ndarray]]:
    """split -> for each digit 0 to 9 its pictures, uint8 (n, side, side), white ink on black.

    `train` and `held_out` share no sample. Raises ValueError or OSError for a folder that is not MNIST.
    """
    if mnist is None:
        pictures, labels = _bundled(side)
        first = len(labels) - HELD_OUT_SAMPLES
        parts = {"train": slice(0, first), "held_out": slice(first, None)}
        found = {split: (pictures[part], labels[part]) for split, part in parts.items()}
    else:
        found = _mnist(Path(mnist), side)
    made = {split: [images[names == d] for d in range(10)] for split, (images, names) in found.items()}
    for split, by_digit in made.items():
        for digit, samples in enumerate(by_digit):
            if not len(samples):
                raise ValueError(f"{mnist}: no pictures of {digit} for the split {split!r}")
    return made


def glyphs_digest(mnist: str | None, side: int) -> str:
    """Hex digest of the pictures that `glyphs` gives."""
    hashed = hashlib.sha256()
    for split, by_digit in sorted(glyphs(mnist, side).items()):
        hashed.update(split.encode())
        for samples in by_digit:
            hashed.update(samples.tobytes())
    return hashed.hexdigest()


def _bundled(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The 8x8 samples of 16 grey levels, grown without steps and with the contrast of ink."""
    from PIL import Image

    samples, labels = _samples()
    inner = round(side * 24 / 28)  # MNIST, too, leaves a margin
    margin = (side - inner) // 2
    made = np.zeros((len(labels), side, side), np.uint8)
    for image, small in zip(made, samples, strict=True):
        grey = Image.fromarray((small * (255 / 16)).astype(np.float32)).resize((inner, inner), Image.Resampling.BICUBIC)
        ink = np.clip((np.asarray(grey) - 70) * (255 / 110), 0, 255)
        image[margin : margin + inner, margin : margin + inner] = ink.round()
    return made, labels


def _samples() -> tuple[np.ndarray, np.ndarray]:
    """uint8 (1797, 8, 8) grey levels 0 to 16, and int64 labels (1797,), from the file beside this one."""
    with np.load(SAMPLES, allow_pickle=False) as file:
        return file["images"], file["labels"].astype(np.int64)


def _mnist(folder: Path, side: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected MNIST's IDX files in it")
    train = _pair(folder, "train", side)
    if _find(folder, "t10k", "images") is not None:
        return {"train": train, "held_out": _pair(folder, "t10k", side)}
    first = len(train[1]) * 9 // 10
    return {"train": (train[0][:first], train[1][:first]), "held_out": (train[0][first:], train[1][first:])}


def _find(folder: Path, part: str, kind: str) -> Path | None:
    number = 3 if kind == "images" else 1
    for dot in "-.":
        for end in ("", ".gz"):
            file = folder / f"{part}-{kind}{dot}idx{number}-ubyte{end}"
            if file.is_file():
                return file
    return None


def _pair(folder: Path, part: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    files = [_find(folder, part, kind) for kind in ("images", "labels")]
    for file, kind, number in zip(files, ("images", "labels"), (3, 1), strict=True):
        if file is None:
            raise FileNotFoundError(f"{folder}: no {part}-{kind}-idx{number}-ubyte (or .gz)")
    images, labels = read_idx(files[0], IMAGES), read_idx(files[1], LABELS)  # pyright: ignore[reportArgumentType]
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{files[0]}: pictures of {images.shape[2]}x{images.shape[1]}, expected 28x28")
    if len(images) != len(labels):
        raise ValueError(f"{files[1]}: {len(labels)} labels for {len(images)} pictures")
    if len(labels) and labels.max() > 9:
        raise ValueError(f"{files[1]}: a label {labels.max()}, expected 0 to 9")
    if side != 28:
        from PIL import Image

        how = Image.Resampling.BOX if side < 28 else Image.Resampling.BICUBIC
        images = np.stack([np.asarray(Image.fromarray(i).resize((side, side), how)) for i in images])
    return images, labels


def read_idx(file: Path, magic: int) -> np.ndarray:
    """The uint8 array of an IDX file, plain or gzipped; ValueError when it is not one or is cut short."""
    raw = read_bytes(file, MAX_BYTES)
    if raw[:2] == b"\x1f\x8b":
        raw = gunzipped(raw, MAX_BYTES, str(file))
    rank = magic & 255
    if len(raw) < 4 + 4 * rank or int.from_bytes(raw[:4], "big") != magic:
        raise ValueError(f"{file}: not an IDX file of bytes with {rank} dimensions (magic {magic})")
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    expected = 4 + 4 * rank + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise ValueError(f"{file}: {len(raw)} bytes, expected {expected}: cut short or not MNIST")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
