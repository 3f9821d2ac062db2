"""What a step's panel says of how the action came about: what was offered, and the decision that was superseded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.console.viewer.records import shown_step
from embodied.types import Call, Correction, Decision, Message, Reply, Step, Takeover, Text
from tests.console.conftest import PAYLOAD, viewing
from tests.console.recorded import ACTIONS, new_run, record

OFFERED = {0: ("north", "search"), 1: (), 2: tuple(f"path {n}" for n in range(60))}
SAID = "I go west, because the wall ends there.\nAction: west"


def alter(n: int, step: Step) -> Step:
    """Actions change in the first steps; in step 3 a correction and in step 4 a takeover supersede a decision."""
    observation = replace(step.observation, actions=OFFERED[n]) if n in OFFERED else step.observation
    prompt = (Message("user", (Text("The prompt of the decision that was superseded."),)),)
    before = Decision("west", thought="The wall ends there.", calls=(Call(prompt, Reply(SAID)),))
    events = {
        3: (Correction(text="look " + PAYLOAD, how="typed", by="person 1", id="3-1", opened=3, superseded=before),),
        4: (Takeover(by="person 1", action="south", superseded=before),),
    }
    executed = "search" if n == 0 else step.executed
    return replace(step, observation=observation, executed=executed, events=events.get(n, ()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    made = new_run(tmp_path_factory.mktemp("offers") / "run", {"short": 1})
    record(made, made.record.planned[0], 6, alter=alter)
    return made


@pytest.fixture(params=["server", "file"])
def opened(request, page, run, tmp_path: Path):
    """The page of the episode: that of the server, and that of the export."""
    if request.param == "file":
        page.goto(write_page(Library([run]), run.record.planned[0].id, tmp_path / "page.html").as_uri())
        yield page
        return
    with viewing(run.root) as address:
        page.goto(address)
        expect(page.locator("#detail .number")).to_be_visible()
        yield page


def test_what_was_offered_and_what_was_chosen(opened):
    chips = opened.locator("#detail .offered")
    expect(chips.locator("li:not(.withheld)")).to_have_text(["north", "search"])
    expect(chips.locator(".chosen")).to_have_text("search")
    expect(chips.locator(".withheld")).to_have_text([a for a in ACTIONS if a not in OFFERED[0]])
    opened.keyboard.press("j")
    expect(opened.locator("#detail .number")).to_have_text("Step 1")
    expect(chips.locator("li:not(.withheld):not(.chosen)")).to_have_count(0)
    opened.keyboard.press("j")
    expect(opened.locator("#detail summary", has_text="Actions offered in this step (60)")).to_be_visible()
    expect(chips).to_be_hidden()
    opened.keyboard.press("j")
    expect(opened.locator("#detail .number")).to_have_text("Step 3")
    expect(chips).to_have_count(0)


def test_the_reply_that_was_superseded_is_shown_whole(opened):
    for key in "jjj":
        opened.keyboard.press(key)
    before = opened.locator("#detail .superseded")
    expect(before.locator("h3").first).to_contain_text("Superseded by the correction")
    expect(before.locator("h3").first).to_contain_text(PAYLOAD)
    expect(before.locator(".withdrawn code")).to_have_text("west")
    expect(before.locator(".reply")).to_have_text(SAID)
    opened.keyboard.press("p")
    expect(before.locator(".message")).to_have_text("userThe prompt of the decision that was superseded.")
    opened.keyboard.press("j")
    expect(before.locator("h3").first).to_have_text("Superseded by a takeover")
    opened.keyboard.press("j")
    expect(opened.locator("#detail .number")).to_have_text("Step 5")
    expect(before).to_have_count(0)
    assert opened.evaluate("window.pwned") is None


def test_the_search_finds_what_was_superseded(run):
    assert Library([run]).search(run.record.planned[0].id, "because the wall ends") == [3, 4]


@pytest.mark.parametrize(
    "event",
    [
        7,
        {"kind": "correction", "superseded": "west"},
        {"kind": "correction", "superseded": {"action": 3}},
        {"kind": "review", "calls": [{"reply": "text"}]},
        {"kind": "correction", "text": {"of": "another form"}},
    ],
)
def test_an_event_of_an_unknown_form_does_not_hide_its_step(run, event):
    line = json.loads((run.folder(run.record.planned[0].id) / "steps.jsonl").read_bytes().splitlines()[3])
    good = line["events"][0]
    shown = shown_step(json.dumps({**line, "events": [event, good]}).encode(), 3)
    assert shown["executed"] == line["executed"] and [e["id"] for e in shown["events"]] == [good["id"]]
