"""Defaults of options: the command line before variables, variables before the file; a wrong one says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel import Clip
from storyreel.cli import main
from storyreel.cli.config import config_file

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):
    def run(*args: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(arg) for arg in args])
        return int(stopped.value.code or 0), capsys.readouterr().err

    return run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "config.toml"
    monkeypatch.setenv("STORYREEL_CONFIG", str(file))
    return file.write_text


def made(call, *args: object) -> dict[str, object]:
    code, err = call("generate", *args, "-o", "a.mkv", "-q")
    assert code == 0, err
    return Clip.open("a.mkv").meta["options"]


def test_the_command_line_comes_first_then_variables_then_the_file(call, config, monkeypatch):
    config('[generate]\nmodel = "tiny"\nsteps = 2\nframes = 3\nguidance = 2.5\n')
    assert made(call, "an orc") == {"prompt": "an orc", "steps": 2, "frames": 3, "guidance": 2.5}
    monkeypatch.setenv("STORYREEL_GENERATE_STEPS", "4")
    assert made(call, "an orc") == {"prompt": "an orc", "steps": 4, "frames": 3, "guidance": 2.5}
    assert made(call, "an orc", "--steps", 1) == {"prompt": "an orc", "steps": 1, "frames": 3, "guidance": 2.5}
    made(call, "an orc", "--seconds", 1)
    assert Clip.open("a.mkv").meta["options"].get("frames") != 3, "seconds are typed, and are another way to say frames"
    monkeypatch.setenv("STORYREEL_GENERATE_STEPS", "")
    assert made(call, "an orc")["steps"] == 2, "an empty variable is as if it were not set"


def test_names_are_those_of_the_flags(call, config):
    config('[generate]\nmodel = "tiny"\nas-written = true\nmetadata = false\nquiet = true\nfps = 8\n')
    code, err = call("generate", "an orc", "-o", "a.mkv")
    assert (code, err) == (0, "")
    assert "options" not in Clip.open("a.mkv").meta, "metadata = false"
    config('[generate]\nmodel = "tiny"\njson = true\n')
    assert call("generate", "an orc", "-o", "b.mkv")[0] == 0


def test_defaults_do_not_change_what_a_file_says(call, config):
    config("")
    first = made(call, "an orc", "-m", "tiny", "--seed", 3)
    Path("a.mkv").rename("first.mkv")
    config('[generate]\nmodel = "phenaki-digits"\nsteps = 7\nseed = 5\n')
    assert made(call, "--from", "first.mkv") == first
    assert Clip.open("a.mkv").meta["seed"] == 3
    assert made(call, "--from", "first.mkv", "--steps", 1)["steps"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[generate]\nstep = 2\n", "[generate] step: there is no such option; the nearest is steps"),
        ("[generate]\nas_json = true\n", "[generate] as_json: there is no such option"),
        ("[generat]\nsteps = 2\n", "[generat]: there is no such verb; the nearest is generate"),
        ("steps = 2\n", "steps: is in no table; expected one such as [generate]"),
        ("[generate]\nsteps = 0\n", "[generate] steps: expected a whole number from 1 to 10000, got 0"),
        ('[generate]\nsteps = "many"\n', "[generate] steps: "),
        ("[generate]\nsteps = [1, 2]\n", "[generate] steps: expected one value, got a list"),
        ("[generate.steps]\na = 1\n", "[generate] steps: expected one value, got a table"),
        ('[generate]\nengine = "slurm"\n', "[generate] engine: expected local or ray, got 'slurm'"),
        ("[generate]\nsteps = \n", "expected TOML: "),
    ],
)
def test_a_wrong_default_is_refused_by_its_file_and_name(call, config, text, message):
    config(text)
    code, err = call("generate", "an orc", "-o", "a.mkv")
    assert code == 1
    assert err.startswith(f"storyreel: error: {config_file()}: {message}")
    assert err.count("\n") == 1
    assert not Path("a.mkv").exists()


def test_a_wrong_variable_is_refused_by_its_name(call, monkeypatch):
    for name, value, message in (
        ("STEPS", "0", "expected a whole number from 1 to 10000, got 0"),
        ("STEPS", "many", ""),
        ("STEP", "3", "there is no such option; the nearest is steps"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"STORYREEL_GENERATE_{name}", value)
            code, err = call("generate", "an orc", "-o", "a.mkv")
            assert code == 1
            assert f"STORYREEL_GENERATE_{name}: {message}" in err


def test_defaults_that_do_not_go_with_what_is_typed_say_where_they_stand(call, config):
    config('[generate]\nfit = "pad"\n')
    code, err = call("generate", "an orc", "-o", "a.mkv")
    assert code == 2
    assert f"{config_file()}: [generate] fit: there is no picture to fit" in " ".join(err.split())


def test_a_command_of_a_verb_has_a_table_of_its_own(call, config, monkeypatch):
    config("[data.make]\nclips = 3\n[data.check]\nnothing = 1\n")
    code, err = call("data", "make", "digits", "-o", "digits")
    assert (code, f"{config_file()}: [data.check] nothing: there is no such option" in err) == (1, True)
    config("[data.make]\nclips = 3\n")
    assert call("data", "make", "digits", "-o", "digits")[0] == 0
    assert len(list(Path("digits").rglob("*.mkv"))) == 3
    monkeypatch.setenv("STORYREEL_DATA_MAKE_CLIPS", "2")
    assert call("data", "make", "digits", "-o", "two")[0] == 0
    assert len(list(Path("two").rglob("*.mkv"))) == 2


def test_an_option_that_repeats_takes_a_list_or_words(call, config, monkeypatch):
    config('[train]\nset = ["seed=3", "stages.nothing.steps=1"]\n')
    assert "nothing" in call("train", "phenaki_tiny", "--dry-run")[1]
    monkeypatch.setenv("STORYREEL_TRAIN_SET", "seed=3 stages.other.steps=1")
    assert "other" in call("train", "phenaki_tiny", "--dry-run")[1]


def test_a_file_that_is_named_must_be_there(call, monkeypatch):
    monkeypatch.setenv("STORYREEL_CONFIG", "absent.toml")
    code, err = call("generate", "an orc", "-o", "a.mkv")
    assert (code, err) == (1, "storyreel: error: absent.toml: No such file or directory\n")


@pytest.mark.parametrize(
    "text",
    [
        "[generate]\nsteps = " + "9" * 5000 + "\n", "[generate]\nsteps = 1e999\n", "[generate]\nsteps = nan\n",
        "[generate]\nsteps = 1979-05-27\n", "[generate]\nsteps = [[1]]\n", "[generate]\nsteps = {a = 1}\n",
        "[generate]\nseed = -1\n", "[generate]\nfps = 'x/0'\n", "[generate]\nout = 5\nmodel = true\n",
        "[generate]\nmodel = '\\u0000'\n", "x = " + "[" * 50_000, "generate = 1\n", "[[generate]]\n", "[generate.x]\n",
        "[data]\nmake = 5\n", "[data.make]\nset = [{a = 1}]\n", "\x00", "[generate]\nsteps = true\n",
    ],
)  # fmt: skip
def test_odd_files_are_one_line_that_names_the_place(call, config, text: str):
    config(text)
    code, err = call("generate", "an orc", "-m", "tiny", "-o", "a.mkv", "-q")
    assert code in (0, 1, 2)
    assert "unexpected" not in err
    assert len(err.splitlines()) <= 1 or code == 2
    assert not code or "config.toml" in err or "-o" in text or "model" in text


def test_a_variable_of_words_that_do_not_end_is_named(call, config, monkeypatch):
    config("")
    monkeypatch.setenv("STORYREEL_TRAIN_SET", "stages.x='1")
    code, err = call("train", "phenaki_tiny", "--data", "x", "-o", "y")
    assert code == 1
    assert err == "storyreel: error: STORYREEL_TRAIN_SET: expected words between spaces: no closing quotation\n"
