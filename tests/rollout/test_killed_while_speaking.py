"""A playing process is killed at thirty moments, with -9: what was said before stands in the record once, and has
its end.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.store.run import SCORED, Run
from embodied.types import Correction
from tests.rollout import talking

ROOT = Path(__file__).parents[2]
KILLS = 30


def steps_in(root: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in root.glob("episodes/*/steps.jsonl"))


def killed_after(root: Path, steps: int, seed: int) -> bool:
    """Kills it once so many steps more are recorded; true when it had ended before."""
    before = steps_in(root)
    process = subprocess.Popen([sys.executable, "-m", "tests.rollout.talking", str(root), str(seed)], cwd=ROOT)
    deadline = time.monotonic() + 120
    while steps_in(root) < before + steps:
        assert time.monotonic() < deadline
        if process.poll() is not None:
            assert process.returncode == 0
            return True
        time.sleep(0.001)
    process.kill()
    process.wait()
    return False


@pytest.mark.slow
def test_killed_at_thirty_moments_no_correction_is_lost_or_doubled(tmp_path: Path) -> None:
    root, rng = tmp_path / "run", random.Random(5)
    kills = 0
    for seed in range(KILLS):
        if killed_after(root, rng.randrange(1, 9), seed):
            break
        kills += 1
    assert kills > 20, "killed too late to mean anything"
    talking.main(root, KILLS)
    run = Run(root)
    found: list[str] = []
    for spec in run.record.planned:
        episode = run.episode(spec.id)
        assert episode.outcome in SCORED
        steps = list(run.steps(spec.id))
        assert [step.index for step in steps] == list(range(episode.steps))
        lives: dict[str, list[Correction]] = {}
        for event in (*(event for step in steps for event in step.events), *episode.events):
            if isinstance(event, Correction):
                lives.setdefault(event.id, []).append(event)
        for life in lives.values():
            assert len(life) <= 2 and len({event.text for event in life}) == 1
            assert life[-1].status in ("committed", "discarded", "superseded") and life[-1].ended is not None
            found.append(life[0].text)
        by_critic = [life[0].opened for life in lives.values() if life[0].by == "critic"]
        assert sorted(by_critic) == list(range(0, episode.steps, 3)), "the corrector's words of each step, once"
    spoken = root.with_suffix(".said").read_text().splitlines()
    by_person = [text for text in found if not text.startswith("Mind")]
    assert len(set(by_person)) == len(by_person) and set(spoken) <= set(by_person)
    assert len(by_person) <= len(spoken) + kills  # a kill may fall between the words and this test's note of them
