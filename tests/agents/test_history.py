"""Window: what stays, what goes, and that nothing grows."""

from __future__ import annotations

import random
import sys

import pytest

from embodied.agents.config import HistoryConfig
from embodied.agents.history import Window
from embodied.types import Image, Observation, Text
from tests.agents.play import picture, shown


def fill(window: Window, steps: int, plans: bool = True, pictures=lambda step: True) -> Window:
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
        assert [line for line in lines if line.startswith("o")] == [f"o{s}" for s in range(max(first, steps - caps.text), steps)]
        assert [line for line in lines if line.startswith("s")] == [f"s{steps - 1}"]
        assert [line for line in lines if line.startswith("p")] == [f"p{s}" for s in range(max(first - 1, 0, steps - 1 - caps.thought), steps - 1)]
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
    assert shown(window.messages()) == "## user\nnote 0\n\nCurrent Observation:\nImage observation provided.\n[picture 0]\n"


def test_asking_twice_changes_nothing():
    window = fill(Window(HistoryConfig(text=3, image=2, thought=2)), 7)
    assert window.messages() == window.messages()


@pytest.mark.parametrize("steps", [100, 20_000])
def test_memory_is_bounded_by_the_window(steps):
    window = fill(Window(HistoryConfig(text=4, image=4)), steps)
    assert len(window._turns) == 4
    assert sys.getsizeof(window._turns) < 10_000
    assert len(window.messages()) == 8
