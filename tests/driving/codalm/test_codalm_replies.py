"""CODA-LM's answers as models write them: thoughts that name wrong things, dress, and text that is nothing but size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from embodied.agents.formats import Format, Marked, Plain, Tagged
from embodied.agents.parse import Lenient
from embodied.agents.vocabulary import accepted
from embodied.driving.codalm.env import _ZOOM, CodaLMEnv
from embodied.driving.codalm.ground import grounded
from embodied.driving.facts import ObjectFact, SceneFacts
from embodied.driving.grounded import score_general, score_region, score_suggestion
from embodied.driving.grounded.overlap import rouge_l
from embodied.driving.records import TASKS
from embodied.exchange.codalm import judge
from embodied.exchange.codalm.prompts import Prompts
from embodied.exchange.codalm.scoring import grounded_all
from tests.hostile_text import MEGABYTES

WRONG = "There is an elephant on the left and a bus ahead.\nThe object is a dog. Speed up and change to the right lane."
THOUGHTS = {
    "think": f"<think>{WRONG}</think>\n",
    "upper case": f"<THINK>{WRONG}</THINK>",
    "thinking": f"<thinking>\n{WRONG}\n</thinking>\n\n",
    "empty": "<think>\n\n</think>\n\n",
    "template opened it": f"{WRONG}</think>\n",
    "Magistral": f"[THINK]{WRONG}[/THINK]",
    "Kimi": f"◁think▷{WRONG}◁/think▷",
    "reasoning": f"<reasoning>\n{WRONG}\n</reasoning>\n",
    "Seed": f"<seed:think>{WRONG}</seed:think>",
    "harmony": f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>",
    "harmony without marks": f"analysis{WRONG}assistantfinal",
    "Sky-T1": f"<|begin_of_thought|>{WRONG}<|end_of_thought|>",
    "Command A": f"<|START_THINKING|>{WRONG}<|END_THINKING|>",
    "Granite": f"Here is my thought process: {WRONG}\nHere is my response: ",
    "fence": f"```thinking\n{WRONG}\n```\n",
    "comment": f"<!-- {WRONG} -->",
    "entity": f"&lt;think&gt;{WRONG}&lt;/think&gt;",
    "two": f"<think>{WRONG}</think>[THINK]{WRONG}[/THINK]",
}
DRESS = (
    "**Answer:** {}",
    "Final answer: {}",
    "答案：{}",
    "<answer>{}</answer>",
    "```\n{}\n```",
    '```json\n{{"answer": "{}"}}\n```',
    '{{"answer": "{}"}}',
    "\\boxed{{{}}}",
)
OPENINGS = (
    "<think>",
    "[THINK]",
    "◁think▷",
    "<reasoning>",
    "<|channel|>analysis<|message|>",
    "<|begin_of_thought|>",
    "<|START_THINKING|>",
    "<musing>",
)


@pytest.fixture(scope="module")
def asked() -> list[tuple[CodaLMEnv, int, str, float]]:
    """24 questions: environment, seed, the oracle's answer, what it scores."""
    found = []
    for task in TASKS:
        env = CodaLMEnv(task, expert=True)
        for seed in range(8):
            answer = env.reset(seed=seed)[0]["expert"]
            found.append((env, seed, answer, env.step(answer)[1]))
    return found


def scores(asked: list[tuple[CodaLMEnv, int, str, float]], form: Format, reply: str) -> Iterator[tuple[float, float]]:
    for env, seed, answer, right in asked:
        env.reset(seed=seed)
        action = Lenient().parse(reply.replace("{}", answer), form, accepted(env.mission)).action
        yield env.step(action or "")[1], right


@pytest.mark.parametrize("form", [Plain(), Marked(), Tagged(False)], ids=["plain", "marked", "tagged"])
@pytest.mark.parametrize("thought", THOUGHTS.values(), ids=THOUGHTS)
def test_what_was_thought_is_not_scored(asked, form, thought):
    assert sum(right for *_, right in asked) > 0.97 * len(asked)
    assert all(score == right for score, right in scores(asked, form, thought + form.wrap("{}")))


@pytest.mark.parametrize("form", [Plain(), Marked(), Tagged(False)], ids=["plain", "marked", "tagged"])
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_thought_without_an_end_is_no_answer(asked, form, opening):
    env, seed, answer, _ = asked[0]
    env.reset(seed=seed)
    parsed = Lenient().parse(f"{opening}{WRONG} {answer}", form, accepted(env.mission))
    assert parsed.action is None and parsed.problem


@pytest.mark.parametrize("dress", DRESS)
def test_dress_moves_no_score(asked, dress):
    regions = [a for a in asked if "\n" not in a[2]]
    assert len(regions) >= 16
    assert all(score == right for score, right in scores(regions, Plain(), dress.format("{}")))


def test_thoughts_in_a_submission_are_not_scored_and_are_said(asked):
    env = asked[0][0]
    questions, scenes = env._questions[:6], env._scenes
    bare = {q.key: "A bus ahead and a cone on the left." for q in questions}
    with_thoughts = {key: f"[THINK]{WRONG}[/THINK]{text}" for key, text in bare.items()}
    assert grounded_all(questions, scenes, with_thoughts) == grounded_all(questions, scenes, bare)
    assert grounded(questions[0], scenes[questions[0].scene], with_thoughts[questions[0].key]) != grounded(
        questions[0], scenes[questions[0].scene], bare[questions[0].key]
    )


@pytest.mark.parametrize(
    "asked_for",
    [
        "zoom(10, 20, 300, 200)",
        "zoom（１０，２０，３００，２００）",
        "`zoom(x=10, y=20, w=300, h=200)`",
        "ZOOM(x: 10, y: 20, w: 300, h: 200).",
        '{"action": "zoom(10,20,300,200)"}',
        "**Action:** zoom(10, 20, 300, 200)",
    ],
)
def test_a_look_in_another_dress_is_a_look(asked_for):
    env = CodaLMEnv("general_perception", image=True, zoom=1)
    env.reset(seed=0)
    *_, terminated, _, info = env.step(asked_for)
    assert not terminated and info["metrics"]["zooms"] == 1.0


def test_an_answer_that_speaks_of_a_look_is_an_answer():
    env = CodaLMEnv("general_perception", image=True, zoom=1)
    env.reset(seed=0)
    assert env.step("A car ahead; zoom(10, 20, 300, 200) showed it.")[2]


def test_readers_are_linear():
    facts = SceneFacts("", 10, 10, (ObjectFact(1, "car", "vehicle", (0, 0, 1, 1), "left"),), ("stop",), ("proceed",))
    strict, brackets = judge.rating, Prompts("other", {}, "brackets").rating
    readers = [
        lambda text: score_region(text, "car"),
        lambda text: score_general(text, facts),
        lambda text: score_suggestion(text, facts),
        lambda text: rouge_l(text, "a car"),
        strict,
        brackets,
        judge.shown,
        _ZOOM.fullmatch,
    ]
    began = time.process_time()
    for text in MEGABYTES.values():
        for read in readers:
            read(text)
    assert time.process_time() - began < 20


def test_a_judge_that_looks_through_signs_reads_the_same():
    signs = "\n*" * 200
    assert judge.rating(f"{signs}Rating: 7{signs}") == 7.0 == judge.rating(f"{'*' * 300}Rating: 7")
    assert judge.rating(f"text {'*' * 300}Rating: 7") is None is judge.rating(f"Rating{signs}7")
