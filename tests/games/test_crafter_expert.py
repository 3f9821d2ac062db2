"""Crafter for learners: the experts, pictures of any size, and what the pictures show."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
from crafter import constants, engine, objects

from embodied.envs import make
from embodied.errors import UnknownName, UsageError
from embodied.games.crafter.env import ACTIONS
from embodied.games.crafter.expert import EXPERTS, advise
from embodied.games.crafter.game import Game
from embodied.games.crafter.picture import border, draw, size
from embodied.games.crafter.scene import scene_of
from embodied.games.crafter.shelter import enclosed

PHRASES = tuple(ACTIONS)
PLAYED = dict(zip(ACTIONS, constants.actions, strict=True))


def follow(env, seed: int, steps: int, wander: int = 0):
    """Plays an expert's advice, after some random actions. Yields each step's info."""
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    for step in range(steps):
        action = PHRASES[rng.integers(17)] if step < wander else observation["expert"]
        observation, _, terminated, truncated, info = env.step(action)
        assert observation["expert"] in env.action_space
        yield info
        if terminated or truncated:
            return


def bare(seed: int = 0) -> Game:
    """A world of grass with the player in the middle, who faces south."""
    game = Game(seed)
    for creature in game.world.objects:
        if creature is not game.player:
            game.world.remove(creature)
    game.world._mat_map[:] = game.world._mat_ids["grass"]
    return game


def put(game: Game, material: str, *offsets: tuple[int, int]) -> None:
    for x, y in offsets:
        game.world[game.player.pos + np.array((x, y))] = material


# --------------------------------------------------------------------------- what it achieves


@pytest.mark.parametrize("name", EXPERTS)
def test_the_expert_reaches_ten_of_22_within_500_steps(name: str):
    env = make("crafter", expert=name)
    reached = [[*follow(env, seed, 500)][-1]["progress"] * 22 for seed in range(6)]
    assert np.mean(reached) >= 12 and min(reached) >= 8


def test_it_takes_over_after_random_actions():
    env = make("crafter", expert=True)
    reached = [[*follow(env, seed, 500, wander=10)][-1]["progress"] * 22 for seed in range(8, 14)]
    assert np.mean(reached) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERTS)
def test_what_whole_episodes_reach(name: str):
    env = make("crafter", expert=name)
    reached = [[*follow(env, seed, 2000)][-1]["progress"] * 22 for seed in range(100, 110)]
    assert np.mean(reached) >= 14


def test_advice_in_any_state():
    """Random play and random states: always a phrase, the same for the same state, and the state stays as it is."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        game = Game(seed)
        for _ in range(120):
            game.step(constants.actions[rng.integers(17)])
            inventory = game.player.inventory
            for item in inventory:
                inventory[item] = int(rng.integers(10))
            inventory["health"] = max(1, inventory["health"])
            game.player._last_health = inventory["health"]
            for name in EXPERTS:
                before = game.world.random.get_state()[1].tolist(), dict(inventory), game.player.pos.tolist()
                advice = advise(game, name)
                assert advice in ACTIONS and advise(game, name) == advice
                assert before == (game.world.random.get_state()[1].tolist(), inventory, game.player.pos.tolist())


def test_an_expert_changes_nothing_else():
    plain, led = make("crafter", image=True), make("crafter", image=True, expert=True)
    (first, info), (second, led_info) = plain.reset(seed=4), led.reset(seed=4)
    assert info == led_info
    for _ in range(80):
        advice = second.pop("expert")
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[key], second[key]) for key in first)
        first, *one = plain.step(advice)
        second, *two = led.step(advice)
        assert one == two


def test_the_settler_knows_only_what_is_in_view():
    """It says the same in two worlds that differ beyond the view; the surveyor does not."""
    near, far = bare(), bare()
    put(far, "tree", (12, 0))
    assert advise(near) == advise(far)
    assert {advise(far, "surveyor"), advise(near)} == {"Move East", "Move South"}


# --------------------------------------------------------------------------- single rules


def test_it_strikes_a_zombie_beside_it():
    game = bare()
    game.world.add(objects.Zombie(game.world, game.player.pos + np.array((-1, 0)), game.player))
    assert advise(game) == "Move West"
    game.player.facing = (-1, 0)
    assert advise(game) == "Do"


def test_it_never_walks_into_lava():
    game = bare()
    put(game, "lava", *((x, y) for x in range(-4, 5) for y in range(-3, 4) if (x, y) != (0, 0)))
    game.player.inventory.update(wood_pickaxe=1, wood_sword=1, stone_pickaxe=1)
    assert not advise(game).startswith("Move")
    game.player.inventory["stone"] = 9
    assert advise(game) == "Place Stone"


def test_it_goes_round_lava():
    game = bare()
    put(game, "tree", (0, 3))
    put(game, "lava", (-1, 1), (0, 1), (1, 1))
    for _ in range(12):
        action = advise(game)
        game.step(PLAYED[action])
    assert game.player.health > 0 and game.player.inventory["wood"] == 1


