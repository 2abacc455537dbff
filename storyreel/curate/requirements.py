"""Checks what measuring imports before a film is touched: a package that is missing is nobody's film's fault."""

from __future__ import annotations

import importlib
import importlib.util

EXTRA = "pip install 'storyreel[curation]'"
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


def text_note() -> str | None:
    """Why no text will be looked for, in one line; None when it will."""
    try:
        importlib.import_module("onnxruntime")
        found = importlib.util.find_spec("rapidocr")
    except ImportError as error:
        return f"text is not looked for: {' '.join(str(error).split())}; {EXTRA}"
    return None if found else f"text is not looked for: No module named 'rapidocr'; {EXTRA}"
