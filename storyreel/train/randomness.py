"""Random numbers that depend on what they are for, never on what was drawn before."""

from __future__ import annotations

import hashlib

import torch


def seed_of(*what: int | str) -> int:
    """A generator's seed from what it is for."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, what)).encode()).digest()[:8], "little") >> 1


def seed_dropout(seed: int) -> None:
    """Seed the global generators, for what takes no generator. (torch.manual_seed keeps a stack trace a call where
    there is a CUDA build and no device in use yet: 3 ms and a leak every step.)"""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
