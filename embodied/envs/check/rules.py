"""The rules of the contract, one function each. A rule yields what is wrong."""

from __future__ import annotations

import inspect
import json
import random
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from embodied.arrays import Pixels
from embodied.envs.check.steps import actions_fault, actions_rule, frames_rule
from embodied.envs.check.subject import (
    Returned,
    Rule,
    Stranger,
    Subject,
    Violation,
    Warned,
    blamed,
    difference,
    onward,
    reset,
    restored,
    short,
    step,
)
from embodied.envs.spaces import Choice, FreeText, Phrases
from embodied.types import Mission

TEXTS = ("text", "status", "expert")
_PICTURE = re.compile(r"image(_[2-9])?")
"""Parts of an observation that are strings."""
_NOT_A_PHRASE = "\x00 this is no action of any environment"
_LIMIT = 5
"""Step limit that is set to see an episode truncated."""

RULES: dict[str, Rule] = {}
"""Name -> rule, in the order they are checked."""


def _rule(rule: Rule) -> Rule:
    RULES[rule.__name__.removesuffix("_rule")] = rule
    return rule


@_rule
def make_rule(subject: Subject) -> Iterator[Violation]:
    """The environment can be made and is a gymnasium.Env."""
    with subject.open() as env:
        if not isinstance(env, gymnasium.Env):
            yield Violation(f"What was made is a {type(env).__name__}; it must be a gymnasium.Env.")


@_rule
def spaces_rule(subject: Subject) -> Iterator[Violation]:
    """Observations are a Dict of text and perhaps status, expert and image; actions are phrases; the default action is
    one.
    """
    with subject.open() as env:
        space = getattr(env, "observation_space", None)
        if not isinstance(space, spaces.Dict):
            raise Violation(f"The observation space is {space}; it must be a Dict with a `text`.")
        if "text" not in space.spaces:
            yield Violation(f"The observation space has {list(space.keys())}, but no `text`.")
        for key, part in space.items():
            if key in TEXTS and not isinstance(part, FreeText | spaces.Text):
                yield Violation(f"The space of `{key}` is {part}; it must be FreeText.")
            elif _PICTURE.fullmatch(key) and not (
                isinstance(part, spaces.Box) and part.dtype == np.uint8 and len(part.shape) == 3 and part.shape[2] == 3
            ):
                yield Violation(f"The space of `{key}` is {part}; it must be a Box of (height, width, 3) uint8.")
            elif key == "actions" and not isinstance(part, Phrases):
                yield Violation(f"The space of `actions` is {part}; it must be Phrases.")
            elif key not in (*TEXTS, "actions") and not _PICTURE.fullmatch(key):
                yield Violation(
                    f"The observation space has `{key}`; the parts an agent knows are text, status, expert, actions,"
                    " image, image_2, image_3, ..."
                )
        if not isinstance(env.action_space, Choice | FreeText):
            yield Violation(f"The action space is {env.action_space}; it must be a Choice of phrases or FreeText.")
        default = getattr(env, "default_action", None)
        if not isinstance(default, str) or default not in env.action_space:
            yield Violation(f"default_action is {default!r}, which is not in the action space.")


@_rule
def gymnasium_rule(subject: Subject) -> Iterator[Violation]:
    """Gymnasium's own `check_env` passes."""
    with subject.open() as env, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with blamed("Gymnasium's check_env"):
            check_env(env, skip_render_check=True, skip_close_check=True)
    yield from ()


@_rule
def observation_rule(subject: Subject) -> Iterator[Violation]:
    """Every observation, the last one included, lies in the observation space; what the expert says lies in the action
    space.
    """
    with subject.open() as env:
        for index, frame in enumerate(subject.play(env, subject.phrases(env))):
            if not isinstance(frame.observation, dict) or set(frame.observation) != set(env.observation_space.keys()):
                keys = (
                    sorted(frame.observation)
                    if isinstance(frame.observation, dict)
                    else type(frame.observation).__name__
                )
                raise Violation(
                    f"Observation {index} is {keys}; the observation space has {sorted(env.observation_space.keys())}."
                )
            for key, part in env.observation_space.items():
                if isinstance(part, Phrases) and (fault := actions_fault(frame.observation[key], part)):
                    raise Violation(f"The actions of observation {index} {fault}.")
                if frame.observation[key] not in part:
                    raise Violation(
                        f"The {key} of observation {index}, {short(frame.observation[key])}, is not in its space"
                        f" {part}."
                    )
            if "expert" in frame.observation and frame.observation["expert"] not in env.action_space:
                raise Violation(
                    f"At observation {index} the expert says {frame.observation['expert']!r}, which is not in the"
                    " action space."
                )
    yield from ()


