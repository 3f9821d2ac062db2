"""TextWorld: the interpreters, the games and their cache, what was mended, and bad input of every kind."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from embodied.envs import entry, make
from embodied.errors import EnvironmentFailure, UnknownName, UsageError
from embodied.games.textworld import cache, games, generate
from embodied.games.textworld.commands import first_command
from embodied.games.textworld.interpreters import Glulx, ZMachine
from tests import transcripts

TASKS = entry("textworld").tasks
COIN, COOKING, TREASURE = "coin_collector", "the_cooking_game", "treasure_hunter"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """A cache of this module's own: its tests compile, and harm, what they play."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def ulx(balrog_data: Path) -> Path:
    return balrog_data / "games" / "level_220_seed_1171.ulx"


def publish(folder: Path, task: str, seeds: tuple[int, ...]) -> str:
    """Lays shipped games out as published ones are."""
    (folder / task).mkdir()
    for name in (f"{task}-{seed}" for seed in seeds):
        shutil.copy(games.shipped(task, name).story, folder / task / f"{name}.z8")
        (folder / task / f"{name}.json").write_bytes(games._shipped_json(name))
    return str(folder)


def by_expert(env, seed: int = 0):
    """Plays the walkthrough to the end; yields what each step returned."""
    observation, _ = env.reset(seed=seed)
    over = False
    while not over:
        observation, reward, terminated, truncated, info = env.step(observation["expert"])
        over = terminated or truncated
        yield observation, reward, terminated, truncated, info


def burn(env) -> dict:
    """Cooks an ingredient twice, which loses the game; returns the last step's info and checks its flags."""
    observation, _ = env.reset(seed=0)
    info: dict = {}
    while not observation["expert"].startswith("cook "):
        observation, *_ = env.step(observation["expert"])
    cook = observation["expert"]
    for _ in range(2):
        observation, _, terminated, truncated, info = env.step(cook)
    assert (terminated, truncated, info["success"], info["end_reason"]) == (True, False, False, "lost")
    assert "*** You lost! ***" in observation["text"]
    return info


# --------------------------------------------------------------------------- playing


@pytest.mark.parametrize("task", TASKS)
def test_the_walkthrough_wins(task: str):
    env = make("textworld", task, expert=True)
    steps = list(by_expert(env))
    env.close()
    *_, (observation, _, terminated, truncated, info) = steps
    assert (terminated, truncated, info["success"], info["end_reason"], info["progress"]) == (
        True,
        False,
        True,
        "won",
        1.0,
    )
    assert len(steps) == len(env._game.facts.walkthrough) <= env.max_steps == env.mission.max_steps == 80
    assert sum(reward for _, reward, *_ in steps) == env._game.facts.max_score == info["metrics"]["score"]
    assert observation["text"].endswith("UNDO the last command?")
    assert all(info["valid"] for *_, info in steps)
    progress = [info["progress"] for *_, info in steps]
    assert progress == sorted(progress)
    assert (len(set(progress)) == 18) == (task == COOKING)


def test_a_lost_game_keeps_its_points():
    env = make("textworld", COOKING, expert=True)
    info = burn(env)
    env.close()
    assert 0 < info["progress"] == info["metrics"]["score"] / 17 < 1


def test_the_step_limit_truncates():
    env = make("textworld", COIN, max_steps=3)
    env.reset(seed=0)
    outcomes = [env.step(action) for action in ("look", "inventory", "xyzzy")]
    env.close()
    assert [truncated for *_, truncated, _ in outcomes] == [False, False, True]
    assert (outcomes[-1][-1]["end_reason"], outcomes[-1][-1]["success"], outcomes[-1][-1]["valid"]) == (
        "step limit",
        False,
        False,
    )
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("look")


def test_the_objective_gives_nothing_away():
    env = make("textworld", TREASURE)
    observation, _ = env.reset(seed=0)
    facts = env._game.facts
    assert facts.objective not in observation["text"]
    assert observation["text"].startswith("-= ")
    assert facts.target in env.mission.goal and facts.walkthrough[-1] == f"take {facts.target}"
    assert env.step("goal")[0]["text"] == env.mission.goal
    env.close()


