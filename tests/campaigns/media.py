"""Ten thousand broken media files through everything that opens media.

    python tests/campaigns/media.py [--count 10000] [--first 0] [--list FILE]

Prints one line of counts and each fault (an exception that is no ValueError or OSError, an error of several lines,
more than ten seconds, more than 1 GiB, a death of the process); exits 1 if there is one. The files depend on their
numbers alone, so that `--first N --count 1` makes fault N again; FILE gets the faults as lines of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from media_files import mutation, wholes
from watched import Report, Watched, told


def run(numbers: range, folder: Path, every: int = 0) -> Report:
    """Every door on the mutation of each number. every: how many files lie between two lines of counts on stderr."""
    (folder / "whole").mkdir()
    found, report, worker = wholes(folder / "whole"), Report(), Watched("media_doors")
    try:
        for number in numbers:
            path, way = mutation(number, found, folder / "broken")
            worker.run(path, report, number=number, way=way)
            if every and report.files % every == 0:
                print(report.line(), file=sys.stderr, flush=True)
    finally:
        worker.close()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--list", type=Path, help="file for the faults, lines of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(range(options.first, options.first + options.count), Path(folder), every=250)
    if options.list:
        options.list.write_text("".join(json.dumps(fault) + "\n" for fault in report.faults))
    return told(report, report.faults)


if __name__ == "__main__":
    sys.exit(main())
