"""`embodied floors`: its exit codes, and that a measurement that was stopped goes on and plays nothing twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from embodied.eval.floors import Floors

ROOT = Path(__file__).parents[2]
MEASURE = ("floors", "--env", "patheval", "--measure", "--episodes", "2", "--workers", "1")
FILE = Path("data/PathEval-v0.embodied.json")


def test_what_is_shipped_is_printed(call):
    code, out, _ = call("floors", "--env", "babyai", "--rules", "embodied")
    assert code == 0 and out.startswith("embodied/BabyAI-v0, rules embodied: random earns") and out.count("\n") == 6


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--env", "babyia"), 2, "'babyai'"),
        (("--rules", "mine"), 2, "embodied or balrog"),
        (("--env", "patheval", "--measure", "--out", "file/data"), 4, "file"),
        (("--env", "patheval", "--measure", "--work", "file"), 4, "file"),
    ],
)
def test_bad_requests_are_a_sentence_before_anything_is_played(call, words, code, said):
    Path("file").write_text("")
    got, out, err = call("floors", *words)
    assert got == code and said in err and len(err.strip().splitlines()) == 1 and "episodes" not in out, out + err
    assert os.listdir() == ["file"]


@pytest.mark.slow
def test_a_measurement_that_was_killed_goes_on(call, tmp_path):
    code, out, err = call(*MEASURE, "--work", "whole")
    assert code == 0 and out.splitlines()[-1] == str("whole" / FILE), out + err
    whole = Path("whole", FILE).read_bytes()
    found = msgspec.json.decode(whole, type=Floors)
    assert found.id == "embodied/PathEval-v0" and all(
        {f.agent for f in floors} >= {"constant"} for floors in found.tasks.values()
    )
    assert all(
        f.episodes == 2 and 0 <= f.progress <= 1 and f.error >= 0 for floors in found.tasks.values() for f in floors
    )

    command = [sys.executable, "-m", "embodied", *MEASURE, "--work", "killed"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as killed:
        played = [killed.stdout.readline() for _ in range(4)]
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=60)
    assert all(line.endswith("episodes\n") for line in played) and not Path("killed", FILE).exists()
    code, out, err = call(*MEASURE, "--work", "killed")
    assert code == 0 and Path("killed", FILE).read_bytes() == whole, out + err
    assert not set(out.splitlines()) & {line.strip() for line in played}, "played twice"

    code, out, _ = call(*MEASURE, "--work", "killed")
    assert code == 0 and out == f"{'killed' / FILE}\n" and Path("killed", FILE).read_bytes() == whole
    for folder in Path("killed").glob("*/report-random-*"):
        shutil.rmtree(folder)
    code, out, _ = call(*MEASURE, "--work", "killed")
    assert (
        code == 0
        and out.count(" episodes") == 1
        and "report random" in out
        and Path("killed", FILE).read_bytes() == whole
    )
