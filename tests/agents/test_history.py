"""Window and Blocks: what stays, what goes, that nothing grows; and for Blocks, that what was sent stays as it was
sent.
"""

from __future__ import annotations

import random
import sys

import pytest

from embodied.agents.config import HistoryConfig
from embodied.agents.history import Blocks, History, Window
from embodied.agents.prompt import repeated
from embodied.types import Image, Message, Observation, Text
from tests.agents.play import picture, shown


def fill(window: History, steps: int, plans: bool = True, pictures=lambda step: True) -> History:
    """Observations o0, o1, ... with status s0, s1, ..., answered by a0, a1, ... for reasons p0, p1, ..."""
    for step in range(steps):
        if step:
            window.did(f"a{step - 1}", f"p{step - 1}" if plans else "")
        window.see(Observation(f"o{step}", status=f"s{step}", image=picture(step) if pictures(step) else None))
    return window


def test_the_first_observation_stands_alone():
    assert shown(fill(Window(HistoryConfig()), 1).messages()) == "## user\nCurrent Observation:\ns0\no0\n"


def test_a_window_in_full():
    assert shown(fill(Window(HistoryConfig(text=2, image=3, thought=1)), 5).messages()) == (
        "## assistant\na1\n"
        "## user\nObservation:\nImage observation provided.\n[picture 2]\n"
        "## assistant\na2\n"
        "## user\nObservation:\no3\nImage observation provided.\n[picture 3]\n"
        "## assistant\nPrevious plan:\np3\n"
        "## user\nCurrent Observation:\ns4\no4\nImage observation provided.\n[picture 4]\n"
    )


def test_an_empty_text_leaves_the_heading():
    window = Window(HistoryConfig())
    window.see(Observation(""))
    assert shown(window.messages()) == "## user\nCurrent Observation:\n\n"


def test_caps_hold_for_any_setting():
    rng = random.Random(0)
    for _ in range(400):
        caps = HistoryConfig(text=rng.randrange(6), image=rng.randrange(6), thought=rng.randrange(6))
        if caps.text == caps.image == 0:
            continue
        steps, seen = rng.randrange(1, 20), [rng.random() < 0.6 for _ in range(20)]
        messages = fill(Window(caps), steps, pictures=seen.__getitem__).messages()
        texts = [p.text for m in messages for p in m.parts if isinstance(p, Text)]
        lines = [line for text in texts for line in text.split("\n")]
        length = max(caps.text, caps.image)
        first = max(0, steps - length)
        assert [line for line in lines if line.startswith("o")] == [
            f"o{s}" for s in range(max(first, steps - caps.text), steps)
        ]
        assert [line for line in lines if line.startswith("s")] == [f"s{steps - 1}"]
        assert [line for line in lines if line.startswith("p")] == [
            f"p{s}" for s in range(max(first - 1, 0, steps - 1 - caps.thought), steps - 1)
        ]
        with_picture = [s for s in range(first, steps) if seen[s]]
        shown_pictures = [p for m in messages for p in m.parts if isinstance(p, Image)]
        assert shown_pictures == [picture(s) for s in with_picture[max(0, len(with_picture) - caps.image) :]]
        assert sum("Image observation provided." in text for text in texts) == len(shown_pictures)
        assert [m.role for m in messages] == (["assistant", "user"] * steps)[-len(messages) :]
        assert len(messages) == 2 * min(steps, length) - (steps <= length)
        assert texts[-1].startswith("Current Observation:")


def test_notes_come_first_and_go_with_their_text():
    window = Window(HistoryConfig(text=1, image=2))
    window.see(Observation("o0", image=picture(0)), ["note 0", "and more"])
    assert shown(window.messages()).startswith("## user\nnote 0\nand more\n\nCurrent Observation:\no0\n")
    window.did("a0")
    window.see(Observation("o1", image=picture(1)))
    assert "note 0" not in shown(window.messages())


def test_a_note_is_heard_even_where_texts_are_not_shown():
    window = Window(HistoryConfig(text=0, image=1))
    window.see(Observation("o0", image=picture(0)), ["note 0"])
    assert (
        shown(window.messages())
        == "## user\nnote 0\n\nCurrent Observation:\nImage observation provided.\n[picture 0]\n"
    )


def test_asking_twice_changes_nothing():
    window = fill(Window(HistoryConfig(text=3, image=2, thought=2)), 7)
    assert window.messages() == window.messages()


@pytest.mark.parametrize("steps", [100, 20_000])
def test_memory_is_bounded_by_the_window(steps):
    window = fill(Window(HistoryConfig(text=4, image=4)), steps)
    assert len(window._turns) == 4
    assert sys.getsizeof(window._turns) < 10_000
    assert len(window.messages()) == 8


# --------------------------------------------------------------------------- blocks


