"""What a person says to a running episode, as its record holds it: when words end, what they name, and that a resumed
episode knows of them.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from embodied.errors import ModelUnavailable
from embodied.models.layers.budget import Allowance, Budget
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, EndCorrection, GiveBack, Speak, TakeOver
from embodied.rollout.control import Label as Say
from embodied.rollout.spend import used
from embodied.store.events import corrections
from embodied.store.index import EpisodeIndex
from embodied.store.run import Run
from embodied.store.said import SAID
from embodied.types import Correction, Label, TaskSpec, Text
from tests.rollout.playing import make_run
from tests.rollout.test_channel import Thinking, acts, playing

SHELF = TaskSpec("gym:tests.envs.changing:Shelf-v0", "")


def life(correction: Correction) -> tuple[object, ...]:
    return correction.text, correction.applied, correction.ended, correction.why, correction.status


async def test_a_person_acts_with_what_can_be_chosen_in_this_step(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1, SHELF)
    channel = Channel()
    channel.submit(TakeOver())

    async def person() -> None:
        while channel.control.accepts("take mug"):  # the episode has not begun
            await asyncio.sleep(0.001)
        wrong = channel.submit(Act("take mug"))
        assert (wrong.status, wrong.why) == (
            "refused",
            "'take mug' is not an action here. You keep control: choose one of: wait, take cup, take lamp.",
        )
        for phrase in (" TAKE CUP ", "take cup", "Take_Lamp"):  # all of them are there now
            channel.submit(Act(phrase))
        channel.submit(GiveBack())

    steps, _ = await asyncio.gather(playing(run, specs, channel), person())
    assert acts(steps)[:1] == ["take cup"] and all(step.valid for step in steps)
    late = [r for r in channel.control.receipts if isinstance(r.command, Act)][2:]
    assert (late[0].status, late[0].why) == (
        "dropped",
        "'take cup' cannot be chosen any more: choose one of: wait, take lamp.",
    )
    assert (late[1].status, late[1].why) == ("dropped", "The action before it could not be chosen any more.")


async def test_words_end_as_done_once_their_action_was_executed(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    channel = Channel()
    channel.submit(Speak("no, go forward", lasts=5))
    steps = await playing(run, specs, channel, Thinking())  # it says "no, go forward", which is not an action at once
    said = corrections(steps)
    assert (said[0].resolved, said[0].method, said[0].score) == ("go forward", "grammar", 0.8)
    done = next(step for step in steps if step.executed == "go forward")
    assert life(said[0]) == ("no, go forward", 0, done.index, "done", "committed")
    assert run.result(specs[0].id).counts["corrections"] == 1
    assert run.result(specs[0].id).counts["corrections_followed"] == 1
    assert channel.control.receipts[0].ended_by == "done"


@pytest.mark.parametrize("command", [EndCorrection(), Speak("turn right"), TakeOver(), None])
async def test_a_resumed_episode_knows_the_words_that_are_in_force(tmp_path: Path, command: object) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    stopping, first = asyncio.Event(), Channel()
    first.submit(Speak("mind the wall", lasts=6))
    await playing(run, specs, first, Thinking(), lambda steps: steps == 3 and stopping.set(), stopping=stopping)
    channel, model = Channel(), Thinking()

    def at_step(steps: int) -> None:
        if steps == 5 and command is not None:
            assert channel.submit(command).status != "refused"
            channel.submit(Act("turn right"))
            channel.submit(GiveBack())

    steps = await playing(run, specs, channel, model, at_step)
    told = [sum("mind the wall" in line for line in prompt.splitlines()) for prompt in model.prompts]
    old = corrections(steps)[0]
    last, why = {EndCorrection: (4, "explicit"), Speak: (4, "new correction"), TakeOver: (4, "takeover")}.get(
        type(command), (5, "time-out")
    )
    status = "superseded" if why == "new correction" else "committed"
    assert life(old) == ("mind the wall", 0, last, why, status) and old.id == "0-c1"
    assert told == [1] * (last - 2) + [0] * (len(told) - last + 2)
    assert len({c.id for c in corrections(steps)}) == 1 + isinstance(command, Speak)
    events = [e for step in steps for e in step.events if isinstance(e, Correction)]
    assert sum(e.id == "0-c1" for e in events) == 2  # where it was spoken, and where it ended


async def test_without_a_channel_the_words_in_force_end_all_the_same(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    stopping, first = asyncio.Event(), Channel()
    first.submit(Speak("mind the wall", lasts=6))
    await playing(run, specs, first, Thinking(), lambda steps: steps == 3 and stopping.set(), stopping=stopping)
    model = Thinking()
    steps = await playing(run, specs, None, model)
    assert ["mind the wall" in prompt for prompt in model.prompts] == [True] * 3 + [False] * 6
    assert life(corrections(steps)[0]) == ("mind the wall", 0, 5, "time-out", "committed")


async def test_a_label_says_which_step_it_is_about(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    channel = Channel()

    def at_step(steps: int) -> None:
        if steps == 3:
            channel.submit(Say("a detour", step=1, by="tester"))
            channel.submit(Say("success"))

    steps = await playing(run, specs, channel, Thinking(), at_step)
    assert steps[3].events == (Label(text="a detour", by="tester", step=1), Label(text="success", by="person"))
    index = EpisodeIndex(run.folder(specs[0].id))
    index.refresh()
    assert [event.text for event in index.rows[3].events] == [
        "tester, of step 1: a detour",
        "person, of the episode: success",
    ]


class Failing(Thinking):
    """A model that fails once, at a call whose prompt holds words."""

    async def generate(self, messages, settings):
        if any("mind" in part.text for m in messages for part in m.parts if isinstance(part, Text)) and not self.failed:
            self.failed = True
            raise ModelUnavailable("The model is away.")
        return await super().generate(messages, settings)

    failed = False


async def test_words_that_a_failing_model_heard_are_kept_when_the_episode_continues(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    channel, model = Channel(), Failing()
    await playing(run, specs, channel, model, lambda steps: steps == 3 and channel.submit(Speak("mind the wall")))
    failed = run.result(specs[0].id)
    (said,) = failed.events
    assert (failed.outcome, failed.steps) == ("model_failure", 3)
    assert life(said) == ("mind the wall", None, 3, "episode end", "discarded") and said.id == "3-c1"
    channel = Channel()
    channel.submit(Speak("go forward"))  # before the episode continues
    steps = await playing(run, specs, channel, model)
    assert run.result(specs[0].id).events == (said,) and len(steps) == 12
    assert [c.id for c in corrections(steps)] == ["3-c2"] and not any("mind" in p for p in model.prompts)
    assert not (run.folder(specs[0].id) / SAID).exists()


async def test_words_outlive_a_kill(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    channel, model = Channel(), Thinking()

    def at_step(steps: int) -> None:
        if steps == 3:
            channel.submit(Say("success"))
            channel.submit(Speak("mind the wall"))
            shutil.copytree(run.root, tmp_path / "killed")

    await playing(run, specs, channel, model, at_step)
    killed = Run(tmp_path / "killed")
    steps = await playing(killed, specs, Channel(), model)
    label, said = killed.result(specs[0].id).events
    assert label == Label(text="success", by="person")
    assert life(said) == ("mind the wall", None, 3, "episode end", "discarded") and not corrections(steps)


async def test_the_budget_counts_a_call_that_a_person_interrupted(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()
    budget = Budget(model, Allowance(tokens=1_000_000))

    async def person() -> None:
        await model.asked.wait()
        channel.submit(Speak("go forward"))
        model.go.set()

    await asyncio.gather(playing(run, specs, channel, budget), person())
    usage = run.result(specs[0].id).usage
    assert (budget.used.input, budget.used.estimated) == (usage.input, usage.estimated)
    assert usage.estimated > 0 and used(run).input == usage.input
