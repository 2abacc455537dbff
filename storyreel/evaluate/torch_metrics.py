"""FVD, KVD and FID as `torchmetrics.Metric`s, which accumulate over batches and processes. Needs torchmetrics.

fvd = DistanceOfSets("fvd", "i3d-k400")
fvd.update(videos, real=True)      # uint8 (b, t, h, w, 3)
fvd.update(made, real=False)
fvd.compute()                      # the value that `storyreel evaluate --metrics fvd` gives
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from storyreel.evaluate.extractors import Extractor, load_extractor
from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.kernel import kernel_distance
from storyreel.evaluate.metrics import metrics

COMPUTED_BY = {"fvd": frechet_distance, "fid": frechet_distance, "kvd": lambda x, y: kernel_distance(x, y)[0]}


class DistanceOfSets(Metric):
    """The distance of made clips from real ones in the features of an extractor; lower is better.

    name: fvd, kvd or fid. extractor: its name (`storyreel models weights`), or one that is loaded. ValueError: another
    name, or an extractor of clips where one of frames is needed.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    made: list[Tensor]
    real: list[Tensor]

    def __init__(self, name: str, extractor: str | Extractor) -> None:
        super().__init__()
        if name not in COMPUTED_BY:
            raise ValueError(f"name: expected {', '.join(COMPUTED_BY)}, got {name!r}")
        self.measure = name
        self.extractor = load_extractor(extractor) if isinstance(extractor, str) else extractor
        kind = metrics()[name].kind
        if self.extractor.kind != kind:
            raise ValueError(f"{name}: expected an extractor of {kind}s, got {self.extractor.name}")
        self.add_state("made", [], dist_reduce_fx="cat")
        self.add_state("real", [], dist_reduce_fx="cat")

    @torch.inference_mode()
    def update(self, videos: Tensor, real: bool) -> None:
        """videos: uint8 (b, t, h, w, 3)."""
        features = self.extractor.features(videos)
        (self.real if real else self.made).append(features.reshape(-1, features.shape[-1]))

    def compute(self) -> Tensor:
        """ValueError where one side has too few clips."""
        made, real = (torch.cat(list(side)) if len(side) else torch.zeros(0, 1) for side in (self.made, self.real))
        if min(len(made), len(real)) < 2:
            raise ValueError(f"{self.measure}: expected 2 clips a side at least, got {len(made)} and {len(real)}")
        return torch.tensor(COMPUTED_BY[self.measure](made, real))
