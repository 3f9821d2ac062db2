"""The rules of a channel: what is refused and why, and that under any order of commands nothing is lost or doubled."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from embodied.rollout.control import (
    FINAL,
    LONGEST,
    MOVES,
    Act,
    Branch,
    Command,
    Control,
    End,
    EndCorrection,
    GiveBack,
    GoOn,
    Label,
    Lost,
    Mode,
    Next,
    Pause,
    Receipt,
    Rewind,
    SingleStep,
    Speak,
    TakeOver,
)

ORDERS = 1_500
WORDS = ("turn left", "go forward")


def control(**settings: object) -> Control:
    return Control(accepts=lambda phrase: phrase if phrase in WORDS else None, **settings)


def play(machine: Control, steps: int = 1) -> list[str]:
    """What the loop does, as long as somebody decides."""
    done = []
    for _ in range(steps):
        todo = machine.next()
        if todo not in (Next.DECIDE, Next.ACT):
            break
        machine.hear() if todo is Next.DECIDE else None
        done.append(machine.act() if todo is Next.ACT else "agent")
        machine.step()
    return done


# --------------------------------------------------------------------------- any order

COMMANDS: tuple[Callable[[random.Random], Command], ...] = (
    lambda rng: Pause(),
    lambda rng: GoOn(),
    lambda rng: SingleStep(),
    lambda rng: Speak(rng.choice(("turn left", "no, the red one", " ")), lasts=rng.choice((9, 1, 3, 0))),
    lambda rng: EndCorrection(),
    lambda rng: TakeOver(),
    lambda rng: Act(rng.choice((*WORDS, "fly"))),
    lambda rng: GiveBack(),
    lambda rng: Label(rng.choice(("success", "")), rng.choice((None, 0, 5, -1))),
    lambda rng: Branch(rng.randrange(-1, 8)),
    lambda rng: Lost(),
)
RARE: tuple[Callable[[random.Random], Command], ...] = (lambda rng: End(), lambda rng: Rewind(rng.randrange(-1, 8)))


def check(machine: Control, sent: list[Command], told: list[tuple[int, str]]) -> None:
    assert [receipt.command for receipt in machine.receipts] == sent
    assert [receipt.id for receipt in machine.receipts] == list(range(1, len(sent) + 1))
    open_ = [receipt for receipt in machine.receipts if not receipt.final]
    assert sum(isinstance(receipt.command, Speak) for receipt in open_) <= 1
    assert sum(isinstance(receipt.command, TakeOver) for receipt in open_) == (machine.mode is Mode.TAKEOVER)
    for receipt in machine.receipts:
        assert bool(receipt.why) == (receipt.status in ("refused", "dropped"))
        assert (receipt.ended is not None) == receipt.final
        assert receipt.status != "applied" or receipt.applied is not None
        assert told.count((receipt.id, receipt.status)) == 1  # said once, and it is the last thing said
        assert [status for id, status in told if id == receipt.id][-1] == receipt.status


@pytest.mark.parametrize("block", range(5))
def test_under_any_order_of_commands_nothing_is_lost_or_doubled(block: int) -> None:
    for seed in range(block * ORDERS // 5, (block + 1) * ORDERS // 5):
        rng = random.Random(seed)
        told: list[tuple[int, str]] = []
        machine = control(changed=lambda receipt, told=told: told.append((receipt.id, receipt.status)))
        sent: list[Command] = []
        executed: list[str] = []
        acting = False
        for _ in range(rng.randrange(5, 40)):
            if rng.random() < 0.4:  # the loop's turn, in two halves: commands come between them, too
                if acting:
                    machine.step()
                    acting = False
                elif (todo := machine.next()) is Next.ACT:
                    executed.append(machine.act())
                    acting = True
                elif todo is Next.DECIDE:
                    machine.hear()
                    acting = rng.random() < 0.8  # else it was interrupted
            else:
                sent.append(rng.choice(RARE if rng.random() < 0.02 else COMMANDS)(rng))
                before = machine.mode
                receipt = machine.submit(sent[-1])
                legal = MOVES[type(sent[-1])].get(before)
                assert machine.mode is (before if receipt.status == "refused" else legal)
            check(machine, sent, told)
        if acting and rng.random() < 0.5:
            machine.step()
        machine.close()
        check(machine, sent, told)
        assert all(receipt.status in FINAL for receipt in machine.receipts) and machine.next() is Next.STOP
        acts = [r for r in machine.receipts if isinstance(r.command, Act) and r.applied is not None]
        assert [receipt.command.phrase for receipt in acts] == executed


# --------------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("before", "command", "why"),
    [
        ([End()], Speak("turn left"), "The episode is over. Nothing can reach it any more."),
        ([End()], End(), "The episode is over. Nothing can reach it any more."),
        ([TakeOver()], Act("fly"), "'fly' is not an action here. You keep control: choose another."),
        ([], Act("turn left"), "The agent has control. Take over, then act."),
        ([], Branch(9), "There is no step 9 to go back to: the episode has 3 steps so far."),
        ([], Rewind(-1), "There is no step -1 to go back to: the episode has 3 steps so far."),
        ([], Label("success", 3), "Step 3 was not played: the episode has 3 steps so far."),
        ([], Label(""), "An empty label says nothing."),
        ([], Speak("  "), "An empty correction says nothing."),
        ([], Speak("x" * (LONGEST + 1)), "The correction has 2,001 characters; 2,000 is the most."),
        ([], Speak("turn left", lasts=0), "A correction lasts at least 1 step, not 0."),
        ([], EndCorrection(), "There is no correction to end."),
        ([], SingleStep(), "The agent is not paused. Pause it, then step."),
        ([], GiveBack(), "The agent has control already."),
        ([TakeOver()], TakeOver(), "A person has control already."),
        ([TakeOver()], GoOn(), "A person has control. Give it back, and the agent goes on."),
    ],
)
def test_what_is_not_possible_is_refused_in_one_sentence(before: list[Command], command: Command, why: str) -> None:
    machine = control()
    play(machine, 3)
    for earlier in before:
        assert machine.submit(earlier).status != "refused"
    mode = machine.mode
    receipt = machine.submit(command)
    assert (receipt.status, receipt.why, machine.mode) == ("refused", why, mode)


# --------------------------------------------------------------------------- corrections


def life(receipt: Receipt) -> tuple[object, ...]:
    return receipt.status, receipt.opened, receipt.applied, receipt.ended, receipt.ended_by


def test_of_contradictory_corrections_the_newest_counts_and_each_has_its_end() -> None:
    machine = control()
    first, second, third = (machine.submit(Speak(text, lasts=3)) for text in ("left", "right", "left!"))
    assert machine.hear() == "left!"
    machine.step()
    fourth = machine.submit(Speak("forward"))
    machine.close()
    assert life(first) == life(second) == ("dropped", 0, None, 0, "new correction")
    assert first.why == "A newer correction came before the agent heard this one."
    assert life(third) == ("done", 0, 0, 1, "new correction")
    assert life(fourth) == ("dropped", 1, None, 1, "episode end")


@pytest.mark.parametrize(
    ("end", "by"), [(EndCorrection(), "explicit"), (TakeOver(), "takeover"), (End(), "episode end")]
)
def test_what_ends_a_correction(end: Command, by: str) -> None:
    machine = control()
    words = machine.submit(Speak("left", lasts=9))
    play(machine, 2)
    machine.submit(end)
    assert life(words) == ("done", 0, 0, 2, by)


def test_a_correction_lasts_for_steps_not_for_time() -> None:
    machine = control()
    words = machine.submit(Speak("left", lasts=2))
    play(machine, 1)
    machine.submit(Pause())
    assert words.status == "applied" and play(machine) == []
    machine.submit(GoOn())
    play(machine, 1)
    assert life(words) == ("done", 0, 0, 2, "time-out")


def test_the_agent_is_told_once_in_each_step_in_which_a_correction_counts() -> None:
    machine = control()
    machine.submit(Speak("left", lasts=2))
    told = []
    for _ in range(4):
        told += [machine.hear(), machine.hear()]  # the second time it was interrupted by a takeover, say
        machine.step()
    assert told == ["left", None, "left", None, None, None, None, None]


# --------------------------------------------------------------------------- who decides


def test_single_steps() -> None:
    machine = control()
    machine.submit(Pause())
    assert play(machine, 5) == []
    machine.submit(SingleStep())
    machine.submit(SingleStep())
    assert play(machine, 5) == ["agent"] * 2
    machine.submit(GoOn())
    assert play(machine, 5) == ["agent"] * 5


def test_a_person_acts_and_gives_back() -> None:
    machine = control()
    takeover = machine.submit(TakeOver())
    assert machine.next() is Next.WAIT
    for phrase in WORDS:
        machine.submit(Act(phrase))
    machine.submit(GiveBack())  # what was typed before counts
    assert play(machine, 3) == [*WORDS, "agent"]
    assert life(takeover) == ("done", 0, 0, 2, "explicit")


@pytest.mark.parametrize(("hold", "by"), [(Pause(), "pause"), (Lost(), "lost")])
def test_out_of_a_takeover_it_can_be_held(hold: Command, by: str) -> None:
    machine = control()
    takeover = machine.submit(TakeOver())
    act = machine.submit(Act("turn left"))
    machine.submit(hold)
    assert machine.mode is Mode.PAUSED and takeover.ended_by == by and act.status == "dropped" and act.why


def test_a_branch_is_handed_on_and_a_rewind_ends_this_episode() -> None:
    machine = control()
    play(machine, 3)
    machine.submit(Branch(2))
    assert machine.mode is Mode.AUTONOMOUS
    machine.submit(Rewind(0))
    assert machine.mode is Mode.ENDED and machine.branches == [Branch(2), Rewind(0)]
