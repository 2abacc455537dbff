"""The shape of the repository, as tests: who may import whom, how long a file may be, what nobody may load."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "storyreel"
FILES = sorted(ROOT.rglob("*.py"))

# Each folder or module of the package -> what it may import, besides itself. `systems` means its contracts alone
# (systems/base.py, cascade*.py, palette*.py, pixels.py and sentences.py there); KNOWS_SYSTEMS may import the systems
# themselves.
MAY_IMPORT = {
    "numbers": set(),
    "abilities": {"numbers"},
    "allocator": set(),
    "json_file": set(),
    "whole_file": set(),
    "parquet_file": set(),
    "archive": set(),
    "tar_file": set(),
    "screen_text": set(),
    "field_ranges": set(),
    "tensor_header": set(),
    "network_folder": set(),
    "model_folder": set(),
    "outline": set(),
    "hub_client": set(),
    "hub_network": set(),
    "model_card": set(),
    "storage": set(),
    "layouts": set(),
    "ownership": {"layouts"},
    "folder_replacement": {"layouts", "ownership"},
    "names": set(),
    "read_errors": set(),
    "wording": set(),
    "pieces": set(),
    "csv_file": set(),
    "tensor_file": set(),
    "packed": {"tensor_file"},
    "clip": {"video_io", "notebook"},
    "notebook": {"clip"},
    "clip_metadata": {"clip"},
    "file_type": set(),
    "precision": set(),
    "timing": set(),
    "animation": {"clip", "file_type", "clip_metadata", "timing"},
    "atlas": {"clip", "clip_metadata", "timing", "animation"},
    "span": {"clip", "video_io", "animation", "file_type"},
    "video_io": {"clip", "clip_metadata", "file_type", "timing", "animation", "atlas"},
    "own_clips": {"atlas", "clip_metadata", "video_io"},
    "nn": set(),
    "diffusion": set(),
    "engine": set(),
    "weights_registry": set(),
    "published_svd": {"systems", "recipe", "recipes", "nn", "model"},
    "callable_package": set(),
    "options": {"clip", "video_io"},
    "systems": {"options", "clip", "nn", "diffusion"},
    "hub": {"options", "clip", "systems"},
    "text": {"systems"},
    "encoder": {"clip", "nn", "text", "worlds"},
    "recipe": {"systems"},
    "recipes": {"recipe", "systems", "nn", "diffusion", "worlds"},
    "model": {"clip", "recipe", "recipes", "systems"},
    "run": {"clip", "video_io", "recipe", "model", "systems", "precision"},
    "curate": {
        "options",
        "recipe",
        "clip",
        "video_io",
        "span",
        "file_type",
        "timing",
        "nn",
        "data",
        "engine",
        "encoder",
        "text",
    },
    "browse": {"curate", "span"},
    "worlds": {"clip", "animation", "pieces"},
    "data": {
        "notebook",
        "worlds",
        "clip",
        "video_io",
        "animation",
        "file_type",
        "span",
        "recipe",
        "systems",
        "text",
        "engine",
    },
    "train": {"options", "clip", "video_io", "recipe", "recipes", "run", "model", "systems", "data", "text"}
    | {"encoder", "weights_registry", "precision", "worlds", "published_svd", "notebook"},
    "generate": {
        "hub",
        "pieces",
        "published_svd",
        "options",
        "worlds",
        "own_clips",
        "atlas",
        "notebook",
        "clip_metadata",
        "timing",
        "encoder",
        "evaluate",
        "clip",
        "video_io",
        "recipe",
        "model",
        "systems",
        "text",
        "engine",
        "precision",
    },
    "evaluate": {
        "options",
        "worlds",
        "own_clips",
        "clip",
        "clip_metadata",
        "video_io",
        "nn",
        "data",
        "engine",
        "encoder",
        "text",
    }
    | {"options", "weights_registry", "notebook"},
    "leaderboard": {"hub", "options", "worlds", "engine", "video_io", "model", "generate", "evaluate", "train", "data"},
    "study": {"clip", "video_io"},
    "web": {"data", "generate", "weights_registry"},
    "device_check": {"clip", "generate", "precision", "recipe", "recipes", "run", "systems", "train"},
    "serve": {
        "options",
        "clip",
        "video_io",
        "file_type",
        "clip_metadata",
        "generate",
        "engine",
        "systems",
        "evaluate",
        "worlds",
    }
    | {"browse", "curate", "study"},
}
FREE = {"cli", "__init__", "__main__"}  # these tie things together, and nobody imports them
NOT_IN_THE_WHEEL = {"reproductions", "tests", "benchmarks"}
FOR_ALL = {"storage", "layouts", "ownership", "folder_replacement", "tensor_file", "packed"}  # what is on disk
FOR_ALL |= {
    "names",
    "numbers",
    "abilities",
    "json_file",
    "read_errors",
    "screen_text",
    "field_ranges",
}  # what comes from outside
FOR_ALL |= {"callable_package", "wording", "csv_file"}  # what people read
FOR_ALL |= {"tensor_header", "network_folder", "model_folder", "outline"}  # what is on disk, before it is believed
FOR_ALL |= {"whole_file", "parquet_file", "archive", "tar_file"}
FOR_ALL |= {"hub_client", "hub_network", "model_card"}  # what the hub gives and reads
CONTRACTS = {"base", "cascade", "cascade_stage", "palette", "palette_refiner", "pixels", "sentences"}
KNOWS_SYSTEMS = {"recipes", "published_svd"}


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


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def offenders(check: Callable[[Path], Iterable[str]], files: Iterable[Path] | None = None) -> list[str]:
    """ "systems/phenaki.py: what is wrong", one line for each thing that `check` finds in a file of the package."""
    return [f"{name(file)}: {what}" for file in (FILES if files is None else files) for what in check(file)]


def wrong_ways(file: Path) -> Iterator[str]:
    here = parts_of(file)[0]
    for line, module in imports(file):
        if module.split(".")[0] in NOT_IN_THE_WHEEL and name(file) != "cli/reproduce.py":
            yield f"line {line}: imports {module}, which is not in the wheel"
    if here in FREE:
        return
    if here not in MAY_IMPORT:
        yield f"{here} is new: say in MAY_IMPORT what it may import"
        return
    for line, there in inside(file):
        top = there[0] if there else ""
        if not (ROOT / top).is_dir() and not (ROOT / f"{top}.py").is_file():
            continue  # a name of storyreel/__init__.py
        if top != here and top not in MAY_IMPORT[here] | FOR_ALL:
            yield f"line {line}: {here} imports storyreel.{top}"


def systems_known(file: Path) -> Iterator[str]:
    here = parts_of(file)
    for line, there in inside(file):
        if len(there) < 2 or there[0] != "systems" or there[1] in CONTRACTS or here[0] in FREE | KNOWS_SYSTEMS:
            continue
        same = here[0] == "systems" and len(here) > 1 and system_of(here[1]) == system_of(there[1])
        if not same:
            yield f"line {line}: {'.'.join(here)} imports the system {there[1]}"


def too_long(file: Path) -> Iterator[str]:
    lines = len(file.read_text().splitlines())
    if lines > 500:
        yield f"{lines} lines, at most 500; split it (see CONTRIBUTING.md)"


def says_nothing(file: Path) -> Iterator[str]:
    if {"utils", "util", "common", "helpers", "misc"} & set(parts_of(file)):
        yield "name it after what it does"


def undocumented(file: Path) -> Iterator[str]:
    if file.read_text().strip() and not ast.get_docstring(tree(file)):
        yield "expected a module docstring"


def stack_breakers(file: Path) -> Iterator[str]:
    for line, module in imports(file):
        if module.split(".")[0] in {"torchvision", "torchaudio", "torchcodec", "timm", "open_clip"}:
            yield f"line {line}: imports {module}"


def pickle_uses(file: Path) -> Iterator[str]:
    for line, module in imports(file):
        if module.split(".")[0] in {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib"}:
            yield f"line {line}: imports {module}"
        if module in {"torch.load", "torch.save"}:
            yield f"line {line}: imports {module}"
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch":
            if node.attr in {"load", "save"}:
                yield f"line {node.lineno}: torch.{node.attr}; write safetensors"
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield f"line {node.value.lineno}: allow_pickle"


def strange_code(file: Path) -> Iterator[str]:
    """transformers asks whether to run the code of a model folder unless it is told not to."""
    if "from_pretrained" in (text := file.read_text()) and "trust_remote_code" not in text:
        yield "from_pretrained without trust_remote_code=False"
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained"):
            if "check_network_folder(" not in text and "check_components(" not in text:
                yield f"line {node.lineno}: from_pretrained of a folder that check_network_folder has not seen"
            if not {"trust_remote_code", None} & {each.arg for each in node.keywords}:  # None: **options
                yield f"line {node.lineno}: from_pretrained without trust_remote_code=False"
        elif isinstance(node, ast.keyword) and node.arg == "trust_remote_code" and ast.unparse(node.value) != "False":
            yield f"line {node.value.lineno}: trust_remote_code"


def unguarded_shows(file: Path) -> Iterator[str]:
    """rich's console writes past the guarded streams: it comes from `rich_console` and is handed safe lines."""
    for node in ast.walk(tree(file)):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called.split(".")[-1] == "Console" and parts_of(file) != ("screen_text",):
            yield f"line {node.lineno}: {called}; use screen_text.rich_console"  # pyright: ignore
        elif called.endswith("console.print") and not ast.unparse(node.args[0]).startswith(("one_line(", "printable(")):  # pyright: ignore
            yield f"line {node.lineno}: {called} of what is not one_line(...)"  # pyright: ignore


