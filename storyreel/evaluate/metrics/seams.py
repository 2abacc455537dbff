"""The joints of stories."""

from __future__ import annotations

from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.seams import Seams
from storyreel.wording import counted


def seams_score(who: Who, seams: Seams, stories: int) -> Measurement:
    """The step at the boundary of a story's parts over the ordinary steps beside it: 1 is no jump at all."""
    if not stories:
        raise ValueError("seams: no clip has a story of several parts in its metadata")
    document = seams.as_json()
    ratio = document["boundary_ratio"]
    interval = None if ratio["interval"] is None else (ratio["interval"][0], ratio["interval"][1])
    of = counted(stories, "story", "stories")
    note = f"{of}, largest step at a boundary {document['largest_boundary']:.3g} of 255"
    value = float("nan") if ratio["value"] is None else ratio["value"]
    return Measurement(who.score(value, ratio["n"], unit="joints", interval=interval, note=note))


def compute(inputs: Inputs) -> Measurement:
    stories = inputs.evaluation.stories
    return seams_score(inputs.who, stories.seams, stories.n)


METRICS = (Metric(name="seams", direction="lower", compute=compute, order=130),)
