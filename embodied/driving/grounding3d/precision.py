"""Average precision of boxes seen from above (AP-BEV), for answers with or without a confidence.

One box is asked for and one answered, so recall is the share of the objects found, precision that of the boxes that are
right. Answers are ranked by the confidence they state; answers without one come last. Answers of equal rank count as
one point of the curve, so that their order does not matter. If no answer states a confidence, AP is recall times
precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def average_precision(right: Sequence[bool], confidence: Sequence[float | None], objects: int) -> float:
    """The area under the interpolated precision-recall curve.

    Args:
        right: Of each box answered, whether it is one (for instance, BEV IoU of 0.5 or more).
        confidence: Of each, in [0, 1], or None.
        objects: How many were asked for: boxes answered, and answers without a box.

    Returns:
        In [0, 1]; 0 without objects.
    """
    ranked = sorted(zip((-1.0 if c is None else c for c in confidence), right, strict=True), key=lambda p: -p[0])
    found, answered, curve = 0, 0, []
    for _, tied in groupby(ranked, key=lambda p: p[0]):
        hits = [hit for _, hit in tied]
        found, answered = found + sum(hits), answered + len(hits)
        curve.append((found / objects if objects else 0.0, found / answered))
    area, best, after = 0.0, 0.0, None
    for recall, precision in reversed(curve):
        if after is not None:
            area += (after - recall) * best
        best, after = max(best, precision), recall
    return area + (after or 0.0) * best
