"""A run folder whose every text holds what a terminal obeys: none of it reaches standard output or error, from any
command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.store.run import Run, RunRecord
from embodied.types import (
    Call,
    Decision,
    Episode,
    EpisodeSpec,
    Message,
    Mission,
    Note,
    Observation,
    Reply,
    Step,
    TaskSpec,
    Text,
    Usage,
)

EVIL = "\x1b[2J\r\x1b]0;owned\x07\x9b1A\u202egnp\u2066\x08\x0bevil"
OBEYED = ("\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066", "\x08", "\x0b")
COMMANDS = (
    ("score",),
    ("score", "--json"),
    ("score", "--episodes"),
    ("report",),
    ("compare", "{run}"),
    ("compare", "{run}", "--settings"),
    ("power", "--difference", "5"),
    ("replay",),
    ("resume", "--trust"),
    ("leaderboard", "--out", "{out}/site"),
    ("merge", "--out", "{out}/merged"),
    ("export", "--format", "csv", "--out", "{out}/csv"),
    ("export", "--format", "html", "--out", "{out}/html"),
    ("export", "--format", "sft", "--out", "{out}/sft"),
    ("import", "balrog"),
    ("data", "patheval", "--check"),
    ("view", "{run}/nothing"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose goal, texts, replies, notes, errors and model names are hostile."""
    root = tmp_path_factory.mktemp("control") / "run"
    spec = EpisodeSpec("x-000-1", TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/goto", {}), 1, 0, 0)
    config = {
        "agent": {"policy": "naive"},
        "model": {"provider": "compatible", "name": "m", "note": EVIL},
        "run": {},
        "preset": EVIL[8:],
    }
    failed = replace(spec, id="x-001-1", index=1, seed=2)
    made = Run.create(root, RunRecord("i", config, (spec, failed)))
    seen = Observation(EVIL, status=EVIL)
    call = Call((Message("user", (Text(EVIL),)),), Reply(EVIL, usage=Usage(3, 2), model=EVIL))
    for one, outcome in ((spec, "limit"), (failed, "model_failure")):
        writer = made.claim(one)
        assert writer is not None
        decision = Decision(EVIL, thought=EVIL, calls=(call,), notes=(Note("text_dropped", EVIL),))
        writer.append(Step(0, seen, decision, EVIL, False, 0.0, False, True, 0.0, {"note": EVIL}, "0" * 64, 0.0, 0.0))
        scored = outcome == "limit"
        writer.finish(
            Episode(
                one,
                outcome,
                1,
                0.0 if scored else None,
                False if scored else None,
                0.0,
                1,
                Usage(3, 2),
                0.1,
                error="" if scored else EVIL,
                error_kind="" if scored else "ModelFailure",
                end_reason=EVIL,
                last=seen,
                mission=Mission(EVIL, {EVIL: EVIL}),
                models=(EVIL, "other"),
            )
        )
    return root


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_prints_what_a_terminal_obeys(run: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    name, *rest = (word.format(run=run, out=tmp_path) for word in words)
    if name == "leaderboard" or name == "merge":
        rest = [str(run), *rest]
    elif name in ("import", "data", "view"):
        rest = [*rest, str(run)] if name == "import" else rest
    else:
        rest = [str(run), *rest]
    done = subprocess.run(
        [sys.executable, "-m", "embodied", name, *rest],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200", "XDG_STATE_HOME": str(tmp_path / "state")},
        timeout=120,
    )
    said = (done.stdout + done.stderr).decode("utf-8")
    assert said.strip() and b"Traceback" not in done.stderr
    assert not [repr(sign) for sign in OBEYED if sign in said]
