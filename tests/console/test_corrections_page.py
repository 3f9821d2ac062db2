"""`embodied console RUN`: the corrections of a run, seen, edited and excluded in the browser; who may write; and a run
that goes on at the desk.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

import embodied
from embodied.console.desk.learning import learning
from embodied.store.amendments import NAME, corrections_of
from embodied.store.run import Run
from embodied.types import Correction, Decision, Step, Takeover
from embodied.versions import find
from tests.console import patient
from tests.console.conftest import PAYLOAD
from tests.console.desks import PATIENCE, Desk, at_desk
from tests.console.legible import FAINT, NAMELESS
from tests.console.recorded import new_run, record
from tests.store.test_amendments import digests

BABYAI = ("--env", "babyai", "--task", "goto", "--agent", "random", "--episodes", "1", "run.concurrency=1")


@contextmanager
def console(*words: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """`embodied console ...` as a user starts it: the address that may change, and the one that only reads."""
    command = [sys.executable, "-m", "embodied", "console", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        try:
            yield *(line.split(": ", 1)[-1].strip() for line in lines), process
        finally:
            process.terminate()


def refused(*words: str) -> str:
    """The sentence with which the command ends; its exit code is 2."""
    done = subprocess.run([sys.executable, "-m", "embodied", "console", *words], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("corrections") / "run"
    embodied.evaluate(
        "babyai", "random", task="goto", episodes=2, steps=12, image=True, split="train", corrector="oracle", out=out
    )
    return out


@pytest.fixture
def run(recorded, tmp_path) -> Run:
    shutil.copytree(recorded, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture
def served(run):
    with console(str(run.root)) as (control, watch, _):
        yield control, watch


def correction(n: int, text: str, **fields: object) -> Correction:
    return Correction(
        **{
            "text": text, "how": "typed", "by": "person 1", "id": f"{n}-1", "opened": n, "applied": n, "ended": n,
            "why": "done", "status": "committed", "resolved": "north", "superseded": Decision("south"), **fields,
        }
    )  # fmt: skip


# --------------------------------------------------------------------------- the page


def test_a_correction_is_seen_edited_and_excluded(page, served, run):
    before, first = digests(run.root), corrections_of(run)[0]
    page.goto(served[0])
    expect(page.locator("#count")).to_have_text(f"{len(corrections_of(run))} corrections")
    expect(page.locator("#detail h2")).to_have_text(first.text)
    expect(page.locator("#detail img")).to_have_count(2)
    for picture in page.locator("#detail img").all():
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("(picture) => picture.naturalWidth") > 0, "the picture is broken"
    expect(page.locator(".does").first).to_have_text(first.event.superseded.action)
    expect(page.locator(".does").last).to_have_text(first.step.executed)
    page.locator("#label").fill("anna")
    page.locator("#text").fill("turn right, please")
    page.get_by_test_id("save").click()
    expect(page.locator("#result")).to_have_text("Saved. Exports teach the action “turn right”.")
    expect(page.locator("#list-0 .name")).to_have_text("turn right, please")
    page.get_by_test_id("exclude").click()
    expect(page.locator("#result")).to_have_text("Saved. Exports leave it out.")
    now = corrections_of(Run(run.root))[0]
    assert (now.text, now.excluded, now.by, now.event) == ("turn right, please", True, "anna", first.event)
    page.reload()
    expect(page.locator("#list-0 .tags")).to_have_text("excludededited")
    page.get_by_test_id("restore").click()
    expect(page.locator("#detail h2")).to_have_text(first.text)
    page.get_by_test_id("exclude").click()
    expect(page.get_by_test_id("exclude")).to_have_text("Exclude")
    now = corrections_of(Run(run.root))[0]
    assert (now.text, now.excluded, now.edited) == (first.text, False, False)
    assert digests(run.root) == before, "the record never changes"


def test_words_that_cannot_be_taken_say_why(page, served, run):
    page.goto(served[0])
    page.locator("#text").fill("   ")
    page.get_by_test_id("save").click()
    expect(page.locator("#result")).to_contain_text("exclude it instead")
    assert all("400" in problem for problem in page.problems), "the browser notes the refusal"
    page.problems.clear()
    page.locator("#text").fill("what a lovely day")
    page.get_by_test_id("save").click()
    expect(page.locator("#result")).to_contain_text("the words name no action")
    assert len((run.root / NAME).read_bytes().splitlines()) == 1


def test_the_keyboard_alone_is_enough(page, served, run):
    second = corrections_of(run)[1]
    page.goto(served[0])
    expect(page.locator("#detail h2")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("#detail h2")).to_have_text(second.text)
    page.keyboard.press("e")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("drop")
    page.keyboard.press("Escape")
    expect(page.locator("#text")).to_have_value(second.text)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("drop")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#detail h2")).to_have_text("drop")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(page.locator("#list-1 .tag.warn")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("drop")
    expect(page.locator("#count")).to_contain_text(" of ")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    now = corrections_of(Run(run.root))[1]
    assert (now.text, now.excluded) == ("drop", True)


def test_the_exports_name_commands_that_work(page, served, run, tmp_path):
    page.goto(served[0])
    page.locator("#export").click()
    commands = page.locator("#exports code").all_text_contents()
    assert commands == [f"embodied export {run.root} --format {name}" for name in ("corrections", "dpo", "lerobot")]
    words = commands[0].split()[1:]
    subprocess.run([sys.executable, "-m", "embodied", *words, "--out", tmp_path], check=True, stdout=subprocess.DEVNULL)
    assert len((tmp_path / "corrections.jsonl").read_bytes().splitlines()) == len(corrections_of(run))


def told(recorded: Path, root: Path, **changed: dict[str, object]) -> dict[str, str]:
    """What the page says about learning from the run, with other settings in its record."""
    shutil.copytree(recorded, root)
    record = json.loads((root / "run.json").read_bytes())
    for part, values in changed.items():
        record["config"][part].update(values)
    (root / "run.json").write_text(json.dumps(record))
    return learning(Run(root))


def test_the_page_names_the_command_that_learns(page, recorded, tmp_path):
    tiny = find("tinyvlm-base")
    root = tmp_path / "a $(folder)"
    said = told(recorded, root, agent={"version": tiny.hash}, model={"provider": "transformers", "name": tiny.label})
    assert said == {
        "command": "embodied improve --env babyai --task BabyAI-MixedTrainLocal-v0/goto --agent tinyvlm-base"
        f" --learner corrections --runs '{root}'",
        "why": "",
    }
    with console(str(root)) as (control, _, _):
        page.goto(control)
        page.locator("#export").click()
        expect(page.locator("#improve")).to_have_text(said["command"])
        words = shlex.split(page.locator("#improve").text_content())[1:]
    subprocess.run([sys.executable, "-m", "embodied", *words, "--dry-run"], check=True, cwd=tmp_path)


def test_the_page_says_why_nothing_can_learn(page, recorded, tmp_path):
    local = {"provider": "transformers", "name": "model; rm"}
    tested = told(recorded, tmp_path / "test", run={"split": "test"}, model=local)
    assert tested == {
        "command": "",
        "why": "These episodes are of the split test, which agents must not learn from: correct episodes of the train"
        " split (`embodied eval --console --split train ...`).",
    }
    with console(str(tmp_path / "test")) as (control, _, _):
        page.goto(control)
        page.locator("#export").click()
        expect(page.locator("#improve")).to_have_text(tested["why"])
    assert "has none" in told(recorded, tmp_path / "random")["why"]
    unknown = told(recorded, tmp_path / "unknown", agent={"version": "0" * 64}, model=local)
    assert "no command can name it" in unknown["why"]
    assert "--model 'transformers/model; rm'" in told(recorded, tmp_path / "quoted", model=local)["command"]
    steering = told(recorded, tmp_path / "\u001b[201~", model=local)
    assert not steering["command"] and "no command may hold" in steering["why"]


def test_the_episodes_are_listed_on_a_phone(page, served, run):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served[0])
    page.locator("#plays").click()
    rows = page.locator("#episodes .plays li")
    expect(rows).to_have_count(2)
    for row in rows.all():
        row.scroll_into_view_if_needed()
        for part in (".name", ".command code", "[data-testid^=success]"):
            expect(row.locator(part)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if folder := os.environ.get("EMBODIED_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "corrections-episodes-390.png")


@pytest.mark.parametrize("width", [1400, 390])
def test_names_and_contrast_in_both_themes(page, served, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(served[0])
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator(".pair")).to_be_visible()
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(FAINT) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#export").click()
        assert page.evaluate(FAINT) == {}
        page.keyboard.press("Escape")


def test_a_watcher_reads_only(page, served):
    page.goto(served[1])
    expect(page.locator("#role")).to_have_text("read only")
    expect(page.locator("#detail h2")).to_be_visible()
    expect(page.locator("#text")).to_have_count(0)
    page.keyboard.press("x")
    expect(page.locator("#list .tag.warn")).to_have_count(0)


def test_everything_that_a_record_says_stays_text(page, tmp_path):
    """Words, takeovers, observations and edits that try to become markup."""
    run = new_run(tmp_path / "run", {PAYLOAD: 1}, agent=PAYLOAD)

    def alter(n: int, step: Step) -> Step:
        said = correction(
            n, PAYLOAD, by=PAYLOAD, resolved=PAYLOAD, superseded=Decision(PAYLOAD, thought=PAYLOAD), method=PAYLOAD
        )
        took = Takeover(action=PAYLOAD, by=PAYLOAD)
        observation = replace(step.observation, text=PAYLOAD, status=PAYLOAD)
        decision = replace(step.decision, action=PAYLOAD, thought=PAYLOAD)
        return replace(step, observation=observation, decision=decision, executed=PAYLOAD, events=(said, took))

    record(run, run.record.planned[0], 3, alter=alter)
    with console(str(run.root), "--trust") as (control, _, _):
        page.goto(control)
        expect(page.locator("#count")).to_have_text("6 corrections")
        for _ in range(6):
            expect(page.locator(".pair")).to_be_visible()
            page.keyboard.press("j")
        page.keyboard.press("Home")
        expect(page.locator("#text")).to_be_visible()
        page.locator("#text").fill(f"{PAYLOAD} and more")
        page.get_by_test_id("save").click()
        expect(page.locator("#detail h2")).to_contain_text("and more")
        assert page.evaluate("window.pwned") is None
        assert page.locator("#page img[onerror], #page script, #page a").count() == 0


def test_ten_thousand_corrections(page, tmp_path):
    run = new_run(tmp_path / "run", {"deep": 1})
    words = ("go north", "no, turn back", "look behind the barrel")
    record(
        run,
        run.record.planned[0],
        10_000,
        prompts=False,
        alter=lambda n, step: replace(step, events=(correction(n, f"{words[n % 3]} {n}"),)),
    )
    with console(str(run.root), "--trust") as (control, _, _):
        page.goto(control)
        expect(page.locator("#count")).to_have_text("10,000 corrections", timeout=60_000)
        assert page.locator("#list .row").count() < 60, "only what is in sight is in the document"
        page.keyboard.press("End")
        expect(page.locator("#detail h2")).to_have_text("go north 9999")
        expect(page.locator("#list-9999")).to_be_visible()
        page.locator("#words").fill("barrel 9998")
        expect(page.locator("#detail h2")).to_have_text("look behind the barrel 9998")
        page.locator("#text").fill("go south")
        page.get_by_test_id("save").click()
        expect(page.locator("#result")).to_contain_text("Saved.")
        page.locator("#clear").click()
        page.locator("#changed").select_option("edited")
        expect(page.locator("#count")).to_have_text("1 of 10,000 corrections")


# --------------------------------------------------------------------------- who may write


def test_hostile_requests_change_nothing(served, run):
    control, watch = served
    origin = "/".join(control.split("/")[:3])
    first = corrections_of(run)[0]
    good = {"episode": first.episode, "id": first.id, "excluded": True}
    own = {"Origin": origin, "Content-Type": "application/json"}

    def post(address: str, body: object, **headers: str) -> httpx.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return patient.post(f"{address}api/change", content=data, headers={**own, **headers})

    answers = [
        post(watch, good),
        post(f"{origin}/{'x' * 32}/", good),
        post(f"{control[:-2]}/", good),
        post(control, good, Origin="http://evil.example"),
        post(control, good, Origin="null"),
        post(control, good, Origin=origin.replace("127.0.0.1", "localhost")),
        post(control, good, Host="evil.example"),
        patient.post(f"{control}api/change", json=good),  # without an origin
        post(control, good, **{"Content-Type": "text/plain"}),
        post(control, b"x" * 10_000_000),
        post(control, b"{"),
        post(control, b"[" * 20_000),
        post(control, b"\xff"),
        post(control, []),
        post(control, {**good, "more": 1}),
        post(control, {**good, "excluded": "yes"}),
        post(control, {**good, "id": "../../etc"}),
        post(control, {**good, "episode": "../../etc"}),
        post(control, {**good, "text": "a\u0000b"}),
        post(control, {**good, "text": "x" * 3_000}),
        post(control, {**good, "by": "two\nlines"}),
        post(control, {**good, "by": ""}),
        patient.get(f"{control}api/change"),
        patient.put(f"{control}api/change", json=good, headers=own),
        patient.get(f"{control}static/..%2f..%2fdesk.py"),
        patient.get(f"{control}image/..%2f..%2frun.json"),
        patient.get(f"{control}image/{'0' * 64}"),
        patient.get(f"{control}api/correction?episode=../..&id=1"),
        patient.get(f"{origin}/api/corrections"),
        patient.get(control, headers={"Host": "evil.example"}),
    ]
    codes = [answer.status_code for answer in answers]
    assert all(400 <= code < 500 for code in codes), codes
    assert codes[:5] == [403] * 5
    assert not (run.root / NAME).exists()
    assert post(control, good).json()["excluded"] is True
    assert corrections_of(run)[0].excluded
    page = patient.get(control)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_change_made_elsewhere_is_kept(served, run):
    """An import or another page writes to the same journal."""
    control, _ = served
    origin = "/".join(control.split("/")[:3])
    first = corrections_of(run)[0]
    assert patient.get(f"{control}api/corrections").json()["rows"][0]["excluded"] is False
    from embodied.store.amendments import amend

    amend(run, first.episode, first.id, text="turn right", by="ben")
    change = {"episode": first.episode, "id": first.id, "excluded": True, "by": "anna"}
    row = patient.post(f"{control}api/change", json=change, headers={"Origin": origin}).json()
    assert (row["text"], row["excluded"], row["names"]) == ("turn right", True, "turn right")


# --------------------------------------------------------------------------- the command


def test_the_command_says_what_is_missing(run, tmp_path):
    assert "eval ... --console" in refused() and "console RUN" in refused()
    assert "--wait is about playing" in refused(str(run.root), "--wait")
    victim = run.record.planned[0].id
    (run.folder(victim) / "episode.json").unlink()
    sentence = refused(str(run.root))
    assert "was not begun with --console" in sentence and "embodied resume" in sentence
    with console(str(run.root), "--corrections") as (control, _, _):
        assert patient.get(f"{control}api/corrections").json()["rows"]


def test_a_run_goes_on_at_the_desk_after_a_kill(tmp_path):
    """And once it is over, the same command lists what was said."""
    root = tmp_path / "run"
    with at_desk(root, *BABYAI, "--wait") as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.event("observation", episode=episode)
        person.ask("speak", episode, text="turn left")
        person.ask("step", episode)
        person.event("step", episode=episode)
        desk.process.send_signal(signal.SIGKILL)
        desk.process.wait()
    with console(str(root), "--wait") as (control, watch, process):
        desk = Desk(process, control, watch)
        person = desk.person()
        assert desk.episode(person) == episode
        person.ask("take", episode)
        person.event("observation", episode=episode)
        person.ask("end", episode)
        person.event("ended", episode=episode)
        process.wait(PATIENCE)
        person.close()
    (said,) = corrections_of(Run(root))
    assert (said.text, said.step.executed) == ("turn left", "turn left")
    with console(str(root), "--corrections") as (control, _, _):
        (row,) = patient.get(f"{control}api/corrections").json()["rows"]
        assert row["said"] == "turn left"
