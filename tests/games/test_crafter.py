"""Crafter: the game and its pictures against the package's own, the text against a plain describer, and what was
mended.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import crafter
import gymnasium
import numpy as np
import opensimplex
import pytest
from crafter import constants, engine, objects, worldgen
from gymnasium.utils.env_checker import check_env

from embodied.envs import make
from embodied.errors import UnknownName, UsageError
from embodied.games.crafter import noise
from embodied.games.crafter.env import ACTIONS
from embodied.games.crafter.game import Game, first_episode_seed
from tests import transcripts

ROOT = Path(__file__).parents[2]
PHRASES = tuple(ACTIONS)


class OrderedWorld(engine.World):
    """The package's world, with the one change that makes it repeatable: chunks that keep their order."""

    class _Chunk(dict):
        def add(self, creature: objects.Object) -> None:
            self[creature] = None

        def remove(self, creature: objects.Object) -> None:
            del self[creature]

    def reset(self, seed: int | None = None) -> None:
        super().reset(seed)
        self._chunks = defaultdict(self._Chunk)


@pytest.fixture
def package_env(monkeypatch: pytest.MonkeyPatch):
    """Makes the package's environment, with ordered chunks."""
    monkeypatch.setattr(engine, "World", OrderedWorld)

    def make_env(seed: int, pictures: bool) -> crafter.Env:
        env = crafter.Env(seed=seed, size=(256, 256))
        if not pictures:
            env.render = lambda size=None: None
        env.reset()
        return env

    return make_env


def keep_alive(player: objects.Player) -> None:
    for name in ("health", "food", "drink"):
        player.inventory[name] = 9
    player._last_health = 9


def plain_text(semantic: np.ndarray, names: dict[int, str], player: objects.Player) -> str:
    """BALROG's text, read off the package's semantic view cell by cell."""
    px, py = (int(v) for v in player.pos)
    closest: dict[str, tuple[int, str]] = {}
    for x in range(max(px - 4, 0), min(px + 5, 64)):
        for y in range(max(py - 3, 0), min(py + 4, 64)):
            distance = abs(x - px) + abs(y - py)
            name = names[int(semantic[x, y])]
            if distance and (name not in closest or distance < closest[name][0]):
                where = "-".join(
                    word
                    for word, true in (("north", y < py), ("south", y > py), ("west", x < px), ("east", x > px))
                    if true
                )
                closest[name] = distance, f"- {name} {distance} step{'s' * (distance > 1)} to your {where}"
    order = dict.fromkeys(names[int(n)] for n in semantic[max(px - 4, 0) : px + 5, max(py - 3, 0) : py + 4].ravel())
    fx, fy = px + player.facing[0], py + player.facing[1]
    front = names[int(semantic[fx, fy])] if 0 <= fx < 64 and 0 <= fy < 64 else "nothing"
    sleeping = (
        "You are sleeping, and will not be able take actions until energy is full.\n\n\n\n" if player.sleeping else ""
    )
    lines = "\n".join(closest[name][1] for name in order if name in closest)
    return f"{sleeping}You see:\n{lines}\n\nYou face {front} at your front."


def names_of(env: crafter.Env) -> dict[int, str]:
    kinds = {number: kind.__name__.lower() for kind, number in env._sem_view._obj_ids.items()}
    return {number: name for name, number in env._world._mat_ids.items()} | kinds


def creatures(world: engine.World) -> list[tuple[str, tuple[int, ...], int]]:
    return [(type(o).__name__, tuple(o.pos.tolist()), o.health) for o in world.objects]


# --------------------------------------------------------------------------- the world


