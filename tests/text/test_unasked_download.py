"""No text encoder is downloaded unasked: a model folder names it, and may be a stranger's."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storyreel.text import load_text_encoder


class Refuses:
    """Stands in for the hub; keeps what it was asked."""

    asked: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def snapshot_download(cls, where: str, local_files_only: bool = False, **options: Any) -> Any:
        cls.asked.append({"where": where, "local_files_only": local_files_only, **options})
        raise OSError("not in the cache")


class Answers:
    """Stands in for the connection to a hub that can be reached."""

    @staticmethod
    def head(address: str, **options: Any) -> None: ...


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", Refuses.snapshot_download)
    monkeypatch.setattr(hub, "get_session", Answers)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("STORYREEL_DOWNLOAD", raising=False)
    Refuses.asked = []
    return Refuses.asked


def test_nothing_but_what_is_on_this_machine_is_looked_at(asked):
    with pytest.raises(ValueError, match="STORYREEL_DOWNLOAD=yes in the environment allows to get someone/evil"):
        load_text_encoder("t5:someone/evil")
    assert [each["local_files_only"] for each in asked] == [True]
    assert not any("*.py" in each["allow_patterns"] for each in asked)


@pytest.mark.parametrize("answer", ["no", "", "perhaps"])
def test_only_a_clear_yes_agrees(asked, monkeypatch, answer):
    monkeypatch.setenv("STORYREEL_DOWNLOAD", answer)
    with pytest.raises(ValueError, match="nothing is downloaded unasked"):
        load_text_encoder("clip:someone/evil")
    assert all(each["local_files_only"] for each in asked)


def test_a_yes_downloads_without_running_code(asked, monkeypatch):
    monkeypatch.setenv("STORYREEL_DOWNLOAD", "yes")
    with pytest.raises(ValueError, match="not in the cache"):
        load_text_encoder("t5:someone/evil")
    assert [each["local_files_only"] for each in asked] == [True, False]
    assert not any("*.py" in each["allow_patterns"] for each in asked)


def test_a_hub_that_is_not_there_is_asked_once(asked, monkeypatch):
    """A download alone would ask six times before it gave up."""
    tries = []

    def head(address: str, **options: Any) -> None:
        tries.append(address)
        raise ConnectionError("no route")

    monkeypatch.setattr(Answers, "head", staticmethod(head))
    monkeypatch.setenv("STORYREEL_DOWNLOAD", "yes")
    with pytest.raises(ValueError, match="text encoder t5:some/one: the hub could not be reached") as told:
        load_text_encoder("t5:some/one")
    assert "\n" not in str(told.value)
    assert len(tries) == 1
    assert [each["local_files_only"] for each in asked] == [True]


@pytest.mark.parametrize(("typed", "looked"), [("y\n", [True, False]), ("\n", [True]), ("no\n", [True]), ("", [True])])
def test_on_a_terminal_a_person_is_asked(asked, monkeypatch, typed, looked):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(ValueError, match="text encoder"):
        load_text_encoder("t5:someone/\x1b[2Jevil")
    assert [each["local_files_only"] for each in asked] == looked
    assert "Download someone/\\x1b[2Jevil from huggingface.co? [y/N]" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_a_model_folder_with_such_an_encoder_is_refused_in_one_line(asked, tmp_path: Path):
    from tiny_model import make_tiny

    from storyreel import load

    folder = make_tiny(tmp_path / "evil")
    document = json.loads((folder / "model.json").read_text())
    document["recipe"]["text"] = "t5:someone/evil"
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="nothing is downloaded unasked") as told:
        load(folder)
    assert "\n" not in str(told.value)
    assert all(each["local_files_only"] for each in asked)
