"""Golden prompts: what each policy sends, message by message, in tests/golden/prompts.

python -m tests.agents.test_prompts      # writes them anew, after a change that was meant
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.base import Agent
from embodied.agents.config import DemonstrationConfig, HistoryConfig, ParseConfig
from embodied.types import Call, Decision, Mission, Observation, Reply
from tests.agents.play import ROOM, STORY, Replies, act, make, picture, play, shown
from tests.agents.test_few_shot import TO_PLAY, record

GOLDEN = Path(__file__).parents[1] / "golden/prompts"

SEEN = [
    Observation("a red door 2 steps forward", status="You carry nothing.", image=picture(1)),
    Observation("a red door 1 step forward", status="You carry a key.", image=picture(2)),
    Observation("", image=picture(3)),
    Observation("an öpen door; 日本 🙂", image=picture(4)),
]
HEARD = [
    Observation("-= Kitchen =-\nYou see Henderson's key. An exit leads north."),
    Observation("Taken."),
    Observation("-= Hall =-"),
]


def episode(
    policy: str, replies: list[str | Reply], seen: list[Observation] = SEEN, mission: Mission = ROOM, **config: Any
) -> list[Decision]:
    return play(make(policy, mission, Replies(*replies), **config), mission, seen)


def corrected(policy: str = "naive", said: tuple[str, ...] = ("turn left", "turn right", "toggle"), **config: Any):
    return spoken_to(make(policy, ROOM, Replies(*said), **config))


def spoken_to(agent: Agent) -> list[Decision]:
    """A person speaks before the second step."""
    decisions = [act(agent, SEEN[0])]
    agent.hear("The door is to the right.")
    agent.hear("You need the key.")
    return [*decisions, *(act(agent, o) for o in SEEN[1:3])]


def decides_again(policy: str, **config: Any) -> list[Decision]:
    """A correction comes before the second decision is executed, and counts for two steps. Shows all decisions."""
    agent = make(policy, ROOM, Replies("turn left", "toggle", "turn right", "go forward"), **config)
    seen = [replace(observation, step=step) for step, observation in enumerate(SEEN)]
    decisions = [act(agent, seen[0]), act(agent, seen[1])]
    agent.hear("The door is to the right.")
    decisions.append(act(agent, seen[1]))
    agent.hear("The door is to the right.")
    return [*decisions, act(agent, seen[2])]


def demonstrated() -> list[Decision]:
    """A person speaks to an agent that was shown an episode."""
    with TemporaryDirectory() as folder:
        shown = DemonstrationConfig([record(Path(folder) / "run", [{"seed": 2}])])
        config = AgentConfig("few_shot", demonstrations=shown, history=HistoryConfig(text=4))
        agent = agents.build(config, Replies("turn left", "turn right", "toggle"), spec=TO_PLAY)
        agent.begin(ROOM, np.random.default_rng(0))
        return spoken_to(agent)


EPISODES: dict[str, Callable[[], list[Decision]]] = {
    "naive": lambda: episode("naive", ["go forward", "fly", "go forward", "toggle"]),
    "naive-image": lambda: episode("naive", ["go forward"] * 4, history=HistoryConfig(text=1, image=2)),
    "naive-free-text": lambda: episode("naive", ["take Henderson's key", "go north", "look"], HEARD, STORY),
    "naive-reask": lambda: episode(
        "naive", ["left or right", "left", "turn left", "toggle"], SEEN[:2], parse=ParseConfig("reask")
    ),
    "naive-correction": lambda: corrected(corrections="paragraph"),
    "naive-message": corrected,
    "naive-message-image": lambda: corrected(history=HistoryConfig(text=1, image=2)),
    "cot-message": lambda: corrected("cot", tuple(f"Thus.\nACTION: {a}" for a in ("turn left", "toggle", "toggle"))),
    "robust_cot-message": lambda: corrected("robust_cot", ("A door.\n<|ACTION|>toggle<|END|>",) * 3),
    "few_shot-message": demonstrated,
    "cot-message-decides-again": lambda: decides_again("cot", history=HistoryConfig("blocks")),
    "naive-message-decides-again": lambda: decides_again("naive"),
    "naive-decides-again": lambda: decides_again("naive", corrections="paragraph"),
    "cot-decides-again": lambda: decides_again("cot", history=HistoryConfig("blocks"), corrections="paragraph"),
    "naive-instructions": lambda: episode(
        "naive", ["toggle"], SEEN[:1], instructions="Doors open with toggle.\nNever turn twice."
    ),
    "naive-blocks": lambda: episode(
        "naive",
        ["go forward", "fly", "go forward", "toggle"],
        history=HistoryConfig("blocks", text=2, image=1, block=2),
    ),
    "cot-blocks": lambda: episode(
        "cot",
        [f"Thought {n}.\nACTION: {a}" for n, a in enumerate(["go forward", "fly", "toggle", "toggle"])],
        history=HistoryConfig("blocks", thought=2),
    ),
    "cot": lambda: episode(
        "cot",
        [f"Thought {n}.\nACTION: {a}" for n, a in enumerate(["go forward", "fly", "toggle", "toggle"])],
        history=HistoryConfig(thought=2),
    ),
    "cot-reasoning": lambda: episode("cot", [Reply("ACTION: toggle", reasoning="The door is near.")] * 2, SEEN[:2]),
    "robust_naive": lambda: episode(
        "robust_naive", ["<|ACTION|>go forward<|END|>", "go forward"], SEEN[:2], parse=ParseConfig("strict")
    ),
    "robust_cot": lambda: episode("robust_cot", ["A door.\n<|ACTION|>toggle<|END|>"] * 2, SEEN[:2]),
    "robust_cot-free-text": lambda: episode(
        "robust_cot", ["A key.\n<|ACTION|>take key<|END|>", "look", "look"], HEARD, STORY
    ),
}


def page(decisions: list[Decision]) -> str:
    """Every call of an episode, and what was decided."""

    def call(number: int, n: int, call: Call) -> str:
        reasoning = f"# reasoning\n{call.reply.reasoning}\n" if call.reply.reasoning else ""
        return f"# step {number}, call {n}\n{shown(call.messages)}{reasoning}# reply\n{call.reply.text}\n"

    return "\n".join(
        "\n".join(call(number, n, c) for n, c in enumerate(d.calls))
        + f"# action ({'parsed' if d.parsed else 'not parsed'})\n{d.action}\n# thought\n{d.thought}\n"
        for number, d in enumerate(decisions)
    )


@pytest.mark.parametrize("name", EPISODES)
def test_prompts_are_as_recorded(name):
    assert page(EPISODES[name]()) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_no_golden_prompt_is_left_over():
    assert {p.stem for p in GOLDEN.glob("*.txt")} == set(EPISODES)


if __name__ == "__main__":
    for name, made in EPISODES.items():
        (GOLDEN / f"{name}.txt").write_text(page(made()), encoding="utf-8")
