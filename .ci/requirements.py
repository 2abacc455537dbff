"""Prints what pyproject.toml asks for, all extras but Ray's included, torch left out.

python .ci/requirements.py lowest    NAME==FLOOR a line: constraints that make pip take the lowest versions
python .ci/requirements.py ranges    as they are written there: what to install beside a torch, or without one
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
extras = {name: extra for name, extra in project["optional-dependencies"].items() if name != "ray"}
form = sys.argv[1] if len(sys.argv) == 2 else ""
if form not in ("lowest", "ranges"):
    sys.exit(f"form: expected lowest or ranges, got {form!r}")

for requirement in [*project["dependencies"], *(one for extra in extras.values() for one in extra)]:
    if requirement.startswith((f"{project['name']}[", "torch>")):
        continue
    match = re.fullmatch(r"([A-Za-z0-9_.\-]+)>=([0-9.]+)(,?[<!][^;]*)?", requirement)
    if match is None:
        sys.exit(f"pyproject.toml: expected NAME>=VERSION, got {requirement!r}")
    print(f"{match[1]}=={match[2]}" if form == "lowest" else requirement)
