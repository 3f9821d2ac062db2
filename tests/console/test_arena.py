"""The arena: anonymous until the vote, votes that survive a kill, and the page as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from embodied.console.arena.arena import Arena
from embodied.console.arena.votes import Vote, Votes
from embodied.console.viewer.library import NotFound
from embodied.errors import StoreError, UsageError
from embodied.eval.bradley_terry import bradley_terry
from tests.console import patient
from tests.console.conftest import hostile
from tests.console.recorded import new_run, record
from tests.eval.runs import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs of the same two episodes, one of them with pictures."""
    root = tmp_path_factory.mktemp("arena")
    made = {}
    for name, steps in (("naive", 12), ("cot", 20), ("robust_cot", 8)):
        made[name] = new_run(root / name, {"short": 2}, agent=name)
        for spec in made[name].record.planned:
            record(made[name], spec, steps, pictures=name != "cot")
    return made


@pytest.fixture
def arena(runs, tmp_path):
    return Arena(list(runs.values()), Votes(tmp_path / "votes.jsonl"))


def ballot(n: int = 0, choice: str = "left") -> Vote:
    return Vote(f"2026-01-01T00:00:{n:02d}+00:00", ("a", "b"), ("A", "B"), ("1", "2"), "cellar", "short", choice)


# --------------------------------------------------------------------------- votes


def test_votes_are_appended_and_come_back(tmp_path):
    votes = Votes(tmp_path / "deep/votes.jsonl")
    assert votes.read() == ([], 0)
    for n, choice in enumerate(("left", "right", "tie")):
        votes.append(ballot(n, choice))
    cast, damaged = votes.read()
    assert [v.share for v in cast] == [1.0, 0.0, 0.5] and damaged == 0
    assert len(votes.path.read_text().splitlines()) == 3


def test_a_torn_or_damaged_line_costs_itself_only(tmp_path):
    votes = Votes(tmp_path / "votes.jsonl")
    votes.append(ballot(0))
    with votes.path.open("ab") as file:
        file.write(b"nonsense\n" + b'{"time":"2026')  # a kill in the middle of a line
    votes.append(ballot(1))
    cast, damaged = votes.read()
    assert [v.time[-8:-6] for v in cast] == ["00", "01"] and damaged == 2


