"""A stage made ready to be trained as its recipe says."""

from __future__ import annotations

from torch import nn

from storyreel.model import inner_stages
from storyreel.recipe import StageRecipe
from storyreel.systems.base import Stage


def prepare_stage(stage: Stage, recipe: StageRecipe, name: str) -> None:
    """Training mode, earlier stages frozen, and what the recipe asks of the stage itself."""
    inner = inner_stages(stage)
    theirs = {id(p) for each in inner for p in each.parameters()}
    own = [p for p in stage.parameters() if id(p) not in theirs]
    if not any(p.requires_grad for p in own):  # frozen as a whole, by the later stage that holds it
        for p in own:
            p.requires_grad_(True)
    for each in inner:
        each.requires_grad_(False)
    train_mode(stage)
    if hasattr(stage, "gradient_checkpointing"):
        setattr(stage, "gradient_checkpointing", recipe.gradient_checkpointing)  # noqa: B010
    elif recipe.gradient_checkpointing:
        raise ValueError(f"stages.{name}.gradient_checkpointing: {type(stage).__name__} cannot do that")
    if recipe.compile:
        compile_stage(stage)


def train_mode(stage: Stage) -> None:
    stage.train()
    for inner in inner_stages(stage):
        inner.eval()


def compile_stage(stage: Stage) -> None:
    """Compile the networks inside a stage, each as a whole; the loss around them stays plain Python."""
    for child in stage.children():
        if not isinstance(child, Stage):
            for part in child if isinstance(child, nn.ModuleList) else [child]:
                part.compile()
