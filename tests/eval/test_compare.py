"""Comparisons of runs: what is common, what is left out, and what the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from embodied.errors import UsageError
from embodied.eval import power as powers
from embodied.eval.compare import compare
from embodied.eval.results import read, success
from embodied.eval.statistics import detectable, spread
from tests.eval.runs import make_run


def two(tmp_path, a, b, **fields):
    """Results of two runs; keywords with `b_` go to the second."""
    first = make_run(tmp_path / "a", a, **{k: v for k, v in fields.items() if not k.startswith("b_")})
    second = make_run(tmp_path / "b", b, **{k[2:]: v for k, v in fields.items() if k.startswith("b_")})
    return read(first), read(second)


def test_paired_by_seed(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random(12), rng.random(12)
    (d,) = compare(two(tmp_path, {("a", "t"): list(x)}, {("a", "t"): list(y)})).differences
    want = stats.permutation_test((x - y,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert d.paired and d.pairs == 12 and d.difference == pytest.approx(x.mean() - y.mean())
    assert d.p == pytest.approx(want.pvalue) and d.p_holm == d.p
    assert d.interval[0] < d.difference < d.interval[1]
    assert d.detectable == pytest.approx(detectable(spread([(1.0, (x - y).var(ddof=1), 12)])))
    assert not d.left_out and not d.differs


def test_tasks_won_tied_lost_and_weights(tmp_path):
    a, b = (
        {("a", "x"): [1, 1], ("a", "y"): [0, 1], ("b", "z"): [0, 0, 0]},
        {("a", "x"): [0, 1], ("a", "y"): [1, 0], ("b", "z"): [1, 0, 0]},
    )
    (d,) = compare(two(tmp_path, a, b)).differences
    assert d.record == (1, 1, 1) and d.pairs == 7
    assert d.score_a == pytest.approx((1 + 0.5) / 2 / 2) and d.score_b == pytest.approx((0.5 + 1 / 3) / 2)


def test_what_is_not_common_is_left_out_and_said(tmp_path):
    a = {("a", "x"): [1, 0, 1, None], ("a", "only in a"): [1], ("a", "failed"): [1]}
    b = {("a", "x"): [1, 0], ("b", "only in b"): [0], ("a", "failed"): [None]}
    (d,) = compare(
        two(tmp_path, a, b, suite="one", b_suite="two", b_versions={"nle": "1.3"}, kwargs={"rules": "balrog"})
    ).differences
    said = " ".join(d.left_out)
    assert d.pairs == 2 and d.score_a == d.score_b == 0.5 and d.interval[0] < -0.5 and d.interval[1] > 0.5
    assert "Only in " in said and "a only in a" in said and "b only in b" in said
    assert "Without a scored episode" in said and "a failed" in said
    assert "1 seeds scored in " in said
    differs = " ".join(d.differs)
    assert (
        "Suites: one" in differs
        and "nle unknown against" in differs
        and "Option rules: 'balrog'" in differs
        and "the default" in differs
    )
    assert d.detectable is None, "two pairs can show nothing"


def test_what_the_agent_is_shown_makes_no_other_task(tmp_path):
    (d,) = compare(two(tmp_path, {("a", "x"): [1, 0]}, {("a", "x"): [1, 1]}, kwargs={"image": True})).differences
    assert not d.differs


def test_without_common_seeds_tasks_are_compared(tmp_path):
    rng = np.random.default_rng(1)
    x, y = 0.6 * rng.random(8), 0.6 * rng.random(10) + 0.36
    (d,) = compare(two(tmp_path, {("a", "t"): list(x)}, {("a", "t"): list(y)}, b_first_seed=1000)).differences
    want = stats.permutation_test((x, y), lambda i, j: i.mean() - j.mean(), n_resamples=20_000, rng=0).pvalue
    assert not d.paired and d.pairs == 18 and d.p == pytest.approx(want, abs=0.01)
    assert d.interval[0] < d.difference < d.interval[1] < 0 and d.detectable > 0


def test_several_pairs_are_corrected_together(tmp_path):
    rng = np.random.default_rng(2)
    runs = [
        read(make_run(tmp_path / n, {("a", "t"): list(np.clip(rng.normal(m, 0.1, 10), 0, 1))}))
        for n, m in (("a", 0.2), ("b", 0.3), ("c", 0.8))
    ]
    differences = compare(runs).differences
    assert len(differences) == 3 and all(d.p_holm >= d.p for d in differences)
    assert differences[1].p_holm == pytest.approx(3 * min(d.p for d in differences))


def test_nothing_in_common(tmp_path):
    a, b = two(tmp_path, {("a", "x"): [1, 0]}, {("b", "y"): [1, 0]})
    with pytest.raises(UsageError, match="nothing can be compared"):
        compare([a, b])
    assert compare([a, b, a]).nothing_in_common == ((a.path, b.path), (b.path, a.path))
    with pytest.raises(UsageError, match="two runs or more"):
        compare([a])


def test_success_can_be_compared(tmp_path):
    (d,) = compare(two(tmp_path, {("a", "x"): [1, 0.5, 0.9]}, {("a", "x"): [0.2, 1, 1]}), success).differences
    assert (d.score_a, d.score_b) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_power_from_a_pair_from_a_run_and_from_a_guess(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.random((2, 10))
    y = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1)
    a, b = two(
        tmp_path, {("a", str(i)): list(r) for i, r in enumerate(x)}, {("a", str(i)): list(r) for i, r in enumerate(y)}
    )
    pair = powers.power(powers.from_pair(a, b), 0.05)
    alone = powers.power(powers.from_run(a, 0.0), 0.05)
    related = powers.power(powers.from_run(a, 0.9), 0.05)
    assert pair.needed < alone.needed and 7 < alone.needed / related.needed < 11
    assert dict(pair.detectable)[10] == pytest.approx(
        detectable(spread((0.5, (x[i] - y[i]).var(ddof=1), 10) for i in range(2)))
    )
    sd = float(np.sqrt(x.var(axis=1, ddof=1).mean()))
    assert powers.power(powers.from_guess(sd, 2, 0.0), 0.05).needed == pytest.approx(alone.needed, rel=0.05)
    assert alone.episodes == 2 * alone.needed


def test_power_needs_something_that_varies(tmp_path):
    a, b = two(tmp_path, {("a", "x"): [1, 1, 1]}, {("a", "x"): [1]})
    with pytest.raises(UsageError, match="Nothing varies"):
        powers.power(powers.from_run(a, 0.0), 0.05)
    with pytest.raises(UsageError, match="no task with two common seeds"):
        powers.from_pair(a, b)
    with pytest.raises(UsageError, match="no task with two scored"):
        powers.from_run(b, 0.0)
