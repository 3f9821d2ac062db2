"""Rules about single steps: actions that change, and frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from embodied.envs.base import Frame, LanguageEnv
from embodied.envs.check.subject import Returned, Stranger, Subject, Violation, blamed, difference, reset, short, step
from embodied.envs.spaces import Choice, Phrases


def actions_rule(subject: Subject) -> Iterator[Violation]:
    """Where actions change, those of every step hold the default action and what the expert says; a phrase that cannot
    be chosen now is not valid, and the default action is executed.
    """
    with subject.open() as env:
        if "actions" not in env.observation_space.spaces:
            return
        with blamed("mission"):
            reset(env, subject.seed)
            patterns = env.mission.free_text
        frames = [] if patterns else subject.play(env, subject.phrases(env))
        for index, frame in enumerate(frames):
            now = frame.observation["actions"]
            for who, phrase in (("default action", env.default_action), ("expert", frame.observation.get("expert"))):
                if phrase is not None and phrase not in now:
                    raise Violation(
                        f"At observation {index} the {who} is {phrase!r}, which is not among the actions of this step:"
                        f" {short(now)}."
                    )
            done = [played.info["executed"] for played in frames[1 : index + 1]]
            left_out = [] if frame.over else [p for p in _listed(env) if p not in now]
            if left_out:
                yield from _refused(env, subject.seed, done, left_out[0])
                return


def actions_fault(now: Any, space: Phrases) -> str:
    """What is wrong with the actions of one step, as the end of a sentence; empty if nothing is."""
    if not isinstance(now, tuple):
        return f"are of type {type(now).__name__}; they must be a tuple of phrases"
    seen: set[str] = set()
    for phrase in now:
        if not isinstance(phrase, str):
            return f"hold {phrase!r}, of type {type(phrase).__name__}; they must be phrases (str)"
        if phrase not in space.of:
            return f"hold {short(phrase)}, which is not in the action space"
        if phrase in seen:
            return f"hold {short(phrase)} twice"
        if not phrase.strip():
            return f"hold {phrase!r}, which is blank"
        seen.add(phrase)
    return ""


def _listed(env: Stranger) -> tuple[str, ...]:
    """All phrases of an environment that has a list of them."""
    return env.action_space.phrases if isinstance(env.action_space, Choice) else ()


def _refused(env: Stranger, seed: int, done: list[str], phrase: str) -> Iterator[Violation]:
    """After the actions `done`, the phrase does the same as the default action and is not valid."""
    ends = []
    for last in (phrase, env.default_action):
        reset(env, seed)
        ends.append([step(env, action) for action in (*done, last)][-1])
    wrong, right = ends
    if wrong.info.get("valid") is not False or wrong.info.get("executed") != env.default_action:
        yield Violation(
            f"{phrase!r} cannot be chosen at observation {len(done)}, and after it info says"
            f" valid={wrong.info.get('valid')!r}, executed={wrong.info.get('executed')!r}; it must say False and"
            f" {env.default_action!r}."
        )
    elif found := difference([replace(wrong, info={**wrong.info, "valid": True})], [right]):
        found = found.replace("reset", f"step {len(done) + 1}")
        yield Violation(f"A phrase that cannot be chosen now is not the same as the default action: {found}.")


def frames_rule(subject: Subject) -> Iterator[Violation]:
    """Watching the frames of a step changes nothing, not even their number. An interruption ends the step at its frame,
    in the same way each time.
    """
    with subject.open() as env:
        if not isinstance(env, LanguageEnv):
            return
        actions = subject.phrases(env)
        unseen = _watched(env, subject.seed, actions, draw=False)
        if not any(unseen.frames):
            return
        seen = _watched(env, subject.seed, actions, draw=True)
        if found := difference(unseen.returned, seen.returned):
            yield Violation(f"Drawing frames changes the episode: {found}.")
        elif seen.frames != unseen.frames:
            yield Violation(f"Steps have {unseen.frames} frames, and {seen.frames} where these are drawn.")
        yield from seen.faults
        first = next(number for number, frames in enumerate(unseen.frames) if frames)
        stopped = [_watched(env, subject.seed, actions, draw=False, interrupt=first) for _ in range(2)]
        if stopped[0].frames[first] != 1:
            yield Violation(
                f"Step {first} is interrupted behind its first frame and shows {stopped[0].frames[first]}; it must end."
            )
        if found := difference(*(play.returned for play in stopped)):
            yield Violation(f"The same interruption gives another episode the second time: {found}.")


class _Play:
    """An episode of which the frames were counted."""

    def __init__(self) -> None:
        self.returned: list[Returned] = []
        self.frames: list[int] = []
        """Of each step."""
        self.faults: list[Violation] = []
        """What the first bad frame is like."""

    def look(self, frame: Any, draw: bool) -> None:
        self.frames[-1] += 1
        if self.faults:
            return
        where = f"Frame {self.frames[-1] - 1} of step {len(self.frames) - 1}"
        if not isinstance(frame, Frame):
            self.faults.append(Violation(f"{where} is {frame!r}; it must be an embodied.envs.base.Frame."))
        elif not isinstance(frame.seconds, int | float) or not 0 < frame.seconds < math.inf:
            self.faults.append(Violation(f"{where} lasts {frame.seconds!r} seconds; it must be a number above 0."))
        elif draw:
            with blamed(f"Drawing frame {self.frames[-1] - 1} of step {len(self.frames) - 1}"):
                picture = frame.draw()
            if not (isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape[2:] == (3,)):
                self.faults.append(
                    Violation(f"{where} draws {_described(picture)}; it must be (height, width, 3) uint8.")
                )


def _described(picture: Any) -> str:
    is_array = isinstance(picture, np.ndarray)
    return f"an array of shape {picture.shape} {picture.dtype}" if is_array else f"a {type(picture).__name__}"


def _watched(env: LanguageEnv, seed: int, actions: list[str], draw: bool, interrupt: int | None = None) -> _Play:
    """Plays until the actions or the episode are over; step `interrupt` is interrupted behind its first frame."""
    play = _Play()
    play.returned.append(reset(env, seed))
    for number, action in enumerate(actions):
        if play.returned[-1].over:
            break
        play.frames.append(0)
        more: dict[str, Any] = {"interrupt_at": 0} if number == interrupt else {}
        if type(env).step is LanguageEnv.step:  # else it may take the action alone
            more["watch"] = lambda frame: play.look(frame, draw)
        with blamed(f"step({action!r})"):
            observation, reward, terminated, truncated, info = env.step(action, **more)
        play.returned.append(Returned(observation, info, reward, terminated, truncated))
    return play
