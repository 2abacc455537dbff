"""The browser of the study's tests shows the pages of these."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "study"))
