"""What makes a pipeline of diffusers smaller or faster, at a price in pixels: decoding in tiles, layerwise casting of
its networks' weights, and caches between steps. All three are settings of a video, so that `--from` makes it again.

Each is offered where the classes that the index names have it, before anything is loaded.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from storyreel.hub.families import NETWORKS
from storyreel.hub.reference import components
from storyreel.options.generation import GenerateOptions
from storyreel.options.step_cache import BROADCAST, FIRST_BLOCK, TAYLORSEER

SKIPPED = (100, 800)  # of 1000 noise levels, where pyramid attention broadcast takes attention from an earlier step


def served(index: Mapping[str, Any]) -> set[str]:
    """The settings of this module that a pipeline's classes can do."""
    import diffusers

    parts = {name: getattr(diffusers, kind, None) for name, (_, kind) in components(dict(index)).items()}
    at_each_step = [parts[name] for name in NETWORKS if parts.get(name) is not None]

    def all_have(method: str) -> bool:
        return bool(at_each_step) and all(hasattr(kind, method) for kind in at_each_step)

    can = {
        "tiling": _tiles(parts.get("vae")),
        "layerwise": all_have("enable_layerwise_casting"),
        "step_cache": all_have("enable_cache"),
    }
    return {name for name, possible in can.items() if possible}


def _tiles(vae: Any) -> bool:
    """Whether a class of autoencoders decodes in tiles; those that cannot inherit a method that refuses."""
    return vae is not None and "use_tiling" in inspect.unwrap(vae.__init__).__code__.co_names


def cast_layerwise(pipe: Any, dtype: torch.dtype) -> None:
    """Keep the weights of the networks that run at each step in 8 bits (e4m3), each brought to `dtype` for its turn.

    Norms and embeddings stay as they are; diffusers knows which.
    """
    for network in networks(pipe):
        network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)


def networks(pipe: Any) -> list[Any]:
    return [part for name in NETWORKS if (part := getattr(pipe, name, None)) is not None]


@contextmanager
def using(pipe: Any, options: GenerateOptions, offloaded: bool) -> Iterator[None]:
    """In the block one video is made, in tiles where that is asked for or parts are offloaded, with its own cache."""
    with ExitStack() as stack:
        if options.tiling and not offloaded:  # `place` has the decoder of an offloaded pipeline work in tiles
            pipe.vae.enable_tiling()
            stack.callback(pipe.vae.disable_tiling)
        if options.step_cache is not None:
            for network in networks(pipe):
                _enable(network, options.step_cache, pipe)
                stack.callback(network.disable_cache)
        yield


def _enable(network: Any, cache: str, pipe: Any) -> None:
    """ValueError, one line: the network has no blocks that this cache knows, or too few."""
    try:
        network.enable_cache(_cache(cache, pipe))
    except Exception as error:  # of diffusers: each cache has its own
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"step_cache: {cache}: does not fit {type(network).__name__} ({lines[0][:160]})") from None


def _cache(cache: str, pipe: Any) -> Any:
    """A configuration of diffusers from what `read_step_cache` gave."""
    hooks: Any = importlib.import_module("diffusers.hooks")
    kind, _, number = cache.partition(":")
    if kind == FIRST_BLOCK:
        return hooks.FirstBlockCacheConfig(threshold=float(number))
    if kind == TAYLORSEER:
        return hooks.TaylorSeerCacheConfig(cache_interval=int(number))
    assert kind == BROADCAST
    return hooks.PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=int(number), spatial_attention_timestep_skip_range=SKIPPED,
        current_timestep_callback=lambda: pipe.current_timestep,
    )  # fmt: skip
