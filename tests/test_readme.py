"""What the README, the docs and the journeys tell people to type exists: verbs, options, make targets, names, files."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCRIPTS = sorted((ROOT / "journeys").glob("*.sh"))


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for kind, code in re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.S) if kind in languages]


def commands(program: str) -> list[tuple[str, str]]:
    """(page, command) for every line of a shell block or script that calls `program`."""
    found = []
    for file in [*PAGES, *SCRIPTS]:
        texts = [file.read_text()] if file.suffix == ".sh" else blocks(file, "sh", "bash", "shell")
        for text in texts:
            for line in text.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].split(" | ")[0].split(" > ")[0].strip().removeprefix("$ ")
                if words.split(" ")[0] == program:
                    found.append((file.relative_to(ROOT).as_posix(), words))
    return found


def parameters(words: list[str]):
    """The command that these words name, and the words that are left for it."""
    import typer

    module, rest = importlib.import_module(f"storyreel.cli.{words[0]}"), words[1:]
    command = typer.main.get_command(module.app)
    more = typer.main.get_command(module.commands) if hasattr(module, "commands") else None
    if more and rest and rest[0] in more.commands:  # pyright: ignore  beside the verb itself
        command = more
    while hasattr(command, "commands"):  # a verb with verbs of its own, such as `data make`
        name = next((word for word in rest if not word.startswith("-")), None)
        if name is None and getattr(command, "invoke_without_command", False):
            break
        assert name in command.commands, f"storyreel {words[0]} has no {name}"  # pyright: ignore
        rest.remove(name)
        command = command.commands[name]  # pyright: ignore
    return command, rest


def test_the_readme_has_something_to_type():
    assert [c for page, c in commands("make") if page == "README.md"][:2] == ["make demo", "make test"]
    assert any(page == "README.md" for page, _ in commands("storyreel"))


@pytest.mark.parametrize(("page", "line"), commands("storyreel"))
def test_the_command_exists_with_these_options(page: str, line: str):
    words = shlex.split(line)[1:]
    if words[0] in ("--help", "-h", "--version"):
        return
    from storyreel.cli import VERBS

    assert words[0] in VERBS, f"{page}: no verb {words[0]}"
    command, rest = parameters(words)
    known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
    for word in rest:
        if re.fullmatch(r"--?[a-zA-Z][\w-]*(=.*)?", word):
            assert word.split("=")[0] in known, f"{page}: {line}: no option {word}"


@pytest.mark.parametrize(("page", "line"), commands("make"))
def test_the_make_target_exists(page: str, line: str):
    makefile = (ROOT / "Makefile").read_text()
    for word in shlex.split(line)[1:]:
        if "=" in word:
            assert re.search(rf"^{word.split('=')[0]} \?=", makefile, re.M), f"{page}: {word}"
        else:
            there = re.search(rf"^{re.escape(word)}:", makefile, re.M)
            bench = word.startswith("bench-") and (ROOT / "benchmarks" / f"{word[6:]}.py").is_file()
            assert there or bench, f"{page}: make {word}"


def test_the_python_of_the_readme_uses_names_that_exist():
    import storyreel

    for code in blocks(ROOT / "README.md", "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "storyreel":
                assert hasattr(storyreel, node.attr), f"storyreel.{node.attr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.split("#")[0]).exists(), f"{page.name}: {target}"


def test_nothing_in_the_tree_of_the_tour_is_invented():
    tree = blocks(ROOT / "CONTRIBUTING.md", "")[0]
    top = ROOT / "storyreel"
    for line in tree.splitlines():
        if match := re.match(r"  (\w[\w./]*)\s", line):
            assert (top / match[1]).exists(), match[1]
