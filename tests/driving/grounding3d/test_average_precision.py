"""AP-BEV by hand, and what it must keep whatever the answers."""

import numpy as np
import pytest

from embodied.driving.grounding3d.precision import average_precision


@pytest.mark.parametrize(
    ("right", "confidence", "objects", "want"),
    [
        ([True, True], [None, None], 2, 1.0),
        ([True, False], [None, None], 2, 0.25),  # without confidences: recall 1/2 times precision 1/2
        ([True, False], [None, None], 4, 0.125),
        ([True, False], [0.9, 0.1], 2, 0.5),
        ([True, False], [0.1, 0.9], 2, 0.25),
        ([True, False, True], [0.9, 0.8, 0.7], 3, 1 / 3 + 1 / 3 * 2 / 3),
        # interpolated: the later precision is the greater one
        ([False, True, True], [0.9, 0.8, 0.7], 3, 2 / 3 * 2 / 3),
        ([True, False], [0.0, None], 2, 0.5),  # one stated, however low, comes before none
        ([False], [0.5], 1, 0.0),
        ([], [], 3, 0.0),
        ([], [], 0, 0.0),
    ],
)
def test_by_hand(right, confidence, objects, want):
    assert average_precision(right, confidence, objects) == pytest.approx(want)


def test_order_of_the_answers_does_not_matter_and_better_ranking_never_lowers_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        right = (rng.random(30) < 0.5).tolist()
        confidence = [None if c > 0.9 else round(float(c), 1) for c in rng.random(30)]
        value = average_precision(right, confidence, 35)
        order = rng.permutation(30)
        assert average_precision([right[i] for i in order], [confidence[i] for i in order], 35) == pytest.approx(value)
        best = average_precision(right, [float(r) for r in right], 35)
        assert 0 <= value <= best + 1e-12 and best == pytest.approx(sum(right) / 35)
