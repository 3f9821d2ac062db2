"""The page of many runs: what its server answers, and the page in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from embodied.console.viewer.shelf import Shelf
from embodied.errors import StoreError
from embodied.eval.summary import Wanted
from tests.console import patient
from tests.console.conftest import PAYLOAD, hostile, viewing
from tests.console.legible import FAINT, HEADLESS, NAMELESS
from tests.console.recorded import new_run, record
from tests.eval.runs import make_run

ROWS = "#rows tr"
GEMINI = {"provider": "google", "name": "gemini-3.1-pro-preview"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Runs of two suites and agents, one being played, two that cannot be read, one that means harm."""
    place = tmp_path_factory.mktemp("shelf")
    for number in range(6):
        score = round(0.1 + number / 10, 3)
        make_run(
            place / f"night/babyai-{number}",
            {("babyai", "goto"): [score, score / 2, score]},
            config={"agent": {"policy": "cot" if number % 2 else "naive"}, "preset": "cot" if number % 2 else "naive"},
            suite="small" if number < 2 else "",
        )
    make_run(place / "gemini", {("crafter", "default"): [0.9, 0.95, None]}, config={"model": GEMINI})
    for name in ("one", "two"):
        run = new_run(place / name, {"hall": 2}, agent="naive" if name == "one" else "cot")
        record(run, run.record.planned[0], 12)
    hostile(place / "hostile")
    (place / "torn").mkdir()
    (place / "torn/run.json").write_text('{"identity"')
    (place / PAYLOAD.replace("/", "")[:60]).mkdir()
    (place / PAYLOAD.replace("/", "")[:60] / "run.json").symlink_to("/etc/passwd")
    return place


@pytest.fixture(scope="module")
def base(folder):
    with viewing(folder) as address:
        yield address


@pytest.fixture
def opened(page, base) -> Page:
    page.goto(base)
    expect(page.locator(ROWS).first).to_be_visible()
    return page


def named(page: Page) -> list[str]:
    return page.locator(f"{ROWS} td.name").all_text_contents()


def test_the_index_says_what_each_run_is(base):
    answer = patient.get(base + "api/shelf").json()
    assert answer["total"] == 12 and len(answer["runs"]) == 12 and answer["wanted"] == ""
    rows = {run["name"]: run for run in answer["runs"]}
    assert rows["night/babyai-1"]["suite"] == "small" and rows["night/babyai-1"]["agent"] == "cot"
    assert rows["gemini"]["coverage"] == pytest.approx(2 / 3) and rows["gemini"]["state"] == "stopped"
    assert rows["torn"]["state"] == "damaged" and "torn/run.json" in rows["torn"]["problem"]
    assert len({run["key"] for run in answer["runs"]}) == 12


@pytest.mark.parametrize(
    "path",
    [
        "run/x/",
        "run/0000000000000000/api/runs",
        "run/..%2f..%2fetc/api/runs",
        "run/{good}+x/api/runs",
        "run/{torn}/api/runs",
    ],
)
def test_only_runs_of_the_folder_are_opened(base, path):
    keys = {run["name"]: run["key"] for run in patient.get(base + "api/shelf").json()["runs"]}
    answer = patient.get(base + path.format(good=keys["one"], torn=keys["torn"]))
    assert answer.status_code == 404 or (path == "run/x/" and b"api" not in answer.content), (
        "the page alone tells nothing"
    )
    origin, token = base.rstrip("/").rsplit("/", 1)
    assert patient.get(f"{origin}/{token[:-1]}x/{path}").status_code == 403
    policy = patient.get(base).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';") and "unsafe" not in policy


def test_a_run_that_comes_later_is_found(tmp_path):
    make_run(tmp_path / "a", {("babyai", "x"): [0.5]})
    shelf = Shelf(tmp_path)
    (first,) = shelf.index()["runs"]
    make_run(tmp_path / "b", {("babyai", "x"): [0.5]})
    (tmp_path / "a/run.json").write_text("{")
    rows = {run["name"]: run for run in shelf.index()["runs"]}
    assert rows["a"]["key"] == first["key"] and rows["a"]["state"] == "damaged" and rows["b"]["state"] == "finished"
    with pytest.raises(StoreError):
        shelf.library(first["key"])
    assert [run["name"] for run in Shelf(tmp_path, Wanted(env="babyai")).index()["runs"]] == ["b"]


