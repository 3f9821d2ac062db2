"""Going back in an episode: a branch repeats the steps before, goes on by itself, costs what it alone asks for, and
counts in no score.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.errors import StoreError
from embodied.eval.score import score
from embodied.rollout.channel import Channel
from embodied.rollout.control import Branch, GoOn, Pause, Rewind, Speak
from embodied.rollout.runner import Result, run_all
from embodied.rollout.spend import used
from embodied.rollout.worlds.workers import Pool
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Branch as Begun
from embodied.types import Correction, Decision, EpisodeSpec, Step, TaskSpec
from tests.rollout.playing import FAULTY, TASK, Hashing, Quiet, content, make_run, play, stop_at

NAIVE = AgentConfig(policy="naive")
AtStep = Callable[[EpisodeSpec, Step, Channel], None]


def playing(
    run: Run,
    specs,
    at_step: AtStep = lambda spec, step, channel: None,
    model: Hashing | None = None,
    concurrency: int = 1,
    config: AgentConfig | None = None,
    stop_after: int | None = None,
) -> tuple[Result, list[str], dict[str, Channel]]:
    """Plays a run in which every episode has a channel. Returns what was heard, too."""
    channels: dict[str, Channel] = {}
    config = config or (NAIVE if model else AgentConfig(policy="random"))

    def channel(spec: EpisodeSpec) -> Channel:
        return channels.setdefault(spec.id, Channel())

    async def go() -> tuple[Result, list[str]]:
        stopping, heard = asyncio.Event(), []

        class Told(Quiet):
            def started(self, spec: EpisodeSpec) -> None:
                heard.append(f"started {spec.id}")

            def stepped(self, spec: EpisodeSpec, step: Step) -> None:
                super().stepped(spec, step)
                at_step(spec, step, channels[spec.id])
                if self.heard.count("step") == stop_after:
                    stopping.set()

            def ended(self, episode) -> None:
                heard.append(f"ended {episode.spec.id}")

        async with Pool(2) as pool:
            done = await run_all(
                run,
                specs,
                lambda spec: agents.build(config, model, spec=spec, blobs=run.blobs),
                pool,
                Told(),
                concurrency,
                stopping,
                channels=channel,
            )
        return done, heard

    done, heard = asyncio.run(go())
    return done, heard, channels


def once(index: int, command: object, only: str = "") -> AtStep:
    """Sends a command after step `index` of the first episode, or of the one named."""
    sent: list[object] = []

    def at_step(spec: EpisodeSpec, step: Step, channel: Channel) -> None:
        if not sent and step.index == index and (spec.id == only if only else not isinstance(spec.parent, str)):
            sent.append(channel.submit(command))

    return at_step


def executed(run: Run, id_: str) -> list[str]:
    return [step.executed for step in run.steps(id_)]


def events(run: Run, id_: str) -> list[Begun]:
    found = [event for step in run.steps(id_) for event in step.events]
    return [event for event in (*found, *run.episode(id_).events) if isinstance(event, Begun)]


def test_a_branch_repeats_the_steps_before_and_its_parent_goes_on(tmp_path):
    run, specs = make_run(tmp_path / "run", 2)
    alone, _ = make_run(tmp_path / "alone", 2)
    model = Hashing()
    done, heard, channels = playing(run, specs, once(5, Branch(3, by="person 1")), model)
    playing(alone, specs, model=Hashing())
    parent, (new,) = specs[0].id, [b.spec for b in run.record.branched]
    assert (done.played, done.branches, done.skipped) == (2, 1, 0)
    assert new.id == f"{parent}-b3.1" and (new.parent, new.from_step) == (parent, 3)
    assert heard[2:4] == [f"started {new.id}", f"ended {new.id}"], "it comes next"
    assert executed(run, new.id)[:3] == executed(run, parent)[:3]
    assert executed(run, parent) == executed(alone, parent), "its parent goes on as if nothing had been"
    assert events(run, parent) == [Begun(episode=new.id, by="person 1", step=3)]
    assert score(Run(run.root)).total == replace(score(alone).total, usage=used(run)), "no score counts it"
    assert channels[new.id] is not channels[parent]


def test_what_is_repeated_is_paid_for_once(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    model = Hashing()
    playing(run, specs, once(6, Branch(4)), model)
    (new,) = (b.spec for b in run.record.branched)
    parent, branch = run.episode(specs[0].id), run.episode(new.id)
    own = [call for step in run.steps(new.id) if step.index >= 4 for call in step.decision.calls]
    assert parent.steps + branch.steps - 4 == model.asked
    assert branch.usage.input == sum(call.reply.usage.input for call in own)
    assert branch.counts["replies"] == len(own)
    assert used(run).input == parent.usage.input + branch.usage.input
    (run.folder(new.id) / "episode.json").unlink()  # as if it were being played
    assert used(run).input == parent.usage.input + branch.usage.input
    assert score(run).total.usage == parent.usage


def test_rewinding_ends_the_episode_without_a_score_for_good(tmp_path):
    run, specs = make_run(tmp_path / "run", 2)
    playing(run, specs, once(4, Rewind(2)), Hashing())
    gone, (new,) = run.episode(specs[0].id), (b.spec for b in run.record.branched)
    assert (gone.outcome, gone.error_kind, gone.progress, gone.steps) == ("cancelled", "Rewound", None, 5)
    assert gone.error == f"Somebody went back to step 2: the episode {new.id} goes on from there."
    assert events(run, specs[0].id) == [Begun(episode=new.id, by="person", step=2)]
    assert run.episode(new.id).outcome in ("finished", "limit")
    whole = score(run).total
    assert (whole.planned, whole.scored, whole.outcomes["cancelled"]) == (2, 1, 1)
    before, model = content(run.root), Hashing()
    done, heard, _ = playing(run, specs, model=model)
    assert (done.played, done.skipped, heard, model.asked) == (0, 1, [], 0), "nothing is left to play"
    assert content(run.root) == before


def test_a_kill_between_the_rewind_and_the_end_of_the_episode_changes_nothing(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    playing(run, specs, once(4, Rewind(2)), Hashing())
    before = content(run.root)
    (run.folder(specs[0].id) / "episode.json").unlink()
    playing(Run(run.root), specs, model=Hashing())
    assert content(run.root) == before


def test_a_rewound_episode_that_somebody_deletes_is_played_from_its_beginning(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    playing(run, specs, once(4, Rewind(2)), Hashing())
    shutil.rmtree(run.folder(specs[0].id))
    _, heard, _ = playing(Run(run.root), specs, model=Hashing())
    assert run.episode(specs[0].id).outcome in ("finished", "limit")
    assert heard == [f"started {specs[0].id}", f"ended {specs[0].id}"], "its branch stays as it is"


def test_a_branch_is_played_beside_its_paused_parent(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    parents: list[Channel] = []

    def at_step(spec: EpisodeSpec, step: Step, channel: Channel) -> None:
        if not isinstance(spec.parent, str) and step.index == 3:
            parents.append(channel)
            channel.submit(Pause())
            channel.submit(Branch(1))
        if isinstance(spec.parent, str) and step.index == 10:
            parents[0].submit(GoOn())

    _, heard, _ = playing(run, specs, at_step, concurrency=2)
    assert [what.split()[0] for what in heard] == ["started", "started", "ended", "ended"]
    assert len(score(run).total.outcomes) == 1 and len(run.episodes(branches=True)) == 1


def test_branches_of_branches(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    first = f"{specs[0].id}-b4.1"
    commands = [once(5, Branch(4)), once(6, Branch(5), first), once(7, Branch(5), first)]
    playing(run, specs, lambda *told: [command(*told) for command in commands], Hashing())
    assert [(b.spec.id, b.spec.parent, b.spec.from_step) for b in run.record.branched] == [
        (first, specs[0].id, 4),
        (f"{first}-b5.1", first, 5),
        (f"{first}-b5.2", first, 5),
    ]
    assert executed(run, f"{first}-b5.1")[:5] == executed(run, first)[:5]
    assert events(run, f"{first}-b5.2") == [], "it does not repeat what its parent said of other branches"
    assert not [spec for spec in run.record.specs if not run.over(spec.id)]


def test_a_step_that_was_not_played_is_one_sentence_and_nothing_is_lost(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    refused = []

    def at_step(spec: EpisodeSpec, step: Step, channel: Channel) -> None:
        if step.index == 2:
            refused.append(channel.submit(Branch(9)))
            refused.append(channel.submit(Rewind(-1)))

    playing(run, specs, at_step)
    assert [receipt.why for receipt in refused] == [
        "There is no step 9 to go back to: the episode has 3 steps so far.",
        "There is no step -1 to go back to: the episode has 3 steps so far.",
    ]
    assert run.record.format == 1 and score(run).total.scored == 1
    with pytest.raises(StoreError, match=r"There is no step 40 to go back to: .* has 12 recorded steps"):
        run.branch(specs[0].id, 40)
    with pytest.raises(StoreError, match="ended with step 11, so nothing can go on after it"):
        run.branch(specs[0].id, 12)
    assert not run.record.branched and [p.name for p in (run.root / "episodes").iterdir()] == [specs[0].id]


@pytest.mark.parametrize("stop", [1, 3])
def test_an_interrupted_branch_is_as_if_never_interrupted(tmp_path, stop):
    task = TaskSpec(TASK.env, TASK.task, {"max_steps": 12, "image": True})
    whole, broken = Hashing(), Hashing()
    for name, model in (("whole", whole), ("broken", broken)):
        run, specs = make_run(tmp_path / name, 1, task)
        play(run, specs, NAIVE, model)
        run.branch(specs[0].id, 4, say="turn left", lasts=3)
        if name == "broken":
            play(run, specs, NAIVE, model, at_step=stop_at(stop))
        play(Run(run.root), specs, NAIVE, model)
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    assert broken.asked == whole.asked, "no model call is made twice"
    steps = list(run.steps(f"{specs[0].id}-b4.1"))
    (said,) = (event for event in steps[4].events if isinstance(event, Correction))
    assert (said.text, said.opened, said.applied) == ("turn left", 4, 4)
    assert [step.executed for step in steps[:4]] == executed(run, specs[0].id)[:4]


def test_a_branch_that_begins_again_begins_with_what_it_repeats(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, TaskSpec(FAULTY, "", {"fault": "drift", "at": 6}))
    play(run, specs, at_step=stop_at(5))
    new = run.branch(specs[0].id, 3)
    play(run, [new], at_step=stop_at(5))
    play(run, [new])
    assert run.episode(new.id).outcome in ("infra_failure", "finished")
    play(run, [new])
    assert run.episode(new.id).outcome == "finished"
    assert executed(run, new.id)[:3] == executed(run, specs[0].id)[:3]


def test_a_branch_that_lost_its_folder_takes_its_beginning_from_its_parent(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, NAIVE, Hashing())
    new = run.branch(specs[0].id, 5)
    for path in run.folder(new.id).iterdir():
        path.unlink()
    play(run, [new], NAIVE, Hashing())
    assert executed(run, new.id)[:5] == executed(run, specs[0].id)[:5]
    lost = run.branch(specs[0].id, 6)
    for path in (*run.folder(lost.id).iterdir(), *run.folder(specs[0].id).iterdir()):
        path.unlink()
    play(run, [lost], NAIVE, Hashing())
    assert run.episode(lost.id).outcome == "infra_failure"
    assert run.episode(lost.id).error.startswith("The branch cannot go on: of the 6 steps that it repeats, 0 are")


class Forgetful:
    """An agent that cannot be told what was played."""

    def begin(self, mission, rng) -> None:
        pass

    async def act(self, observation) -> Decision:
        return Decision("turn left")

    def hear(self, correction: str) -> None:
        pass

    def end(self, outcome) -> None:
        pass


def test_an_agent_that_cannot_be_told_branches_from_the_beginning_only(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    channel, receipts = Channel(), []

    async def go() -> None:
        class Told(Quiet):
            def stepped(self, spec: EpisodeSpec, step: Step) -> None:
                if step.index == 3 and not receipts:
                    receipts.extend(map(channel.submit, (Branch(2), Branch(0))))

        async with Pool(1) as pool:
            await run_all(run, specs, lambda spec: Forgetful(), pool, Told(), channels=lambda spec: channel)

    asyncio.run(go())
    assert [receipt.status for receipt in receipts] == ["refused", "done"]
    assert receipts[0].why.startswith("The agent or its corrector cannot be told what was played before")
    assert [b.spec.from_step for b in run.record.branched] == [0]


def test_a_spoken_word_that_still_counts_is_heard_in_the_branch(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    playing(run, specs, once(1, Speak("turn right", lasts=6)), Hashing())
    new = run.branch(specs[0].id, 4)
    play(run, [new], NAIVE, Hashing())
    steps = list(run.steps(new.id))
    (said,) = corrections(steps)
    last = ["".join(map(str, step.decision.calls[0].messages[-1].parts)) for step in steps]
    heard = [step.index for step, words in zip(steps, last, strict=True) if "says: turn right" in words]
    assert heard == list(range(said.opened, said.ended + 1)) and said.ended > new.from_step


def test_killed_at_any_moment_no_branch_is_lost_and_none_is_played_twice(tmp_path):
    rng = random.Random(5)
    for number in range(4):
        root = tmp_path / str(number)
        process = subprocess.Popen([sys.executable, "-m", "tests.rollout.branching_driver", str(root)])
        until = time.monotonic() + 120
        while not list(root.glob("episodes/*-b*.*/steps.jsonl")) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(rng.random() / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        begun = {b.spec.id: b.spec for b in Run(root).record.branched}
        assert begun
        subprocess.run([sys.executable, "-m", "tests.rollout.branching_driver", str(root)], check=True)
        run = Run(root)
        assert all(run.over(spec.id) for spec in run.record.specs)
        assert {b.spec.id for b in run.record.branched} >= begun.keys()
        for branch in run.record.branched:
            steps = list(run.steps(branch.spec.id))
            assert [step.index for step in steps] == list(range(len(steps)))
            told = [event.episode for event in events(run, branch.spec.parent)]
            assert sorted(told) == sorted(b.spec.id for b in run.record.branched if b.spec.parent == branch.spec.parent)
        known = {spec.id for spec in run.record.specs}
        strange = [path for path in (root / "episodes").iterdir() if path.name not in known]
        assert not [path for path in strange if (path / "episode.json").exists()], "a kill may leave a mere copy"
