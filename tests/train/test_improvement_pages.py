"""Improvements on pages: what is compared, what counts for nothing, and that a stranger's folder does no harm."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from embodied.console.viewer.improvements import role
from embodied.console.viewer.shelf import Shelf
from embodied.errors import StoreError
from embodied.eval.summary import find as find_runs
from embodied.train.learner import Used
from embodied.train.pages.board import boards, tied
from embodied.train.pages.board_page import write_board
from embodied.train.pages.curve_page import page
from embodied.train.pages.reading import find, read_improvement
from embodied.train.rounds import CURVE, PLAN, Curve, Plan, Point, Round, TaskVerdict, Verdict, write
from tests.eval.runs import make_run

FIRST, CHILD = "a" * 64, "b" * 64
PAYLOAD = "<img src=x onerror='window.pwned=1'><script>pwned=1</script>"
PLANNED = Plan(FIRST, "tiny", ("babyai",), "corrections", task="goto", corrector="oracle", test=100)


def made(root: Path, gain: float = 0.2, promoted: bool = True, refused: bool = False, **plan: object) -> Path:
    """The folder of an improvement of one round."""
    asked = msgspec.structs.replace(PLANNED, **plan)
    task = TaskVerdict("babyai", "goto", 0.4, 0.2, 50, 0.01 if not promoted else 0.9)
    decided = "promoted" if promoted else "kept"
    verdict = Verdict(0.4, 0.6, 50, 1.0, 0.01, (0.1, 0.3), (task,), decided, "A sentence.")
    done = Round(
        1, FIRST, decided, "A sentence.", CHILD, verdict, 50, Used(10, 20, 1000, 60.0), Used(), Used(100, 0, 500, 12.0)
    )
    spent = done.collect + done.learn + done.gate
    around = gain - 0.05, gain + 0.05
    points = (
        Point(FIRST, "tiny@aaaa", 0, "first", 0.4, 100, (0.3, 0.5)),
        Point(CHILD, "tiny@bbbb", 1, decided, 0.4 + gain, 100, (0.3, 0.9), gain, around, 0.01, None, spent),
        Point("", "ceiling", 0, "ceiling", 0.9, 100, (0.8, 1.0)),
    )
    leaks = ("40 of 100 test episodes are about items that were learned from.",) if refused else ()
    write(root / PLAN, asked)
    write(root / CURVE, Curve(asked, (done,), points, 2, 0.05, leaks, refused))
    return root


def test_the_report_shows_curve_gates_and_what_was_used(call, tmp_path: Path) -> None:
    made(tmp_path / "one", promoted=False)
    code, out, _ = call("report", "one")
    assert code == 0 and out.strip() == "one/report.html"
    text = (tmp_path / "one/report.html").read_text()
    assert "<script" not in text and "REFUSED" not in text
    for words in ("0.010: worse", "score against ", "corrections", "round 1, gate", "at most 5 %", "opened by 2"):
        assert words in text
    assert "dollars" in text and "Not drawn" in text  # nothing was paid
    assert call("report", "one", "--pages")[0] == 2


def test_an_unfinished_improvement_has_a_report(tmp_path: Path) -> None:
    root = made(tmp_path / "one")
    done = read_improvement(root).rounds[0]
    (root / CURVE).unlink()
    write(root / "round-1/round.json", done)
    found = read_improvement(root)
    assert len(found.rounds) == 1 and b"It is not over" in page(found)


def test_a_refused_result_looks_refused_everywhere(tmp_path: Path) -> None:
    found = read_improvement(made(tmp_path / "leaky", gain=0.5, refused=True))
    text = page(found).decode()
    assert text.count("REFUSED") > 5 and "<title>REFUSED" in text and "<s>90.0 %</s>" in text
    good = read_improvement(made(tmp_path / "good"))
    [board] = boards([found, good])
    assert [e.found.name for e in board.entries] == ["good", "leaky"]
    assert not board.entries[1].ranked and board.entries[1].gain is None and board.entries[1].made is None
    write_board([found, good], tmp_path / "site", "Board")
    row = json.loads((tmp_path / "site/improvements.json").read_text())[1]
    assert row["unranked"] == "REFUSED" and row["gain"] is None and row["place"] is None


def test_ranks_ties_and_controls(tmp_path: Path) -> None:
    wide = [made(tmp_path / name, gain=gain) for name, gain in (("a", 0.3), ("b", 0.28), ("c", 0.1))]
    kept = made(tmp_path / "kept", promoted=False)
    control = made(tmp_path / "null", gain=0.4, learner="null")
    [board] = boards([read_improvement(path) for path in (control, kept, *wide)])
    assert [(e.found.name, e.place, e.ranks) for e in board.entries] == [
        ("a", 1, (1, 2)),
        ("b", 2, (1, 2)),
        ("c", 3, (3, 3)),
        ("kept", 4, (4, 4)),
        ("null", None, None),
    ]
    assert [o.found.name for o in tied(board, board.entries[0])] == ["b"]
    assert board.entries[3].gain == 0.0 and board.entries[3].made is not None
    per = board.entries[0].per
    assert per["100 corrections"] == pytest.approx(1.5) and per["hour"] == pytest.approx(0.3 / 72 * 3600)
    assert per["dollar"] is None  # nothing was paid


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"task": "pickup"}, {"agent": CHILD}, {"test": 50}, {"env": ("crafter",)}]
)
def test_other_tests_make_another_board(other: dict[str, object], tmp_path: Path) -> None:
    both = [made(tmp_path / "a"), made(tmp_path / "b", **other)]
    assert len(boards([read_improvement(path) for path in both])) == 2
    same = made(tmp_path / "c", corrector="", learner="prompt", words=("corrector.every=2",))
    assert len(boards([read_improvement(path) for path in (both[0], same)])) == 1


def test_the_board_by_its_command(call, tmp_path: Path) -> None:
    made(tmp_path / "all/a")
    made(tmp_path / "all/b", name="=cmd()")
    code, out, _ = call("leaderboard", "--improvements", "all", "--out", "site")
    assert code == 0 and "2 improvements" in out and "not" not in out
    assert len(list((tmp_path / "site/improvements").iterdir())) == 2
    assert "'=cmd()" in (tmp_path / "site/improvements.csv").read_text()
    assert call("leaderboard", "--improvements", "all", "--serve")[0] == 2
    (tmp_path / "empty").mkdir()
    assert call("leaderboard", "--improvements", "empty")[0] == 4


def test_markup_in_a_folder_is_text(tmp_path: Path) -> None:
    root = made(tmp_path / "x", name=PAYLOAD, learner=PAYLOAD, task=PAYLOAD, settings={PAYLOAD: PAYLOAD})
    write_board([read_improvement(root)], tmp_path / "site", PAYLOAD)
    for text in (page(read_improvement(root)).decode(), (tmp_path / "site/index.html").read_text()):
        assert "<img" not in text and "<script" not in text and "&lt;img" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"score": 0.4,', '"score": 4e300,'),
        ('"tokens": 1000', '"tokens": -1'),
        ('"label": "tiny@aaaa"', '"label": "a\\nb"'),
        ('"opened": 2', '"opened": "two"'),
        ('"name": "tiny"', '"name": "other"'),
    ],
)
def test_what_no_improvement_has_is_refused(old: str, new: str, tmp_path: Path) -> None:
    root = made(tmp_path / "x")
    text = (root / CURVE).read_text()
    assert old in text
    (root / CURVE).write_text(text.replace(old, new))
    with pytest.raises(StoreError):
        read_improvement(root)


def test_links_are_not_read(tmp_path: Path) -> None:
    root = made(tmp_path / "x")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / PLAN).symlink_to(root / PLAN)
    with pytest.raises(StoreError, match="symbolic link"):
        read_improvement(tmp_path / "y")
    (tmp_path / "all").mkdir()
    (tmp_path / "all/z").symlink_to(root)
    with pytest.raises(StoreError, match="none in it"):
        find(tmp_path / "all")


def test_the_shelf_groups_the_runs_of_an_improvement(tmp_path: Path) -> None:
    root = made(tmp_path / "one")
    for place in ("round-1/collect", "round-1/gate/parent", "round-1/practice/race/0", "test/0-aaaa", "test/ceiling"):
        make_run(root / place, {("babyai", "goto"): [1.0]})
    make_run(tmp_path / "alone", {("babyai", "goto"): [0.0]})
    assert len(find_runs(tmp_path)) == 6
    shelf = Shelf(tmp_path)
    index = shelf.index()
    [(group, about)] = index["improvements"].items()
    assert about["state"] == "finished" and about["result"] == "40.0 % to 60.0 %, 1 of 1 promoted"
    runs = sorted((r for r in index["runs"] if r.get("group") == group), key=lambda r: (r["turn"], r["role"]))
    assert [r["role"] for r in runs] == [
        "round 1, collect",
        "round 1, practice race/0",
        "round 1, gate parent",
        "test, the expert alone",
        "test, version aaaa (the first)",
    ]
    assert b"All runs" in shelf.curve(group)
    (root / CURVE).write_text("{")
    assert shelf.index()["improvements"][group]["state"] == "damaged"
    with pytest.raises(StoreError):
        shelf.curve(group)


def test_a_strange_place_has_a_role() -> None:
    assert role(("round-99999999999999999999", "gate"))[1] == "round-99999999999999999999/gate"
    assert role(("other", "place"))[1] == "other/place" and role(())[1] == ""