def test_steps_are_not_read(tmp_path):
    run = make_run(tmp_path / "a", {("babyai", "x"): [0.5, 0.6]})
    steps = run.folder(run.record.planned[0].id) / "steps.jsonl"
    steps.unlink()
    steps.symlink_to("/etc/passwd")  # reading it is refused
    (row,) = Shelf(tmp_path).index()["runs"]
    assert row["state"] == "finished" and not row["problem"]


def test_filters_and_order_stand_in_the_address(opened, base):
    page = opened
    expect(page.locator(ROWS)).to_have_count(12)
    page.select_option("#env", "babyai")
    expect(page.locator(ROWS)).to_have_count(6)
    page.locator("[data-sort=progress]").click()
    assert named(page) == [f"night/babyai-{n}" for n in (5, 4, 3, 2, 1, 0)]
    expect(page.locator("th.progress")).to_have_attribute("aria-sort", "descending")
    page.locator("[data-sort=progress]").click()
    assert named(page)[0] == "night/babyai-0"
    page.select_option("#agent", "cot")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("babyai-3")
    expect(page.locator("#count")).to_have_text("1 of 12 runs")
    page.reload()
    expect(page.locator(ROWS)).to_have_count(1)
    assert named(page) == ["night/babyai-3"] and page.input_value("#words") == "babyai-3"
    page.locator("#clear").click()
    expect(page.locator(ROWS)).to_have_count(12)
    page.fill("#words", "no such run")
    expect(page.locator("#none")).to_have_text("No run is like that.")


def test_into_a_run_and_back(opened):
    page = opened
    page.fill("#words", "two")
    page.locator(f"{ROWS} a", has_text="two").click()
    expect(page.locator("#detail .number").first).to_have_text("Step 0")
    page.keyboard.press("j")
    expect(page.locator("#detail .number").first).to_have_text("Step 1")
    page.reload()
    expect(page.locator("#detail .number").first).to_have_text("Step 1")
    page.locator("#back").click()
    expect(page.locator(ROWS)).to_have_count(1)
    assert page.url.endswith("#words=two"), "filters are kept"


def test_runs_side_by_side(opened):
    page = opened
    for name in ("one", "two"):
        page.get_by_label(f"Tick {name}", exact=True).check()
    page.get_by_role("button", name="Open 2 side by side").click()
    expect(page.locator("#run")).to_have_text("one  ·  two")
    expect(page.locator("#episode-list .row:visible")).to_have_count(4)


def test_a_run_of_ones_own_address_has_no_way_back(page, address):
    page.goto(address("deep"))
    expect(page.locator("#detail .number").first).to_be_visible()
    expect(page.locator("#back")).to_be_hidden()


def test_damaged_and_hostile_runs_are_rows(opened):
    page = opened
    torn = page.locator(ROWS, has_text="torn/run.json")
    expect(torn.locator(".badge")).to_have_text("damaged")
    assert torn.locator("a").count() == 0 and torn.locator("input").is_disabled()
    expect(page.locator(ROWS, has_text="symbolic link")).to_have_count(1)
    assert page.evaluate("window.pwned") is None and page.locator("#rows img, script:not([src])").count() == 0


def test_a_run_in_play_is_looked_at_again(page, tmp_path):
    run = new_run(tmp_path / "runs/now", {"hall": 1})
    writer = run.claim(run.record.planned[0])
    with viewing(tmp_path / "runs") as base:
        page.goto(base)
        expect(page.locator(f"{ROWS} .badge")).to_have_text("in play")
        writer.close()
        record(run, run.record.planned[0], 3)
        expect(page.locator(f"{ROWS} .badge")).to_have_text("finished")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_legible(page, base, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(base)
    expect(page.locator(ROWS).first).to_be_visible()
    for width in (1400, 1100, 960, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(150)
        for ask in (NAMELESS, FAINT, HEADLESS):
            assert not page.evaluate(ask), width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_folder_that_is_gone_is_said(page, tmp_path):
    make_run(tmp_path / "runs/a", {("babyai", "x"): [0.5]})
    with viewing(tmp_path / "runs") as base:
        (tmp_path / "runs").rename(tmp_path / "elsewhere")
        page.goto(base)
        expect(page.locator("#problem")).to_contain_text("does not exist")
    page.problems.clear()  # the browser reports the 404


def test_what_the_server_says_is_json(base):
    assert json.loads(patient.get(base + "api/shelf").content)["folder"]
