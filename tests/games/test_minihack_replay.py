"""On balrog-nle 0.9 (`make test-balrog`): the public MiniHack records replay exactly, and `rules="balrog"` shows what
BALROG's own code shows, to the byte.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from embodied.envs import make
from embodied.errors import EnvironmentFailure
from embodied.games.nethack.raw import wheel
from tests import balrog_replay

pytestmark = pytest.mark.skipif(not wheel().startswith("balrog-nle"), reason="needs balrog-nle: make test-balrog")

LEVELS = {
    5: (
        "##########/## @  . .#/## $ $  $#/#### $ . #/######.# #/#      ###/# # #  ###/##########/##########/##########",
        "esewsennwwwseneesesnnwwwseseeeenswwwwneneesnwwssen",
    ),
    6: (
        "##########/####  .  #/###  $   #/####$    #/####   $ #/####..   #/####     #/#### ##$.#/#### @#  #/##########",
        "wnnneeeenwssesswnennnnwwwnseeswssennnnwwwneswseseseesnnnwwwws",
    ),
}
"""Boxoban levels by seed: rows, and a solution (initials of directions)."""

EPISODES = [
    ("MiniHack-Boxoban-Hard-v0", 5, 50, 1.0, "5f45149828e86328c42a41add757d432"),
    ("MiniHack-Boxoban-Hard-v0", 6, 61, 1.0, "a4590544e922fcd5014c6ee61299ca18"),
    ("MiniHack-Boxoban-Medium-v0", 5, 50, 1.0, "5f45149828e86328c42a41add757d432"),
    ("MiniHack-Boxoban-Medium-v0", 6, 61, 1.0, "a4590544e922fcd5014c6ee61299ca18"),
    ("MiniHack-MazeWalk-9x9-v0", 5, 100, 0.0, "0a0ecb136d0b5b8d951d29e78f647df5"),
    ("MiniHack-MazeWalk-9x9-v0", 6, 100, 0.0, "e1f85de5c22f30d4667a25086cada674"),
    ("MiniHack-MazeWalk-15x15-v0", 5, 100, 0.0, "2cc72465429a9e8d706e6b3cbe7fb096"),
    ("MiniHack-MazeWalk-15x15-v0", 6, 100, 0.0, "134052e2a158a8d459458ba330d61ca6"),
    ("MiniHack-Corridor-R3-v0", 5, 100, 0.0, "7923f18f342d41f105a08427e24ebab7"),
    ("MiniHack-Corridor-R3-v0", 6, 100, 0.0, "695dc10543439ced371dfaf9bff1a0b7"),
    ("MiniHack-CorridorBattle-Dark-v0", 5, 77, 0.0, "44b694af866da5a3679abb001c0d5a76"),
    ("MiniHack-CorridorBattle-Dark-v0", 6, 56, 0.0, "8d03cda2415630ece148cd283c7dd104"),
    ("MiniHack-Quest-Easy-v0", 5, 40, 0.0, "b2f33f69430dcb3515cfb37ddca4fa04"),
    ("MiniHack-Quest-Easy-v0", 6, 1, 0.0, "28e09928b95891d630554245357b748d"),
    ("MiniHack-Quest-Medium-v0", 5, 100, 0.0, "43bcc75b39cd0deead629c429800da9b"),
    ("MiniHack-Quest-Medium-v0", 6, 100, 0.0, "30aff7168cdc5a444c99e043f71af739"),
]
"""Task, seed, steps to the end, progression, and SHA-256 (first half) over all that BALROG at af7d1f1, minihack 0.1.6
and balrog-nle 0.9.0 showed: long-term text, short-term text, reward, done and progression of each step, as JSON, the
reset included. Boxoban follows the solution of the level; the rest is `RandomState(seed).randint` on the list of
actions."""


FIGHTS = [
    (
        4264741340,
        "yklblnyykjlhlbyklhlhyljylhklbllllkllllllyhhykjhhlkjhjyklkkllyubhkyjlljkllllkkkklllhhyjykllhjklybklbl",
        "53d527743deb06c42c71529e28efec72",
    ),
    (
        2301167260,
        "klujhkjjkukhjjjjhhkkjujhhhkkknhlhhkkhkjjkhnyjkjkjklkjlkjlkhkjlkujhhkujjjjkhkklhllkkjlkhjkkjjkkjkjjkh",
        "c0ad399dbbd396e2b02984933e6b631f",
    ),
    (
        1639985052,
        "hhjjllykljlllllljkhhhhhjhkjyjhlljkllllllllhlljhhhkjjluuuhllkllllhlljhhkhkkhjkhjhjbllllllklllllljkhky",
        "d04531c113595136d0f6ceb5f9ee891e",
    ),
]
"""Public records of CorridorBattle-Dark in which corpses pile up: seed, directions (NetHack's own letters), SHA-256
(first half) over the texts recorded after each, as JSON."""


@pytest.mark.parametrize(("task", "seed", "steps", "progression", "digest"), EPISODES)
def test_episodes_are_the_originals(task: str, seed: int, steps: int, progression: float, digest: str):
    env = make("minihack", task, rules="balrog")
    rows, solution = LEVELS[seed]
    boxes = "Boxoban" in task
    observation, info = env.reset(seed=seed, options={"level": rows.replace("/", "\n")} if boxes else None)
    seen = hashlib.sha256(json.dumps([observation["text"], observation["status"], 0.0, False, 0.0]).encode())
    rng = np.random.RandomState(seed)
    actions = iter([{"n": "north", "s": "south", "e": "east", "w": "west"}[c] for c in solution] if boxes else [])
    over, taken = False, 0
    while not over:
        action = next(actions, None) or env.action_space.phrases[rng.randint(len(env.action_space))]
        observation, reward, terminated, truncated, info = env.step(action)
        over, taken = terminated or truncated, taken + 1
        seen.update(json.dumps([observation["text"], observation["status"], reward, over, info["progress"]]).encode())
    env.close()
    assert (taken, info["progress"], seen.hexdigest()[:32]) == (steps, progression, digest)


def test_every_record_replays_exactly(balrog_data: Path):
    """Three fights in which corpses pile up: they agree only while NLE is asked to describe what it draws."""
    results = [
        balrog_replay.replay(balrog_replay.load(balrog_data, entry))
        for entry in balrog_replay.manifest(balrog_data, "minihack")
    ]
    assert len(results) == 3
    assert [f"{r}\n{r.difference}" for r in results if not r.exact] == []


@pytest.mark.parametrize(("seed", "keys", "digest"), FIGHTS)
def test_corpses_lie_as_in_the_records(seed: int, keys: str, digest: str):
    env = make("minihack", "MiniHack-CorridorBattle-Dark-v0", rules="balrog")
    env.reset(seed=seed)
    phrases = {chr(action.keys[0]): phrase for phrase, action in env._actions_by_phrase.items()}
    texts = [env.step(phrases[key])[0]["text"] for key in keys]
    env.close()
    assert hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32] == digest


def test_a_picture_needs_tiles():
    with pytest.raises(EnvironmentFailure, match="no tiles"):
        make("minihack", EPISODES[-1][0], image=True)
