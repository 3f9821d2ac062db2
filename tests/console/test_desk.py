"""The desk without a browser: who is let in, who may control, and that what is done there stands in the record."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Label, Takeover
from tests.console import patient
from tests.console.desks import PATIENCE, Person, at_desk

BABYAI = ("--env", "babyai", "--task", "goto", "--agent", "random", "--episodes", "1", "run.concurrency=1")


@pytest.fixture
def desk(tmp_path):
    with at_desk(tmp_path / "run", *BABYAI, "--wait") as desk:
        yield desk


def test_words_and_a_takeover_reach_the_record(desk, tmp_path):
    person = desk.person()
    episode = desk.episode(person)
    assert person.ask("take", episode)["lease"]["by"] == "person 1"
    person.event("observation", episode=episode)
    assert person.ask("resolve", episode, text="No, turn left!")["resolved"] == "turn left"
    assert person.ask("speak", episode, text="turn left")["mode"] == "paused"
    person.ask("step", episode)
    first = person.event("step", episode=episode)
    assert first["line"]["executed"] == "turn left" and first["line"]["words"] == ["turn left"]
    person.ask("take_over", episode)
    refused = person.ask("act", episode, phrase="fly away")
    assert "fly away" in refused["error"] and "keep control" in refused["error"]
    person.ask("act", episode, phrase="turn right")
    person.until(lambda told: told["kind"] == "step" and told["line"]["index"] == 1)
    assert person.ask("pause", episode)["mode"] == "paused"  # hands back, and holds
    person.ask("label", episode, label="success")
    person.ask("end", episode)
    person.event("ended", episode=episode)
    desk.process.wait(PATIENCE)
    run = Run(tmp_path / "run")
    steps = list(run.steps(episode))
    (spoken,) = corrections(steps)
    assert (spoken.text, spoken.by, spoken.how, spoken.status) == ("turn left", "person 1", "typed", "committed")
    assert steps[0].executed == "turn left" and steps[1].executed == "turn right"
    assert any(isinstance(event, Takeover) and event.by == "person 1" for event in steps[1].events)
    ended = run.episode(episode)
    assert ended is not None and ended.outcome == "cancelled"
    everywhere = [*steps[0].events, *steps[1].events, *ended.events]
    assert [event.text for event in everywhere if isinstance(event, Label)] == ["success"]


def test_one_controls_and_the_others_watch(desk):
    first, second, watcher = desk.person(), desk.person(), desk.person("watch")
    episode = desk.episode(first)
    assert watcher.welcome["role"] == "watch"
    assert "only watches" in watcher.ask("take", episode)["error"]
    assert "only watches" in watcher.ask("end", episode)["error"]
    assert "Take control first" in second.ask("speak", episode, text="hello")["error"]
    first.ask("take", episode)
    assert "person 1 controls" in second.ask("take", episode)["error"]
    watcher.until(lambda told: told["kind"] == "lease" and told["lease"]["by"] == "person 1")
    first.ask("leave", episode)
    assert second.ask("take", episode)["lease"]["by"] == "person 2"
    told = json.dumps(watcher.told)
    assert first.welcome["key"] not in told and second.welcome["key"] not in told


def test_a_cut_connection_keeps_its_control_and_misses_nothing(desk):
    person, watcher = desk.person(), desk.person("watch")
    episode = desk.episode(person)
    person.ask("take", episode)
    person.ask("step", episode)
    person.event("step", episode=episode)
    seen = max(told["seq"] for told in person.told if "seq" in told)
    person.close()
    watcher.until(lambda told: told["kind"] == "lease" and told["lease"]["lost"])
    back = desk.person(since=seen, key=person.welcome["key"])
    assert back.welcome["you"] == "person 1" and back.welcome["episodes"] is None
    back.until(lambda told: told["kind"] == "lease" and not told["lease"]["lost"])
    numbers = [told["seq"] for told in back.told if told["kind"] not in ("welcome", "answer")]
    assert numbers == list(range(seen + 1, seen + 1 + len(numbers)))
    back.ask("step", episode)
    back.until(lambda told: told["kind"] == "step" and told["line"]["index"] == 1)


def test_hostile_requests(desk):
    """Each is refused, and the desk goes on."""
    base = "/".join(desk.control.split("/")[:3])
    refused = [
        patient.get(f"{base}/"),
        patient.get(f"{base}/{'x' * 32}/"),
        patient.get(f"{desk.control[:-2]}/"),
        patient.get(f"{base}/static/desk.js"),
        patient.get(desk.control, headers={"Host": "evil.example"}),
        patient.get(f"{desk.control}static/..%2f..%2fdesk.py"),
        patient.get(f"{desk.control}image/..%2f..%2frun.json"),
        patient.get(f"{desk.control}image/{'0' * 64}"),
        patient.get(f"{desk.control}ws"),
    ]
    assert all(response.status_code in (400, 403, 404, 426) for response in refused)
    socket = desk.control.replace("http", "ws", 1) + "ws"
    for address, origin, host in (
        (socket, "http://evil.example", None),
        (socket, None, None),
        (socket, "null", None),
        (socket, base.replace("127.0.0.1", "localhost"), None),
        (socket, base, "evil.example"),
        (socket.replace(desk.control.split("/")[3], "x" * 32), base, None),
    ):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            connect(address, origin=origin, additional_headers={"Host": host} if host else None).recv(timeout=PATIENCE)
    for data in ("x" * 10_000_000, b"\x00" * 100):
        person = desk.person()
        with pytest.raises(ConnectionClosed):  # perhaps before all of it was sent
            person.socket.send(data)
            while True:
                person.socket.recv(timeout=PATIENCE)
    person = desk.person()
    episode = desk.episode(person)
    nonsense = (
        "{",
        "[]",
        "null",
        '{"kind": "fly"}',
        '{"kind": "act"}',
        '{"kind": "end", "more": 1}',
        "[" * 20_000,
        "é",
    )
    for text in nonsense:
        person.socket.send(text)
    person.until(lambda told: told["kind"] == "answer")
    assert sum("error" in told for told in person.told) + _errors(person, len(nonsense)) >= len(nonsense)
    assert "no episode" in person.ask("end", "../../etc")["error"]
    assert person.ask("take", episode)["lease"]["by"]


def _errors(person: Person, wanted: int) -> int:
    """Further errors that arrive, until there are so many."""
    before = sum("error" in told for told in person.told)
    person.until(lambda told: sum("error" in one for one in person.told) >= wanted)
    return sum("error" in told for told in person.told) - before


def test_a_page_that_is_loaded_again_sees_each_step_once(desk):
    person = desk.person()
    episode = desk.episode(person)
    person.ask("take", episode)
    person.ask("step", episode)
    person.event("step", episode=episode)
    person.close()
    back = desk.person(key=person.welcome["key"])
    back.event("step", episode=episode)
    assert back.event("opened", episode=episode)["snapshot"]["steps"] == []