def test_the_expert_waits_for_its_command():
    env = make("textworld", COIN, expert=True)
    first = env.reset(seed=0)[0]["expert"]
    assert env.step("look")[0]["expert"] == first
    assert env.step(f" {first.upper()} ")[0]["expert"] == env._game.facts.walkthrough[1]
    env.close()


# --------------------------------------------------------------------------- commands


def test_rejected_commands_are_said_to_be():
    env = make("textworld", COOKING)
    env.reset(seed=0)
    said = {}
    for command in (
        "look",
        "go nowhere",
        "inventory",
        "xyzzy",
        "take moon",
        "",
        "\t\n",
        "open",
        "take all",
        "GO  North",
        "42",
        "can't",
        "x-y",
    ):
        said[command] = env.step(command)[-1]["valid"]
    env.close()
    taken = {"look", "inventory", "open", "take all", "GO  North"}
    assert {command for command, valid in said.items() if valid} == taken


@pytest.mark.parametrize("task", TASKS)
def test_the_mission_says_that_a_step_is_one_command(task: str):
    tips = {rules: make("textworld", task, rules=rules).mission.tips for rules in ("embodied", "balrog")}
    said = "Type one command a step: of several, only the first is carried out."
    assert said in tips["embodied"] and said not in tips["balrog"]


def test_the_score_is_not_undone_and_nothing_hidden_is_repeated(ulx: Path):
    """`undo` as the first command took back the environment's own, after which the game never told its score; `again`
    repeated it.
    """
    for options in ({"game": "coin_collector-0"}, {"game": str(ulx)}):
        env = make("textworld", COIN, expert=True)
        observation, _ = env.reset(seed=0, options=options)
        for command, answer in (
            ("undo", "That command is not part of this game."),
            ("again", "You can hardly repeat that."),
            ("G", "You can hardly repeat that."),
        ):
            said, *_, info = env.step(command)
            assert (said["text"], info["valid"]) == (answer, False)
        for command in ("", "oops"):
            env.step(command)
            assert env.step("again")[0]["text"] == "You can hardly repeat that."
        rewards, over = [], False
        while not over:
            observation, reward, over, _, info = env.step(observation["expert"])
            rewards.append(reward)
        assert sum(rewards) == info["metrics"]["score"] == 1 and info["success"]
        env.reset(seed=0, options=options)
        looked = env.step("look")[0]["text"]
        assert env.step("xyzzy")[-1]["valid"] is False
        assert env.step("look")[0]["text"] == env.step("again")[0]["text"] == looked
        env.close()