def test_noise_is_the_packages_bit_for_bit():
    rng = np.random.default_rng(0)
    cases: set[int] = set()
    for seed in (0, 3, 2**31 - 2, -5):
        theirs, ours = opensimplex.OpenSimplex(seed), noise.Simplex(seed)
        for z in (0, 5, 7, 0.3, -2.6):
            x, y = rng.uniform(-40, 40, (2, 150))
            x[:50], y[:50] = rng.integers(0, 64, (2, 50)) / (15, 5)[z == 0]
            assert ours(x, y, z).tolist() == [
                theirs.noise3(a, b, z) for a, b in zip(x.tolist(), y.tolist(), strict=True)
            ]
            point = np.stack([x, y, np.full_like(x, z)])
            point -= point.sum(0) / 6
            cases |= set(noise._case(*(point - np.floor(point))).tolist())
    assert len(cases) == 6 + 6 + 3 + 3 + 6  # all there are


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_worlds_are_the_packages(seed: int):
    game = Game(seed)
    world = engine.World((64, 64), constants.materials, (12, 12))
    world.reset(hash((seed, 1)) % (2**31 - 1))
    player = objects.Player(world, (32, 32))
    world.add(player)
    worldgen.generate_world(world, player)
    np.testing.assert_array_equal(game.world._mat_map, world._mat_map)
    np.testing.assert_array_equal(game.world._obj_map, world._obj_map)
    assert creatures(game.world) == creatures(world)
    ours, theirs = game.world.random.get_state(), world.random.get_state()
    assert (ours[1].tolist(), ours[2]) == (theirs[1].tolist(), theirs[2])


def test_the_worlds_seed_is_the_packages():
    seeds = [0, 1, 2, 2**31 - 2, 2**31 - 1, 2**32 - 1, *np.random.default_rng(0).integers(2**32, size=500).tolist()]
    assert [first_episode_seed(seed) for seed in seeds] == [hash((seed, 1)) % (2**31 - 1) for seed in seeds]


# --------------------------------------------------------------------------- the game


def test_the_game_and_its_text_are_the_packages(package_env):
    """Days and nights of it, without pictures: every cell, reward, count and word."""
    theirs, ours = package_env(11, pictures=False), make("crafter", max_steps=None)
    names = names_of(theirs)
    ours.reset(seed=11)
    rng = np.random.default_rng(0)
    game, achieved = ours._game, Counter()
    for i in range(1200):
        number = int(rng.choice(17)) if rng.random() < 0.6 else 1 + i // 37 % 4
        if number == 6 and i > 120:  # a sleeper may be killed at a blow
            number = 0
        for player in (theirs._player, game.player):
            keep_alive(player)
            if i == 100:
                player.inventory.update(wood=9, stone=9, coal=5, iron=5, sapling=3, iron_pickaxe=1)
        _, reward, _, info = theirs.step(number)
        observation, our_reward, *_, our_info = ours.step(PHRASES[number])
        assert reward == our_reward
        assert observation["text"] == plain_text(info["semantic"], names, theirs._player)
        assert our_info["metrics"] == info["achievements"]
        assert game.player.inventory == info["inventory"]
        np.testing.assert_array_equal(game.world._mat_map, theirs._world._mat_map)
        np.testing.assert_array_equal(game.world._obj_map, theirs._world._obj_map)
        achieved.update(type(o).__name__ for o in game.world.objects)
    assert creatures(game.world) == creatures(theirs._world)
    assert our_info["progress"] == len(theirs._unlocked) / 22 >= 0.3
    assert set(achieved) == {"Player", "Cow", "Zombie", "Skeleton", "Arrow", "Plant"}


def test_rules_balrog_and_its_pictures_are_the_packages(package_env):
    """With the hidden Noop and two pictures a step drawn from the game's stream, awake and asleep,
    by day and by night.
    """
    theirs, ours = package_env(5, pictures=True), make("crafter", rules="balrog", image=True)
    theirs.step(0)
    observation, _ = ours.reset(seed=5)
    rng = np.random.default_rng(1)
    seen: set[tuple[bool, bool]] = set()
    for i in range(215):
        seen.add((bool(theirs._world.daylight < 0.5), theirs._player.sleeping))
        if i % 5 == 0 or i > 200:
            np.testing.assert_array_equal(observation["image"], theirs.render())
        elif theirs._world.daylight < 0.5:
            theirs.render()  # BALROG's second picture; it moves the game's random stream on
        for player in (theirs._player, ours._game.player):
            keep_alive(player)
            if i in (60, 190):
                player.inventory["energy"] = 6
        number = 6 if i in (60, 190) else int(rng.choice(17))
        theirs.step(number)
        observation, *_ = ours.step(PHRASES[number])
        np.testing.assert_array_equal(ours._game.world._obj_map, theirs._world._obj_map)
    assert seen == {(False, False), (False, True), (True, False), (True, True)}
    assert creatures(ours._game.world) == creatures(theirs._world)