def test_imports_point_one_way():
    assert offenders(wrong_ways) == []


def test_systems_are_known_to_recipes_alone():
    assert offenders(systems_known) == []


def body_lines(file: Path) -> list[str]:
    """What the functions of a file do, a line each: without signatures and docstrings, as `ast` writes it."""
    found = []
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            found += [line.strip() for each in body for line in ast.unparse(each).splitlines()]
    return found


def copies(files: Iterable[Path], lines: int = 6) -> list[str]:
    """Runs of so many lines that the functions of two systems share."""
    seen: dict[tuple[str, ...], str] = {}
    found = []
    for file in files:
        body, system = body_lines(file), system_of(file.stem)
        for run in {tuple(body[at : at + lines]) for at in range(len(body) - lines + 1)}:
            if (other := seen.setdefault(run, system)) != system:
                found.append(f"{other} and {system}: {run[0]} ...")
    return sorted(found)


def test_systems_are_no_copies_of_one_another():
    assert copies(sorted((ROOT / "systems").glob("*.py"))) == []


def test_a_copy_is_found_whatever_its_signature(tmp_path: Path):
    steps = "\n".join(f"    x = x + {number}" for number in range(6))
    (tmp_path / "svd.py").write_text(f"def a(x):\n{steps}\n")
    (tmp_path / "phenaki_tokenizer.py").write_text(f'def b(x, y=1):\n    """B."""\n{steps}\n    return x\n')
    files = sorted(tmp_path.glob("*.py"))
    assert copies(files) == ["phenaki and svd: x = x + 0 ..."]
    assert copies(files, 7) == []


