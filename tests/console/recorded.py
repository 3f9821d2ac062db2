"""Runs of any length, recorded through the store's own API: what the viewer and the report are tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from embodied.agents.prompt import message
from embodied.blobs import pictures_of, put_frame
from embodied.rollout.plan import identity, plan
from embodied.store.run import Run, RunRecord
from embodied.types import (
    Call,
    Decision,
    Episode,
    EpisodeSpec,
    Message,
    Mission,
    Observation,
    Reply,
    Step,
    TaskSpec,
    Usage,
)

ACTIONS = ("north", "east", "south", "west", "search")
GLOSSES = ("one step up", "one step to the right", "one step down", "one step to the left", "look for hidden doors")
MISSION = Mission(
    "Reach the stairs.",
    dict(zip(ACTIONS, GLOSSES, strict=True)),
    "You explore a cellar.",
    ("Doors may be hidden.",),
    "search",
    max_steps=100_000,
)
HISTORY = 8
"""Observations in a prompt."""
SIZE = (21, 60)
"""Rows and columns of the drawn map."""

Alter = Callable[[int, Step], Step]
"""Makes another step of a step, given its number."""


def new_run(root: Path, tasks: dict[str, int], agent: str = "naive") -> Run:
    """A run of cellars: task -> number of episodes, none played yet."""
    config = {
        "agent": {"policy": agent, "history": {"text": HISTORY}},
        "model": {"provider": "openai", "name": "gpt-4o"},
        "run": {"seed": 0},
    }
    specs = plan(
        [(TaskSpec("cellar", task, {"max_steps": 100_000}), n) for task, n in tasks.items()], 0, identity(config)
    )
    return Run.create(
        root,
        RunRecord(
            identity(config),
            config,
            specs,
            {"embodied-suite": "0.1", "nle": "1.3.0"},
            "2026-11-23T00:00:00+00:00",
            "cellars",
        ),
    )


def record(
    run: Run,
    spec: EpisodeSpec,
    steps: int,
    *,
    pictures: bool = False,
    prompts: bool = True,
    alter: Alter | None = None,
    end: bool = True,
) -> Episode | None:
    """Records an episode of `steps` steps; the same seed gives the same one.

    Every 10th reply is an invalid action, every 25th cannot be read, every 40th call took three attempts, every 100th
    has a person's correction in its prompt. With `end` false the episode is left as if it were still being played.
    """
    writer = run.claim(spec, again=True)
    assert writer is not None, "the episode is scored already"
    walk = _walk(spec, steps)
    seen: list[Message] = []
    usage = Usage()
    invalid, return_ = 0, 0.0
    for n, (where, text) in enumerate(walk[:-1]):
        observation = _observation(run, n, where, text, pictures)
        notes = (
            f"A person who watches you says: look behind the barrel, number {n}\n\n"
            if prompts and n % 100 == 99
            else ""
        )
        prompt = [
            message("user", "You explore a cellar. Say one action."),
            *seen[-HISTORY:],
            message("user", f"{notes}Current Observation:\n{text}", pictures_of(observation)),
        ]
        step = _step(n, observation, tuple(prompt) if prompts else (), _progress(n, steps), last=n == steps - 1)
        step = alter(n, step) if alter else step
        writer.append(step)
        seen += [message("user", f"Observation:\n{text}"), message("assistant", step.decision.action)]
        invalid += not (step.valid and step.decision.parsed)
        return_ += step.reward
        for call in step.decision.calls:
            usage = Usage(usage.input + call.reply.usage.input, usage.output + call.reply.usage.output)
    if not end:
        writer.close()
        return None
    last = _observation(run, steps, *walk[-1], pictures)
    progress = _progress(steps - 1, steps)
    episode = Episode(
        spec,
        "limit",
        steps,
        progress,
        progress >= 1,
        return_,
        invalid,
        usage,
        1.5 * steps,
        {"depth": 3.0},
        last=last,
        mission=MISSION,
        end_reason="step limit",
    )
    writer.finish(episode)
    writer.close()
    return episode


def _walk(spec: EpisodeSpec, steps: int) -> list[tuple[tuple[int, int], str]]:
    """Where the walker is and what it sees, at each step and at the end."""
    rng = np.random.default_rng(spec.seed)
    height, width = SIZE
    row, column = height // 2, width // 2
    seen = []
    for n, turn in enumerate(rng.integers(4, size=steps + 1)):
        row = int(np.clip(row + (turn == 2) - (turn == 0), 1, height - 2))
        column = int(np.clip(column + (turn == 1) - (turn == 3), 1, width - 2))
        seen.append(((row, column), _drawn(row, column, n)))
    return seen


def _drawn(row: int, column: int, n: int) -> str:
    height, width = SIZE
    wall, floor = "-" * width, f"|{'.' * (width - 2)}|"
    lines: Sequence[str] = [wall, *[floor] * (height - 2), wall]
    lines[row] = f"{lines[row][:column]}@{lines[row][column + 1 :]}"
    return "\n".join([f"You hear water dripping, {n} drops.", "", *lines])


def _observation(run: Run, n: int, where: tuple[int, int], text: str, pictures: bool) -> Observation:
    image = None
    if pictures:
        frame = np.full((SIZE[0] * 4, SIZE[1] * 4, 3), (46, 50, 64), np.uint8)
        frame[4:-4, 4:-4] = (92, 84, 74)
        frame[where[0] * 4 : where[0] * 4 + 4, where[1] * 4 : where[1] * 4 + 4] = (240, 196, 92)
        image = put_frame(run.blobs, frame)
    return Observation(
        text, f"HP: {16 - n % 7}(16)  Depth: {1 + n // 400}", image, step=n, executed=ACTIONS[n % 5] if n else None
    )


def _progress(n: int, steps: int) -> float:
    return round(min(1.0, (n + 1) * 8 // steps / 10), 3)


def _step(n: int, observation: Observation, prompt: tuple[Message, ...], progress: float, last: bool) -> Step:
    action = ACTIONS[(n * n + n // 3) % 5]
    parsed, valid = n % 25 != 24, n % 10 != 9 and n % 25 != 24
    said = action if valid else f"fly over wall {n}" if parsed else "I would rather not say."
    thought = f"The stairs may be {GLOSSES[n % 5]}; I have looked {n} times."
    reply = Reply(
        f"{thought}\nAction: {said}",
        usage=Usage(900 + n % 50, 20 + n % 9),
        model="gpt-4o-2024-11-20",
        seconds=0.8,
        attempts=3 if n % 40 == 39 else 1,
    )
    decision = Decision(said, parsed, thought, (Call(prompt, reply),) if prompt else ())
    reward = 1.0 if n % 97 == 50 else 0.0
    return Step(
        n,
        observation,
        decision,
        action if valid else "search",
        valid,
        reward,
        False,
        last,
        progress,
        {"metrics": {"depth": 1.0}},
        "",
        0.9,
        0.0004,
    )
