"""Agents that ask: what is promised holds on exchangeable episodes, and what cannot be promised is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from embodied.agents.asking.calibration import Calibration, chosen, load, needed, score, threshold
from embodied.errors import StoreError, UsageError
from embodied.eval.asking import Moment, report, scores

RECORDED = Path(__file__).parents[1] / "fixtures/asking/tinyvlm-goto.json"
REPETITIONS = 1000
ACTIONS = ("left", "right", "ahead", "toggle")


def synthetic(rng: np.random.Generator) -> tuple[Moment, ...]:
    """An episode of dependent steps: some are hard from beginning to end. In every third step two actions are right."""
    skill, length = rng.normal(1.5, 1.0), int(rng.integers(2, 7))
    steps = []
    for _ in range(length):
        right = rng.permutation(4)[: 1 + (rng.random() < 0.33)]
        logits = rng.normal(size=4)
        logits[right[0]] += skill
        odds = np.exp(logits) / np.exp(logits).sum()
        steps.append(
            Moment(dict(zip(ACTIONS, odds.tolist(), strict=True)), frozenset(ACTIONS[i] for i in right), ACTIONS)
        )
    return tuple(steps)


def covers(moment: Moment, limit: float) -> bool:
    return bool(moment.right & set(moment.set(limit)))


@pytest.mark.parametrize("level", ["episode", "step"])
def test_sets_cover_as_often_as_promised(level):
    """1,000 repetitions: 19 episodes to calibrate, one to check. The promise is between 0.8 and 0.8 + 1 / 20."""
    rng, risk, n, held = np.random.default_rng(7), 0.2, 19, 0.0
    for repetition in range(REPETITIONS):
        *episodes, new = [synthetic(rng) for _ in range(n + 1)]
        limit = threshold(scores(episodes, level, seed=repetition), risk)
        covered = [covers(moment, limit) for moment in new]
        held += all(covered) if level == "episode" else covered[int(rng.integers(len(covered)))]
    error = 3 * math.sqrt(0.2 * 0.8 / REPETITIONS)
    assert 1 - risk - error <= held / REPETITIONS <= 1 - risk + 1 / (n + 1) + error


def test_steps_taken_for_independent_would_promise_too_much():
    """Why an episode gives one score: with a score for every step, whole episodes fail far more often than told."""
    rng = np.random.default_rng(8)
    episodes, others = ([synthetic(rng) for _ in range(400)] for _ in range(2))
    limit = threshold([moment.score() for played in episodes for moment in played], 0.2)
    assert np.mean([all(covers(moment, limit) for moment in played) for played in others]) < 0.6


def test_recorded_episodes_of_tinyvlm_are_covered_and_asking_beats_chance():
    """80 recorded episodes, split in halves 100 times."""
    episodes = [
        tuple(Moment(shares, frozenset(right)) for shares, right in played)
        for played in json.loads(RECORDED.read_text())["episodes"]
    ]
    rng, risk = np.random.default_rng(3), 0.1
    rows = []
    for _ in range(100):
        order = rng.permutation(len(episodes))
        fit, held = ([episodes[int(i)] for i in part] for part in (order[:40], order[40:]))
        found = report(held, calibration(threshold(scores(fit, "episode"), risk), risk))
        asks, chance, never = found.rows
        rows.append((found.covered, asks.failed, chance.failed, never.failed, asks.rate, chance.rate))
    covered, failed, by_chance, alone, rate, rate_by_chance = np.mean(rows, axis=0)
    assert abs(covered - 37 / 41) < 0.03  # ceil(41 * 0.9) of 41 are covered on average, up to ties
    assert failed <= 1 - covered and failed < by_chance / 2 < alone / 2
    assert rate == pytest.approx(rate_by_chance) and rate < 0.5


def calibration(limit: float, risk: float) -> Calibration:
    return Calibration(limit, risk, "episode", 40, 0.1, "train", "", "")


def test_a_set_with_one_of_several_right_actions_covers():
    shares = {"left": 0.7, "right": 0.2, "ahead": 0.1}
    assert score(shares, {"Right", "toggle"}) == pytest.approx(0.8)
    assert score(shares, {"toggle"}) == 1.0
    assert chosen(shares, 0.8) == ["left", "right"] and chosen(shares, 0.2) == []
    assert chosen(shares, 1.0, ACTIONS) == ["left", "right", "ahead", "toggle"]


def test_random_control_is_computed_not_drawn():
    sure = Moment({"left": 1.0}, frozenset({"left"}))
    wrong = Moment({"left": 0.6, "right": 0.4}, frozenset({"right"}))
    found = report([(sure, wrong)], calibration(0.6, 0.2))
    asks, chance, never = found.rows
    assert (asks.asks, asks.wrong_steps, asks.failed) == (1.0, 0.0, 0.0)
    assert (chance.asks, chance.wrong_steps, chance.failed) == (1.0, 0.5, 0.5)
    assert (never.asks, never.wrong_steps, never.failed) == (0.0, 0.5, 1.0)
    assert found.covered == 1.0 and found.size == 1.5


@pytest.mark.parametrize(("risk", "least"), [(0.5, 1), (0.1, 9), (0.05, 19), (0.01, 99)])
def test_fewer_episodes_than_a_risk_needs_are_refused_with_the_number(risk, least):
    assert needed(risk) == least
    threshold([0.5] * least, risk)
    with pytest.raises(UsageError, match=f"at least {least} calibration episodes, and there are {least - 1}"):
        threshold([0.5] * (least - 1), risk)


@pytest.mark.parametrize("risk", [0.0, 1.0, -1.0, math.nan])
def test_a_risk_that_is_no_share(risk):
    with pytest.raises(UsageError, match="A risk is a share"):
        threshold([0.5] * 100, risk)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[", '{"threshold": 2}', "[" * 60_000, json.dumps(None)]
    + [
        json.dumps({**{name: getattr(calibration(0.5, 0.1), name) for name in Calibration.__struct_fields__}, **bad})
        for bad in ({"threshold": 1.5}, {"level": "game"}, {"score": "x"}, {"rate": "a"}, {"more": 1})
    ],
)
def test_a_strange_calibration_is_one_sentence(text, tmp_path):
    place = tmp_path / "asking.json"
    place.write_text(text)
    with pytest.raises(StoreError, match="is not a calibration"):
        load(place)
    with pytest.raises(StoreError, match="is not a calibration"):
        load(tmp_path / "none.json")
