"""Learners for tests of the loop: each does one thing that a learner may do."""

from __future__ import annotations

import msgspec

from embodied.agents.versions import AgentRecord, Lineage, load, write
from embodied.errors import NothingLearned, TrainingFailed
from embodied.train.learner import EXPERT
from embodied.versions import find


def made(parent, out, like, **settings):
    """A version that plays as `like`, made from `parent`."""
    record = like.record
    record = msgspec.structs.replace(
        record, settings=record.settings | settings, lineage=Lineage(parent.hash, "of a test", {})
    )
    return write(out, record, {name: like.part(name) for name in record.parts})


def sees(practice, parent, out):
    """Puts the shipped agent that sees in the parent's place."""
    practice.play(EXPERT, 2, name="demonstrations")
    practice.play(parent, 2, name="candidates/0")
    practice.play(parent, 2, name="candidates/1")
    return made(parent, out, find("tinyvlm-base"))


def forgets(practice, parent, out):
    """Plays by chance from now on."""
    lineage = Lineage(parent.hash, "forgets", {})
    return write(out, AgentRecord(name="forgetful", settings={"agent.policy": "random"}, lineage=lineage), {})


def crashes(practice, parent, out):
    """Fails half-way, with a half-written folder."""
    out.mkdir()
    (out / "agent.json").write_text("{")
    raise KeyError("half-way")


def finds_nothing(practice, parent, out):
    raise NothingLearned("There is nothing here.")


def diverges(practice, parent, out):
    raise TrainingFailed("The loss of update 3 is nan.")


def orphan(practice, parent, out):
    """Forgets to name the parent."""
    return write(out, msgspec.structs.replace(load(parent.folder).record, lineage=Lineage()), {})


def peeks(practice, parent, out):
    """Would play the episodes of the test."""
    practice.play(parent, 1, name="peek", options={"run.split": "test"})
    return made(parent, out, parent)


def aside(practice, parent, out):
    """Writes its version somewhere else, and links to it."""
    place = practice.work / "mine"
    version = load(place) if place.exists() else made(parent, place, parent)
    out.symlink_to(place)
    return version


def says_nothing(practice, parent, out):
    """Returns nothing and writes nothing."""


def cheats(practice, parent, out):
    """Lets the expert play."""
    return made(parent, out, parent, **{"agent.policy": "expert"})


def buys(practice, parent, out):
    """Asks a service that costs money."""
    return made(parent, out, parent, **{"agent.policy": "naive", "model.provider": "openai", "model.name": "gpt-4o"})


def settled(practice, parent, out):
    """Does as it is told."""
    practice.say(f"{practice.settings}")
    return made(parent, out, parent)


settled.defaults = {"share": 0.5, "count": 3, "preset": "paper", "fast": False}
