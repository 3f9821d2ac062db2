"""few_shot: which recorded episodes become demonstrations, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.config import DemonstrationConfig, HistoryConfig
from embodied.blobs import MemoryBlobs, put_frame
from embodied.errors import StoreError, UsageError
from embodied.store.run import Run, RunRecord
from embodied.types import Decision, Episode, EpisodeSpec, Image, Observation, Outcome, Step, TaskSpec, Usage
from tests.agents.play import ROOM, Replies, act, shown

GOTO, PICKUP = TaskSpec("babyai", "goto"), TaskSpec("babyai", "pickup")
TO_PLAY = EpisodeSpec("now", GOTO, seed=1, index=0, agent_seed=0)
FIRST = Observation("the room of seed 1")


def record(root: Path, episodes: Sequence[dict[str, Any]]) -> str:
    """A run folder with the given episodes: task, seed, actions, progress, outcome, first (its first observation's
    text).
    """
    specs = tuple(EpisodeSpec(f"e{n}", e.get("task", GOTO), e["seed"], n, 0) for n, e in enumerate(episodes))
    run = Run.create(root, RunRecord("identity", {}, specs))
    for spec, e in zip(specs, episodes, strict=True):
        writer = run.claim(spec)
        actions = e.get("actions", ["turn left", "toggle"])
        seen = [
            Observation(
                e.get("first", f"the room of seed {spec.seed}") if n == 0 else f"seed {spec.seed}, step {n}",
                status="never shown",
                image=put_frame(run.blobs, np.full((4, 6, 3), 10 * spec.seed + n, np.uint8)),
                step=n,
            )
            for n in range(len(actions) + 1)
        ]
        for n, action in enumerate(actions):
            writer.append(
                Step(n, seen[n], Decision("as written"), action, True, 0.0, False, False, 0.0, {}, "", 0.0, 0.0)
            )
        outcome: Outcome = e.get("outcome", "finished")
        mission = replace(ROOM, goal=f"Goal of seed {spec.seed}.")
        writer.finish(
            Episode(
                spec,
                outcome,
                len(actions),
                e.get("progress", 1.0),
                True,
                1.0,
                0,
                Usage(),
                0.0,
                last=seen[-1],
                mission=mission,
            )
        )
    return str(root)


def ask(
    run: str | list[str],
    spec: EpisodeSpec = TO_PLAY,
    first: Observation = FIRST,
    image: int = 0,
    seed: int = 0,
    blobs=None,
    **options: Any,
) -> str:
    """The prompt of the first step."""
    model = Replies("toggle")
    runs = [run] if isinstance(run, str) else run
    config = AgentConfig(
        policy="few_shot", history=HistoryConfig(image=image), demonstrations=DemonstrationConfig(runs=runs, **options)
    )
    agent = agents.build(config, model, spec=spec, blobs=blobs)
    agent.begin(ROOM, np.random.default_rng(seed))
    act(agent, first)
    return "".join(
        f"## {m.role}\n" + "".join(p.digest + "\n" if isinstance(p, Image) else p.text + "\n" for p in m.parts)
        for m in model.asked[0][0]
    )


def test_a_demonstration_in_full(tmp_path):
    prompt = ask(record(tmp_path / "run", [{"seed": 2}]))
    _, _, after_instruction = prompt.partition("ending with what you see now.\n")
    assert (
        after_instruction
        == "## user\nDemonstration 1 of 1 by another player. Its goal: Goal of seed 2.\n\nObservation:\nthe room of"
        " seed 2\n## assistant\nturn left\n## user\nObservation:\nseed 2, step 1\n## assistant\ntoggle\n##"
        " user\nObservation:\nseed 2, step 2\n\nDemonstration 1 of 1 ends here.\n## user\nThe demonstrations are"
        " over. Now it is your turn.\n## user\nCurrent Observation:\nthe room of seed 1\n\nAnswer with one of the"
        " actions listed above, exactly as it is written there, and nothing else: no explanation, no other text.\n"
    )


def test_a_long_demonstration_is_cut(tmp_path):
    prompt = ask(record(tmp_path / "run", [{"seed": 2, "actions": ["toggle"] * 9}]), max_steps=3)
    assert prompt.count("## assistant") == 3
    assert "seed 2, step 2\n" in prompt and "step 3" not in prompt
    assert "## user\nDemonstration 1 of 1 went on; the rest is left out.\n" in prompt


def test_all_demonstrations_together_keep_within_max_steps(tmp_path):
    run = record(tmp_path / "run", [{"seed": s, "actions": ["toggle"] * 4} for s in range(2, 9)])
    assert ask(run, episodes=5, max_steps=10).count("## assistant") == 10
    assert "Demonstration 3 of 3 went on" in ask(run, episodes=5, max_steps=10)
    assert "Demonstration 2 of 2 ends here" in ask(run, episodes=5, max_steps=8)


def test_pictures_are_shown_and_brought_along(tmp_path):
    run, blobs = record(tmp_path / "run", [{"seed": 2}]), MemoryBlobs()
    prompt = ask(run, image=1, blobs=blobs)
    digests = [o.image.digest for o in (*(s.observation for s in Run(run).steps("e0")), Run(run).episodes()[0].last)]
    assert [line for line in prompt.splitlines() if line in digests] == digests
    assert prompt.count("Image observation provided.") == len(digests)
    for digest in digests:
        assert blobs.get(digest) == Run(run).blobs.get(digest)


def test_pictures_stay_away_from_agents_that_see_text(tmp_path):
    blobs = MemoryBlobs()
    assert "Image observation" not in ask(record(tmp_path / "run", [{"seed": 2}]), image=0, blobs=blobs)
    assert not blobs._data


def test_never_the_seed_to_be_played(tmp_path):
    run = record(
        tmp_path / "run", [{"seed": 1, "first": "seen elsewhere"}, {"seed": 2}, {"seed": 1, "first": "seen elsewhere"}]
    )
    for seed in range(20):
        prompt = ask(run, seed=seed, episodes=3)
        assert "Demonstration 1 of 1 " in prompt and "Goal of seed 2." in prompt and "Goal of seed 1." not in prompt


def test_never_an_episode_that_begins_alike(tmp_path):
    """Two seeds can choose the same text game."""
    run = record(tmp_path / "run", [{"seed": 2, "first": FIRST.text}, {"seed": 3}])
    for seed in range(10):
        assert "Goal of seed 2." not in ask(run, seed=seed, episodes=2)


def test_the_same_task_but_for_baba_another(tmp_path):
    run = record(
        tmp_path / "run",
        [{"seed": 2, "task": PICKUP}, {"seed": 3, "task": GOTO}, {"seed": 4, "task": TaskSpec("crafter", "goto")}],
    )
    assert "Demonstration 1 of 1 by another player. Its goal: Goal of seed 3." in ask(run, episodes=3)
    one, two = TaskSpec("babaisai", "env/one"), TaskSpec("babaisai", "env/two")
    baba = record(tmp_path / "baba", [{"seed": 2, "task": one}, {"seed": 3, "task": two}])
    assert "Demonstration 1 of 1 by another player. Its goal: Goal of seed 3." in ask(
        baba, replace(TO_PLAY, task=one), episodes=3
    )


def test_only_scored_episodes_that_got_far_enough(tmp_path):
    run = record(
        tmp_path / "run",
        [
            {"seed": 2, "outcome": "cancelled", "progress": None},
            {"seed": 3, "progress": 0.2},
            {"seed": 4, "progress": 0.8, "outcome": "limit"},
            {"seed": 5, "actions": []},
        ],
    )
    assert "Goal of seed 4." in ask(run, episodes=9, min_progress=0.5)
    assert "of 2 by another player." in ask(run, episodes=9)


def test_the_choice_is_the_episodes_own(tmp_path):
    run = record(tmp_path / "run", [{"seed": s} for s in range(2, 12)])
    assert ask(run, seed=3) == ask(run, seed=3)
    assert len({ask(run, seed=s) for s in range(12)}) > 3


def test_several_runs_are_one_collection(tmp_path):
    runs = [record(tmp_path / "a", [{"seed": 2}]), record(tmp_path / "b", [{"seed": 3}])]
    assert "Demonstration 2 of 2 ends here." in ask(runs, episodes=2)


def test_demonstrations_stay_through_the_episode(tmp_path):
    model = Replies("toggle", "toggle")
    config = AgentConfig(
        policy="few_shot", demonstrations=DemonstrationConfig(runs=[record(tmp_path / "run", [{"seed": 2}])])
    )
    agent = agents.build(config, model, spec=TO_PLAY)
    agent.begin(ROOM, np.random.default_rng(0))
    act(agent, FIRST)
    act(agent, Observation("next", step=1))
    first, second = (shown(messages) for messages, _ in model.asked)
    assert second.startswith(first[: first.index("Current Observation:")])


def test_without_runs():
    with pytest.raises(UsageError, match=r"agent\.demonstrations\.runs=\[RUN\]"):
        agents.build(AgentConfig(policy="few_shot"), Replies(), spec=TO_PLAY)


def test_without_a_run_folder(tmp_path):
    with pytest.raises(StoreError, match="is not a run folder"):
        ask(str(tmp_path))


def test_without_a_fitting_episode(tmp_path):
    run = record(
        tmp_path / "run", [{"seed": 1}, {"seed": 2, "first": FIRST.text, "progress": 0.6}, {"seed": 3, "progress": 0.1}]
    )
    with pytest.raises(UsageError, match=r"seed 1 of babyai goto: .*another seed and reached a progress of 0\.9"):
        ask(run, min_progress=0.9)
    with pytest.raises(UsageError, match="begins differently"):
        ask(run, min_progress=0.5)
