"""What it does to SmolLM2's score to hold it to the list of actions: `agent.format=choice` beside its own words.

    nice -n 10 python benchmarks/choice.py [--threads 1] [--part floors,play,probe,likelihood]

Writes benchmarks/choice.json.

- **play**: the agent of `--agent smollm2` (naive, gguf, the engine's own temperature of 0.8) on the same episodes, in
  its own words (`free`) and held to the actions by a grammar (`choice`). A step of `free` whose reply cannot be read
  executes the environment's default action.
- **likelihood**: BabyAI once more through transformers, which weighs every action, at the same temperature.
- **floors**: random choice and every constant action on the same episodes.
- **probe**: what is chosen at temperature 0 in states of a random walk, as the prompt stands, with the list of actions
  in another order, and without the observation. An agent that looks chooses alike in the second and not in the third.

Episodes are cut short, so scores are not those of a suite: they are for comparison among themselves. Everything but the
seconds is a function of the seeds. What is written already is not played again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from embodied import agents, models
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.blobs import MemoryBlobs
from embodied.catalog import entry
from embodied.eval.intervals import difference_interval, interval
from embodied.eval.statistics import mean, stratify
from embodied.models.base import Model
from embodied.models.config import ModelConfig
from embodied.rollout.plan import plan
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.seeding import generator
from embodied.types import Decision, EpisodeSpec, Json, Mission, Observation, TaskSpec

RESULT = Path(__file__).with_suffix(".json")
SEED = 11
RANDOM_EPISODES = 20
"""Random walks an episode."""
STATES = 8
"""States of the probe, for each game."""
TEMPERATURE = 0.8
"""llama.cpp's default, which the preset leaves as it is."""


@dataclass(frozen=True)
class Played:
    """How much of a game is played."""

    tasks: int
    """The first so many, spread evenly over the list."""
    episodes: int
    """Of each task."""
    steps: int


GAMES = {
    "babyai": Played(5, 2, 12),
    "babaisai": Played(6, 2, 8),
    "crafter": Played(1, 3, 16),
    "nethack": Played(1, 2, 10),
    "minihack": Played(3, 2, 10),
}


