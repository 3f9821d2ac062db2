"""`check` and `show` outlive an environment that crashes, raises or hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

BAD = """
import os, time
import gymnasium


class Bad(gymnasium.Env):
    observation_space = gymnasium.spaces.Text(10)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, what):
        open("keys", "w").write(os.environ.get("OPENAI_API_KEY", "none"))
        {"dies": os.abort, "leaves": lambda: os._exit(0), "raises": lambda: 1 / 0, "hangs": lambda: time.sleep(600)}[
            what
        ]()


for what in ("dies", "leaves", "raises", "hangs"):
    gymnasium.register(f"{what.title()}-v0", entry_point=Bad, kwargs={"what": what})
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [("Dies", "SIGABRT"), ("Leaves", "ended with code 0"), ("Raises", "ZeroDivisionError"), ("Hangs", "within 1 s")],
)
def test_an_environment_that_goes_wrong_is_one_sentence(call, monkeypatch, what, words):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("bad_envs.py").write_text(BAD)
    for command in (("check", "--seconds", 1 if what == "Hangs" else 60), ("show",)):
        if what == "Hangs" and command == ("show",):
            continue  # it waits as long as `eval`
        code, out, err = call(*command, f"gym:bad_envs:{what}-v0")
        assert (code, out) == (5, "") and words in err and len(err.splitlines()) == 1, out + err


def test_an_environment_gets_no_keys(call, monkeypatch):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-person")
    Path("bad_envs.py").write_text(BAD)
    assert call("check", "gym:bad_envs:Raises-v0")[0] == 5
    assert Path("keys").read_text() == "none"
