"""What Phenaki's prior guesses of the codes that are hidden, from the text and from the frames that are given.

Axes: b videos, t latent frames, p patches, g digits a code, l text tokens, d width, m hidden tokens of all videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from storyreel.nn.gumbel import gumbel
from storyreel.systems.sentences import branches, guided

if TYPE_CHECKING:
    from storyreel.systems.phenaki import MaskGit


class Guesses:
    """The guesses at hidden codes of one sample, whose text is read once.

    known_weight: weight of what the first `known` latent frames add to the logits. None: the network sees them and is
    guided by the text. Otherwise the text guides a network that does not see them, and what they add to the text's
    logits is added with this weight, as sentences are added up (`systems.sentences`). A network trained to continue
    what it sees does so whatever the text says; with the two apart, it follows the text. Not in the paper.
    """

    def __init__(
        self, prior: MaskGit, text: Tensor, mask: Tensor, guidance: float, known: int, known_weight: float | None
    ) -> None:
        """Text (b, l, d) or sentences (b, k, l, d), and their mask."""
        self.prior, self.guidance = prior, guidance
        self.known, self.weight = known, known_weight if known else None
        read, self.mask, self.num_branches = branches(text, mask, guidance, prior.learned_text, prior.null_text)
        self.memory = prior.text_memory(read)

    def __call__(self, codes: Tensor, rng: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Codes with every hole sampled, and the log-probabilities of what was sampled; both (b, t, p, g).

        Sampling is by Gumbel noise of each video's own. ValueError for a model that gives NaN.
        """
        prior = self.prior
        holes = (codes == prior.mask_id).any(-1)  # (b, t, p)
        logits = self._logits(codes, holes)
        counts = holes.flatten(1).sum(1).tolist()
        values, confidence = [], []
        for x in logits.split(prior.tokenizer.sizes, -1):
            noise = torch.cat([gumbel((n, x.shape[-1]), g) for n, g in zip(counts, rng, strict=True)]).to(x.device)
            value = (x + noise).argmax(-1, keepdim=True)
            values.append(value)
            confidence.append(x.log_softmax(-1).gather(-1, value))
        found = torch.cat(confidence, -1)
        if not bool(found.isfinite().all()):
            raise ValueError("prior: the model gave NaN or infinity; nothing was sampled")
        guess = codes.masked_scatter(holes[..., None], torch.cat(values, -1))
        return guess, torch.zeros(codes.shape, device=codes.device).masked_scatter(holes[..., None], found)

    def _logits(self, codes: Tensor, holes: Tensor) -> Tensor:
        """(m, sum of the digits' sizes), of tokens with a hole alone."""
        if self.weight is None:
            return guided(self._seen(codes, holes, self.num_branches), self.num_branches, self.guidance)
        unseen = codes.clone()
        unseen[:, : self.known] = self.prior.mask_id
        alone = self._seen(unseen, holes, self.num_branches)
        cond_logits = alone[: holes.sum()]
        return guided(alone, self.num_branches, self.guidance) + self.weight * (
            self._seen(codes, holes, 1) - cond_logits
        )

    def _seen(self, codes: Tensor, holes: Tensor, num_branches: int) -> Tensor:
        """The logits of the first branches, one after the other."""
        prior, rows = self.prior, len(codes) * num_branches
        memory = [(keys[:rows], values[:rows]) for keys, values in self.memory]
        states = prior.hidden(codes.repeat(num_branches, 1, 1, 1), memory, self.mask[:rows])
        return prior.to_logits(states[holes.flatten(1).repeat(num_branches, 1)]).float()
