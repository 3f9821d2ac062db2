"""What goes wrong in a night: after each of these every planned episode has one outcome, none is lost or doubled, and
the run ends.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.errors import StoreError, UsageError
from embodied.rollout.plan import Shard
from embodied.rollout.spend import used
from embodied.rollout.worlds import workers
from embodied.rollout.worlds.workers import ATTEMPTS, Pool
from embodied.store.run import SCORED, Run
from embodied.types import TaskSpec
from tests.rollout import driver
from tests.rollout.faulty import LENGTH
from tests.rollout.playing import FAULTY, TASK, Hashing, content, make_run, play, stop_at

ROOT = Path(__file__).parents[2]


def faulty(**kwargs: object) -> TaskSpec:
    return TaskSpec(FAULTY, "", kwargs)


def complete(run: Run, specs) -> bool:
    """Every episode has a score, and its record is whole: each step once."""
    whole = [[s.index for s in run.steps(spec.id)] == list(range(run.episode(spec.id).steps)) for spec in specs]
    return all(whole) and all(run.episode(spec.id).outcome in SCORED for spec in specs)


# --------------------------------------------------------------------------- workers


def test_killed_workers_change_nothing(tmp_path):
    run, specs = make_run(tmp_path / "quiet", 4)
    play(run, specs)
    run, specs = make_run(tmp_path / "killed", 4)
    killed: list[int] = []

    def kill(steps: int, pool: Pool, stopping: object) -> None:
        alive = [worker.pid for worker in pool.workers() if worker.pid not in killed]
        if steps in (3, 15) and alive:
            killed.append(alive[0])
            os.kill(alive[0], signal.SIGKILL)

    result = play(run, specs, concurrency=4, workers=2, at_step=kill)
    assert len(killed) == 2 and result.played == 4 and complete(run, specs)
    assert content(tmp_path / "killed") == content(tmp_path / "quiet")


@pytest.mark.parametrize("fault", ["hang", "exit", "segfault", "freeze"])
def test_a_step_that_once_takes_its_worker_along_is_made_again(tmp_path, fault):
    run, specs = make_run(tmp_path / "run", 3, faulty(fault=fault, once=str(tmp_path / "once")))
    play(run, specs, concurrency=3, step_seconds=1.0)
    assert complete(run, specs) and {run.episode(s.id).steps for s in specs} == {LENGTH}
    assert (tmp_path / "once").exists()


@pytest.mark.parametrize(
    ("fault", "words"), [("hang", "did not answer within 1 s"), ("segfault", "SIGSEGV"), ("exit", "ended with code 3")]
)
def test_a_step_that_always_takes_its_worker_along_ends_its_episode_alone(tmp_path, fault, words):
    seed = make_run(tmp_path / "other", 3, faulty())[1][1].seed
    run, specs = make_run(tmp_path / "run", 3, faulty(fault=fault, seeds=[seed]))
    play(run, specs, concurrency=3, step_seconds=1.0)
    assert [run.episode(s.id).outcome for s in specs] == ["finished", "infra_failure", "finished"]
    failed = run.episode(specs[1].id)
    assert (
        failed.steps == 3
        and words in failed.error
        and f"lost {ATTEMPTS} worker processes, the last in step 3" in failed.error
    )


def test_a_reward_that_is_not_a_number_ends_its_episode_alone(tmp_path):
    seed = make_run(tmp_path / "other", 2, faulty())[1][1].seed
    run, specs = make_run(tmp_path / "run", 2, faulty(fault="nan", seeds=[seed]))
    play(run, specs)
    assert [run.episode(s.id).outcome for s in specs] == ["finished", "infra_failure"]
    failed = run.episode(specs[1].id)
    assert (
        failed.steps == len(list(run.steps(failed.spec.id))) == 3
        and "gave in step 3 a reward that is not a number" in failed.error
    )


def test_a_worker_without_a_sign_of_life_is_ended_before_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "SILENCE", 2)
    run, specs = make_run(tmp_path / "run", 1, faulty(fault="freeze", once=str(tmp_path / "once")))
    start = time.monotonic()
    play(run, specs, step_seconds=200.0)
    assert complete(run, specs) and time.monotonic() - start < 100


def test_an_environment_that_comes_back_different_is_not_gone_on_with(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, faulty(fault="drift", at=1))

    def kill(steps: int, pool: Pool, stopping: object) -> None:
        if steps == 4:
            os.kill(pool.workers()[0].pid, signal.SIGKILL)

    play(run, specs, at_step=kill)
    episode = run.episode(specs[0].id)
    assert (episode.outcome, episode.steps) == (
        "infra_failure",
        4,
    ) and "step 1 gave another observation" in episode.error


@pytest.mark.parametrize("where", ["step", "reset"])
def test_workers_lost_while_an_episode_is_restored_do_not_cost_its_record(tmp_path, where):
    """Every worker dies at a step that is repeated, or in the reset before it; once they live again, the episode goes
    on from its record.
    """
    config, whole, asked = AgentConfig(policy="naive", history=HistoryConfig(text=2)), Hashing(), Hashing()
    bad = tmp_path / "bad"
    task = faulty(fault="exit", at=2, only=str(bad), where=where)
    run, specs = make_run(tmp_path / "quiet", 1, task)
    play(run, specs, config, whole)
    run, specs = make_run(tmp_path / "run", 1, task)
    play(run, specs, config, asked, at_step=stop_at(4))
    before = (run.folder(specs[0].id) / "steps.jsonl").read_bytes()
    bad.touch()
    for _ in range(2):
        play(run, specs, config, asked)
        episode = run.episode(specs[0].id)
        assert (episode.outcome, episode.error_kind) == ("infra_failure", "WorkersLost")
        assert (run.folder(specs[0].id) / "steps.jsonl").read_bytes() == before
    bad.unlink()
    play(run, specs, config, asked)
    assert complete(run, specs) and asked.asked == whole.asked, "no call is made twice"
    assert content(tmp_path / "run") == content(tmp_path / "quiet")


def test_an_environment_that_cannot_be_started_ends_the_run_in_bounded_time(tmp_path):
    run, specs = make_run(tmp_path / "run", 20, faulty(fault="raise", at=0))
    result = play(run, specs, concurrency=2)
    assert "in a row" in result.stopped and result.played < 6


# --------------------------------------------------------------------------- the main process


@pytest.mark.slow
def test_killed_at_twenty_moments_loses_and_doubles_nothing(tmp_path):
    quiet, broken = tmp_path / "quiet", tmp_path / "broken"
    driver.main(quiet)
    rng = random.Random(3)
    scored: dict[str, bytes] = {}
    kills = 0
    while kills < 20:
        ended = _killed_after(broken, rng.randrange(50))
        kills += 1
        run = Run(broken)
        for id_, before in scored.items():
            assert (run.folder(id_) / "episode.json").read_bytes() == before, "a scored episode is never touched"
        scored = {
            e.spec.id: (run.folder(e.spec.id) / "episode.json").read_bytes()
            for e in run.episodes()
            if e.outcome in SCORED
        }
        if ended:
            break
    assert kills > 12, "killed too late to mean anything"
    driver.main(broken)
    assert content(broken) == content(quiet)
    assert complete(Run(broken), Run(broken).record.planned)


def _killed_after(root: Path, steps: int) -> bool:
    """Plays until so many steps are recorded and kills the process, with -9; true when it had ended before. Its workers
    end as well.
    """
    before = _recorded(root)
    process = subprocess.Popen([sys.executable, "-m", "tests.rollout.driver", str(root)], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not (root / "run.json").exists() or _recorded(root) < before + steps:
        assert time.monotonic() < deadline
        if process.poll() is not None:
            return True
        time.sleep(0.002)
    children = [
        int(pid)
        for task in Path(f"/proc/{process.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    process.kill()
    process.wait()
    while any(_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "a worker outlives its run"
        time.sleep(0.01)
    return False


def _recorded(root: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in root.glob("episodes/*/steps.jsonl"))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# --------------------------------------------------------------------------- the disk


@pytest.fixture
def small_disk(tmp_path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder that is soon full, and what makes room: a tmpfs where it can be mounted, else a limit on the size of
    files.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode
        == 0
    ):
        yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=16m", folder], check=True)
        subprocess.run(["umount", "-l", folder], check=True)
    else:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, limits[1]))
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [0, 4_096, 40_960])
def test_full_disk_with_pictures_is_a_sentence_and_the_same_command_goes_on(tmp_path, small_disk, size):
    """Full from the start, after the first files, or in the midst of pictures."""
    folder, make_room = small_disk
    pictured = TaskSpec(TASK.env, TASK.task, {"max_steps": 12, "image": True})
    run, specs = make_run(tmp_path / "quiet", 8, pictured)
    play(run, specs)
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] < 0:  # a disk of its own
        space = os.statvfs(folder)
        (folder / "ballast").write_bytes(b"\1" * max(0, space.f_bavail * space.f_frsize - size))
    with pytest.raises(StoreError, match=r"No space left|File too large"):
        run, specs = make_run(folder / "run", 8, pictured)
        play(run, specs, concurrency=2)
    assert not list((folder / "run").rglob("*.tmp")), "nothing half written is left"
    make_room()
    run, specs = make_run(folder / "run", 8, pictured)
    play(run, specs, concurrency=2)
    assert complete(run, specs) and content(folder / "run") == content(tmp_path / "quiet")


def test_full_disk_stops_the_run_and_room_lets_it_go_on(tmp_path, small_disk):
    folder, make_room = small_disk
    run, specs = make_run(tmp_path / "quiet", 10)
    play(run, specs)
    run, specs = make_run(folder / "run", 10)
    with pytest.raises(StoreError, match=r"No space left|File too large"):
        play(run, specs, concurrency=3)
    assert 0 < _recorded(folder / "run") < _recorded(tmp_path / "quiet")
    make_room()
    play(run, specs, concurrency=3)
    assert complete(run, specs) and content(folder / "run") == content(tmp_path / "quiet")


DAMAGE = {
    "torn": lambda lines: [*lines[:-1], lines[-1][:40]],
    "noise": lambda lines: [lines[0], b"\xff\x00 noise\n", *lines[2:]],
    "zeros": lambda lines: [lines[0], b"\0" * len(lines[1]), *lines[2:]],
    "cut in the middle": lambda lines: [lines[0], lines[1][:50] + b"\n", *lines[2:]],
    "a line gone": lambda lines: [lines[0], *lines[2:]],
    "a line twice": lambda lines: [lines[0], lines[1], *lines[1:]],
    "another action": lambda lines: [lines[0], lines[1].replace(b'"executed":"', b'"executed":"go '), *lines[2:]],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_record_of_an_unfinished_episode(tmp_path, damage):
    run, specs = make_run(tmp_path / "quiet", 1)
    play(run, specs)
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, at_step=stop_at(6))
    path = run.folder(specs[0].id) / "steps.jsonl"
    path.write_bytes(b"".join(DAMAGE[damage](path.read_bytes().splitlines(keepends=True))))
    play(run, specs)
    if damage == "another action":  # well formed: what notices is the comparison
        assert run.episode(specs[0].id).outcome == "infra_failure"
        play(run, specs)
    kept = run.folder(specs[0].id) / "attempt-1/steps.jsonl"
    assert complete(run, specs) and kept.exists() == (damage != "torn")
    assert content(tmp_path / "run") == content(tmp_path / "quiet")


PROMPTS = {
    "the last line gone": (lambda lines: lines[:-1], 1),
    "torn": (lambda lines: [*lines[:-1], lines[-1][:20]], 1),
    "half of it gone": (lambda lines: lines[: len(lines) // 2], 5),
    "noise in a line": (lambda lines: [*lines[:4], b"\xff\0\n", *lines[5:]], 6),
    "emptied": (lambda lines: [], 8),
}


@pytest.mark.parametrize("damage", PROMPTS)
def test_prompts_lost_behind_their_steps_cost_the_calls_behind_them_alone(tmp_path, damage):
    cut, again = PROMPTS[damage]
    config, whole, broken = AgentConfig(policy="naive", history=HistoryConfig(text=3)), Hashing(), Hashing()
    run, specs = make_run(tmp_path / "quiet", 1)
    play(run, specs, config, whole)
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, config, broken, at_step=stop_at(8))
    path = run.folder(specs[0].id) / "messages.jsonl"
    path.write_bytes(b"".join(cut(path.read_bytes().splitlines(keepends=True))))
    used_before = used(run)
    play(run, specs, config, broken)
    assert complete(run, specs) and content(tmp_path / "run") == content(tmp_path / "quiet")
    assert broken.asked <= whole.asked + again
    assert used(run).input >= used_before.input, "what was paid and lost still counts"
    assert used(run).input == used(Run(tmp_path / "quiet")).input + sum(
        call["reply"]["usage"]["input"]
        for line in _bytes(run.folder(specs[0].id) / "attempt-1/steps.jsonl").splitlines()
        for call in json.loads(line)["decision"]["calls"]
    )


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize("damage", [b"", b"\0" * 50, b"not a picture"])
def test_a_damaged_picture_is_written_anew_from_what_the_worker_shows(tmp_path, damage):
    pictured = TaskSpec(TASK.env, TASK.task, {"max_steps": 6, "image": True})
    run, specs = make_run(tmp_path / "quiet", 1, pictured)
    play(run, specs)
    run, specs = make_run(tmp_path / "run", 1, pictured)
    play(run, specs, at_step=stop_at(3))
    for path in list((run.root / "blobs").glob("??/*"))[:2]:
        path.write_bytes(damage)
    run = Run(run.root)  # another process
    play(run, specs)
    assert content(tmp_path / "run") == content(tmp_path / "quiet")


def test_a_damaged_result_is_made_again_from_the_recorded_steps(tmp_path):
    run, specs = make_run(tmp_path / "run", 2)
    play(run, specs)
    path = run.folder(specs[0].id) / "episode.json"
    whole = json.loads(path.read_bytes())
    path.write_bytes(path.read_bytes()[:40])
    result = play(run, specs)
    assert (result.played, result.skipped) == (1, 1)
    again = json.loads(path.read_bytes())
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in whole.items() if k != "seconds"}


def test_damaged_record_of_a_scored_episode_is_left_alone(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    path = run.folder(specs[0].id) / "steps.jsonl"
    path.write_bytes(path.read_bytes()[100:])
    before = path.read_bytes()
    assert play(run, specs).played == 0 and path.read_bytes() == before
    assert run.episode(specs[0].id).outcome in SCORED


# --------------------------------------------------------------------------- numbers that make no sense


@pytest.mark.parametrize(
    ("make", "word"),
    [(lambda: Pool(0), "run.workers"), (lambda: Pool(-1), "run.workers"), (lambda: Pool(1, 0), "run.step_seconds")],
)
def test_a_pool_of_nothing_is_refused(make, word):
    with pytest.raises(UsageError, match=word):
        make()


def test_no_concurrency_is_refused(tmp_path):
    run, specs = make_run(tmp_path / "run")
    with pytest.raises(UsageError, match=r"run\.concurrency"):
        play(run, specs, concurrency=0)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "2", "a/b", "-1/2", "1/2/3", ""])
def test_a_shard_outside_its_number_is_refused(text):
    with pytest.raises(UsageError, match="shard"):
        Shard.parse(text)


def test_shards_are_the_plan(tmp_path):
    specs = make_run(tmp_path / "run", 10, TASK)[1]
    parts = [Shard.parse(f"{i}/3").of(specs) for i in (1, 2, 3)]
    assert sorted(s.id for part in parts for s in part) == sorted(s.id for s in specs)
    assert [len(part) for part in parts] == [4, 3, 3]
