"""What curation needs of other packages: the text detector is the one that scores were measured with, or none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from storyreel.curate import requirements


def test_the_text_detector_of_rapidocr_is_the_pinned_one():
    assert requirements.text_note() is None
    assert requirements.text_detector().name == requirements.DETECTOR


def test_another_detector_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "rapidocr" / "models" / requirements.DETECTOR
    file.parent.mkdir(parents=True)
    (tmp_path / "rapidocr" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rapidocr", raising=False)
    for blob in (None, b"other weights"):
        if blob:
            file.write_bytes(blob)
        note = requirements.text_note()
        assert note is not None
        assert note.startswith(
            "text is not looked for: rapidocr: has no PP-OCRv6_det_small.onnx of sha256 090f04abcd9d"
        )
        assert note.endswith("pip install 'storyreel[curation]'")
