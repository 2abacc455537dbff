"""Several sentences that hold at once: what is read, and what becomes of the logits."""

from __future__ import annotations

import pytest
import torch

from storyreel.nn.text_adapter import LearnedText
from storyreel.systems.sentences import branches, guided


@pytest.fixture
def learned() -> LearnedText:
    torch.manual_seed(0)
    return LearnedText(8, 32, layers=1)


def test_a_branch_reads_its_own_sentence_alone(learned: LearnedText):
    states, null = torch.randn(2, 3, 5, 8), torch.randn(32)  # two videos of three sentences
    mask = torch.ones(2, 3, 5, dtype=torch.bool)
    text, seen, number = branches(states, mask, 2.0, learned, null)
    assert (number, text.shape, seen.shape) == (4, (8, 5, 32), (8, 5))
    for sentence in range(3):
        for video in range(2):
            wanted, _ = learned(states[video, sentence][None], mask[video, sentence][None])
            torch.testing.assert_close(text[2 * sentence + video], wanted[0])
    torch.testing.assert_close(text[6, 0], null)
    assert seen[6:].sum(1).tolist() == [1, 1]


def test_a_sentence_without_a_token_is_no_text(learned: LearnedText):
    states, mask = torch.randn(1, 2, 5, 8), torch.ones(1, 2, 5, dtype=torch.bool)
    mask[:, 1] = False
    text, seen, number = branches(states, mask, 2.0, learned, torch.randn(32))
    torch.testing.assert_close(text[1], text[2])
    assert seen[1].equal(seen[2])
    logits = torch.randn(3, 4)
    logits[1] = logits[2]
    torch.testing.assert_close(guided(logits, number, 2.0), guided(logits[[0, 2]], 2, 2.0), msg="so it adds nothing")


@pytest.mark.parametrize(("guidance", "sentences", "wanted"), [(1, 1, 1), (0, 1, 1), (2, 1, 2), (0, 2, 1), (1, 2, 3)])
def test_branches_that_would_not_count_are_left_out(learned: LearnedText, guidance: float, sentences: int, wanted: int):
    states, mask = torch.randn(2, sentences, 5, 8), torch.ones(2, sentences, 5, dtype=torch.bool)
    if sentences == 1:
        states, mask = states[:, 0], mask[:, 0]
    text, _, number = branches(states, mask, guidance, learned, torch.randn(32))
    assert (number, len(text)) == (wanted, 2 * wanted)


def test_logits_side_by_side_along_any_axis():
    logits = torch.randn(6, 5)  # two videos, two sentences and none
    one, other, none = logits.chunk(3)
    torch.testing.assert_close(guided(logits, 3, 1.5), none + 1.5 * (one - none) + 1.5 * (other - none))
    torch.testing.assert_close(guided(logits.T, 3, 1.5, 1), guided(logits, 3, 1.5).T)
