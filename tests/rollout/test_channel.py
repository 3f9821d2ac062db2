"""A person speaks to running episodes: real environments in real workers, real agents; what a command does, and that
what one person does holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.models.local.batcher import Batcher
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, Branch, End, GiveBack, GoOn, Lost, Pause, Receipt, SingleStep, Speak, TakeOver
from embodied.rollout.playing import Announced
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.workers import Pool
from embodied.store.run import Run
from embodied.types import EpisodeSpec, Interrupt, Message, Reply, Settings, Step, Text, Usage
from tests.rollout.playing import Quiet, make_run

Script = Callable[[Channel, EpisodeSpec, Step], None]


class Thinking:
    """A model that thinks until it is let go, and says the last thing that a person said, else "turn left"."""

    name = "thinking"

    def __init__(self, held: bool = False) -> None:
        self.go = asyncio.Event()
        if not held:
            self.go.set()
        self.asked = asyncio.Event()
        self.prompts: list[str] = []

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        last = next((n for n in range(len(messages), 0, -1) if messages[n - 1].role == "assistant"), 0)
        prompt = "\n".join(part.text for m in messages[last:] for part in m.parts if isinstance(part, Text))
        self.prompts.append(prompt)
        self.asked.set()
        await self.go.wait()
        said = [line.rpartition(": ")[2] for line in prompt.splitlines() if line.startswith("A person who")]
        return Reply(said[-1] if said else "turn left", usage=Usage(input=10, output=1))

    async def aclose(self) -> None:
        pass


async def playing(
    run: Run,
    specs: Sequence[EpisodeSpec],
    channel: Channel,
    model: object = None,
    at_step: Callable[[int], None] = lambda steps: None,
    config: AgentConfig | None = None,
    stopping: asyncio.Event | None = None,
    make_corrector: Callable[[EpisodeSpec], object] = lambda spec: None,
) -> list[Step]:
    """Plays one episode with a channel; its steps."""
    config = config or AgentConfig(policy="naive" if model else "scripted")

    class Told(Quiet):
        def stepped(self, spec: EpisodeSpec, step: Step) -> None:
            at_step(step.index + 1)

    async with Pool(1) as pool:
        await run_all(
            run,
            specs[:1],
            lambda spec: agents.build(config, model, spec=spec, blobs=run.blobs),
            pool,
            Told(),
            1,
            stopping,
            make_corrector,
            channels=lambda spec: channel,
        )
    return list(run.steps(specs[0].id))


def acts(steps: Sequence[Step]) -> list[str]:
    return [step.executed for step in steps]


async def test_a_channel_that_nobody_uses_changes_nothing(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "with", 1)
    other, _ = make_run(tmp_path / "without", 1)
    config = AgentConfig(policy="random")
    steps = await playing(run, specs, Channel(), config=config)
    async with Pool(1) as pool:
        await run_all(other, specs, lambda spec: agents.build(config, None, spec=spec), pool, Quiet())
    assert acts(steps) == acts(list(other.steps(specs[0].id)))


async def test_a_correction_breaks_off_the_call_in_flight_and_counts_for_the_next_step(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()

    async def person() -> None:
        await model.asked.wait()
        channel.submit(Speak("go forward"))
        model.go.set()

    steps, _ = await asyncio.gather(playing(run, specs, channel, model), person())
    (words,) = channel.control.receipts
    assert acts(steps)[0] == "go forward" and (words.opened, words.applied) == (0, 0)
    interrupt, correction = steps[0].events
    assert isinstance(interrupt, Interrupt) and interrupt.by == "person"
    assert (correction.status, correction.why, correction.applied, correction.ended) == ("committed", "done", 0, 0)
    assert (correction.resolved, correction.method, correction.score) == ("go forward", "phrase", 1.0)
    (call,) = interrupt.calls
    assert run.result(specs[0].id).usage.estimated == call.reply.usage.input  # it is paid for
    assert call.reply.stop == "interrupted" and call.reply.usage.input == call.reply.usage.estimated > 0
    # asked again on the same observation, which stands in the prompt once
    assert model.prompts[0].count("Observation:") == model.prompts[1].count("Observation:") == 1
    assert len(steps[0].decision.calls[0].messages) == 3  # the instruction, the observation, the words


@pytest.mark.parametrize("policy", ["window", "blocks"])
async def test_an_interrupted_step_leaves_no_trace_in_later_prompts(tmp_path: Path, policy: str) -> None:
    """Apart from the words: the prompts are those of an episode in which they came before the step."""
    found = []
    for interrupted in (True, False):
        run, specs = make_run(tmp_path / str(interrupted), 1)
        model, channel = Thinking(), Channel()
        config = AgentConfig(policy="naive", history=agents.config.HistoryConfig(policy=policy))

        class Slow(Thinking):
            async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
                if len(self.prompts) == 3 and not channel.control.receipts and interrupted:  # noqa: B023
                    asyncio.get_running_loop().call_soon(channel.submit, Speak("go forward"))  # noqa: B023
                    await asyncio.sleep(60)
                return await super().generate(messages, settings)

        model = Slow()

        def at_step(steps: int) -> None:
            if steps == 3 and not interrupted:  # noqa: B023
                channel.submit(Speak("go forward"))  # noqa: B023

        steps = await playing(run, specs, channel, model, at_step, config)
        found.append(model.prompts)
        assert any(isinstance(e, Interrupt) for e in steps[3].events) == interrupted
    assert found[0] == found[1] and len(found[0]) == 12


@pytest.mark.parametrize(
    ("words", "config", "asked"),
    [
        ("turn left right", AgentConfig(policy="random"), "choose one of: turn left, turn right."),
        ("mind the gap", AgentConfig(policy="random"), "choose one of: turn left, turn right, go forward, "),
        ("turn left", AgentConfig(policy="random"), ""),
        ("mind the gap", AgentConfig(policy="naive"), ""),
    ],
)
async def test_the_speaker_is_asked_where_the_words_name_no_action(
    tmp_path: Path, words: str, config: AgentConfig, asked: str
) -> None:
    """An agent with a model reads the words itself. Nobody waits for an answer."""
    run, specs = make_run(tmp_path / "run", 1)
    told: list[str] = []
    channel = Channel(changed=lambda receipt: told.append(receipt.question))
    receipt = channel.submit(Speak(words))
    await playing(run, specs, channel, Thinking() if config.policy == "naive" else None, config=config)
    assert receipt.status == "done" and (asked in receipt.question if asked else not receipt.question)
    assert bool(asked) == (f'Which action does "{words}" mean?' in receipt.question) == any(told)


async def test_a_paused_episode_waits_before_its_next_decision_and_steps_singly(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, waits = Thinking(), []
    channel = Channel(thinking=lambda thinking: waits.append(thinking) or (not thinking and held.set()))
    held = asyncio.Event()
    seen: list[int] = []

    async def person() -> None:
        for command in (SingleStep(), SingleStep(), GoOn()):
            await held.wait()
            held.clear()
            seen.append(channel.control.played)
            channel.submit(command)

    steps, _ = await asyncio.gather(
        playing(run, specs, channel, model, lambda n: channel.submit(Pause()) and None if n == 3 else None), person()
    )
    assert seen == [3, 4, 5] and len(steps) == 12 and waits == [False, True] * 3


async def test_a_person_takes_over_and_the_agent_goes_on_from_what_is_there(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(), Channel()

    def at_step(steps: int) -> None:
        if steps == 2:
            for command in (TakeOver("tester"), Act("fly"), Act("turn right"), Act("go forward"), GiveBack()):
                channel.submit(command)

    steps = await playing(run, specs, channel, model, at_step)
    assert acts(steps)[:5] == ["turn left", "turn left", "turn right", "go forward", "turn left"]
    assert [len(step.decision.calls) for step in steps[:5]] == [1, 1, 0, 0, 1]
    assert [step.agent_seconds for step in steps[2:4]] == [0, 0]
    prompt = steps[4].decision.calls[0].messages
    texts = ["".join(p.text for p in m.parts if isinstance(p, Text)) for m in prompt]
    assert steps[4].observation.text in texts[-1]  # what is there after the person's actions
    assert [text for m, text in zip(prompt, texts, strict=True) if m.role == "assistant"][-2:] == [
        "turn right",
        "go forward",
    ]
    assert [receipt.status for receipt in channel.control.receipts] == ["done", "refused", "done", "done", "done"]


async def test_a_takeover_breaks_off_the_call_in_flight(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()

    async def person() -> None:
        await model.asked.wait()
        channel.submit(TakeOver())
        await asyncio.sleep(0.05)  # longer than any step: a person thinks
        channel.submit(Act("turn right"))
        channel.submit(GiveBack())
        model.go.set()

    steps, _ = await asyncio.gather(playing(run, specs, channel, model), person())
    assert acts(steps)[:2] == ["turn right", "turn left"]
    texts = ["".join(p.text for p in m.parts if isinstance(p, Text)) for m in steps[1].decision.calls[0].messages]
    assert sum("Observation:" in text for text in texts) == 2
    interrupt, takeover = steps[0].events
    assert isinstance(interrupt, Interrupt) and (takeover.by, takeover.action) == ("person", "turn right")


@pytest.mark.parametrize("state", ["thinking", "paused", "lost"])
async def test_it_ends_at_once_and_every_command_has_its_end(tmp_path: Path, state: str) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()

    async def person() -> None:
        await model.asked.wait()
        if state != "thinking":
            channel.submit(Pause() if state == "paused" else Lost())
            model.go.set()
            await asyncio.sleep(0.05)
            channel.submit(Speak("go forward"))
        channel.submit(End())

    steps, _ = await asyncio.gather(playing(run, specs, channel, model), person())
    assert run.result(specs[0].id).outcome == "cancelled" and len(steps) == (state != "thinking")
    assert all(receipt.final for receipt in channel.control.receipts)
    late = channel.submit(Speak("go forward"))
    assert (late.status, late.why) == ("refused", "The episode is over. Nothing can reach it any more.")


async def test_a_run_that_is_stopped_does_not_wait_for_a_person(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    stopping = asyncio.Event()
    channel = Channel(thinking=lambda thinking: None if thinking else stopping.set())
    channel.submit(Pause())
    words = channel.submit(Speak("go forward"))
    assert await playing(run, specs, channel, stopping=stopping) == []
    assert run.result(specs[0].id).outcome == "cancelled" and words.status == "dropped"


async def test_a_cancelled_run_is_cancelled_although_a_person_speaks_at_the_same_moment(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()
    task = asyncio.create_task(playing(run, specs, channel, model))
    await model.asked.wait()
    channel.submit(Speak("go forward"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.result(specs[0].id).outcome == "cancelled" and channel.control.receipts[0].final


async def test_after_an_interruption_the_task_is_as_before(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    channel, counts = Channel(), []

    class Hasty(Thinking):
        """Sends a command from within its own call, and ends before it meets the cancellation."""

        async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
            counts.append(asyncio.current_task().cancelling())
            if len(self.prompts) == 1:
                channel.submit(Speak("go forward"))
            self.prompts.append("")
            return Reply("turn left", usage=Usage(input=10, output=1))

    steps = await playing(run, specs, channel, Hasty())
    assert len(steps) == 12 and set(counts) == {0}
    (correction,) = steps[1].events  # the first call is that of step 0
    assert correction.superseded.action == "turn left" and correction.superseded.calls[0].reply.usage.input == 10


async def test_receipts_are_told_as_they_change(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 1)
    told: list[tuple[str, str]] = []

    def changed(receipt: Receipt) -> None:
        told.append((type(receipt.command).__name__, receipt.status))

    channel = Channel(changed)
    channel.submit(Speak("turn left", lasts=2))
    channel.submit(Branch(0))
    await playing(run, specs, channel)
    assert told == [("Speak", "waiting"), ("Branch", "done"), ("Speak", "applied"), ("Speak", "done")]


class Kitchen(Thinking):
    """A model that answers in batches, as local models do."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.batcher = Batcher[str](self.answer, lambda: size)

    async def answer(self, requests: Sequence[str]) -> list[Reply]:
        self.sizes.append(len(requests))
        return [Reply("turn left")] * len(requests)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        return await self.batcher.ask("")

    def live(self, episodes: int) -> None:
        self.batcher.live(episodes)


