"""human: a person at a pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import terminals
from tests.agents.play import DUNGEON, ROOM, STORY

MISSIONS = {"ROOM": ROOM, "STORY": STORY, "DUNGEON": DUNGEON}
PROGRAM = """
import asyncio, signal, sys
from embodied.types import Observation
from tests.agents import play

async def episode():
    agent = play.make("human", getattr(play, sys.argv[1]))
    for step in range(9):
        decision = await agent.act(Observation("a wall", status="HP 3", step=step, executed="go forward", valid=step \
!= 1, reward=0.5 * step))
        print(f"<<{decision.action}>>", flush=True)
        await asyncio.sleep(0)
    agent.end("finished")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with Ctrl-C ignored
try:
    asyncio.run(episode())
except KeyboardInterrupt:
    print("<<interrupted>>", flush=True)
"""


class Terminal(terminals.Terminal):
    """The program above at a pseudo-terminal."""

    def __init__(self, mission: str):
        super().__init__([sys.executable, "-c", PROGRAM, mission])

    def answer(self, line: str) -> str:
        """Types a line; the action that comes of it."""
        self.type(line + "\n")
        self.until("<<")
        action = self.until(">>").removesuffix(">>")
        self.until("> ")
        return action


@pytest.fixture
def terminal(request) -> Iterator[Terminal]:
    made = Terminal(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("terminal", ["ROOM"], indirect=True)
def test_a_room(terminal):
    assert terminal.answer("go forward") == "go forward"
    assert terminal.answer("2") == "turn right"
    assert terminal.answer("tog") == "toggle"
    assert terminal.answer("GO") == "go forward"
    assert "Which one? turn left, turn right\n" in terminal.ask("turn")
    assert "'fly' is not an action; ? lists them.\n" in terminal.ask("fly")
    assert "'9' is not an action" in terminal.ask("9")
    assert "? lists the actions.\n" in terminal.ask("")
    assert "  1  turn left: turn a quarter to the left\n" in (listed := terminal.ask("?")) and "  4  toggle\n" in listed
    terminal.type("turn l\t")
    assert terminal.answer("") == "turn left"  # completed by Tab


@pytest.mark.parametrize("terminal", ["DUNGEON"], indirect=True)
def test_a_dungeon_of_letters(terminal):
    assert terminal.answer("n") == "n"
    assert terminal.answer("N") == "N"
    assert terminal.answer("5") == "5"
    assert terminal.answer("pick") == "pickup"
    assert "Which one? far north, far northeast\n" in terminal.ask("far nor")
    assert "any single small letter from a to z\n" in terminal.ask("?")


@pytest.mark.parametrize("terminal", ["STORY"], indirect=True)
def test_a_story(terminal):
    assert terminal.answer("  take Henderson's nön-euclidean key ") == "take Henderson's nön-euclidean key"
    assert "go <dir>: walk north, east, south or west\n" in terminal.ask("?")
    assert "lists the actions" in terminal.ask("   ")


@pytest.mark.parametrize("terminal", ["ROOM"], indirect=True)
@pytest.mark.parametrize("key", [b"\x04", b"\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_the_end_is_polite(terminal, key):
    assert terminal.answer("go forward") == "go forward"
    terminal.type(key)
    # CPython's readline misses a signal that comes between the prompt and the wait for a key
    if not terminal.shows_more(10):
        terminal.type(key)
    assert "Traceback" not in terminal.until("<<interrupted>>")
    assert terminal.process.wait(30) == 0


WAITING = """
import asyncio, sys
from embodied.types import Observation
from tests.agents import play

async def episode():
    agent = play.make("human", play.ROOM)
    acting = asyncio.ensure_future(agent.act(Observation("a wall")))
    for number in range(5):
        await asyncio.sleep(0.01)
        print(f"<<others go on {number}>>", flush=True)
    acting.cancel()  # a correction, or a takeover
    await asyncio.wait({acting})
    print(f"<<{acting.cancelled()}>>", flush=True)
    print(f"<<{(await agent.act(Observation('a door'))).action}>>", flush=True)

asyncio.run(episode())
"""


def test_other_episodes_go_on_while_a_person_thinks_and_no_line_is_lost():
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = b""
    while b"a door" not in said:
        said += os.read(process.stdout.fileno(), 65536)
    rest, _ = process.communicate(b"toggle\n", timeout=60)  # to the wait that was given up
    found = re.findall("<<(.*?)>>", (said + rest).decode())
    assert found == [*(f"others go on {n}" for n in range(5)), "True", "toggle"] and process.returncode == 0


def test_a_pipe_that_stays_open_delays_no_end():
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "ROOM"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said = b""
    while not said.endswith(b"> "):
        said += os.read(process.stdout.fileno(), 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0 and process.stderr.read() == b""
    assert b"<<interrupted>>" in process.stdout.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


@pytest.mark.parametrize("terminal", ["ROOM"], indirect=True)
def test_what_is_shown(terminal):
    terminal.type("1\n")
    said = terminal.until("> ")
    assert re.search(
        r"--- step 1, reward 0\.5\nThat was not a valid action: 'go forward' was executed instead\.\nHP 3\na wall\n",
        said,
    )


@pytest.mark.parametrize(
    ("typed", "actions"), [(b"toggle\n\nturn left\n", ["toggle", "turn left"]), (b"\xff\xfe\n", [])]
)
def test_without_a_terminal(typed, actions):
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "ROOM"], input=typed, capture_output=True, timeout=60, env=environment
    )
    said = done.stdout.decode()
    assert re.findall("<<(.*?)>>", said) == [*actions, "interrupted"]
    assert "You are in a room." in said and not done.stderr


SEATED = """
import asyncio, signal, sys
from pathlib import Path
from embodied import agents
from embodied.agents import AgentConfig
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, GiveBack, TakeOver
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.workers import Pool
from tests.rollout.playing import Quiet, make_run

async def main():
    run, (played, other) = make_run(Path(sys.argv[1]), 2)
    channel = Channel()

    class Told(Quiet):
        def stepped(self, spec, step):
            if spec.id == other.id and step.index == 2:
                for command in (TakeOver("person 1"), Act("go forward"), GiveBack()):
                    channel.submit(command)
            if spec.id == played.id:
                print(f"<<{step.executed}, {[type(event).__name__ for event in step.events]}>>", flush=True)

    def agent(spec):
        return agents.build(AgentConfig(policy="human" if spec.id == played.id else "random"), spec=spec)

    channels = {played.id: channel}
    async with Pool(2) as pool:
        await run_all(run, (played, other), agent, pool, Told(), 2, channels=lambda spec: channels.get(spec.id))

asyncio.run(main())
"""


def test_a_channel_reaches_a_person_who_sits_at_the_keyboard(tmp_path):
    """While nobody types, another episode plays on, and somebody else takes over for a step. What the person plays has
    no events: a takeover is somebody who acts in the agent's place, and here the person is the agent.
    """
    command = [sys.executable, "-c", SEATED, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = b""
    while b">>" not in said:
        more = os.read(process.stdout.fileno(), 65536)
        assert more, "it ended early"
        said += more
    rest, _ = process.communicate(b"turn left\n" * 100, timeout=120)
    found = re.findall("<<(.*?)>>", (said + rest).decode())
    first = found[0].replace("'Interrupt', ", "")  # where the person was asked already, that was broken off
    assert first == "go forward, ['Takeover']" and set(found[1:]) == {"turn left, []"}
    assert process.returncode == 0