def test_pictures_do_not_change_the_game():
    plain, drawn = make("crafter"), make("crafter", image=True, render_mode="rgb_array")
    first, second = plain.reset(seed=2)[0], drawn.reset(seed=2)[0]
    rng = np.random.default_rng(2)
    nights = 0
    for i in range(260):
        assert second["text"] == first["text"]
        if i % 7 == 0:
            np.testing.assert_array_equal(drawn.render(), second["image"])
        for env in (plain, drawn):
            keep_alive(env._game.player)
        nights += drawn._game.world.daylight < 0.5
        action = PHRASES[rng.integers(6)]
        first, *one = plain.step(action)
        second, *two = drawn.step(action)
        assert one == two
    assert nights > 80
    assert creatures(plain._game.world) == creatures(drawn._game.world)


def test_another_process_plays_the_same():
    script = """
from tests.games.test_crafter import episode_hash
print(episode_hash(4, 150), episode_hash(9, 150, rules='balrog'))
"""

    def run(seed: str) -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout

    assert run("1") == run("2") == f"{episode_hash(4, 150)} {episode_hash(9, 150, rules='balrog')}\n"


def episode_hash(seed: int, steps: int, **kwargs: Any) -> str:
    """Of all that an episode of random play shows, from dusk on with a picture a step."""
    env, rng, digest = make("crafter", image=True, **kwargs), np.random.default_rng(seed), hashlib.sha256()
    observation, info = env.reset(seed=seed)
    env._game.steps = 120  # a later hour, for the noise of the night
    terminated = False
    while not terminated and len(env.snapshot().actions) < steps:
        digest.update(
            json.dumps([observation["text"], observation["status"], info]).encode() + observation["image"].tobytes()
        )
        keep_alive(env._game.player)
        observation, _, terminated, _, info = env.step(PHRASES[rng.integers(17)])
    return digest.hexdigest()


def test_the_same_environment_plays_the_same_again():
    env = make("crafter")
    texts = []
    for _ in range(2):
        texts.append([env.reset(seed=6)[0]["text"], *(env.step(PHRASES[i % 17])[0]["text"] for i in range(80))])
    assert texts[0] == texts[1]
    assert env.reset(seed=7)[0]["text"] != texts[0][0] or env.step("Do")[0] != texts[0][1]


# --------------------------------------------------------------------------- what was mended


def at(env, x: int, y: int) -> str:
    """The text from cell (x, y), where the player is put."""
    world, player = env._game.world, env._game.player
    if world[(x, y)][1] is not None:
        world.remove(world[(x, y)][1])
    world.move(player, (x, y))
    return env._text()


def test_the_edges_of_the_world_are_seen():
    mended, original = make("crafter"), make("crafter", rules="balrog")
    mended.reset(seed=1)
    original.reset(seed=1)
    nothing = "You see nothing away from you.\n\nYou face nothing at your front."
    for x, y in ((0, 30), (3, 30), (30, 2), (0, 0)):
        assert "You see:\n- " in at(mended, x, y)
        assert at(original, x, y) == nothing
    for x, y in ((4, 3), (63, 30), (30, 63), (63, 63)):
        assert at(original, x, y) != nothing
    mended._game.player.facing = (-1, 0)
    assert at(mended, 0, 30).endswith("You face nothing at your front.")


def test_who_dies_asleep_died():
    for rules, words in (("embodied", "You died."), ("balrog", "You are sleeping, and will")):
        env = make("crafter", rules=rules)
        env.reset(seed=0)
        player = env._game.player
        player.sleeping, player.health = True, 0
        assert env._text().startswith(words)


def test_no_hidden_noop():
    mended, original = make("crafter"), make("crafter", rules="balrog")
    first, _ = mended.reset(seed=3)
    observation, _ = original.reset(seed=3)
    assert (mended._game.steps, original._game.steps) == (0, 1)
    assert mended.step("Noop")[0] == observation
    assert first["text"].startswith("You see:")