async def test_one_paused_and_seven_running(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 8)
    model, paused = Kitchen(8), Channel()
    left = {spec.id for spec in specs[1:]}

    class Told(Quiet):
        def stepped(self, spec: EpisodeSpec, step: Step) -> None:
            if spec == specs[0] and step.index == 2:
                paused.submit(Pause())

        def ended(self, episode: object) -> None:
            left.discard(episode.spec.id)
            if not left:  # all others are done: they waited for nobody
                paused.submit(GoOn())

    heard = Announced(Told(), model)
    async with Pool(2) as pool:
        await run_all(
            run,
            specs,
            lambda spec: agents.build(AgentConfig(policy="naive"), model, spec=spec, blobs=run.blobs),
            pool,
            heard,
            8,
            None,
            channels=lambda spec: heard.connected(spec, paused if spec == specs[0] else None),
        )
    assert model.sizes == [8] * 3 + [7] * 9 + [1] * 9
    assert {run.result(spec.id).steps for spec in specs} == {12}


async def test_a_paused_episode_gives_its_place_to_another(tmp_path: Path) -> None:
    run, specs = make_run(tmp_path / "run", 4)
    paused, order, most = Channel(), [], [0]
    playing: set[str] = set()

    class Told(Quiet):
        def started(self, spec: EpisodeSpec) -> None:
            playing.add(spec.id)
            most.append(len(playing))

        def stepped(self, spec: EpisodeSpec, step: Step) -> None:
            if spec == specs[0] and step.index == 2:
                paused.submit(Pause())
            if spec == specs[2] and step.index == 2:
                paused.submit(GoOn())  # one too many, until one of them ends

        def ended(self, episode: object) -> None:
            playing.discard(episode.spec.id)
            order.append(specs.index(episode.spec))

    async with Pool(1) as pool:
        await run_all(
            run,
            specs,
            lambda spec: agents.build(AgentConfig(policy="random"), None, spec=spec),
            pool,
            Told(),
            1,
            channels=lambda spec: paused if spec == specs[0] else None,
        )
    assert sorted(order) == [0, 1, 2, 3] and order[0] == 1 and max(most) == 2
    assert {run.result(spec.id).outcome for spec in specs} <= {"limit", "finished"}


