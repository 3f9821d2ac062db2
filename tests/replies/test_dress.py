"""A right action in random dress, with wrong actions in thoughts, reasons and imagined turns around it: the right one
or none is read.
"""

from __future__ import annotations

import json

import pytest

from embodied.agents.formats import Marked, Plain, Tagged
from embodied.agents.parse import Lenient, Strict
from embodied.seeding import derive, generator
from tests.replies.test_replies import ACCEPTED

CASES = 3_000
THOUGHTS = (
    "",
    "<think>{0}</think>",
    "<think>\n{0}\n</think>\n\n",
    "<THINKING>{0}</THINKING>\n",
    "[THINK]{0}[/THINK]",
    "◁think▷{0}◁/think▷",
    "<reasoning>{0}</reasoning>\n",
    "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>final<|message|>",
    "{0}\n</think>\n",
    "<seed:think>{0}</seed:think>",
    "<|START_THINKING|>{0}<|END_THINKING|>",
)
MUSINGS = ("I could {0}. No.", "ACTION: {0}? It is blocked.", "Maybe {0}, but that fails", "{0}", 'Not "{0}".')
DRESS = (
    "{0}",
    "{0}.",
    "**{0}**",
    "`{0}`",
    '"{0}"',
    "“{0}”",
    "- {0}",
    "> {0}",
    "ACTION: {0}",
    "**ACTION:** {0}",
    "Action: {0}",
    "ACTION： {0}。",
    "The next action is: {0}",
    "<answer>{0}</answer>",
    "<action>{0}</action>",
    "\\boxed{{{0}}}",
    "\\boxed{{\\text{{{0}}}}}",
    "```\n{0}\n```",
    "```json\n{1}\n```",
    "{1}",
    "{2}",
    'act("{0}")',
    "<|ACTION|>{0}<|END|>",
    "<b>{0}</b>",
    "动作：{0}",
)
TAILS = (
    "",
    "\n",
    "\n(Reason: to {0} would be wrong.)",
    "\nReason: I cannot {0} now.",
    "\nObservation: a wall\nACTION: {0}",
    "\n\nUser: you see a wall\nAssistant: {0}",
    "<|im_end|>\n<|im_start|>user\nA wall.<|im_end|>\n<|im_start|>assistant\n{0}",
    "<|eot_id|>",
    "</s>[INST] a wall [/INST] {0}",
    "\n[Result]: nothing happens\n{0}",
)


@pytest.mark.parametrize("world", ["babyai", "nethack", "story"])
def test_random_dress_never_hides_another_action(world):
    accepts = ACCEPTED[world]
    actions = (
        [a for a in accepts.actions if len(a) > 1]
        if accepts.finite
        else ["go east", "take coin", "open red door", "eat the apple", "look"]
    )
    rng = generator(derive(0, "replies", world))
    # there a command without a mark is part of the thought
    thinking = (Marked(), Tagged(True)) if accepts.finite else ()
    forms = (Plain(), Tagged(False), *thinking)
    unread = 0
    for _ in range(CASES):
        right, wrong = (str(a) for a in rng.choice(actions, 2, replace=False))
        reply, asked = _reply(rng, right, wrong), forms[int(rng.integers(len(forms)))]
        found = Lenient().parse(reply, asked, accepts).action
        assert found is None or found.rstrip(".") == right, (reply, found)  # a full stop behind a command does no harm
        unread += found is None
        if accepts.finite:
            assert Strict().parse(reply, asked, accepts).action in (right, None), reply
    assert unread <= CASES // 20


def _reply(rng, right: str, wrong: str) -> str:
    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    thought = pick(THOUGHTS).format(pick(MUSINGS).format(wrong))
    plain = json.dumps({"thought": f"{wrong} is blocked", "action": right})
    call = json.dumps({"name": "act", "arguments": {"action": right}})
    return thought + pick(DRESS).format(right, plain, call) + pick(TAILS).format(wrong)