def test_files_stay_short():
    assert offenders(too_long) == []


def test_files_have_names_that_say_something():
    assert offenders(says_nothing) == []


def test_files_say_what_they_are_for():
    assert offenders(undocumented) == []


def test_nobody_imports_what_breaks_the_stack():
    assert offenders(stack_breakers) == []


def test_nobody_loads_pickle():
    assert offenders(pickle_uses) == []


def test_nobody_runs_the_code_of_a_model():
    assert offenders(strange_code) == []


MAY_READ: dict[str, set[str]] = {
    "json.load": set(),
    "json.loads": {"json_file"},
    "Image.open": {"animation", "input_clip"},  # the second of bytes of a metadata document, with a limit of its own
    "pq.ParquetFile": {"parquet_file"},
    "pq.read_table": set(),
    "tarfile.open": {"runtime"},  # some headers hang it: tar_file reads them; that one has a pinned digest
    "zipfile.ZipFile": set(),
    "gzip.open": set(),
    "gzip.decompress": set(),
    "lzma.open": set(),
    "lzma.decompress": set(),
    "bz2.open": set(),
    "zlib.decompress": set(),
    "np.load": {"pack", "prepared", "weights", "digits_source"},  # the cache, a pinned digest, a file of the package
    "np.lib.format.open_memmap": {"pictures"},
}
"""What reads a format that can be far larger in memory than on the disk, and the files that bound it."""