@pytest.mark.parametrize("cut", [3, 5, 8])
async def test_an_episode_that_is_resumed_equals_one_that_was_not(tmp_path: Path, cut: int) -> None:
    """Words that count for several steps, an interrupted call, and a takeover: every prompt is the same."""
    found = []
    for interrupted in (False, True):
        root = tmp_path / str(interrupted)
        run, specs = make_run(root, 1)
        channel, stopping = Channel(), asyncio.Event()

        class Interrupted(Thinking):
            async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
                if len(self.prompts) == 2:
                    asyncio.get_running_loop().call_soon(channel.submit, Speak("toggle", lasts=3))  # noqa: B023
                    self.prompts.append("")
                    await asyncio.sleep(60)
                return await super().generate(messages, settings)

        def at_step(steps: int) -> None:
            if steps == 4:  # it ends what was said
                for command in (TakeOver("tester"), Act("turn right"), GiveBack()):
                    channel.submit(command)  # noqa: B023
            if steps == 6:
                channel.submit(Speak("turn right", lasts=2))  # noqa: B023
            if interrupted and steps == cut:  # noqa: B023
                stopping.set()  # noqa: B023

        await playing(run, specs, channel, Interrupted(), at_step, stopping=stopping)
        if interrupted:
            assert len(list(run.steps(specs[0].id))) == cut
            left = [] if cut > 4 else ["takeover"]

            def later(steps: int) -> None:
                if steps == 4 and left:  # noqa: B023
                    for command in (TakeOver("tester"), Act("turn right"), GiveBack()):
                        channel.submit(command)  # noqa: B023
                if steps == 6:
                    channel.submit(Speak("turn right", lasts=2))  # noqa: B023

            channel = Channel()
            await playing(run, specs, channel, Thinking(), later)
        found.append([step.decision for step in run.steps(specs[0].id)])
    for whole, resumed in zip(*found, strict=True):
        assert whole.action == resumed.action
        assert [call.messages for call in whole.calls] == [call.messages for call in resumed.calls]