@_rule
def info_rule(subject: Subject) -> Iterator[Violation]:
    """Info has progress in [0, 1] (None at an end without a score), success, valid, and after a step executed; metrics
    are numbers, end_reason a string.
    """
    with subject.open() as env:
        for index, frame in enumerate(subject.play(env, subject.phrases(env))):
            where, info = f"After {'reset' if index == 0 else f'step {index}'}", frame.info
            required = {"progress", "success", "valid"} | ({"executed"} if index else set())
            if missing := sorted(required - set(info)):
                raise Violation(f"{where} the info lacks {', '.join(missing)}.")
            unscored = info["progress"] is None and (frame.terminated or frame.truncated)
            if not unscored and (type(info["progress"]) is not float or not 0 <= info["progress"] <= 1):
                yield Violation(
                    f"{where} progress is {info['progress']!r}; it must be a float in [0, 1], or None at the end of an"
                    " episode without a score."
                )
            if info["success"] not in (None, True, False) or type(info["success"]) not in (bool, type(None)):
                yield Violation(f"{where} success is {info['success']!r}; it must be True, False or None.")
            yield from _undecided(env, frame, where)
            if type(info["valid"]) is not bool:
                yield Violation(f"{where} valid is {info['valid']!r}; it must be a bool.")
            if index and info["executed"] not in env.action_space:
                yield Violation(f"{where} executed is {info['executed']!r}, which is not in the action space.")
            if not all(type(v) in (int, float) for v in info.get("metrics", {}).values()):
                yield Violation(f"{where} metrics are {info['metrics']!r}; they must be numbers.")
            if not isinstance(info.get("end_reason", ""), str):
                yield Violation(f"{where} end_reason is {info['end_reason']!r}; it must be a string.")


def _undecided(env: Stranger, frame: Returned, where: str) -> Iterator[Violation]:
    """Success is decided when an episode is over, unless the environment says that nothing succeeds in it."""
    success, can_succeed = frame.info.get("success"), getattr(env, "can_succeed", True)
    if can_succeed and frame.over and success is None and frame.info.get("progress") is not None:
        yield Violation(
            f"{where} the episode is over and success is None; an episode that ran out of time has failed (False). Set"
            " can_succeed = False where nothing succeeds."
        )
    if not can_succeed and success is not None:
        yield Violation(f"{where} success is {success!r}, but the environment says can_succeed = False.")


@_rule
def returns_rule(subject: Subject) -> Iterator[Violation]:
    """Rewards are finite floats, terminated and truncated are bools and not both true."""
    with subject.open() as env:
        for index, frame in enumerate(subject.play(env, subject.phrases(env))):
            if not isinstance(frame.reward, float) or not np.isfinite(frame.reward):
                yield Violation(f"The reward of step {index} is {frame.reward!r}; it must be a finite float.")
            if type(frame.terminated) is not bool or type(frame.truncated) is not bool:
                yield Violation(
                    f"Step {index} returns terminated={frame.terminated!r}, truncated={frame.truncated!r}; they are to"
                    " be bools."
                )
            elif frame.terminated and frame.truncated:
                yield Violation(
                    f"Step {index} is both terminated and truncated; an episode that ended by itself is not cut off."
                )


@_rule
def plain_json_rule(subject: Subject) -> Iterator[Violation]:
    """Info is plain JSON: what is written and read again is the same."""
    with subject.open() as env:
        for index, frame in enumerate(subject.play(env, subject.phrases(env))):
            for key, value in frame.info.items():
                try:
                    same = json.loads(json.dumps({key: value}, allow_nan=False)) == {key: value}
                except (TypeError, ValueError):
                    same = False
                if not same:
                    raise Violation(
                        f"After {'reset' if index == 0 else f'step {index}'} info[{key!r}] is {value!r}, which is not"
                        " plain JSON."
                    )
    yield from ()


