"""Presets of the user's own: what cannot be read is said with the file, the key and the nearest one."""

from __future__ import annotations

import pytest

from embodied.config import compose
from embodied.errors import UsageError

HEAD = b"# @package _global_\n"
COT = HEAD + b"agent:\n  policy: cot\n"


@pytest.fixture
def presets(tmp_path, monkeypatch):
    """Writes a preset named `mine` into a folder that EMBODIED_CONF names."""
    monkeypatch.setenv("EMBODIED_CONF", str(tmp_path))

    def write(group: str, data: bytes, name: str = "mine"):
        path = tmp_path / group / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    "data",
    [
        COT,
        b"\xef\xbb\xbf" + COT,
        COT.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + COT.replace(b"\n", b"\r\n"),
        b"\n\n" + COT,
        b"policy: cot\n",
        HEAD + "agent: {policy: cot}  # für 模型\n".encode(),
        HEAD + b"defaults: [cot]\nmodel: {context: 900}\n",
        HEAD + b"agent: {policy: cot}\nmodel: {name: '${oc.env:HOME}', provider: gguf}\n",
    ],
)
def test_a_preset_works_in_any_dress(presets, data):
    presets("agent", data)
    assert compose(["agent=mine"]).agent.policy == "cot"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (COT.decode().encode("utf-16"), ["not UTF-8", "0xff", "line 1"]),
        (HEAD + "# für mich\nagent: {policy: cot}\n".encode("latin-1"), ["not UTF-8", "0xfc", "line 2"]),
        (HEAD + b"agent:\n\tpolicy: cot\n", ["line 3", "tab"]),
        (HEAD + b"agent: {policy: cot\n", ["line 3", "not valid YAML"]),
        (HEAD + b"agent:\n  policy: c\x00t\n", ["not valid YAML"]),
        (HEAD + b"agent:\n  policy: cot\n  policy: naive\n", ["line 4", "'policy'", "twice"]),
        (HEAD + b"agent:\n  polcy: cot\n", ["'agent.polcy'", "'agent.policy'"]),
        (HEAD + b"agent:\n  history:\n    txt: 3\n", ["'agent.history.txt'", "'agent.history.text'"]),
        (HEAD + b"modle:\n  name: x\n", ["'modle'", "'model'"]),
        (HEAD + b"model:\n  context: many\n", ["model.context", "'many'", "wrong type"]),
        (HEAD + b"image: perhaps\n", ["image", "'perhaps'", "wrong type"]),
        (HEAD + b"agent:\n  history:\n    text: [1]\n", ["agent.history.text", "list"]),
        (HEAD + b"agent:\n  policy: coot\n", ["agent.policy", "'coot'", "'cot'"]),
        (HEAD + b"model:\n  provider: opnai\n", ["model.provider", "'opnai'", "'openai'"]),
        (HEAD + b"agent:\n  - policy\n", ["agent must be a mapping", "a list"]),
        (HEAD + b"agent: cot\n", ["agent must be a mapping", "'cot'"]),
        (HEAD + b"agent:\n", ["agent must be a mapping", "nothing"]),
        (HEAD + b"- agent\n", ["a list where a mapping belongs"]),
        (b"", ["sets no key", "agent.policy"]),
        (HEAD, ["sets no key"]),
        (b"agent:\n  policy: cot\n", ["# @package _global_", "'agent.agent'"]),
        (b"# mine\n" + COT, ["# @package _global_", "first line"]),
        (b"# @package global\nagent: {policy: cot}\n", ["'global'", "# @package _global_"]),
        (b"polcy: cot\n", ["'agent.polcy'", "'agent.policy'"]),
    ],
)
def test_an_agent_preset_that_is_wrong(presets, data, words):
    path = presets("agent", data)
    with pytest.raises(UsageError) as raised:
        compose(["agent=mine"])
    said = str(raised.value)
    assert str(path) in said and all(word in said for word in words) and "\n" not in said, said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"name: babyy\n", ["'babyy'", "'babyai'"]),
        (b"name: nethack\nno_progres: 3\n", ["'no_progres'", "'no_progress'"]),
        (b"task: goto\n", ["env.name"]),
        (b"- name\n", ["a list where a mapping belongs"]),
        (HEAD + b"env:\n  - x\n", ["env must be a mapping", "a list"]),
        (HEAD + b"env: {name: nethack, rulez: x}\n", ["'rulez'", "'rules'"]),
        (b"env: {name: nethack}\n", ["# @package _global_", "'env.env'"]),
        (b"name: babyai\nname: nethack\n", ["line 2", "twice"]),
        (b"", ["sets no key", "name"]),
    ],
)
def test_an_environment_preset_that_is_wrong(presets, data, words):
    path = presets("env", data)
    with pytest.raises(UsageError) as raised:
        compose(["agent=naive", "env=mine"])
    said = str(raised.value)
    assert str(path) in said and all(word in said for word in words) and "\n" not in said, said


@pytest.mark.parametrize(
    "data",
    [
        b"name: babyai\ntask: goto\n",
        b"\xef\xbb\xbfname: babyai\r\n",
        b"defaults: [babyai]\ntask: goto\n",
        HEAD + b"env: {name: babyai}\n",
    ],
)
def test_an_environment_preset_works(presets, data):
    presets("env", data)
    assert compose(["agent=naive", "env=mine"]).env["name"] == "babyai"


def test_a_preset_that_another_is_based_on_is_named(presets):
    base = presets("agent", HEAD + b"agent: {polcy: cot}\n", "base")
    presets("agent", HEAD + b"defaults: [base]\nmodel: {context: 900}\n")
    with pytest.raises(UsageError, match="polcy") as raised:
        compose(["agent=mine"])
    assert str(base) in str(raised.value)


def test_a_broken_preset_is_nobody_elses_trouble(presets):
    presets("agent", b"\xff\xfe")
    assert compose(["agent=cot"]).agent.policy == "cot"


@pytest.mark.parametrize("name", ["Läufer", "模型", "a,b", "x=1", "[x]", "it's", 'say "hi"', "with blank"])
def test_a_preset_of_any_name(presets, name):
    from embodied.config import members, quoted

    presets("agent", COT, name)
    assert name in members("agent")
    assert compose([f"agent={quoted(name)}"]).agent.policy == "cot"
