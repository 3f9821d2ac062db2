"""score, compare and power on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.eval.runs import make_run


def test_score_says_what_is_missing(call):
    run = make_run(Path("run"), {("a", "x"): [1, float("nan"), None], ("a", "y"): [0, 1]})
    (run.folder(run.record.planned[3].id) / "episode.json").write_text("{")
    code, out, _ = call("score", "run")
    assert code == 0 and "2/5 (1 infra_failure)" in out
    assert (
        "No interval: one episode only in a x" in out
        and "1 episode ended without a score" in out
        and "could not be read and count as not played: 1" in out
    )
    body = json.loads(call("score", "run", "--json")[1])
    assert body["total"]["unscorable"] == 1 and len(body["damaged"]) == 1 and body["total"]["no_interval"]
    assert "standard error" in call("score", "run", "--statistics", "balrog")[1]
    assert (
        json.loads(call("score", "run", "--statistics", "balrog", "--json")[1])["environments"]["a"]["episodes_played"]
        == 2
    )


def test_score_of_an_empty_run(call):
    make_run(Path("run"), {})
    code, out, _ = call("score", "run")
    assert code == 0 and "nothing is scored" in out
    assert call("score", "run", "--statistics", "balrog")[0] == 0


def test_compare(call):
    make_run(Path("a"), {("a", "x"): [1] * 8, ("a", "extra"): [0]})
    make_run(Path("b"), {("a", "x"): [0] * 8}, versions={"numpy": "1"})
    code, out, _ = call("compare", "a", "b", "--tasks")
    assert (
        code == 0
        and "a is better than b: 100.0 points, p = 0.009" in out
        and "Only in a: a extra." in out
        and "Versions, a against b: " in out
        and "numpy" in out
    )
    body = json.loads(call("compare", "a", "b", "--json")[1])["differences"][0]
    assert (body["difference"], body["won"], body["tied"], body["lost"]) == (1.0, 1, 0, 0) and body[
        "p"
    ] == pytest.approx(2 / 256 + 0.001, rel=0.02)


def test_compare_says_when_nothing_is_shown(call):
    make_run(Path("a"), {("a", "x"): [1, 0, 1, 0, 1, 0, 1]})
    make_run(Path("b"), {("a", "x"): [0, 1, 1, 1, 0, 0, 1]})
    out = call("compare", "a", "b")[1]
    assert "No difference shown between a and b" in out and "in four of five" in out and "embodied power a b" in out


def test_power(call):
    make_run(Path("a"), {("a", "x"): [1, 0, 1, 0, 1, 0, 1]})
    code, out, _ = call("power", "a", "--difference", "10")
    assert code == 0 and "A difference of 10 points takes" in out
    body = json.loads(call("power", "--sd", "0.5", "--tasks", "4", "--difference", "10", "--json")[1])
    assert body["episodes"] == 4 * body["needed"] and body["tasks"] == 4


def test_bad_input(call):
    make_run(Path("a"), {("a", "x"): [1, 0]})
    make_run(Path("b"), {("b", "y"): [1, 0]})
    for arguments, code, words in (
        (("compare", "a"), 2, "two runs or more"),
        (("compare", "a", "b"), 2, "nothing can be compared"),
        (("compare", "a", "nowhere"), 4, "nowhere is not a run folder"),
        (("power",), 2, "--sd"),
        (("power", "a", "--sd", "0.4"), 2, "--sd"),
        (("power", "a", "b"), 2, "no task with two common seeds"),
    ):
        got, out, err = call(*arguments)
        assert (got, words in err) == (code, True), out + err


def test_score_says_who_played_and_what_it_cost(call):
    make_run(
        Path("run"),
        {("babyai", "x"): [1, 0]},
        suite="balrog",
        config={"preset": "mine", "agent": {"policy": "cot"}},
        versions={"nle": "1.3.0"},
    )
    make_run(Path("blind"), {("babyai", "x"): [1, 0]}, config={"agent": {"policy": "random"}, "preset": "random"})
    body = json.loads(call("score", "run", "--json")[1])
    said = {key: body[key] for key in ("suite", "agent", "preset", "model", "versions")}
    assert said["versions"]["nle"] == "1.3.0" and len(body["identity"]) > 20 and body["created"]
    assert (said["suite"], said["agent"], said["preset"]) == ("balrog", "cot", "mine")
    assert (said["model"], body["usage"]["input"], body["usage"]["output"]) == ("openai/gpt-4o", 200, 20)
    assert body["dollars"] == pytest.approx((200 * 2.5 + 20 * 10) / 1e6)
    head = call("score", "run")[1].partition("environment")[0]
    for words in ("cot (preset mine)", "openai/gpt-4o", "200 tokens in, 20 out; 0.0007 dollars", "nle 1.3.0"):
        assert words in head
    assert json.loads(call("score", "run", "--json", "--statistics", "balrog")[1])["agent"] == "cot"
    blind = json.loads(call("score", "blind", "--json")[1])
    assert blind["model"] == "" and blind["dollars"] is None and "model" not in call("score", "blind")[1]