def test_blocks_in_full():
    """Five observations under a cap of four: the two oldest have gone together, and the answer to them with them."""
    assert shown(fill(Blocks(HistoryConfig(text=4, image=1, thought=2, block=2)), 5).messages("What now?")) == (
        "## user\nObservation:\no2\n"
        "## assistant\nPrevious plan:\np2\n"
        "## user\nObservation:\no3\n"
        "## assistant\nPrevious plan:\np3\n"
        "## user\nObservation:\no4\nImage observation provided.\n[picture 4]\n"
        "## user\n\nNow:\ns4\n\nWhat now?\n"
    )


def dropped(count: int, cap: int, block: int) -> int:
    """How many of `count` have gone, in blocks of at most `cap`, so that at most `cap` are left."""
    gone = 0
    while cap and count - gone > cap:
        gone += min(block, cap)
    return gone


def test_blocks_keep_what_was_sent_until_a_block_goes():
    """Over any episode and any caps: a prompt begins with the one before, but for its last message, unless a block has
    just gone.
    """
    rng = random.Random(1)
    for _ in range(300):
        caps = HistoryConfig(
            text=rng.randrange(8), image=rng.randrange(8), thought=rng.randrange(8), block=rng.randrange(1, 6)
        )
        if caps.text == caps.image == 0:
            continue
        history, before, gone_before = Blocks(caps), [], ()
        pictures, plans = [], 0
        for step in range(30):
            seen = step + 1
            if step:
                plan = f"p{step - 1}" if rng.random() < 0.7 else ""
                history.did(f"a{step - 1}", plan)
                plans += bool(plan)
            notes = [f"n{step}"] if rng.random() < 0.2 else []
            pictures += [step] if rng.random() < 0.6 else []
            history.see(
                Observation(f"o{step}", status=f"s{step}", image=picture(step) if step in pictures else None), notes
            )
            now = history.messages("ask")
            length = max(caps.text, caps.image)
            gone = [
                dropped(count, cap, caps.block)
                for count, cap in (
                    (seen, caps.text),
                    (len(pictures), caps.image),
                    (plans, caps.thought),
                    (seen, length),
                )
            ]
            lines = [line for m in now for p in m.parts if isinstance(p, Text) for line in p.text.split("\n")]
            assert [line for line in lines if line.startswith("s")] == [f"s{step}"] and lines[-1] == "ask"
            assert [line for line in lines if line.startswith("o")] == [
                f"o{s}" for s in range(gone[0], seen) if caps.text and s >= gone[3]
            ]
            assert [p for m in now for p in m.parts if isinstance(p, Image)] == [
                picture(s) for s in pictures[gone[1] :] if caps.image and s >= gone[3]
            ]
            assert sum(line.startswith("p") for line in lines) <= min(plans - gone[2], caps.thought)
            assert all(note in lines for note in notes)
            assert len(now) == 2 * (seen - gone[3])
            if gone == gone_before:
                assert now[: len(before) - 1] == before[:-1]
            before, gone_before = now, gone


@pytest.mark.parametrize(("block", "least"), [(4, 0.72), (8, 0.83), (16, 0.88)])
def test_prompts_repeat_the_ones_before(block, least):
    """With texts of equal length and no instruction before them: one prompt in `block` is new, the others all but their
    newest turn.
    """
    history = Blocks(HistoryConfig(text=32, block=block))
    before, shares = [], []
    for step in range(192):
        if step:
            history.did("go forward")
        history.see(Observation(f"{step:04d}" * 50))
        now = history.messages("Answer with one action.")
        shares.append(repeated(before, now))
        before = now
    assert sum(shares[64:]) / len(shares[64:]) > least
    assert sum(share < 0.1 for share in shares[64:]) == len(shares[64:]) // block


def test_memory_of_blocks_is_bounded():
    history = fill(Blocks(HistoryConfig(text=4, image=4, block=3)), 5_000)
    assert len(history._turns) == 4 and len(history.messages()) <= 8


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        ([], ["abcd"], 0.0),
        (["abcd"], ["abcd"], 1.0),
        (["abcd"], ["abxy"], 0.5),
        (["abcd", "ef"], ["abcd", "gh"], 4 / 6),
        (["abcd", "ef"], ["abcd"], 1.0),
        (["ab", "c"], ["xb", "c"], 0.0),
    ],
)
def test_the_share_of_a_prompt_that_repeats_the_one_before(before, now, share):
    def prompt(texts):
        return [Message("user", (Text(text),)) for text in texts]

    assert repeated(prompt(before), prompt(now)) == pytest.approx(share)


def test_pictures_count_by_their_size_and_by_their_content():
    def prompt(*pictures):
        return [Message("user", (Text("x" * 100), *pictures))]

    large = Image("a" * 64, 300, 250)  # 100 tokens, 400 characters
    assert repeated(prompt(), prompt(large)) == pytest.approx(100 / 500)
    assert repeated(prompt(large), prompt(large)) == 1.0
    assert repeated(prompt(Image("b" * 64, 300, 250)), prompt(large)) == pytest.approx(100 / 500)
    assert repeated([Message("assistant", (Text("x"),))], [Message("user", (Text("x"),))]) == 0.0
