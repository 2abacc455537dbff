"""Checks what measuring imports before a film is touched: a package that is missing is nobody's film's fault."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from storyreel.storage import digest_of

EXTRA = "pip install 'storyreel[curation]'"
DETECTOR = "PP-OCRv6_det_small.onnx"  # of rapidocr 3.10
DETECTOR_SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
BROKEN = ("ModuleNotFoundError:", "ImportError:")
"""How the errors of films began that older versions set aside for want of a package; they are measured again."""


def check_imports() -> None:
    """ValueError in one line, with the extra to install, when films cannot be measured on this machine."""
    try:
        importlib.import_module("cv2")
    except ImportError as error:
        raise missing(error) from None


def missing(error: ImportError) -> ValueError:
    """What is said of a package that is not there, or cannot be loaded."""
    return ValueError(f"curate: films cannot be measured here: {' '.join(str(error).split())}; {EXTRA}")


def text_detector() -> Path:
    """The text detector that rapidocr's wheel carries; other weights would give other scores, so its digest is pinned.

    ImportError: onnxruntime or rapidocr is not here, or this rapidocr carries another detector.
    """
    importlib.import_module("onnxruntime")
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'rapidocr'", name="rapidocr")
    file = Path(spec.submodule_search_locations[0]) / "models" / DETECTOR
    if not file.is_file() or digest_of(file) != DETECTOR_SHA256:
        raise ImportError(f"rapidocr: has no {DETECTOR} of sha256 {DETECTOR_SHA256[:12]}, which 3.10 has")
    return file


def text_note() -> str | None:
    """Why no text will be looked for, in one line; None when it will."""
    try:
        text_detector()
    except ImportError as error:
        return f"text is not looked for: {' '.join(str(error).split())}; {EXTRA}"
    return None
