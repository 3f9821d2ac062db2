"""What a proposer is shown: the mission, how instructions scored, and excerpts of recorded training episodes."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.agents.prompt import told
from embodied.errors import StoreError, UsageError
from embodied.eval.results import progress
from embodied.seeding import generator
from embodied.store.run import Run
from embodied.terminal import line, plain
from embodied.types import Correction, Episode, Mission, Step

STEPS = 4
"""Of an episode, from its end, that an excerpt shows."""
_LONGEST_SEEN = 400
"""Characters of an observation in an excerpt."""
_LONGEST_SCORED = 1_200
"""Characters of instructions that are shown with their score."""

Recorded = tuple[Run, Episode]


def recorded(runs: Sequence[Run]) -> list[Recorded]:
    """The training episodes that have a score and a mission, the oldest first.

    Raises:
        UsageError: There is none.
    """
    found = [(run, e) for run in runs for e in run.episodes([]) if progress(e) is not None and e.mission is not None]
    if not found:
        raise UsageError("The learner prompt needs recorded training episodes with a score, and there are none.")
    return found


def mission_of(episodes: Sequence[Recorded]) -> Mission:
    """The mission of the first episode: an example of them all."""
    mission = episodes[0][1].mission
    assert mission is not None
    return mission


def told_of(mission: Mission) -> str:
    """What an agent is told of a mission, as a text that obeys no mark of ours."""
    return _quoted(told(mission))


def excerpts(episodes: Sequence[Recorded], number: int, seed: int) -> str:
    """The ends of some episodes: half of those that were best, half of those that were worst, drawn by `seed`."""
    ranked = sorted(episodes, key=lambda one: progress(one[1]) or 0.0)
    half = max(1, len(ranked) // 2)
    rng = generator(seed, "excerpts")
    worst = [ranked[int(i)] for i in rng.permutation(half)[: (number + 1) // 2]]
    best = [ranked[len(ranked) - 1 - int(i)] for i in rng.permutation(half)[: number // 2]]
    shown = {(str(run.root), e.spec.id): (run, e) for run, e in [*worst, *best]}
    return "\n\n".join(_excerpt(run, episode) for run, episode in shown.values())


def scored(table: Sequence[tuple[str, float, int]], best: int = 3, worst: int = 2) -> str:
    """Instructions with their scores, the best and the worst, the best first.

    Args:
        table: Instructions, score in [0, 1], episodes; the best first.
        best: How many from the top.
        worst: How many from the bottom.
    """
    rows = [*table] if len(table) <= best + worst else [*table[:best], *table[-worst:]]
    return "\n\n".join(
        f"Score {100 * value:.0f} in {episodes} episodes:\n<<<\n"
        f"{_quoted(text[:_LONGEST_SCORED]) or '(no instructions)'}\n>>>"
        for text, value, episodes in rows
    )


def _excerpt(run: Run, episode: Episode) -> str:
    mission = episode.mission
    assert mission is not None
    try:
        steps = list(run.steps(episode.spec.id, []))[-STEPS:]
    except StoreError:
        steps = []
    head = f"Goal: {line(mission.goal)} Result: progress {100 * (progress(episode) or 0.0):.0f}, {episode.steps} steps."
    return _quoted("\n".join([head, *map(_step, steps)]))


def _step(step: Step) -> str:
    seen = step.observation
    text = line(" / ".join(filter(None, [seen.status, seen.text])))[:_LONGEST_SEEN] or "(a picture)"
    said = [f" A person said: {line(e.text)[:200]}" for e in step.events if isinstance(e, Correction) and e.text]
    not_valid = "" if step.valid else f" That is not an action, so {line(step.executed)[:80]!r} was executed."
    return f"Step {step.index}. Seen: {text}. Decision: {line(step.decision.action)[:80]!r}.{not_valid}{''.join(said)}"


def _quoted(text: str) -> str:
    """`text` without the marks that end a quotation."""
    return plain(text).replace("<<<", "< < <").replace(">>>", "> > >")