def test_votes_that_cannot_be_kept(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--votes"):
        Votes(tmp_path / "file/votes.jsonl").append(ballot())
    with pytest.raises(StoreError, match="Cannot read"):
        Votes(tmp_path).read()


# --------------------------------------------------------------------------- matches


def test_nothing_tells_who_plays_before_the_vote(arena, runs):
    match = arena.match()
    told = json.dumps([match, *(arena.step(match["match"], side, n) for side in ("left", "right") for n in range(25))])
    assert not any(
        name in told
        for name in (
            *runs,
            *(r.record.identity for r in runs.values()),
            *(e.spec.id for r in runs.values() for e in r.episodes()),
        )
    )
    assert match["goal"] == "Reach the stairs." and "progress" not in told
    known = arena.vote(match["match"], "left")
    assert {known["left"]["name"], known["right"]["name"]} <= {c.name for c in arena.contestants}
    assert known["left"]["progress"] is not None


def test_every_pair_meets_and_sides_change(arena):
    met, left = Counter(), Counter()
    for _ in range(30):
        match = arena.match()
        known = arena.vote(match["match"], "tie")
        met[frozenset(s["name"] for s in known.values())] += 1
        left[known["left"]["name"]] += 1
    assert sorted(met.values()) == [10, 10, 10] and len(left) == 3 and max(left.values()) < 20


def test_the_same_seed_is_shown_on_both_sides(arena):
    for _ in range(6):
        match = arena._found(arena.match()["match"])
        assert match.left[1].spec.seed == match.right[1].spec.seed


def test_steps_and_pictures(arena):
    match = arena.match()
    name = match["match"]
    for side in ("left", "right"):
        end = arena.step(name, side, match["steps"][side])
        assert end["action"] is None and arena.step(name, side, 0)["action"]
        if end["image"]:
            assert arena.image(name, side, 0).startswith(b"\x89PNG") and arena.image(name, side, 10**6).startswith(
                b"\x89PNG"
            )
        else:
            with pytest.raises(NotFound):
                arena.image(name, side, 0)
    with pytest.raises(UsageError):
        arena.step(name, "middle", 0)


def test_a_match_is_voted_on_once(arena):
    name = arena.match()["match"]
    arena.vote(name, "left")
    for voted in (name, "never"):
        with pytest.raises(NotFound):
            arena.vote(voted, "left")
    assert arena.step(name, "left", 0)["action"], "what was voted on can still be looked at"
    assert arena.standings()["votes"] == 1


def test_standings_are_bradley_terry_beside_scores(arena):
    for _ in range(12):
        match = arena.match()
        contestants = arena._found(match["match"])
        longer = "left" if contestants.left[1].steps > contestants.right[1].steps else "right"
        arena.vote(match["match"], longer)
    table = arena.standings()
    assert [r["name"] for r in table["rows"]] == ["gpt-4o · cot", "gpt-4o · naive", "gpt-4o · robust_cot"]
    cast, _ = arena.votes.read()
    fitted = bradley_terry([(*v.runs, v.share) for v in cast])
    assert [r["strength"] for r in table["rows"]] == [s.strength for s in fitted] and sum(
        r["votes"] for r in table["rows"]
    ) == 24
    assert all(r["score"] is not None for r in table["rows"])


def test_votes_of_runs_that_are_not_here_count(runs, tmp_path):
    votes = Votes(tmp_path / "votes.jsonl")
    votes.append(ballot())
    rows = Arena(list(runs.values()), votes).standings()["rows"]
    assert {r["name"]: r["score"] for r in rows if r["votes"]} == {"A": None, "B": None}


def test_nothing_to_compare(runs, tmp_path):
    votes = Votes(tmp_path / "votes.jsonl")
    other = make_run(tmp_path / "other", {("a", "x"): [1.0, 0.0]})
    for chosen in ([runs["naive"]], [runs["naive"], other], [runs["naive"], runs["naive"]]):
        with pytest.raises(UsageError, match="nothing to compare"):
            Arena(chosen, votes)


# --------------------------------------------------------------------------- the server and its page


@contextmanager
def serving(votes: Path, *roots: Path):
    """`embodied leaderboard --serve` as a user starts it: the process and the address it prints."""
    command = [sys.executable, "-m", "embodied", "leaderboard", *map(str, roots), "--serve", "--votes", str(votes)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_votes_survive_a_kill(runs, tmp_path):
    roots = [r.root for r in runs.values()]
    for n in range(2):
        with serving(tmp_path / "votes.jsonl", *roots) as (process, address):
            match = patient.post(address + "api/match").json()["match"]
            assert patient.post(address + "api/vote", json={"match": match, "choice": "right"}).status_code == 200
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert len(Votes(tmp_path / "votes.jsonl").read()[0]) == n + 1


def test_what_the_server_refuses(runs, tmp_path):
    with serving(tmp_path / "votes.jsonl", *(r.root for r in runs.values())) as (_, address):
        origin, token = address.rstrip("/").rsplit("/", 1)
        assert (
            patient.get(origin + "/").status_code == 403
            and patient.post(f"{origin}/{token[:-1]}/api/match").status_code == 403
        )
        assert patient.get(address, headers={"Host": "evil.example"}).status_code == 400
        match = patient.post(address + "api/match").json()["match"]
        for body in (
            b"",
            b"[]",
            b'{"match":"%s","choice":"both"}' % match.encode(),
            b'{"match":"%s","choice":"left","more":1}' % match.encode(),
        ):
            assert patient.post(address + "api/vote", content=body).status_code == 400
        assert patient.post(address + "api/vote", content=b"x" * 20_000).status_code == 413
        assert patient.post(address + "api/vote", json={"match": "never", "choice": "left"}).status_code == 404
        assert patient.get(address + "api/match").status_code == 405
        for query in ({"match": match, "side": "left", "index": "-1"}, {"match": match, "side": "up", "index": "1"}):
            assert patient.get(address + "api/step", params=query).status_code == 400
        for path in ("static/../server.py", "static/%2e%2e/arena.py", "static/index.html", "votes.jsonl"):
            assert patient.get(address + path).status_code == 404
        assert not (tmp_path / "votes.jsonl").exists()


def test_a_person_votes(page, runs, tmp_path):
    with serving(tmp_path / "votes.jsonl", *(r.root for r in runs.values())) as (_, address):
        page.goto(address)
        left = page.locator(".side[data-side=left]")
        expect(left.locator("pre")).not_to_be_empty()
        expect(left.locator(".known")).to_have_text("")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#at")).to_contain_text("step 1 of")
        page.keyboard.press("End")
        expect(left.locator(".action")).to_have_text("The end")
        page.keyboard.press("1")
        expect(left.locator(".known")).to_contain_text("gpt-4o ·")
        expect(page.locator("#count")).to_have_text("1 votes")
        assert (
            page.locator("[data-choice=left]").get_attribute("class") == "chosen"
            and page.locator("[data-choice=right]").is_disabled()
        )
        page.keyboard.press("2")  # once is enough
        page.keyboard.press("n")
        expect(left.locator(".known")).to_have_text("")
        page.get_by_role("button", name="Equal").click()
        expect(page.locator("#count")).to_have_text("2 votes")
        page.reload()
        expect(page.locator("#count")).to_have_text("2 votes")
        page.wait_for_load_state("networkidle")
    assert [v.choice for v in Votes(tmp_path / "votes.jsonl").read()[0]] == ["left", "tie"]


def test_hostile_records_stay_text(page, tmp_path):
    one, two = hostile(tmp_path / "one"), hostile(tmp_path / "two/run")
    again = json.loads((two.root / "run.json").read_text()) | {"identity": "another"}
    (two.root / "run.json").write_text(json.dumps(again))
    with serving(tmp_path / "votes.jsonl", one.root, two.root) as (_, address):
        page.goto(address)
        expect(page.locator(".side[data-side=left] pre")).to_contain_text("<img src=x")
        page.keyboard.press("1")
        expect(page.locator("#count")).to_have_text("1 votes")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.pwned") is None


def test_pictures_against_text_are_hidden_on_both_sides(arena):
    for _ in range(6):
        match = arena.match()
        name = match["match"]
        mixed = len({c.name.split()[-1] == "cot" for c, _ in (arena._found(name).left, arena._found(name).right)}) == 2
        assert (match["hidden"] != "") == mixed
        if mixed:
            for side in ("left", "right"):
                assert not arena.step(name, side, 0)["image"] and arena.step(name, side, 0)["thought"] == ""
                with pytest.raises(NotFound):
                    arena.image(name, side, 0)
