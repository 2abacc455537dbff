"""Ten thousand broken media files through everything that opens media.

    python tests/campaigns/media.py [--count 10000] [--first 0] [--list FILE]

Prints one line of counts and each fault (an exception that is no ValueError or OSError, an error of several lines,
more than ten seconds, more than 1 GiB, a death of the process); exits 1 if there is one. The files depend on their
numbers alone, so that `--first N --count 1` makes fault N again; FILE gets the faults as lines of JSON.
"""

from __future__ import annotations

import sys
from pathlib import Path

from media_files import mutation, wholes
from watched import Mutation, main


def begin(folder: Path) -> Mutation:
    """The mutation of each number, of files that are made in `folder`."""
    (folder / "whole").mkdir()
    found = wholes(folder / "whole")
    return lambda number: mutation(number, found, folder / "broken")


if __name__ == "__main__":
    sys.exit(main(__doc__, "media_doors", begin, 10_000))
