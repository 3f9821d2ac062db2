"""The contract checker: each rule is broken once, and the sentence says so."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import gymnasium
import numpy as np
import pytest

from embodied.envs import make
from embodied.envs.base import Frame, LanguageEnv, Transition
from embodied.envs.check import RULES, EnvContract, check
from embodied.envs.check.__main__ import main
from embodied.envs.check.subject import Returned, difference
from embodied.envs.spaces import Choice, Phrases
from embodied.types import Mission


class Count(LanguageEnv):
    """Count from a number that the seed draws up to twelve. Keeps the contract; the classes below break it, each in one
    way.
    """

    def __init__(self, image: bool = False):
        super().__init__(
            action_space=Choice(["more", "less"]),
            default_action="less",
            max_steps=30,
            image_shape=(4, 4) if image else None,
            expert=True,
        )

    @property
    def mission(self) -> Mission:
        return Mission(
            "Count to twelve.",
            {"more": "one up", "less": "one down"},
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed, options):
        self.number = int(np.random.default_rng(seed).integers(5))
        return {"start": self.number}

    def _step(self, action):
        self.number += 1 if action == "more" else -1
        done = self.number == 12
        return Transition(
            float(done), done, progress=max(0, self.number) / 12 if self.number < 12 else 1.0, success=done or None
        )

    def _text(self):
        return f"{self.number}"

    def _expert(self):
        return "more"

    def _image(self):
        return np.full((4, 4, 3), self.number % 256, np.uint8)


class TestCount(EnvContract):
    """The mixin, as users have it."""

    def make(self, **options):
        return Count(**options)


def rules_broken(env, **options) -> dict[str, str]:
    """Rule -> its first sentence."""
    return dict(reversed(check(env, **options).violations))


def test_a_good_environment_keeps_all():
    report = check(Count)
    assert report.ok and not report.warnings
    assert str(report) == f"Count keeps all {len(RULES)} rules."
    assert {name.removeprefix("test_") for name in dir(TestCount) if name.startswith("test_")} == set(RULES)


class Offers(Count):
    """As Count, but `less` alone can be chosen at even numbers."""

    def __init__(self):
        super().__init__()
        self._changing = True
        self.observation_space.spaces["actions"] = Phrases(self.action_space)

    def _available(self):
        return ("less",) if self.number % 2 == 0 else None

    def _expert(self):
        return "less"


class OffersNoDefault(Offers):
    def _available(self):
        return ("more",)


class OffersInVain(Offers):
    def _may(self, action):
        return True


class OffersWrongly(Offers):
    def step(self, action):
        may = self._may(action)
        self.number += 0 if may else 5
        return super().step(action)


class Films(Count):
    """As Count, with two frames a step."""

    drawn = 0

    def _step(self, action):
        for _ in range(self._frames()):
            if (yield Frame(0.5, self._frame)):
                break
        return super()._step(action)

    def _frames(self):
        return 2

    def _frame(self):
        return self._image()


class FilmsLonger(Films):
    def _frame(self):
        self.drawn += 1
        return self._image()

    def _frames(self):
        return 3 if self.drawn else 2


class FilmsOn(Films):
    def _step(self, action):
        yield Frame(0.5, self._frame)
        yield Frame(0.5, self._frame)
        return Count._step(self, action)


class FilmsAndMoves(Films):
    def _frame(self):
        self.number = min(11, self.number + 1)
        return self._image()


class FilmsNothing(Films):
    def _frame(self):
        return None


class FilmsByChance(Films):
    total = 0

    def _step(self, action):
        if (yield Frame(0.5, self._frame)):
            self.total += 1
            self.number = self.total % 12
        return Count._step(self, action)


class NoText(Count):
    def __init__(self):
        super().__init__()
        self.observation_space = gymnasium.spaces.Dict(
            {"words": gymnasium.spaces.Text(9), "image": gymnasium.spaces.Box(0, 1, (2, 2))}
        )


class OutOfSpace(Count):
    def _text(self):
        return self.number


class BadExpert(Count):
    def _expert(self):
        return "upwards"


class BadProgress(Count):
    def _step(self, action):
        return replace(super()._step(action), progress=1.5, success=1, info={"metrics": {"n": "3"}, "end_reason": 7})


class BadReward(Count):
    def _step(self, action):
        return replace(super()._step(action), reward=float("nan"))


class BothEnds(Count):
    def _step(self, action):
        return replace(super()._step(action), terminated=True, truncated=True)


class ArrayInInfo(Count):
    def _reset(self, seed, options):
        return {**super()._reset(seed, options), "where": (1, 2)}


class RaisesOnInvalid(Count):
    def step(self, action):
        if action not in self.action_space:
            raise KeyError(action)
        return super().step(action)


class InvalidDoesNothing(Count):
    def step(self, action):
        if action in self.action_space:
            return super().step(action)
        return self._observe(), 0.0, False, False, {"progress": 0.0, "success": None, "valid": True, "executed": "none"}


class ByInstance(Count):
    made = 0

    def __init__(self):
        super().__init__()
        ByInstance.made += 1
        self.offset = ByInstance.made

    def _text(self):
        return f"{self.number + self.offset}"


class Remembers(Count):
    total = 0

    def _reset(self, seed, options):
        self.total += 1
        return super()._reset(seed, options)

    def _text(self):
        return f"{self.number} {self.total}"


class NoSnapshot(Count):
    def restore(self, snapshot):
        return self.reset(seed=snapshot.seed)[0]


class Endless(Count):
    def step(self, action):
        self.max_steps, kept = None, self.max_steps
        result = super().step(action)
        self.max_steps = kept
        return result


class GoesOn(Count):
    def step(self, action):
        self._done = False
        return super().step(action)


class Draws(Count):
    def _text(self):
        self._image()
        return super()._text()


class SharedPicture(Count):
    canvas = np.zeros((4, 4, 3), np.uint8)

    def _image(self):
        self.canvas[:] = self.number % 256
        return self.canvas


class OtherWords(Count):
    @property
    def mission(self):
        return replace(super().mission, goal=" ", actions={"more": "", "fewer": ""}, max_steps=99, free_text=True)


class NoMission(Count):
    mission = "Count to twelve."


class UsesGlobalRandom(Count):
    def _reset(self, seed, options):
        super()._reset(seed, options)
        self.number = random.randrange(5) + int(np.random.randint(5))
        return {}


class SeedsGlobally(Count):
    def _reset(self, seed, options):
        np.random.seed(seed)
        self.number = int(np.random.randint(5))
        return {}


class CloseOnce(Count):
    open = True

    def close(self):
        if not self.open:
            raise RuntimeError("closed already")
        self.open = False


@pytest.mark.parametrize(
    ("env", "rule", "sentence"),
    [
        (lambda: 1 / 0, "make", "making it raises ZeroDivisionError"),
        (lambda: "env", "make", "making it raises AttributeError"),
        (NoText, "spaces", "no `text`"),
        (OutOfSpace, "observation", "The text of observation 0, int, is not in its space"),
        (BadExpert, "observation", "the expert says 'upwards'"),
        (BadProgress, "info", "After step 1 progress is 1.5"),
        (BadReward, "returns", "The reward of step 1 is nan"),
        (BothEnds, "returns", "both terminated and truncated"),
        (ArrayInInfo, "plain_json", "info['where'] is (1, 2)"),
        (RaisesOnInvalid, "invalid_action", "raises KeyError"),
        (InvalidDoesNothing, "invalid_action", "it must say False and 'less'"),
        (OffersNoDefault, "actions", "the default action is 'less', which is not among the actions of this step"),
        (OffersInVain, "actions", "'more' cannot be chosen at observation"),
        (OffersWrongly, "actions", "is not the same as the default action: the info of step"),
        (FilmsLonger, "frames", "where these are drawn"),
        (FilmsOn, "frames", "is interrupted behind its first frame and shows 2; it must end"),
        (FilmsAndMoves, "frames", "Drawing frames changes the episode"),
        (FilmsNothing, "frames", "it must be (height, width, 3) uint8"),
        (FilmsByChance, "frames", "The same interruption gives another episode"),
        (ByInstance, "determinism", "Two instances with seed 0"),
        (Remembers, "reset", "another episode the second time: the text observed at reset differs"),
        (NoSnapshot, "snapshot", "continues differently"),
        (Endless, "truncation", "continues after 6 steps"),
        (GoesOn, "order", "step before the first reset raises AttributeError"),
        (Draws, "image", "although none was asked for"),
        (lambda image=False: SharedPicture(image), "image", "share memory"),
        (OtherWords, "mission", "has no goal"),
        (NoMission, "mission", "it must be an embodied.types.Mission"),
        (UsesGlobalRandom, "global_random", "The global state of random is changed"),
        (SeedsGlobally, "global_random", "The global state of numpy.random is changed"),
        (CloseOnce, "close", "close raises RuntimeError: closed already"),
        (lambda: gymnasium.make("CartPole-v1"), "spaces", "it must be a Dict with a `text`"),
    ],
)
def test_each_rule_has_its_sentence(env, rule: str, sentence: str):
    report = check(env)
    assert not report.ok
    assert sentence in rules_broken(env).get(rule, ""), report
    assert f"breaks {len({r for r, _ in report.violations})} of {len(RULES)} rules" in str(report)


def test_every_rule_can_be_broken():
    """`gymnasium` and `seeds` have tests of their own below; all others stand in the list above."""
    listed = {case[1] for mark in test_each_rule_has_its_sentence.pytestmark for case in mark.args[1]}
    assert set(RULES) - listed == {"gymnasium", "seeds"}


def test_gymnasiums_checker_has_its_say():
    assert "Gymnasium's check_env raises" in rules_broken(Remembers)["gymnasium"]


def test_one_world_for_all_seeds_is_worth_a_warning():
    class OneWorld(Count):
        def _reset(self, seed, options):
            self.number = 3
            return {}

    report = check(OneWorld)
    assert report.ok
    assert report.warnings == [("seeds", "Seeds 0 to 3 all give the same episode; does the seed take effect?")]


def test_an_instance_will_do():
    report = check(Count())
    assert report.ok
    assert [rule for rule, _ in report.warnings] == ["determinism"]
    assert check(gymnasium.make("embodied/BabyAI-v0")).ok


def test_actions_can_be_given():
    assert "progress is 1.5" in rules_broken(BadProgress, actions=["more"])["info"]
    report = check(partial(make, "babyai"), actions=["turn left", "go forward"], seed=5)
    assert report.ok, report


def test_the_mixin_fails_where_a_rule_is_broken():
    class Broken(EnvContract):
        def make(self, **options):
            return BadReward(**options)

    Broken().test_spaces()
    with pytest.raises(AssertionError, match="reward of step 1 is nan"):
        Broken().test_returns()


def test_difference_names_the_first():
    one = [Returned({"text": "a"}, {}), Returned({"text": "b"}, {}, 1.0)]
    assert difference(one, one) == ""
    assert difference(one, one[:1]) == "one lasts 1 steps and the other 0"
    assert (
        difference(one, [one[0], Returned({"text": "b"}, {}, 2.0)])
        == "the reward of step 1 is 1.0 in one and 2.0 in the other"
    )
    assert difference(one, [Returned({"text": "c"}, {})]) == "the text observed at reset differs: 'a' and 'c'"


def test_command_line(capsys: pytest.CaptureFixture[str]):
    assert main(["tests.envs.test_check:Count", "--steps", "6"]) == 0
    assert "Count keeps all" in capsys.readouterr().out
    assert main(["tests.envs.test_check:BadReward", "gym:CartPole-v1"]) == 1
    assert "returns: The reward of step 1 is nan" in capsys.readouterr().out
    assert main(["babyia"]) == 2
    assert "Did you mean 'babyai'" in capsys.readouterr().err
    assert main(["no.such:Env"]) == 2
    assert "neither an environment's name nor module:callable" in capsys.readouterr().err
