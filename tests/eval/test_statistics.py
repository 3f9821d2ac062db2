"""Statistics against scipy as oracle, and against simulation: do intervals and tests keep what their level promises?

Simulations say how many runs they simulate and which tolerance follows: three standard errors of the simulated rate,
and where the method is known to be off for tiny samples, what was measured.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from embodied.eval import statistics as st
from embodied.eval.bradley_terry import PRIOR, bradley_terry
from embodied.eval.intervals import difference_interval, interval
from embodied.eval.pairs import mcnemar, paired_p


@pytest.fixture(scope="module")
def bootstrap():
    """The interval that the benchmark of coverage measures against."""
    spec = importlib.util.spec_from_file_location("bootstrap", Path(__file__).parents[2] / "benchmarks/bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def strata(*tasks):
    return st.stratify({("game", str(i)): values for i, values in enumerate(tasks)})


# --------------------------------------------------------------------------- scipy as oracle


@pytest.mark.parametrize("freedom", [1, 2, 3.7, 10, 57.3, 1e4])
def test_student_distribution(freedom):
    for t in (-30, -2.2, -0.1, 0, 0.7, 3, 12.7):
        assert st.student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), rel=1e-9, abs=1e-14)
    for p in (0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999):
        assert st.student_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 10), (77, 120), (1, 1)])
def test_wilson(successes, n):
    for level in (0.8, 0.95):
        want = stats.binomtest(successes, n).proportion_ci(level, "wilson")
        assert st.wilson(successes, n, level) == pytest.approx((want.low, want.high), abs=1e-12)
    assert st.wilson(0, 0) is None


def test_a_constant_score_is_not_certain():
    low, high = interval(strata([0.0] * 4, [0.0] * 6))
    assert low == 0 and 0.2 < high < st.wilson(0, 10)[1]
    low, high = interval(strata([1.0] * 5, [0.0] * 5))
    assert low < 0.4 and high > 0.6
    assert interval(strata([0.5] * 5)) is None and "same score" in st.why_no_interval(strata([0.5] * 5))
    assert interval(strata([0.0], [1.0, 1.0])) is None
    assert st.why_no_interval(strata([0.0], [1.0, 1.0])) == "one episode only in game 0"
    assert st.why_no_interval([]) == "nothing is scored"


def test_standard_error_of_one_stratum_and_of_two():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=9), rng.normal(2, 3, size=5)
    assert st.spread_of(strata(a)).error == pytest.approx(stats.sem(a))
    assert st.spread_of(strata(a)).freedom == 8
    both = st.spread([(1, a.var(ddof=1), 9), (-1, b.var(ddof=1), 5)])
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert (a.mean() - b.mean()) / both.error == pytest.approx(welch.statistic)
    assert both.freedom == pytest.approx(welch.df)


def test_weights_are_environments_then_tasks_then_seeds():
    values = {("a", "x"): [1.0, 0.0], ("a", "y"): [1.0] * 10, ("b", "z"): [0.25], ("b", "never played"): []}
    assert st.mean(st.stratify(values)) == pytest.approx(((0.5 + 1) / 2 + 0.25) / 2)
    assert st.mean([]) is None
    assert st.by_seed([(7, 1.0), (8, 0.0), (7, 0.0)]) == {7: 0.5, 8: 0.0}


def test_bootstrap_spread_is_the_unbiased_standard_error(bootstrap):
    rng = np.random.default_rng(1)
    found = strata(*(rng.random(n) for n in (3, 4, 9)))
    draws = bootstrap.bootstrap_draws(found, resamples=40_000)
    assert draws.std() == pytest.approx(st.spread_of(found).error, rel=0.02)
    assert np.array_equal(draws, bootstrap.bootstrap_draws(found, resamples=40_000)), "seeded"


@pytest.mark.parametrize("n", [6, 10])
def test_paired_permutation_is_exact_when_small(n):
    rng = np.random.default_rng(n)
    differences = rng.choice([-0.5, 0.0, 0.25, 1.0], size=n)
    want = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert st.paired_permutation(strata(differences)) == pytest.approx(want.pvalue, abs=1e-12)


def test_paired_permutation_random_patterns_agree_with_scipy():
    differences = np.random.default_rng(3).normal(0.3, 1, size=40)
    want = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=50_000, rng=0)
    assert st.paired_permutation(strata(differences)) == pytest.approx(want.pvalue, abs=0.012)
    assert st.paired_permutation(strata(np.zeros(5))) == 1.0


def test_unpaired_permutation_agrees_with_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.9, 1, 8), rng.normal(0, 1, 12)
    want = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=20_000, rng=0)
    assert st.unpaired_permutation(strata(a), strata(b)) == pytest.approx(want.pvalue, abs=0.012)


def test_holm():
    assert st.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert st.holm([0.5, 0.9]) == [1.0, 1.0]
    assert st.holm([]) == []


@pytest.mark.parametrize("n", [5, 20, 200])
def test_detectable_difference_has_the_power_it_claims(n):
    """The noncentral t distribution is exact; the formula is a little off at few degrees of
    freedom (0.826 at n = 5).
    """
    found = st.Spread(1 / math.sqrt(n), n - 1)
    shift = st.detectable(found) / found.error
    critical = stats.t.ppf(0.975, n - 1)
    power = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert power == pytest.approx(0.8, abs=0.03 if n < 10 else 0.01)


def test_episodes_needed():
    n = st.episodes_needed([(1.0, 1.0)], 0.5)
    assert n == 34  # the textbook's one-sample t test, delta = sd / 2
    assert st.detectable(st.spread([(1.0, 1.0, n)])) <= 0.5 < st.detectable(st.spread([(1.0, 1.0, n - 1)]))
    assert st.episodes_needed([(0.5, 1.0), (0.5, 1.0)], 0.5) < n
    assert st.episodes_needed([(1.0, 1.0)], 0.5, most=20) is None
    assert st.episodes_needed([(1.0, 0.0)], 0.5) == 2


def test_bradley_terry_is_the_maximum_of_its_likelihood():
    rng = np.random.default_rng(5)
    truth = {"a": 1.0, "b": 0.2, "c": -1.2, "d": 0.0}
    votes = []
    for _ in range(200):
        x, y = rng.choice(list(truth), 2, replace=False)
        p = 1 / (1 + math.exp(truth[y] - truth[x]))
        votes.append((x, y, 0.5 if rng.random() < 0.1 else float(rng.random() < p)))
    names = sorted(truth)

    def loss(theta):
        s = dict(zip(names, theta, strict=True))
        own = sum(w * np.logaddexp(0, s[y] - s[x]) + (1 - w) * np.logaddexp(0, s[x] - s[y]) for x, y, w in votes)
        return own + PRIOR * sum(np.logaddexp(0, t) + np.logaddexp(0, -t) for t in theta)

    best = optimize.minimize(loss, np.zeros(4), tol=1e-10).x
    found = {s.name: s for s in bradley_terry(votes)}
    assert [found[n].strength for n in names] == pytest.approx(best - best.mean(), abs=1e-4)
    assert sum(s.votes for s in found.values()) == 400 and sum(s.wins for s in found.values()) == 200
    assert bradley_terry([]) == []
    always = bradley_terry([("a", "b", 1.0)] * 3)
    assert (
        always[0].name == "a"
        and math.isfinite(always[0].strength)
        and always[0].interval[0] < 0 < always[0].interval[1]
    )


# --------------------------------------------------------------------------- simulation

RUNS = 400
"""Simulated runs. Three standard errors of a rate of 0.95: 0.033."""

SUITES = {
    # what is simulated: (chance of success of each task, episodes a task)
    "BabyAI: 5 tasks, 10 episodes": (np.linspace(0.2, 0.9, 5), 10),
    "Baba: 40 tasks, 3 episodes": (np.linspace(0.05, 0.95, 40), 3),
    "MiniHack, hard: 8 tasks, 5 episodes": (np.array([0, 0.1, 0.2, 0.3, 0.05, 0.4, 0, 0.1]), 5),
}


@pytest.mark.parametrize("suite", SUITES)
def test_bootstrap_intervals_cover(bootstrap, suite):
    """95 % intervals of success rates. Measured over 2,000 runs: 0.952, 0.963, 0.943 (4 runs without any success had no
    interval).
    """
    chances, n = SUITES[suite]
    rng = np.random.default_rng(6)
    found = [
        bootstrap.bootstrap_interval(strata(*(rng.random(n) < p for p in chances)), resamples=1_000)
        for _ in range(RUNS)
    ]
    found = [i for i in found if i is not None]
    assert len(found) > 0.98 * RUNS
    assert 0.95 - 0.033 <= covered(found, chances.mean()) <= 0.995


@pytest.mark.parametrize(("n", "measured"), [(30, 0.944), (10, 0.931), (5, 0.892)])
def test_bootstrap_intervals_of_one_skewed_task_cover(bootstrap, n, measured):
    """One task alone, skewed progress (Beta(1, 4)): fewer than ten episodes of one task are few, and docs/statistics.md
    says so.
    """
    rng = np.random.default_rng(7)
    found = [bootstrap.bootstrap_interval(strata(rng.beta(1, 4, n)), resamples=1_000) for _ in range(RUNS)]
    assert covered(found, 0.2) == pytest.approx(measured, abs=3 * math.sqrt(measured * (1 - measured) / RUNS))


def covered(intervals, truth) -> float:
    return float(np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in intervals]))


def test_differences_of_paired_runs_cover(bootstrap):
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(RUNS):
        luck = rng.random((6, 5))
        differences = [(luck[t] < 0.7).astype(float) - (luck[t] < 0.5) for t in range(6)]
        found = bootstrap.bootstrap_interval(strata(*differences), resamples=1_000)
        hits += found is not None and found[0] - 1e-12 <= 0.2 <= found[1] + 1e-12
    assert hits / RUNS >= 0.95 - 0.033


def test_permutation_tests_reject_a_true_null_at_their_level():
    """Ties make the tests conservative, never more than 5 % (+ three standard errors) too keen."""
    rng = np.random.default_rng(9)
    paired = unpaired = 0
    for _ in range(RUNS):
        a, b = (rng.random((4, 8)) < 0.4).astype(float), (rng.random((4, 8)) < 0.4).astype(float)
        paired += st.paired_permutation(strata(*(a - b)), resamples=500) <= 0.05
        unpaired += st.unpaired_permutation(strata(*a), strata(*b), resamples=500) <= 0.05
    assert 0.005 <= paired / RUNS <= 0.083
    assert 0.005 <= unpaired / RUNS <= 0.083


def test_power_is_reached_with_the_episodes_it_asks_for():
    """A difference of 0.3 sd on three tasks; the paired permutation test sees it in 80 % of runs, give or take 6 %."""
    n = st.episodes_needed([(1 / 3, 1.0)] * 3, 0.3)
    rng = np.random.default_rng(10)
    seen = sum(st.paired_permutation(strata(*rng.normal(0.3, 1, (3, n))), resamples=500) <= 0.05 for _ in range(RUNS))
    assert 0.74 <= seen / RUNS <= 0.86


def test_bradley_terry_intervals_cover():
    """Four players, 30 votes a pair. 1,200 intervals; the prior pulls a little to the middle."""
    truth = np.array([0.8, 0.3, -0.4, -0.7])
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(300):
        votes = []
        for i in range(4):
            for j in range(i):
                won = rng.binomial(30, 1 / (1 + np.exp(truth[j] - truth[i])))
                votes += [(str(i), str(j), 1.0)] * won + [(str(i), str(j), 0.0)] * (30 - won)
        hits += sum(s.interval[0] <= truth[int(s.name)] <= s.interval[1] for s in bradley_terry(votes))
    assert 0.92 <= hits / 1200 <= 0.98


HARD = {
    # where the bootstrap covered 0.79 to 0.86: (chances, episodes a task, coverage measured over 2,000 runs)
    "5x10, four at .97 and one at .1": ([0.97] * 4 + [0.1], 10),
    "5x10, half .97 and half .03": ([0.97] * 3 + [0.03] * 2, 10),
    "5x2 at .5": ([0.5] * 5, 2),
    "5x2, .02 to .98": ([0.02, 0.1, 0.3, 0.7, 0.98], 2),
    "40x3, one .1": ([0.97] * 39 + [0.1], 3),
    "1x10 at .9": ([0.9], 10),
}


@pytest.mark.parametrize("design", HARD)
def test_intervals_cover_where_most_tasks_come_out_constant(design):
    chances, n = HARD[design]
    rng = np.random.default_rng(12)
    found = [interval(strata(*((rng.random(n) < p).astype(float) for p in chances))) for _ in range(RUNS)]
    assert covered(found, np.mean(chances)) >= 0.93 - 0.02


def test_an_environment_without_a_success_adds_uncertainty():
    some = {("a", "x"): [0.0, 1.0] * 5}
    alone = interval(st.stratify(some))
    both = interval(st.stratify(some | {("b", "y"): [0.0] * 5}))
    assert both[1] - 0.25 > (alone[1] - 0.5) / 2 + 0.02, "upwards"
    assert 0.25 - both[0] == pytest.approx((0.5 - alone[0]) / 2), "not downwards: it cannot be worse than 0"


def test_intervals_are_symmetric_in_what_is_called_success_and_alike_for_any_order():
    values = [np.array([0.0, 0, 1, 1, 0]), np.array([1.0, 1, 1]), np.array([0.2, 0.4])]
    low, high = interval(strata(*values))
    other = interval(strata(*(1 - v for v in values)))
    assert (1 - other[1], 1 - other[0]) == pytest.approx((low, high))
    assert interval(strata(*(v[::-1] for v in values[::-1]))) == pytest.approx((low, high))


def test_intervals_of_differences_cover_and_pairing_narrows_them():
    rng = np.random.default_rng(13)
    paired, apart = [], []
    for _ in range(RUNS):
        luck = rng.random((5, 10))
        a, b = (
            strata(*(luck < 0.7).astype(float)),
            strata(*(np.where(rng.random((5, 10)) < 0.15, rng.random((5, 10)), luck) < 0.5).astype(float)),
        )
        paired.append(difference_interval(a, b, paired=True))
        apart.append(difference_interval(a, b, paired=False))
    assert covered(paired, 0.2) >= 0.93 and covered(apart, 0.2) >= 0.93
    assert np.mean([h - w for w, h in paired]) < 0.85 * np.mean([h - w for w, h in apart])
    same = strata([1.0, 0.0] * 5)
    low, high = difference_interval(same, same, paired=True)
    assert low < 0 < high, "two equal runs are not certainly equal"


@pytest.mark.parametrize("n", [8, 12, pytest.param(25, marks=pytest.mark.slow)])
def test_mcnemar_is_valid_and_keener_than_the_sign_test(n):
    """Exactly: over all rates at which pairs differ. At 25 pairs of which one in five differ it rejects 0.049 of true
    nulls, the sign test 0.008.
    """
    p = {(a, m - a): mcnemar(a, m - a, n) for m in range(n + 1) for a in range(m + 1)}
    a, m = np.array([(a, a + b) for a, b in p]).T
    keen = np.array(list(p.values())) <= 0.05
    sign = np.array([m > 0 and stats.binomtest(int(a), int(m)).pvalue <= 0.05 for a, m in zip(a, m, strict=True)])
    for rate in np.linspace(0.02, 1, 40):
        chances = stats.binom.pmf(m, n, rate) * stats.binom.pmf(a, m, 0.5)
        rejects, signs = chances[keen].sum(), chances[sign].sum()
        assert signs - 0.002 <= rejects <= 0.05 + 1e-9
    assert mcnemar(3, 3, n) == 1 and mcnemar(5, 1, n) == mcnemar(1, 5, n)


def test_the_paired_test_counts_coins_and_permutes_everything_else():
    assert paired_p(strata([1.0] * 6, [0.0] * 6)) == mcnemar(6, 0, 12)
    uneven = strata([1.0] * 6, [0.0] * 3)
    assert paired_p(uneven) == st.paired_permutation(uneven)
    graded = strata([0.5] * 6)
    assert paired_p(graded) == st.paired_permutation(graded)


@pytest.mark.parametrize(("n", "least"), [(2, 0.88), (3, 0.92), (5, 0.92), (10, 0.94), (20, 0.935)])
def test_interval_of_one_small_task_covers_every_chance(n, least):
    """Exact, over chances of .01 to .99. Two episodes cannot do better than .88 without an interval of nearly
    everything.
    """
    found = [interval(strata([1.0] * k + [0.0] * (n - k))) for k in range(n + 1)]
    chances = np.linspace(0.01, 0.99, 99)
    covered = [
        sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k, (low, high) in enumerate(found) if low <= p <= high)
        for p in chances
    ]
    assert min(covered) >= least
