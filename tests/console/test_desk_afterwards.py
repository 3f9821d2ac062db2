"""What the desk shows and takes besides an episode's own course: episodes that have ended, words that nobody heard, the
decision that words took the place of, and how likely each action is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from embodied.store.amendments import changes_of, labels_of
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Correction
from tests.console import patient
from tests.console.desks import PATIENCE, Person, at_desk, at_desk_of

RANDOM = ("--env", "babyai", "--task", "goto", "--agent", "random", "run.concurrency=1", "--wait")
pytestmark = pytest.mark.timeout(900)
"""Up to three commands one after another, each with a patience of its own."""
TINY = ("--env", "babyai", "--task", "goto", "--agent", "tinyvlm-base", "--episodes", "1", "--wait")


def held(person: Person) -> dict[str, Any]:
    """The decision that waits for a person, in the episode that is there or the next that begins."""
    there = next((one for one in person.welcome["episodes"] or () if one["held"]), None)
    return there or person.until(lambda told: told["kind"] == "decision" and told["held"])


def snapshot(person: Person, episode: str) -> dict[str, Any]:
    """What a page that comes now is told of an episode."""
    for one in person.welcome["episodes"] or ():
        if one["id"] == episode:
            return dict(one)
    return dict(person.event("opened", episode=episode)["snapshot"])


def test_an_episode_that_has_ended_is_labelled_and_branched(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with at_desk(root, *RANDOM, "--episodes", "2") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.ask("step", episode)
        person.event("step", episode=episode)
        person.ask("end", episode)
        person.event("ended", episode=episode)
        assert "error" not in person.ask("label", episode, label="failure")
        receipt = person.ask("label", episode, label="success")["receipt"]
        assert (receipt["status"], receipt["words"]) == ("done", "success")
        assert "was not played" in person.ask("label", episode, label="good", step=7)["error"]
        assert "error" not in person.ask("label", episode, label="good", step=0)
        assert "error" in person.ask("speak", episode, text="turn left")
        assert "no step 5" in person.ask("branch", episode, step=5)["error"]
        branch = person.ask("branch", episode, step=0)["receipt"]
        opened = person.until(lambda told: told["kind"] == "opened" and told["snapshot"]["parent"] == episode)
        assert branch["status"] == "done" and opened["snapshot"]["lease"]["by"] == "person 1"
        again = opened["episode"]
        person.ask("step", again)
        person.event("step", episode=again)
    run = Run(root)
    found = labels_of(run, episode, changes_of(run, []), [])
    assert [(label.text, label.step, label.by) for label in found] == [
        ("success", None, "person 1"), ("good", 0, "person 1"),
    ]  # fmt: skip
    ended = run.episode(episode)
    assert ended is not None and ended.error_kind != "Rewound", "its own record stays as it was"
    assert [branch.spec.id for branch in run.record.branched] == [again]


@pytest.mark.parametrize("again", [True, False])
def test_words_that_nobody_heard_are_offered_again(tmp_path: Path, again: bool) -> None:
    root, words = tmp_path / "run", (*RANDOM, "--episodes", "1", "--steps", "6")
    with at_desk(root, *words) as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.ask("take_over", episode)  # nobody decides meanwhile
        person.ask("pause", episode)
        receipt = person.ask("speak", episode, text="Mind the wall.", lasts=3)["receipt"]
        assert receipt["status"] != "refused"
        desk.process.kill()
        desk.process.wait(PATIENCE)
    with at_desk(root, *words) as desk:
        person = desk.person()
        assert desk.episode(person) == episode
        (offered,) = snapshot(person, episode)["unheard"]
        assert (offered["text"], offered["lasts"], offered["by"]) == ("Mind the wall.", 3, "person 1")
        assert "Take control" in person.ask("unheard", episode, words=offered["id"], again=again)["error"]
        person.ask("take", episode)
        assert "error" not in person.ask("unheard", episode, words=offered["id"], again=again)
        assert person.event("unheard", episode=episode)["unheard"] == []
        assert "already" in person.ask("unheard", episode, words=offered["id"], again=again)["error"]
        person.ask("step", episode)
        line = person.event("step", episode=episode)["line"]
        assert line["words"] == (["Mind the wall."] if again else [])
        desk.process.kill()
        desk.process.wait(PATIENCE)
    with at_desk(root, *words) as desk:
        person = desk.person()
        desk.episode(person)
        person.ask("take", episode)
        assert (snapshot(person, episode)["unheard"] == []) is again, "what was heard is not offered again"
        person.ask("end", episode)
        person.event("ended", episode=episode)
        desk.process.wait(PATIENCE)
    run = Run(root)
    ended = run.episode(episode)
    assert ended is not None
    lost = [event for event in ended.events if isinstance(event, Correction)]
    assert [(event.text, event.status) for event in lost if event.opened == 0][:1] == [("Mind the wall.", "discarded")]
    assert [one.text for one in corrections(run.steps(episode))] == (["Mind the wall."] if again else [])


@pytest.mark.slow
def test_the_decision_that_words_took_the_place_of_keeps_its_prompt(tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *TINY, "agent.follow=true") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        first = held(person)
        wanted = "turn left" if first["decision"]["action"] != "turn left" else "turn right"
        person.ask("speak", episode, text=wanted)
        then = person.until(
            lambda told: told["kind"] == "decision" and told["held"] and told["decision"]["action"] == wanted
        )
        assert then["decision"]["prompt"] == [] and then["superseded"] == first["decision"]
        assert first["decision"]["prompt"], "what the model was asked is not lost"
        watcher = desk.person("watch")
        (seen,) = watcher.welcome["episodes"]
        assert seen["held"] and seen["decision"] == then["decision"] and seen["superseded"] == then["superseded"]


@pytest.mark.slow
def test_how_likely_each_action_is(tmp_path: Path) -> None:
    """Asked only where a person wants to know and looks; the record is the same."""
    root = tmp_path / "run"
    with at_desk(root, *TINY) as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        first = held(person)
        assert first["decision"]["weighed"] is None
        person.ask("watching", episode)
        person.ask("weigh", episode, on=True)
        told = person.until(lambda told: told["kind"] == "decision" and bool(told["decision"]["weighed"]))
        weighed = told["decision"]["weighed"]
        assert next(iter(weighed)) == told["decision"]["action"], "the likeliest is what a greedy agent does"
        assert len(weighed) > 1, "and the runner-up"
        person.ask("step", episode)
        person.event("step", episode=episode)
        person.until(
            lambda told: (
                told["kind"] == "decision" and told["step"] == 1 and told["held"] and bool(told["decision"]["weighed"])
            )
        )
        person.ask("weigh", episode, on=False)
        last = person.event("weighing", weighing=False)
        then = person.until(lambda told: told["kind"] == "decision" and told["seq"] > last["seq"])
        assert then["held"] and then["decision"]["weighed"] is None
        person.ask("end", episode)
        person.event("ended", episode=episode)
        desk.process.wait(PATIENCE)
    (step,) = Run(root).steps(episode)
    (call,) = step.decision.calls
    assert call.reply.weighed is UNSET, "the record knows nothing of it"


def test_an_agent_without_a_model_says_so(tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *RANDOM, "--episodes", "1") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        assert "no model" in person.ask("weigh", episode, on=True)["error"]


def test_a_run_goes_on_at_the_desk_and_so_does_a_branch(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with at_desk(root, *RANDOM, "--episodes", "1", "--steps", "3") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.ask("step", episode)
        person.event("step", episode=episode)
        desk.process.terminate()
        desk.process.wait(PATIENCE)
    for words in (("resume", str(root)), ("branch", str(root), episode, "1")):
        command = [sys.executable, "-m", "embodied", *words, "--console", "--speech-model", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and "this folder has no config.json" in done.stderr, done.stderr
    assert not Run(root).record.branched
    with at_desk_of("resume", str(root), "--console", "--wait") as desk:
        person = desk.person()
        assert desk.episode(person) == episode
        person.ask("take", episode)
        person.ask("go_on", episode)
        person.event("ended", episode=episode)
        assert desk.process.wait(PATIENCE) == 0
    with at_desk_of("branch", str(root), episode, "1", "--say", "turn left", "--console", "--wait") as desk:
        person = desk.person()
        branch = desk.episode(person)
        person.ask("take", branch)
        person.ask("step", branch)
        assert person.event("step", episode=branch)["line"]["words"] == ["turn left"]
        person.ask("go_on", branch)
        person.event("ended", episode=branch)
        assert desk.process.wait(PATIENCE) == 0
    assert Run(root).scored(episode) and Run(root).scored(branch)


def test_a_run_that_was_played_alone_stays_alone(tmp_path: Path) -> None:
    root = str(tmp_path / "run")
    words = ("eval", "--env", "babyai", "--task", "goto", "--agent", "random", "--episodes", "1", "--steps", "2")
    subprocess.run([sys.executable, "-m", "embodied", *words, "--out", root], check=True, capture_output=True)
    for more in (("resume", root), ("branch", root, "0", "1")):
        done = subprocess.run([sys.executable, "-m", "embodied", *more, "--console"], capture_output=True, text=True)
        assert done.returncode == 2 and "was not begun with --console" in done.stderr
        done = subprocess.run([sys.executable, "-m", "embodied", *more, "--wait"], capture_output=True, text=True)
        assert done.returncode == 2 and "add --console" in done.stderr
    assert not Run(root).record.branched


def console(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """`embodied console ...`, where it ends by itself."""
    command = [sys.executable, "-m", "embodied", "console", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def test_a_second_console_leads_to_the_desk_that_is_there(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with at_desk(root, *RANDOM, "--episodes", "1") as desk:
        desk.episode(desk.person())
        done = console(str(root))
        assert done.returncode == 0, done.stderr
        assert f"played by process {desk.process.pid}" in done.stdout
        assert desk.control in done.stdout and desk.watch in done.stdout
        # another user's state folder knows no desk: the run is shown as it grows, and nothing is played
        with viewed(root, {**os.environ, "XDG_STATE_HOME": str(tmp_path / "another-user")}) as lines:
            assert f"being played by process {desk.process.pid}" in lines[0] and "nobody can speak" in lines[0]
            assert patient.get(lines[1]).status_code == 200
        desk.process.kill()
        desk.process.wait(PATIENCE)
    with at_desk_of("console", str(root), "--wait") as desk:  # its note went with it
        desk.episode(desk.person())


@contextmanager
def viewed(root: Path, env: dict[str, str]) -> Iterator[list[str]]:
    """The first lines of `embodied console`, while it serves."""
    command = [sys.executable, "-m", "embodied", "console", str(root)]
    env = {**env, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.terminate()
