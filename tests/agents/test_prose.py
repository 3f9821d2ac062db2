"""Answers in prose: of many lines, never cut, whatever form they were asked for in."""

from __future__ import annotations

import pytest

from embodied.agents.formats import Marked, Plain, Tagged
from embodied.agents.parse import Lenient, Strict
from embodied.agents.prompt import instruction
from embodied.agents.vocabulary import LONGEST_ANSWER, accepted
from embodied.types import Mission

MISSION = Mission("Describe the street.", {"zoom(x, y, w, h)": "look closer"}, free_text=True, prose=True)
ANSWER = "A truck lies on its side.\n\nAction: slow down, then stop.\nIt isn't moving; keep 20 m."


@pytest.mark.parametrize(
    "form", [Plain(), Marked(), Tagged(True), Tagged(False)], ids=["plain", "marked", "tagged and thinking", "tagged"]
)
@pytest.mark.parametrize("parser", [Strict(), Lenient()], ids=["strict", "lenient"])
def test_an_answer_of_many_lines_is_kept_whole(form, parser):
    assert parser.parse(form.wrap(ANSWER), form, accepted(MISSION)).action == ANSWER


def test_what_is_around_an_answer_is_taken_off():
    found = [
        Lenient().parse(text, Plain(), accepted(MISSION)).action
        for text in (f"```text\n{ANSWER}\n```", f"  {ANSWER}\n", '"zoom(1, 2, 3, 4)"')
    ]
    assert found == [ANSWER, ANSWER, "zoom(1, 2, 3, 4)"]


@pytest.mark.parametrize(
    ("text", "action"), [("I see.\nFinal answer: a dog\non the road", "a dog\non the road"), ("I see a dog.", None)]
)
def test_a_thinking_agent_marks_its_answer(text, action):
    assert Lenient().parse(text, Marked(), accepted(MISSION)).action == action


@pytest.mark.parametrize(
    ("text", "said"), [("", "empty"), ("\x00 \n", "empty|no answer"), ("x" * (LONGEST_ANSWER + 1), "no answer")]
)
def test_no_answer_is_none(text, said):
    parsed = Lenient().parse(text, Plain(), accepted(MISSION))
    assert parsed.action is None and any(word in parsed.problem for word in said.split("|"))


def test_the_instruction_asks_for_an_answer():
    text = instruction(MISSION)
    assert "answer, in your own words" in text and "zoom(x, y, w, h): look closer" in text and "typing" not in text
    assert "all that you write is taken as your answer" in Plain().ask(MISSION)
