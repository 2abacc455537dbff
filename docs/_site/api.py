"""An mkdocs hook: one page of the API reference for each part of the package, with every public module of it.

The pages are generated, so that a module that is added, renamed or removed needs no edit here. Each page holds one
mkdocstrings directive a module; the text comes from the docstrings, read without importing anything.
"""

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).parents[2] / "storyreel"
INTERNAL = {"cli", "reproduce", "pretrained"}  # commands and reproductions are documented by their own pages
FACE = """# storyreel

What `import storyreel` gives. A name is loaded when it is first used.

| name | what it is |
| --- | --- |
"""


def parts() -> dict[str, list[Path]]:
    """Title of a page -> its modules: a page for each folder, and one for the modules beside them."""
    folders = sorted(p for p in PACKAGE.iterdir() if (p / "__init__.py").is_file() and p.name not in INTERNAL)
    found = {"files and values": sorted(PACKAGE.glob("*.py"))}
    found |= {folder.name: sorted(folder.rglob("*.py")) for folder in folders}
    return {title: [f for f in files if public(f)] for title, files in found.items()}


def public(file: Path) -> bool:
    """Whether the API has the module: not what is empty, private, or a package that defines nothing of its own."""
    if file.stem == "__init__":
        defined = [n for n in ast.parse(file.read_text()).body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
        return file.parent != PACKAGE and any(not node.name.startswith("_") for node in defined)
    return not file.stem.startswith("_") and bool(file.read_text().strip())


def face() -> str:
    """A table of the public names of the package, each with a link and the first line of its docstring."""
    values = {
        ast.unparse(node.targets[0]): node.value
        for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
        if isinstance(node, ast.Assign)
    }
    rows = []
    for name, place in ast.literal_eval(values["_PLACES"]).items():
        module, _, original = place.partition(":")
        file = PACKAGE.joinpath(*module.split("."))
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        rows.append(f"| [`{name}`][storyreel.{module}.{original or name}] | {first_line(file, original or name)} |\n")
    return FACE + "".join(rows)


def first_line(file: Path, name: str) -> str:
    """What the docstring of a class or function of a file begins with."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise ValueError(f"{file}: no class or function {name}, which storyreel/__init__.py names")


def page(title: str, files: list[Path]) -> str:
    modules = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return "\n".join([f"# {title}", *(f"\n::: {module.removesuffix('.__init__')}\n" for module in modules)])


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    pages = ["api/storyreel.md", *(f"api/{title.replace(' ', '_')}.md" for title in parts())]
    config.nav = [*(config.nav or []), {"API": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    files.append(File.generated(config, "api/storyreel.md", content=face()))
    for title, modules in parts().items():
        files.append(File.generated(config, f"api/{title.replace(' ', '_')}.md", content=page(title, modules)))
    return files
