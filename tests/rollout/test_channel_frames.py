"""A person speaks while frames are shown: the step is cut short, and is repeated just so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.rollout.channel import Channel
from embodied.rollout.control import GiveBack, GoOn, Pause, Speak, TakeOver
from embodied.rollout.episode import run_episode
from embodied.rollout.replay import Verdict, replay_all
from embodied.rollout.worlds.watching import Shown, Watcher
from embodied.rollout.worlds.workers import Pool
from embodied.store.events import cut_at
from embodied.store.run import Run
from embodied.types import Correction, EpisodeSpec, Interrupt, Step, TaskSpec
from tests.rollout.playing import content, make_run
from tests.rollout.test_channel import Thinking

KETTLE = TaskSpec("gym:tests.envs.timed:Kettle-v0", "", {"takes": 0.08})
DRIVE = TaskSpec("corner_case_drive", "", {"max_steps": 8})


class Speaker(Watcher):
    """Sends commands at the first frame of the steps that it is told."""

    def __init__(self, channel: Channel, commands: dict[int, tuple[object, ...]]) -> None:
        super().__init__()
        self.channel, self.commands = channel, commands

    def show(self, shown: Shown) -> None:
        for command in self.commands.pop(shown.step, ()):
            self.channel.submit(command)


async def watched(
    run: Run, spec: EpisodeSpec, commands: dict[int, tuple[object, ...]], config: AgentConfig, stop_at: int = -1
) -> list[Step]:
    """Plays an episode whose frames are shown to a person who speaks."""
    channel, model, stopping = Channel(), Thinking(), asyncio.Event()

    def on_step(spec: EpisodeSpec, step: Step) -> None:
        if step.index == stop_at:
            stopping.set()

    async with Pool(1) as pool:
        env = pool.environment(spec.task, run.blobs)
        env.watcher = Speaker(channel, commands)
        agent = agents.build(config, model, spec=spec, blobs=run.blobs)
        writer = run.claim(spec)
        assert writer is not None
        try:
            await run_episode(spec, env, agent, writer, on_step, stopping, channel=channel)
        finally:
            await env.close()
    return list(run.steps(spec.id))


def verdicts(run: Run) -> list[Verdict]:
    found: list[Verdict] = []
    asyncio.run(replay_all(run, run.record.planned, 1, found.append))
    return found


@pytest.mark.parametrize("command", [Speak("rest", by="tester"), TakeOver("tester"), Pause()])
def test_a_command_cuts_the_step_short_in_a_worker(tmp_path: Path, command: object) -> None:
    run, (spec,) = make_run(tmp_path / "run", 1, KETTLE)
    then = () if isinstance(command, Speak) else (GoOn() if isinstance(command, Pause) else GiveBack(),)
    config = AgentConfig(policy="scripted", script=("heat",))
    steps = asyncio.run(watched(run, spec, {0: (command, *then)}, config, stop_at=2))
    (interrupt,) = (e for e in steps[0].events if isinstance(e, Interrupt))
    assert interrupt.frame in (0, 1, 2) and interrupt.by == ("person" if isinstance(command, Pause) else "tester")
    cut, next_ = (int(steps[i].observation.text.split()[-2]) for i in (1, 2))
    assert (cut, next_) == (interrupt.frame + 1, cut + 4)  # seconds of the kettle
    if isinstance(command, Speak):  # it counts at the very next decision
        (words,) = (e for e in steps[1].events if isinstance(e, Correction))
        assert (words.opened, words.applied, steps[1].executed) == (0, 1, "rest")
    assert verdicts(run) == [Verdict(spec, 3)]
    again = asyncio.run(watched(run, spec, {}, config, stop_at=3))  # resumed: it was cut at the same frame
    assert again[:3] == steps and run.episode(spec.id).outcome == "cancelled"


@pytest.mark.slow
def test_a_cut_drive_is_replayed_and_resumed_at_the_same_frame(tmp_path: Path) -> None:
    run, (spec,) = make_run(tmp_path / "run", 1, DRIVE)
    said = {n: (Speak("slow" if n % 2 else "maintain"),) for n in range(4)}
    steps = asyncio.run(watched(run, spec, said, AgentConfig(policy="naive")))
    cut = [step.index for step in steps if cut_at(step) is not None]
    assert cut and max(cut) < 4 and verdicts(run) == [Verdict(spec, len(steps))]
    whole, folder = content(run.root), run.folder(spec.id)
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "steps.jsonl").write_bytes(b"".join(lines[:6]))  # the person has said everything
    (folder / "episode.json").unlink()
    assert asyncio.run(watched(run, spec, {}, AgentConfig(policy="naive")))[:6] == steps[:6]
    assert content(run.root) == whole
