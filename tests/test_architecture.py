"""The shape of the repository, as tests: who may import whom, how long a file may be, what nobody may load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "storyreel"
FILES = sorted(ROOT.rglob("*.py"))

# Each folder or module of the package -> what it may import, besides itself. `systems` means its contracts alone
# (systems/base.py, systems/cascade*.py, systems/pixels.py); KNOWS_SYSTEMS may import the systems themselves.
MAY_IMPORT = {
    "files": set(),
    "numbers": set(),
    "json_file": set(),
    "tensor_file": set(),
    "packed": {"tensor_file"},
    "clip": {"video_io"},
    "stamp": {"clip"},
    "sniff": set(),
    "local_page": set(),
    "timing": set(),
    "animation": {"clip", "sniff", "stamp", "timing"},
    "sheet": {"clip", "stamp", "timing", "animation"},
    "span": {"clip", "video_io"},
    "video_io": {"clip", "stamp", "sniff", "timing", "animation", "sheet"},
    "nn": set(),
    "diffusion": set(),
    "engine": set(),
    "systems": {"clip", "nn", "diffusion"},
    "text": {"systems"},
    "encoder": {"clip", "nn", "text"},
    "recipe": {"systems"},
    "recipes": {"recipe", "systems", "nn"},
    "model": {"clip", "recipe", "recipes", "systems"},
    "run": {"clip", "video_io", "recipe", "model", "systems"},
    "curate": {"clip", "video_io", "span", "sniff", "timing", "nn", "data", "engine", "encoder", "text"},
    "browse": {"curate", "span", "local_page"},
    "data": {"clip", "video_io", "span", "recipe", "systems", "text", "engine"},
    "train": {"clip", "video_io", "recipe", "recipes", "run", "model", "systems", "data", "text"}
    | {"encoder", "evaluate"},
    "generate": {"encoder", "evaluate", "clip", "video_io", "recipe", "model", "systems", "text", "engine"},
    "evaluate": {"clip", "stamp", "video_io", "nn", "data", "engine", "encoder", "text"},
    "study": {"clip", "video_io", "local_page"},
    "serve": {"clip", "video_io", "generate", "model", "systems", "engine"},
}
FREE = {"cli", "reproduce", "__init__", "__main__"}  # these tie things together, and nobody imports them
FOR_ALL = {"files", "tensor_file", "packed", "numbers", "json_file"}  # files, and what comes from outside
CONTRACTS = {"base", "cascade", "cascade_net", "cascade_stream", "pixels"}
KNOWS_SYSTEMS = {"recipes"}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def system_of(stem: str) -> str:
    """The system that a file of systems/ belongs to: phenaki_tokenizer -> phenaki (recipes/ has the same names)."""
    names = {file.stem for file in (ROOT / "recipes").glob("*.py")}
    return next((name for name in names if stem == name or stem.startswith(f"{name}_")), stem)


def parts_of(file: Path) -> tuple[str, ...]:
    """storyreel/systems/phenaki.py -> ("systems", "phenaki")."""
    return file.relative_to(ROOT).with_suffix("").parts


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import in a file, also inside functions; `from a import b` gives a.b."""
    package = ("storyreel", *parts_of(file)[:-1])
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            for name in node.names:
                yield node.lineno, f"{base}{node.module or ''}.{name.name}".replace("..", ".")


def inside(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The imports from this package: (line, parts after "storyreel")."""
    for line, module in imports(file):
        if module.split(".")[0] == "storyreel":
            yield line, module.split(".")[1:]


each_file = pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))


@each_file
def test_imports_point_one_way(file: Path):
    here = parts_of(file)[0]
    if here in FREE:
        return
    assert here in MAY_IMPORT, f"{here} is new: say in MAY_IMPORT what it may import"
    for line, there in inside(file):
        top = there[0] if there else ""
        if not (ROOT / top).is_dir() and not (ROOT / f"{top}.py").is_file():
            continue  # a name of storyreel/__init__.py
        assert top == here or top in MAY_IMPORT[here] | FOR_ALL, f"line {line}: {here} imports storyreel.{top}"


@each_file
def test_systems_are_known_to_recipes_alone(file: Path):
    here = parts_of(file)
    for line, there in inside(file):
        if len(there) < 2 or there[0] != "systems" or there[1] in CONTRACTS or here[0] in FREE | KNOWS_SYSTEMS:
            continue
        same = here[0] == "systems" and len(here) > 1 and system_of(here[1]) == system_of(there[1])
        assert same, f"line {line}: {'.'.join(here)} imports the system {there[1]}"


@each_file
def test_files_stay_short(file: Path):
    assert len(file.read_text().splitlines()) <= 500, "split it; see CONTRIBUTING.md"


@each_file
def test_files_have_names_that_say_something(file: Path):
    assert not {"utils", "util", "common", "helpers", "misc"} & set(parts_of(file)), "name it after what it does"


@each_file
def test_files_say_what_they_are_for(file: Path):
    if file.read_text().strip():
        assert ast.get_docstring(tree(file)), "wanted a module docstring"


@each_file
def test_nobody_imports_what_breaks_the_stack(file: Path):
    poison = {"torchvision", "torchaudio", "timm", "open_clip"}
    for line, module in imports(file):
        assert module.split(".")[0] not in poison, f"line {line}: {module}"


@each_file
def test_nobody_loads_pickle(file: Path):
    for line, module in imports(file):
        assert module.split(".")[0] not in {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib"}, (
            f"line {line}"
        )
        assert module not in {"torch.load", "torch.save"}, f"line {line}: {module}"
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
            assert node.attr not in {"load", "save"}, f"line {node.lineno}: torch.{node.attr}; write safetensors"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False", f"line {node.value.lineno}: allow_pickle"


def test_every_verb_has_its_file():
    from storyreel.cli import VERBS

    there = {file.stem for file in (ROOT / "cli").glob("*.py")} - {"__init__"}
    assert not set(VERBS) - there, "verbs without a file"


def test_help_is_quick_because_it_imports_nothing_heavy():
    """`storyreel --help`, and the help of every verb, in one fresh process."""
    script = """
import contextlib, io, json, sys
from storyreel import cli
heavy = {}
for args in [["--help"], *([verb, "--help"] for verb in cli.VERBS)]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit, ModuleNotFoundError):
        cli.main(args)
    found = {"torch", "transformers", "av", "pyarrow", "sklearn", "scipy", "ray"} & set(sys.modules)
    if found - set(sum(heavy.values(), [])):
        heavy[" ".join(args)] = sorted(found)
print(json.dumps(heavy))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert json.loads(done.stdout) == {}


def test_test_files_have_names_of_their_own():
    """pytest imports them by base name, so two files of one name break the collection of the whole suite."""
    names = [file.name for file in (ROOT.parent / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})
