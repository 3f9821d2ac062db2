"""What asking buys, read from recorded runs: coverage, set size, questions, and errors where nothing was asked.

It reads runs in which an expert's advice was executed in every step (`--corrector oracle agent.follow=true`). As long
as every set holds the right action, an agent that asks plays exactly these steps: it does what is right alone, or is
told it. So these episodes are exchangeable with those that it will play, up to the first set that fails.

Environments tell one action of their expert in each step, so that action alone counts as right. Where others would do
as well, sets are larger than they need to be, and the agent asks more often. The promise holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from embodied.agents.asking import calibration as conformal
from embodied.agents.asking.calibration import Calibration
from embodied.agents.vocabulary import fold
from embodied.errors import UsageError
from embodied.eval.statistics import Interval, wilson
from embodied.seeding import derive, generator
from embodied.store.record import SCORED
from embodied.store.run import Run
from embodied.types import Decision, Step


@dataclass(frozen=True)
class Moment:
    """One step, as far as asking is concerned."""

    shares: dict[str, float]
    """Action -> its share of the model's probability."""
    right: frozenset[str]
    """The right actions, one at least."""
    actions: tuple[str, ...] = ()
    """All that could be chosen."""

    @property
    def wrong(self) -> bool:
        """Whether the likeliest action is not right."""
        likeliest = max(self.shares, key=lambda action: self.shares[action])
        return fold(likeliest) not in {fold(action) for action in self.right}

    def score(self) -> float:
        """See `embodied.agents.asking.calibration.score`."""
        return conformal.score(self.shares, self.right)

    def set(self, limit: float) -> list[str]:
        """The set of actions."""
        return conformal.chosen(self.shares, limit, self.actions)


Played = tuple[Moment, ...]
"""One episode."""


class Row(msgspec.Struct, frozen=True):
    """One way of asking, on held-out episodes."""

    name: str
    asks: float
    """An episode."""
    rate: float
    """Share of steps in which it asks."""
    wrong_steps: float
    """Share of the steps in which it does not ask whose likeliest action is not right; 0 where it always asks."""
    failed: float
    """Share of episodes with at least one such step."""
    failed_interval: Interval | None = None
    """95 %."""


class Report(msgspec.Struct, frozen=True):
    """What asking bought on held-out episodes."""

    episodes: int
    steps: int
    covered: float
    """Share of episodes in which every set held a right action."""
    covered_interval: Interval | None
    """95 %."""
    covered_steps: float
    """Mean over episodes of the share of steps whose set held a right action: of a step of an episode, drawn at random.
    """
    size: float
    """Mean number of actions in a set."""
    rows: tuple[Row, ...]
    """conformal; random at the same rate; never."""


def read(run: Run) -> list[Played]:
    """The episodes of a run that ended, in the order of the plan.

    Raises:
        UsageError: It holds no probabilities or no advice, or another action than the expert's was executed.
    """
    found = []
    for episode in run.episodes():
        if episode.outcome not in SCORED:
            continue
        known = tuple(episode.mission.actions) if episode.mission is not None else ()
        moments = tuple(filter(None, (_moment(run, episode.spec.id, s, known) for s in run.steps(episode.spec.id))))
        if not moments:
            raise UsageError(
                f"{run.root}: the episode {episode.spec.id} holds no advice of an expert. Play it with --corrector"
                " oracle agent.follow=true, in an environment that has an expert."
            )
        found.append(moments)
    if not found:
        raise UsageError(f"{run.root} has no episode that ended.")
    return found


def digest(runs: Sequence[Run]) -> str:
    """SHA-256 of the recorded steps of the episodes that ended."""
    whole = hashlib.sha256()
    for run in runs:
        for episode in run.episodes():
            data = (run.folder(episode.spec.id) / "steps.jsonl").read_bytes()
            whole.update(f"{episode.spec.id} {hashlib.sha256(data).hexdigest()}\n".encode())
    return whole.hexdigest()


def scores(episodes: Sequence[Played], level: str, seed: int = 0) -> list[float]:
    """One score for each episode: the largest of its steps, or for the level `step` that of one step drawn at random.
    Steps of one episode depend on each other, so no episode gives more than one.
    """
    if level == "episode":
        return [max(moment.score() for moment in played) for played in episodes]
    drawn = (generator(derive(seed, "calibrate", n)) for n in range(len(episodes)))
    return [played[int(rng.integers(len(played)))].score() for played, rng in zip(episodes, drawn, strict=True)]


def rate(episodes: Sequence[Played], limit: float) -> float:
    """The share of steps whose set is not a single action."""
    steps = [moment for played in episodes for moment in played]
    return sum(len(moment.set(limit)) != 1 for moment in steps) / len(steps)


def report(episodes: Sequence[Played], calibration: Calibration) -> Report:
    """Replays a threshold and its two controls on recorded episodes. Nothing is drawn: what chance would give is
    computed.
    """
    limit = calibration.threshold
    steps = [moment for played in episodes for moment in played]
    covers = [[moment.score() <= limit + 1e-9 for moment in played] for played in episodes]
    whole = sum(all(covered) for covered in covers)
    asked = rate(episodes, limit)
    return Report(
        episodes=len(episodes),
        steps=len(steps),
        covered=whole / len(episodes),
        covered_interval=wilson(whole, len(episodes)),
        covered_steps=sum(sum(covered) / len(covered) for covered in covers) / len(covers),
        size=sum(len(moment.set(limit)) for moment in steps) / len(steps),
        rows=(
            _row("conformal", episodes, lambda moment: float(len(moment.set(limit)) != 1)),
            _row("random, as often", episodes, lambda moment: asked),
            _row("never", episodes, lambda moment: 0.0),
        ),
    )


def _row(name: str, episodes: Sequence[Played], chance: Callable[[Moment], float]) -> Row:
    """Args: chance: With which probability it asks in a step."""
    silent = wrong = asked = failed = 0.0
    steps = 0
    for played in episodes:
        fine = 1.0
        for moment in played:
            here = chance(moment)
            steps, asked, silent = steps + 1, asked + here, silent + 1 - here
            if moment.wrong:
                wrong, fine = wrong + 1 - here, fine * here
        failed += 1 - fine
    number = len(episodes)
    return Row(name, asked / number, asked / steps, wrong / silent if silent else 0.0, failed / number,
               wilson(failed, number))  # fmt: skip


def _moment(run: Run, id_: str, step: Step, known: tuple[str, ...]) -> Moment | None:
    """A step; None where the expert knew no advice."""
    advice = step.observation.expert
    if not advice:
        return None
    where = f"{run.root}: in step {step.index} of {id_}"
    if fold(step.executed) != fold(advice):
        raise UsageError(
            f"{where} another action than the expert's was executed. Calibration needs episodes on the expert's path:"
            " --corrector oracle agent.follow=true."
        )
    found = conformal.shares(_first(step))
    if found is None:
        raise UsageError(
            f"{where} the model gave no probabilities. Play with agent.format=choice and a model of the provider"
            " transformers, or with agent.samples=10."
        )
    actions = step.observation.actions
    return Moment(found, frozenset({advice}), known if isinstance(actions, msgspec.UnsetType) else actions)


def _first(step: Step) -> Decision:
    """The decision that the agent made before anybody spoke."""
    for event in step.events:
        superseded: Decision | None = getattr(event, "superseded", None)
        if superseded is not None:
            return superseded
    return step.decision
