"""What people do at the desk stands in the record as if they had used the channel itself; nothing is lost or doubled
when the server is killed or a connection is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from embodied.blobs import MemoryBlobs
from embodied.console.desk import messages
from embodied.console.desk.desk import Desk
from embodied.console.desk.roles import CONTROLLER
from embodied.console.desk.server import REPLACED, opened
from embodied.errors import UsageError
from embodied.request import Request
from embodied.rollout import control
from embodied.rollout.channel import Channel
from embodied.rollout.playing import play
from embodied.rollout.worlds.environment import Answer
from embodied.rollout.worlds.watching import REAL_TIME
from embodied.session import prepare
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Correction, EpisodeSpec, Interrupt, TaskSpec
from embodied.versions import find
from tests.console.desks import PATIENCE, Person, at_desk
from tests.rollout.playing import Quiet, content

Said = dict[str, Any]
GOTO: list[Said] = [
    {"kind": "speak", "text": "No, turn left!"},
    {"kind": "step"},
    {"kind": "speak", "text": "Be careful near the wall.", "lasts": 2},
    {"kind": "step"},
    {"kind": "take_over"},
    {"kind": "act", "phrase": "turn right"},
    {"kind": "act", "phrase": "Go forward."},
    {"kind": "pause"},
    {"kind": "speak", "text": "turn left", "lasts": 3, "how": "choice"},
    {"kind": "end_correction"},
    {"kind": "label", "label": "success", "step": 0},
    {"kind": "speak", "text": "go forward"},
    {"kind": "go_on"},
]
"""What a person says, each time when the episode waits for one."""
DRIVE: list[Said] = [
    {"kind": "step"},
    {"kind": "speak", "text": "slow", "lasts": 2},  # while the step is being played
    {"kind": "step"},
    {"kind": "take_over"},
    {"kind": "act", "phrase": "maintain"},
    {"kind": "pause"},
    {"kind": "go_on"},
]
SPOKEN_AT_A_FRAME = 1
"""Place of the words in `DRIVE` that are said as soon as a frame of the step before is seen."""


SPEC = EpisodeSpec("one", TaskSpec("babyai", "goto"), 0, 1, 2)


def waits(person: Person, after: int) -> int:
    """Until the episode waits for a person again; the number of the event."""
    event = person.until(lambda told: told["kind"] == "waiting" and told["waiting"] and told["seq"] > after)
    return int(event["seq"])


def spoken_at_the_desk(root: Path, words: tuple[str, ...], said: list[Said], at_frame: int = -1) -> Run:
    """A scripted person at the desk."""
    with at_desk(root, *words, "--wait") as desk:
        person = desk.person()
        episode = desk.episode(person)
        there = next((one for one in person.welcome["episodes"] or () if one["waiting"]), None)
        held = person.welcome["seq"] if there is not None else waits(person, -1)
        person.ask("take", episode)
        person.ask("watching", episode)
        for number, command in enumerate(said):
            answer = person.ask(episode=episode, **command)
            assert "error" not in answer, answer
            if number + 1 == at_frame:
                seen = len(person.frames)
                while len(person.frames) == seen:
                    person.until_next()
            elif number + 1 < len(said):
                held = waits(person, held)
        person.event("ended", episode=episode)
        desk.process.wait(PATIENCE)
    return Run(root)


class Scripted(Channel):
    """Says one thing each time when the episode waits.

    Args:
        said: As a page says it.
        cut: The frame at which the first step is cut by the second of `said`; None where no step is.
    """

    def __init__(self, said: list[Said], cut: int | None = None):
        super().__init__(thinking=self._waits, intends=lambda decision: None)
        self._said, self._cut = deque(said), cut
        self.submit(control.Pause())

    def _waits(self, goes_on: bool) -> None:
        if not goes_on and self._said:
            asyncio.get_running_loop().call_soon(self._say)

    def _say(self) -> None:
        command = messages.command(messages.read(json.dumps(self._said.popleft())), "person 1")
        assert command is not None
        receipt = self.submit(command)
        assert receipt.status != "refused", receipt.why

    async def step(self, env: Any, action: str) -> Answer:
        if self._cut is not None:
            env, self._cut = CutAt(env, self._cut), None
            asyncio.get_running_loop().call_soon(self._say)
        return await super().step(env, action)


class CutAt:
    """An environment whose step is cut behind one frame, and no other."""

    def __init__(self, env: Any, frame: int):
        self._env, self._frame = env, frame

    async def step(self, action: str) -> Answer:
        return await self._env.step(action, self._frame)

    def interrupt(self) -> None:
        """The frame is known."""


def spoken_in_python(root: Path, request: Request, said: list[Said], cut: int | None = None) -> Run:
    """The same commands without a desk."""
    job = prepare(request)
    quiet = contextlib.nullcontext(Quiet())
    run, _ = asyncio.run(play(job, lambda *about: quiet, channels=lambda spec: Scripted(said, cut)))
    assert run is not None
    return run


@pytest.mark.slow
def test_a_person_at_the_desk_and_one_in_python_leave_the_same_record(tmp_path: Path) -> None:
    words = ("agent.follow=true", "run.concurrency=1")
    flags = ("--env", "babyai", "--task", "goto", "--agent", "tinyvlm-base", "--episodes", "1", "--steps", "12")
    desk = spoken_at_the_desk(tmp_path / "desk", (*flags, *words), GOTO)
    request = Request(
        "tinyvlm-base", env=("babyai",), task="goto", episodes=1, steps=12, out=str(tmp_path / "python"),
        corrector="desk", words=words, version=find("tinyvlm-base"),
    )  # fmt: skip
    python = spoken_in_python(tmp_path / "python", request, GOTO)
    assert content(desk.root) == content(python.root)
    (spec,) = desk.record.planned
    steps = list(desk.steps(spec.id))
    texts = [one.text for one in corrections(steps)]
    assert texts == [said["text"] for said in GOTO if said["kind"] == "speak"]
    assert [step.executed for step in steps[:1]] + [step.executed for step in steps[2:4]] == [
        "turn left", "turn right", "go forward",
    ]  # fmt: skip


@pytest.mark.slow
def test_words_cut_a_drive_at_a_frame_and_leave_the_same_record(tmp_path: Path) -> None:
    flags = ("--env", "corner_case_drive", "--agent", "random", "--episodes", "1", "--steps", "6")
    desk = spoken_at_the_desk(tmp_path / "desk", (*flags, "run.concurrency=1"), DRIVE, at_frame=SPOKEN_AT_A_FRAME)
    (spec,) = desk.record.planned
    steps = list(desk.steps(spec.id))
    (interrupt,) = (event for event in steps[0].events if isinstance(event, Interrupt))
    assert interrupt.frame is not None and interrupt.by == "person 1"
    assert steps[1].executed == "slow", "it obeys at the next decision"
    request = Request(
        "random", env=("corner_case_drive",), episodes=1, steps=6, out=str(tmp_path / "python"), corrector="desk",
        words=("run.concurrency=1",),
    )  # fmt: skip
    python = spoken_in_python(tmp_path / "python", request, DRIVE, interrupt.frame)
    assert content(desk.root) == content(python.root)


# --------------------------------------------------------------------------- what is cut, and what is killed

RANDOM = ("--env", "babyai", "--task", "goto", "--agent", "random", "--episodes", "1", "--steps", "8")


def correcting(desk: Any) -> tuple[Person, str]:
    """A person whose correction is in force for three steps, one of which has been played."""
    person = desk.person()
    episode = desk.episode(person)
    person.ask("take", episode)
    person.ask("speak", episode, text="Mind the wall.", lasts=3)
    person.ask("step", episode)
    person.until(lambda told: told["kind"] == "step" and told["line"]["index"] == 0)
    return person, episode


def lives(run: Run, episode: str) -> dict[str, list[Correction]]:
    """Words -> what the record says of them, step by step."""
    found: dict[str, list[Correction]] = {}
    ended = run.episode(episode)
    assert ended is not None
    for event in (*(event for step in run.steps(episode) for event in step.events), *ended.events):
        if isinstance(event, Correction):
            found.setdefault(event.text, []).append(event)
    return found


def goes_on_at_the_desk(root: Path, episode: str) -> None:
    """The same command again: the desk knows what was played before."""
    with at_desk(root, *RANDOM, "run.concurrency=1", "--wait") as desk:
        person = desk.person()
        there = [one for one in person.welcome["episodes"] if one["waiting"]]
        steps = (there[0] if there else person.event("begun", episode=episode))["steps"]
        assert [line["index"] for line in steps] == [0]
        assert steps[0]["words"] == ["Mind the wall."]
        person.ask("take", episode)
        person.ask("go_on", episode)
        person.event("ended", episode=episode)
        desk.process.wait(PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("also", ["", "unheard"])
def test_a_server_killed_in_a_correction_loses_and_doubles_nothing(tmp_path: Path, also: str) -> None:
    root = tmp_path / "run"
    with at_desk(root, *RANDOM, "run.concurrency=1", "--wait") as desk:
        person, episode = correcting(desk)
        if also:
            person.ask("take_over", episode)  # nobody decides meanwhile
            person.ask("pause", episode)
            assert person.ask("speak", episode, text="turn left", lasts=2)["receipt"]["status"] != "refused"
        desk.process.kill()
        desk.process.wait(PATIENCE)
    if also:
        command = [sys.executable, "-m", "embodied", "resume", str(root)]
        subprocess.run(command, check=True, timeout=200, capture_output=True)
    else:
        goes_on_at_the_desk(root, episode)
    run = Run(root)
    steps = list(run.steps(episode))
    assert [step.index for step in steps] == list(range(run.episode(episode).steps)) and len(steps) > 1
    found = lives(run, episode)
    assert sorted(found) == sorted(["Mind the wall.", "turn left"] if also else ["Mind the wall."])
    for life in found.values():
        assert len(life) <= 2 and len({one.id for one in life}) == 1
        assert life[-1].status in ("committed", "discarded", "superseded") and life[-1].ended is not None


@pytest.mark.slow
def test_a_connection_cut_in_a_correction_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with at_desk(root, *RANDOM, "run.concurrency=1", "--wait") as desk:
        person, episode = correcting(desk)
        watcher = desk.person("watch")
        seen = max(told["seq"] for told in person.told if "seq" in told)
        person.socket.socket.close()  # no farewell
        watcher.until(lambda told: told["kind"] == "lease" and told["lease"]["lost"])
        back = desk.person(since=seen, key=person.welcome["key"])
        back.until(lambda told: told["kind"] == "lease" and not told["lease"]["lost"])
        assert "error" not in back.ask("go_on", episode)
        back.event("ended", episode=episode)
        desk.process.wait(PATIENCE)
    (life,) = lives(Run(root), episode).values()
    assert (life[-1].status, life[-1].ended, life[-1].why) == ("committed", 2, "time-out")


@pytest.mark.slow
def test_a_copied_tab_takes_the_place_of_the_first(tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *RANDOM, "run.concurrency=1", "--wait") as desk:
        first = desk.person()
        episode = desk.episode(first)
        first.ask("take", episode)
        copy = desk.person(key=first.welcome["key"])
        assert copy.welcome["you"] == "person 1"
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                first.until_next()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == REPLACED
        assert copy.ask("speak", episode, text="turn left")["mode"] == "paused"
        assert not any(told["kind"] == "lease" and told["lease"]["lost"] for told in copy.told)


def test_the_pace_is_that_of_the_clock_while_somebody_watches() -> None:
    desk = Desk()
    desk.channel(SPEC)
    live = desk.live["one"]
    assert live.watcher is None, "nobody watches: no frame is drawn"
    desk.watch("one", "key", lambda shown: None)
    assert live.watcher is not None and live.watcher.pace == REAL_TIME
    with pytest.raises(UsageError, match="do not control"):
        desk.answer(messages.Pace(episode="one", real_time=False), "key", "person 1", True)
    desk.answer(messages.Take(episode="one"), "key", "person 1", True)
    desk.answer(messages.Pace(episode="one", real_time=False), "key", "person 1", True)
    assert live.watcher is not None and live.watcher.pace == 0
    desk.unwatch("key")
    assert live.watcher is None


def test_an_event_that_is_told_again_says_what_it_said() -> None:
    desk = Desk()
    desk.channel(SPEC)
    desk.live["one"].steps.append({"index": 0})
    (opened, *_) = desk.since(-1) or ()
    assert opened["kind"] == "opened" and opened["snapshot"]["steps"] == []


def test_who_branches_has_control_of_the_branch() -> None:
    desk = Desk(wait=True)
    desk.channel(SPEC)
    desk.answer(messages.Take(episode="one"), "key", "person 1", True)
    desk.channel(replace(SPEC, id="one-b0.1", parent="one", from_step=0))
    assert desk.live["one-b0.1"].lease.holder == "key"


def test_an_episode_that_is_left_plays_on_unless_it_waits_for_people() -> None:
    for wait in (False, True):
        desk = Desk(wait=wait)
        channel = desk.channel(SPEC)
        desk.answer(messages.Take(episode="one"), "key", "person 1", True)
        desk.answer(messages.TakeOver(episode="one"), "key", "person 1", True)
        desk.answer(messages.Leave(episode="one"), "key", "person 1", True)
        assert channel.control.mode is (control.Mode.PAUSED if wait else control.Mode.AUTONOMOUS)


def test_control_that_was_lost_is_free_after_a_while_and_the_run_plays_on() -> None:
    async def told(socket: Any, found: Any) -> dict[str, Any]:
        while not found(message := json.loads(await asyncio.wait_for(socket.recv(), 20))):
            pass
        return message

    async def session() -> None:
        desk = Desk(reserved=0.05)
        channel = desk.channel(SPEC)
        async with opened(desk, MemoryBlobs(), 0) as addresses:
            address = addresses[CONTROLLER]
            socket, origin = address.replace("http", "ws", 1) + "ws", "/".join(address.split("/")[:3])
            async with connect(socket, origin=origin) as second:
                async with connect(socket, origin=origin) as first:
                    for one in (first, second):
                        await one.send('{"kind": "hello"}')
                        await told(one, lambda message: message["kind"] == "welcome")
                    await first.send('{"kind": "take", "id": 1, "episode": "one"}')
                    await first.send('{"kind": "take_over", "id": 2, "episode": "one"}')
                    await told(first, lambda message: message.get("id") == 2)
                    assert channel.control.mode is control.Mode.TAKEOVER
                await told(second, lambda message: message["kind"] == "lease" and message["lease"]["lost"])
                assert channel.control.mode is control.Mode.PAUSED
                await told(second, lambda message: message["kind"] == "lease" and not message["lease"]["taken"])
                await second.send('{"kind": "take", "id": 1, "episode": "one"}')
                answer = await told(second, lambda message: message.get("id") == 1)
                assert answer["lease"]["taken"] and channel.control.mode is control.Mode.AUTONOMOUS

    asyncio.run(session())
