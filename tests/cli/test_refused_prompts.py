"""Prompts that a server refuses: for what they say, for their length, or for a setting of all of them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embodied.store import Run
from tests.servers_that_refuse import Refuse, Refusing, longer_than, mentions, setting

ROOT = Path(__file__).parents[2]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return call


@contextmanager
def serving(refuse: Refuse, reply: Callable[[str], str] = lambda text: "turn left") -> Iterator[Refusing]:
    server = Refusing(refuse, reply)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def request(server: Refusing, steps: int, episodes: int, out: str, *words: str) -> tuple[str, ...]:
    played = (
        "--env",
        "babyai",
        "--task",
        "BabyAI-MixedTrainLocal-v0/goto",
        "--steps",
        str(steps),
        "--episodes",
        str(episodes),
        "--out",
        out,
    )
    return (
        "eval",
        *played,
        "--agent",
        "naive",
        "--model",
        "compatible/m",
        f"model.base_url={server.url}/v1",
        "run.workers=1",
        *words,
    )


def outcomes(folder: str) -> dict[int, str]:
    run = Run(folder)
    return {spec.index: found.outcome for spec in run.record.planned if (found := run.result(spec.id)) is not None}


# ----------------------------------------------------------------- for what they say


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_refused_prompt_ends_its_episode_and_no_other(cli: Call, concurrency: int) -> None:
    with serving(mentions("purple")) as server:
        code, out, err = cli(*request(server, 3, 12, "run", f"run.concurrency={concurrency}"))
    assert code == 5, out + err
    found = outcomes("run")
    refused = {index for index, outcome in found.items() if outcome == "refused"}
    assert len(found) == 12 and 0 < len(refused) < 12
    assert {found[index] for index in set(found) - refused} <= {"finished", "limit"}
    assert len([1 for _, no in server.asked if no]) == len(refused), "a refused prompt is sent once"
    assert f"{12 - len(refused)}/12 ({len(refused)} refused)" in out
    assert f"refused ({len(refused)} filtered)" in out and "stopped early" not in out + err
    episode = next(e for e in Run("run").episodes() if e.outcome == "refused")
    assert (episode.progress, episode.end_reason, episode.error_kind) == (None, "filtered", "PromptRefused")


def test_resume_asks_for_what_never_began_first_and_for_what_was_refused_last_and_once(cli: Call) -> None:
    words = ("run.concurrency=1",)
    with serving(mentions("purple")) as server:
        assert cli(*request(server, 3, 12, "run", *words), "--shard", "1/2")[0] == 5
        before = outcomes("run")
        refused = [index for index, outcome in before.items() if outcome == "refused"]
        assert len(before) == 6 and refused
        server.asked.clear()
        code, out, err = cli("resume", "run", *words, "--json")
        events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        names = {spec.id: spec.index for spec in Run("run").record.planned}
        started = [names[e["episode"]] for e in events if e["event"] == "started"]
        new = sorted(set(range(12)) - set(before))
        assert code == 5 and started == [*new, *refused], err
        assert outcomes("run").keys() == set(range(12))
        assert [no for _, no in server.asked[-len(refused) :]] == [True] * len(refused), "once each"
        server.refuse = lambda text: None  # the filter has changed its mind
        assert cli("resume", "run", *words)[0] == 0
        assert set(outcomes("run").values()) <= {"finished", "limit"}


def test_only_refused_episodes_left_end_a_resumed_run_after_one_call_each(cli: Call) -> None:
    with serving(mentions("Current")) as server:  # all of them
        code, out, err = cli(*request(server, 3, 4, "run", "run.concurrency=1"))
        assert code == 5 and "0/4 (4 refused)" in out, out + err
        for _ in range(2):
            server.asked.clear()
            assert cli("resume", "run", "run.concurrency=1")[0] == 5
            assert len(server.asked) == 4


# ----------------------------------------------------------------- for a setting


@pytest.mark.parametrize(
    ("name", "words", "way_out"),
    [
        ("seed", (), "agent.seed_calls=false"),
        ("temperature", ("model.temperature=0.5",), "model.temperature"),
        ("max_tokens", ("model.max_tokens=64",), "model.max_completion_tokens=N"),
    ],
)
def test_a_setting_that_is_refused_always_stops_the_run_after_three_and_is_named(
    cli: Call, name: str, words: tuple[str, ...], way_out: str
) -> None:
    with serving(setting(name)) as server:
        code, out, err = cli(*request(server, 3, 12, "run", "run.concurrency=1", *words))
    assert code == 5 and len(server.asked) == 3
    assert "The run stopped early" in out + err and f"does not take {name}" in out + err and way_out in out + err
    assert outcomes("run") == dict.fromkeys(range(3), "refused")


def test_the_way_out_of_a_refused_seed_works(cli: Call) -> None:
    with serving(lambda text: None) as server:
        assert cli(*request(server, 2, 1, "run", "agent.seed_calls=false"))[0] == 0
    assert server.seen and all("seed" not in seen.body for seen in server.seen)


# ----------------------------------------------------------------- for their length


def varied(text: str) -> str:
    """A reply that depends on every character of the prompt, and is sometimes no action."""
    replies = ("turn left", "turn right", "go forward", "pick up", "I do not know.")
    return replies[hashlib.sha256(text.encode()).digest()[0] % len(replies)]


def sent(server: Refusing) -> list[str]:
    """The bodies of the prompts that were answered, byte for byte, each once: what a kill leaves unwritten, the calls
    of one step, is asked again.
    """
    bodies = [json.dumps(seen.body) for seen, (_, no) in zip(server.seen, server.asked, strict=True) if not no]
    return list(dict.fromkeys(bodies))


LONG = ("run.concurrency=1", "agent.parse.policy=reask", "agent.history.text=8")


def test_a_prompt_that_is_too_long_is_shortened_and_the_step_says_so(cli: Call) -> None:
    with serving(longer_than(1600), varied) as server:
        code, out, err = cli(*request(server, 12, 2, "run", *LONG))
    assert code == 0, out + err
    steps = [step for spec in Run("run").record.planned for step in Run("run").steps(spec.id)]
    noted = [step for step in steps if any(note.kind == "prompts_shortened" for note in step.decision.notes)]
    assert noted and len(noted) < len(steps)
    assert not any(
        note.kind == "prompts_shortened" for step in steps if step.index == 0 for note in step.decision.notes
    )
    assert f"{len(noted)} times the prompt was too long" in out
    answered = [len(text) for text, no in server.asked if not no]
    assert max(answered) <= 1600 and any(no for _, no in server.asked)
    assert len([1 for _, no in server.asked if no]) <= 8, "what fits is learnt, not sought in every step"
    assert all("Your goal" in text and "Current Observation" in text for text, _ in server.asked)


def test_a_prompt_that_cannot_be_shortened_enough_ends_its_episode(cli: Call) -> None:
    with serving(longer_than(300)) as server:
        code, out, _ = cli(*request(server, 3, 2, "run", "run.concurrency=1"))
    assert code == 5 and "2 too long" in out and len(server.asked) == 2
    assert "Nothing is left to cut" in next(iter(Run("run").episodes())).error


def test_a_question_that_does_not_fit_a_second_time_is_not_asked_again(cli: Call) -> None:
    """The prompt itself fits; with the unread answer and the listing of the actions it does not, whatever is cut."""
    with serving(longer_than(1350), lambda text: "I do not know.") as server:
        code, out, err = cli(*request(server, 4, 1, "run", *LONG))
    assert code == 0, out + err
    steps = list(Run("run").steps(Run("run").record.planned[0].id))
    assert all(not step.decision.parsed and len(step.decision.calls) == 1 for step in steps) and len(steps) == 4
    assert all([note.kind for note in step.decision.notes][-1] == "questions_unasked" for step in steps)
    assert "4 times an answer could not be read" in out and "100.0 %" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("most", "words"),
    [(1350, ()), (1600, ()), (1900, ("--image", "agent.history.image=3"))],
    ids=["tight", "text", "pictures"],
)
def test_a_run_that_was_killed_sends_the_prompts_of_one_that_was_not(
    cli: Call, most: int, words: tuple[str, ...]
) -> None:
    limit = longer_than(most)
    with serving(limit, varied) as whole:
        assert cli(*request(whole, 12, 2, "whole", *LONG, *words))[0] == 0
    assert any(no for _, no in whole.asked)
    refused = [number for number, (_, no) in enumerate(whole.asked, 1) if no]
    for kill in sorted({3, refused[0], refused[0] + 1, refused[-1], len(whole.asked) - 2}):
        with serving(limit, varied) as server:
            killed(request(server, 12, 2, f"killed{kill}", *LONG, *words), server, kill)
            assert None in (outcomes(f"killed{kill}").get(0), outcomes(f"killed{kill}").get(1))
            assert cli("resume", f"killed{kill}", "run.workers=1", "run.concurrency=1")[0] == 0
        assert sent(server) == sent(whole), f"killed at call {kill}"
        assert prompts(f"killed{kill}") == prompts("whole")


def prompts(folder: str) -> list[Any]:
    run = Run(folder)
    steps = [step for spec in run.record.planned for step in run.steps(spec.id)]
    return [(step.executed, step.decision.notes, [call.messages for call in step.decision.calls]) for step in steps]


def killed(words: tuple[str, ...], server: Refusing, at: int) -> None:
    """Plays in another process, which is killed while it waits for the answer to call number `at`."""
    asked, gone = threading.Event(), threading.Event()

    def wait(number: int) -> None:
        if number == at:
            asked.set()
            gone.wait(30)

    server.before = wait
    with subprocess.Popen(
        [sys.executable, "-m", "embodied", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    ) as child:
        try:
            assert asked.wait(60), "the run never came that far"
        finally:
            child.send_signal(signal.SIGKILL)
            gone.set()
            server.before = lambda number: None
        child.wait()