@pytest.mark.parametrize(
    "piece", [".", ". ", "\n", "\r", ",", "then ", ", .", "\0", "é", "\u0301", "\\", "east. ", "look "]
)
def test_a_megabyte_is_divided_in_no_time(piece: str):
    began = time.process_time()
    command, _ = first_command(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 5
    assert "\n" not in command


@pytest.mark.parametrize("rules", ["embodied", "balrog"])
def test_no_string_is_too_strange(rules: str, ulx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    strange = [
        "",
        " ",
        "\0",
        "look\0look",
        "x" * 100_000,
        "look " * 60,
        "é à ü",
        "日本語",
        "\ud800",
        "\x1b[A",
        "take “it”",
        "a\nb",
        "%s%n",
        "1.2.3.4",
        "." * 150,
    ]
    files = ["save", "SAVE game", "restore", "script", "oops save", "o save", "transcription", "\x0esave", "...save"]
    more = ["look. save", "look then script on", "x, save", "look\nsave"]
    files += more if rules == "balrog" else []  # else only the first command of each is looked at
    for options in ({"game": "coin_collector-0"}, {"game": str(ulx)}):
        env = make("textworld", COIN, rules=rules)
        env.reset(seed=0, options=options)
        for command in strange + files:
            observation, _, terminated, truncated, info = env.step(command)
            assert not terminated and not truncated
            assert env.observation_space.contains(observation)
            if command in files:
                assert observation["text"] == "That command is not part of this game."
                assert info["valid"] is (rules == "balrog")
        assert "-= " in env.step("look")[0]["text"]
        env.close()
    assert list(tmp_path.iterdir()) == []


CONTROL = (
    "\\boxed{go east}",
    "\\",
    "\\s",
    "\\help",
    "\\X",
    "\\R",
    "look \\N",
    "\\_quit\\_y",
    "/quit",
    ">look",
    "*",
    "\x0e",
    "\x0f",
    "\x12",
    "\x13y",
    "look\x13",
    "\x1b[A",
    "\x7f",
)
"""What interpreters have taken for commands of their own, or might."""


@pytest.mark.parametrize("rules", ["embodied", "balrog"])
def test_nothing_typed_reaches_the_interpreter_itself(
    rules: str, ulx: Path, tmp_path: Path, monkeypatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    for options in ({"game": "coin_collector-0"}, {"game": str(ulx)}):
        env = make("textworld", COIN, rules=rules)
        first, _ = env.reset(seed=0, options=options)
        look = env.step("look")[0]["text"]
        for command in CONTROL:
            observation, _, terminated, truncated, _ = env.step(command)
            assert not terminated and not truncated and len(observation["text"]) < 2000
        assert env.step("look")[0]["text"].split("   ")[0] == look.split("   ")[0], "still in the same room"
        assert list(Path(env._machine._folder.name).glob("[!s]*")) == []
        assert env.reset(seed=0, options=options)[0] == first
        env.close()
    assert (list(tmp_path.iterdir()), capfd.readouterr()) == ([], ("", ""))


ONE = {
    "go east": ("go east", ""),
    " Go   East. ": ("Go East", ""),
    "east. south. take coin": ("east", "south. take coin"),
    "east then south": ("east", "south"),
    "east, then south": ("east", "then south"),
    "then east": ("east", ""),
    "east\nsouth": ("east", "south"),
    "\r\n east \u2028 south": ("east", "south"),
    "east, south": ("east", "south"),
    "look,inventory": ("look", "inventory"),
    "prepare meal, eat meal": ("prepare meal", "eat meal"),
    "take inventory, look": ("take inventory", "look"),
    "take knife, apple and bread": ("take knife, apple and bread", ""),
    "take all, east": ("take all, east", ""),
    "east\uff0e south": ("east", "south"),
    "...east": ("east", ""),
    "1. go east": ("1", "go east"),
    "open strengthened-door": ("open strengthened-door", ""),
    "take authentic then-box": ("take authentic then-box", ""),
    "examine athens": ("examine athens", ""),
    "unlock Henry's gate": ("unlock Henry's gate", ""),
    ", east": (", east", ""),
    "...": ("...", ""),
    "": ("", ""),
}


@pytest.mark.parametrize("typed", ONE)
def test_the_first_command_is_divided_off(typed: str):
    assert first_command(typed) == ONE[typed]


@pytest.mark.parametrize("joint", [". ", ".", "\n", " then ", ", ", ",", ", then ", "\r\n", "\uff0e", " . "])
def test_one_command_a_step(joint: str, ulx: Path):
    """However commands are strung together, one is played: a reply does not win a game of twenty steps."""
    for options in ({"game": "coin_collector-0"}, {"game": str(ulx)}):
        env = make("textworld", COIN)
        env.reset(seed=0, options=options)
        walkthrough = [command.removeprefix("go ") for command in env._game.facts.walkthrough]
        alone = env.step(walkthrough[0])[0]["text"]
        env.reset(seed=0, options=options)
        observation, reward, terminated, _, info = env.step(joint.join(walkthrough))
        assert (reward, terminated, info["executed"]) == (0.0, False, walkthrough[0])
        assert walkthrough[-1] in info["dropped"]
        assert (
            observation["text"]
            == f"{alone}\n\n(One command a step: {walkthrough[0]!r} was carried out, the rest of what you typed was"
            " not.)"
        )
        assert "dropped" not in env.step("look")[-1]
        env.close()


@pytest.mark.parametrize(
    "first",
    [
        "east",
        "go east",
        "look",
        "inventory",
        "wait",
        "z",
        "goal",
        "examine me",
        "take all",
        "prepare meal",
        "drop all",
        "again",
    ],
)
def test_no_command_takes_two_turns(first: str, ulx: Path):
    env = make("textworld", COIN)
    machine = Glulx()
    for joint in (", ", ",", ", then ", ",.", " and ", "; ", ": ", "! ", '" ', ",,"):
        env.reset(seed=0, options={"game": str(ulx)})
        machine.start(ulx, 0)
        machine.send("tw-extra-infos score")
        assert machine.send(first_command(f"{first}{joint}south")[0]).count("<score>") <= 1
    env.close()
    machine.close()


def test_balrogs_rules_play_all_that_is_typed(ulx: Path):
    env = make("textworld", COIN, rules="balrog")
    env.reset(seed=0, options={"game": str(ulx)})
    *_, terminated, _, info = env.step(". ".join(env._game.facts.walkthrough))
    assert (terminated, info["success"]) == (True, True)
    env.close()


def test_under_balrogs_rules_it_is_the_last_thing_in_the_room():
    """BALROG makes the game describe the room after every turn."""
    said = {}
    for rules in ("embodied", "balrog"):
        env = make("textworld", COOKING, rules=rules)
        env.reset(seed=2)
        env.step("take red apple")
        said[rules] = env.step("examine it")[0]["text"].split("   ")[0]
        env.close()
    assert "red apple" in said["embodied"] and "red apple" not in said["balrog"]


def test_curly_quotes_and_accents_reach_the_game_plain():
    env = make("textworld", COIN)
    env.reset(seed=0)
    look = env.step("look")[0]["text"]
    assert env.step("  l\u00f3\u00f3k  \n")[0]["text"] == look
    env.close()


def test_one_cannot_leave_or_cheat():
    env = make("textworld", COIN)
    env.reset(seed=0)
    for command in (
        "quit",
        "q",
        "restart",
        "print_state",
        "tw-print player id",
        "restrict commands",
        "enable print state option",
        ". quit",
    ):
        observation, _, terminated, _, info = env.step(command)
        assert (observation["text"], info["valid"], terminated) == (
            "That command is not part of this game.",
            False,
            False,
        )
    env.close()


# --------------------------------------------------------------------------- rules="balrog"


def test_balrogs_rules():
    env = make("textworld", COOKING, rules="balrog", expert=True)
    observation, _ = env.reset(seed=0)
    assert env.default_action == "help"
    assert observation["text"].endswith(" =-0/1") and "\n>     " in observation["text"]
    assert "Find the cookbook" in env.mission.goal
    *_, (_, reward, _, _, info) = by_expert(env)
    assert (reward, info["progress"]) == (17, 1.0)
    scores = [(reward, info["progress"]) for _, reward, _, _, info in by_expert(env)]
    assert scores[-2] == (16, 0.0)
    assert burn(env)["progress"] > 0
    env.reset(seed=0)
    assert env.step("goal")[0]["text"].startswith(">  ")
    assert env.step("xyzzy")[-1]["valid"] is True
    env.close()


def test_balrogs_quit_ends_the_episode(ulx: Path):
    env = make("textworld", COIN, rules="balrog")
    env.reset(seed=0, options={"game": str(ulx)})
    assert env.step("quit")[0]["text"] == "Are you sure you want to quit?"
    _, _, terminated, _, info = env.step("yes")
    assert (terminated, info["success"], info["end_reason"]) == (True, False, "quit")
    env.close()


# --------------------------------------------------------------------------- games


def test_the_seed_chooses_the_game():
    env = make("textworld", COIN)
    chosen = [env.reset(seed=seed)[1] for seed in (0, 1, 10)]
    env.close()
    assert [info["game"] for info in chosen] == ["coin_collector-0", "coin_collector-1", "coin_collector-0"]
    assert chosen[0] == chosen[2] and chosen[0]["sha256"] != chosen[1]["sha256"]
    assert (chosen[0]["walkthrough_length"], chosen[0]["max_score"], chosen[0]["format"]) == (20, 1, "z8")


@pytest.mark.parametrize("task", TASKS)
def test_all_shipped_games_are_there_and_differ(task: str):
    facts = [games._shipped_facts(name)[0] for name in games.names(task)]
    assert len({f.walkthrough for f in facts}) == games.SHIPPED == 10
    assert (
        {len(f.walkthrough) for f in facts} == {20} if task != COOKING else max(len(f.walkthrough) for f in facts) <= 80
    )
    assert {f.max_score for f in facts} == {17 if task == COOKING else 1}
    assert all(f.target == {COIN: "coin", COOKING: "meal"}.get(task, f.target) != "" for f in facts)


def test_a_seed_makes_the_game_that_is_shipped_for_it():
    env = make("textworld", COIN, generate=True)
    made = env.reset(seed=3)[1]
    again = env.reset(seed=3)[1]
    env.close()
    env = make("textworld", COIN)
    assert made == again == env.reset(seed=3)[1]
    env.close()


def test_a_harmed_cache_is_mended():
    made: list[int] = []

    def data() -> bytes:
        made.append(1)
        return games._shipped_json("coin_collector-0")

    key = cache.key(games._shipped_json("coin_collector-0"))
    path = cache.story("coin_collector-0", key, data)
    made.clear()
    whole = path.read_bytes()
    assert cache.story("coin_collector-0", key, data) == path and not made
    for harmed in (whole[:-100], whole[:1000] + b"\xff" + whole[1001:]):
        path.write_bytes(harmed)
        assert cache.story("coin_collector-0", key, data) == path
        assert path.read_bytes() == whole
    assert len(made) == 2
    description = cache.folder() / "thing-1-1.6.2.json.xz"
    assert cache.description("thing", 1, lambda: b"{}") == b"{}" and description.exists()
    description.write_bytes(description.read_bytes()[:-9])
    assert cache.description("thing", 1, lambda: b"[]") == b"[]" == lzma.decompress(description.read_bytes())


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFailure, match=r"cannot be written.*XDG_CACHE_HOME"):
        make("textworld", COIN).reset(seed=0)


_PLAY = """
import hashlib, json, sys
from embodied.envs import make
env = make("textworld", "coin_collector", expert=True)
observation, info = env.reset(seed=4)
seen = [observation, info]
odd = ("xyzzy", "take", "go", "in", "oops", "take it", "everything but it")
for action in (*odd, observation["expert"], "z", "jump", "sing", "sleep"):
    seen.append(env.step(action))
env.close()
print(info["sha256"], hashlib.sha256(json.dumps(seen).encode()).hexdigest())
"""


def test_two_processes_on_an_empty_cache_play_the_same(tmp_path: Path):
    """They compile the same game at once, with other hash seeds and in other time zones; the story and the episode are
    the same.
    """

    def start(zone: str, seed: str) -> subprocess.Popen[str]:
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "HOME": str(tmp_path / "home"),
        }
        return subprocess.Popen(
            [sys.executable, "-c", _PLAY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )

    outputs = [process.communicate(timeout=200) for process in [start("UTC+20", "1"), start("UTC-20", "2")]]
    assert outputs[0][0] == outputs[1][0] != ""
    assert [errors for _, errors in outputs] == ["", ""]
    folder = tmp_path / "cache" / "embodied" / "textworld"
    stories = [path.name for path in folder.iterdir()]
    assert len(stories) == 1 and outputs[0][0][:16] in stories[0]
    assert not (tmp_path / "home").exists()


def test_a_folder_of_published_games(tmp_path: Path):
    env = make("textworld", COIN, data=publish(tmp_path, COIN, (0, 1)), expert=True)
    assert [env.reset(seed=seed)[1]["game"] for seed in (0, 1, 2)] == [
        "coin_collector-0",
        "coin_collector-1",
        "coin_collector-0",
    ]
    assert list(by_expert(env, seed=1))[-1][-1]["success"] is True
    (tmp_path / COIN / "coin_collector-0.json").write_text("{}")
    with pytest.raises(UsageError, match=r"coin_collector-0\.json is not the description"):
        env.reset(seed=0)
    (tmp_path / COIN / "coin_collector-0.json").unlink()
    with pytest.raises(UsageError, match=r"coin_collector-0\.json is not the description"):
        env.reset(seed=0)
    env.close()
    with pytest.raises(UsageError, match="There are no games in"):
        make("textworld", TREASURE, data=str(tmp_path))


def test_a_generator_that_fails_says_so():
    with pytest.raises(EnvironmentFailure, match=r"game 1 of chess could not be made.*chess"):
        generate.generate("chess", 1)


# --------------------------------------------------------------------------- interpreters


def test_the_z_machine_plays_one_game_after_another():
    machine = ZMachine()
    stories = [games.shipped(COIN, f"coin_collector-{seed}").story for seed in (0, 1, 0)]
    first, other, again = (machine.start(story, seed) for seed, story in enumerate(stories))
    machine.close()
    assert first == again != other


def test_lines_left_over_do_not_begin_the_next_game():
    machine = ZMachine()
    story = games.shipped(COIN, "coin_collector-0").story
    machine.start(story, 0)
    look = machine.send("look")
    machine.send("inventory\nxyzzy\nxyzzy")
    machine.start(story, 0)
    assert machine.send("look") == look
    machine.close()


def test_an_answer_has_a_size(ulx: Path):
    for machine, story in ((Glulx(), ulx), (ZMachine(), games.shipped(COIN, "coin_collector-0").story)):
        machine.start(story, 0)
        process = machine._process
        machine.LONGEST = 20
        with pytest.raises(EnvironmentFailure, match="printed more than"):
            machine.send("look")
        assert process.poll() is not None


def test_the_z_machine_ends_with_whoever_started_it():
    """Its reader notices the closed socket, whatever the machine is doing."""
    program = (
        "import os, signal; from embodied.envs import make; env = make('textworld', 'coin_collector');"
        " env.reset(seed=0); print(env._machine._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_the_glulx_process_is_reaped(ulx: Path, capfd: pytest.CaptureFixture[str]):
    env = make("textworld", COIN)
    env.reset(seed=0, options={"game": str(ulx)})
    first = env._machine._process
    assert first.poll() is None
    env.step("look")
    env.reset(seed=0, options={"game": str(ulx)})
    second = env._machine._process
    assert first.poll() is not None and second.poll() is None
    env.close()
    env.close()
    assert second.poll() is not None
    assert not any(Path(f"/proc/{process.pid}").exists() for process in (first, second))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [Glulx, ZMachine])
def test_a_hung_or_dead_interpreter_is_a_failure(kind: type, ulx: Path):
    machine = kind()
    machine.TIMEOUT = 0.5
    story = ulx if kind is Glulx else games.shipped(COIN, "coin_collector-0").story
    for stop, what in ((signal.SIGSTOP, "gave no answer within"), (signal.SIGKILL, "crashed")):
        machine.start(story, 0)
        process = machine._process
        process.send_signal(stop)
        with pytest.raises(EnvironmentFailure, match=what):
            machine.send("look")
        assert process.poll() is not None
        with pytest.raises(EnvironmentFailure, match="is not running"):
            machine.send("look")
    assert "-= " in machine.start(story, 0)
    machine.close()


def test_a_story_that_is_none_is_a_failure(tmp_path: Path, ulx: Path):
    story = tmp_path / "broken.ulx"
    story.write_bytes(b"not a game")
    shutil.copy(ulx.with_suffix(".json"), story.with_suffix(".json"))
    with pytest.raises(EnvironmentFailure, match=r"broken\.ulx"):
        make("textworld", COIN).reset(seed=0, options={"game": str(story)})


# --------------------------------------------------------------------------- contract


@pytest.mark.parametrize("task", TASKS)
def test_gymnasium_approves(task: str, tmp_path: Path):
    env = gymnasium.make("embodied/TextWorld-v1", task=task, data=publish(tmp_path, task, (0,))).unwrapped
    check_env(env, skip_render_check=True)
    env.close()


def test_bad_arguments_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'coin_collector'"):
        make("textworld", "coin_colector")
    with pytest.raises(UsageError, match=r"balrogg.*Did you mean 'balrog'"):
        make("textworld", COIN, rules="balrogg")
    with pytest.raises(UsageError, match="max_steps"):
        make("textworld", COIN, max_steps=0)
    with pytest.raises(UsageError, match="no picture"):
        make("textworld", COIN, image=True)
    with pytest.raises(UsageError, match="Choose one"):
        make("textworld", COIN, data="x", generate=True)
    env = make("textworld", COIN)
    with pytest.raises(UsageError, match=r"gane.*Did you mean 'game'"):
        env.reset(seed=0, options={"gane": "x"})
    with pytest.raises(UsageError, match="Did you mean 'coin_collector-1'"):
        env.reset(seed=0, options={"game": "coin_collector1"})
    with pytest.raises(UsageError, match=r"nowhere\.z8 is not a game"):
        env.reset(seed=0, options={"game": "nowhere.z8"})


def test_golden_transcripts():
    episodes = transcripts.golden("textworld")
    assert {e["task"] for e in episodes} == set(TASKS)
    for episode in episodes:
        assert json.loads(json.dumps(transcripts.again("textworld", episode))) == episode
