"""One training loop for every stage of every system. It knows `Stage` and no system.

`storyreel.train(...)` calls the package itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storyreel.callable_package import call

if TYPE_CHECKING:
    from storyreel.train.loop import train_stage as train_stage
    from storyreel.train.stages import train_system as train_system

__all__ = ["train_stage", "train_system"]
call(__name__, "command:train")


def __getattr__(name: str) -> Any:  # torch is imported when it is needed, not with the package
    if name == "train_stage":
        from storyreel.train.loop import train_stage

        return train_stage
    if name == "train_system":
        from storyreel.train.stages import train_system

        return train_system
    raise AttributeError(name)