@_rule
def invalid_action_rule(subject: Subject) -> Iterator[Violation]:
    """A phrase outside the action space raises nothing: the default action is executed and info says so."""
    with subject.open() as env:
        if isinstance(env.action_space, FreeText) and _NOT_A_PHRASE in env.action_space:
            return
        reset(env, subject.seed)
        wrong = step(env, _NOT_A_PHRASE)
        if wrong.info.get("valid") is not False or wrong.info.get("executed") != env.default_action:
            yield Violation(
                f"After a phrase outside the action space info says valid={wrong.info.get('valid')!r},"
                f" executed={wrong.info.get('executed')!r}; it must say False and {env.default_action!r}."
            )
        first = reset(env, subject.seed)
        if "actions" in env.observation_space.spaces and env.default_action not in first.observation["actions"]:
            return  # the rule of the actions says so
        right = step(env, env.default_action)
        told = replace(wrong, info={**wrong.info, "valid": True})
        if found := difference([told], [right]):
            yield Violation(
                f"A phrase outside the action space is not the same as the default action: {found}.".replace(
                    "reset", "step 1"
                )
            )


_rule(actions_rule)
_rule(frames_rule)


@_rule
def determinism_rule(subject: Subject) -> Iterator[Violation]:
    """Two instances with one seed play the same episode."""
    if subject.single:
        yield Warned("An instance was given; give what makes it, and two instances will be compared.")
        return
    with subject.open() as one, subject.open() as other:
        actions = subject.phrases(one)
        if found := difference(subject.play(one, actions), subject.play(other, actions)):
            yield Violation(f"Two instances with seed {subject.seed} play different episodes: {found}.")


