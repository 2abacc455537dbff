"""A signal that also ends the processes that read for the training leaves a checkpoint, as any other does."""

from __future__ import annotations

import os
import signal

import pytest
from test_resume import contents, train
from toy import ToyLoader, build, toy_recipe

from storyreel.run import Run
from storyreel.train import train_system


class Ended(ToyLoader):
    """At batch `at` its readers are gone; with `asked`, by a signal that this process got as well."""

    at, asked = 7, True

    def batch(self, step):
        if step == self.at:
            if self.asked:
                os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")
        return super().batch(step)


def ended(name, settings, stage, prepare, key):
    return Ended(settings.data, prepare)


def test_a_signal_to_the_whole_group_leaves_a_checkpoint(tmp_path):
    recipe = toy_recipe()
    with pytest.raises(KeyboardInterrupt):
        train_system(lambda: build(recipe), Run.open(tmp_path / "cut", recipe), ended)
    assert (tmp_path / "cut/tokenizer/checkpoint-7").is_dir()
    train(tmp_path / "cut", recipe)
    train(tmp_path / "whole", recipe)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_readers_that_end_by_themselves_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(Ended, "asked", False)
    recipe = toy_recipe()
    with pytest.raises(RuntimeError, match="killed by signal"):
        train_system(lambda: build(recipe), Run.open(tmp_path, recipe), ended)
