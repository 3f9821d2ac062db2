"""What it does to SmolLM2's score to hold it to the list of actions: `agent.format=choice` beside its own words.

    nice -n 10 python benchmarks/choice.py [--threads 1] [--most N] [--part floors,play,...]

Writes benchmarks/choice.json.

- **play**: the agent of `--agent smollm2` (naive, gguf, the engine's own temperature of 0.8) on the same episodes, in
  its own words (`free`) and held to the actions by a grammar (`choice`). A step of `free` whose reply cannot be read
  executes the environment's default action.
- **likelihood**: BabyAI and the probe once more through transformers, which weighs every action.
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

import numpy as np

from embodied import agents, models
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.blobs import MemoryBlobs
from embodied.catalog import entry
from embodied.eval.intervals import difference_interval, interval
from embodied.eval.statistics import Stratum, mean, stratify
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


def measured(spec: EpisodeSpec, config: AgentConfig, model: Model) -> Json:
    """An episode in one way to play."""
    settings = ModelConfig(temperature=TEMPERATURE, max_tokens=16).settings()
    began = time.process_time()
    progress, decisions = play(spec, agents.build(config, model, settings, spec=spec))
    usage = [call.reply.usage for d in decisions for call in d.calls]
    return {
        "task": spec.task.task,
        "seed": spec.seed,
        "progress": progress,
        "steps": len(decisions),
        "unread": sum(not d.parsed for d in decisions),
        "chosen": dict(Counter(d.action if d.parsed else "(unread)" for d in decisions).most_common()),
        "cpu_seconds": round(time.process_time() - began, 2),
        "tokens_out": sum(u.output for u in usage),
    }


# --------------------------------------------------------------------------- floors


def floors(game: str) -> Json:
    """Random choice, and the constant action that earns most on these very episodes (so a little too much)."""
    walks = []
    for spec in specs_of(game):
        seeds = [replace(spec, agent_seed=spec.agent_seed + i) for i in range(RANDOM_EPISODES)]
        walks.append(scored(spec, fmean(play(s, agents.build(AgentConfig(policy="random")))[0] for s in seeds)))
    constants = {phrase: constant(game, phrase) for phrase in phrases_of(game)}
    best = max(constants, key=lambda phrase: mean(strata_of(game, constants[phrase])) or 0.0)
    return {"random": walks, "constant": constants[best], "phrase": best}


def scored(spec: EpisodeSpec, progress: float) -> Json:
    return {"task": spec.task.task, "seed": spec.seed, "progress": round(progress, 4)}


def constant(game: str, phrase: str) -> list[Json]:
    agent = AgentConfig(policy="constant", script=[phrase])
    return [scored(spec, play(spec, agents.build(agent))[0]) for spec in specs_of(game)]


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
    """Means, differences with their intervals, and what was chosen, of the episodes that were played in both ways."""
    shown: Json = {}
    for game, ways in found.get("play", {}).items():
        both = set.intersection(*({(e["task"], e["seed"]) for e in ways.get(w, ())} for w in ("free", "choice")))
        if not both:
            continue
        played = {way: [e for e in episodes if (e["task"], e["seed"]) in both] for way, episodes in ways.items()}
        floors = found.get("floors", {}).get(game, {})
        for way in ("random", "constant"):
            played[way] = [e for e in floors.get(way, ()) if (e["task"], e["seed"]) in both]
        strata = {way: strata_of(game, episodes) for way, episodes in played.items() if len(episodes) == len(both)}
        shown[game] = {way: shown_of(played[way], s, strata["free"]) for way, s in strata.items()}
        shown[game]["phrase"] = floors.get("phrase", "")
    return shown


def strata_of(game: str, episodes: list[Json]) -> list[Stratum]:
    """All tasks as one stratum: some have a single episode, which has no spread of its own."""
    ordered = sorted(episodes, key=lambda e: (e["task"], e["seed"]))
    return stratify({(game, ""): [e["progress"] for e in ordered]})


def shown_of(episodes: list[Json], strata: list[Stratum], free: list[Stratum]) -> Json:
    shown: Json = {
        "mean": round(mean(strata) or 0.0, 4),
        "interval": rounded(interval(strata)),
        "n": len(episodes),
        "minus_free": round((mean(strata) or 0.0) - (mean(free) or 0.0), 4),
        "minus_free_interval": rounded(difference_interval(strata, free, True)),
    }
    if steps := sum(e.get("steps", 0) for e in episodes):
        chosen: Counter[str] = Counter()
        for e in episodes:
            chosen.update(e["chosen"])
        shown |= {
            "steps": steps,
            "unread": round(sum(e["unread"] for e in episodes) / steps, 4),
            "cpu_seconds_a_step": round(sum(e["cpu_seconds"] for e in episodes) / steps, 3),
            "chosen": {action: round(n / steps, 3) for action, n in chosen.most_common(5)},
        }
    return shown


def rounded(found: tuple[float, float] | None) -> list[float] | None:
    return None if found is None else [round(x, 4) for x in found]


def tabled(found: Json) -> str:
    """The summary as rows of Markdown."""
    rows = []
    for game, ways in summary(found).items():
        free, held = ways["free"], ways["choice"]
        difference = f"{held['minus_free']:+.3f}"
        if span := held["minus_free_interval"]:
            difference += f" ({span[0]:+.2f} to {span[1]:+.2f})"
        most = ", ".join(f"{action} {share:.0%}" for action, share in list(held["chosen"].items())[:3])
        means = " | ".join(f"{ways[w]['mean']:.3f}" if w in ways else "" for w in ("random", "constant"))
        rows.append(
            f"| {game} | {held['n']} | {held['steps']} | {free['mean']:.3f} | {held['mean']:.3f} | {difference}"
            f" | {means} | {free['unread']:.0%} | {free['cpu_seconds_a_step']:.1f} / {held['cpu_seconds_a_step']:.1f}"
            f" | {most} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=int, default=100, help="episodes of each task at most")
    parser.add_argument("--part", default="floors,play,probe,likelihood")
    options = parser.parse_args()
    found: Json = json.loads(RESULT.read_text()) if RESULT.exists() else {}

    parts = options.part.split(",")
    if parts == ["table"]:
        print(tabled(found))
        return

    def keep() -> None:
        found["summary"] = summary(found)
        RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")

    def model_of(provider: str) -> Model:
        return models.build(ModelConfig(provider=provider, name="smollm2", threads=options.threads), MemoryBlobs())

    for game in GAMES if "floors" in parts else ():
        if game not in found.setdefault("floors", {}):
            found["floors"][game] = floors(game)
            keep()
    for part, provider in (("play", "gguf"), ("probe", "gguf"), ("likelihood", "transformers")):
        if part not in parts:
            continue
        model = model_of(provider)
        ways = {"play": {"free": None, "choice": "choice"}, "likelihood": {"likelihood": "choice"}}.get(part, {})
        for game, spec in interleaved(options.most):
            for way, format in ways.items() if part == "play" or game == "babyai" else ():
                episodes = found.setdefault("play", {}).setdefault(game, {}).setdefault(way, [])
                if not any(same(spec, e) for e in episodes):
                    episodes.append(measured(spec, config_of(format), model))
                    print(game, way, episodes[-1], flush=True)
                    keep()
        for game in GAMES if part != "play" else ():
            probed = "grammar" if part == "probe" else "likelihood"
            if probed not in found.setdefault("probe", {}).setdefault(game, {}):
                found["probe"][game][probed] = probe(game, model)
                print(game, probed, found["probe"][game][probed], flush=True)
                keep()


def same(spec: EpisodeSpec, episode: Json) -> bool:
    return (spec.task.task, spec.seed) == (episode["task"], episode["seed"])


def interleaved(most: int) -> list[tuple[str, EpisodeSpec]]:
    """The episodes of all games, the first of each task of each game before the second, so that a run that is stopped
    has some of every game.
    """
    every = [(spec.index, game, spec) for game in GAMES for spec in specs_of(game) if spec.index < most]
    return [(game, spec) for _, game, spec in sorted(every, key=lambda item: item[0])]


if __name__ == "__main__":
    main()
