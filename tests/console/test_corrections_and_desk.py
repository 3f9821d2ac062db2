"""The page of the corrections beside a running desk, its labels of ended episodes, and a stranger's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import embodied
from embodied.store.amendments import NAME, changes_of, corrections_of, label, labels_of
from embodied.store.run import Run
from tests.console import patient
from tests.console.desks import at_desk
from tests.console.legible import FAINT, NAMELESS
from tests.console.test_corrections_page import console
from tests.console.test_desk_page import SIZES, grave, opened, take_control

RANDOM = ("--env", "babyai", "--task", "goto", "--agent", "random", "run.concurrency=1", "--wait")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    embodied.evaluate(
        "babyai", "random", task="goto", episodes=2, steps=6, split="train", corrector="oracle", out=tmp_path / "run"
    )
    return Run(tmp_path / "run")


@pytest.mark.slow
def test_the_desk_leads_to_the_corrections_and_back(page: Page, tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *RANDOM, "--episodes", "1") as desk:
        opened(page, desk.control)
        take_control(page)
        page.locator("#words").fill("turn left")
        page.locator("#words").press("Enter")
        expect(page.locator("#resolved")).to_contain_text("Enter sends")
        page.locator("#words").press("Enter")
        expect(page.locator("#said")).to_contain_text("turn left")
        page.get_by_test_id("step").click()
        expect(page.locator("#steps li")).to_contain_text("turn left")
        with page.expect_popup() as popup:
            page.locator("#corrections").click()
        other = popup.value
        expect(other.locator("#count")).to_have_text("1 correction")
        other.locator("#text").fill("Please turn left")
        other.get_by_test_id("save").click()
        expect(other.locator("#result")).to_contain_text("Saved.")
        other.locator("#desk").click()
        expect(other.locator("#link")).to_have_text("connected")
        read_only = f"{desk.watch}corrections/api/"
        found = patient.get(f"{read_only}corrections").json()
        assert (found["role"], len(found["rows"])) == ("watch", 1)
        origin = {"Origin": "/".join(desk.watch.split("/")[:3])}
        refused = patient.post(f"{read_only}label", json={"episode": "0", "label": "success"}, headers=origin)
        assert refused.status_code == 403
        assert (
            patient.get(desk.control.replace(desk.control.split("/")[3], "x" * 32) + "corrections/").status_code == 403
        )
        page.goto("about:blank")
        other.close()
    (one,) = corrections_of(Run(tmp_path / "run"))
    assert (one.text, one.said) == ("Please turn left", "turn left")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_episodes_are_labelled_on_the_page(page: Page, run: Run, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=theme)
    with console(str(run.root)) as (control, _, _):
        page.goto(control)
        expect(page.locator("#detail h2")).to_be_visible()
        expect(page.locator("#desk")).to_be_hidden()
        page.locator("#plays").click()
        expect(page.locator("#episodes li")).to_have_count(2)
        page.get_by_test_id("success-1").click()
        expect(page.locator("#labelled")).to_have_text("Saved.")
        expect(page.get_by_test_id("success-1")).to_have_attribute("aria-pressed", "true")
        page.get_by_test_id("failure-1").click()
        expect(page.get_by_test_id("failure-1")).to_have_attribute("aria-pressed", "true")
        page.locator("#episodes li").nth(1).locator("input").fill("1")
        second = run.record.planned[1].id
        expect(page.locator("#episodes code").nth(1)).to_have_text(f"embodied branch {run.root} {second} 1")
        for size in SIZES:
            page.set_viewport_size(size)
            violations = axe.run(page).response["violations"]
            assert [one["id"] for one in violations if grave(one)] == []
            assert not page.evaluate(NAMELESS) and not page.evaluate(FAINT)
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
            if folder := os.environ.get("EMBODIED_SCREENSHOTS"):
                page.screenshot(path=Path(folder) / f"episodes-{theme}-{size['width']}.png")
    found = labels_of(run, second, changes_of(run, []), [])
    assert [(one.text, one.by) for one in found] == [("failure", "person")]


@contextmanager
def as_somebody_else(root: Path, state: Path, *words: str) -> Iterator[list[str]]:
    """The first lines of `embodied console`, for a user who did not make the run."""
    command = [sys.executable, "-m", "embodied", "console", str(root), *words]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    ) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.terminate()


def test_a_strangers_folder_is_not_changed_unasked(run: Run, tmp_path: Path) -> None:
    first = corrections_of(run)[0]
    body = {"episode": first.episode, "id": first.id, "excluded": True, "by": "anna"}
    for words, told in (((), "Corrections, to read only: "), (("--trust",), "Corrections: ")):
        with as_somebody_else(run.root, tmp_path / "state", *words) as lines:
            assert lines[0].startswith(told)
            at = lines[0].removeprefix(told)
            origin = {"Origin": "/".join(at.split("/")[:3])}
            answer = patient.post(f"{at}api/change", json=body, headers=origin)
            assert answer.status_code == (200 if words else 403)
            assert (run.root / NAME).exists() is bool(words)
            if not words:
                assert "was not made by you" in lines[1]


def test_a_label_stands_beside_the_record(run: Run, tmp_path: Path) -> None:
    first, second = (spec.id for spec in run.record.planned)
    before = (run.folder(first) / "episode.json").read_bytes()
    label(run, first, "failure", by="anna")
    label(run, "0", "success", by="ben")
    label(run, first, "good", step=0, by="anna")
    for text, step, by in (("", None, "anna"), ("x", 99, "anna"), ("x", None, ""), ("\x07", None, "anna")):
        with pytest.raises(embodied.errors.UsageError):
            label(run, first, text, step=step, by=by)
    changes = changes_of(run, [])
    assert [(one.text, one.step) for one in labels_of(run, first, changes, [])] == [("success", None), ("good", 0)]
    assert labels_of(run, second, changes, []) == [] and len(corrections_of(run)) > 0
    assert (run.folder(first) / "episode.json").read_bytes() == before
    shutil.rmtree(run.folder(first))
    assert labels_of(run, first, changes, []) == [], "another attempt is not labelled"