def test_it_makes_a_wood_pickaxe_beside_a_table():
    game = bare()
    game.player.inventory["wood"] = 9
    said = []
    for _ in range(3):
        said.append(advise(game))
        game.step(PLAYED[said[-1]])
    assert said == ["Place Table", "Make Wood Pickaxe", "Make Wood Sword"]


def test_by_night_it_sleeps_in_the_rock():
    game = bare()
    put(game, "stone", *((x, y) for x in range(-4, 5) for y in range(-3, 4) if (x, y) != (0, 0)))
    game.player.inventory.update(wood_pickaxe=1, wood_sword=1, stone_pickaxe=1, energy=5)
    assert enclosed(scene_of(game)) and advise(game) == "Sleep"
    put(game, "path", (0, 1), (0, 2), (0, 3))
    assert not enclosed(scene_of(game))
    game.player.inventory["stone"] = 1
    assert advise(game) == "Place Stone"


def test_it_gives_way_to_sleep():
    game = bare()
    game.player.sleeping, game.player.inventory["energy"] = True, 4
    assert advise(game) == "Sleep"


# --------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("cell", [8, 16, 27])
def test_cells_of_any_size(cell: int):
    """By day, by night and with a full inventory; the text and the game stay as they are."""
    env, plain = make("crafter", image=True, cell=cell), make("crafter")
    env.reset(seed=142)
    plain.reset(seed=142)
    for hour in (0, 200):
        for game in (env._game, plain._game):
            game.steps = hour
            game.player.inventory.update(wood=9, stone=9, iron=3)
        for action in ("Move East", "Do", "Move South"):
            observation, *_ = env.step(action)
            assert observation["image"].shape == (9 * cell, 9 * cell, 3)
            assert observation["image"][: 7 * cell].std() > 1 and observation["image"][7 * cell :].any()
            assert observation["text"] == plain.step(action)[0]["text"]
    assert env.observation_space.contains(observation)


def test_pictures_with_small_cells_keep_balrogs_game():
    small, usual = (make("crafter", rules="balrog", image=True, **more) for more in ({"cell": 16}, {}))
    for env in (small, usual):
        env.reset(seed=5)
        env._game.steps = 180
    for step in range(40):
        action = PHRASES[step % 6]
        assert small.step(action)[0]["text"] == usual.step(action)[0]["text"]
    assert small._game.world.random.get_state()[1].tolist() == usual._game.world.random.get_state()[1].tolist()


def test_sixteen_pixels_are_the_packages_textures():
    game = bare()
    put(game, "tree", (-4, -3))
    game.world.daylight = 1.0
    texture = engine.Textures(constants.root / "assets").get("tree", (16, 16))[..., :3].transpose(1, 0, 2)
    np.testing.assert_array_equal(draw(game, 16)[:16, :16], texture)


def test_bad_options_are_named():
    with pytest.raises(UnknownName, match=r"setler.*Did you mean 'settler'"):
        make("crafter", expert="setler")
    for cell in (7, 29, "16"):
        with pytest.raises(UsageError, match="from 8 to 28"):
            make("crafter", cell=cell)


# --------------------------------------------------------------------------- what the picture shows


@pytest.mark.parametrize("cell", [16, 28])
def test_truth_is_where_the_picture_shows_it(cell: int):
    """Taking one thing away changes the picture inside its box, and nowhere else."""
    game = bare()
    game.world.daylight = 1.0
    env = make("crafter", image=True, cell=cell)
    env.reset(seed=0)
    env._game = game
    for material in ("tree", "water", "lava", "path", "stone", "coal", "iron", "diamond", "table", "furnace"):
        put(game, material, (3, -2))
        (sight,) = env.truth()
        with_it = draw(game, cell)
        put(game, "grass", (3, -2))
        left, top, right, bottom = sight.box
        changed = (with_it != draw(game, cell)).any(-1)
        assert (
            changed[top:bottom, left:right].any()
            and not np.delete(np.delete(changed, slice(top, bottom), 0), slice(left, right), 1).any()
        )
        assert (right - left, bottom - top, left) == (cell, cell, border(cell) + 7 * cell)
        assert sight.words == (material,) and sight.named == (material not in ("lava", "path"))
    assert env.truth() == () and size(cell) == with_it.shape[0]


def test_truth_follows_the_text():
    env = make("crafter", expert=True)
    env.reset(seed=1)
    for info in follow(env, 1, 150):
        lines = env._text().split("\n\n")[-2].splitlines() if "You see:" in env._text() else []
        named = {line.split()[1] for line in takewhile(lambda line: line, lines) if line.startswith("- ")}
        words = {"plant" if sight.words[0] == "sapling" else sight.words[0] for sight in env.truth()}
        assert words == named - {"grass", "sand"}
        assert "metrics" in info


def test_a_sapling_grows_into_a_plant():
    env = make("crafter")
    env.reset(seed=0)
    game = env._game = bare()
    plant = objects.Plant(game.world, game.player.pos + np.array((0, 1)))
    game.world.add(plant)
    assert [(sight.words, sight.named) for sight in env.truth()] == [(("sapling",), True)]
    plant.grown = 301
    assert [sight.words for sight in env.truth()] == [("plant",)]
    assert advise(game) == "Do"
