"""The same plan on a Ray cluster of two nodes, started here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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
    from embodied.rollout.ray_cluster import RayWorker, connect

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
    command = [sys.executable, "-m", "embodied", "eval", "--env", "babyai", "--agent", "random", "--episodes", "1", "--steps", "5"]
    there = subprocess.run([*command, "--out", tmp_path / "there", f"run.ray='{cluster}'"], capture_output=True, text=True, timeout=200)
    assert there.returncode == 0, there.stderr
    assert subprocess.run([*command, "--out", tmp_path / "here"], capture_output=True, timeout=200).returncode == 0
    assert content(Path(tmp_path / "there")) == content(Path(tmp_path / "here"))


def test_no_cluster_there_is_one_clear_sentence(tmp_path):
    command = [sys.executable, "-m", "embodied", "eval", "--env", "babyai", "--agent", "random", "--episodes", "1", "--out", tmp_path / "run"]
    tried = subprocess.run([*command, "run.ray=127.0.0.1:1"], capture_output=True, text=True, timeout=200)
    assert tried.returncode == 2 and "run.ray" in tried.stderr and "Traceback" not in tried.stderr, tried.stderr
    assert not (tmp_path / "run").exists()
