"""The learner `prompt`: writes `agent.instructions`, and keeps what plays training episodes best.

After Liu et al., "Language Models as Black-Box Optimizers for Vision-Language Models" (arXiv 2309.05950), and GLOV
(arXiv 2410.06154): a model sees instructions with their scores, the best and the worst, and writes new ones. Nothing of
the agent's own model is needed but its answers. `learner.proposer=edits` is the control: sentences that are added,
dropped, repeated and swapped at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from embodied.agents import needs_model
from embodied.agents.config import AgentConfig
from embodied.agents.prompt import message
from embodied.agents.versions import AgentVersion, Lineage, write
from embodied.errors import UsageError
from embodied.seeding import derive
from embodied.train.learner import Practice
from embodied.train.prompting import evidence
from embodied.train.prompting.edits import edited
from embodied.train.prompting.proposals import Pool, tagged
from embodied.train.prompting.racing import Race
from embodied.train.prompting.texts import TEMPLATE, lines, read
from embodied.types import Mission

PROPOSERS = ("model", "edits")
DEFAULTS: Mapping[str, Any] = {
    "proposer": "model",
    "candidates": 8,
    "iterations": 2,
    "episodes": 4,
    "halvings": 2,
    "excerpts": 4,
    "words": 120,
}
"""candidates: proposals of an iteration. episodes: of each task in the first heat. halvings: how often the worse half
leaves; each heat is twice as long as the one before. excerpts: episodes that a proposal is shown. words: how long a
model is told that instructions may be.
"""
KEY = "agent.instructions"


def learn(practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
    """Makes a version with other instructions, or with the parent's where no others played better. See `Learner`."""
    check(parent, practice.settings)
    settings = _checked(practice.settings)
    episodes = evidence.recorded(practice.runs)
    race = Race(practice, parent, settings["episodes"], settings["halvings"])
    pool = Pool([str(parent.record.settings.get(KEY, ""))])
    best, asked = pool.texts[0], 0
    practice.say(_plan(settings))
    for iteration in range(settings["iterations"]):
        before = len(pool.texts)
        if settings["proposer"] == "edits":
            seed = derive(practice.seed, "prompt", iteration)
            new = pool.take(edited(best, evidence.mission_of(episodes).tips, settings["candidates"], seed))
        else:
            proposed, tokens = _asked(practice, settings, race, episodes, iteration, pool.texts[0])
            asked += tokens
            new = pool.take(proposed)
        best = race.best(list(dict.fromkeys([pool.texts[0], best, *new])))
        practice.say(
            f"Iteration {iteration + 1}: {len(pool.texts) - before} new proposals; the best instructions score"
            f" {100 * race.score(best, race.halvings):.1f}, the parent's"
            f" {100 * race.score(pool.texts[0], race.halvings):.1f}."
        )
    return _written(parent, best, race, pool, asked, settings, out)


def check(parent: AgentVersion, settings: Mapping[str, Any]) -> None:
    """Raises `UsageError` for a parent that asks no model, and for settings that make no sense."""
    _checked(settings)
    policy = str(parent.record.settings.get("agent.policy", AgentConfig().policy))
    if not needs_model(policy):
        raise UsageError(f"The learner prompt is for agents that ask a model, and {parent.label} plays {policy!r}.")


learn.defaults = DEFAULTS  # type: ignore[attr-defined]  # a function with attributes, as `Learner` says
learn.check = check  # type: ignore[attr-defined]  # the same
learn.needs_model = True  # type: ignore[attr-defined]  # the same


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**DEFAULTS, **{key: settings[key] for key in DEFAULTS if key in settings}}
    if whole["proposer"] not in PROPOSERS:
        raise UsageError(f"learner.proposer is one of {', '.join(PROPOSERS)}, not {whole['proposer']!r}.")
    for key, least in (("candidates", 1), ("iterations", 1), ("episodes", 1), ("halvings", 0), ("excerpts", 0)):
        if whole[key] < least:
            raise UsageError(f"learner.{key} must be at least {least}, not {whole[key]}.")
    if whole["words"] < 1:
        raise UsageError(f"learner.words must be at least 1, not {whole['words']}.")
    return whole


def _plan(settings: Mapping[str, Any]) -> str:
    """One line: how much will be played at most."""
    racing, parent = settings["candidates"], 1
    total = 0
    for heat in range(settings["halvings"] + 1):
        total += (racing * settings["iterations"] + parent) * settings["episodes"] * 2**heat
        racing = max(1, racing // 2)
    return f"Races instructions over at most {total} training episodes of each task."


def _asked(
    practice: Practice,
    settings: Mapping[str, Any],
    race: Race,
    episodes: list[evidence.Recorded],
    iteration: int,
    parent: str,
) -> tuple[list[str | None], int]:
    """What a model proposes, and the tokens of its replies."""
    mission = evidence.mission_of(episodes)
    if not race.heats:
        race.best([parent])
    prompts = [
        [message("user", _prompt(practice, settings, race, mission, episodes, iteration, number))]
        for number in range(settings["candidates"])
    ]
    replies = practice.ask(prompts, name="propose")
    return [tagged(reply.text) for reply in replies], sum(r.usage.input + r.usage.output for r in replies)


def _prompt(
    practice: Practice,
    settings: Mapping[str, Any],
    race: Race,
    mission: Mission,
    episodes: list[evidence.Recorded],
    iteration: int,
    number: int,
) -> str:
    angles = lines("angles-1.txt")
    filled = {
        "told": evidence.told_of(mission),
        "scored": evidence.scored(race.table()),
        "excerpts": evidence.excerpts(
            episodes, settings["excerpts"], derive(practice.seed, "excerpts", iteration, number)
        ),
        "angle": angles[number % len(angles)],
        "words": settings["words"],
        "number": iteration * settings["candidates"] + number + 1,
        "of": settings["iterations"] * settings["candidates"],
    }
    return read(TEMPLATE).format_map(filled)


def _written(
    parent: AgentVersion, best: str, race: Race, pool: Pool, asked: int, settings: Mapping[str, Any], out: Path
) -> AgentVersion:
    last = race.halvings
    used = {
        "episodes": sum(len(heat) for heat in race.heats.values()),
        "tokens": race.tokens() + asked,
        "proposer": settings["proposer"],
        "proposed": len(pool.texts) - 1,
        "dropped": dict(sorted(pool.dropped.items())),
        "raced": {
            "parent": round(race.score(pool.texts[0], last), 4),
            "best": round(race.score(best, last), 4),
            "episodes": sum(len(race.heats[heat, best]) for heat in range(last + 1)),
        },
    }
    if settings["proposer"] == "model":
        used["template"] = TEMPLATE.removesuffix(".txt")
    changed = {**parent.record.settings, KEY: best} if best != pool.texts[0] else dict(parent.record.settings)
    record = msgspec.structs.replace(
        parent.record, settings=changed, lineage=Lineage(parent=parent.hash, learner="prompt", used=used)
    )
    return write(out, record, {name: parent.part(name) for name in parent.record.parts})