@_rule
def reset_rule(subject: Subject) -> Iterator[Violation]:
    """The same seed gives the same episode again, no matter what was played before; reset works without a seed."""
    with subject.open() as env:
        actions = subject.phrases(env)
        first = subject.play(env, actions)
        subject.play(env, actions[: len(actions) // 2], subject.seed + 1)
        reset(env, None)
        if found := difference(first, subject.play(env, actions)):
            yield Violation(f"Seed {subject.seed} gives another episode the second time: {found}.")


@_rule
def seeds_rule(subject: Subject) -> Iterator[Violation]:
    """Different seeds give different episodes (a warning: some worlds have only one)."""
    with subject.open() as env:
        actions = subject.phrases(env)
        plays = [subject.play(env, actions, subject.seed + offset) for offset in range(4)]
        if not any(difference(plays[0], play) for play in plays[1:]):
            yield Warned(
                f"Seeds {subject.seed} to {subject.seed + 3} all give the same episode; does the seed take effect?"
            )


@_rule
def snapshot_rule(subject: Subject) -> Iterator[Violation]:
    """`restore` goes back to where `snapshot` was taken, in the same instance and in another, and the episode continues
    in the same way.
    """
    with subject.open() as env:
        if not hasattr(env, "snapshot") or not hasattr(env, "restore"):
            raise Violation("There is no snapshot() or no restore(); inherit LanguageEnv, which has both.")
        actions = subject.phrases(env)
        half = len(actions) // 2
        before = subject.play(env, actions[:half])
        if before[-1].over:
            return
        with blamed("snapshot"):
            point = env.snapshot()
        expected = [Returned(before[-1].observation, None), *onward(env, actions[half:])]
        if found := difference(restored(env, point, actions[half:]), expected):
            yield Violation(f"A restored snapshot continues differently: {found}.")
        if not subject.single:
            with subject.open() as other:
                if found := difference(restored(other, point, actions[half:]), expected):
                    yield Violation(f"A snapshot restored in another instance continues differently: {found}.")


@_rule
def truncation_rule(subject: Subject) -> Iterator[Violation]:
    """The episode is over after max_steps steps at the latest, truncated unless it terminated."""
    with subject.open() as env:
        if not hasattr(env, "max_steps"):
            raise Violation("There is no max_steps (a number, or None for no limit).")
        limit = min(env.max_steps or _LIMIT, _LIMIT)
        with _limited(env, limit):
            frames = subject.play(env, (subject.phrases(env) * limit)[: limit + 1])
        if not frames[-1].over or len(frames) > limit + 1:
            yield Violation(f"With max_steps = {limit} the episode continues after {len(frames) - 1} steps.")
        yield from _undecided(env, frames[-1], f"After step {len(frames) - 1}, with max_steps = {limit},")


@_rule
def order_rule(subject: Subject) -> Iterator[Violation]:
    """`step` raises gymnasium.error.ResetNeeded before the first reset and after the end of an episode."""
    with subject.open() as env:
        if not subject.single:
            yield from _needs_reset(env, "before the first reset")
        with _limited(env, 1):
            frames = subject.play(env, subject.phrases(env)[:1])
        if frames[-1].over:
            yield from _needs_reset(env, "after the end of an episode")


@contextmanager
def _limited(env: Any, limit: int) -> Iterator[None]:
    """Sets another step limit for a while."""
    with blamed("setting max_steps"):
        kept, env.max_steps = env.max_steps, limit
    yield
    env.max_steps = kept


def _needs_reset(env: Stranger, when: str) -> Iterator[Violation]:
    try:
        with blamed(f"step {when}"):
            env.step(env.default_action)
    except Violation as violation:
        if not isinstance(violation.__cause__, gymnasium.error.ResetNeeded):
            yield Violation(f"{violation}; it must raise gymnasium.error.ResetNeeded.")
    else:
        yield Violation(f"step {when} is executed; it must raise gymnasium.error.ResetNeeded.")


@_rule
def image_rule(subject: Subject) -> Iterator[Violation]:
    """A picture is drawn only when it was asked for, and again at every step."""
    with subject.open() as env:
        if "image" not in env.observation_space.spaces:

            def drawn() -> Pixels:
                raise Violation("A picture is drawn although none was asked for.")

            env._image = drawn
            subject.play(env, subject.phrases(env)[:3])
            del env._image
        if env.render_mode is None and env.render() is not None:
            yield Violation("render() returns something without a render_mode; it must return None.")
    if subject.single or not _takes_image(subject.factory):
        return
    try:
        with subject.open(image=True) as env:
            frames = subject.play(env, subject.phrases(env)[:3])
    except Violation as violation:
        if "unexpected keyword argument 'image'" not in str(violation):  # not every world has a picture
            yield Warned(f"With image=True: {violation}")
        return
    images = [frame.observation.get("image") for frame in frames]
    if any(image is None for image in images):
        yield Violation("With image=True observations have no `image`.")
    elif any(np.shares_memory(a, b) for a, b in pairwise(images)):
        yield Violation("Pictures of two steps share memory: keeping one sees it change. Return a fresh array.")


def _takes_image(factory: Callable[..., Stranger]) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # there is no signature, as with some builtins
        return False
    return any(p.name == "image" or p.kind is p.VAR_KEYWORD for p in parameters)


@_rule
def mission_rule(subject: Subject) -> Iterator[Violation]:
    """The mission shows exactly the phrases the action space accepts, and the right default action and step limit."""
    with subject.open() as env:
        reset(env, subject.seed)
        with blamed("mission"):
            mission = env.mission
        if not isinstance(mission, Mission):
            raise Violation(f"mission is {mission!r}; it must be an embodied.types.Mission.")
        if not mission.goal.strip():
            yield Violation("The mission has no goal.")
        if isinstance(env.action_space, Choice):
            shown, accepted = tuple(mission.actions), tuple(env.action_space)
            if shown != accepted:
                odd = sorted(set(shown) ^ set(accepted)) or "the order"
                yield Violation(f"The mission's actions are not the action space's phrases; they differ in {odd}.")
        narrowed = "actions" in env.observation_space.spaces and not mission.free_text
        if mission.free_text is not isinstance(env.action_space, FreeText) and not narrowed:
            yield Violation(
                f"The mission says free_text={mission.free_text}, but the action space is {env.action_space}."
            )
        for name in ("default_action", "max_steps"):
            if getattr(mission, name) != getattr(env, name):
                yield Violation(
                    f"The mission says {name}={getattr(mission, name)!r}, the environment {getattr(env, name)!r}."
                )


@_rule
def global_random_rule(subject: Subject) -> Iterator[Violation]:
    """The global random states (`random`, `numpy.random`) are neither read nor changed."""
    kept = random.getstate(), np.random.get_state()
    plays = []
    try:
        for global_seed in (1, 2):
            random.seed(global_seed)
            np.random.seed(global_seed)
            states = repr(random.getstate()), repr(np.random.get_state())
            with subject.open() as env:
                plays.append(subject.play(env, subject.phrases(env)))
            for module, before, after in zip(
                ("random", "numpy.random"), states, (repr(random.getstate()), repr(np.random.get_state())), strict=True
            ):
                if before != after:
                    yield Violation(
                        f"The global state of {module} is changed; draw from a generator of the environment's own."
                    )
        if found := difference(*plays):
            yield Violation(f"The episode depends on the global random state: {found}.")
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


@_rule
def close_rule(subject: Subject) -> Iterator[Violation]:
    """`close` may be called twice."""
    if subject.single:
        return
    with subject.open() as env:
        reset(env, subject.seed)
        with blamed("close"):
            env.close()
    yield from ()
