"""glibc's allocator set for training on a CPU: memory is kept, in huge pages, and not given back and asked for again.

Each step makes and frees the same tensors, of megabytes. As glibc comes, memory that is freed goes back to the system,
and each new tensor is paid for with a fault for every 4 kB of it; in a virtual machine that may take longer than the
arithmetic. Kept memory is not faulted in again, and pages of 2 MB are 512 times fewer. What is computed is the same to
the last bit; a process may hold somewhat more memory. These are read when a process begins, so it is begun again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SWITCH = "STORYREEL_HUGE_PAGES"  # 0: the allocator is left as it is
PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SETTINGS = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # ask for huge pages (madvise), from glibc 2.35 on
    "MALLOC_MMAP_THRESHOLD_": str(2**32),  # bytes: everything lies on the heap
    "MALLOC_TRIM_THRESHOLD_": str(2**32),  # which keeps what is free
    "MALLOC_TOP_PAD_": str(2**28),  # and grows in large steps
}
VERBS = frozenset({"train", "reproduce", "train-judge"})
OURS = "ours"  # what SWITCH says in a process that was begun again


def settings_for(args: Sequence[str], variables: Mapping[str, str], pages: Path = PAGES) -> dict[str, str]:
    """The environment variables that a command (its words) lacks; none where it does not train, where the machine is no
    Linux that has huge pages, where one of these is set already, or where STORYREEL_HUGE_PAGES is 0."""
    trains = bool(VERBS & set(args[:2])) and not {"--help", "-h"} & set(args)
    if not trains or SWITCH in variables or SETTINGS.keys() & variables.keys():
        return {}
    try:
        usable = "[never]" not in pages.read_text()
    except OSError:
        return {}
    return {**SETTINGS, SWITCH: OURS} if usable else {}


def begin_again(args: Sequence[str]) -> None:
    """Replace this process by one of the same command with these settings, where they are lacking; before any work.
    The second time they are in force, and leave the environment: programs that this one starts have their own needs."""
    if os.environ.get(SWITCH) == OURS:
        for name in (*SETTINGS, SWITCH):
            os.environ.pop(name, None)
        return
    if lacking := settings_for(args, os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **lacking})