def specs_of(game: str) -> list[EpisodeSpec]:
    """The episodes of a game; the same for every way to play."""
    played, tasks = GAMES[game], entry(game).tasks
    chosen = [tasks[i * len(tasks) // played.tasks] for i in range(min(played.tasks, len(tasks)))]
    kwargs = {"max_steps": played.steps}
    return list(plan([(TaskSpec(game, task, kwargs), played.episodes) for task in chosen], SEED, "choice"))


def config_of(format: str | None) -> AgentConfig:
    """The agent of the preset `smollm2`."""
    return AgentConfig(policy="naive", format=format, history=HistoryConfig(text=1))


def play(spec: EpisodeSpec, agent: agents.base.Agent) -> tuple[float, list[Decision]]:
    """Plays an episode. Returns its progress and the decisions."""
    env = LocalEnvironment(spec.task, MemoryBlobs())
    try:
        start = env.reset(spec.seed)
        agent.begin(start.mission, generator(spec.agent_seed))
        observation, decisions, progress = start.observation, [], 0.0
        while True:
            decisions.append(asyncio.run(agent.act(observation)))
            answer = env.step(decisions[-1].action)
            progress = answer.progress or 0.0
            if answer.terminated or answer.truncated:
                return progress, decisions
            observation = answer.observation
    finally:
        env.close()


def play_all(game: str, config: AgentConfig, model: Model | None, settings: Any = None) -> Json:
    """A game in one way to play."""
    values: dict[str, list[float]] = {}
    decisions: list[Decision] = []
    began = time.process_time()
    for spec in specs_of(game):
        progress, mine = play(spec, agents.build(config, model, settings, spec=spec))
        values.setdefault(spec.task.task, []).append(progress)
        decisions += mine
    usage = [call.reply.usage for d in decisions for call in d.calls]
    return {
        "progress": values,
        "steps": len(decisions),
        "unread": round(fmean(not d.parsed for d in decisions), 4),
        "chosen": dict(Counter(d.action if d.parsed else "(unread)" for d in decisions).most_common(8)),
        "cpu_seconds_a_step": round((time.process_time() - began) / len(decisions), 3),
        "tokens_out_a_step": round(sum(u.output for u in usage) / len(decisions), 1),
    }


# --------------------------------------------------------------------------- floors


def floors(game: str) -> Json:
    """Random choice, and the constant action that earns most on these very episodes (so a little too much)."""
    walks: dict[str, list[float]] = {}
    for spec in specs_of(game):
        seeds = [replace(spec, agent_seed=spec.agent_seed + i) for i in range(RANDOM_EPISODES)]
        earned = fmean(play(s, agents.build(AgentConfig(policy="random")))[0] for s in seeds)
        walks.setdefault(spec.task.task, []).append(earned)
    constants = {phrase: constant(game, phrase) for phrase in phrases_of(game)}
    best = max(constants, key=lambda phrase: mean(stratify(constants[phrase])) or 0.0)
    return {"random": walks, "constant": {task: v for (_, task), v in constants[best].items()}, "phrase": best}


def constant(game: str, phrase: str) -> dict[tuple[str, str], list[float]]:
    values: dict[tuple[str, str], list[float]] = {}
    for spec in specs_of(game):
        agent = agents.build(AgentConfig(policy="constant", script=[phrase]))
        values.setdefault((game, spec.task.task), []).append(play(spec, agent)[0])
    return values


def phrases_of(game: str) -> list[str]:
    """Every action of any task of the game."""
    found: dict[str, None] = {}
    for spec in {s.task.task: s for s in specs_of(game)}.values():
        found |= dict.fromkeys(mission_of(spec).actions)
    return list(found)


def mission_of(spec: EpisodeSpec) -> Mission:
    env = LocalEnvironment(spec.task, MemoryBlobs())
    try:
        return env.reset(spec.seed).mission
    finally:
        env.close()


# --------------------------------------------------------------------------- probe


def probe(game: str, model: Model) -> Json:
    """What is chosen at temperature 0 in some states, and with the prompt changed."""
    states = list(walk(game))
    ways = {"as it is": unchanged, "other order": shuffled, "no observation": blank}
    chosen = {name: [ask(model, *change(*state)) for state in states] for name, change in ways.items()}
    plain = chosen["as it is"]
    return {
        "states": len(states),
        "actions": round(fmean(len(mission.actions) for mission, _ in states), 1),
        "chosen": {name: dict(Counter(found).most_common(5)) for name, found in chosen.items()},
        "alike": {
            name: round(fmean(a == b for a, b in zip(plain, found, strict=True)), 3) for name, found in chosen.items()
        },
        "first_of_list": {
            name: round(fmean(first_of(s, c) for s, c in zip((ways[name](*s) for s in states), found, strict=True)), 3)
            for name, found in chosen.items()
        },
    }


def walk(game: str) -> Iterable[tuple[Mission, Observation]]:
    """States of random walks: a few of each episode, until there are enough."""
    specs = specs_of(game)
    each = -(-STATES // len(specs))
    count = 0
    for spec in specs:
        env = LocalEnvironment(spec.task, MemoryBlobs())
        start = env.reset(spec.seed)
        rng = np.random.default_rng(spec.agent_seed)
        observation = start.observation
        for step in range(4 * each):
            if step % 4 == 0 and count < STATES:
                count += 1
                yield start.mission, replace(observation, step=0, executed=None, valid=True)
            answer = env.step(str(rng.choice(list(start.mission.actions))))
            if answer.terminated or answer.truncated:
                break
            observation = answer.observation
        env.close()


def unchanged(mission: Mission, observation: Observation) -> tuple[Mission, Observation]:
    return mission, observation


def shuffled(mission: Mission, observation: Observation) -> tuple[Mission, Observation]:
    order = np.random.default_rng(SEED).permutation(len(mission.actions))
    actions = list(mission.actions.items())
    return replace(mission, actions=dict(actions[i] for i in order)), observation


def blank(mission: Mission, observation: Observation) -> tuple[Mission, Observation]:
    return mission, replace(observation, text="", status="")


def first_of(state: tuple[Mission, Observation], action: str) -> bool:
    return action == next(iter(state[0].actions))


def ask(model: Model, mission: Mission, observation: Observation) -> str:
    agent = agents.build(config_of("choice"), model, ModelConfig(temperature=0.0, max_tokens=16).settings())
    agent.begin(mission, generator(SEED))
    return asyncio.run(agent.act(observation)).action


# --------------------------------------------------------------------------- results


def summary(found: Json) -> Json:
    """Means, and differences with their intervals, of what was played."""
    shown: Json = {}
    for game in GAMES:
        ways = {
            **{way: cell["progress"] for way, cell in found.get("play", {}).get(game, {}).items()},
            **{way: v for way, v in found.get("floors", {}).get(game, {}).items() if way != "phrase"},
        }
        strata = {way: stratify({(game, task): v for task, v in values.items()}) for way, values in ways.items()}
        shown[game] = {
            way: {
                "mean": round(mean(s) or 0.0, 4),
                "interval": rounded(interval(s)),
                "n": sum(len(t.values) for t in s),
                **({"minus_free": versus(s, strata["free"])} if way != "free" and "free" in strata else {}),
            }
            for way, s in strata.items()
        }
    return shown


def versus(a: Any, b: Any) -> Json:
    return {
        "difference": round((mean(a) or 0.0) - (mean(b) or 0.0), 4),
        "interval": rounded(difference_interval(a, b, True)),
    }


def rounded(found: tuple[float, float] | None) -> list[float] | None:
    return None if found is None else [round(x, 4) for x in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", default="floors,play,probe,likelihood")
    options = parser.parse_args()
    found: Json = json.loads(RESULT.read_text()) if RESULT.exists() else {}

    def keep(part: str, game: str, way: str, cell: Any) -> None:
        place = found.setdefault(part, {}).setdefault(game, {})
        place[way] = cell
        found["summary"] = summary(found)
        RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        print(
            part,
            game,
            way,
            {k: v for k, v in cell.items() if k != "progress"} if isinstance(cell, dict) else cell,
            flush=True,
        )

    def known(part: str, game: str, way: str) -> bool:
        return way in found.get(part, {}).get(game, {})

    def model_of(provider: str) -> Model:
        return models.build(ModelConfig(provider=provider, name="smollm2", threads=options.threads), MemoryBlobs())

    settings = ModelConfig(temperature=TEMPERATURE, max_tokens=16).settings()
    parts = options.part.split(",")
    if "floors" in parts:
        for game in GAMES:
            if not known("floors", game, "random"):
                for way, cell in floors(game).items():
                    keep("floors", game, way, cell)
    if {"play", "probe"} & set(parts):
        model = model_of("gguf")
        for game in GAMES:
            for way, format in (("free", None), ("choice", "choice")):
                if "play" in parts and not known("play", game, way):
                    keep("play", game, way, play_all(game, config_of(format), model, settings))
            if "probe" in parts and not known("probe", game, "grammar"):
                keep("probe", game, "grammar", probe(game, model))
    if "likelihood" in parts:
        model = model_of("transformers")
        if not known("play", "babyai", "likelihood"):
            keep("play", "babyai", "likelihood", play_all("babyai", config_of("choice"), model, settings))
        for game in GAMES:
            if not known("probe", game, "likelihood"):
                keep("probe", game, "likelihood", probe(game, model))


if __name__ == "__main__":
    main()
