"""Environments of strangers that make mistakes with actions that change and with frames: one clear sentence each."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from embodied.blobs import MemoryBlobs
from embodied.envs.base import MOST_FRAMES, Frame, LanguageEnv, Transition
from embodied.envs.check import check
from embodied.envs.spaces import Choice, FreeText
from embodied.errors import EnvironmentFailure
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.types import Mission, TaskSpec

ACTIONS = {"left": "", "right": "", "wait": ""}


class Walk(LanguageEnv):
    """A walk in which one thing is wrong, from a step on.

    Args:
        now: The actions of each step from `begin` on.
        frame: Each frame of a step.
        begin: The step.
        free: Whether any text is an action.
    """

    def __init__(self, now: Any = None, frame: Any = None, begin: int = 0, free: bool = False):
        space = FreeText() if free else Choice(ACTIONS)
        super().__init__(action_space=space, default_action="wait", max_steps=30, changing=now is not None)
        self._wrong, self._frame, self._begin, self._free = now, frame, begin, free

    @property
    def mission(self) -> Mission:
        return Mission("Go.", ACTIONS, default_action="wait", max_steps=self.max_steps, free_text=self._free)

    def _reset(self, seed, options):
        self.taken, self.start = 0, seed % 5
        return {}

    def _available(self):
        return self._wrong if self.taken >= self._begin else ("left", "wait")

    def _step(self, action):
        self.taken += 1
        return self._shown() if self._frame is not None else Transition()

    def _shown(self):
        if (yield self._frame):
            return Transition()
        yield self._frame
        return Transition()

    def _text(self):
        return f"{self.start} and {self.taken} steps."


class Endless(Walk):
    """A step without an end."""

    def _shown(self):
        while True:
            yield self._frame


class NoTransition(Walk):
    """A step that returns nothing."""

    def _shown(self):
        yield self._frame


def picture() -> np.ndarray:
    return np.zeros((4, 4, 3), np.uint8)


gymnasium.register("Walk-v0", entry_point=Walk)


def found(make: Any, rule: str) -> list[str]:
    return [sentence for name, sentence in check(make).violations if name == rule]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"now": ["left", "wait"]}, "The actions of observation 0 are of type list; they must be a tuple of phrases."),
        ({"now": "wait"}, "The actions of observation 0 are of type str; they must be a tuple of phrases."),
        ({"now": {"wait"}, "begin": 2}, "The actions of observation 2 are of type set; they must be a tuple"),
        ({"now": (1, "wait")}, "The actions of observation 0 hold 1, of type int; they must be phrases (str)."),
        ({"now": ("left", "wait", "left")}, "The actions of observation 0 hold 'left' twice."),
        ({"now": ("up", "wait")}, "The actions of observation 0 hold 'up', which is not in the action space."),
        ({"now": ("le\u0301ft\u202e", "wait")}, "hold 'le\u0301ft\\u202e', which is not in the action space."),
        ({"now": ["go <x>"], "free": True}, "The actions of observation 0 are of type list; they must be a tuple"),
        ({"now": ("a", "a"), "free": True}, "The actions of observation 0 hold 'a' twice."),
        ({"now": (" ",), "free": True}, "The actions of observation 0 hold ' ', which is blank."),
    ],
)
def test_actions_that_are_no_phrases(options, says):
    sentences = found(lambda: Walk(**options), "observation")
    assert len(sentences) == 1 and says in sentences[0]


@pytest.mark.parametrize("now", [(), ("left",)])
def test_actions_without_the_default_action_are_said_once(now):
    broken = check(lambda: Walk(now=now)).violations
    said = "At observation 0 the default action is 'wait', which is not among the actions of this step:"
    assert broken == [("actions", f"{said} {now!r}.")]


def test_command_patterns_may_be_none_at_all():
    assert check(lambda: Walk(now=(), free=True)).ok


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (Frame(-1.0, picture), "Frame 0 of step 0 lasts -1.0 seconds; it must be a number above 0."),
        (Frame(float("nan"), picture), "Frame 0 of step 0 lasts nan seconds; it must be a number above 0."),
        (Frame("soon", picture), "Frame 0 of step 0 lasts 'soon' seconds; it must be a number above 0."),  # type: ignore[arg-type]  # as a stranger
        ("a frame", "Frame 0 of step 0 is 'a frame'; it must be an embodied.envs.base.Frame."),
        (Frame(0.1, lambda: 1 // 0), "Drawing frame 0 of step 0 raises ZeroDivisionError"),  # type: ignore[arg-type, return-value]  # as a stranger
        (Frame(0.1, None), "Drawing frame 0 of step 0 raises TypeError: 'NoneType' object is not callable"),  # type: ignore[arg-type]  # as a stranger
        (Frame(0.1, lambda: np.zeros((4, 4))), "draws an array of shape (4, 4) float64; it must be (height, width, 3)"),
        (Frame(0.1, lambda: [[0]]), "draws a list; it must be (height, width, 3) uint8."),  # type: ignore[arg-type, return-value]  # as a stranger
    ],
)
def test_frames_that_are_none(frame, says):
    sentences = found(lambda: Walk(frame=frame), "frames")
    assert len(sentences) == 1 and says in sentences[0]


def test_a_generator_without_an_end_ends():
    said = f"_step has yielded {MOST_FRAMES:,} frames in one step; it must end."
    assert any(said in sentence for sentence in found(lambda: Endless(frame=Frame(0.1, picture)), "frames"))


def test_a_generator_that_returns_nothing():
    sentences = found(lambda: NoTransition(frame=Frame(0.1, picture)), "frames")
    assert len(sentences) == 1 and sentences[0].endswith("_step returned None; it must return a Transition.")


@pytest.mark.parametrize("now", [["left", "wait"], "wait", (1, "wait")])
def test_a_run_ends_such_an_episode_in_one_sentence(now):
    env = LocalEnvironment(TaskSpec("gym:Walk-v0", "", {"now": now, "begin": 1}), MemoryBlobs())
    env.reset(0)
    with pytest.raises(EnvironmentFailure, match=r"gave at step 1 actions that are not a tuple of phrases: .*check"):
        env.step("wait")
