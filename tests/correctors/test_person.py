"""person: somebody at a pseudo-terminal, or at a pipe, corrects an agent."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import embodied
from embodied.errors import UsageError
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Correction, Interrupt, Label, Step, Takeover
from tests.rollout.playing import content
from tests.terminals import Terminal

AGENT = ("--agent", "naive", "--model", "scripted/cycle", 'model.script=["toggle","turn left"]')
COMMAND = ("eval", "--env", "babyai", "--task", "goto", "--episodes", "1", "--steps", "9", "--corrector", "person")


def command(out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "embodied", *COMMAND, *AGENT, "--out", str(out), "run.workers=1", *words]


def steps_of(out: Path) -> list[Step]:
    run = Run(out)
    return list(run.steps(run.record.planned[0].id))


def piped(out: Path, typed: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(out, *words), input=typed, capture_output=True, text=True, timeout=120)


def test_at_a_terminal(tmp_path):
    out = tmp_path / "run"
    terminal = Terminal(command(out, "run.step_seconds=1", "run.reset_seconds=60"))
    try:
        assert "do ACTION" in terminal.ask("help")
        assert "turn right\n" in terminal.ask("actions")
        time.sleep(1.5)  # nothing runs out while a person thinks
        assert "--- step 1\n" in terminal.ask("")  # lets the decision go
        said = terminal.ask("No, go forward")
        assert "The agent now decides: toggle\n" in said and "--- step 2\n" in said
        assert "'fly' is not an action here" in terminal.ask("do fly")
        assert "Which one? turn left, turn right\n" in terminal.ask("do turn")
        assert "--- step 3\n" in terminal.ask("do turn r")
        assert "There is no step 7 to go back to" in terminal.ask("back 7")
        assert "Kept.\n" in terminal.ask("label success")
        assert "--- step 4\n" in terminal.ask("lasts 3 do not toggle")
        assert "--- step 5\n" in terminal.ask("say stop and look")
        terminal.type("stop\n")
        assert "Traceback" not in terminal.until("Stopped. Nothing recorded is lost")
        assert terminal.process.wait(30) == 130
    finally:
        terminal.close()
    resumed = [sys.executable, "-m", "embodied", "resume", str(out), "run.workers=1"]
    assert "--- step 5\n" in subprocess.run(resumed, input="", capture_output=True, text=True, timeout=120).stdout
    steps = steps_of(out)
    assert [s.executed for s in steps] == ["toggle", "toggle", "turn right", "turn left", "turn left"]
    assert not steps[0].events
    spoken = corrections(steps)
    assert [(c.text, c.opened, c.how, c.by, c.lasts) for c in spoken] == [
        ("No, go forward", 1, "typed", "person", 1),
        ("do not toggle", 3, "typed", "person", 3),
        ("stop and look", 4, "typed", "person", 1),
    ]
    assert spoken[0].superseded is not None and spoken[0].superseded.action == "turn left"
    (takeover,) = steps[2].events
    assert isinstance(takeover, Takeover) and (takeover.action, takeover.by) == ("turn right", "person")
    assert takeover.superseded is not None and takeover.superseded.calls
    assert [type(e) for e in steps[3].events] == [Label, Correction] and steps[3].events[0].text == "success"
    episode = Run(out).episodes()[0]
    assert episode.outcome == "cancelled"
    assert {(type(e), len(e.calls)) for e in episode.events} == {(Interrupt, 1)}  # the decision that nobody settled


@pytest.mark.parametrize("key", [b"\x04", b"\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_a_person_who_leaves_at_a_terminal(tmp_path, key):
    terminal = Terminal(command(tmp_path / "run"))
    try:
        terminal.ask("")
        terminal.type(key)
        # CPython's readline misses a signal that comes between the prompt and the wait for a key
        if not terminal.shows_more(10):
            terminal.type(key)
        assert "Traceback" not in terminal.until("Stopped. Nothing recorded is lost")
        assert terminal.process.wait(30) == 130
    finally:
        terminal.close()
    assert len(steps_of(tmp_path / "run")) == 1


def test_the_end_of_a_pipe_stops_the_run_and_it_goes_on_as_if_it_had_never_stopped(tmp_path):
    """The agent's replies depend on every word of its prompt."""
    words = ("\n", "turn left\n", "lasts 3 Mind the wall.\n", "\n", "do go forward\n", "label good\n\n", "alone\n")
    agent = "model.script=tests.cli.test_correct:by_prompt"
    whole = piped(tmp_path / "whole", "".join(words), agent)
    assert whole.returncode == 0 and len(steps_of(tmp_path / "whole")) == 9, whole.stderr
    for part in (words[:2], words[2:3], words[3:5], words[5:6], ()):
        done = piped(tmp_path / "broken", "".join(part), agent)
        assert done.returncode == 130 and "continues from here" in done.stderr and "Traceback" not in done.stderr
    assert piped(tmp_path / "broken", words[-1], agent).returncode == 0
    # a decision that nobody settled is paid for: `episode.json` may keep it
    broken, whole_ = (
        {name: said for name, said in content(tmp_path / run).items() if not name.endswith("episode.json")}
        for run in ("broken", "whole")
    )
    assert broken == whole_ and any(name.endswith("steps.jsonl") for name in broken)


@pytest.mark.parametrize(
    ("agent", "options", "sentence"),
    [
        ("random", {"run.concurrency": 3}, "A person corrects one episode at a time, not 3"),
        ("human", {}, "The agent human is you already"),
        ("random", {"corrector.silence": 0.5}, r"person has no option corrector\.silence\. Its options are: lasts"),
    ],
)
def test_what_a_person_cannot_do_is_one_sentence(tmp_path, agent, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        embodied.evaluate("babyai", agent, corrector="person", out=tmp_path / "run", options=options)
    assert not (tmp_path / "run").exists()


def test_words_of_this_world_always_correct(tmp_path):
    """A world in which `help` and `stop` are actions."""
    from embodied import correctors
    from embodied.correctors import CorrectorConfig
    from embodied.types import Mission

    person = correctors.build(CorrectorConfig("person"))
    person.begin(Mission("Drive.", {"stop": "", "help": "", "go": ""}, default_action="go"), None)
    assert person._settled("stop", 0).text == "stop" and person._settled("Help", 0) is None
    assert person._settled("help", 0).text == "help" and person._settled("do go", 0) is None


def test_a_person_whose_words_name_no_action_is_asked(tmp_path):
    """`random` understands nothing but actions."""
    out = tmp_path / "run"
    options = ("--env", "babyai", "--task", "goto", "--episodes", "1", "--steps", "2", "--corrector", "person")
    made = [sys.executable, "-m", "embodied", "eval", *options, "--agent", "random", "--out", str(out), "run.workers=1"]
    played = subprocess.run(
        made, input="mind the wall\npick up\nmind it\n\n\n", capture_output=True, text=True, timeout=120
    )
    assert 'Which action does "mind the wall" mean? Type one of: turn left, ' in played.stdout
    first, second = corrections(steps_of(out))
    assert (first.text, first.resolved, first.method) == ("mind the wall", "pick up", "asked")
    assert (second.text, second.resolved) == ("mind it", "")
    assert steps_of(out)[0].executed == "pick up"