def unguarded_reads(file: Path) -> Iterator[str]:
    """JSON, pictures, tables and archives are read where they have limits."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and file.stem not in MAY_READ.get(called := ast.unparse(node.func), {file.stem}):
            given = [ast.unparse(argument) for argument in node.args]
            own = given[:1] and given[0].startswith("json.dumps(")  # a copy of our own values
            if not own and given[1:2] not in (["'w'"], ["'w:xz'"]):
                yield f"line {node.lineno}: {called}"


def test_what_comes_from_outside_is_read_with_limits():
    assert offenders(unguarded_reads) == []


def test_what_rich_shows_passes_the_guard():
    assert offenders(unguarded_shows) == []


BAD = {
    "diffusion/bad.py": (
        "import pickle, torchvision\nfrom storyreel.cli import main\nfrom ..systems.phenaki import MaskGit\n"
        "x = torch.load(f)\ny = np.load(f, allow_pickle=True)\n" + "\n" * 500
    ),
    "train/utils.py": "from ..systems import godiva\nrich.Console()\nconsole.print(line)\n",
    "nn/reads.py": (
        '"""Reads."""\njson.load(f)\ntarfile.open(f)\ntarfile.open(f, "w")\npq.read_table(f)\n'
        "json.loads(json.dumps(x))\n"
    ),
    "newcomer.py": '"""A folder that the table does not have."""\n',
}


def test_each_check_finds_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On files that break every rule, each check names the file, the line and the rule."""
    for path in ("cli", "systems", "nn"):
        (tmp_path / path).mkdir()
    for path, text in BAD.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    bad, utils, reads, newcomer = files = [tmp_path / path for path in BAD]
    assert offenders(wrong_ways, files) == [
        "diffusion/bad.py: line 2: diffusion imports storyreel.cli",
        "diffusion/bad.py: line 3: diffusion imports storyreel.systems",
        "newcomer.py: newcomer is new: say in MAY_IMPORT what it may import",
    ]
    assert offenders(systems_known, files) == [
        "diffusion/bad.py: line 3: diffusion.bad imports the system phenaki",
        "train/utils.py: line 1: train.utils imports the system godiva",
    ]
    assert offenders(too_long, files) == ["diffusion/bad.py: 505 lines, at most 500; split it (see CONTRIBUTING.md)"]
    assert offenders(says_nothing, files) == ["train/utils.py: name it after what it does"]
    assert offenders(undocumented, [bad, newcomer]) == ["diffusion/bad.py: expected a module docstring"]
    assert offenders(stack_breakers, [bad, utils]) == ["diffusion/bad.py: line 1: imports torchvision"]
    assert offenders(unguarded_shows, files) == [
        "train/utils.py: line 2: rich.Console; use screen_text.rich_console",
        "train/utils.py: line 3: console.print of what is not one_line(...)",
    ]
    assert offenders(unguarded_reads, [reads]) == [
        "nn/reads.py: line 2: json.load",
        "nn/reads.py: line 3: tarfile.open",
        "nn/reads.py: line 5: pq.read_table",
    ]
    (tmp_path / "nn" / "runs.py").write_text('"""Runs."""\nx = A.from_pretrained(f)\ny = B(trust_remote_code=yes)\n')
    assert offenders(strange_code, [tmp_path / "nn" / "runs.py"]) == [
        "nn/runs.py: line 2: from_pretrained of a folder that check_network_folder has not seen",
        "nn/runs.py: line 2: from_pretrained without trust_remote_code=False",
        "nn/runs.py: line 3: trust_remote_code",
    ]
    assert offenders(pickle_uses, files) == [
        "diffusion/bad.py: line 1: imports pickle",
        "diffusion/bad.py: line 4: torch.load; write safetensors",
        "diffusion/bad.py: line 5: allow_pickle",
    ]


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


