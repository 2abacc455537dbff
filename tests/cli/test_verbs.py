"""The command line as a whole: its help, its version, and completion in shells."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from storyreel.cli import VERBS, app, main

ROOT = Path(__file__).parents[2]


def program(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storyreel", *args], capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip


def completed(words: str) -> list[str]:
    environment = {"_STORYREEL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return program(**environment).stdout.split()


def test_verbs_options_and_choices_are_completed():
    assert completed("storyreel ge") == ["generate"]
    assert completed("storyreel data ma") == ["make"]
    assert completed("storyreel generate --fr") == ["--frames", "--from"]
    assert completed("storyreel generate --fit c") == ["crop"]
    assert completed("storyreel evaluate ") == ["benchmark", "compare", "train-judge"]
    assert completed("storyreel evaluate tr") == ["train-judge"]
    assert completed("storyreel evaluate nothing-like-it") == []  # the shell completes files
    assert completed("storyreel evaluate train-judge --tr") == ["--train-steps"]
    assert completed("storyreel curate ") == ["filter", "ablate"]
    assert completed("storyreel curate f") == ["filter"]
    assert "_STORYREEL_COMPLETE" in program(_STORYREEL_COMPLETE="source_bash").stdout


def test_the_version(capsys: pytest.CaptureFixture[str]):
    for flag in ("-V", "--version"):
        with pytest.raises(SystemExit) as stopped:
            main([flag])
        assert stopped.value.code == 0
        assert capsys.readouterr().out.startswith("storyreel ")


def test_help_names_all_verbs_and_nothing_typed_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    for args, code in ((["--help"], 0), (["-h"], 0), ([], 2)):
        with pytest.raises(SystemExit) as stopped:
            main(args)
        assert (stopped.value.code or 0) == code
        out = capsys.readouterr().out
        assert all(f"\n  {verb} " in out for verb in VERBS)


def commands() -> Iterator[tuple[str, Any]]:
    """("data make", its command), of every verb and every command of one."""

    def below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", {})
        if not inner or (command.callback is not None and command.invoke_without_command):
            yield words, command
        for name, each in inner.items():
            yield from below(f"{words} {name}", each)

    group = typer.main.get_command(app)
    for verb in VERBS:
        context = typer.Context(group, resilient_parsing=True)
        command = group.resolve_command(context, [verb])[1]
        yield from below(verb, command)
        module = importlib.import_module(f"storyreel.cli.{verb}")
        if hasattr(module, "commands"):
            yield from below(verb, typer.main.get_command(module.commands))


def test_the_help_of_every_command_has_an_example_with_options_that_there_are():
    found, wrong = {words: command for words, command in commands()}, []
    assert {"generate", "train", "data make", "evaluate compare", "models pack", "study create"} <= set(found)
    for words, command in found.items():
        examples = re.findall(rf"^`?(storyreel {words} .+|storyreel {words})$", inspect.cleandoc(command.help), re.M)
        wrong += [f"{words}: no example"] if not examples else []
        for example in examples:
            meant = found[max((name for name in found if f"{example} ".startswith(f"storyreel {name} ")), key=len)]
            options = {flag for each in meant.params for flag in (*each.opts, *each.secondary_opts)}
            typed = {word for word in example.split() if re.fullmatch(r"-\w|--[\w-]+", word)}
            wrong += [f"{example}: {flag}" for flag in typed - options]
    assert wrong == []


def test_the_help_of_every_verb_has_an_example(capsys: pytest.CaptureFixture[str]):
    for verb in VERBS:
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        usage, *more = re.findall(rf"storyreel {verb}\b.*", capsys.readouterr().out)
        assert usage
        assert more, verb


def test_arguments_are_in_capitals():
    assert [
        f"{words}: {each.metavar}"
        for words, command in commands()
        for each in command.params
        if each.param_type_name == "argument" and each.metavar and each.metavar != each.metavar.upper()
    ] == []


def test_help_cuts_nothing_and_says_what_options_take_in_one_style(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    for words, _ in commands():
        with pytest.raises(SystemExit):
            main([*words.split(), "--help"])
        out = capsys.readouterr().out
        odd = [part for part in ("…", "\\[", "<bool>", "may repeat") if part in out]
        types = re.findall(r"<[a-z]+>|list\[", out)
        assert (words, odd, types) == (words, [], [])
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[default: 4 of a prompt alone" in text
    assert "Videos of each prompt. [default: 1]" in text


def test_a_name_of_an_option_means_one_thing():
    found: dict[str, set[str]] = {"--steps": set(), "--count": set(), "--prompts": set()}
    for words, command in commands():
        for each in command.params:
            for flag in found.keys() & {*each.opts}:
                found[flag].add(words)
    assert found == {
        "--steps": {"generate", "sheet"},
        "--count": {"generate"},
        "--prompts": {"generate", "leaderboard"},
    }


def test_what_a_shipped_model_knows_is_said_in_whole_sentences():
    from storyreel.generate import registry

    for name in registry.names():
        assert registry.describe(registry.find(name))["about"].endswith("."), name
