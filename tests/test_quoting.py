"""File names and model names of any characters mean themselves."""

from __future__ import annotations

import random

import pytest

from embodied.config import compose, quoted

NAMES = [
    "Läufe & Modelle",
    "运行/模型",
    "a,b=c",
    "[x]{y}(z)",
    "it's",
    "''",
    'say "hi"',
    "C:\\runs\\",
    "back\\'slash\\\\'",
    "${oc.env:HOME}",
    "\\${x}",
    "$HOME ~ % # ! ; |",
    " blanks ",
    "a:b",
    "null",
    "12",
    "true",
    "tab\there",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_value_means_itself(name):
    assert compose([f"model.name={quoted(name)}", f"run.out={quoted(name)}"]).model.name == name


def test_any_text_means_itself():
    rng = random.Random(5)
    for _ in range(25):
        text = "".join(rng.choice("ab\\'\"${}[](),=: äß运~") for _ in range(rng.randrange(1, 12)))
        assert compose([f"model.name={quoted(text)}"]).model.name == text, text


@pytest.mark.parametrize(
    "name", ["Läufe", "运行", "a,b=c", "[x]", "it's", "with blank", "100%", "a'b\"c", "${x}", "$HOME"]
)
def test_presets_are_found_in_a_folder_of_any_name(tmp_path, monkeypatch, name):
    folder = tmp_path / name / "agent"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nagent:\n  policy: cot\n")
    monkeypatch.setenv("EMBODIED_CONF", str(tmp_path / name))
    assert compose(["agent=mine"]).agent.policy == "cot"
