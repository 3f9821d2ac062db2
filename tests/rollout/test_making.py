"""Constructors that raise, crash or hang end a request in one sentence, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rollout.playing import FAULTY

FAULTS = {
    "raise": (5, "failed in its making: RuntimeError: segment violated"),
    "segfault": (5, "cannot be made: a worker process was killed by signal SIGSEGV"),
    "exit": (5, "cannot be made: a worker process ended with code 3"),
    "hang": (5, "cannot be made: a worker process did not answer within 1 s and was ended"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_constructor_that_goes_wrong_is_one_sentence(call, fault):
    command = ("eval", "--env", FAULTY, "--agent", "random", "+env.where=making", f"+env.fault={fault}")
    code, out, err = call(*command, *(["run.reset_seconds=1"] if fault == "hang" else []))
    expected, words = FAULTS[fault]
    assert (code, out) == (expected, "") and words in err, out + err
    assert err.startswith("error: gym:") and len(err.splitlines()) == 1, err
    assert not Path("runs").exists()


def test_of_two_environments_the_one_that_goes_wrong_is_named(call):
    wrong = ("+env.where=making", "+env.fault=segfault")
    code, _, err = call("eval", "--env", f"babyai,{FAULTY}", "--agent", "random", *wrong, "--dry-run")
    assert code == 5 and FAULTY in err and "SIGSEGV" in err


def test_what_closes_badly_is_named(call):
    wrong = ("+env.where=closing", "+env.fault=raise")
    code, _, err = call("eval", "--env", FAULTY, "--agent", "random", *wrong)
    assert code == 5 and "failed in its closing: RuntimeError" in err


def test_an_environment_whose_package_is_not_there_says_how_to_install_it(call, monkeypatch, tmp_path):
    (tmp_path / "minigrid.py").write_text("raise ModuleNotFoundError(name='minigrid')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code, _, err = call("eval", "--env", "babyai", "--agent", "random")
    assert code == 3 and "pip install 'embodied-suite[games]'" in err and len(err.splitlines()) == 1, err