HEAVY = ("av", "cv2", "fastapi", "numpy", "onnxruntime", "pyarrow", "ray", "scipy", "sklearn", "torch", "transformers")


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import storyreel", set()),
        ("import storyreel; storyreel.Clip, storyreel.DatasetFolder", {"numpy"}),
        ("import storyreel; [getattr(storyreel, name) for name in storyreel.__all__]", {"numpy", "av", "torch"}),
    ],
    ids=["the package", "values", "all names"],
)
def test_what_importing_the_package_loads(code: str, allowed: set[str]):
    script = f"import sys; {code}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert set(done.stdout.split()) <= allowed


def test_test_files_have_names_of_their_own():
    """pytest imports them by base name, so two files of one name break the collection of the whole suite."""
    names = [file.name for file in (ROOT.parent / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


def test_digits_are_asked_for_in_one_place():
    """`"²".isdigit()` is true, and int("²") an error."""
    asking = [str(file.relative_to(ROOT)) for file in FILES if ".isdigit()" in file.read_text()]
    assert asking == ["numbers.py"]


def test_homes_and_nearest_names_are_looked_for_in_one_place():
    """`Path("~nobody").expanduser()` is a RuntimeError, and difflib takes seconds for a name of megabytes."""
    assert [str(file.relative_to(ROOT)) for file in FILES if ".expanduser()" in file.read_text()] == []
    assert [str(file.relative_to(ROOT)) for file in FILES if "get_close_matches" in file.read_text()] == ["wording.py"]


def test_curate_has_no_import_circles():
    """Also none that is hidden in a function or behind TYPE_CHECKING."""
    files = {
        ".".join(parts_of(file)).removesuffix(".__init__"): file for file in FILES if parts_of(file)[0] == "curate"
    }
    found: dict[str, set[str]] = {}
    for here, file in files.items():
        modules = {".".join(there) for _, there in inside(file)} | {".".join(there[:-1]) for _, there in inside(file)}
        found[here] = modules & set(files) - {here, "curate"}
    while free := [here for here, others in found.items() if not others]:  # those that import none that is left
        found = {here: others - set(free) for here, others in found.items() if here not in free}
    assert not found, f"these import each other: {sorted(found)}"


def test_each_promise_names_a_test_that_is_there():
    """The table "Promise and test" of docs/reliability.md; `…` is the file that was named last."""
    table = (ROOT.parent / "docs" / "reliability.md").read_text().partition("## Promise and test")[2]
    named = re.findall(r"`(\S+?\.py|…)(?:::(\w+))?`", table)
    assert len(named) > 50
    file, missing = "", []
    for name, test in named:
        file = file if name == "…" else name
        there = ROOT.parent / "tests" / file
        if not there.is_file() or (test and f"def {test}(" not in there.read_text()):
            missing.append(f"{file}::{test}")
    assert missing == []
