"""The same plan on a Ray cluster of two nodes, started here."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.types import TaskSpec
from tests.rollout.playing import TASK, content, make_run, play

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow

PICTURED = TaskSpec(TASK.env, TASK.task, {"max_steps": 6, "image": True})


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each; this process is connected to it."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    started = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        started.add_node(**node)
        ray.init(address=started.address, log_to_driver=False)
        yield started.address
    finally:
        ray.shutdown()
        started.shutdown()


def _whereabouts(host: object) -> tuple[str, int]:
    """Node and process of an actor."""
    return ray.get_runtime_context().get_node_id(), os.getpid()


def test_a_cluster_plays_the_same_run_and_survives_a_lost_actor(tmp_path, cluster):
    from embodied.rollout.worlds.ray_cluster import RayWorker, connect

    assert connect(cluster) == 2
    run, specs = make_run(tmp_path / "here", 4, PICTURED)
    play(run, specs)
    nodes: set[str] = set()

    def at_step(steps, pool, stopping) -> None:
        if steps == 9:
            where = [worker._actor.__ray_call__.remote(_whereabouts) for worker in pool.workers()]
            found = ray.get(where)
            nodes.update(node for node, _ in found)
            os.kill(found[0][1], signal.SIGKILL)

    run, specs = make_run(tmp_path / "there", 4, PICTURED)
    result = play(run, specs, concurrency=4, workers=2, at_step=at_step, launch=RayWorker.launch)
    assert result.played == 4 and len(nodes) == 2
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_from_the_command_line(tmp_path, cluster):
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        "babyai",
        "--agent",
        "random",
        "--episodes",
        "1",
        "--steps",
        "5",
    ]
    there = subprocess.run(
        [*command, "--out", tmp_path / "there", f"run.ray='{cluster}'"], capture_output=True, text=True, timeout=200
    )
    assert there.returncode == 0, there.stderr
    assert subprocess.run([*command, "--out", tmp_path / "here"], capture_output=True, timeout=200).returncode == 0
    assert content(Path(tmp_path / "there")) == content(Path(tmp_path / "here"))


def test_no_cluster_there_is_one_clear_sentence(tmp_path):
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        "babyai",
        "--agent",
        "random",
        "--episodes",
        "1",
        "--out",
        tmp_path / "run",
    ]
    tried = subprocess.run([*command, "run.ray=127.0.0.1:1"], capture_output=True, text=True, timeout=200)
    assert tried.returncode == 2 and "run.ray" in tried.stderr and "Traceback" not in tried.stderr, tried.stderr
    assert not (tmp_path / "run").exists()


# --------------------------------------------------------------------------- replicas of a local model


async def test_replicas_answer_as_one_model_does_even_when_one_is_lost(tmp_path, cluster):
    from embodied.blobs import MemoryBlobs
    from embodied.models import ModelConfig, build
    from embodied.models.base import CONVERSATION
    from embodied.rollout.worlds.ray_cluster import connect
    from embodied.types import Message, Settings, Text
    from tests.models import tiny

    connect(cluster)
    config = ModelConfig(
        "transformers", "tiny", path=str(tiny.text_model(tmp_path / "model")), threads=1, max_tokens=12, batch=4
    )
    here, there = build(config, MemoryBlobs()), build(config, MemoryBlobs(), replicas=2)
    replicas = there._model._model._model
    assert len(set(ray.get([actor.__ray_call__.remote(_whereabouts) for actor in replicas._actors]))) == 2

    async def talk(model, name: str, turn: int) -> str:
        CONVERSATION.set(name)
        said = f"{name} sees a door. " * (turn + 1)
        return (
            await model.generate([Message("user", (Text(said),))], Settings(temperature=1.0, seed=turn, max_tokens=12))
        ).text

    for turn in range(3):
        expected = [await talk(here, f"episode {n}", turn) for n in range(6)]
        there.live(6)
        if turn == 1:
            os.kill(ray.get(replicas._actors[0].__ray_call__.remote(_whereabouts))[1], signal.SIGKILL)
        assert list(await asyncio.gather(*(talk(there, f"episode {n}", turn) for n in range(6)))) == expected
    assert sorted(replicas._places.values()) == [0, 0, 0, 1, 1, 1]
    await there.aclose()
    await here.aclose()


def test_a_run_with_a_replica_is_the_run_without(tmp_path, cluster):
    from tests.models import tiny

    path = tiny.text_model(tmp_path / "model")
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        "babyai",
        "--task",
        "BabyAI-MixedTrainLocal-v0/goto",
        "--agent",
        "naive",
    ]
    command += [
        "--model",
        "transformers/tiny",
        f"model.path='{path}'",
        "model.max_tokens=8",
        "model.threads=1",
        "--episodes",
        "2",
        "--steps",
        "3",
    ]
    there = subprocess.run(
        [*command, "--out", tmp_path / "there", f"run.ray='{cluster}'", "run.replicas=1"],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert there.returncode == 0, there.stderr
    assert subprocess.run([*command, "--out", tmp_path / "here"], capture_output=True, timeout=200).returncode == 0
    assert content(tmp_path / "there") == content(tmp_path / "here")
    crowded = subprocess.run(
        [*command, "--out", tmp_path / "none", f"run.ray='{cluster}'", "run.replicas=2"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert crowded.returncode == 2 and "Lower run.replicas" in crowded.stderr and not (tmp_path / "none").exists()


def test_replicas_need_a_cluster_and_a_local_model(tmp_path):
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        "babyai",
        "--episodes",
        "1",
        "--out",
        tmp_path / "run",
    ]
    tried = subprocess.run(
        [*command, "--agent", "smollm2", "run.replicas=2"], capture_output=True, text=True, timeout=200
    )
    assert tried.returncode == 2 and "run.ray" in tried.stderr, tried.stderr
    assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_not_there_and_a_place_that_is_not_free_end_in_a_clear_error(tmp_path, cluster, monkeypatch):
    from embodied.blobs import MemoryBlobs
    from embodied.errors import UsageError
    from embodied.models import ModelConfig, build
    from embodied.models.local import replicas
    from embodied.rollout.worlds.ray_cluster import connect
    from tests.models import tiny

    connect(cluster)
    config = ModelConfig("transformers", "tiny", path=str(tiny.text_model(tmp_path / "model")), threads=1)
    with pytest.raises(UsageError, match="has 0 GPUs and"):
        build(replace(config, device="cuda"), MemoryBlobs(), replicas=1)
    monkeypatch.setattr(replicas, "LOADING", 3.0)
    with pytest.raises(UsageError, match="not all of 1 replicas found a free place"):
        build(replace(config, threads=2), MemoryBlobs(), replicas=1)  # no node has two cores


def test_workers_get_the_cores_that_replicas_leave(monkeypatch):
    from embodied.config import compose
    from embodied.rollout import playing
    from embodied.rollout.worlds import ray_cluster

    monkeypatch.setattr(ray_cluster, "connect", lambda address: 8)
    config = compose(["env=babyai", "agent=smollm2", "run.ray=auto", "run.replicas=2", "model.threads=3"])
    assert playing._workers(config)[0] == 2


def test_who_watches_is_told_that_no_frames_come(cluster):
    from embodied.blobs import MemoryBlobs
    from embodied.rollout.worlds.ray_cluster import RayWorker
    from embodied.rollout.worlds.watching import Watcher
    from embodied.rollout.worlds.workers import Pool

    async def watched() -> Watcher:
        async with Pool(1, launch=RayWorker.launch) as pool:
            env = pool.environment(TASK, MemoryBlobs())
            env.watcher = watcher = Watcher()
            await env.reset(0)
            await env.step("go forward")
            await env.close()
            return watcher

    watcher = asyncio.run(watched())
    assert watcher.take() == [] and "without run.ray" in watcher.unseen