def test_older_wordings():
    texts = {}
    for wording in ("2024-11", "2025-04", "2025-08"):
        env = make("crafter", rules="balrog", wording=wording)
        env.reset(seed=142)
        for action in ("Move East", "Move East"):
            observation, *_ = env.step(action)
        texts[wording] = observation["text"]
    assert "You face tree at your front." in texts["2025-08"]
    assert "- tree 1 step to your east" in texts["2025-08"]
    assert "- tree 1 steps to your east" in texts["2025-04"]
    assert sorted(texts["2025-04"].replace("1 steps", "1 step").split("\n")) == sorted(texts["2025-08"].split("\n"))
    see, face = texts["2024-11"].rsplit("\n", 1)
    assert texts["2025-04"] == f"{see}\nYou face tree at your front."
    assert face != "You face tree at your front."
    numbers = [
        constants.materials.index(line.split()[1])
        for line in texts["2025-04"].split("\n")
        if line.startswith("- ") and "cow" not in line
    ]
    assert numbers == sorted(numbers)


# --------------------------------------------------------------------------- the contract


def test_random_play_of_two_thousand_steps():
    env, rng = make("crafter"), np.random.default_rng(0)
    _, info = env.reset(seed=0)
    reasons, progress = Counter(), []
    for episode in range(1, 2000):
        observation, reward, terminated, truncated, info = env.step(PHRASES[rng.integers(17)])
        assert not truncated
        assert env.observation_space.contains(observation)
        assert info["progress"] == sum(count > 0 for count in info["metrics"].values()) / 22
        json.dumps([reward, info])
        if terminated:
            assert observation["text"].startswith("You died.")
            reasons[info["end_reason"]] += 1
            progress.append(info["progress"])
            env.reset(seed=episode)
    assert set(reasons) == {"died"}
    assert 0 < np.mean(progress) < 0.5


def test_the_step_limit_is_balrogs():
    env = make("crafter")
    env.reset(seed=0)
    for step in range(1, 2001):
        keep_alive(env._game.player)
        *_, terminated, truncated, info = env.step("Noop")
        assert (terminated, truncated) == (False, step == 2000)
    assert info["end_reason"] == "step limit"
    assert env.mission.max_steps == 2000


def test_all_achievements_are_a_success():
    env = make("crafter")
    env.reset(seed=142)
    for name in constants.achievements:
        env._game.player.achievements[name] = int(name != "collect_wood")
    *_, info = env.step("Noop")
    assert (info["success"], info["progress"]) == (None, 21 / 22)
    for action in ("Move East", "Move East", "Do"):
        _, reward, terminated, _, info = env.step(action)
    assert (info["success"], info["progress"], reward, terminated) == (True, 1.0, 1.0, False)
    assert info["metrics"]["collect_wood"] == 1.0


def test_wrong_phrases_wait():
    env, twin = make("crafter"), make("crafter")
    env.reset(seed=0)
    twin.reset(seed=0)
    observation, *_, info = env.step("move west")
    assert (info["valid"], info["executed"]) == (False, "Noop")
    assert twin.step("Noop")[0] == observation


def test_an_image_only_when_asked():
    assert set(make("crafter").reset(seed=0)[0]) == {"text", "status"}
    image = make("crafter", image=True).reset(seed=0)[0]["image"]
    assert (image.shape, image.dtype) == ((256, 256, 3), np.uint8)


def test_bad_arguments_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        make("crafter", "defualt")
    with pytest.raises(UsageError, match=r"balrogg.*Did you mean 'balrog'"):
        make("crafter", rules="balrogg")
    with pytest.raises(UsageError, match=r"2025-80.*Did you mean '2025-08'"):
        make("crafter", wording="2025-80")
    with pytest.raises(UsageError, match='rules="balrog"'):
        make("crafter", wording="2024-11")
    with pytest.raises(UsageError, match="max_steps"):
        make("crafter", max_steps=0)


def test_gymnasium_approves():
    check_env(gymnasium.make("embodied/Crafter-v0", task="default", image=True).unwrapped, skip_render_check=True)


def test_golden_transcripts():
    episodes = transcripts.golden("crafter")
    assert len(episodes) == 2
    for episode in episodes:
        assert transcripts.again("crafter", episode) == episode
    assert episodes[0]["steps"][-1]["info"]["progress"] == 9 / 22
