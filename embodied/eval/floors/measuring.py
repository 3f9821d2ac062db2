"""Measuring floors: random choice, and the best constant phrase, through the ordinary runner and agents.

A constant is chosen in three stages, each on its own seeds: every phrase on a few seeds, the best few on more, the best
of these on fresh ones. Only the last figure is reported, so that it is not a maximum over noise. Every stage is a run
folder: a stopped measurement continues where it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev

from embodied import agents, envs
from embodied.agents.config import AgentConfig
from embodied.catalog import entry
from embodied.errors import EnvironmentFailure
from embodied.eval.floors import Floor, Floors
from embodied.rollout.plan import identity, plan
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.workers import Pool
from embodied.store.run import Run, RunRecord
from embodied.types import Episode, EpisodeSpec, Json, Step, TaskSpec

SEEDS = {"screen": 101, "choose": 102, "report": 103}
"""Suite seed of each stage."""
MANY = 20
"""Phrases above which each is screened on half as many seeds."""
ANSWERS = 24
"""Where any answer in sentences is an action: the expert's answers to this many questions are the constants tried."""
_BLANK = re.compile(r"<([^<>]*)>")

Earned = dict[str, dict[str, list[float]]]
"""Task -> phrase -> progress of each episode."""


@dataclass(frozen=True)
class Effort:
    """How many episodes a measurement takes."""

    report: int
    """A task: what the numbers stand on."""
    screen: int = 4
    """A task and phrase of the vocabulary."""
    choose: int = 10
    """A task and phrase that did well."""
    best: int = 3
    """Phrases a task that are tried again."""

    @classmethod
    def of(cls, env: str, report: int | None = None) -> Effort:
        """The usual effort for an environment: 600 episodes in all, at least 15 and at most 100 a task."""
        return cls(report if report is not None else max(15, min(100, 600 // len(entry(env).tasks))))


class Quiet:
    """A listener that only counts."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say

    def started(self, spec: EpisodeSpec) -> None:
        """Nothing to show."""

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        """Nothing to show."""

    def ended(self, episode: Episode) -> None:
        if episode.error:
            self._say(f"{episode.spec.id}: {episode.error}")


@dataclass(frozen=True)
class Measurement:
    """One environment and rule set to measure."""

    env: str
    rules: str
    effort: Effort
    work: Path
    """Folder of the runs."""
    versions: dict[str, str]
    pool: Pool
    say: Callable[[str], None]

    async def floors(self) -> Floors:
        """Plays all that is needed and returns the results.

        Raises:
            EnvironmentFailure: An episode ended without a score.
            StoreError: The folder cannot be written.
        """
        tasks = entry(self.env).tasks
        phrases = {task: candidates(self.env, task, self._options()) for task in tasks}
        drawn = [task for task in tasks if _has_vocabulary(self.env, task, self._options())]
        random = await self._play("report", "random", "", drawn, self.effort.report) if drawn else {}
        best = await self._best({task: found for task, found in phrases.items() if found})
        constant: Earned = {}
        for phrase, mine in _by_phrase({task: [phrase] for task, phrase in best.items()}):
            for task, values in (await self._play("report", "constant", phrase, mine, self.effort.report)).items():
                constant[task] = {phrase: values}
        floors: dict[str, tuple[Floor, ...]] = {}
        for task in tasks:
            made = [_floor("random", "", random[task], 0)] if task in random else []
            made += [
                _floor("constant", phrase, values, len(phrases[task]))
                for phrase, values in constant.get(task, {}).items()
            ]
            floors[task] = tuple(made)
        notes = {
            task: "any text is an answer: there is no vocabulary to draw from" for task in tasks if task not in drawn
        }
        return Floors(entry(self.env).id, self.rules, self.versions, floors, notes)

    async def _best(self, phrases: dict[str, list[str]]) -> dict[str, str]:
        """The best phrase of each task, by the first two stages."""
        seen: Earned = {task: {phrase: [] for phrase in found} for task, found in phrases.items()}
        for stage in ("screen", "choose"):
            for phrase, tasks in _by_phrase(phrases):
                few = max(1, self.effort.screen // (2 if max(len(seen[t]) for t in tasks) > MANY else 1))
                for task, values in (
                    await self._play(stage, "constant", phrase, tasks, few if stage == "screen" else self.effort.choose)
                ).items():
                    seen[task][phrase] += values
            ranked = {task: _ranked(found, seen[task]) for task, found in phrases.items()}
            phrases = {task: _worth(found, seen[task], self.effort.best) for task, found in ranked.items()}
        return {task: found[0] for task, found in ranked.items()}

    async def _play(
        self, stage: str, policy: str, phrase: str, tasks: Sequence[str], episodes: int
    ) -> dict[str, list[float]]:
        """Progress of each episode by task; recorded episodes are not played again."""
        config = AgentConfig(policy=policy, script=[phrase] if policy == "constant" else [])
        e = entry(self.env)
        recorded: Json = {
            "suite": None,
            "preset": policy,
            "image": False,
            "env": {"name": self.env, "id": e.id, **self._options()},
            "agent": {"policy": policy, "script": config.script},
            "model": {},
            "stage": stage,
            "versions": self.versions,
        }
        run_identity = identity(recorded)
        specs = plan(
            [(TaskSpec(self.env, task, self._options()), episodes) for task in tasks], SEEDS[stage], run_identity
        )
        label = re.sub(r"[^a-z0-9]+", "-", phrase.lower()).strip("-")[:24]
        digest = hashlib.sha256(phrase.encode()).hexdigest()[:6]
        name = policy if policy == "random" else f"{policy}-{label}-{digest}"
        root = self.work / f"{e.id.rpartition('/')[2]}.{self.rules}" / f"{stage}-{name}-{run_identity[:6]}"
        run = Run.create(root, RunRecord(run_identity, recorded, specs, self.versions, "", ""))
        result = await run_all(
            run, specs, lambda spec: agents.build(config, spec=spec), self.pool, Quiet(self.say), concurrency=4
        )
        if result.played:
            self.say(f"{self.env} {self.rules} {stage} {policy} {phrase[:40]!r}: {result.played} episodes")
        earned: dict[str, list[float]] = {task: [] for task in tasks}
        for spec in specs:
            episode = run.result(spec.id)
            if episode is None or episode.progress is None:
                raise EnvironmentFailure(
                    f"{spec.id} in {root} has no score: {episode.error if episode else result.stopped}. The same"
                    " command tries again."
                )
            earned[spec.task.task].append(episode.progress)
        return earned

    def _options(self) -> Json:
        return {} if self.rules == "embodied" else {"rules": self.rules}


def candidates(env: str, task: str, options: Json) -> list[str]:
    """The constants that are tried: the vocabulary; commands without a blank and in every direction; or the expert's
    answers to some questions.
    """
    made = envs.make(env, task, **options)
    try:
        made.reset(seed=0)
        mission = made.mission
        expert = bool(entry(env).experts)
    finally:
        made.close()
    if not mission.free_text:
        return list(mission.actions)
    if mission.actions:
        return list(dict.fromkeys(chain.from_iterable(_commands(pattern) for pattern in mission.actions)))
    return _answers(env, task, options) if mission.prose and expert else []


def _commands(pattern: str) -> Iterator[str]:
    """The commands of a pattern that need no look: `inventory`, `go <north|south>` in each direction; none of
    `take <thing>`.
    """
    blank = _BLANK.search(pattern)
    if blank is None:
        yield pattern
    elif "|" in blank[1]:
        for word in blank[1].split("|"):
            yield from _commands(pattern[: blank.start()] + word + pattern[blank.end() :])


def _answers(env: str, task: str, options: Json) -> list[str]:
    made = envs.make(env, task, expert=True, **options)
    try:
        return list(dict.fromkeys(made.reset(seed=seed)[0]["expert"] for seed in range(ANSWERS)))
    finally:
        made.close()


def _has_vocabulary(env: str, task: str, options: Json) -> bool:
    made = envs.make(env, task, **options)
    try:
        made.reset(seed=0)
        return bool(made.mission.actions)
    finally:
        made.close()


def _ranked(phrases: Sequence[str], seen: Mapping[str, Sequence[float]]) -> list[str]:
    """Phrases by their mean, the best first."""
    return sorted(phrases, key=lambda phrase: -fmean(seen[phrase]))


def _worth(ranked: list[str], seen: dict[str, list[float]], best: int) -> list[str]:
    """The first few; only the first if all earn the same."""
    earned = [fmean(seen[phrase]) for phrase in ranked]
    return ranked[:1] if earned[0] == earned[-1] else ranked[:best]


def _by_phrase(phrases: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Each phrase with the tasks it is for, so that a phrase is one run."""
    found: dict[str, list[str]] = {}
    for task, mine in phrases.items():
        for phrase in mine:
            found.setdefault(phrase, []).append(task)
    return list(found.items())


def _floor(agent: str, phrase: str, values: list[float], screened: int) -> Floor:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Floor(agent, round(fmean(values), 5), round(error, 5), len(values), phrase, screened)
